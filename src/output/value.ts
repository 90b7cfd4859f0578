/** Values on their way out, with Python's distinctions where its output shows them. */
import { byCodePoint } from '../cluster/model/patroni-values.js';

/** A number that prints as a float even when it is whole. */
export interface PyFloat {
  readonly float: number;
  readonly [FLOAT]: true;
}
const FLOAT: unique symbol = Symbol('float');

/** What json and yaml can print. A Map keeps the order of keys that an object would sort. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | PyFloat
  | readonly Value[]
  | ReadonlyMap<string, Value>
  | { readonly [key: string]: Value };

export function pyFloat(float: number): PyFloat {
  return { float, [FLOAT]: true };
}

export function isPyFloat(value: Value): value is PyFloat {
  return typeof value === 'object' && value !== null && FLOAT in value;
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** Keys and values of an object or Map, in their order. */
export function entriesOf(
  value: ReadonlyMap<string, Value> | { readonly [key: string]: Value },
): [string, Value][] {
  return value instanceof Map
    ? [...(value as ReadonlyMap<string, Value>)]
    : Object.entries(value as { readonly [key: string]: Value });
}

/** The same, by key. */
export function sortedEntries(value: Parameters<typeof entriesOf>[0]): [string, Value][] {
  return entriesOf(value).sort(([a], [b]) => byCodePoint(a, b));
}

/** repr() of a Python number: 1.0, 1e+16, 1e-05; `nan` and `inf` as given. */
export function numberText(value: number | bigint | PyFloat, nan = 'nan', inf = 'inf'): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  const number = typeof value === 'number' ? value : value.float;
  if (Number.isNaN(number)) return nan;
  if (!Number.isFinite(number)) return number < 0 ? `-${inf}` : inf;
  return floatText(number);
}

function floatText(number: number): string {
  const [mantissa = '', power = '0'] = number.toExponential().split('e');
  const exponent = Number(power);
  const sign = Object.is(number, -0) ? '-' : '';
  if (exponent < -4 || exponent >= 16) {
    const digits = String(Math.abs(exponent)).padStart(2, '0');
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`;
  }
  const places = Math.max(mantissa.replace(/[-.]/g, '').length - 1 - exponent, 1);
  return sign + number.toFixed(places);
}

/** str() of Python, as a table cell shows a value. */
export function pythonText(value: Value): string {
  return typeof value === 'string' ? value : repr(value);
}

function repr(value: Value): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number' || typeof value === 'bigint' || isPyFloat(value))
    return numberText(value);
  if (isList(value)) return `[${value.map(repr).join(', ')}]`;
  return `{${entriesOf(value)
    .map(([key, item]) => `${quoted(key)}: ${repr(item)}`)
    .join(', ')}}`;
}

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replace(/\\/g, '\\\\')
    .replace(/\n/g, '\\n')
    .replace(/\r/g, '\\r')
    .replace(/\t/g, '\\t')
    .replace(/'/g, quote === "'" ? "\\'" : "'")
    .replace(
      /[\x00-\x1f\x7f-\x9f]/g,
      (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );
  return quote + escaped + quote;
}
