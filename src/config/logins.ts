/** PostgreSQL logins, in the order in which they are tried. */
import type { PgLogin } from './config.js';
import type { Env } from './environment.js';
import { ACCOUNTS } from './keys.js';
import type { Reader } from './read.js';

export interface LoginFlags {
  username?: string | undefined;
  database?: string | undefined;
  password?: string | undefined;
}

/** superuser, rewind, replication of Patroni's file and variables, as far as they are given. */
export function configLogins(reader: Reader, warnings: string[]): PgLogin[] {
  return ACCOUNTS.flatMap((account) => {
    const prefix = `postgresql.authentication.${account}`;
    const text = (name: string): string | null => reader.text(`${prefix}.${name}`)?.value ?? null;
    for (const name of ['sslcrl', 'sslcrldir']) {
      const given = reader.text(`${prefix}.${name}`);
      if (given) warnings.push(`${given.from}: ${prefix}.${name} is not looked at by patctl`);
    }
    const login: PgLogin = {
      origin: account,
      username: text('username'),
      password: text('password'),
      database: null,
      sslmode: text('sslmode'),
      sslrootcert: text('sslrootcert'),
      sslcert: text('sslcert'),
      sslkey: text('sslkey'),
      sslpassword: text('sslpassword'),
    };
    return login.username === null && login.password === null ? [] : [login];
  });
}

/**
 * Every login to try: command line, then PG* variables, then the configuration's. What a login leaves
 * open, libpq's variables fill as they do for libpq's own programs. PGSERVICE and PGPASSFILE are the
 * postgres layer's. A database on the command line is meant for every login.
 */
export function pgLogins(configured: readonly PgLogin[], flags: LoginFlags, env: Env): PgLogin[] {
  const logins: PgLogin[] = [];
  const database = flags.database || null;
  const variable = (name: string): string | null => env[name] || null;
  if (flags.username || flags.password) {
    logins.push({
      ...tlsOf(null, env),
      origin: 'flag',
      username: flags.username || variable('PGUSER'),
      password: flags.password || variable('PGPASSWORD'),
      database: database ?? variable('PGDATABASE'),
    });
  }
  if (variable('PGUSER') ?? variable('PGPASSWORD') ?? variable('PGSSLCERT')) {
    logins.push({
      ...tlsOf(null, env),
      origin: 'environment',
      username: variable('PGUSER'),
      password: variable('PGPASSWORD'),
      database: database ?? variable('PGDATABASE'),
    });
  }
  for (const login of configured) {
    logins.push({ ...login, ...tlsOf(login, env), database: database ?? login.database });
  }
  return logins;
}

function tlsOf(
  login: PgLogin | null,
  env: Env,
): Pick<PgLogin, 'sslmode' | 'sslrootcert' | 'sslcert' | 'sslkey' | 'sslpassword'> {
  return {
    sslmode: login?.sslmode ?? (env['PGSSLMODE'] || null),
    sslrootcert: login?.sslrootcert ?? (env['PGSSLROOTCERT'] || null),
    sslcert: login?.sslcert ?? (env['PGSSLCERT'] || null),
    sslkey: login?.sslkey ?? (env['PGSSLKEY'] || null),
    sslpassword: login?.sslpassword ?? null,
  };
}
