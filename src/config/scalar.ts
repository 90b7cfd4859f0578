/** YAML 1.1 as Patroni's parser (PyYAML) reads plain words: on is true, 010 is eight, 1e3 and y are text. */
import type { ScalarTree } from './tree.js';

const NULL = /^(?:~|null|Null|NULL|)$/;
const TRUE = /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
const FALSE = /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/;
/** Most words begin otherwise, and are looked at no further. */
const NUMBER_BEGINS = /^[-+.0-9]/;
const BINARY = /^[-+]?0b[01_]+$/;
const OCTAL = /^[-+]?0[0-7_]+$/;
const DECIMAL = /^[-+]?(?:0|[1-9][0-9_]*)$/;
const HEX = /^[-+]?0x[0-9a-fA-F_]+$/;
const SEXAGESIMAL = /^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+$/;
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?)$/;

const SEXAGESIMAL_FLOAT = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*$/;

const SPECIAL = /^([-+]?)\.(?:(inf|Inf|INF)|(nan|NaN|NAN))$/;

type Plain = Pick<ScalarTree, 'type' | 'text'>;

/** What an unquoted word means, and how Patroni would print it. */
export function resolvePlain(word: string): Plain {
  if (NULL.test(word)) return { type: 'null', text: '' };
  if (TRUE.test(word)) return { type: 'bool', text: 'True' };
  if (FALSE.test(word)) return { type: 'bool', text: 'False' };
  if (!NUMBER_BEGINS.test(word)) return { type: 'text', text: word };
  const integer = resolveInteger(word);
  if (integer !== null) return { type: 'int', text: integer.toString() };
  if (FLOAT.test(word)) return { type: 'float', text: floatText(Number(word.replaceAll('_', ''))) };
  if (SEXAGESIMAL_FLOAT.test(word)) return { type: 'float', text: floatText(sexagesimal(word)) };
  const [special, sign = ''] = SPECIAL.exec(word) ?? [];
  if (special !== undefined) {
    const isNan = word.toLowerCase().endsWith('nan');
    if (!isNan || sign === '') {
      return { type: 'float', text: isNan ? 'nan' : `${sign === '-' ? '-' : ''}inf` };
    }
  }
  return { type: 'text', text: word };
}

/** 1:30.5 is 90.5: parts of sixty, added from the right as PyYAML does. */
function sexagesimal(word: string): number {
  const sign = word.startsWith('-') ? -1 : 1;
  const parts = word.replace(/^[-+]/, '').replaceAll('_', '').split(':').reverse();
  return sign * parts.reduce((sum, part, at) => sum + Number(part) * 60 ** at, 0);
}

/** What `!!float 3` and its like mean to PyYAML; null: an error. */
export function resolveTagged(type: ScalarTree['type'], word: string): Plain | null {
  if (type === 'text') return { type, text: word };
  if (type === 'null') return { type, text: '' };
  const value = resolvePlain(word);
  if (type === 'bool') {
    const lower = resolvePlain(word.toLowerCase());
    return lower.type === 'bool' ? lower : null;
  }
  if (type === value.type) return value;
  const number = word.replaceAll('_', '');
  if (type === 'int') return /^[-+]?0*$/.test(number) && number !== '' ? resolvePlain('0') : null;
  const isFloat = /^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$/.test(number);
  return isFloat ? { type, text: floatText(Number(number)) } : null;
}

/** A plain key as JSON writes the Python value that it is: 010 is "8", on is "true". */
export function keyText(word: string): string {
  const { type, text } = resolvePlain(word);
  if (type === 'null') return 'null';
  return type === 'bool' ? text.toLowerCase() : text;
}

function resolveInteger(word: string): bigint | null {
  const sign = word.startsWith('-') ? -1n : 1n;
  const digits = word.replace(/^[-+]/, '').replaceAll('_', '');
  if (SEXAGESIMAL.test(word)) {
    return sign * digits.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n);
  }
  if (DECIMAL.test(word) || HEX.test(word) || BINARY.test(word)) return toBigInt(digits, sign);
  if (OCTAL.test(word)) return toBigInt(`0o${digits.slice(1) || '0'}`, sign);
  return null;
}

/** null for text that looks like a number but has no digits, such as 0x_. */
function toBigInt(digits: string, sign: bigint): bigint | null {
  try {
    return sign * BigInt(digits);
  } catch {
    return null;
  }
}

function floatText(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : String(value);
}
