/** Real etcd that is dead, frozen, without majority, or loses answers. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KeyStore, WatchEvent } from '../../src/dcs/keyed/key-store.js';
import type { EtcdConnection } from '../../src/dcs/etcd3/etcd-connection.js';
import { openEtcd3 } from '../../src/dcs/etcd3/etcd3.js';
import { openEtcd } from '../../src/dcs/etcd3/open-etcd.js';
import { ToolError } from '../../src/errors.js';
import { freePort } from '../support/free-port.js';
import { settingsFor, startEtcd } from './etcd-process.js';
import type { EtcdCluster, EtcdNode } from './etcd-process.js';
import { startProxy } from './tcp-proxy.js';
import type { Loss } from './tcp-proxy.js';

const DEMO = '/service/demo/';
/** A deadline of a second, and what a busy machine may add to it. */
const ON_TIME_MS = 2500;
const OPENERS: [string, (settings: EtcdConnection) => KeyStore][] = [
  ['gateway', openEtcd],
  ['gRPC', openEtcd3],
];

async function deadEndpoint() {
  return { protocol: 'http', host: '127.0.0.1', port: await freePort() } as const;
}

/** How a call ends, and after how long. */
async function timed<T>(
  call: () => Promise<T>,
): Promise<{ value?: T; error?: ToolError; ms: number }> {
  const begin = performance.now();
  try {
    const value = await call();
    return { value, ms: performance.now() - begin };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return { error, ms: performance.now() - begin };
  }
}

function node(etcd: EtcdCluster, index: number): EtcdNode {
  const found = etcd.nodes[index];
  if (found === undefined) throw new Error('no such node');
  return found;
}

describe('one endpoint of three', () => {
  let etcd: EtcdCluster;
  beforeAll(async () => {
    etcd = await startEtcd(3);
    await etcd.ctl('put', `${DEMO}leader`, 'a');
  });
  afterAll(() => etcd.stop());

  it.each(OPENERS)('dead costs next to nothing (%s)', async (_, open) => {
    const dcs = open(settingsFor([await deadEndpoint(), ...etcd.endpoints]));
    const { value, ms } = await timed(() => dcs.range(DEMO));
    await dcs.close();
    expect(value?.kvs.map((kv) => kv.value)).toEqual(['a']);
    expect(ms).toBeLessThan(2000);
  });

  it.each(OPENERS)('frozen costs a share of the deadline, once (%s)', async (_, open) => {
    node(etcd, 0).freeze();
    const dcs = open(settingsFor(etcd.endpoints));
    try {
      // With the frozen one as raft leader the others elect first: that is etcd's time, not ours.
      await timed(() => open(settingsFor(etcd.endpoints.slice(1))).range(DEMO));
      const first = await timed(() => dcs.range(DEMO));
      const later = [];
      for (let i = 0; i < 5; i++) later.push((await timed(() => dcs.range(DEMO))).ms);
      const written = await timed(() => dcs.txn([], [{ op: 'put', key: `${DEMO}x`, value: '1' }]));
      expect(first.value?.kvs[0]?.value).toBe('a');
      expect(first.ms).toBeLessThan(ON_TIME_MS);
      // Paid again, it would cost each of them 250 ms.
      expect(Math.min(...later)).toBeLessThan(240);
      expect(written.value?.done).toBe(true);
      expect(written.ms).toBeLessThan(ON_TIME_MS);
    } finally {
      node(etcd, 0).thaw();
      await dcs.close();
    }
  });
});

