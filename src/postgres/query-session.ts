/** Any SQL on one member: a session that is kept, rows handed on as they come, in constant memory. */
import type { Duplex } from 'node:stream';
import type { ClientConfig } from 'pg';
import type { LoginFlags } from './login-flags.js';
import { resolveLogins, type Login } from './logins.js';
import type { Env } from '../config/environment.js';
import type { PgTarget } from './postgres.js';
import { tlsOptions, transportsOf } from './ssl.js';
import { monotonicMs } from '../clock.js';
import { errorMessage } from '../errors.js';

export interface Field {
  name: string;
  typeOid: number;
}

/** Takes rows as PostgreSQL writes their values; `row` and `copy` may ask the server to wait for them. */
export interface RowSink {
  start(fields: readonly Field[]): void;
  row(values: readonly (string | null)[]): Promise<void> | undefined;
  /** What COPY TO STDOUT sends, as it comes. */
  copy(text: string): Promise<void> | undefined;
}

/** What the last statement was, e.g. SELECT or `CREATE TABLE`. */
export interface Ran {
  command: string;
  hasRows: boolean;
}

export interface RunLimits {
  signal: AbortSignal;
  /** null: until it is done. */
  deadlineMs: number | null;
}

export interface Session {
  readonly alive: boolean;
  /** All statements of `sql`; the rows of the last one go to the sink. Rejects with SqlError or LostError. */
  run(sql: string, sink: RowSink, limits: RunLimits): Promise<Ran>;
  inRecovery(timeoutMs: number): Promise<boolean>;
  close(): void;
}

/** PostgreSQL answered with an error. */
export class SqlError extends Error {
  readonly sqlstate: string;
  /** Where in the statement, from 1; null when it does not say. */
  readonly position: number | null;

  constructor(message: string, sqlstate: string, position: number | null) {
    super(message);
    this.sqlstate = sqlstate;
    this.position = position;
  }
}

/** No connection, or none any more. `sent`: a statement was under way. */
export class LostError extends Error {
  readonly sent: boolean;

  constructor(message: string, sent: boolean) {
    super(message);
    this.sent = sent;
  }
}

/** Logs in as libpq would: flags, then its variables and files, then the system's user. */
export async function openSession(
  target: PgTarget,
  flags: LoginFlags,
  env: Env,
  timeoutMs: number,
): Promise<Session> {
  const login = await loginFor(target, flags, env);
  const transports = transportsOf(login.ssl.mode, target.host);
  if (!transports) throw new SqlError(`unknown sslmode "${login.ssl.mode}"`, '08001', null);
  const endsAtMs = monotonicMs() + timeoutMs;
  let last: unknown;
  for (const transport of transports) {
    try {
      const ssl = transport === 'tls' && (await tlsOptions(login.ssl));
      return await connect(target, login, ssl, env, { timeoutMs, endsAtMs });
    } catch (error) {
      last = error;
      // Another transport helps where pg_hba.conf wants it, and where the server has no TLS.
      const other = error instanceof SqlError ? error.sqlstate === '28000' : isTlsTrouble(error);
      if (!other) break;
    }
  }
  throw last;
}

function isTlsTrouble(error: unknown): boolean {
  const { message, code } = error as { message?: string; code?: string };
  return (
    /SSL|TLS|certificate|self.signed/i.test(message ?? '') || /^ERR_(SSL|TLS|OSSL)/.test(code ?? '')
  );
}

async function loginFor(target: PgTarget, flags: LoginFlags, env: Env): Promise<Login> {
  const configured = {
    origin: 'flag',
    username: flags.username ?? null,
    password: flags.password ?? null,
    database: flags.database ?? null,
    sslmode: null,
    sslrootcert: null,
    sslcert: null,
    sslkey: null,
    sslpassword: null,
  };
  const [login] = await resolveLogins([configured], env, env['HOME'] ?? '', target);
  if (!login) throw new LostError('no login is configured', false);
  const named = flags.database ?? env['PGDATABASE'] ?? env['PGSERVICE'] ?? '';
  // libpq's default is the database that is named like the user.
  return named === '' ? { ...login, database: login.user } : login;
}

interface Limit {
  timeoutMs: number;
  endsAtMs: number;
}

async function connect(
  target: PgTarget,
  login: Login,
  ssl: Awaited<ReturnType<typeof tlsOptions>> | false,
  env: Env,
  { timeoutMs, endsAtMs }: Limit,
): Promise<Session> {
  const [{ default: pg }, net] = await Promise.all([import('pg'), import('node:net')]);
  const socket = new net.Socket();
  const client = new pg.Client({ ...clientConfig(target, login, env), ssl, stream: () => socket });
  const life = { alive: true, why: '' };
  client.on('error', (error) => {
    life.alive = false;
    life.why = error.message;
  });
  client.on('end', () => (life.alive = false));
  const late = setTimeout(
    () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)),
    Math.max(1, endsAtMs - monotonicMs()),
  );
  try {
    await client.connect();
  } catch (error) {
    socket.destroy();
    throw asSqlError(error) ?? (isTlsTrouble(error) ? error : new LostError(wordsOf(error), false));
  } finally {
    clearTimeout(late);
  }
  const run = (sql: string, sink: RowSink, limits: RunLimits) =>
    runOn(client, pg.Query, sql, sink, limits, () => cancel(target, client));
  return {
    get alive() {
      return life.alive;
    },
    run,
    inRecovery: (limitMs) => askRecovery(run, limitMs),
    close: () => {
      life.alive = false;
      client.end().catch(() => undefined);
      setTimeout(() => socket.destroy(), 500).unref();
    },
  };
}

