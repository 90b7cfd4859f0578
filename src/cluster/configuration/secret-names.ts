/** Which keys hold secrets, told by their names and by where they stand. */

const WORDS =
  'passw(?:or)?d|passphrase|passcode|secret|token|creds|credentials?|authorization|auth[_-]data|' +
  '(?:access|account|api|encryption|master|private|shared|signing|storage)[_-]?key|' +
  '(?:admin|bind|db|ldap|repl|root|user)pass';
/** The same as a word by itself or at the end of one: a compass is not a secret, a cipher-pass and a bindpw are. */
const SHORT =
  '(?:^|(?<![A-Za-z]))(?:jwt|pass|psk|pwd|sas|sig|signature)(?![A-Za-z])|pw(?![A-Za-z])|^auth$';
const SECRET = new RegExp(`${WORDS}|${SHORT}`, 'i');
/** Settings that only sound like one. */
const NO_SECRET = new Set([
  'password_encryption',
  'ssl_passphrase_command_supports_reload',
  'md5_password_warnings',
  'authentication_timeout',
]);

/** Whether what stands under this name is a secret, whatever its type. */
export function isSecretName(name: string): boolean {
  return SECRET.test(name) && !NO_SECRET.has(name.toLowerCase());
}

/** Commands, whose arguments may hold secrets. */
export function isCommandName(name: string): boolean {
  return /(?:^|[_-])command$/i.test(name) || name === 'pre_promote' || name === 'before_stop';
}

/** Names of files, and switches, that only sound like a secret: --password-file, --no-password. */
const BESIDE = /(?:file|path|dir|stdin|command)$|^--?no-/i;
/** An argument, or a word before = or :, and what follows; never a variable of a shell. */
const NAMED = /(?<![\w.-])(?:([\w.-]+)\s*[=:]|(--?[\w.-]+)\s)\s*(?=["']?[^\s"'$`&;|-])/g;
const LOGIN_IN_URL = /:\/\/[^/\s:@]*:(?![0-9]+\/)[^\s@"'$]{1,200}@/;
const HANDED_OVER =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----|\bbearer\s+[\w.~+/=-]{6,}|\bsshpass\s+-p\s*[^\s$]|(?:^|\s)(?:-u|--user|--proxy-user)[\s=]{0,8}["']?[^\s"':$]+:[^\s$]/i;

/** Whether a text holds a secret: a URL with a password, password=…, --token …, a private key. */
export function holdsSecret(text: string): boolean {
  if (LOGIN_IN_URL.test(text) || HANDED_OVER.test(text)) return true;
  for (const [, assigned, argument] of text.matchAll(NAMED)) {
    const name = assigned ?? argument ?? '';
    if (isSecretName(name) && !BESIDE.test(name)) return true;
  }
  return false;
}
