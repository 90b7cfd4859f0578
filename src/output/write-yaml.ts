/** YAML as PyYAML's safe_dump writes it (keys sorted, Unicode kept, width 200), byte for byte. */
import { HIDDEN } from './text.js';
import { isList, isPyFloat, numberText, sortedEntries, type PyFloat, type Value } from './value.js';

export interface YamlOptions {
  /** Everything in one line, {like: this}. */
  flow?: boolean;
  width?: number;
  /** As PyYAML has it, which prints what turns text around as it is. Otherwise that is escaped. */
  asPyYaml?: boolean;
}

/** The document with its line feed at the end. */
export function yamlDump(value: Value, options: YamlOptions = {}): string {
  const out: Out = {
    text: [],
    column: 0,
    width: options.width ?? 200,
    spaced: true,
    onlyIndent: true,
    flowLevel: 0,
    openEnded: false,
    asPyYaml: options.asPyYaml ?? false,
  };
  node(out, value, null, { flow: options.flow ?? false, root: true });
  startLine(out, 0);
  if (out.openEnded) out.text.push('...\n');
  return out.text.join('');
}

// ---------------------------------------------------------------- the position in the output

interface Out {
  text: string[];
  column: number;
  width: number;
  /** The last thing written needs no blank after it. */
  spaced: boolean;
  /** Nothing but indentation and `-` on this line so far. */
  onlyIndent: boolean;
  flowLevel: number;
  /** A bare scalar as the whole document is closed by `...`. */
  openEnded: boolean;
  asPyYaml: boolean;
}

function put(out: Out, text: string, length = text.length): void {
  out.text.push(text);
  out.column += length;
}

function breakLine(out: Out, text = '\n'): void {
  out.text.push(text);
  out.spaced = true;
  out.onlyIndent = true;
  out.column = 0;
}

/** Goes to column `indent`, on a new line unless this one is still empty up to there. */
function startLine(out: Out, indent: number): void {
  const used = !out.onlyIndent || out.column > indent || (out.column === indent && !out.spaced);
  if (used) breakLine(out);
  if (out.column >= indent) return;
  out.spaced = true;
  put(out, ' '.repeat(indent - out.column));
}

interface Mark {
  /** A blank goes before it unless there is one. */
  apart?: boolean;
  /** What follows needs no blank. */
  opens?: boolean;
  /** It counts as indentation. */
  indents?: boolean;
}

function mark(out: Out, text: string, how: Mark = {}): void {
  put(out, how.apart && !out.spaced ? ` ${text}` : text);
  out.spaced = how.opens ?? false;
  out.onlyIndent = out.onlyIndent && (how.indents ?? false);
  out.openEnded = false;
}

// ---------------------------------------------------------------- nodes

interface Context {
  flow: boolean;
  root?: boolean;
  /** The node is a value (or a long key) of a mapping. */
  inMapping?: boolean;
}

function deeper(indent: number | null, flow: boolean): number {
  if (indent === null) return flow ? 2 : 0;
  return indent + 2;
}

function node(out: Out, value: Value, indent: number | null, context: Context): void {
  if (isScalar(value)) return scalar(out, value, indent, { root: context.root ?? false });
  const flow = out.flowLevel > 0 || context.flow;
  if (isList(value)) {
    if (flow || value.length === 0) return flowList(out, value, indent);
    return blockList(out, value, indent, context);
  }
  const entries = sortedEntries(value);
  if (flow || entries.length === 0) return flowMap(out, entries, indent);
  blockMap(out, entries, indent);
}

function blockList(
  out: Out,
  items: readonly Value[],
  outer: number | null,
  context: Context,
): void {
  // A list below its key is not indented.
  const flush = context.inMapping === true && !out.onlyIndent && outer !== null;
  const indent = flush ? outer : deeper(outer, false);
  for (const item of items) {
    startLine(out, indent);
    mark(out, '-', { apart: true, indents: true });
    node(out, item, indent, { flow: false });
  }
}

function blockMap(out: Out, entries: [string, Value][], outer: number | null): void {
  const indent = deeper(outer, false);
  for (const [key, value] of entries) {
    startLine(out, indent);
    if (isSimpleKey(key)) {
      scalar(out, key, indent, { simpleKey: true });
      mark(out, ':');
    } else {
      mark(out, '?', { apart: true, indents: true });
      node(out, key, indent, { flow: false, inMapping: true });
      startLine(out, indent);
      mark(out, ':', { apart: true, indents: true });
    }
    node(out, value, indent, { flow: false, inMapping: true });
  }
}

