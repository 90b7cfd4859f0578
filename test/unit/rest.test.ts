import { readFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttps, type ServerOptions } from 'node:https';
import { createServer as createTcp, type AddressInfo, type Server as TcpServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { RestSettings } from '../../src/config/effective.js';
import { parseRestStatus } from '../../src/patroni/parse-status.js';
import { openPatroni } from '../../src/patroni/rest.js';
import { PLAIN_REST } from '../support/member-server.js';

const TLS = new URL('../fixtures/tls/', import.meta.url).pathname;
const CLIENT = {
  cacert: `${TLS}ca.crt`,
  certfile: `${TLS}client.crt`,
  keyfile: `${TLS}client-encrypted.key`,
  keyfilePassword: 'sesame',
};
const PRIMARY = {
  state: 'running',
  role: 'primary',
  server_version: 150018,
  xlog: { location: 84182544 },
  timeline: 3,
  replication: [
    {
      usename: 'replicator',
      application_name: 'pg2',
      client_addr: '127.0.0.1',
      state: 'streaming',
      sync_state: 'quorum',
      sync_priority: 1,
    },
  ],
  dcs_last_seen: 1795218730,
  database_system_identifier: '7710401803522749477',
  pending_restart: true,
  pending_restart_reason: { max_connections: { old_value: '100', new_value: '200' } },
  pause: true,
  tags: { nofailover: true },
  patroni: { version: '4.1.4', scope: 'demo', name: 'pg1' },
};

const open = new Set<TcpServer>();
const sockets = new Set<{ destroy(): unknown }>();

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of open) server.close();
  sockets.clear();
  open.clear();
});

