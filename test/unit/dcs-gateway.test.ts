import http from 'node:http';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/config/endpoints.js';
import { openGateway } from '../../src/dcs/etcd3/gateway.js';
import type { EtcdConnection } from '../../src/dcs/etcd3/etcd-connection.js';
import type { KeyStore, RangeRead } from '../../src/dcs/keyed/key-store.js';
import { keyedDcs } from '../../src/dcs/keyed/keyed-dcs.js';

interface Asked {
  path: string;
  body: Record<string, unknown>;
  token: string | undefined;
}

type Reply = { status: number; json?: unknown; text?: string };

const servers: http.Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** A gateway that says what the test wants and keeps what it was asked. */
async function serve(reply: (asked: Asked, nth: number) => Reply | Promise<Reply>) {
  const asked: Asked[] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    const answer = async (): Promise<void> => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Asked['body'];
      const one = { path: request.url ?? '', body, token: request.headers.authorization };
      asked.push(one);
      const { status, json, text } = await reply(one, asked.length);
      response.writeHead(status).end(text ?? JSON.stringify(json));
    };
    request.on('end', () => void answer());
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const endpoint: Endpoint = { protocol: 'http', host: '127.0.0.1', port: address.port };
  const open = (changes: Partial<EtcdConnection> = {}) =>
    openGateway({
      ...{ endpoints: [endpoint], username: null, password: null, ca: null, cert: null },
      ...{ key: null, keyPassword: null, timeoutMs: 1000, ...changes },
    });
  return { asked, endpoint, open };
}

const b64 = (text: string): string => Buffer.from(text).toString('base64');
const kv = (key: string, value: string, revision = '5') => ({
  ...{ key: b64(key), value: b64(value), create_revision: revision, mod_revision: revision },
});
const page = (kvs: unknown[], more = false) => ({
  status: 200,
  json: { header: { revision: '9007199254740993' }, kvs, ...(more ? { more } : {}) },
});
const refused = (status: number, code: number, error: string) => ({
  status,
  json: { error, message: error, code },
});

