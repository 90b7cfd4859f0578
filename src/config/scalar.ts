/** YAML 1.1 as Patroni's parser (PyYAML) reads plain words: on is true, 010 is eight, 1e3 and y are text. */
import type { ScalarTree } from './tree.js';

const NULL = /^(?:~|null|Null|NULL|)$/;
const TRUE = /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
const FALSE = /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/;
const BINARY = /^[-+]?0b[01_]+$/;
const OCTAL = /^[-+]?0[0-7_]+$/;
const DECIMAL = /^[-+]?(?:0|[1-9][0-9_]*)$/;
const HEX = /^[-+]?0x[0-9a-fA-F_]+$/;
const SEXAGESIMAL = /^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+$/;
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?)$/;

const SPECIAL = /^([-+]?)\.(?:(inf|Inf|INF)|(nan|NaN|NAN))$/;

type Plain = Pick<ScalarTree, 'type' | 'text'>;

/** What an unquoted word means, and how Patroni would print it. */
export function resolvePlain(word: string): Plain {
  if (NULL.test(word)) return { type: 'null', text: '' };
  if (TRUE.test(word)) return { type: 'bool', text: 'True' };
  if (FALSE.test(word)) return { type: 'bool', text: 'False' };
  const integer = resolveInteger(word);
  if (integer !== null) return { type: 'int', text: integer.toString() };
  if (FLOAT.test(word)) return { type: 'float', text: floatText(Number(word.replaceAll('_', ''))) };
  const [special, sign = ''] = SPECIAL.exec(word) ?? [];
  if (special !== undefined) {
    const isNan = word.toLowerCase().endsWith('nan');
    if (!isNan || sign === '') {
      return { type: 'float', text: isNan ? 'nan' : `${sign === '-' ? '-' : ''}inf` };
    }
  }
  return { type: 'text', text: word };
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

/** null for what has a number's look and no digits, such as 0x_. */
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
