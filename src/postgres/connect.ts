/** PostgreSQL over pg: one session a question, every login and transport within one deadline. */
import { existsSync } from 'node:fs';
import type { PgLogin } from '../config/effective.js';
import type { Reading, SilenceKind, SqlStatus } from '../cluster/model/model.js';
import type { RouteAnswer } from '../cluster/model/route-model.js';
import type { LoginFlags } from './login-flags.js';
import { mayPileUp, READY_SQL, readyOf } from './archiver.js';
import { mayLackWal, oldestWalOf, WAL_FILES_SQL } from './wal-files.js';
import { BASEBACKUP_SQL, baseBackupsOf } from './basebackup.js';
import { namedSettingsOf, settingsSql } from './settings.js';
import { PAUSE_SQL, pausedMsOf } from './pause-age.js';
import { orderLogins, pgpassPath, resolveLogins, type Login } from './logins.js';
import type { Env } from '../config/environment.js';
import type { KeptSession, LoginWords, PgTarget, Postgres } from './postgres.js';
import { queryOnce, type SessionRequest, type Deadline } from './session.js';
import { tlsOptions, transportsOf, type Transport } from './ssl.js';
import { blindRole, STATUS_SQL, statusOf } from './all-statements.js';
import { takesWritesOf, WRITES_SQL } from './takes-writes.js';
import { endedPids, terminateSql } from './terminate-walsender.js';
import { monotonicMs } from '../clock.js';
import { errorCode, errorMessage } from '../errors.js';

/** What comes next after an attempt that led to nothing. */
interface Refusal {
  ok: false;
  next: 'transport' | 'login' | 'stop';
  kind: SilenceKind;
  reason: string;
  full?: true;
  cannotServe?: true;
}
type Attempt = { ok: true; document: unknown } | Refusal;

/** SQLSTATEs that another login may not meet: authentication, database, privileges, the user's connection limit. */
const OTHER_LOGIN = ['28P01', '28000', '3D000', '42501', '53300'];

const NO_FLAGS: LoginFlags = { username: undefined, database: undefined, password: undefined };

/** A certificate or a key that TLS needs cannot be used. */
class TlsFileError extends Error {}

/** The logins for a server, in the order in which they are tried. */
type LoginsFor = (target: PgTarget) => Promise<Login[]>;

/** PostgreSQL with the logins of flags, environment and configuration, in this order. Connects when asked. */
export function openPostgres(configured: PgLogin[], env: Env, flags = NO_FLAGS): Postgres {
  const home = env['HOME'] ?? '';
  const hasPgpass = existsSync(pgpassPath(env, home));
  const ordered = orderLogins(configured, env, flags, hasPgpass);
  const loginsFor: LoginsFor = (target) => resolveLogins(ordered, env, home, target);

  /** One statement with the first login that may. */
  const askOnce = async <T>(
    target: PgTarget,
    sql: string,
    read: (document: unknown) => T,
    timeoutMs: number,
  ): Promise<Reading<T>> => askWith(await loginsFor(target), target, { sql }, read, timeoutMs);

  return {
    hasLogin: ordered.length > 0,
    whoAnswers: (target, words, timeoutMs) => {
      const logins = async (): Promise<Login[]> => {
        const { withWords } = await import('./route-identity.js');
        const own = orderLogins(configured, env, routeFlags(flags, words), hasPgpass);
        return resolveLogins(withWords(own, words), env, home, target);
      };
      return whoAnswers(logins, target, timeoutMs);
    },
    status: async (target, timeoutMs, kept) => {
      try {
        const deadline = { timeoutMs, endsAtMs: monotonicMs() + timeoutMs };
        return (
          (await askKept(kept, deadline)) ?? (await askStatus(loginsFor, target, deadline, kept))
        );
      } catch (error) {
        return { ok: false, kind: 'invalid', reason: errorMessage(error) };
      }
    },
    settings: (target, names, timeoutMs) =>
      askOnce(target, settingsSql(names), namedSettingsOf, timeoutMs),
    takesWrites: (target, timeoutMs) => askOnce(target, WRITES_SQL, takesWritesOf, timeoutMs),
    terminateLogical: (target, walsenders, timeoutMs) =>
      askOnce(target, terminateSql(walsenders), endedPids, timeoutMs),
    baseBackups: (target, timeoutMs) => askOnce(target, BASEBACKUP_SQL, baseBackupsOf, timeoutMs),
    pausedForMs: (target, timeoutMs) => askOnce(target, PAUSE_SQL, pausedMsOf, timeoutMs),
    accessRules: async (target, timeoutMs) => {
      const { ACCESS_RULES_SQL, accessRulesOf } = await import('./access-rules.js');
      return askOnce(target, ACCESS_RULES_SQL, accessRulesOf, timeoutMs);
    },
    clients: async (target, timeoutMs) => {
      const { CLIENTS_SQL, clientsOf } = await import('./reach.js');
      return askOnce(target, CLIENTS_SQL, clientsOf, timeoutMs);
    },
    reaches: async (target, other, timeoutMs) => {
      const { DBLINK_SQL, dblinkOf, reachSql, reachOf, CONNECTED } = await import('./reach.js');
      const startedMs = monotonicMs();
      const found = await askOnce(target, DBLINK_SQL, dblinkOf, timeoutMs);
      if (!found.ok) return found;
      if ('why' in found.value) return { ok: false, kind: 'denied', reason: found.value.why };
      const sql = reachSql(found.value.schema, other);
      const asked = await askOnce(target, sql, () => CONNECTED, timeoutMs);
      if (asked.ok) return asked;
      return { ok: true, value: reachOf(asked.reason), tookMs: monotonicMs() - startedMs };
    },
  };
}

