/**
 * Takes secrets out of what a recording keeps: by the names of keys and by what a text looks like, whatever the type
 * of the value. Every expression here takes time in proportion to the text: each begins at the beginning of a word.
 */
import { isCommandName, isSecretName } from './secret-names.js';

const MARK = '***';

const QUOTED = `"(?:[^"\\\\]|\\\\.)*"|'(?:[^'\\\\]|\\\\.)*'|\\\\"[^"\\\\]*\\\\"`;
/** A whole word, then `=` or `:`. */
const ASSIGNED = /(?<![\w.-])([\w.-]+)\s*[=:]\s*/g;
const VALUE = new RegExp(`${QUOTED}|[^\\s'"&,;]+`, 'y');
const JSON_MEMBER = /"([\w.-]+)"(\s*:\s*)"(?:[^"\\]|\\.)*"/g;
const ARGUMENT = /(?<![\w.-])(-{1,2}[\w.-]+)\s+/g;
const ARGUMENT_VALUE = new RegExp(`${QUOTED}|[^\\s'"]+`, 'y');
/** Up to the last @ before the host: a password may hold one, and a slash where no port ends. */
const USERINFO =
  /(?<![a-z0-9+.-])([a-z0-9+.-]+:\/\/)(?:[^/\s:@]*:(?![0-9]+\/)[^\s@"']{0,200}@)?(?:[^/\s]*@)?/gi;
const PRIVATE_KEY = /(-----BEGIN [A-Z ]*PRIVATE KEY-----)[^-]*/g;
const BEARER = /\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi;
const AUTHORIZATION = /(authorization\s*:\s*)[^"'\r\n]+/gi;
const LOGIN = /((?:^|\s)(?:-u|--user|--proxy-user)[\s=]{0,8})("[^"]*"|'[^']*'|[^\s'":]+:\S+)/g;
const SSHPASS = /(\bsshpass\s+-p\s*)("[^"]*"|'[^']*'|\S+)/g;
/** `archive_command = '…'`, as a line of postgresql.conf or of YAML, or as a member of JSON. */
const COMMAND_LINE =
  /(\b(?:\w*_command|pre_promote|before_stop)\b["']?\s*[=:]\s*)("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.|'')*'|[^\r\n]+)/gi;

/** The text without logins in URLs, what follows a word like password, and the arguments of commands. */
export function withoutSecrets(text: string): string {
  return jsonWithoutSecrets(text) ?? plain(text);
}

function plain(text: string): string {
  const logins = text
    .replace(COMMAND_LINE, (_, name: string, command: string) => name + quotedProgram(command))
    .replace(USERINFO, '$1')
    .replace(PRIVATE_KEY, `$1${MARK}`)
    .replace(AUTHORIZATION, `$1${MARK}`)
    .replace(BEARER, `$1 ${MARK}`)
    .replace(JSON_MEMBER, (whole: string, name: string, between: string) =>
      isSecretName(name) ? `"${name}"${between}"${MARK}"` : whole,
    );
  return masked(masked(logins, ASSIGNED, VALUE), ARGUMENT, ARGUMENT_VALUE)
    .replace(SSHPASS, `$1${MARK}`)
    .replace(LOGIN, `$1${MARK}`);
}

/** What follows a secret name; what follows another may hold a secret name itself. */
function masked(text: string, name: RegExp, value: RegExp): string {
  const parts: string[] = [];
  let done = 0;
  for (const found of text.matchAll(name)) {
    const start = found.index + found[0].length;
    if (found.index < done || !isSecretName(found[1] ?? '')) continue;
    value.lastIndex = start;
    const held = value.exec(text);
    if (held === null) continue;
    parts.push(text.slice(done, start), MARK);
    done = start + held[0].length;
  }
  return parts.join('') + text.slice(done);
}

/** Where a value stands: its keys, outermost first, and whether one of them names a secret. */
interface Place {
  keys: readonly string[];
  isSecret: boolean;
}

const TOP: Place = { keys: [], isSecret: false };

function below({ keys, isSecret }: Place, key: string): Place {
  return {
    keys: [...keys, key],
    isSecret: isSecret ? !isFactOfSetting(keys, key) : isSecretName(key) && !isCommandName(key),
  };
}

/** The same for a part of a document, which stands below these keys; indices of arrays do not count as keys. */
export function cleanedAt(value: unknown, keys: readonly string[]): unknown {
  return cleaned(value, keys.reduce(below, TOP));
}

/** For a setting with such a name: the source of its value is not secret. */
function isFactOfSetting(keys: readonly string[], key: string): boolean {
  return keys.at(-2) === 'settings' && ['source', 'sourcefile', 'pendingRestart'].includes(key);
}

/** The value without secrets, those that YAML reads as a number or a switch among them; WAL positions stay. */
export function cleaned(value: unknown, place: Place = TOP): unknown {
  if (typeof value === 'string') return safeText(value, place);
  if (Array.isArray(value)) return value.map((item) => cleaned(item, place));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, cleaned(item, below(place, key))]),
    );
  }
  const isHeld = typeof value === 'number' || typeof value === 'boolean';
  return isHeld && place.isSecret ? MARK : value;
}

