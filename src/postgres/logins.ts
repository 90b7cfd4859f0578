/** Which logins are tried, in which order, with what libpq's variables and files add to them. */
import type { Env } from '../config/environment.js';
import type { PgLogin } from '../config/effective.js';
import type { LoginFlags } from './login-flags.js';
import { findPassword, readPgpass } from './pgpass.js';
import type { PgTarget } from './postgres.js';
import { readService, type Service } from './service.js';
import type { SslSettings } from './ssl.js';

/** A login with everything filled in; password null when none is known (trust, peer and certificates need none). */
export interface Login {
  origin: string;
  user: string;
  password: string | null;
  database: string;
  ssl: SslSettings;
}

const NOTHING = { username: null, password: null, database: null } as const;
const NO_SSL = { sslmode: null, sslrootcert: null, sslcert: null, sslkey: null, sslpassword: null };

/**
 * Flags first, then libpq's environment, then the configuration's, in its own order. If the user is named with -U or
 * PGUSER, only this user is tried because the view of another user is not an answer.
 */
export function orderLogins(
  configured: PgLogin[],
  env: Env,
  flags: LoginFlags,
  hasPgpass: boolean,
): PgLogin[] {
  const named = (origin: string) => configured.filter((login) => login.origin === origin);
  const rest = configured.filter((one) => one.origin !== 'flag' && one.origin !== 'environment');
  const byFlag = flags.username !== undefined || flags.password !== undefined;
  const flag: PgLogin = {
    ...NOTHING,
    ...NO_SSL,
    origin: 'flag',
    username: flags.username ?? null,
    password: flags.password ?? null,
  };
  const environment = { ...NOTHING, ...NO_SSL, origin: 'environment' };
  const libpq = hasPgpass || saysWho(env) ? [environment] : [];
  const ordered = [
    ...(byFlag ? [flag] : named('flag')),
    ...(named('environment').length > 0 ? named('environment') : libpq),
    ...rest,
  ];
  const user = flags.username ?? variableOf(env, 'PGUSER');
  const own = ordered.filter((login) => user === undefined || isOf(login, user, flags));
  if (flags.database === undefined) return own;
  return own.map((login) => ({ ...login, database: flags.database ?? null }));
}

/** The configuration may know the password of the user that is meant. */
function isOf({ origin, username }: PgLogin, user: string, flags: LoginFlags): boolean {
  if (origin === 'flag') return true;
  // Without a name of its own this one takes PGUSER's.
  if (origin === 'environment' && username === null) return flags.username === undefined;
  return username === user;
}

/** The logins for one node; two that come to the same are tried once. */
export async function resolveLogins(
  ordered: PgLogin[],
  env: Env,
  home: string,
  target: PgTarget,
): Promise<Login[]> {
  const service = await serviceOf(env, home);
  const pgpass = await readPgpass(pgpassPath(env, home));
  const logins: Login[] = [];
  for (const login of ordered) {
    const filled = await fill(login, env, home, service);
    const key = { ...target, database: filled.database, user: filled.user };
    const password = filled.password ?? findPassword(pgpass ?? [], key);
    // A password file alone does not name a user: without a line for this node it is not a login.
    if (login.origin === 'environment' && login.username === null && password === null) {
      if (!saysWho(env)) continue;
    }
    const same = logins.some(
      (one) =>
        one.user === filled.user && one.password === password && one.database === filled.database,
    );
    if (!same) logins.push({ ...filled, password });
  }
  return logins;
}

function saysWho(env: Env): boolean {
  const names = ['PGUSER', 'PGPASSWORD', 'PGSERVICE', 'PGSSLCERT'];
  return names.some((name) => variableOf(env, name) !== undefined);
}

/** An empty variable counts as unset. */
function variableOf(env: Env, name: string): string | undefined {
  const value = env[name];
  return value === '' ? undefined : value;
}

export function pgpassPath(env: Env, home: string): string {
  return variableOf(env, 'PGPASSFILE') ?? `${home}/.pgpass`;
}

/** A service speaks before the variables, as in libpq; both only where the login itself is silent. */
async function fill(login: PgLogin, env: Env, home: string, all: Service): Promise<Login> {
  const libpq = login.origin === 'flag' || login.origin === 'environment';
  const service = libpq ? all : {};
  const variable = (name: string) => (libpq ? variableOf(env, name) : undefined);
  return {
    origin: login.origin,
    user: login.username ?? service['user'] ?? variable('PGUSER') ?? (await systemUser(env)),
    password:
      blankToNull(login.password) ??
      blankToNull(service['password']) ??
      blankToNull(variable('PGPASSWORD')),
    database: login.database ?? service['dbname'] ?? variable('PGDATABASE') ?? 'postgres',
    ssl: {
      mode: login.sslmode ?? service['sslmode'] ?? variableOf(env, 'PGSSLMODE') ?? 'prefer',
      rootcert:
        login.sslrootcert ?? service['sslrootcert'] ?? variableOf(env, 'PGSSLROOTCERT') ?? null,
      cert: login.sslcert ?? service['sslcert'] ?? variableOf(env, 'PGSSLCERT') ?? null,
      key: login.sslkey ?? service['sslkey'] ?? variableOf(env, 'PGSSLKEY') ?? null,
      password: login.sslpassword ?? service['sslpassword'] ?? null,
      home,
    },
  };
}

async function serviceOf(env: Env, home: string): Promise<Service> {
  const name = variableOf(env, 'PGSERVICE');
  if (name === undefined) return {};
  const own = variableOf(env, 'PGSERVICEFILE') ?? `${home}/.pg_service.conf`;
  const system = `${variableOf(env, 'PGSYSCONFDIR') ?? '/etc/postgresql-common'}/pg_service.conf`;
  return (await readService(name, [own, system])) ?? {};
}

async function systemUser(env: Env): Promise<string> {
  const os = await import('node:os');
  try {
    return os.userInfo().username;
  } catch {
    // A container's user may have no name.
    return env['USER'] ?? 'postgres';
  }
}

function blankToNull(value: string | null | undefined): string | null {
  return value === undefined || value === '' ? null : value;
}