/** The status, as the first login sees it that may see all of it. */
async function askStatus(
  loginsFor: LoginsFor,
  target: PgTarget,
  deadline: Deadline,
  kept: KeptSession | undefined,
): Promise<Reading<SqlStatus>> {
  const startedMs = monotonicMs();
  const refusals: string[] = [];
  let isServerFull = false;
  for (const login of await loginsFor(target)) {
    const statement = { sql: STATUS_SQL, ...(kept && { kept }) };
    const attempt = await tryLogin(login, target, statement, deadline);
    if (!attempt.ok && attempt.full) isServerFull = true;
    const blind = attempt.ok ? blindRole(attempt.document) : null;
    if (attempt.ok && blind === null) {
      const value = await withFiles(
        statusOf(attempt.document, login.origin),
        attempt.document,
        async (sql) => {
          const more = await tryLogin(login, target, { sql }, deadline);
          return more.ok ? more.document : null;
        },
      );
      return { ok: true, value, tookMs: monotonicMs() - startedMs };
    }
    if (!attempt.ok && attempt.next === 'stop') {
      const { kind, reason, cannotServe } = attempt;
      return { ok: false, kind, reason, ...(cannotServe && { cannotServe }) };
    }
    // Another login may see what this one may not.
    kept?.open?.close();
    const why = attempt.ok
      ? `role ${blind ?? ''} may not read pg_stat_replication: grant pg_monitor`
      : attempt.reason;
    refusals.push(`${login.origin}: ${why}`);
  }
  const reason = refusals.length > 0 ? refusals.join('; ') : 'no login is configured';
  return { ok: false, kind: 'denied', reason, ...(isServerFull && { full: true as const }) };
}

/** With what only the folders of WAL tell, asked for where it matters; `ask` gives null where that may not be seen. */
async function withFiles(
  status: SqlStatus,
  document: unknown,
  ask: (sql: string) => Promise<unknown>,
): Promise<SqlStatus> {
  const value = { ...status };
  if (value.archiver && mayPileUp(document)) {
    const ready = readyOf(await ask(READY_SQL));
    if (ready !== null) value.archiver = { ...value.archiver, ready };
  }
  if (mayLackWal(status)) value.oldestWal = oldestWalOf(await ask(WAL_FILES_SQL));
  return value;
}

async function askWith<T>(
  logins: readonly Login[],
  target: PgTarget,
  statement: Statement,
  read: (document: unknown) => T,
  timeoutMs: number,
): Promise<Reading<T>> {
  const startedMs = monotonicMs();
  const deadline = { timeoutMs, endsAtMs: startedMs + timeoutMs };
  const refusals: string[] = [];
  for (const login of logins) {
    const attempt = await tryLogin(login, target, statement, deadline);
    if (attempt.ok) {
      const tookMs = monotonicMs() - startedMs;
      return { ok: true, value: read(attempt.document), tookMs };
    }
    if (attempt.next === 'stop') return { ok: false, kind: attempt.kind, reason: attempt.reason };
    refusals.push(`${login.origin}: ${attempt.reason}`);
  }
  return { ok: false, kind: 'denied', reason: refusals.join('; ') || 'no login is configured' };
}

