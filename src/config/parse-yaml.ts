/** YAML text to a tree that knows its lines. The only place that loads the yaml package. */
import type { Alias, Document, LineCounter, Node, Pair, Scalar, YAMLMap } from 'yaml';
import { ToolError } from '../errors.js';
import { KEY_WORDS, SECRETS } from './known-keys.js';
import { printable } from './printable.js';
import { keyText, resolvePlain, resolveTagged } from './scalar.js';
import type { MapTree, ScalarTree, Tree } from './tree.js';

type Yaml = typeof import('yaml');

interface Reading {
  yaml: Yaml;
  doc: Document;
  text: string;
  /** e.g. `file /etc/patroni.yml:12` for a position in the text. */
  sourceAt(node: Node): string;
  /** Each anchored node is read once: an alias shares it, so nested aliases cannot explode. */
  known: Map<Node, Tree>;
  open: Set<Node>;
  warnings: string[];
}

const TAGS: Record<string, ScalarTree['type'] | undefined> = {
  'tag:yaml.org,2002:str': 'text',
  'tag:yaml.org,2002:int': 'int',
  'tag:yaml.org,2002:float': 'float',
  'tag:yaml.org,2002:bool': 'bool',
  'tag:yaml.org,2002:null': 'null',
};

/** The mapping that YAML 1.1 `text` holds; null when it is empty. Throws ToolError with line and key. */
export async function parseYaml(
  text: string,
  label: string,
  warnings: string[],
): Promise<MapTree | null> {
  const tree = await parseYamlValue(text, label, warnings);
  if (tree.kind === 'scalar' && tree.type === 'null') return null;
  if (tree.kind !== 'map') throw bad(tree.from, 'this is not a mapping of keys to values');
  return tree;
}

/** Any YAML value. Errors carry none of the text: a quoted line could hold a password. */
export async function parseYamlValue(
  text: string,
  label: string,
  warnings: string[],
): Promise<Tree> {
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const clean = text.replace(/^\uFEFF/, '');
  const at = (offset: number): string => `${label}:${Math.max(1, lines.linePos(offset).line)}`;
  const doc = parseDocument(yaml, clean, lines, label);
  const odd = UNPRINTABLE.exec(clean);
  if (odd) throw bad(at(odd.index), 'a control character, which YAML has only in "\\x07"');
  const fault = doc.errors[0] ?? doc.warnings.find((warning) => warning.code !== TAG_CODE);
  if (fault) {
    const key = keyNear(clean, fault.pos[0]);
    throw bad(
      at(fault.pos[0]),
      `not YAML${key ? `, near the key ${key}` : ''}: ${why(fault.code)}`,
    );
  }
  const reading: Reading = {
    yaml,
    doc,
    text: clean,
    sourceAt: (node) => at(node.range?.[0] ?? 0),
    known: new Map(),
    open: new Set(),
    warnings,
  };
  if (doc.contents === null) return nullLeaf(`${label}:1`);
  return convert(reading, doc.contents, '', reading.sourceAt(doc.contents));
}

