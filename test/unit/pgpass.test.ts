import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PgLogin } from '../../src/config/effective.js';
import { orderLogins, resolveLogins } from '../../src/postgres/logins.js';
import type { Env } from '../../src/config/environment.js';
import { findPassword, parsePgpass } from '../../src/postgres/pgpass.js';
import { parseService } from '../../src/postgres/service.js';

const KEY = { host: 'db1', port: 5432, database: 'postgres', user: 'watcher' };
const find = (text: string, key: Partial<typeof KEY> = {}) =>
  findPassword(parsePgpass(text), { ...KEY, ...key });

describe('a password file', () => {
  test('gives the first line that fits', () => {
    const text = 'db2:5432:postgres:watcher:other\ndb1:5432:postgres:watcher:first\n*:*:*:*:last';
    expect(find(text)).toBe('first');
    expect(find(text, { host: 'db2' })).toBe('other');
    expect(find(text, { user: 'somebody' })).toBe('last');
  });

  test.each([
    ['host', 'db9:5432:postgres:watcher:x'],
    ['port', 'db1:5433:postgres:watcher:x'],
    ['database', 'db1:5432:app:watcher:x'],
    ['user', 'db1:5432:postgres:Watcher:x'],
    ['a comment', '#db1:5432:postgres:watcher:x'],
    ['too few fields', 'db1:5432:postgres:watcher'],
    ['an empty password', 'db1:5432:postgres:watcher:'],
    ['an escaped star is only a star', 'db1:5432:postgres:\\*:x'],
  ])('does not fit: %s', (_, text) => {
    expect(find(text)).toBeNull();
  });

  test('escapes colons and backslashes', () => {
    expect(find('db1:5432:postgres:watcher:a\\:b\\\\c')).toBe('a:b\\c');
    expect(find('\\:\\:1:5432:*:*:six', { host: '::1' })).toBe('six');
    expect(find('db1:*:*:*:short:and the rest')).toBe('short');
    expect(find('db1:*:*:*:windows\r\n')).toBe('windows');
  });

  test('calls a Unix socket localhost', () => {
    expect(find('localhost:*:*:*:local', { host: '/var/run/postgresql' })).toBe('local');
  });
});

describe('a service file', () => {
  const text = `# comment
[other]
user=wrong

[ours]
 user = watcher
password=a=b
user=second`;

  test('gives the section of that name', () => {
    expect(parseService(text, 'ours')).toEqual({ user: 'watcher', password: 'a=b' });
    expect(parseService(text, 'other')).toEqual({ user: 'wrong' });
    expect(parseService(text, 'none')).toBeNull();
  });
});

describe('logins', () => {
  let home = '';
  beforeAll(() => {
    home = mkdtempSync(`${tmpdir()}/patctl-home-`);
    writeFileSync(`${home}/.pgpass`, 'db1:5432:*:watcher:fromfile\n', { mode: 0o600 });
    writeFileSync(`${home}/.pg_service.conf`, '[ours]\nuser=served\npassword=dish\ndbname=app\n');
  });
  afterAll(() => rmSync(home, { recursive: true }));

  const SSL = { sslmode: null, sslrootcert: null, sslcert: null, sslkey: null, sslpassword: null };
  const superuser: PgLogin = {
    origin: 'superuser',
    username: 'postgres',
    password: 'super',
    database: null,
    ...SSL,
  };
  const none = { username: undefined, password: undefined, database: undefined };

  async function resolve(env: Env, flags = {}, hasPgpass = false, configured = [superuser]) {
    const ordered = orderLogins(configured, env, { ...none, ...flags }, hasPgpass);
    const logins = await resolveLogins(ordered, env, home, { host: 'db1', port: 5432 });
    return logins.map((one) => [one.origin, one.user, one.password, one.database]);
  }

  test('come as environment, then configuration, if no user is named', async () => {
    const found = await resolve({ PGPASSWORD: 'envpass', PGDATABASE: 'envdb' });
    expect(found.map(([origin]) => origin)).toEqual(['environment', 'superuser']);
    const asked = await resolve({ PGPASSWORD: 'envpass' }, { password: 'flagpass' });
    expect(asked.map(([origin]) => origin)).toEqual(['flag', 'environment', 'superuser']);
  });

  test('of others are left out when a user is named', async () => {
    const env = { PGUSER: 'envuser', PGPASSWORD: 'envpass', PGDATABASE: 'envdb' };
    expect(await resolve(env, { username: 'flaguser', password: 'flagpass' })).toEqual([
      ['flag', 'flaguser', 'flagpass', 'envdb'],
    ]);
    expect(await resolve(env)).toEqual([['environment', 'envuser', 'envpass', 'envdb']]);
    expect(await resolve({}, { username: 'nobody' })).toEqual([
      ['flag', 'nobody', null, 'postgres'],
    ]);
  });

  test('of the user that is named are taken from the configuration too', async () => {
    expect(await resolve({}, { username: 'postgres' })).toEqual([
      ['flag', 'postgres', null, 'postgres'],
      ['superuser', 'postgres', 'super', 'postgres'],
    ]);
    expect(await resolve({ PGUSER: 'postgres' })).toEqual([
      ['environment', 'postgres', null, 'postgres'],
      ['superuser', 'postgres', 'super', 'postgres'],
    ]);
  });

  test('-d alone changes the database of all', async () => {
    expect(await resolve({}, { database: 'app' })).toEqual([
      ['superuser', 'postgres', 'super', 'app'],
    ]);
  });

  test('take a missing password from the password file', async () => {
    expect(await resolve({}, { username: 'watcher' })).toEqual([
      ['flag', 'watcher', 'fromfile', 'postgres'],
    ]);
  });

  test('take a service before the variables', async () => {
    const [first] = await resolve({ PGSERVICE: 'ours', PGUSER: 'envuser' });
    expect(first).toEqual(['environment', 'served', 'dish', 'app']);
  });

  test('are none when a password file has no line for us', async () => {
    expect(await resolve({}, {}, true, [])).toEqual([]);
  });

  test('of the configuration are not mixed with the environment', async () => {
    const bare = { ...superuser, password: null };
    const found = await resolve({ PGPASSWORD: 'envpass' }, {}, false, [bare]);
    expect(found[1]).toEqual(['superuser', 'postgres', null, 'postgres']);
  });

  test('an empty variable counts as unset', async () => {
    expect(await resolve({ PGUSER: '', PGPASSWORD: '', PGSERVICE: '' })).toEqual([
      ['superuser', 'postgres', 'super', 'postgres'],
    ]);
  });

  test('that come to the same are tried once', async () => {
    const env = { PGUSER: 'postgres', PGPASSWORD: 'super' };
    expect(await resolve(env)).toEqual([['environment', 'postgres', 'super', 'postgres']]);
  });

  test('do not read a password file that others may read', async () => {
    chmodSync(`${home}/.pgpass`, 0o640);
    const found = await resolve({}, { username: 'watcher' });
    chmodSync(`${home}/.pgpass`, 0o600);
    expect(found[0]).toEqual(['flag', 'watcher', null, 'postgres']);
  });
});