async function whoAnswers(
  loginsOf: () => Promise<Login[]>,
  target: PgTarget,
  timeoutMs: number,
): Promise<Reading<RouteAnswer>> {
  try {
    const { answerOf, IDENTITY_SQL } = await import('./route-identity.js');
    const logins = await loginsOf();
    if (logins.length === 0) return await withoutLogin(target, timeoutMs);
    const statement = { sql: IDENTITY_SQL, plain: true as const };
    return await askWith(logins, target, statement, answerOf, timeoutMs);
  } catch (error) {
    return { ok: false, kind: 'invalid', reason: errorMessage(error) };
  }
}

/** What a route says of its login is stronger than the flags. */
function routeFlags(flags: LoginFlags, { user, password, dbname }: LoginWords): LoginFlags {
  const isOther = user !== null && user !== flags.username;
  return {
    username: user ?? flags.username,
    database: dbname ?? flags.database,
    password: password ?? (isOther ? undefined : flags.password),
  };
}

/** Whether anything is there can be seen without a login. */
async function withoutLogin(target: PgTarget, timeoutMs: number): Promise<Reading<never>> {
  const { speaksPostgres } = await import('./probe.js');
  const { host, port, address } = target;
  const isThere = await speaksPostgres(address ?? host, port, timeoutMs);
  return isThere
    ? { ok: false, kind: 'denied', reason: 'no login is configured' }
    : { ok: false, kind: 'unreachable', reason: 'nothing answers there as PostgreSQL does' };
}

/** Asks the session that is open; null: there is none, or it broke, and a new one tells more. */
async function askKept(
  kept: KeptSession | undefined,
  deadline: Deadline,
): Promise<Reading<SqlStatus> | null> {
  const session = kept?.open ?? null;
  if (session === null) return null;
  const startedMs = monotonicMs();
  const leftMs = () => Math.max(1, Math.floor(deadline.endsAtMs - monotonicMs()));
  try {
    const document = await session.ask(STATUS_SQL, leftMs(), 'status');
    if (blindRole(document) !== null) {
      session.close();
      return null;
    }
    const value = await withFiles(statusOf(document, session.login), document, (sql) =>
      session.ask(sql, leftMs()).catch(() => null),
    );
    return { ok: true, value, tookMs: monotonicMs() - startedMs };
  } catch (error) {
    session.close();
    if (monotonicMs() < deadline.endsAtMs) return null;
    return { ok: false, kind: 'unreachable', reason: errorMessage(error) };
  }
}

interface Statement {
  sql: string;
  kept?: KeptSession;
  /** Without parameters of the session: see SessionRequest. */
  plain?: true;
}

/** One login over the transports of its sslmode. */
async function tryLogin(
  login: Login,
  target: PgTarget,
  statement: Statement,
  deadline: Deadline,
): Promise<Attempt> {
  const transports = transportsOf(login.ssl.mode, target.host);
  if (!transports) return refused('login', 'denied', `unknown sslmode "${login.ssl.mode}"`);
  let last: Refusal = refused('login', 'denied', 'no transport');
  for (const [at, transport] of transports.entries()) {
    const orPlain = transports[at + 1] === 'plain';
    const attempt = await trySession(
      { target, login, ...statement },
      { transport, orPlain },
      deadline,
    );
    if (attempt.ok || attempt.next !== 'transport') return attempt;
    last = attempt;
  }
  return { ...last, next: 'login' };
}

async function trySession(
  asking: SessionRequest,
  { transport, orPlain }: { transport: Transport; orPlain: boolean },
  deadline: Deadline,
): Promise<Attempt> {
  const { login } = asking;
  const options = () =>
    tlsOptions(login.ssl).catch((error: unknown) => {
      throw new TlsFileError(errorMessage(error));
    });
  const secure = transport === 'tls' ? { options, orPlain } : null;
  for (let again = true; ; again = false) {
    try {
      return { ok: true, document: await queryOnce(asking, secure, deadline) };
    } catch (error) {
      if (error instanceof TlsFileError)
        return refused('transport', 'denied', `TLS: ${error.message}`);
      // 55000: it was promoted or began its recovery while it was read. Once more tells what it is now.
      if (again && errorCode(error) === '55000') continue;
      return refusalOf(error, login, transport);
    }
  }
}