/** What PyYAML takes for no text, wherever it stands. */
const UNPRINTABLE = /[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/** Tags are judged by convert, which knows the ones that the failsafe schema does not. */
const TAG_CODE = 'TAG_RESOLVE_FAILED';

function parseDocument(
  yaml: Yaml,
  text: string,
  lineCounter: LineCounter,
  label: string,
): Document {
  try {
    return yaml.parseDocument(text, {
      version: '1.1',
      schema: 'failsafe',
      merge: false,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'error',
      lineCounter,
    });
  } catch {
    throw bad(label, 'not YAML: nested too deeply or damaged');
  }
}

function convert(reading: Reading, node: Node, key: string, from: string): Tree {
  const { yaml } = reading;
  if (yaml.isAlias(node)) return convertAlias(reading, node, key, from);
  const known = reading.known.get(node);
  if (known) return known;
  if (reading.open.has(node)) throw bad(from, `${name(key)} contains itself`);
  reading.open.add(node);
  const tree = convertNode(reading, node, key, from);
  reading.open.delete(node);
  reading.known.set(node, tree);
  return tree;
}

function convertNode(reading: Reading, node: Node, key: string, from: string): Tree {
  const { yaml } = reading;
  if (yaml.isMap(node)) return convertMap(reading, node, key, from);
  if (yaml.isSeq(node)) {
    const items = node.items.filter((item) => yaml.isNode(item));
    return {
      kind: 'list',
      items: items.map((item) => convert(reading, item, key, reading.sourceAt(item))),
      from,
    };
  }
  return convertScalar(node as Scalar, reading.text, key, from);
}

function convertAlias(reading: Reading, node: Alias, key: string, from: string): Tree {
  const target = node.resolve(reading.doc);
  if (!target) throw bad(from, `${name(key)} refers to an anchor that does not exist`);
  return { ...convert(reading, target, key, from), from };
}

function convertScalar(node: Scalar, all: string, key: string, from: string): ScalarTree {
  const written = writtenText(node, all);
  const plain = node.type === 'PLAIN' || node.type === undefined;
  const tag = node.tag;
  if (tag === undefined || tag === '!') {
    const value = plain && tag === undefined ? resolvePlain(written) : null;
    return { kind: 'scalar', type: 'text', text: written, written, from, ...value };
  }
  const wanted = TAGS[tag];
  if (wanted === undefined) throw bad(from, `${name(key)} has a tag that Patroni does not know`);
  const value = resolveTagged(wanted, written);
  if (value === null) throw bad(from, `${name(key)} is not what its tag says`);
  return { kind: 'scalar', ...value, written, from };
}

/** PyYAML ends a block with a line feed only where the file has one. */
function writtenText({ value, type, range }: Scalar, all: string): string {
  if (typeof value !== 'string') return '';
  const isBlock = type === 'BLOCK_LITERAL' || type === 'BLOCK_FOLDED';
  const isLast = isBlock && (range?.[1] ?? 0) >= all.length && /[^ \n]$| *[^ \n] *$/.test(all);
  return isLast ? value.replace(/\n$/, '') : value;
}

function convertMap(reading: Reading, node: YAMLMap, key: string, from: string): MapTree {
  const entries = new Map<string, Tree>();
  const merged = new Map<string, Tree>();
  for (const pair of node.items as Pair<Node, Node | null>[]) {
    const keyNode = reading.yaml.isAlias(pair.key) ? pair.key.resolve(reading.doc) : pair.key;
    const source = reading.sourceAt(pair.key);
    if (!reading.yaml.isScalar(keyNode)) throw bad(source, 'a list or a mapping cannot be a key');
    const plain = keyNode.type === 'PLAIN' && keyNode.tag === undefined;
    const word = plain ? keyText(String(keyNode.value)) : String(keyNode.value);
    const inner = key === '' ? word : `${key}.${word}`;
    const value = pair.value ? convert(reading, pair.value, inner, source) : nullLeaf(source);
    if (word === '<<' && keyNode.type === 'PLAIN') addMerged(merged, value, key);
    else {
      if (entries.has(word)) reading.warnings.push(duplicate(source, inner, pair.value !== null));
      entries.set(word, value);
    }
  }
  return { kind: 'map', entries: new Map([...merged, ...entries]), from };
}

/** `<<`: what it names counts where the mapping itself says nothing; of a list, the first one wins. */
function addMerged(merged: Map<string, Tree>, value: Tree, key: string): void {
  const sources = value.kind === 'list' ? value.items : [value];
  for (const source of sources) {
    if (source.kind !== 'map') throw bad(value.from, `${name(key)} merges what is not a mapping`);
    for (const [word, tree] of source.entries) if (!merged.has(word)) merged.set(word, tree);
  }
}

/** The key is named unless it may be a secret itself: below a secret's key, or alone in braces. */
function duplicate(source: string, key: string, hasValue: boolean): string {
  const parents = key.split('.').slice(0, -1);
  const safe = hasValue && /^[\w.-]+$/.test(key) && !parents.some((word) => SECRETS.has(word));
  return `${source}: ${safe ? key : name(key)} is given twice; the last value is used`;
}

/** Names a key by Patroni's words only; a word from the file may be a misplaced secret. */
function name(key: string): string {
  const words = key.split('.');
  const known = words.filter((word) => KEY_WORDS.has(word));
  if (key !== '' && known.length === words.length) return key;
  return known.length > 0 ? `something below ${known.join('.')}` : 'a value';
}

/** The last of Patroni's key words that starts a line at or before the fault. */
function keyNear(text: string, offset: number): string | null {
  const lineEnd = text.indexOf('\n', offset);
  const before = text.slice(0, lineEnd < 0 ? text.length : lineEnd).split('\n');
  for (const line of before.reverse()) {
    const word = /^[\s-]*([A-Za-z_0-9]+)["']?\s*:/.exec(line)?.[1];
    if (word !== undefined && KEY_WORDS.has(word)) return word;
  }
  return null;
}

/** Our words for the parser's codes; its own messages quote the text. */
function why(code: string): string {
  switch (code) {
    case 'MISSING_CHAR':
      return 'a quote, bracket, comma or colon is missing';
    case 'BAD_INDENT':
    case 'TAB_AS_INDENT':
    case 'MULTILINE_IMPLICIT_KEY':
      return 'wrong indentation, or a bracket that is not closed';
    case 'BAD_SCALAR_START':
      return 'an unquoted value starts with a reserved character (quote it)';
    case 'BAD_DQ_ESCAPE':
      return 'an unknown escape inside double quotes';
    case 'BAD_ALIAS':
      return 'a value starts with * and names no anchor (quote it)';
    case 'MULTIPLE_DOCS':
      return 'more than one document';
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'BLOCK_IN_FLOW':
      return 'a mapping where none can be';
    default:
      return 'unexpected text';
  }
}

function nullLeaf(from: string): ScalarTree {
  return { kind: 'scalar', type: 'null', text: '', written: '', from };
}

function bad(from: string, problem: string): ToolError {
  return new ToolError('error', `${printable(from)}: ${problem}`, { code: 'bad_configuration' });
}
