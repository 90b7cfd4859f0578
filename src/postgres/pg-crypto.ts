/**
 * The cryptography that pg needs. The build replaces the lib/crypto/utils.js of pg with this, because that one goes
 * through Web Crypto, whose modules cost a start-up more than the login itself. The same names and results.
 */
import { createHash, createHmac, pbkdf2 } from 'node:crypto';

export { randomBytes } from 'node:crypto';

type Bytes = Uint8Array | string;

export const md5 = (text: Bytes): Promise<string> =>
  Promise.resolve(createHash('md5').update(text).digest('hex'));

/** See AuthenticationMD5Password in PostgreSQL's protocol. */
export async function postgresMd5PasswordHash(
  user: string,
  password: string,
  salt: Uint8Array,
): Promise<string> {
  const inner = await md5(password + user);
  return `md5${await md5(Buffer.concat([Buffer.from(inner), salt]))}`;
}

/** `name` as Web Crypto has it: SHA-256. */
export const hashByName = (name: string, text: Bytes): Promise<Buffer> =>
  Promise.resolve(createHash(name).update(text).digest());

export const sha256 = (text: Bytes): Promise<Buffer> => hashByName('SHA-256', text);

export const hmacSha256 = (key: Uint8Array, text: string): Promise<Buffer> =>
  Promise.resolve(createHmac('sha256', key).update(text).digest());

/** Of this run, by what they are made of. */
const derived = new Map<string, Promise<Buffer>>();

/**
 * SCRAM's salted password; on a thread of its own, so that members log us in side by side. The members of a cluster
 * have one salt, because pg_authid is replicated: what the first one costs the others need not pay again.
 */
export function deriveKey(password: string, salt: Uint8Array, iterations: number): Promise<Buffer> {
  const made = `${iterations} ${Buffer.from(salt).toString('base64')} ${password}`;
  const before = derived.get(made);
  if (before) return before;
  const key = new Promise<Buffer>((resolve, reject) => {
    pbkdf2(password, salt, iterations, 32, 'sha256', (error, made) =>
      error ? reject(error) : resolve(made),
    );
  });
  derived.set(made, key);
  return key;
}
