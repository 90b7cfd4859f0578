/** One session with one PostgreSQL: connect, one statement, gone. Rejects with pg's or the socket's error. */
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Login } from './logins.js';
import type { KeptSession, OpenSession, PgTarget } from './postgres.js';
import { monotonicMs } from '../clock.js';
import { SSL_REQUEST } from './ssl-request.js';

export interface Deadline {
  timeoutMs: number;
  /** On the clock of monotonicMs(). */
  endsAtMs: number;
}

const CLOSED = 'the server closed the connection';

/** How long a server gets to close a session that has said good-bye. */
const CLOSING_MS = 500;

/** `plain`: no parameters of the session, which a pooler would refuse; the statement must change nothing by itself. */
export interface SessionRequest {
  target: PgTarget;
  login: Login;
  sql: string;
  plain?: boolean;
  /** Gets the session once it has answered, instead of its end. */
  kept?: KeptSession;
}

/** How TLS is made, and whether the session may go on without where the server has none. */
export interface Secure {
  options(): Promise<ConnectionOptions>;
  orPlain: boolean;
}

/** The value of column `status` of the statement's one row. `secure` null: without asking for TLS. */
export async function queryOnce(
  { target, login, sql, plain = false, kept }: SessionRequest,
  secure: Secure | null,
  deadline: Deadline,
): Promise<unknown> {
  const net = await import('node:net');
  const leftMs = Math.max(1, Math.floor(deadline.endsAtMs - monotonicMs()));
  const socket = new net.Socket();
  socket.on('error', () => undefined);
  // pg's own limits cover connecting and asking apart; this one covers both, and takes the socket away.
  let expire: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    expire = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer within ${deadline.timeoutMs} ms`));
    }, leftMs);
  });
  let client: Client | undefined;
  const connected = async (): Promise<Client> => {
    // The server makes its process while pg is loaded.
    const [ssl, { default: pg }] = await Promise.all([reach(socket, target, secure), import('pg')]);
    // pg would wait for what a socket that is gone can no longer tell.
    if (socket.destroyed) throw new Error(CLOSED);
    const settings = settingsOf(target, login, ssl, socket);
    const options = sessionOptions(kept ? deadline.timeoutMs : leftMs);
    client = new pg.Client(plain ? settings : { ...settings, options });
    // A backend that is terminated would otherwise end the process.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  let isKept = false;
  try {
    const answer = await Promise.race([connected().then((made) => ask(made, sql)), expired]);
    if (kept && client) {
      keep(kept, client, socket, login.origin);
      isKept = true;
    }
    return answer;
  } finally {
    clearTimeout(expire);
    if (!isKept) endSession(client, socket);
  }
}

/** Not awaited: the answer is here, and the limit lets the process end anyway. */
function endSession(client: Client | undefined, socket: Socket): void {
  client?.end().catch(() => undefined);
  setTimeout(() => socket.destroy(), client ? CLOSING_MS : 0).unref();
}

function keep(kept: KeptSession, client: Client, socket: Socket, login: string): void {
  const session: OpenSession = {
    login,
    async ask(sql, timeoutMs, name) {
      let expire: NodeJS.Timeout | undefined;
      const expired = new Promise<never>((_, reject) => {
        expire = setTimeout(() => {
          session.close();
          reject(new Error(`no answer within ${timeoutMs} ms`));
        }, timeoutMs);
      });
      try {
        return await Promise.race([ask(client, sql, name), expired]);
      } finally {
        clearTimeout(expire);
      }
    },
    close() {
      if (kept.open === session) kept.open = null;
      endSession(client, socket);
    },
  };
  kept.open?.close();
  kept.open = session;
  // The server ended it: the next question opens another one.
  socket.once('close', () => session.close());
}

/**
 * Connects, with TLS if that is configured: its options, or false. pg would open a new
 * connection, and PostgreSQL start a new process, for a server without TLS.
 */
async function reach(
  socket: Socket,
  { host, port, address }: PgTarget,
  secure: Secure | null,
): Promise<ConnectionOptions | false> {
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject).once('connect', resolve);
    if (host.startsWith('/')) socket.connect(`${host}/.s.PGSQL.${port}`);
    else socket.connect(port, address ?? host);
  });
  if (secure === null) return false;
  const said = await new Promise<Buffer>((resolve, reject) => {
    socket.once('error', reject).once('data', resolve);
    socket.once('close', () => reject(new Error(CLOSED)));
    socket.write(SSL_REQUEST);
  });
  // More than one letter did not come from a server that waits for a handshake.
  const letter = said.toString('latin1');
  if (letter === 'S') return secure.options();
  if (letter !== 'N') throw new Error('no answer to the question for an SSL connection');
  if (!secure.orPlain) throw new Error('the server does not support SSL');
  return false;
}

interface Client {
  connect(): Promise<unknown>;
  end(): Promise<void>;
  on(event: 'error', listener: () => void): unknown;
  query(query: string | { name: string; text: string }): Promise<{ rows: unknown[] }>;
}

function settingsOf(
  target: PgTarget,
  login: Login,
  ssl: ConnectionOptions | false,
  socket: Socket,
) {
  // pg connects what it is given, and waits for that; this is connected.
  socket.connect = () => {
    queueMicrotask(() => socket.emit('connect'));
    return socket;
  };
  return {
    host: target.host,
    port: target.port,
    user: login.user,
    database: login.database,
    // A function, because without a password pg would look for one itself.
    password: () => passwordOf(login),
    ssl,
    // The server has answered whether it has TLS.
    sslnegotiation: ssl ? ('direct' as const) : ('postgres' as const),
    stream: () => socket,
    application_name: 'patctl',
  };
}

/** With a name the server keeps what it made of the statement. A session that breaks rejects. */
async function ask(client: Client, sql: string, name?: string): Promise<unknown> {
  const { rows } = await client.query(name === undefined ? sql : { name, text: sql });
  return (rows[0] as { status: unknown } | undefined)?.status;
}

function passwordOf(login: Login): string {
  if (login.password === null)
    throw new Error('the server requires a password, but none is configured');
  return login.password;
}

/** Read-only, without functions that other schemas may hold, and over on the server too when we stop waiting. */
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
