/** One session with one PostgreSQL: connect, one statement, gone. Rejects with pg's or the socket's error. */
import type { ConnectionOptions } from 'node:tls';
import type { Login } from './logins.js';
import type { PgTarget } from './postgres.js';

export interface Deadline {
  timeoutMs: number;
  /** On the clock of performance.now(). */
  endsAtMs: number;
}

/** How long a server gets to close a session that has said good-bye. */
const CLOSING_MS = 500;

/** The value of column `status` of the statement's one row. */
export async function queryOnce(
  target: PgTarget,
  login: Login,
  ssl: ConnectionOptions | false,
  sql: string,
  deadline: Deadline,
): Promise<unknown> {
  const [{ default: pg }, net] = await Promise.all([import('pg'), import('node:net')]);
  const leftMs = Math.max(1, Math.floor(deadline.endsAtMs - performance.now()));
  const socket = new net.Socket();
  const client = new pg.Client({
    host: target.host,
    port: target.port,
    user: login.user,
    database: login.database,
    // A function, for without a password pg would go and look for one itself.
    password: () => passwordOf(login),
    ssl,
    stream: () => socket,
    application_name: 'patctl',
    options: sessionOptions(leftMs),
  });
  // A backend that is terminated would otherwise end the process.
  client.on('error', () => undefined);
  // pg's own limits cover connecting and asking apart; this one covers both, and takes the socket away.
  let expire: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    expire = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer within ${deadline.timeoutMs} ms`));
    }, leftMs);
  });
  try {
    return await Promise.race([ask(client, sql), expired]);
  } finally {
    clearTimeout(expire);
    // Not awaited: the answer is here, and the limit lets the process end all the same.
    client.end().catch(() => undefined);
    setTimeout(() => socket.destroy(), CLOSING_MS).unref();
  }
}

interface Client {
  connect(): Promise<unknown>;
  query(sql: string): Promise<{ rows: unknown[] }>;
}

async function ask(client: Client, sql: string): Promise<unknown> {
  await client.connect();
  const { rows } = await client.query(sql);
  return (rows[0] as { status: unknown } | undefined)?.status;
}

function passwordOf(login: Login): string {
  if (login.password === null) throw new Error('a password is wanted and none is known');
  return login.password;
}

/** Read-only, blind to functions planted in other schemas, and over on the server too when we stop waiting. */
function sessionOptions(leftMs: number): string {
  const settings = {
    default_transaction_read_only: 'on',
    search_path: 'pg_catalog',
    statement_timeout: leftMs,
    timezone: 'UTC',
    jit: 'off',
  };
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}
