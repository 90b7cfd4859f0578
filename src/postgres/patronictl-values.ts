/**
 * PostgreSQL's texts as the values that patronictl prints: whole numbers, floats, True, lists, dates as Python writes
 * them.
 */
import { exactJson } from '../output/json.js';
import { pyFloat, type Value } from '../output/value.js';

const BOOL = [16];
const INTEGER = [20, 21, 23, 26];
const FLOAT = [700, 701];
const NUMERIC = [1700];
const JSON_TYPES = [114, 3802];
const TIMES = [1083, 1114, 1184, 1266];
const INTERVAL = [1186];
/** Type of an array -> type of what is in it. */
const ARRAYS = new Map([
  [1000, 16],
  [1005, 21],
  [1007, 23],
  [1016, 20],
  [1028, 26],
  [1021, 700],
  [1022, 701],
  [1231, 1700],
  [1002, 18],
  [1003, 19],
  [1009, 25],
  [1015, 1043],
  [1115, 1114],
  [1185, 1184],
  [1182, 1082],
]);

/** The value of a column of type `typeOid`. What is unknown stays the text that PostgreSQL wrote. */
export function valueOf(typeOid: number, text: string | null): Value {
  if (text === null) return null;
  if (BOOL.includes(typeOid)) return text === 't';
  if (INTEGER.includes(typeOid)) return wholeNumber(text);
  if (FLOAT.includes(typeOid)) return pyFloat(floatOf(text));
  if (NUMERIC.includes(typeOid)) return numeric(text);
  if (JSON_TYPES.includes(typeOid)) {
    const value = exactJson(text);
    return value === undefined ? text : value;
  }
  if (TIMES.includes(typeOid)) return pythonTime(text);
  if (INTERVAL.includes(typeOid)) return pythonInterval(text);
  const inner = ARRAYS.get(typeOid);
  return inner === undefined ? text : listOf(inner, text);
}

function wholeNumber(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

function floatOf(text: string): number {
  return text.endsWith('Infinity') ? Number(text) : text === 'NaN' ? NaN : Number(text);
}

/** Exact: what a float cannot hold stays text. */
function numeric(text: string): Value {
  return /^-?[0-9]+$/.test(text) ? wholeNumber(text) : text;
}

/** 04:05:06.7+01 -> 04:05:06.700000+01:00 */
function pythonTime(text: string): string {
  const match =
    /^(.*[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?(?:([-+][0-9]{2})(:[0-9]{2})?)?$/.exec(text);
  if (!match) return text;
  const [, upToSeconds = '', fraction, hours, minutes = ':00'] = match;
  const micros = fraction === undefined ? '' : `.${fraction.padEnd(6, '0')}`;
  return upToSeconds + micros + (hours === undefined ? '' : hours + minutes);
}

const YEAR_DAYS = 365;
const MONTH_DAYS = 30;

/** 1 day 02:03:04 -> `1 day, 2:03:04`, with months and years as days. */
function pythonInterval(text: string): string {
  const part = (unit: string): number =>
    Number(new RegExp(`(-?[0-9]+) ${unit}s?`).exec(text)?.[1] ?? 0);
  const days = part('year') * YEAR_DAYS + part('mon') * MONTH_DAYS + part('day');
  const clock = /([-+]?)([0-9]+):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?/.exec(text);
  const [, sign = '', hours = '0', minutes = '0', seconds = '0', fraction = ''] = clock ?? [];
  const size =
    (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1e6 +
    Number(fraction.padEnd(6, '0'));
  const micros = days * 86_400e6 + (sign === '-' ? -size : size);
  const whole = Math.floor(micros / 86_400e6);
  const rest = micros - whole * 86_400e6;
  const two = (number: number): string => String(Math.floor(number)).padStart(2, '0');
  const time = `${Math.floor(rest / 3600e6)}:${two((rest / 60e6) % 60)}:${two((rest / 1e6) % 60)}`;
  const below = rest % 1e6 === 0 ? '' : `.${String(rest % 1e6).padStart(6, '0')}`;
  const dayText = whole === 0 ? '' : `${whole} day${Math.abs(whole) === 1 ? '' : 's'}, `;
  return dayText + time + below;
}

/** {1,NULL,"a b",{x}} as a list; what cannot be read stays text. */
function listOf(inner: number, text: string): Value {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}]|[^{},"]+/g) ?? [];
  if (tokens[0] !== '{') return text;
  const open: Value[][] = [];
  let done: Value[] | null = null;
  for (const token of tokens) {
    if (token === '{') open.push([]);
    else if (token === '}') {
      const list = open.pop() ?? [];
      const above = open.at(-1);
      if (above) above.push(list);
      else done = list;
    } else open.at(-1)?.push(element(inner, token));
  }
  return done ?? text;
}

function element(inner: number, token: string): Value {
  if (token === 'NULL') return null;
  const text = token.startsWith('"') ? token.slice(1, -1).replace(/\\(.)/gs, '$1') : token;
  return valueOf(inner, text);
}