function clientConfig({ host, port }: PgTarget, login: Login, env: Env): ClientConfig {
  return {
    host,
    port,
    user: login.user,
    database: login.database,
    password: () => {
      if (login.password !== null) return login.password;
      throw new SqlError('the server requires a password, but none is configured', '28P01', null);
    },
    application_name: env['PGAPPNAME'] ?? 'patctl',
    options: `${env['PGOPTIONS'] ?? ''} -c datestyle=ISO -c intervalstyle=postgres`.trim(),
    keepAlive: true,
  };
}

async function askRecovery(run: Session['run'], limitMs: number): Promise<boolean> {
  const answers: (string | null | undefined)[] = [];
  const sink: RowSink = {
    start: () => undefined,
    row: ([one]) => void answers.push(one),
    copy: () => undefined,
  };
  const signal = AbortSignal.timeout(limitMs);
  await run('SELECT pg_catalog.pg_is_in_recovery()', sink, { signal, deadlineMs: null });
  return answers[0] !== 'f';
}

/** The parts of pg's client that its types keep quiet about. */
interface Wire {
  connection: {
    stream: Duplex;
    on(event: 'copyOutResponse', hear: (message: { binary: boolean }) => void): unknown;
    off(event: 'copyOutResponse', hear: (message: { binary: boolean }) => void): unknown;
  };
  query(query: object): unknown;
  on(event: 'end', hear: () => void): unknown;
  off(event: 'end', hear: () => void): unknown;
}

type QueryClass = typeof import('pg').Query;
/** A result as pg hands it out: one for each statement. */
interface PgResult {
  command: string | null;
  fields: { name: string; dataTypeID: number }[];
}

/** What pg's Query is told of while it runs, and hands on in `end` no more. */
interface Told {
  handleRowDescription(message: unknown): void;
  handleCommandComplete(message: unknown, connection: unknown): void;
  handleCopyData(message: { chunk: Buffer }): void;
}

/** Only a text that surely is one statement may be printed while it runs: of several the last one counts. */
function mayBeSeveral(sql: string): boolean {
  return /;\s*[^\s;]/.test(sql);
}

/** A server that was told to stop gets this long to say so. */
const CANCEL_MS = 1000;

async function runOn(
  client: Wire,
  Query: QueryClass,
  sql: string,
  sink: RowSink,
  limits: RunLimits,
  stop: () => void,
): Promise<Ran> {
  const { stream } = client.connection;
  const feed = feeder(sink, stream, mayBeSeveral(sql));
  const query = new Query({ text: sql, rowMode: 'array', types: AS_TEXT } as never);
  let isRefused = false;
  const answered = listenTo(query as unknown as Told, (text) => {
    if (!isRefused) feed.copy(text);
  });
  query.on('row', (row: unknown, result?: unknown) =>
    feed.row(row as (string | null)[], result as PgResult),
  );
  const limit = limitOf(limits, stop, stream);
  const lateMs = (): number | null => (limit.isLate() ? limits.deadlineMs : null);
  let gone: () => void = () => undefined;
  let refuse: (message: { binary: boolean }) => void = () => undefined;
  try {
    return await new Promise<Ran>((resolve, reject) => {
      gone = () => {
        const reachedMs = lateMs();
        const words = reachedMs === null ? 'the connection was lost' : lateWords(reachedMs);
        reject(new LostError(words, true));
      };
      client.on('end', gone);
      query.on('error', (error: Error) => reject(failureOf(error, lateMs())));
      refuse = ({ binary }) => {
        if (!binary) return;
        isRefused = true;
        reject(new SqlError('COPY in binary format cannot be printed', '0A000', null));
        // The server gives a statement up that it cannot send the answer of.
        stream.destroy();
      };
      client.connection.on('copyOutResponse', refuse);
      query.on('end', (results: unknown) => {
        const last = [results].flat().at(-1) as PgResult;
        const hasRows = answered.withRows();
        feed.end(last, hasRows);
        resolve({ command: last.command ?? '', hasRows });
      });
      if (limits.signal.aborted) return reject(new LostError('interrupted', false));
      limit.begin();
      client.query(query);
    });
  } finally {
    limit.end();
    client.off('end', gone);
    client.connection.off('copyOutResponse', refuse);
  }
}

