/** Real etcd with logins, permissions, TLS and client certificates. */
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KeyStore } from '../../src/dcs/keyed/key-store.js';
import type { EtcdConnection } from '../../src/dcs/etcd3/etcd-connection.js';
import { openEtcd3 } from '../../src/dcs/etcd3/etcd3.js';
import { openGateway } from '../../src/dcs/etcd3/gateway.js';
import { openEtcd } from '../../src/dcs/etcd3/open-etcd.js';
import { makeAuthority } from './certificates.js';
import type { Authority } from './certificates.js';
import { settingsFor, startEtcd } from './etcd-process.js';
import type { EtcdCluster } from './etcd-process.js';

const DEMO = '/service/demo/';
const SECRET = 'geheim-4711';
const OPENERS: [string, (settings: EtcdConnection) => KeyStore][] = [
  ['gateway', openEtcd],
  ['gRPC', openEtcd3],
];

/** A user that may touch DEMO only, and root, which is needed to switch authentication on. */
async function addUsers(etcd: EtcdCluster): Promise<void> {
  await etcd.put(`${DEMO}leader`, 'a');
  await etcd.ctl('user', 'add', `root:${SECRET}`);
  await etcd.ctl('user', 'grant-role', 'root', 'root');
  await etcd.ctl('role', 'add', 'demo');
  await etcd.ctl('role', 'grant-permission', 'demo', '--prefix=true', 'readwrite', DEMO);
  await etcd.ctl('user', 'add', `patroni:${SECRET}`);
  await etcd.ctl('user', 'grant-role', 'patroni', 'demo');
}

async function failure(call: Promise<unknown>): Promise<Error & { ending?: string }> {
  return call.then(
    () => {
      throw new Error('it worked');
    },
    (error: unknown) => error as Error,
  );
}

/** Everything a person could get to see of an error. */
function visible(error: Error): string {
  return inspect(error, { depth: 5, showHidden: true }) + JSON.stringify(error);
}

describe('with a password', () => {
  let etcd: EtcdCluster;
  const root = ['--user', `root:${SECRET}`];
  const login = { username: 'patroni', password: SECRET };
  beforeAll(async () => {
    etcd = await startEtcd();
    await addUsers(etcd);
  });
  afterAll(() => etcd.stop());

  it.each(OPENERS)(
    'credentials do no harm if the server does not require them (%s)',
    async (_, open) => {
      const dcs = open(settingsFor(etcd.endpoints, login));
      expect((await dcs.range(DEMO)).kvs[0]?.value).toBe('a');
      expect((await dcs.txn([], [{ op: 'put', key: `${DEMO}x`, value: '1' }])).done).toBe(true);
      await dcs.close();
    },
  );

  describe('switched on', () => {
    beforeAll(() => etcd.ctl('auth', 'enable'));
    afterAll(() => etcd.ctl(...root, 'auth', 'disable'));

    it.each(OPENERS)('everything works for the user (%s)', async (_, open) => {
      const dcs = open(settingsFor(etcd.endpoints, login));
      expect((await dcs.range(DEMO)).kvs[0]?.value).toBe('a');
      expect((await dcs.txn([], [{ op: 'put', key: `${DEMO}y`, value: '1' }])).done).toBe(true);
      const watch = dcs.watch(DEMO, '1', new AbortController().signal)[Symbol.asyncIterator]();
      expect((await watch.next()).value).toMatchObject({ type: 'put', kv: { value: 'a' } });
      expect((await dcs.deletedKeys(DEMO, { ms: 2000 })).keys).toEqual([]);
      await dcs.close();
    });

    it.each(OPENERS)('a wrong password is refused and not repeated (%s)', async (_, open) => {
      const password = 'falsch-0815';
      const dcs = open(settingsFor(etcd.endpoints, { ...login, password }));
      const range = await failure(dcs.range(DEMO));
      const write = await failure(dcs.txn([], [{ op: 'put', key: `${DEMO}y`, value: '2' }]));
      await dcs.close();
      for (const error of [range, write]) {
        expect(error).toMatchObject({ ending: 'error', code: 'dcs_login_refused' });
        expect(error.message).toContain('"patroni"');
        expect(visible(error)).not.toContain(password);
      }
    });

    it.each(OPENERS)('a denied prefix is named with the user (%s)', async (_, open) => {
      const dcs = open(settingsFor(etcd.endpoints, login));
      const range = await failure(dcs.range('/service/other/'));
      const write = await failure(
        dcs.txn([], [{ op: 'put', key: '/service/other/x', value: '1' }]),
      );
      const signal = new AbortController().signal;
      const watch = dcs.watch('/service/other/', '1', signal)[Symbol.asyncIterator]();
      const watched = await failure(watch.next());
      await dcs.close();
      for (const error of [range, write, watched]) {
        expect(error).toMatchObject({ ending: 'error', code: 'dcs_permission_denied' });
        expect(error.message).toContain('"patroni"');
        expect(error.message).toContain('/service/other/');
        expect(visible(error)).not.toContain(SECRET);
      }
    });

    it.each(OPENERS)('no credentials: says that a login is required (%s)', async (_, open) => {
      const dcs = open(settingsFor(etcd.endpoints));
      const error = await failure(dcs.range(DEMO));
      await dcs.close();
      expect(error).toMatchObject({ ending: 'error', code: 'dcs_login_missing' });
    });

    it.each(OPENERS)('a token that is no longer valid is replaced (%s)', async (_, open) => {
      const dcs = open(settingsFor(etcd.endpoints, login));
      await dcs.range(DEMO);
      // Switching off forgets every token.
      await etcd.ctl(...root, 'auth', 'disable');
      await etcd.ctl('auth', 'enable');
      expect((await dcs.range(DEMO)).kvs[0]?.value).toBe('a');
      expect((await dcs.txn([], [{ op: 'put', key: `${DEMO}z`, value: '1' }])).done).toBe(true);
      await dcs.close();
    });
  });
});