describe('no endpoint answers', () => {
  it.each(OPENERS)('all dead: unreachable at once, with evidence (%s)', async (_, open) => {
    const endpoints = [await deadEndpoint(), await deadEndpoint()];
    const dcs = open(settingsFor(endpoints));
    const { error, ms } = await timed(() => dcs.range(DEMO));
    const write = await timed(() => dcs.txn([], [{ op: 'put', key: `${DEMO}x`, value: '1' }]));
    await dcs.close();
    expect(error).toMatchObject({
      ending: 'unreachable',
      evidence: endpoints.map(({ port }) => ({
        witness: 'etcd',
        subject: `127.0.0.1:${port}`,
        said: 'connection refused',
      })),
    });
    expect(ms).toBeLessThan(3000);
    expect(write.error?.ending).toBe('unreachable');
  });

  it.each(OPENERS)('all frozen: unreachable within the deadline (%s)', async (_, open) => {
    const etcd = await startEtcd(1);
    node(etcd, 0).freeze();
    const dcs = open(settingsFor([...etcd.endpoints, await deadEndpoint()], { timeoutMs: 1000 }));
    try {
      const { error, ms } = await timed(() => dcs.range(DEMO));
      expect(error?.ending).toBe('unreachable');
      expect(error?.message).toContain('etcd did not answer within 1 s');
      expect(error?.evidence.map(({ said }) => said)).toEqual(['no answer', 'connection refused']);
      expect(ms).toBeGreaterThan(900);
      expect(ms).toBeLessThan(ON_TIME_MS);
      const write = await timed(() => dcs.txn([], [{ op: 'put', key: `${DEMO}x`, value: '1' }]));
      // Nothing was sent, so nothing can have been written.
      expect(write.error?.ending).toBe('unreachable');
      expect(write.ms).toBeLessThan(ON_TIME_MS);
      const watch = dcs.watch(DEMO, '1', new AbortController().signal)[Symbol.asyncIterator]();
      const opened = await timed(() => watch.next());
      expect(opened.error?.ending).toBe('unreachable');
      expect(opened.ms).toBeLessThan(ON_TIME_MS);
    } finally {
      await dcs.close();
      await etcd.stop();
    }
  });
});

describe('without majority', () => {
  let etcd: EtcdCluster;
  beforeAll(async () => {
    etcd = await startEtcd(3);
    await etcd.ctl('put', `${DEMO}leader`, 'a');
    await Promise.all([node(etcd, 1).kill(), node(etcd, 2).kill()]);
  });
  afterAll(() => etcd.stop());

  it.each(OPENERS)('a read ends at its deadline, serializable it answers (%s)', async (_, open) => {
    const dcs = open(settingsFor(etcd.endpoints, { timeoutMs: 1000 }));
    try {
      const strict = await timed(() => dcs.range(DEMO));
      expect(strict.error?.ending).toBe('unreachable');
      expect(strict.ms).toBeLessThan(ON_TIME_MS);
      const stale = await timed(() => dcs.range(DEMO, { serializable: true }));
      expect(stale.value?.kvs.map((kv) => kv.value)).toEqual(['a']);
      expect(stale.ms).toBeLessThan(1000);
      const write = await timed(() => dcs.txn([], [{ op: 'put', key: `${DEMO}x`, value: '1' }]));
      expect(write.error?.ending).toBe('unreachable');
    } finally {
      await dcs.close();
    }
  });
});

