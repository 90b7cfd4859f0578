/**
 * The part of YAML in which nearly every Patroni file is written: nested keys, lists of words and of mappings, plain and
 * quoted words, comments. It is read without the yaml package, which costs a start-up as much as the DCS does.
 */
import { keyText, resolvePlain } from './scalar.js';
import type { ScalarTree, Tree } from './tree.js';

/** Whatever else stands in a text is left to the package, also what may be a mistake. */
class NotPlain extends Error {}

interface Line {
  indent: number;
  /** Without indentation. */
  text: string;
  from: string;
}

interface Reader {
  lines: Line[];
  at: number;
  depth: number;
}

/** No more than the package reads either. */
const MOST_DEPTH = 30;
const ENTRY = /^([A-Za-z_][\w.-]{0,99}):(?: +(.*))?$/;
const ITEM = /^-( +)([^ ].*)$/;
const NOTHING = /^(?:#.*)?$/;
const SINGLE = /^'([^']*)'(?: +#.*)?$/;
const DOUBLE = /^"([^"\\]*)"(?: +#.*)?$/;
/** A word that begins with nothing that YAML has a use for. */
const WORD = /^(?:[\w./+]|-[\w.])/;

/** The mapping that `text` holds; null when the package has to read it. `label` as in `file x.yml`. */
export function readPlainYaml(text: string, label: string): Tree | null {
  if (!/^[\n\x20-\x7e]*$/.test(text)) return null;
  const lines: Line[] = [];
  let isBegun = false;
  for (const [at, line] of text.split('\n').entries()) {
    const indent = line.search(/[^ ]/);
    if (indent < 0 || line[indent] === '#') continue;
    // Where the document begins, which may be said once, before all of it.
    const begins: boolean = line === '---' && lines.length === 0 && !isBegun;
    if (!begins && /^(?:---|\.\.\.|%)/.test(line)) return null;
    isBegun ||= begins;
    if (begins) continue;
    lines.push({ indent, text: line.slice(indent), from: `${label}:${at + 1}` });
  }
  const [first] = lines;
  if (!first || first.indent > 0 || !ENTRY.test(first.text)) return null;
  const reader = { lines, at: 0, depth: 0 };
  try {
    const tree = readMap(reader, 0, first.from);
    return reader.at === lines.length ? tree : null;
  } catch (error) {
    if (error instanceof NotPlain) return null;
    throw error;
  }
}

function readMap(reader: Reader, indent: number, from: string): Tree {
  deeper(reader);
  const entries = new Map<string, Tree>();
  for (;;) {
    const line = reader.lines[reader.at];
    if (!line || line.indent < indent) break;
    const [entry, key = '', rest = ''] = ENTRY.exec(line.text) ?? [];
    if (line.indent > indent || entry === undefined) throw new NotPlain();
    const word = keyText(key);
    if (entries.has(word)) throw new NotPlain();
    reader.at += 1;
    const isEmpty = NOTHING.test(rest);
    entries.set(word, isEmpty ? readBelow(reader, indent, line.from) : scalar(rest, line.from));
  }
  reader.depth -= 1;
  return { kind: 'map', entries, from };
}

/** What stands below a key: a mapping or a list, or nothing. */
function readBelow(reader: Reader, indent: number, from: string): Tree {
  const next = reader.lines[reader.at];
  const isItem = next?.text.startsWith('-') ?? false;
  if (!next || next.indent < indent || (next.indent === indent && !isItem)) return scalar('', from);
  return isItem ? readList(reader, next.indent, from) : readMap(reader, next.indent, from);
}

function readList(reader: Reader, indent: number, from: string): Tree {
  deeper(reader);
  const items: Tree[] = [];
  for (;;) {
    const line = reader.lines[reader.at];
    const isItem = line?.text.startsWith('-') ?? false;
    // The next key of the mapping around it may stand where the items do.
    if (!line || line.indent < indent || (line.indent === indent && !isItem)) break;
    const [item, blanks = '', text = ''] = ITEM.exec(line.text) ?? [];
    if (line.indent > indent || item === undefined) throw new NotPlain();
    if (ENTRY.test(text)) {
      // The line goes on as the first one of a mapping.
      const inner = indent + 1 + blanks.length;
      reader.lines[reader.at] = { indent: inner, text, from: line.from };
      items.push(readMap(reader, inner, line.from));
    } else {
      reader.at += 1;
      items.push(scalar(text, line.from));
    }
  }
  reader.depth -= 1;
  return { kind: 'list', items, from };
}

function deeper(reader: Reader): void {
  reader.depth += 1;
  if (reader.depth > MOST_DEPTH) throw new NotPlain();
}

function scalar(text: string, from: string): ScalarTree {
  const quoted = SINGLE.exec(text)?.[1] ?? DOUBLE.exec(text)?.[1];
  if (quoted !== undefined)
    return { kind: 'scalar', type: 'text', text: quoted, written: quoted, from };
  const written = text.replace(/(?:^| +)#.*$/, '').trimEnd();
  if (written !== '' && (!WORD.test(written) || /:(?: |$)/.test(written))) throw new NotPlain();
  return { kind: 'scalar', ...resolvePlain(written), written, from };
}
