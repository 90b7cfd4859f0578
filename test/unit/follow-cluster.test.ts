/** followCluster: woken by the DCS and by time; what is silent delays nothing else. */
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Reading, RestStatus, SqlStatus } from '../../src/cluster/model/model.js';
import { pause } from '../../src/clock.js';
import type { Context } from '../../src/context.js';
import type { Dcs } from '../../src/dcs/dcs.js';
import { keyedDcs } from '../../src/dcs/keyed/keyed-dcs.js';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import { ToolError } from '../../src/errors.js';
import { followCluster, type ClusterReading } from '../../src/observe/follow-cluster.js';
import type { Patroni } from '../../src/patroni/patroni.js';
import type { KeptSession, Postgres } from '../../src/postgres/postgres.js';
import { DEAD, OFF, healthy } from './plan-support.js';

const KEYS = {
  '/service/demo/leader': 'pg1',
  '/service/demo/config': '{"ttl":30,"loop_wait":10}',
  ...Object.fromEntries(
    ['pg1', 'pg2'].map((name, at) => [
      `/service/demo/members/${name}`,
      JSON.stringify({
        conn_url: `postgres://10.0.0.1:${5431 + at}/postgres`,
        api_url: `http://10.0.0.1:${7431 + at}/patroni`,
        state: 'running',
        role: at === 0 ? 'primary' : 'replica',
        timeline: 3,
      }),
    ]),
  ),
};

type Rest = (name: string) => Promise<Reading<RestStatus>>;
type Sql = (port: number, kept: KeptSession | undefined) => Promise<Reading<SqlStatus>>;

/** A cluster of two members in memory. */
function world(given: { rest?: Rest; sql?: Sql; dcs?: (dcs: Dcs) => Dcs } = {}) {
  const store = memoryStore(KEYS);
  const real = keyedDcs(store, 'service');
  const dcs = given.dcs?.(real) ?? real;
  const rest: Rest = given.rest ?? ((name) => Promise.resolve(healthy().readings(name).rest));
  const patroni: Partial<Patroni> = { status: ({ name }) => rest(name) };
  const postgres: Partial<Postgres> = {
    hasLogin: given.sql !== undefined,
    status: ({ port }, _, kept) => given.sql?.(port, kept) ?? Promise.resolve(OFF),
  };
  const stop = new AbortController();
  const context = {
    clock: { nowMs: () => Date.now(), wait: pause },
    signal: stop.signal,
    flags: { timeoutMs: 200, compat: false, command: 'record' },
    dcs: () => Promise.resolve(dcs),
    patroni: () => Promise.resolve(patroni),
    postgres: () => Promise.resolve(postgres),
  } as unknown as Context;
  const follow = (intervalMs: number) =>
    followCluster(context, {
      scope: 'demo',
      group: null,
      verify: 'auto',
      serializable: false,
      also: [],
      intervalMs,
    });
  return { store, stop, follow };
}

async function next(follow: AsyncGenerator<ClusterReading>): Promise<ClusterReading> {
  const item = await follow.next();
  if (item.done) throw new Error('it ended');
  return item.value;
}

function snapshot(item: ClusterReading) {
  if ('error' in item) throw item.error;
  return item.snapshot;
}

async function put(store: ReturnType<typeof memoryStore>, key: string, value: string) {
  const modRevision =
    (await store.range('/service/demo/')).kvs.find((kv) => kv.key === key)?.modRevision ?? '0';
  const { done } = await store.txn([{ key, modRevision }], [{ op: 'put', key, value }]);
  if (!done) throw new Error('it was not written');
}

test('a change in the DCS makes a snapshot long before the interval does', async () => {
  const { store, stop, follow } = world();
  const followed = follow(3_600_000);
  const first = snapshot(await next(followed));
  expect(first.cluster.leaderName).toBe('pg1');
  expect(first.members.map(({ rest }) => rest.ok)).toEqual([true, true]);
  const second = next(followed);
  await setImmediate();
  await put(store, '/service/demo/leader', 'pg2');
  const changed = snapshot(await second);
  expect(changed.cluster.leaderName).toBe('pg2');
  expect(changed.previous).toEqual({ ...first, previous: null });
  stop.abort();
  expect((await followed.next()).done).toBe(true);
});

test('a heartbeat wakes nothing', async () => {
  let asked = 0;
  const { store, stop, follow } = world({
    rest: (name) => {
      asked += 1;
      return Promise.resolve(healthy().readings(name).rest);
    },
  });
  const followed = follow(3_600_000);
  await next(followed);
  const second = followed.next();
  await setImmediate();
  const before = asked;
  for (let round = 0; round < 3; round += 1)
    await put(store, '/service/demo/status', `{"optime":${round}}`);
  await pause(150);
  expect(asked).toBe(before);
  stop.abort();
  expect((await second).done).toBe(true);
});

test('a frozen member has one request, and the others are read as often as ever', async () => {
  const asked = { pg1: 0, pg2: 0 };
  let thaw: (reading: Reading<RestStatus>) => void = () => undefined;
  const { stop, follow } = world({
    rest: (name) => {
      asked[name as 'pg1' | 'pg2'] += 1;
      const reading = healthy().readings(name).rest;
      if (name === 'pg1' || asked.pg2 === 1) return Promise.resolve(reading);
      if (asked.pg2 > 2) return Promise.resolve(DEAD);
      return new Promise((resolve) => (thaw = resolve));
    },
  });
  const followed = follow(20);
  const first = snapshot(await next(followed));
  for (let round = 0; round < 5; round += 1) {
    const { members } = snapshot(await next(followed));
    // Its last reading stays.
    expect(members[1]).toBe(first.members[1]);
  }
  expect(asked.pg2).toBe(2);
  expect(asked.pg1).toBeGreaterThanOrEqual(6);
  thaw({ ok: false, kind: 'unreachable', reason: 'no whole answer within 200 ms' });
  const { members } = snapshot(await next(followed));
  expect(members[1]?.rest).toMatchObject({ ok: false, kind: 'unreachable' });
  stop.abort();
});