function flowList(out: Out, items: readonly Value[], outer: number | null): void {
  mark(out, '[', { apart: true, opens: true });
  out.flowLevel++;
  const indent = deeper(outer, true);
  items.forEach((item, i) => {
    if (i > 0) mark(out, ',');
    if (out.column > out.width) startLine(out, indent);
    node(out, item, indent, { flow: true });
  });
  out.flowLevel--;
  mark(out, ']');
}

function flowMap(out: Out, entries: [string, Value][], outer: number | null): void {
  mark(out, '{', { apart: true, opens: true });
  out.flowLevel++;
  const indent = deeper(outer, true);
  entries.forEach(([key, value], i) => {
    if (i > 0) mark(out, ',');
    if (out.column > out.width) startLine(out, indent);
    if (isSimpleKey(key)) {
      scalar(out, key, indent, { simpleKey: true });
      mark(out, ':');
    } else {
      mark(out, '?', { apart: true });
      node(out, key, indent, { flow: true, inMapping: true });
      if (out.column > out.width) startLine(out, indent);
      mark(out, ':', { apart: true });
    }
    node(out, value, indent, { flow: true, inMapping: true });
  });
  out.flowLevel--;
  mark(out, '}');
}

/** Longer keys are written after a `?`; PyYAML counts the five characters of the tag `!!str` too. */
function isSimpleKey(key: string): boolean {
  return key !== '' && Array.from(key).length + 5 < 128 && !BREAK.test(key);
}

// ---------------------------------------------------------------- scalars

type Scalar = null | boolean | number | bigint | string | PyFloat;

function isScalar(value: Value): value is Scalar {
  return value === null || typeof value !== 'object' || isPyFloat(value);
}

function scalar(
  out: Out,
  value: Scalar,
  outer: number | null,
  context: { root?: boolean; simpleKey?: boolean },
): void {
  const indent = deeper(outer, true);
  const fold = context.simpleKey !== true;
  if (typeof value !== 'string') return bare(out, bareText(value), indent, fold, context.root);
  const allowed = analyse(value, out.asPyYaml);
  const multiline = BREAK.test(value);
  const bareAllowed = out.flowLevel > 0 ? allowed.bareInFlow : allowed.bare;
  if (bareAllowed && !readsAsOther(value)) return bare(out, value, indent, fold, context.root);
  if (allowed.single && (fold || !multiline)) return single(out, value, indent, fold);
  double(out, value, indent, fold);
}

function bareText(value: Exclude<Scalar, string>): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  const text = numberText(value, '.nan', '.inf');
  // YAML reads 1.0e+17 as a float, but not 1e+17.
  return text.includes('.') ? text : text.replace('e', '.0e');
}

const BREAK = /[\n\u0085\u2028\u2029]/;
const BLANK = /[\0 \t\r\n\u0085\u2028\u2029]/;

