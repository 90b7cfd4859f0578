/** Looking for deleted keys in an etcd that was never compacted: 60,000 revisions, others' and our own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KeyStore } from '../../src/dcs/keyed/key-store.js';
import { openEtcd3 } from '../../src/dcs/etcd3/etcd3.js';
import { openEtcd } from '../../src/dcs/etcd3/open-etcd.js';
import { settingsFor, startEtcd } from './etcd-process.js';
import type { EtcdCluster } from './etcd-process.js';

const MEMBERS = '/service/demo/members/';
const NOISE = 30_000;
const LIMIT_MS = 1000;
/** A limit that is not meant to be reached. */
const AMPLE_MS = 5000;
/** What a busy machine may add: the limit is looked at between reads. */
const SPARE_MS = 1500;

let etcd: EtcdCluster;
/** Over gRPC alone. */
let grpc: KeyStore;
/** As commands use it: etcd's past is read over its gateway. */
let gateway: KeyStore;

/** Every other write is a heartbeat of a member that stays. */
async function noise(count: number): Promise<void> {
  const keys = [`${MEMBERS}stays`, '/service/other/leader'] as const;
  for (let at = 0; at < count; at += 100) {
    const writes = Array.from({ length: 100 }, (_, i) =>
      grpc.txn([], [{ op: 'put', key: keys[i % 2 === 0 ? 0 : 1], value: `${at + i}` }]),
    );
    await Promise.all(writes);
  }
}

beforeAll(async () => {
  etcd = await startEtcd();
  grpc = openEtcd3(settingsFor(etcd.endpoints));
  gateway = openEtcd(settingsFor(etcd.endpoints));
  await etcd.put(`${MEMBERS}long-gone`, 'first');
  await noise(NOISE / 2);
  await etcd.remove(`${MEMBERS}long-gone`);
  await etcd.put(`${MEMBERS}primary`, 'old');
  await noise(NOISE / 2);
  await etcd.put(`${MEMBERS}primary`, 'last');
  await etcd.remove(`${MEMBERS}primary`);
  for (const [name, value] of [
    ['stays', '1'],
    ['brief', 'brief'],
    ['stays', '2'],
  ]) {
    await etcd.put(`/service/quiet/members/${name}`, value ?? '');
  }
  await etcd.remove('/service/quiet/members/brief');
  await etcd.put('/service/quiet/members/stays', '3');
  await noise(NOISE);
}, 120_000);

afterAll(async () => {
  await Promise.all([grpc.close(), gateway.close()]);
  await etcd.stop();
});

describe.each([
  ['over the gateway', () => gateway],
  ['over gRPC', () => grpc],
] as const)('60,000 revisions, %s', (_, opened) => {
  let dcs: KeyStore;
  beforeAll(() => {
    dcs = opened();
  });

  it('finds a member that left 30,000 revisions ago, with its last value, in a fraction of the time', async () => {
    const began = performance.now();
    const { keys } = await dcs.deletedKeys(MEMBERS, { ms: AMPLE_MS }, (found) =>
      found.some(({ key }) => key === `${MEMBERS}primary`),
    );
    expect(performance.now() - began).toBeLessThan(AMPLE_MS / 2);
    expect(keys).toContainEqual({
      key: `${MEMBERS}primary`,
      lastValue: 'last',
      deletedRevision: expect.stringMatching(/^3000\d$/) as unknown,
    });
  });

  it('finds it within a few looks, and takes no more looks than it may', async () => {
    const few = await dcs.deletedKeys(MEMBERS, { ms: AMPLE_MS, looks: 100 });
    expect(few.keys.map(({ key }) => key)).toContain(`${MEMBERS}primary`);
    expect(few.complete).toBe(false);
    // One look is at the last change: nothing that is further away can be found by it.
    const one = await dcs.deletedKeys(MEMBERS, { ms: AMPLE_MS, looks: 1 });
    expect(one.keys.map(({ key }) => key)).not.toContain(`${MEMBERS}primary`);
    expect(one.complete).toBe(false);
  });

  it('finds one that left a moment ago at once', async () => {
    await etcd.put(`${MEMBERS}new`, 'new');
    await etcd.remove(`${MEMBERS}new`);
    const began = performance.now();
    const { keys } = await dcs.deletedKeys(MEMBERS, { ms: AMPLE_MS }, (found) => found.length > 0);
    expect(performance.now() - began).toBeLessThan(AMPLE_MS / 4);
    expect(keys.map(({ key, lastValue }) => [key, lastValue])).toContainEqual([
      `${MEMBERS}new`,
      'new',
    ]);
  });

  it('finds one that was there only briefly before others wrote much', async () => {
    const own = '/service/quiet/members/';
    const { keys } = await dcs.deletedKeys(own, { ms: AMPLE_MS }, (found) => found.length > 0);
    expect(keys.map(({ key, lastValue }) => [key, lastValue])).toEqual([[`${own}brief`, 'brief']]);
  });

  it('ends at the limit with what it has, and says that it has not seen everything', async () => {
    const began = performance.now();
    const { keys, complete } = await dcs.deletedKeys(MEMBERS, { ms: LIMIT_MS });
    expect(performance.now() - began).toBeLessThan(LIMIT_MS + SPARE_MS);
    expect(complete).toBe(false);
    const names = keys.map(({ key }) => key.slice(MEMBERS.length));
    expect(names).toEqual(expect.arrayContaining(['long-gone', 'primary']));
  });

  it('an etcd that freezes in the meantime costs the limit, and what was found by then is kept', async () => {
    const [node] = etcd.nodes;
    const began = performance.now();
    const { keys, complete } = await dcs
      .deletedKeys(MEMBERS, { ms: LIMIT_MS }, (found) => {
        if (found.length === 1) node?.freeze();
        return false;
      })
      .finally(() => node?.thaw());
    const ms = performance.now() - began;
    expect([keys.length > 0, complete]).toEqual([true, false]);
    expect(ms).toBeGreaterThan(LIMIT_MS * 0.9);
    expect(ms).toBeLessThan(LIMIT_MS + SPARE_MS);
  });
});

describe('60,000 revisions, compacted', () => {
  it('comes to the beginning through the noise of others', async () => {
    const own = '/service/quiet/members/';
    const { keys } = await grpc.deletedKeys(own, { ms: AMPLE_MS }, (found) => found.length > 0);
    const lastRevision = BigInt(keys[0]?.deletedRevision ?? '0') - 1n;
    await etcd.ctl('compact', String(lastRevision));
    for (const dcs of [gateway, grpc]) {
      expect(await dcs.deletedKeys(own, { ms: LIMIT_MS })).toEqual({ keys, complete: true });
    }
  });

  it('has seen everything that is left after a compaction', async () => {
    const { revision } = await grpc.range(MEMBERS);
    await etcd.ctl('compact', String(BigInt(revision) - 200n));
    for (const dcs of [gateway, grpc]) {
      const { keys, complete } = await dcs.deletedKeys(MEMBERS, { ms: LIMIT_MS });
      expect([keys.map(({ key }) => key), complete]).toEqual([[`${MEMBERS}new`], true]);
    }
  });
});