test('the absence of the DCS is told once, members are read on, and it comes back', async () => {
  let isGone = false;
  const gone = new ToolError('unreachable', 'etcd did not answer');
  const { stop, follow } = world({
    dcs: (dcs) => ({
      ...dcs,
      read: (name, options) => (isGone ? Promise.reject(gone) : dcs.read(name, options)),
      follow: (name) => (isGone ? Promise.reject(gone) : dcs.follow(name)),
    }),
  });
  const followed = follow(10);
  const first = await next(followed);
  expect(first).toMatchObject({ isStale: false });
  isGone = true;
  let item = await next(followed);
  while ('snapshot' in item) item = await next(followed);
  expect(item.error).toBe(gone);
  for (let round = 0; round < 3; round += 1) {
    const stale = await next(followed);
    expect(stale).toMatchObject({ isStale: true });
    const { cluster, members } = snapshot(stale);
    expect(cluster.leaderName).toBe('pg1');
    expect(cluster.cannotTell?.leader).toBe('the DCS does not answer: etcd did not answer');
    expect(members.map(({ rest }) => rest.ok)).toEqual([true, true]);
  }
  isGone = false;
  item = await next(followed);
  while (!('snapshot' in item) || item.isStale) item = await next(followed);
  expect(item.snapshot.cluster.cannotTell).toBeUndefined();
  isGone = true;
  while ('snapshot' in item) item = await next(followed);
  expect(item.error).toBe(gone);
  stop.abort();
});

test('a DCS that falls silent while the members are asked is told before what is stale, each time', async () => {
  const gone = new ToolError('unreachable', 'etcd did not answer');
  let isSlow = false;
  let giveUp: () => void = () => undefined;
  const { stop, follow } = world({
    // The read of the DCS is still under way when its round asks the members.
    rest: async (name) => {
      giveUp();
      await setImmediate();
      return healthy().readings(name).rest;
    },
    dcs: (dcs) => ({
      ...dcs,
      read: (name, options) =>
        isSlow
          ? new Promise((_, reject) => (giveUp = () => reject(gone)))
          : dcs.read(name, options),
    }),
  });
  const followed = follow(20);
  const told: string[] = [];
  for (let round = 0; round < 6; round += 1) {
    const item = await next(followed);
    told.push('error' in item ? item.error.message : item.isStale ? 'stale' : 'fresh');
    if ('snapshot' in item) {
      expect(item.snapshot.cluster.cannotTell !== undefined).toBe(item.isStale);
      isSlow = !item.isStale;
    }
  }
  const silent = ['etcd did not answer', 'stale'];
  expect(told).toEqual(['fresh', ...silent, 'fresh', ...silent]);
  stop.abort();
});

test('a DCS that is absent from the beginning is waited for', async () => {
  let isGone = true;
  const gone = new ToolError('unreachable', 'etcd did not answer');
  const { stop, follow } = world({
    dcs: (dcs) => ({
      ...dcs,
      read: (name, options) => (isGone ? Promise.reject(gone) : dcs.read(name, options)),
    }),
  });
  const followed = follow(10);
  expect(await next(followed)).toMatchObject({ error: gone });
  isGone = false;
  expect(snapshot(await next(followed)).members).toHaveLength(2);
  stop.abort();
});

test('a cluster that the DCS does not have is an error; one that goes is empty', async () => {
  const never = world({ dcs: (dcs) => ({ ...dcs, read: () => Promise.resolve([]) }) });
  await expect(next(never.follow(10))).rejects.toMatchObject({ code: 'unknown_cluster' });
  let isGone = false;
  const { stop, follow } = world({
    dcs: (dcs) => ({
      ...dcs,
      read: (name) => (isGone ? Promise.resolve([]) : dcs.read(name)),
    }),
  });
  const followed = follow(10);
  await next(followed);
  isGone = true;
  const gone = snapshot(await next(followed));
  expect([gone.cluster.members, gone.members, gone.cluster.leaderName]).toEqual([[], [], null]);
  stop.abort();
});

test('a session is kept for the next question, and closed at the end', async () => {
  let closed = 0;
  const sessions = new Set<KeptSession | undefined>();
  const { stop, follow } = world({
    sql: (port, kept) => {
      sessions.add(kept);
      if (kept)
        kept.open ??= {
          login: 'superuser',
          ask: () => Promise.resolve(null),
          close: () => {
            closed += 1;
            kept.open = null;
          },
        };
      return Promise.resolve(healthy().readings(port === 5431 ? 'pg1' : 'pg2').sql);
    },
  });
  const followed = follow(10);
  for (let round = 0; round < 4; round += 1) await next(followed);
  expect(sessions.size).toBe(2);
  expect(closed).toBe(0);
  stop.abort();
  expect((await followed.next()).done).toBe(true);
  expect(closed).toBe(2);
});

test('a login that is refused is not tried at every round', async () => {
  let asked = 0;
  const { stop, follow } = world({
    sql: () => {
      asked += 1;
      return Promise.resolve({ ok: false, kind: 'denied', reason: 'password' });
    },
  });
  const followed = follow(10);
  for (let round = 0; round < 4; round += 1) await next(followed);
  expect(asked).toBe(2);
  stop.abort();
});