/** 53: out of something; 57P: it starts, stops or recovers; 58: its files; XX: corrupted, or a fault of its own. */
const CANNOT_SERVE = /^(53|57P|58|XX)/;

function refusalOf(error: unknown, login: Login, transport: Transport): Refusal {
  const refusal = meaningOf(error, login, transport);
  const isOwnWord = isDatabaseError(error) && CANNOT_SERVE.test(errorCode(error));
  return refusal.next === 'stop' && isOwnWord ? { ...refusal, cannotServe: true } : refusal;
}

/** The server could not connect to another one: what libpq said there is the detail. */
const NOT_CONNECTED = '08001';

function detailOf(error: unknown): string {
  const { detail } = error as { detail?: unknown };
  return typeof detail === 'string' ? detail : errorMessage(error);
}

/** What an error means for the attempts that are left. */
function meaningOf(error: unknown, login: Login, transport: Transport): Refusal {
  const code = errorCode(error);
  const reason = code === NOT_CONNECTED ? detailOf(error) : errorMessage(error);
  // pg_hba.conf may have a line for the other transport.
  if (code === '28000') {
    const isOurs = /client certificate/i.test(reason);
    return refused('transport', 'denied', isOurs ? `TLS: ${reason}` : reason);
  }
  if (isFull(error)) return { ...refused('login', 'denied', reason), full: true };
  if (OTHER_LOGIN.includes(code)) return refused('login', 'denied', reason);
  if (/requires a password|^SASL|scram/i.test(reason)) return refused('login', 'denied', reason);
  if (/does not support SSL/.test(reason)) {
    const wanted = `the server does not support TLS, but sslmode ${login.ssl.mode} requires it`;
    return refused('transport', 'denied', wanted);
  }
  if (transport === 'tls' && isTlsError(code, reason)) {
    return refused('transport', 'denied', `TLS: ${alertOf(reason)}`);
  }
  // 57xxx: shutting down, starting up, cancelled by our own time limit; 53xxx: out of something.
  // pgbouncer has one SQLSTATE for all that it says itself.
  if (code === '08P01' && REFUSED_BY_POOLER.test(reason)) {
    return refused('login', 'denied', reason);
  }
  if (/^(57|53|08)/.test(code)) return refused('stop', 'unreachable', reason);
  if (/^[0-9A-Z]{5}$/.test(code) && isDatabaseError(error)) {
    return refused('stop', 'invalid', `${reason} (SQLSTATE ${code})`);
  }
  return refused('stop', 'unreachable', reason);
}

/** It knows no such user or database, or refuses the login; all else means that no server is behind it. */
const REFUSED_BY_POOLER =
  /no such (user|database)|authentication failed|auth failed|login rejected|not allowed|(SSL|TLS) required|unsupported startup parameter|server login failed/i;

/** Where PostgreSQL counts the connections of one role or one database: then the server itself may have room. */
const OWN_LIMIT = ['InitializeSessionUserId', 'CheckMyDatabase'];

/** Every connection of the server is taken. */
function isFull(error: unknown): boolean {
  const { routine } = error as { routine?: unknown };
  return errorCode(error) === '53300' && !OWN_LIMIT.includes(String(routine));
}

function isTlsError(code: string, reason: string): boolean {
  return (
    /^(ERR_SSL|ERR_TLS|ERR_OSSL|EPROTO)|CERT|SIGNATURE|CHAIN/.test(code) ||
    /SSL connection|alert/.test(reason)
  );
}

/** What OpenSSL says, without the file and line of its source. */
function alertOf(reason: string): string {
  return /^[0-9A-F]+:error:[0-9A-F]+:SSL routines:[^:]*:([^:]+):/.exec(reason)?.[1] ?? reason;
}

function isDatabaseError(error: unknown): boolean {
  return error instanceof Error && 'severity' in error;
}

function refused(next: Refusal['next'], kind: SilenceKind, reason: string): Refusal {
  return { ok: false, next, kind, reason };
}
