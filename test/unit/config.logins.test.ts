import { describe, expect, it } from 'vitest';
import type { PgLogin } from '../../src/config/config.js';
import { pgLogins } from '../../src/config/logins.js';
import { FILE, loadYaml } from './config-support.js';

const NOTHING: PgLogin = {
  origin: '',
  username: null,
  password: null,
  database: null,
  sslmode: null,
  sslrootcert: null,
  sslcert: null,
  sslkey: null,
  sslpassword: null,
};
const SUPERUSER: PgLogin = {
  ...NOTHING,
  origin: 'superuser',
  username: 'postgres',
  password: 'p',
  sslmode: 'require',
};
const REWIND: PgLogin = { ...NOTHING, origin: 'rewind', username: 'rew' };

describe('the order of logins', () => {
  it('is command line, PG variables, configuration', () => {
    const logins = pgLogins(
      [SUPERUSER, REWIND],
      { username: 'me', database: 'app', password: 'mine' },
      { PGUSER: 'env', PGPASSWORD: 'env-pw', PGDATABASE: 'envdb' },
    );
    expect(logins).toEqual([
      { ...NOTHING, origin: 'flag', username: 'me', password: 'mine', database: 'app' },
      { ...NOTHING, origin: 'environment', username: 'env', password: 'env-pw', database: 'app' },
      { ...SUPERUSER, database: 'app' },
      { ...REWIND, database: 'app' },
    ]);
  });

  it('has nothing to add without flags and variables', () => {
    expect(pgLogins([SUPERUSER, REWIND], {}, {})).toEqual([SUPERUSER, REWIND]);
    expect(pgLogins([], {}, { PGUSER: '', PGSSLMODE: 'require', PGDATABASE: 'x' })).toEqual([]);
  });

  it.each([
    ['PGUSER', 'username'],
    ['PGPASSWORD', 'password'],
    ['PGSSLCERT', 'sslcert'],
  ])('%s makes a login', (variable, field) => {
    expect(pgLogins([], {}, { [variable]: 'x' })).toEqual([
      { ...NOTHING, origin: 'environment', [field]: 'x' },
    ]);
  });

  it('fills what the command line leaves open from the variables, as psql does', () => {
    const env = { PGPASSWORD: 'pw', PGDATABASE: 'db', PGSSLMODE: 'verify-ca' };
    expect(pgLogins([], { username: 'me' }, env)[0]).toEqual({
      ...NOTHING,
      origin: 'flag',
      username: 'me',
      password: 'pw',
      database: 'db',
      sslmode: 'verify-ca',
    });
    expect(pgLogins([], { password: 'x' }, { PGUSER: 'u' })[0]).toMatchObject({
      origin: 'flag',
      username: 'u',
      password: 'x',
    });
  });

  it('fills TLS of the configuration only where it says nothing', () => {
    const env = { PGSSLMODE: 'verify-ca', PGSSLROOTCERT: '/ca', PGSSLKEY: '/k' };
    expect(pgLogins([SUPERUSER, REWIND], {}, env)).toEqual([
      { ...SUPERUSER, sslrootcert: '/ca', sslkey: '/k' },
      { ...REWIND, sslmode: 'verify-ca', sslrootcert: '/ca', sslkey: '/k' },
    ]);
  });
});

describe("the file's accounts", () => {
  const names = async (text: string): Promise<string[]> =>
    (await loadYaml(text)).logins.map((l) => `${l.origin}=${l.username ?? '-'}`);

  it.each([
    ['postgresql: {authentication: {rewind: {username: r}}}', ['rewind=r']],
    ['postgresql: {authentication: {superuser: {password: p}}}', ['superuser=-']],
    ['postgresql: {authentication: {superuser: {sslmode: require}, rewind: }}', []],
    ['postgresql:', []],
    [
      'postgresql: {superuser: {username: s}, replication: {username: r}}',
      ['superuser=s', 'replication=r'],
    ],
    [
      'postgresql: {pg_rewind: {username: w}, replication: {username: r}}',
      ['superuser=w', 'replication=r'],
    ],
    [
      'postgresql: {superuser: {username: old}, authentication: {replication: {username: r}}}',
      ['replication=r'],
    ],
  ])('%s', async (text, expected) => {
    expect(await names(text)).toEqual(expected);
  });

  it('warns of a revocation list, which is not looked at', async () => {
    const config = await loadYaml(
      'postgresql:\n  authentication:\n    superuser:\n      username: u\n      sslcrl: /crl\n',
    );
    expect(config.warnings).toEqual([
      `file ${FILE}:5: postgresql.authentication.superuser.sslcrl is not looked at by patctl`,
    ]);
  });
});
