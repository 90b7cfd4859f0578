/** Which keys hold secrets, told by their names and by where they stand. */

const WORDS =
  'passw(?:or)?d|passphrase|passcode|secret|token|credentials?|authorization|' +
  '(?:access|account|api|encryption|master|private|shared|signing|storage)[_-]?key|' +
  '(?:admin|bind|db|ldap|repl|root|user)pass';
/** The same as a word by itself or at the end of one: a compass is not a secret, a cipher-pass and a bindpw are. */
const SHORT = '(?:^|(?<![A-Za-z]))(?:pass|pwd|sig|signature)(?![A-Za-z])|pw(?![A-Za-z])|^auth$';
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