/** Words, numbers and dates that would not come back as the string they are. */
const OTHER_TYPES: RegExp[] = [
  /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/,
  /^[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?$/,
  /^\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?$/,
  /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*$/,
  /^[-+]?\.(?:inf|Inf|INF)$/,
  /^\.(?:nan|NaN|NAN)$/,
  /^[-+]?(?:0b[0-1_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$/,
  /^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+$/,
  /^(?:<<|=|~|null|Null|NULL|)$/,
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/,
  /^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?$/,
];

function readsAsOther(text: string): boolean {
  return OTHER_TYPES.some((type) => type.test(text));
}

interface Allowed {
  bare: boolean;
  bareInFlow: boolean;
  single: boolean;
}

/** Which styles can hold the text. */
function analyse(text: string, asPyYaml: boolean): Allowed {
  if (text === '') return { bare: true, bareInFlow: false, single: true };
  const { inBlock, inFlow } = indicators(text);
  const edges = /^[ \n\u0085\u2028\u2029]|[ \n\u0085\u2028\u2029]$/.test(text);
  const breakThenSpace = /[\n\u0085\u2028\u2029] /.test(text);
  const doubleOnly = / [\n\u0085\u2028\u2029]/.test(text) || !isShown(text, asPyYaml);
  const bare = !edges && !breakThenSpace && !doubleOnly && !BREAK.test(text);
  return {
    bare: bare && !inBlock,
    bareInFlow: bare && !inFlow,
    single: !breakThenSpace && !doubleOnly,
  };
}

function isShown(text: string, asPyYaml: boolean): boolean {
  return PRINTABLE.test(text) && (asPyYaml || !HIDDEN.test(text));
}

const PRINTABLE =
  /^[\n\x20-\x7e\u0085\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10fffe}]*$/u;

/** Characters that mean something to YAML where they stand. */
function indicators(text: string): { inBlock: boolean; inFlow: boolean } {
  const chars = Array.from(text);
  let inBlock = /^(?:---|\.\.\.)/.test(text);
  let inFlow = inBlock;
  chars.forEach((char, i) => {
    const blankBefore = i === 0 || BLANK.test(chars[i - 1] ?? '');
    const next = chars[i + 1];
    const blankAfter = next === undefined || BLANK.test(next);
    const first = i === 0;
    const always = first ? '#,[]{}&*!|>\'"%@`'.includes(char) : char === '#' && blankBefore;
    const flowOnly = first ? '?:'.includes(char) : ',?[]{}:'.includes(char);
    const beforeBlank = blankAfter && (char === ':' || (first && '?-'.includes(char)));
    inBlock ||= always || beforeBlank;
    inFlow ||= always || flowOnly || beforeBlank;
  });
  return { inBlock, inFlow };
}

/** Runs of spaces, runs of line breaks, and what is between them. */
function runs(text: string): string[] {
  return text.match(/ +|[\n\u0085\u2028\u2029]+|[^ \n\u0085\u2028\u2029]+/g) ?? [];
}

function width(text: string): number {
  return Array.from(text).length;
}

function bare(out: Out, text: string, indent: number, fold: boolean, root = false): void {
  if (root) out.openEnded = true;
  if (!out.spaced) put(out, ' ');
  out.spaced = false;
  out.onlyIndent = false;
  for (const run of runs(text)) {
    if (run === ' ' && fold && out.column > out.width) {
      startLine(out, indent);
      out.spaced = false;
      out.onlyIndent = false;
    } else put(out, run, width(run));
  }
}

function single(out: Out, text: string, indent: number, fold: boolean): void {
  mark(out, "'", { apart: true });
  const parts = runs(text);
  parts.forEach((run, i) => {
    const inside = i > 0 && i < parts.length - 1;
    if (BREAK.test(run)) {
      // One line feed more than there are: a single one would be read as a space.
      if (run.startsWith('\n')) breakLine(out);
      for (const char of run) breakLine(out, char);
      startLine(out, indent);
    } else if (run === ' ' && fold && inside && out.column > out.width) {
      startLine(out, indent);
    } else {
      const doubled = run.replace(/'/g, "''");
      put(out, doubled, width(doubled));
    }
  });
  mark(out, "'");
}

const ESCAPES: Record<string, string> = {
  '\0': '0',
  '\x07': 'a',
  '\b': 'b',
  '\t': 't',
  '\n': 'n',
  '\v': 'v',
  '\f': 'f',
  '\r': 'r',
  '\x1b': 'e',
  '"': '"',
  '\\': '\\',
  '\u0085': 'N',
  '\u00a0': '_',
  '\u2028': 'L',
  '\u2029': 'P',
};

const AS_IS = /^[\x20\x21\x23-\x5b\x5d-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]$/;

function escape(char: string): string {
  const short = ESCAPES[char];
  if (short !== undefined) return `\\${short}`;
  const code = char.codePointAt(0) ?? 0;
  const hex = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

function double(out: Out, text: string, indent: number, fold: boolean): void {
  mark(out, '"', { apart: true });
  const chars = Array.from(text);
  let pending: string[] = [];
  const flush = (): void => {
    put(out, pending.join(''), pending.length);
    pending = [];
  };
  chars.forEach((char, i) => {
    const asIs = AS_IS.test(char) && (out.asPyYaml || !HIDDEN.test(char));
    if (!asIs) {
      flush();
      put(out, escape(char));
    }
    // After a blank, and around anything escaped.
    const gap = char === ' ' || pending.length === 0;
    const used = out.column + (asIs ? pending.length : -1);
    if (fold && i > 0 && i < chars.length - 1 && gap && used > out.width) {
      flush();
      put(out, '\\');
      startLine(out, indent);
      out.spaced = false;
      out.onlyIndent = false;
      // A line that begins with a blank would lose it.
      if ((asIs ? char : chars[i + 1]) === ' ') put(out, '\\');
    }
    if (asIs) pending.push(char);
  });
  flush();
  mark(out, '"');
}
