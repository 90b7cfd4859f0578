import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tlsOptions, transportsOf } from '../../src/postgres/ssl.js';

let home = '';
beforeEach(() => {
  home = mkdtempSync(`${tmpdir()}/patctl-home-`);
  mkdirSync(`${home}/.postgresql`);
});
afterEach(() => rmSync(home, { recursive: true }));

function file(name: string): string {
  const path = `${home}/${name}`;
  writeFileSync(path, name);
  return path;
}

function options(mode: string, more: Partial<Parameters<typeof tlsOptions>[0]> = {}) {
  return tlsOptions({ mode, rootcert: null, cert: null, key: null, password: null, home, ...more });
}

describe('sslmode', () => {
  test.each([
    ['disable', ['plain']],
    ['allow', ['plain', 'tls']],
    ['prefer', ['tls', 'plain']],
    ['require', ['tls']],
    ['verify-ca', ['tls']],
    ['verify-full', ['tls']],
    ['REQUIRE', null],
    ['', null],
  ])('%s', (mode, transports) => {
    expect(transportsOf(mode, 'db1')).toEqual(transports);
  });

  test('over a Unix socket there is no TLS', () => {
    expect(transportsOf('verify-full', '/run/postgresql')).toEqual(['plain']);
  });

  test.each(['allow', 'prefer', 'require'])('%s verifies nothing', async (mode) => {
    expect(await options(mode)).toEqual({ rejectUnauthorized: false });
  });

  test('require with a CA at hand verifies it, but no name, as libpq does', async () => {
    file('.postgresql/root.crt');
    const found = await options('require');
    expect(found).toMatchObject({ rejectUnauthorized: true });
    expect(found.ca?.toString()).toBe('.postgresql/root.crt');
    expect(found.checkServerIdentity).toBeTypeOf('function');
  });

  test('verify-full leaves the check of the name on, verify-ca turns it off', async () => {
    const rootcert = file('ca.crt');
    const full = await options('verify-full', { rootcert });
    expect(full.rejectUnauthorized).toBe(true);
    expect(full).not.toHaveProperty('checkServerIdentity');
    const ca = await options('verify-ca', { rootcert });
    expect(ca.rejectUnauthorized).toBe(true);
    expect(ca.checkServerIdentity?.('any', {} as never)).toBeUndefined();
  });

  test("the system's own CAs always mean verify-full", async () => {
    const found = await options('require', { rootcert: 'system' });
    expect(found).toEqual({ rejectUnauthorized: true });
  });

  test.each(['verify-ca', 'verify-full'])('%s without a CA is an error', async (mode) => {
    await expect(options(mode)).rejects.toThrow(`sslmode ${mode} needs a root certificate`);
  });

  test('a named file that is missing is an error, the usual one may be', async () => {
    await expect(options('require', { rootcert: '/nowhere' })).rejects.toThrow(
      'cannot read /nowhere: ENOENT',
    );
    await expect(options('require', { cert: file('mine.crt') })).rejects.toThrow('has no key');
  });

  test('a client certificate, from its usual place', async () => {
    file('.postgresql/postgresql.crt');
    file('.postgresql/postgresql.key');
    const found = await options('prefer', { password: 'sesame' });
    expect(found).toMatchObject({ passphrase: 'sesame', rejectUnauthorized: false });
    expect(found.cert?.toString()).toBe('.postgresql/postgresql.crt');
    expect(found.key).toEqual(Buffer.from('.postgresql/postgresql.key'));
  });
});