describe('a write whose answer is lost', () => {
  const key = `${DEMO}failover`;
  let etcd: EtcdCluster;
  beforeAll(async () => {
    etcd = await startEtcd(1);
  });
  afterAll(() => etcd.stop());

  /** Writes `marker` over the present value of the key, through a proxy that loses it. */
  async function writeThrough(loss: Loss) {
    const proxy = await startProxy(node(etcd, 0).endpoint, loss);
    const dcs = openEtcd(settingsFor([proxy.endpoint], { timeoutMs: 1500 }));
    const direct = openEtcd(settingsFor(etcd.endpoints));
    try {
      await etcd.ctl('put', key, 'before');
      const before = (await direct.range(DEMO)).kvs[0]?.modRevision ?? '0';
      const compares = [{ key, modRevision: before }];
      const op = { op: 'put', key, value: loss.marker } as const;
      const outcome = await timed(() => dcs.txn(compares, [op]));
      const after = (await direct.range(DEMO)).kvs[0];
      return { ...outcome, after, sent: proxy.seen() };
    } finally {
      await dcs.close();
      await direct.close();
      await proxy.close();
    }
  }

  it('was written: found by reading it back, and sent once', async () => {
    const { value, after, sent } = await writeThrough({ marker: 'marker-one', lose: 'answer' });
    expect(value).toEqual({ done: true, revision: after?.modRevision });
    expect(after?.value).toBe('marker-one');
    expect(sent).toBe(1);
  });

  it('was not written: unconfirmed, and not sent again', async () => {
    const { error, after, sent, ms } = await writeThrough({
      marker: 'marker-two',
      lose: 'request',
    });
    expect(error?.ending).toBe('unconfirmed');
    expect(after?.value).toBe('before');
    expect(sent).toBe(1);
    expect(ms).toBeLessThan(3000);
  });

  it('came too late because another writer was first: a conflict', async () => {
    const { value, sent } = await writeThrough({
      marker: 'marker-three',
      lose: 'request',
      meanwhile: () => etcd.put(key, 'theirs'),
    });
    expect(value).toMatchObject({ done: false, current: [{ key, value: 'theirs' }] });
    expect(sent).toBe(1);
  });

  it('was written and overwritten since: not taken for a conflict', async () => {
    const { error, value } = await writeThrough({
      marker: 'marker-four',
      lose: 'answer',
      meanwhile: () => etcd.put(key, 'theirs'),
    });
    expect(value).toBeUndefined();
    expect(error?.ending).toBe('unconfirmed');
  });
});

describe('a watch', () => {
  const running: EtcdCluster[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((etcd) => etcd.stop()));
  });
  async function started(size: number): Promise<EtcdCluster> {
    const etcd = await startEtcd(size);
    running.push(etcd);
    return etcd;
  }

  /** Collects events in the background; `until` resolves once one matches. */
  function collect(dcs: KeyStore, afterRevision: string) {
    const events: WatchEvent[] = [];
    const stop = new AbortController();
    let wake: () => void = () => undefined;
    const over = (async () => {
      for await (const event of dcs.watch(DEMO, afterRevision, stop.signal)) {
        events.push(event);
        wake();
      }
    })();
    const until = async (matches: (event: WatchEvent) => boolean): Promise<void> => {
      while (!events.some(matches)) await new Promise<void>((resolve) => (wake = resolve));
    };
    const end = (): Promise<void> => {
      stop.abort();
      return over;
    };
    return { events, until, end };
  }
  const putOf = (value: string) => (event: WatchEvent) =>
    event.type === 'put' && event.kv.value === value;

  it('survives the death of its server and loses nothing', async () => {
    const etcd = await started(1);
    const dcs = openEtcd(settingsFor(etcd.endpoints, { timeoutMs: 1000 }));
    const watch = collect(dcs, '1');
    await etcd.ctl('put', `${DEMO}leader`, 'a');
    await watch.until(putOf('a'));
    await node(etcd, 0).kill();
    await node(etcd, 0).start();
    await etcd.ctl('put', `${DEMO}leader`, 'b');
    await watch.until(putOf('b'));
    await watch.end();
    await dcs.close();
    const kinds = watch.events.map((event) => (event.type === 'put' ? event.kv.value : event.type));
    expect(kinds).toEqual(['a', 'resync', 'b']);
  });

  it('moves away from a frozen server', async () => {
    const etcd = await started(3);
    const dcs = openEtcd(settingsFor(etcd.endpoints, { timeoutMs: 2000 }));
    const watch = collect(dcs, '1');
    await etcd.ctl('put', `${DEMO}leader`, 'a');
    await watch.until(putOf('a'));
    node(etcd, 0).freeze();
    const frozen = performance.now();
    const others = openEtcd(settingsFor(etcd.endpoints.slice(1), { timeoutMs: 8000 }));
    await others.txn([], [{ op: 'put', key: `${DEMO}leader`, value: 'b' }]);
    await watch.until(putOf('b'));
    const ms = performance.now() - frozen;
    await watch.end();
    node(etcd, 0).thaw();
    await Promise.all([dcs.close(), others.close()]);
    expect(watch.events.map(({ type }) => type)).toContain('resync');
    expect(ms).toBeLessThan(10_000);
  });

  it('stays on a healthy server that has nothing to say', async () => {
    const etcd = await started(1);
    const dcs = openEtcd(settingsFor(etcd.endpoints));
    const watch = collect(dcs, '1');
    await etcd.ctl('put', `${DEMO}leader`, 'a');
    await watch.until(putOf('a'));
    // Longer than three heartbeats.
    await new Promise((resolve) => setTimeout(resolve, 7000));
    await watch.end();
    await dcs.close();
    expect(watch.events.map(({ type }) => type)).toEqual(['put']);
  });
});