/** Tells the statement to stop at the signal and at the deadline; a server that does not say so loses the connection. */
function limitOf({ signal, deadlineMs }: RunLimits, stop: () => void, stream: Duplex) {
  let [give, deadline]: (NodeJS.Timeout | undefined)[] = [];
  let isLate = false;
  const interrupt = (): void => {
    stop();
    stream.resume();
    give = setTimeout(() => stream.destroy(), CANCEL_MS);
  };
  return {
    isLate: () => isLate,
    begin: () => {
      signal.addEventListener('abort', interrupt, { once: true });
      if (deadlineMs === null) return;
      deadline = setTimeout(() => {
        isLate = true;
        interrupt();
      }, deadlineMs);
    },
    end: () => {
      clearTimeout(give);
      clearTimeout(deadline);
      signal.removeEventListener('abort', interrupt);
    },
  };
}

/** `reachedMs`: the limit at which the statement was told to stop; null: it was not. */
function failureOf(error: Error, reachedMs: number | null): SqlError | LostError {
  const said = asSqlError(error);
  const cancelled = reachedMs !== null && (said === null || said.sqlstate === CANCELLED);
  const words = cancelled ? lateWords(reachedMs) : wordsOf(error);
  if (said === null) return new LostError(words, true);
  return cancelled ? new SqlError(words, CANCELLED, null) : said;
}

/** SQLSTATE of a statement that was told to stop. */
const CANCELLED = '57014';

function lateWords(deadlineMs: number): string {
  return `--deadline of ${deadlineMs / 1000} s was reached, and the statement cancelled`;
}

/** Whether the last statement has rows, even such of no columns; and what COPY sends. */
function listenTo(query: Told, copy: (text: string) => void): { withRows(): boolean } {
  const rowDescription = query.handleRowDescription.bind(query);
  const commandComplete = query.handleCommandComplete.bind(query);
  let isDescribed = false;
  let last = false;
  query.handleRowDescription = (message) => {
    isDescribed = true;
    rowDescription(message);
  };
  query.handleCommandComplete = (message, connection) => {
    [last, isDescribed] = [isDescribed, false];
    commandComplete(message, connection);
  };
  query.handleCopyData = ({ chunk }) => copy(chunk.toString('utf8'));
  return { withRows: () => last };
}

const AS_TEXT = { getTypeParser: () => (text: string) => text };

/** Hands rows on; holds them back while a later statement may still make them void. */
function feeder(sink: RowSink, stream: Duplex, hold: boolean) {
  let current: PgResult | null = null;
  let held: (string | null)[][] = [];
  const begin = (result: PgResult): void => {
    current = result;
    held = [];
    if (!hold) start(result);
  };
  const start = ({ fields }: PgResult): void =>
    sink.start(fields.map(({ name, dataTypeID }) => ({ name, typeOid: dataTypeID })));
  const waitFor = (taken: Promise<void> | undefined): void => {
    if (!taken) return;
    stream.pause();
    void taken.then(() => stream.resume());
  };
  return {
    row: (row: (string | null)[], result: PgResult): void => {
      if (result !== current) begin(result);
      if (hold) return void held.push(row);
      waitFor(sink.row(row));
    },
    copy: (text: string): void => waitFor(sink.copy(text)),
    end: (last: PgResult, hasRows: boolean): void => {
      if (last !== current && hasRows) begin(last);
      if (!hold || !hasRows) return;
      start(last);
      for (const row of last === current ? held : []) void sink.row(row);
    },
  };
}

/** Asks the server over a connection of its own to stop the statement, as psql does at Ctrl-C. */
function cancel(target: PgTarget, client: unknown): void {
  const { processID, secretKey } = client as { processID?: number; secretKey?: number };
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return;
  const CANCEL_REQUEST = 80_877_102;
  const packet = Buffer.alloc(16);
  [16, CANCEL_REQUEST, processID, secretKey].forEach((word, at) =>
    packet.writeInt32BE(word, at * 4),
  );
  void import('node:net').then((net) => {
    const socket = net.connect(target.port, target.host, () => socket.end(packet));
    socket.on('error', () => undefined);
    socket.setTimeout(CANCEL_MS, () => socket.destroy());
  });
}

function asSqlError(error: unknown): SqlError | null {
  if (error instanceof SqlError) return error;
  const { code, message, position, severity } = error as Record<string, unknown>;
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code) || severity === undefined)
    return null;
  const at = Number(position);
  return new SqlError(String(message), code, Number.isInteger(at) && at > 0 ? at : null);
}

/** Several addresses of one name fail as an AggregateError without a message of its own. */
function wordsOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(wordsOf).join('; ');
  return errorMessage(error);
}

/**
 * An error's message without anything of the statement: what it quotes, and every literal that the
 * statement holds. A position says where to look.
 */
export function withoutStatement(message: string, sql: string): string {
  const literals = [...sql.matchAll(/'((?:[^']|'')*)'|\$(\w*)\$([\s\S]*?)\$\2\$/g)]
    .map(([, quoted, , dollars]) => (quoted ?? dollars ?? '').trim())
    .flatMap((literal) => [literal, ...literal.split(/['"]/)])
    .map((literal) => literal.trim())
    .filter((literal) => literal.length > 1)
    .sort((a, b) => b.length - a.length);
  const quoted = message.replace(/"[\s\S]*"/g, '"…"').replace(/[«„“][\s\S]*[»“”]/g, '"…"');
  return literals.reduce((text, literal) => text.replaceAll(literal, '…'), quoted);
}
