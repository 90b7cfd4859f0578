/** etcd's addresses out of service records: Patroni's names, in Patroni's order, within the deadline. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { discoverEtcd } from '../../src/dcs/etcd3/srv.js';
import { ToolError } from '../../src/errors.js';
import { startDns, type DnsServer, type Service } from '../support/dns-server.js';
import { runInProcess } from '../support/in-process.js';

const DOMAIN = 'lab.example';
const LIMIT_MS = 20_000;
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function dns(services: Record<string, Service[]> | null): Promise<DnsServer> {
  const server = await startDns(services);
  closing.push(() => server.close());
  return server;
}

/** `http://a:1 https://b:2` */
async function found(services: Record<string, Service[]>, suffix: string | null = null) {
  const { resolveSrv } = await dns(services);
  const endpoints = await discoverEtcd({ domain: DOMAIN, suffix }, LIMIT_MS, resolveSrv);
  return endpoints.map(({ protocol, host, port }) => `${protocol}://${host}:${port}`).join(' ');
}

const name = (service: string) => `_etcd${service}._tcp.${DOMAIN}`;
const at = (host: string, port: number, priority = 0) => ({ host, port, priority });

async function failure(run: Promise<unknown>): Promise<ToolError> {
  const error = await run.catch((caught: unknown) => caught);
  if (!(error instanceof ToolError)) throw new Error('it did not fail as it should');
  return error;
}

describe('what the DNS says', () => {
  test('every address, the lowest priority first', async () => {
    const all = [at('c.example', 3, 20), at('a.example', 1, 5), at('b.example', 2, 10)];
    expect(await found({ [name('-client')]: all })).toBe(
      'http://a.example:1 http://b.example:2 http://c.example:3',
    );
  });

  test('the first service that has records counts, and names the protocol', async () => {
    const order = ['-client-ssl', '-client', '-ssl', ''];
    for (const [i, service] of order.entries()) {
      const left = order
        .slice(i)
        .map((one, j) => [name(one), [at('a', i + j)]] as [string, Service[]]);
      const protocol = service.includes('-ssl') ? 'https' : 'http';
      expect(await found(Object.fromEntries(left))).toBe(`${protocol}://a:${i}`);
    }
  });

  test('with a suffix only names that have it', async () => {
    const services = { [name('-client')]: [at('a', 1)], [name('-client-blue')]: [at('b', 2)] };
    expect(await found(services, 'blue')).toBe('http://b:2');
    expect(await found({ [name('-green')]: [at('c', 3)] }, 'green')).toBe('http://c:3');
  });

  test('peers are asked for the addresses of clients', async () => {
    const peer = createServer((request, response) => {
      const clientURLs = ['https://[::1]:2379', 'http://e2.example:4001'];
      const members = [{ clientURLs: clientURLs.slice(0, 1) }, { clientURLs: clientURLs.slice(1) }];
      response.end(request.url === '/members' ? JSON.stringify(members) : 'no');
    });
    peer.listen(0, '127.0.0.1');
    await once(peer, 'listening');
    closing.push(() => void peer.close());
    const { port } = peer.address() as AddressInfo;
    const services = { [name('-server')]: [at('127.0.0.1', 1), at('127.0.0.1', port, 1)] };
    expect(await found(services)).toBe('https://::1:2379 http://e2.example:4001');
  });
});

describe('when it leads nowhere', () => {
  test('no record: unreachable, with every name that was asked for', async () => {
    const { resolveSrv, asked } = await dns({});
    const error = await failure(
      discoverEtcd({ domain: DOMAIN, suffix: null }, LIMIT_MS, resolveSrv),
    );
    expect([error.ending, error.code]).toEqual(['unreachable', 'srv_not_found']);
    expect(error.message).toBe(`DNS has no usable record for etcd: etcd3.srv ${DOMAIN}`);
    const names = ['-client-ssl', '-client', '-ssl', '', '-server-ssl', '-server'].map(name);
    expect(error.evidence).toEqual(
      names.map((subject) => ({ witness: 'DNS', subject, said: 'no such name' })),
    );
    expect([...new Set(asked)].sort()).toEqual([...names].sort());
  });

  test('a silent DNS server costs one deadline', async () => {
    const { resolveSrv } = await dns(null);
    const startedMs = Date.now();
    const error = await failure(discoverEtcd({ domain: DOMAIN, suffix: null }, 1000, resolveSrv));
    expect(new Set(error.evidence.map(({ said }) => said))).toEqual(new Set(['no answer in time']));
    expect(Date.now() - startedMs).toBeLessThan(4000);
  });
});

test('a domain without records is exit 3, and the hosts that are listed too are taken instead', async () => {
  const { resolveSrv } = await dns({});
  const list = async (env: Record<string, string>) =>
    await runInProcess(['list', 'demo', '--timeout', '20'], {
      env: { PATRONI_ETCD3_SRV: DOMAIN, ...env },
      resolveSrv,
    });
  const alone = await list({});
  expect(alone.code).toBe(3);
  expect(alone.err).toMatch(/^Error: DNS has no usable record for etcd: etcd3\.srv lab\.example\n/);
  const listed = await list({ PATRONI_ETCD3_HOSTS: '127.0.0.1:1' });
  expect(listed.code).toBe(3);
  expect(listed.err).toMatch(/^Error: etcd is not reachable \(127\.0\.0\.1:1: /);
});