describe('a large store', () => {
  let etcd: EtcdCluster;
  beforeAll(async () => {
    etcd = await startEtcd(1);
  });
  afterAll(() => etcd.stop());

  it.each(OPENERS)('6000 keys (%s)', async (_, open) => {
    const dcs = open(settingsFor(etcd.endpoints));
    for (let i = 0; i < 6000; i += 120) {
      const ops = Array.from({ length: 120 }, (_, j) => {
        const key = `/service/fleet/${String(i + j).padStart(5, '0')}`;
        return {
          op: 'put',
          key,
          value: '{"conn_url":"postgres://127.0.0.1:5432/postgres"}',
        } as const;
      });
      await dcs.txn([], ops);
    }
    const { value, ms } = await timed(() => dcs.range('/service/fleet/'));
    await dcs.close();
    expect(value?.kvs).toHaveLength(6000);
    expect(new Set(value?.kvs.map(({ key }) => key)).size).toBe(6000);
    expect(ms).toBeLessThan(ON_TIME_MS);
  });

  it.each(OPENERS)('an answer of more than 4 MiB (%s)', async (_, open) => {
    const dcs = open(settingsFor(etcd.endpoints));
    const value = 'x'.repeat(1024 * 1024);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
      await dcs.txn([], [{ op: 'put', key: `/service/large/${name}`, value }]);
    }
    const { kvs } = await dcs.range('/service/large/');
    await dcs.close();
    expect(kvs.map((kv) => kv.value.length)).toEqual(Array(6).fill(value.length));
  });
});

describe('the process', () => {
  it('ends after close, whatever was going on', async () => {
    const etcd = await startEtcd(1);
    const endpoints = [...etcd.endpoints, await deadEndpoint()];
    const open = new URL('../../src/dcs/etcd3/open-etcd.ts', import.meta.url).href;
    const script = `
      const { openEtcd } = await import(${JSON.stringify(open)});
      const dcs = openEtcd(${JSON.stringify(settingsFor(endpoints))});
      await dcs.range('/service/');
      await dcs.txn([], [{ op: 'put', key: '/service/demo/x', value: '1' }]);
      const watch = dcs.watch('/service/', '1', new AbortController().signal);
      await watch[Symbol.asyncIterator]().next();
      await dcs.deletedKeys('/service/', { ms: 2000 });
      await dcs.close();
      console.log('closed', performance.now());
      process.on('exit', () => console.log('exit', performance.now()));
    `;
    const flags = ['--import', 'tsx', '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)(process.execPath, flags, {
      timeout: 20_000,
    }).finally(() => etcd.stop());
    const [closed, exit] = stdout.split('\n').map((line) => Number(line.split(' ')[1]));
    expect((exit ?? 1e9) - (closed ?? 0)).toBeLessThan(2000);
  });
});