/** Below a parameter's name: what it is, was, or will be. */
const VALUE_OF = new Set(['value', 'old_value', 'new_value']);

function safeText(text: string, { keys, isSecret }: Place): string {
  const last = keys.at(-1) ?? '';
  const at = VALUE_OF.has(last) ? keys.length - 2 : keys.length - 1;
  const name = keys[at] ?? '';
  if (isCommandName(name) || keys[at - 1] === 'callbacks') return programOf(text);
  return isSecret ? MARK : withoutSecrets(text);
}

/** The first word of a command: any part of the rest may be secret. */
function programOf(command: string): string {
  if (/^\(?[^\s=:@;&|<>()"'`$\\]*\)?$/.test(command)) return command;
  const [word = ''] = /^[^\s=:@;&|<>()"'`$\\]*(?=\s)/.exec(command.trim()) ?? [];
  return word === '' ? MARK : `${word} ${MARK}`;
}

function quotedProgram(command: string): string {
  const quote = /^["']/.exec(command)?.[0] ?? '';
  const inner = quote === '' ? command.trim() : command.slice(1, -1);
  return `${quote}${programOf(inner)}${quote}`;
}

// ---------------------------------------------------------------- JSON as it was written

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^"{}[\],:]+/g;

/** The same text of JSON, numbers and spaces as they were, without secrets; null when it is not JSON object. */
function jsonWithoutSecrets(text: string): string | null {
  if (!/^\s*\{/.test(text) || !isJson(text)) return null;
  // Of every object and array that is open: where it stands, and where its present value does.
  const open: { own: Place; value: Place }[] = [];
  const here = (): Place => open.at(-1)?.value ?? TOP;
  const tokens = text.match(TOKENS) ?? [];
  const safe = tokens.map((token, at) => {
    if (token === '{' || token === '[') open.push({ own: here(), value: here() });
    if (token === '}' || token === ']') open.pop();
    const top = open.at(-1);
    if (!token.startsWith('"')) return here().isSecret ? maskedScalar(token) : token;
    const value = JSON.parse(token) as string;
    if (top && isKey(tokens, at)) {
      top.value = below(top.own, value);
      return token;
    }
    const kept = safeText(value, here());
    return kept === value ? token : JSON.stringify(kept);
  });
  return safe.join('');
}

/** A number or a switch; punctuation, blanks and null stay. */
function maskedScalar(token: string): string {
  const word = token.trim();
  if (!/^(?:-?[0-9.eE+-]+|true|false)$/.test(word)) return token;
  return token.replace(word, JSON.stringify(MARK));
}

/** A colon follows, after blanks at most. */
function isKey(tokens: readonly string[], at: number): boolean {
  const next = tokens[at + 1] ?? '';
  return (next.trim() === '' ? tokens[at + 2] : next) === ':';
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
