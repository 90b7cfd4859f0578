/** Takes secrets out of what a recording keeps: passwords by their names, and the arguments of commands. */

const MARK = '***';

/** In a name: what it holds is secret. */
const WORDS =
  'passw(?:or)?d|passphrase|passcode|secret|token|credentials?|authorization|access_?key|api_?key|private_?key';
/** The same where it is a word by itself: a compass is no secret, a cipher-pass is. */
const SHORT = '(?:^|(?<![A-Za-z]))(?:pass|pwd|sig|signature)(?![A-Za-z])';
const SECRET = new RegExp(`${WORDS}|${SHORT}`, 'i');
/** Settings that only sound like one. */
const NO_SECRET = new Set(['password_encryption', 'ssl_passphrase_command_supports_reload']);

const NAME = `[\\w.-]*(?:${WORDS}|${SHORT})[\\w.-]*`;
const QUOTED = `"(?:[^"\\\\]|\\\\.)*"|'(?:[^'\\\\]|\\\\.)*'|\\\\"[^"\\\\]*\\\\"`;
const ASSIGNED = new RegExp(`(${NAME}\\s*[=:]\\s*)(${QUOTED}|[^\\s'"&,;]+)`, 'gi');
const JSON_MEMBER = new RegExp(`("${NAME}"\\s*:\\s*)"(?:[^"\\\\]|\\\\.)*"`, 'gi');
const ARGUMENT = new RegExp(`(--?${NAME}\\s+)(${QUOTED}|[^\\s'"]+)`, 'gi');
/** Up to the last @ before the host: a password may hold one. */
const USERINFO = /([a-z][a-z0-9+.-]*:\/\/)[^/\s]*@/gi;
const BEARER = /\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi;
const AUTHORIZATION = /(authorization\s*:\s*)[^"'\r\n]+/gi;
const LOGIN = /((?:^|\s)(?:-u|--user|--proxy-user)[\s=]*)("[^"]*"|'[^']*'|[^\s'":]+:\S+)/g;
const SSHPASS = /(\bsshpass\s+-p\s*)("[^"]*"|'[^']*'|\S+)/g;
/** `archive_command = '…'`, as a line of postgresql.conf or of YAML, or as a member of JSON. */
const COMMAND_LINE =
  /(\b(?:\w*_command|pre_promote|before_stop)\b["']?\s*[=:]\s*)("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.|'')*'|[^\r\n]+)/gi;

/** The text without logins in URLs, what follows a word like password, and the arguments of commands. */
export function withoutSecrets(text: string): string {
  return jsonWithoutSecrets(text) ?? plain(text);
}

function plain(text: string): string {
  return text
    .replace(COMMAND_LINE, (_, name: string, command: string) => name + quotedProgram(command))
    .replace(USERINFO, '$1')
    .replace(AUTHORIZATION, `$1${MARK}`)
    .replace(BEARER, `$1 ${MARK}`)
    .replace(JSON_MEMBER, `$1"${MARK}"`)
    .replace(ASSIGNED, `$1${MARK}`)
    .replace(ARGUMENT, `$1${MARK}`)
    .replace(SSHPASS, `$1${MARK}`)
    .replace(LOGIN, `$1${MARK}`);
}

/** The value at these keys, outermost first, with every string in it made safe. */
export function cleaned(value: unknown, keys: readonly string[] = []): unknown {
  if (typeof value === 'string') return safeText(value, keys);
  if (Array.isArray(value)) return value.map((item) => cleaned(item, keys));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, cleaned(item, [...keys, key])]),
  );
}

/** Below a parameter's name: what it is, was, or will be. */
const VALUE_OF = new Set(['value', 'old_value', 'new_value']);

function safeText(text: string, keys: readonly string[]): string {
  const last = keys.at(-1) ?? '';
  const at = VALUE_OF.has(last) ? keys.length - 2 : keys.length - 1;
  const name = keys[at] ?? '';
  if (isCommand(name) || keys[at - 1] === 'callbacks') return programOf(text);
  if (NO_SECRET.has(name)) return text;
  return SECRET.test(name) ? MARK : withoutSecrets(text);
}

function isCommand(name: string): boolean {
  return /(^|[_-])command$/i.test(name) || name === 'pre_promote' || name === 'before_stop';
}

/** The first word of a command: anything may follow, and nobody can tell which of it is secret. */
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

/** The same text of JSON, numbers and spaces as they were, its strings safe; null when it is no JSON object. */
function jsonWithoutSecrets(text: string): string | null {
  if (!/^\s*\{/.test(text) || !isJson(text)) return null;
  // Of every object and array that is open, the key being read; null until there is one.
  const keys: (string | null)[] = [];
  const tokens = text.match(TOKENS) ?? [];
  const isKey = (at: number) => tokens.slice(at + 1).find((token) => token.trim() !== '') === ':';
  const safe = tokens.map((token, at) => {
    if (token === '{' || token === '[') keys.push(null);
    if (token === '}' || token === ']') keys.pop();
    if (!token.startsWith('"')) return token;
    const value = JSON.parse(token) as string;
    if (isKey(at)) {
      keys[keys.length - 1] = value;
      return token;
    }
    const path = keys.filter((key) => key !== null);
    const kept = safeText(value, path);
    return kept === value ? token : JSON.stringify(kept);
  });
  return safe.join('');
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