describe('openGateway', () => {
  it('asks for exactly the prefix and keeps revisions as text', async () => {
    const { asked, open } = await serve(() => page([kv('/service/demo/leader', 'ä')]));
    const { revision, kvs } = await open().range('/service/demo/');
    expect(asked).toEqual([
      {
        path: '/v3/kv/range',
        body: { key: b64('/service/demo/'), range_end: b64('/service/demo0'), limit: 500 },
        token: undefined,
      },
    ]);
    expect(revision).toBe('9007199254740993');
    const times = { createRevision: '5', modRevision: '5', lease: null };
    expect(kvs).toEqual([{ key: '/service/demo/leader', value: 'ä', ...times }]);
  });

  it('takes left-out fields for what they stand for', async () => {
    const { open } = await serve(() => ({ status: 200, json: { header: { revision: '1' } } }));
    expect(await open().range('/s/')).toEqual({ revision: '1', kvs: [] });
  });

  it('pages at the revision of the first page', async () => {
    const { asked, open } = await serve((_, nth) =>
      nth === 1 ? page([kv('/s/a', '1')], true) : page([kv('/s/b', '2')]),
    );
    const { kvs } = await open().range('/s/', { serializable: true });
    expect(kvs.map(({ key }) => key)).toEqual(['/s/a', '/s/b']);
    expect(asked[1]?.body).toMatchObject({
      key: b64('/s/a\0'),
      revision: '9007199254740993',
      serializable: true,
    });
  });

  it('asks for twice as many keys each time, up to a limit', async () => {
    const { asked, open } = await serve((_, nth) => page([kv(`/s/${nth}`, '1')], nth < 5));
    expect((await open().range('/s/')).kvs).toHaveLength(5);
    const limits = asked.map(({ body }) => (body as { limit: number }).limit);
    expect(limits).toEqual([500, 1000, 2000, 2000, 2000]);
  });

  it.each([
    ['first', 'the one that was asked first ends first'],
    ['second', 'the one that was asked second ends first'],
  ])('keeps two endpoints apart that are read at the same time: %s', async (ends) => {
    let areBoth = (): void => undefined;
    const both = new Promise<void>((resolve) => (areBoth = resolve));
    const never = new Promise<never>(() => undefined);
    const a = page([kv('/service/a/leader', 'pg1')], true);
    const b = page([kv('/service/b/leader', 'pg1')]);
    const first = await serve(async (_, nth) => {
      if (nth === 1) return a;
      await both;
      return ends === 'first' ? b : never;
    });
    const second = await serve(async (_, nth) => {
      areBoth();
      if (ends === 'first') return never;
      return nth === 1 ? a : b;
    });
    const store = first.open({ endpoints: [first.endpoint, second.endpoint] });
    const fleet = await keyedDcs({ ...store } as KeyStore, 'service').readAll();
    expect(fleet.map(({ scope, leaderName }) => [scope, leaderName])).toEqual([
      ['a', 'pg1'],
      ['b', 'pg1'],
    ]);
  });

  it('begins again when compaction overtakes the pages', async () => {
    const { asked, open } = await serve((_, nth) => {
      if (nth === 2)
        return refused(400, 11, 'etcdserver: mvcc: required revision has been compacted');
      return page([kv('/s/a', String(nth))], nth === 1);
    });
    const begun: string[][] = [];
    const begin = () => {
      const taken: string[] = [];
      begun.push(taken);
      const take = ({ kvs }: RangeRead): void => void taken.push(...kvs.map(({ value }) => value));
      const all = (last: RangeRead): string[] => {
        take(last);
        return taken;
      };
      return { take, all };
    };
    expect(await open().rangeInto('/s/', begin)).toEqual(['3']);
    expect(begun).toEqual([['1'], ['3']]);
    expect(asked[2]?.body).not.toHaveProperty('revision');
  });

  it('falls back to /v3beta and stays there', async () => {
    const { asked, open } = await serve(({ path }) =>
      path.startsWith('/v3/') ? { status: 404, text: '404 page not found' } : page([]),
    );
    const gateway = open();
    await gateway.range('/s/');
    await gateway.range('/s/');
    const paths = asked.map(({ path }) => path);
    expect(paths).toEqual(['/v3/kv/range', '/v3beta/kv/range', '/v3beta/kv/range']);
  });

  it.each([
    ['switched off', { status: 404, text: '404 page not found' }],
    ['something else answers', { status: 200, text: '<html>' }],
  ])('hands over to gRPC: %s', async (_, reply) => {
    const { open } = await serve(() => reply);
    await expect(open().range('/s/')).rejects.toMatchObject({ name: 'GatewayRefused' });
  });

  it.each([
    ['JSON without a code', { status: 404, json: { error: 'Not Found' } }, 404],
    ['a page', { status: 501, text: '<h1>Unsupported method</h1>' }, 501],
  ])('says that what answers with %s is no etcd', async (_, reply, status) => {
    const { open } = await serve(() => reply);
    const error = await open()
      .range('/s/')
      .catch((problem: unknown) => problem as Error);
    expect(error).toMatchObject({ ending: 'unreachable' });
    expect((error as Error).message).toContain(
      `it answers HTTP ${status}, but does not answer as etcd does: is the address right?`,
    );
  });

  it('hands over to gRPC when no HTTP/1.1 is spoken', async () => {
    const server = net.createServer((socket) => socket.end('\0\0\u0012\u0004 settings'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { open } = await serve(() => page([]));
    const { port } = server.address() as net.AddressInfo;
    const endpoints: Endpoint[] = [{ protocol: 'http', host: '127.0.0.1', port }];
    const reading = open({ endpoints }).range('/s/');
    await expect(reading).rejects.toMatchObject({ name: 'GatewayRefused' });
    server.close();
  });

  it('hands over to gRPC only with a certificate that could help', async () => {
    const { open } = await serve(() => refused(400, 3, 'etcdserver: user name is empty'));
    await expect(open({ cert: 'PEM' }).range('/s/')).rejects.toMatchObject({
      name: 'GatewayRefused',
    });
    await expect(open().range('/s/')).rejects.toMatchObject({ code: 'dcs_login_missing' });
  });

  const login = { username: 'patroni', password: 'secret' };

  it('logs in once for several calls', async () => {
    const { asked, open } = await serve(({ path }) =>
      path.endsWith('authenticate') ? { status: 200, json: { token: 't1' } } : page([]),
    );
    const gateway = open(login);
    await gateway.range('/s/');
    await gateway.range('/s/');
    expect(asked.map(({ path, token }) => [path, token])).toEqual([
      ['/v3/auth/authenticate', undefined],
      ['/v3/kv/range', 't1'],
      ['/v3/kv/range', 't1'],
    ]);
    expect(asked[0]?.body).toEqual({ name: 'patroni', password: 'secret' });
  });

  it('logs in again once when the token is unknown, and no more', async () => {
    const { asked, open } = await serve(({ path }) =>
      path.endsWith('authenticate')
        ? { status: 200, json: { token: 'old' } }
        : refused(401, 16, 'etcdserver: invalid auth token'),
    );
    await expect(open(login).range('/s/')).rejects.toMatchObject({ ending: 'error' });
    expect(asked.map(({ path }) => path.split('/').at(-1))).toEqual([
      ...['authenticate', 'range', 'authenticate', 'range'],
    ]);
  });

  it('goes on without a login that is not asked for', async () => {
    const { asked, open } = await serve(({ path }) =>
      path.endsWith('authenticate')
        ? refused(400, 9, 'etcdserver: authentication is not enabled')
        : page([]),
    );
    const gateway = open(login);
    await gateway.range('/s/');
    await gateway.range('/s/');
    expect(asked).toHaveLength(3);
    expect(asked[2]?.token).toBeUndefined();
  });

  it('names the refused user, and never the password', async () => {
    const { open } = await serve(() =>
      refused(400, 3, 'etcdserver: authentication failed, invalid user ID or password'),
    );
    const error: unknown = await open(login)
      .range('/s/')
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      ending: 'error',
      message: 'etcd refused the login as user "patroni": wrong user name or password',
    });
    expect(JSON.stringify(error)).not.toContain('secret');
  });

  it('tells TLS from a server that is down', async () => {
    const text = 'Client sent an HTTP request to an HTTPS server.\n';
    const { open } = await serve(() => ({ status: 400, text }));
    await expect(open().range('/s/')).rejects.toMatchObject({
      ending: 'unreachable',
      message: expect.stringContaining('it requires TLS but is configured as http') as string,
    });
  });

  it('asks again during an election', async () => {
    const { open } = await serve((_, nth) =>
      nth === 1 ? refused(503, 14, 'etcdserver: leader changed') : page([kv('/s/a', '1')]),
    );
    expect((await open().range('/s/')).kvs).toHaveLength(1);
  });
});
