/** Values the way Patroni reads them: its configuration is typed loosely and so are its keys. */
import type { JsonObject, JsonValue } from './model.js';

/** True for a JSON object; arrays and null are not. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Truth in the sense of Python: empty strings, arrays and objects are false. */
export function truthy(value: JsonValue | undefined): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isObject(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** A switch: on, true, yes, 1 and their opposites in any case; null when it is none of them. */
export function parseBool(value: JsonValue | undefined): boolean | null {
  if (typeof value === 'boolean') return value;
  if (value === undefined || typeof value === 'object') return null;
  const text = String(value).toLowerCase();
  if (['on', 'true', 'yes', '1'].includes(text)) return true;
  if (['off', 'false', 'no', '0'].includes(text)) return false;
  return null;
}

/** How much of the smallest member of the family one unit is; in order, largest first. */
const MEMORY: [string, number][] = [
  ['TB', 1024 ** 4],
  ['GB', 1024 ** 3],
  ['MB', 1024 ** 2],
  ['kB', 1024],
  ['B', 1],
];
const TIME: [string, number][] = [
  ['d', 86_400_000_000],
  ['h', 3_600_000_000],
  ['min', 60_000_000],
  ['s', 1_000_000],
  ['ms', 1000],
  ['us', 1],
];

/** Rounds halves to the even neighbour, as Python and PostgreSQL do. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** `base` may be a multiple: 8kB. null when the units do not go together [convert_to_base_unit]. */
function convert(value: number, unit: string, base: string): number | null {
  const [, times = '', baseUnit = ''] = /^([0-9]*)(.*)$/.exec(base) ?? [];
  const family = MEMORY.some(([name]) => name === baseUnit) ? MEMORY : TIME;
  const size = new Map(family);
  const own = size.get(unit);
  const target = size.get(baseUnit);
  if (own === undefined || target === undefined) return null;
  const smaller = family[family.findIndex(([name]) => name === unit) + 1];
  const converted = (value * own) / target / (times === '' ? 1 : Number(times));
  if (smaller === undefined) return converted;
  const step = smaller[1] / target;
  return roundHalfEven(converted / step) * step;
}

function leadingInteger(text: string): [number | null, string] {
  const hex = /^([-+]?)0x([0-9a-fA-F]+)/.exec(text);
  if (hex) return [sign(hex[1]) * parseInt(hex[2] ?? '', 16), text.slice(hex[0].length)];
  const octal = /^([-+]?)(0[0-7]*)/.exec(text);
  if (octal) return [sign(octal[1]) * parseInt(octal[2] ?? '', 8), text.slice(octal[0].length)];
  const decimal = /^([-+]?)([1-9][0-9]*)/.exec(text);
  if (decimal) return [sign(decimal[1]) * Number(decimal[2]), text.slice(decimal[0].length)];
  return [null, text];
}

function sign(text: string | undefined): number {
  return text === '-' ? -1 : 1;
}

/**
 * A whole number as Patroni reads settings: 10, '10', '0x10', '1.6', and with a base unit (kB, 8kB, s, …) also
 * '10s' or '1 MB'. null when it is none, or has a unit that does not fit [parse_int].
 */
export function parseInteger(value: JsonValue | undefined, base?: string | null): number | null {
  if (Number.isSafeInteger(value)) return plusZero(value as number);
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  const text = String(value).trim();
  let [number, rest] = leadingInteger(text);
  if ((number === null && rest.startsWith('.')) || /^[.eE]/.test(rest)) {
    [number, rest] = leadingReal(text);
  }
  const converted = inBase(number, rest, base);
  return converted === null ? null : plusZero(roundHalfEven(converted));
}

/** The same for a number with a fraction [parse_real]. */
export function parseReal(value: JsonValue | undefined, base?: string | null): number | null {
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  const converted = inBase(...leadingReal(String(value).trim()), base);
  return converted === null ? null : plusZero(converted);
}

function leadingReal(text: string): [number | null, string] {
  const match = /^[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?/.exec(text);
  return match ? [Number(match[0]), text.slice(match[0].length)] : [null, text];
}

function inBase(number: number | null, rest: string, base?: string | null): number | null {
  if (number === null || !Number.isFinite(number)) return null;
  const unit = rest.trim();
  if (unit === '') return number;
  return base === undefined || base === null ? null : convert(number, unit, base);
}

/** int() of Python: cuts fractions of numbers, takes true for 1, and decimal text without a unit. null: it raises. */
export function pythonInteger(value: JsonValue | undefined): number | null {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number') return Number.isFinite(value) ? plusZero(Math.trunc(value)) : null;
  if (typeof value !== 'string') return null;
  const text = value.trim();
  return /^[-+]?[0-9]+(?:_[0-9]+)*$/.test(text) ? plusZero(Number(text.replaceAll('_', ''))) : null;
}

function plusZero(value: number): number {
  return value === 0 ? 0 : value;
}

/** Order of names in etcd and in Python: by code point, which UTF-16 comparison is not. */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** The items in this order: the same list where they stand in it, as in nearly every cluster of a fleet. */
export function inOrder<List extends readonly unknown[]>(
  items: List,
  order: (a: List[number], b: List[number]) => number,
): List | List[number][] {
  const isOrdered = items.every((item, at) => at === 0 || order(items[at - 1], item) <= 0);
  return isOrdered ? items : [...items].sort(order);
}

/** Surrogates stand for code points above every other unit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