describe('with TLS', () => {
  let authority: Authority;
  let etcd: EtcdCluster;
  let tls: { ca: string; cert: string; key: string };
  beforeAll(async () => {
    authority = makeAuthority();
    const server = authority.issue('server');
    const client = authority.issue('root');
    tls = { ca: authority.ca, ...client };
    const flags = ['--cert-file', server.cert, '--key-file', server.key];
    flags.push('--trusted-ca-file', authority.ca, '--client-cert-auth');
    etcd = await startEtcd(1, { flags, tls });
    await addUsers(etcd);
  });
  afterAll(async () => {
    await etcd.stop();
    authority.remove();
  });

  function settings(commonName: string, passphrase?: string): EtcdConnection {
    const pair = authority.issue(commonName, passphrase);
    return settingsFor(etcd.endpoints, {
      ca: authority.read(authority.ca),
      cert: authority.read(pair.cert),
      key: authority.read(pair.key),
      keyPassword: passphrase ?? null,
    });
  }

  it.each(OPENERS)('works with a client certificate (%s)', async (_, open) => {
    const dcs = open(settings('someone'));
    expect((await dcs.range(DEMO)).kvs[0]?.value).toBe('a');
    expect((await dcs.txn([], [{ op: 'put', key: `${DEMO}x`, value: '1' }])).done).toBe(true);
    await dcs.close();
  });

  it.each(OPENERS)('works with a locked key (%s)', async (_, open) => {
    const dcs = open(settings('someone', SECRET));
    expect((await dcs.range(DEMO)).kvs[0]?.value).toBe('a');
    await dcs.close();
  });

  it.each(OPENERS)('a wrong passphrase is named, not shown (%s)', async (_, open) => {
    const dcs = open({ ...settings('someone', SECRET), keyPassword: 'falsch-0815' });
    const error = await failure(dcs.range(DEMO));
    await dcs.close();
    expect(error).toMatchObject({ ending: 'error' });
    expect(error.message).toContain('client certificate');
    expect(visible(error)).not.toMatch(/falsch-0815|geheim|BEGIN/);
  });

  it.each(OPENERS)('a server of another authority is not trusted (%s)', async (_, open) => {
    const other = makeAuthority();
    const dcs = open({ ...settings('someone'), ca: other.read(other.ca), timeoutMs: 1000 });
    const error = await failure(dcs.range(DEMO));
    await dcs.close();
    other.remove();
    expect(error).toMatchObject({ ending: 'unreachable' });
    expect(error.message).toMatch(/certificate/);
  });

  it.each(OPENERS)('plain http to a TLS port is told (%s)', async (_, open) => {
    const endpoints = etcd.endpoints.map((e) => ({ ...e, protocol: 'http' }) as const);
    const dcs = open({ ...settings('someone'), endpoints, timeoutMs: 1000 });
    expect(await failure(dcs.range(DEMO))).toMatchObject({ ending: 'unreachable' });
    await dcs.close();
  });

  describe('and the certificate name for a user name', () => {
    beforeAll(() => etcd.ctl('auth', 'enable'));
    afterAll(() => etcd.ctl('auth', 'disable'));

    it('is refused by the gateway', async () => {
      const error = await failure(openGateway(settings('patroni')).range(DEMO));
      expect(error.name).toBe('GatewayRefused');
    });

    it.each(OPENERS)('works anyway (%s)', async (_, open) => {
      const dcs = open(settings('patroni'));
      expect((await dcs.range(DEMO)).kvs[0]?.value).toBe('a');
      expect((await dcs.txn([], [{ op: 'put', key: `${DEMO}y`, value: '1' }])).done).toBe(true);
      const denied = await failure(dcs.range('/service/other/'));
      expect(denied).toMatchObject({ ending: 'error', code: 'dcs_permission_denied' });
      await dcs.close();
    });
  });
});

describe('without the gateway', () => {
  it('reads over gRPC', async () => {
    const etcd = await startEtcd(1, { flags: ['--enable-grpc-gateway=false'] });
    await etcd.put(`${DEMO}leader`, 'a');
    const dcs = openEtcd(settingsFor(etcd.endpoints));
    const { kvs } = await dcs.range(DEMO);
    await dcs.close();
    await etcd.stop();
    expect(kvs.map(({ value }) => value)).toEqual(['a']);
  });
});