async function listen(server: TcpServer, host = '127.0.0.1'): Promise<number> {
  open.add(server);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

function answering(body: unknown, status = 200, seen: IncomingMessage[] = []): Server {
  return createHttp((request, response) => {
    seen.push(request);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}

/** A server that does to each connection whatever `act` does once the request has begun to arrive. */
function afterRequest(act: (socket: import('node:net').Socket) => void): TcpServer {
  return createTcp((socket) => socket.once('data', () => act(socket)));
}

function secure(options: ServerOptions = {}, name = 'server'): Server {
  const files = { cert: readFileSync(`${TLS}${name}.crt`), key: readFileSync(`${TLS}${name}.key`) };
  return createHttps({ ...files, ...options }, (_, response) =>
    response.end(JSON.stringify(PRIMARY)),
  );
}

const MUTUAL = { ca: readFileSync(`${TLS}ca.crt`), requestCert: true, rejectUnauthorized: true };

function ask(apiUrl: string, settings: Partial<RestSettings> = {}, timeoutMs = 2000) {
  const patroni = openPatroni({ ...PLAIN_REST, ...settings });
  return patroni.status({ apiUrl, name: 'pg1', scope: 'demo' }, timeoutMs);
}

function post(apiUrl: string, settings: Partial<RestSettings> = {}, timeoutMs = 2000) {
  const patroni = openPatroni({ ...PLAIN_REST, ...settings });
  return patroni.call('POST', apiUrl, '/switchover', { leader: 'pg1' }, timeoutMs);
}

describe('GET /patroni is read', () => {
  test('with every field that decides something', async () => {
    const port = await listen(answering(PRIMARY));
    const reading = await ask(`http://127.0.0.1:${port}/some/other/path`);
    expect(reading).toMatchObject({
      ok: true,
      value: {
        httpStatus: 200,
        name: 'pg1',
        scope: 'demo',
        role: 'primary',
        serverVersion: 150018,
        patroniVersion: '4.1.4',
        timeline: 3,
        systemId: '7710401803522749477',
        location: 84182544n,
        receivedLocation: null,
        replayPaused: null,
        replication: [
          {
            applicationName: 'pg2',
            usename: 'replicator',
            clientAddr: '127.0.0.1',
            state: 'streaming',
            syncState: 'quorum',
            syncPriority: 1,
          },
        ],
        pause: true,
        pendingRestart: true,
        pendingRestartReason: { max_connections: { old_value: '100', new_value: '200' } },
        tags: { nofailover: true },
        failsafeModeIsActive: false,
        dcsLastSeen: 1795218730,
        raw: PRIMARY,
      },
    });
  });

  test('from a path of the api_url that is not /patroni, by asking for /patroni', async () => {
    const seen: IncomingMessage[] = [];
    const port = await listen(answering(PRIMARY, 200, seen));
    await ask(`http://127.0.0.1:${port}/elsewhere`);
    expect(seen.map((one) => one.url)).toEqual(['/patroni']);
  });

  test('of a stopped member', async () => {
    const stopped = { state: 'stopped', role: 'replica', patroni: PRIMARY.patroni };
    const port = await listen(answering(stopped));
    expect(await ask(`http://127.0.0.1:${port}`)).toMatchObject({
      ok: true,
      value: { state: 'stopped', replication: null, location: null },
    });
  });

  test('over IPv6', async () => {
    const port = await listen(answering(PRIMARY), '::1');
    expect(await ask(`http://[::1]:${port}/patroni`)).toMatchObject({ ok: true });
  });

  test('of a replica, with its positions', () => {
    const status = parseRestStatus(200, {
      state: 'running',
      role: 'replica',
      xlog: {
        received_location: 84182544,
        replayed_location: 84182500,
        replayed_timestamp: '2026-11-20 23:38:28.202715+00:00',
        paused: true,
      },
      sync_standby: true,
      replication_state: 'streaming',
      patroni: { version: '3.0.0', scope: 'demo' },
    });
    expect(status).toMatchObject({
      name: '',
      receivedLocation: 84182544n,
      replayedLocation: 84182500n,
      replayPaused: true,
      replicationState: 'streaming',
      syncStandby: true,
      quorumStandby: false,
    });
  });

  test.each([
    [
      'wrong types everywhere',
      { patroni: { scope: 'demo', name: 7 }, xlog: [], tags: 1, role: '', state: 'running' },
    ],
    [
      'negative and broken numbers',
      { state: '', role: '', patroni: { scope: 'demo' }, xlog: { location: -1.5 } },
    ],
  ])('tolerantly: %s', (_, body) => {
    const status = parseRestStatus(200, body);
    expect(status).toMatchObject({ name: '', scope: 'demo', role: '', location: null, tags: {} });
  });
});

describe('the answer of another server does not count', () => {
  test.each([
    ['another member', { scope: 'demo', name: 'pg2' }, 'pg2 of demo'],
    ['another cluster', { scope: 'test', name: 'pg1' }, 'pg1 of test'],
  ])('%s', async (_, patroni, found) => {
    const port = await listen(answering({ ...PRIMARY, patroni }));
    const reading = await ask(`http://127.0.0.1:${port}`);
    const reason = `asked for pg1 of demo, answered by ${found}`;
    expect(reading).toEqual({ ok: false, kind: 'misidentified', reason });
  });

  test.each<[string, unknown, number]>([
    ['Patroni answers 200 whatever its state is', PRIMARY, 503],
    ['its health checks answer 503, and are another question', PRIMARY, 500],
    ['a list', [PRIMARY], 200],
    ['a scope and nothing else', { patroni: { scope: 'demo', name: 'pg1' } }, 200],
    ['no role', { patroni: { scope: 'demo', name: 'pg1' }, state: 'running' }, 200],
    ['no state', { patroni: { scope: 'demo', name: 'pg1' }, role: 'replica' }, 200],
    ["another program's JSON", { status: 'ok', state: 'running' }, 200],
  ])('%s', async (_, body, status) => {
    const port = await listen(answering(body, status));
    expect(await ask(`http://127.0.0.1:${port}`)).toMatchObject({ ok: false, kind: 'invalid' });
  });

  test('a refusal is one, whatever comes with it', async () => {
    const port = await listen(answering(PRIMARY, 403));
    expect(await ask(`http://127.0.0.1:${port}`)).toMatchObject({ ok: false, kind: 'denied' });
  });

  test('an old Patroni that tells only its scope does', async () => {
    const port = await listen(answering({ ...PRIMARY, patroni: { scope: 'demo' } }));
    expect(await ask(`http://127.0.0.1:${port}`)).toMatchObject({ ok: true, value: { name: '' } });
  });
});

describe('silence has a kind and a reason', () => {
  test('no address', async () => {
    const reading = await ask('http//nowhere');
    expect(reading).toMatchObject({ ok: false, kind: 'no_address' });
  });

  test('refused', async () => {
    const port = await listen(createTcp());
    await new Promise((resolve) => [...open][0]?.close(resolve));
    open.clear();
    const reading = await ask(`http://127.0.0.1:${port}`);
    expect(reading).toMatchObject({ ok: false, kind: 'unreachable' });
    expect(reading).toHaveProperty('reason', expect.stringContaining('ECONNREFUSED'));
    expect(await post(`http://127.0.0.1:${port}`)).toMatchObject({ kind: 'not_sent' });
  });

  test('accepted and never answered: the deadline, and no longer', async () => {
    const port = await listen(createTcp());
    const startedMs = performance.now();
    const reading = await ask(`http://127.0.0.1:${port}`, {}, 150);
    const reason = 'no whole answer within 150 ms';
    expect(reading).toEqual({ ok: false, kind: 'unreachable', reason });
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  test('a limit that ran out while this process stood still is granted once more', async () => {
    const port = await listen(answering(PRIMARY));
    const asked = ask(`http://127.0.0.1:${port}`, {}, 50);
    // As on a machine that gives this process no turn: nothing that arrives is read in the meantime.
    const untilMs = performance.now() + 200;
    while (performance.now() < untilMs);
    expect(await asked).toMatchObject({ ok: true });
  });

  test('one byte at a time does not stretch the deadline', async () => {
    const slow = afterRequest((socket) => {
      socket.write('HTTP/1.0 200 OK\r\n\r\n');
      const drip = setInterval(() => socket.write(' '), 20);
      socket.on('close', () => clearInterval(drip));
    });
    const port = await listen(slow);
    const startedMs = performance.now();
    const reading = await ask(`http://127.0.0.1:${port}`, {}, 200);
    const reason = 'HTTP 200, then no whole answer within 200 ms';
    expect(reading).toEqual({ ok: false, kind: 'unreachable', reason });
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  test.each([
    ['not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 'not an HTTP answer'],
    [
      'not JSON',
      'HTTP/1.0 200 OK\r\n\r\n<html>',
      "HTTP 200, and the answer is not Patroni's status",
    ],
    [
      'JSON of another',
      'HTTP/1.0 200 OK\r\n\r\n[1]',
      "HTTP 200, and the answer is not Patroni's status",
    ],
    [
      'half of it',
      'HTTP/1.0 200 OK\r\n\r\n{"patroni"',
      "HTTP 200, and the answer is not Patroni's status",
    ],
  ])('garbage: %s', async (_, answer, reason) => {
    const port = await listen(afterRequest((socket) => socket.end(answer)));
    const reading = await ask(`http://127.0.0.1:${port}`);
    expect(reading).toEqual({ ok: false, kind: 'invalid', reason });
  });

  test('an answer without end is cut', async () => {
    const endless = afterRequest((socket) => {
      socket.write('HTTP/1.0 200 OK\r\n\r\n');
      const more = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(65536, 'x')));
        if (!socket.destroyed) socket.once('drain', more);
      };
      more();
    });
    const port = await listen(endless);
    const reading = await ask(`http://127.0.0.1:${port}`, {}, 5000);
    expect(reading).toMatchObject({ ok: false, kind: 'invalid' });
    expect(reading).toHaveProperty('reason', 'HTTP 200, then more than 4194304 bytes of answer');
  });

  test.each([401, 403])('%d', async (status) => {
    const port = await listen(answering('no', status));
    const reading = await ask(`http://127.0.0.1:${port}`);
    const reason = `refused with HTTP ${status}`;
    expect(reading).toEqual({ ok: false, kind: 'denied', reason });
  });
});

describe('a request that changes something', () => {
  test('carries login and body, once', async () => {
    const seen: { headers: IncomingMessage['headers']; text: string }[] = [];
    const server = createHttp((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        seen.push({ headers: request.headers, text: Buffer.concat(chunks).toString() });
        response.writeHead(202);
        response.end('Switchover scheduled');
      });
    });
    const port = await listen(server);
    const outcome = await post(`http://127.0.0.1:${port}`, { username: 'ädmin', password: 'p:w' });
    const answer = { status: 202, body: 'Switchover scheduled', json: null };
    expect(outcome).toEqual({ kind: 'answered', answer });
    expect(seen).toHaveLength(1);
    expect(seen[0]?.text).toBe('{"leader":"pg1"}');
    const login = `Basic ${Buffer.from('ädmin:p:w').toString('base64')}`;
    expect(seen[0]?.headers).toMatchObject({ authorization: login, 'content-length': '16' });
  });

  test.each([
    ['reset before an answer', (s: import('node:net').Socket) => s.resetAndDestroy()],
    ['closed before an answer', (s: import('node:net').Socket) => s.end()],
    ['garbage', (s: import('node:net').Socket) => s.end('what?\r\n\r\n')],
    [
      'half a body',
      (s: import('node:net').Socket) => s.end('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nSwit'),
    ],
    ['never answered', () => undefined],
  ])('is lost, never not_sent: %s', async (_, act) => {
    const port = await listen(afterRequest(act));
    expect(await post(`http://127.0.0.1:${port}`, {}, 200)).toMatchObject({ kind: 'lost' });
  });

  test('to a server that accepts and freezes is lost: it may read it when it thaws', async () => {
    const port = await listen(createTcp((socket) => socket.pause()));
    expect(await post(`http://127.0.0.1:${port}`, {}, 150)).toMatchObject({ kind: 'lost' });
  });

  test('is not sent while the TLS handshake hangs or fails', async () => {
    const frozen = await listen(createTcp());
    const hangs = await post(`https://127.0.0.1:${frozen}`, {}, 150);
    expect(hangs).toEqual({
      kind: 'not_sent',
      reason: 'no connection within 150 ms',
      why: 'unreachable',
    });
    const plain = await listen(answering(PRIMARY));
    expect(await post(`https://127.0.0.1:${plain}`)).toMatchObject({ kind: 'not_sent' });
  });

  test('is not sent to a name that does not resolve', async () => {
    const outcome = await post('http://no-such-host.invalid:8008', {}, 3000);
    expect(outcome).toMatchObject({ kind: 'not_sent' });
  });
});

describe('TLS', () => {
  test('a server signed by the CA is trusted, by name and address', async () => {
    const port = await listen(secure());
    const trusted = { cacert: `${TLS}ca.crt` };
    expect(await ask(`https://127.0.0.1:${port}`, trusted)).toMatchObject({ ok: true });
    expect(await ask(`https://localhost:${port}`, trusted)).toMatchObject({ ok: true });
  });

  test('no other server sees the request, unless insecure', async () => {
    let requests = 0;
    const server = secure();
    server.on('request', () => (requests += 1));
    const port = await listen(server);
    const secret = { username: 'admin', password: 'geheim' };
    const reading = await ask(`https://127.0.0.1:${port}`, secret);
    expect(reading).toMatchObject({ ok: false, kind: 'denied' });
    expect(await post(`https://127.0.0.1:${port}`, secret)).toMatchObject({ kind: 'not_sent' });
    expect(requests).toBe(0);
    expect(await ask(`https://127.0.0.1:${port}`, { insecure: true })).toMatchObject({ ok: true });
  });

  test('a certificate for another name is refused', async () => {
    const port = await listen(secure({}, 'elsewhere'));
    const reading = await ask(`https://127.0.0.1:${port}`, { cacert: `${TLS}ca.crt` });
    expect(reading).toMatchObject({ ok: false, kind: 'denied' });
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('a client certificate, %s', async (version) => {
    const server = secure({ ...MUTUAL, minVersion: version, maxVersion: version });
    const port = await listen(server);
    expect(await ask(`https://127.0.0.1:${port}`, CLIENT)).toMatchObject({ ok: true });
    let requests = 0;
    server.on('request', () => (requests += 1));
    const none = { cacert: `${TLS}ca.crt` };
    const without = await ask(`https://127.0.0.1:${port}`, none);
    expect(without).toMatchObject({ ok: false, kind: 'denied' });
    expect(await post(`https://127.0.0.1:${port}`, none)).toMatchObject({ kind: 'not_sent' });
    expect(requests).toBe(0);
  });

  test('a wrong passphrase and a missing file are told without the secret', async () => {
    const wrong = await ask('https://127.0.0.1:1', { ...CLIENT, keyfilePassword: 'open-up' });
    expect(wrong).toMatchObject({ ok: false, kind: 'denied', unasked: true });
    expect(JSON.stringify(wrong)).not.toContain('open-up');
    const missing = await ask('https://127.0.0.1:1', { cacert: '/nowhere/ca.crt' });
    expect(missing).toHaveProperty('reason', expect.stringContaining('/nowhere/ca.crt'));
  });
});
