/** PostgreSQL logins, in the order in which they are tried. */
import type { PgLogin } from './effective.js';
import { ACCOUNTS } from './known-keys.js';
import type { Reader } from './typed-values.js';

/** superuser, rewind, replication of Patroni's file and variables, as far as they are given. */
export function configLogins(reader: Reader, warnings: string[]): PgLogin[] {
  return ACCOUNTS.flatMap((account) => {
    const prefix = `postgresql.authentication.${account}`;
    const text = (name: string): string | null => reader.text(`${prefix}.${name}`)?.value ?? null;
    for (const name of ['sslcrl', 'sslcrldir']) {
      const given = reader.text(`${prefix}.${name}`);
      if (given) warnings.push(`${given.from}: ${prefix}.${name} is ignored by patctl`);
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
