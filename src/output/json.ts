/** JSON as Python writes it, byte for byte, and read without losing what Python would show. */
import { isTooDeep } from '../cluster/model/json-nesting.js';
import { entriesOf, isList, isPyFloat, numberText, pyFloat, type Value } from './value.js';

const SHORT: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
};

function escape(char: string): string {
  return SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function jsonString(text: string): string {
  return `"${text.replace(/["\\]|[^\x20-\x7e]/g, escape)}"`;
}

interface Separators {
  comma: string;
  colon: string;
}
const SPACED: Separators = { comma: ', ', colon: ': ' };

/** json.dumps(value): `, ` and `: ` between unless told otherwise, everything but ASCII escaped. */
export function jsonDump(value: Value, between: Separators = SPACED): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return jsonString(value);
  if (typeof value === 'number' || typeof value === 'bigint' || isPyFloat(value))
    return numberText(value, 'NaN', 'Infinity');
  const { comma, colon } = between;
  if (isList(value)) return `[${value.map((item) => jsonDump(item, between)).join(comma)}]`;
  // Not entriesOf: a listing of many clusters is made of many small Maps.
  const entries = value instanceof Map ? (value as ReadonlyMap<string, Value>) : entriesOf(value);
  let members = '';
  for (const [key, item] of entries) {
    members += `${members && comma}${jsonString(key)}${colon}${jsonDump(item, between)}`;
  }
  return `{${members}}`;
}

/**
 * JSON with order of keys, whole floats and large integers kept; undefined when it is not JSON.
 * For --compat only: it is slower than JSON.parse.
 */
export function exactJson(text: string): Value | undefined {
  if (isTooDeep(text)) return undefined;
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  return readValue({ tokens: tokensOf(text), at: 0 });
}

interface Reader {
  tokens: string[];
  at: number;
}

/** Strings, numbers and words, and the punctuation that opens and closes; commas and colons say nothing. */
function tokensOf(text: string): string[] {
  return text.match(/"(?:[^"\\]|\\.)*"|[-+.\w]+|[[\]{}]/g) ?? [];
}

function readValue(reader: Reader): Value {
  const token = reader.tokens[reader.at++] ?? 'null';
  if (token === '[') return readList(reader);
  if (token === '{') return readObject(reader);
  if (token.startsWith('"')) return JSON.parse(token) as string;
  if (token === 'null') return null;
  if (token === 'true' || token === 'false') return token === 'true';
  if (/[.eE]/.test(token)) return pyFloat(Number(token));
  const number = Number(token);
  return Number.isSafeInteger(number) ? plusZero(number) : BigInt(token);
}

function plusZero(number: number): number {
  return number === 0 ? 0 : number;
}

function readList(reader: Reader): Value[] {
  const items: Value[] = [];
  while (reader.tokens[reader.at] !== ']') items.push(readValue(reader));
  reader.at++;
  return items;
}

function readObject(reader: Reader): Map<string, Value> {
  const members = new Map<string, Value>();
  while (reader.tokens[reader.at] !== '}') {
    const key = readValue(reader) as string;
    members.set(key, readValue(reader));
  }
  reader.at++;
  return members;
}
