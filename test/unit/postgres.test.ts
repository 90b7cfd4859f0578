import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { PgLogin } from '../../src/config/effective.js';
import { openPostgres } from '../../src/postgres/connect.js';
import { mayPileUp, readyOf } from '../../src/postgres/archiver.js';
import { blindRole, statusOf, STATUS_SQL } from '../../src/postgres/all-statements.js';

const open = new Set<Server>();
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of open) server.close();
  sockets.clear();
  open.clear();
});

/** A server that answers every packet with what `answer` makes of it; null is silence. */
async function listen(answer: (packet: Buffer) => Buffer | null): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (packet) => {
      const goodbye = packet[0] === 'X'.charCodeAt(0);
      const reply = goodbye ? null : answer(packet);
      if (reply) socket.write(reply);
    });
  });
  open.add(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const isSslRequest = (packet: Buffer) => packet.length === 8 && packet.readInt32BE(4) === 80877103;
const isStartup = (packet: Buffer) => packet.length > 8 && packet.readInt32BE(4) === 196608;

/** One message of PostgreSQL's protocol: its letter, its length, its body. */
function message(letter: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(letter), length, body]);
}

function fatal(code: string, text: string): Buffer {
  return message('E', Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${text}\0\0`));
}

function login(more: Partial<PgLogin> = {}): PgLogin {
  return {
    origin: 'superuser',
    username: 'postgres',
    password: 'geheim',
    database: null,
    sslmode: 'disable',
    sslrootcert: null,
    sslcert: null,
    sslkey: null,
    sslpassword: null,
    ...more,
  };
}

function ask(port: number, timeoutMs = 2000, logins = [login()]) {
  return openPostgres(logins, {}).status({ host: '127.0.0.1', port }, timeoutMs);
}

describe('a PostgreSQL that says nothing useful', () => {
  test('refuses the connection', async () => {
    const port = await listen(() => null);
    await new Promise((resolve) => [...open][0]?.close(resolve));
    open.clear();
    const reading = await ask(port);
    expect(reading).toMatchObject({ ok: false, kind: 'unreachable' });
    expect(reading).toHaveProperty('reason', expect.stringContaining('ECONNREFUSED'));
  });

  test.each(['disable', 'prefer', 'require'])('is frozen, sslmode %s', async (sslmode) => {
    const port = await listen(() => null);
    const startedMs = performance.now();
    const reading = await ask(port, 200, [login({ sslmode }), login({ username: 'second' })]);
    const reason = 'no answer within 200 ms';
    expect(reading).toEqual({ ok: false, kind: 'unreachable', reason });
    expect(performance.now() - startedMs).toBeLessThan(5000);
  });

  test('closes the connection', async () => {
    const port = await listen(() => {
      for (const socket of sockets) socket.destroy();
      return null;
    });
    expect(await ask(port)).toMatchObject({ ok: false, kind: 'unreachable' });
  });

  test('is not PostgreSQL at all', async () => {
    const port = await listen(() => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const reading = await ask(port, 300);
    expect(reading).toMatchObject({ ok: false });
  });

  test.each([
    ['57P03', 'the database system is starting up', 'unreachable', true],
    ['57P03', 'the database system is shutting down', 'unreachable', true],
    ['53200', 'out of memory', 'unreachable', true],
    ['53100', 'No space left on device', 'unreachable', true],
    ['57014', 'canceling statement due to statement timeout', 'unreachable', undefined],
    ['XX001', 'invalid page in block 3', 'invalid', true],
    ['58030', 'could not read file', 'invalid', true],
    ['42703', 'column "x" does not exist', 'invalid', undefined],
  ])('is %s: %s', async (code, text, kind, cannotServe) => {
    let asked = 0;
    const port = await listen(() => ((asked += 1), fatal(code, text)));
    const reading = await ask(port, 2000, [login(), login({ username: 'second' })]);
    expect(reading).toMatchObject({ ok: false, kind, ...(cannotServe && { cannotServe }) });
    expect('cannotServe' in reading).toBe(cannotServe === true);
    expect(reading).toHaveProperty('reason', expect.stringContaining(text));
    expect(asked).toBe(1);
  });

  test('refuses every login; each is named, no password is', async () => {
    const users: string[] = [];
    const port = await listen((packet) => {
      users.push(/user\0([^\0]*)/.exec(packet.toString())?.[1] ?? '');
      return fatal('28P01', `no entry for ${users.at(-1) ?? ''}`);
    });
    const reading = await ask(port, 2000, [login(), login({ origin: 'rewind', username: 'rew' })]);
    expect(reading).toEqual({
      ok: false,
      kind: 'denied',
      reason: 'superuser: no entry for postgres; rewind: no entry for rew',
    });
    expect(users).toEqual(['postgres', 'rew']);
    expect(JSON.stringify(reading)).not.toContain('geheim');
  });
});

describe('TLS is negotiated as sslmode says', () => {
  async function packets(sslmode: string) {
    const seen: string[] = [];
    const port = await listen((packet) => {
      seen.push(isSslRequest(packet) ? 'ssl?' : isStartup(packet) ? 'startup' : 'other');
      return isSslRequest(packet) ? Buffer.from('N') : fatal('28P01', 'no');
    });
    return { reading: await ask(port, 2000, [login({ sslmode })]), seen };
  }

  test.each([
    ['disable', ['startup']],
    ['allow', ['startup']],
    ['prefer', ['ssl?', 'startup']],
    ['require', ['ssl?']],
  ])('%s', async (sslmode, wanted) => {
    const { seen, reading } = await packets(sslmode);
    expect(seen).toEqual(wanted);
    expect(reading).toMatchObject({ ok: false, kind: 'denied' });
  });

  test('a server without TLS is asked on the same connection: a new one is a new process to it', async () => {
    await packets('prefer');
    expect(sockets.size).toBe(1);
  });

  test('what comes with the answer before the handshake is not taken', async () => {
    const port = await listen((packet) => (isSslRequest(packet) ? Buffer.from('S\0') : null));
    const reading = await ask(port, 2000, [login({ sslmode: 'require' })]);
    expect(reading).toMatchObject({ ok: false, kind: 'denied' });
  });

  test('require without TLS on the server says so', async () => {
    const { reading } = await packets('require');
    const reason = 'superuser: the server does not support TLS, but sslmode require requires it';
    expect(reading).toEqual({ ok: false, kind: 'denied', reason });
  });
});

describe('the session', () => {
  test('asks for what it needs and no more', async () => {
    let startup = '';
    const port = await listen((packet) => {
      startup = packet.toString('latin1');
      return fatal('28P01', 'no');
    });
    await ask(port, 1500);
    expect(startup).toContain('application_name\0patctl\0');
    expect(startup).toContain('database\0postgres\0');
    expect(startup).toContain('-c default_transaction_read_only=on');
    expect(startup).toContain('-c search_path=pg_catalog');
    const limit = Number(/statement_timeout=(\d+)/.exec(startup)?.[1]);
    expect(limit).toBeGreaterThan(0);
    expect(limit).toBeLessThanOrEqual(1500);
  });

  test('hasLogin is false without a configured login', () => {
    expect(openPostgres([], { HOME: '/nonexistent' }).hasLogin).toBe(false);
    expect(openPostgres([login()], {}).hasLogin).toBe(true);
    expect(openPostgres([], { HOME: '/nonexistent', PGUSER: 'me' }).hasLogin).toBe(true);
  });

  test('never reads what may hold a password', () => {
    expect(STATUS_SQL).not.toContain('conninfo');
  });
});

describe('the document of rows', () => {
  test('of PostgreSQL 12, which lacks some, and with nothing in it', () => {
    const recovery = { server_version: 120022, in_recovery: false, timeline: 'x0000001F' };
    const status = statusOf({ recovery: [recovery], walsenders: null, slots: null }, 'flag');
    expect(status).toEqual({
      serverVersion: 120022,
      systemId: null,
      inRecovery: false,
      startedAt: null,
      timeline: 31,
      currentLsn: null,
      redoLsn: null,
      receiveLsn: null,
      replayLsn: null,
      replayPaused: null,
      lastXactReplayAgeMs: null,
      walsenders: [],
      walReceiver: null,
      slots: [],
      settings: {},
      syncRepWaiters: 0,
      syncRepOldest: null,
      oldestXactAgeMs: null,
      baseBackupsRunning: 0,
      connections: { used: 0, max: Number.MAX_SAFE_INTEGER, reserved: 0 },
      archiver: null,
      login: 'flag',
    });
  });

  test('positions stay exact', () => {
    const recovery = { in_recovery: true, timeline: '7', replay_lsn: 'FFFFFFFF/FFFFFFFE' };
    const status = statusOf({ recovery: [recovery] }, 'flag');
    expect(status).toMatchObject({ timeline: 7, replayLsn: 0xfffffffffffffffen });
  });

  test('files that wait to be archived are looked for when some may', () => {
    const wal = (at: string) => `0000000A0000000${at}`;
    const may = (current: string | null, last: string | null) =>
      mayPileUp({ archiver: [{ current_wal: current, last_archived_wal: last }] });
    expect(may(null, null)).toBe(false);
    expect(may(wal('0000000FE'), null)).toBe(true);
    expect(may(wal('0000000FE'), wal('0000000FD'))).toBe(false);
    expect(may(wal('0000000FE'), wal('0000000FB'))).toBe(false);
    expect(may(wal('0000000FE'), wal('0000000FA'))).toBe(true);
    expect(may(wal('100000000'), wal('0000000FF'))).toBe(true);
    expect(may(wal('0000000FE'), '0000000A.history')).toBe(true);
    expect(readyOf({ files: 4, oldest_ms: 1200.5 })).toEqual({ files: 4, oldestAgeMs: 1200.5 });
    expect(readyOf({ files: 0, oldest_ms: null })).toEqual({ files: 0, oldestAgeMs: 0 });
    expect(readyOf(null)).toBeNull();
  });

  test('a role that may not look is named', () => {
    const recovery = { may_read_stats: false, role_name: 'nobody' };
    expect(blindRole({ recovery: [recovery] })).toBe('nobody');
    expect(blindRole({ recovery: [{ ...recovery, may_read_stats: true }] })).toBeNull();
  });
});
