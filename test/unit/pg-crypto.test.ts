/** What the build puts in the place of pg's own cryptography does the same. */
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import * as ours from '../../src/postgres/pg-crypto.js';

type Crypto = Omit<typeof ours, 'md5'>;
const requireFromPg = createRequire(createRequire(import.meta.url).resolve('pg'));
const theirs = requireFromPg('./crypto/utils') as Crypto;

const bytes = Buffer.from('0123456789abcdef');
const CALLS: Record<string, (crypto: Crypto) => Promise<unknown>> = {
  md5: (crypto) => crypto.postgresMd5PasswordHash('anna', 'gehéim', bytes.subarray(0, 4)),
  'SHA-256': (crypto) => crypto.sha256(bytes),
  'SHA-384': (crypto) => crypto.hashByName('SHA-384', bytes),
  HMAC: (crypto) => crypto.hmacSha256(bytes, 'Client Key é'),
  PBKDF2: (crypto) => crypto.deriveKey('gehéim', bytes, 4096),
};

const hexOf = (value: unknown) =>
  typeof value === 'string' ? value : Buffer.from(value as ArrayBuffer).toString('hex');

test.each(Object.entries(CALLS))('%s', async (_, call) => {
  expect(hexOf(await call(ours))).toBe(hexOf(await call(theirs)));
});

test('it has every name that pg uses, and random bytes differ', () => {
  expect(Object.keys(ours)).toEqual(expect.arrayContaining(Object.keys(theirs)));
  expect(ours.randomBytes(18)).toHaveLength(18);
  expect(ours.randomBytes(18)).not.toEqual(ours.randomBytes(18));
});

test('the salted key of one password and one salt is made once in a run', async () => {
  const first = ours.deriveKey('password', bytes, 4096);
  expect(ours.deriveKey('password', Buffer.from(bytes), 4096)).toBe(first);
  const others = [
    ours.deriveKey('passwort', bytes, 4096),
    ours.deriveKey('password', bytes.subarray(1), 4096),
    ours.deriveKey('password', bytes, 4097),
  ];
  const keys = await Promise.all([first, ...others]);
  expect(new Set(keys.map(hexOf)).size).toBe(4);
});
