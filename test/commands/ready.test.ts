/** `ready` by two addresses, without a DCS: what it says of each pair of answers. */
import { describe, expect, test } from 'vitest';
import type { JsonObject, Reading, RestStatus } from '../../src/cluster/model/model.js';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import { recorded, runFake, UNREACHABLE, type FakeCluster } from '../support/fake-world.js';

const LEADER: JsonObject = {
  state: 'running',
  role: 'primary',
  xlog: { location: 5_000_000 },
  patroni: { name: 'pg1', scope: 'demo' },
};
const REPLICA: JsonObject = {
  state: 'running',
  role: 'replica',
  xlog: { received_location: 5_000_000, replayed_location: 4_000_000 },
  replication_state: 'streaming',
  patroni: { name: 'pg2', scope: 'demo' },
};

/** The member at one URL, compared with the leader at the other. */
async function ready(member: JsonObject, leader: JsonObject | null, ...args: string[]) {
  return readyBy(200, member, leader, ...args);
}

async function readyBy(
  status: number,
  member: JsonObject,
  leader: JsonObject | null,
  ...args: string[]
) {
  const urls = ['--member-url', 'http://member:8008', '--leader-url', 'http://leader:8008'];
  const answers: Record<string, JsonObject | null> = {
    'http://member:8008': member,
    'http://leader:8008': leader,
  };
  const cluster = {
    keys: {},
    call: (_: string, url: string) => {
      const json = answers[url] ?? null;
      if (json === null) return Promise.resolve({ kind: 'not_sent', reason: 'refused' } as const);
      const answer = { status, body: JSON.stringify(json), json };
      return Promise.resolve({ kind: 'answered', answer } as const);
    },
  };
  const { code, out, err } = await runFake(cluster, ['ready', 'pg2', ...urls, ...args]);
  return { code, said: (out || err).trim() };
}

test('behind by what it has not replayed, or with --mode write not received', async () => {
  expect(await ready(REPLICA, LEADER)).toEqual({
    code: 1,
    said: 'not ready: pg2 is 1000000 bytes behind',
  });
  expect(await ready(REPLICA, LEADER, '--max-lag', '1MB')).toEqual({
    code: 0,
    said: 'pg2 is ready',
  });
  expect(await ready(REPLICA, LEADER, '--max-lag', '999999')).toMatchObject({ code: 1 });
  expect(await ready(REPLICA, LEADER, '--mode', 'write')).toMatchObject({ code: 0 });
});

test('another status than 200 is not the answer of Patroni: unknown', async () => {
  expect(await readyBy(503, REPLICA, LEADER, '--max-lag', '1GB')).toEqual({
    code: 3,
    said: "Error: http://member:8008 is not Patroni's REST API: HTTP 503",
  });
});

test('not ready without streaming, whatever it has', async () => {
  const alone = { ...REPLICA, replication_state: 'in archive recovery' };
  expect(await ready(alone, LEADER, '--max-lag', '1GB')).toEqual({
    code: 1,
    said: 'not ready: pg2 does not stream (in archive recovery)',
  });
});

test('a leader is ready, and nothing else will do to compare with', async () => {
  const me = { ...LEADER, patroni: { name: 'pg2', scope: 'demo' } };
  expect(await ready(me, me)).toEqual({ code: 0, said: 'pg2 is ready' });
  const third = { ...REPLICA, patroni: { name: 'pg3', scope: 'demo' } };
  expect(await ready(REPLICA, third, '--max-lag', '1GB')).toEqual({
    code: 1,
    said: 'not ready: http://leader:8008 is not a leader: it belongs to pg3, which is a replica',
  });
  const standbyLeader = { ...third, role: 'standby_leader' };
  expect(await ready(REPLICA, standbyLeader, '--max-lag', '1MB')).toMatchObject({ code: 0 });
});

test('another member, another cluster, no answer', async () => {
  const other = { ...REPLICA, patroni: { name: 'pg9', scope: 'demo' } };
  expect(await ready(other, LEADER)).toMatchObject({
    code: 3,
    said: expect.stringContaining(
      'unknown whether it is ready: http://member:8008 belongs to pg9',
    ) as string,
  });
  const elsewhere = { ...LEADER, patroni: { name: 'pg1', scope: 'prod' } };
  expect(await ready(REPLICA, elsewhere)).toMatchObject({ code: 3 });
  const blind = await ready({ ...REPLICA, xlog: {} }, LEADER);
  expect(blind.code).toBe(3);
  expect(blind.said).toContain('the lag of pg2 is unknown');
  const silent = await ready(REPLICA, null);
  expect(silent.code).toBe(3);
  expect(silent.said).toContain('http://leader:8008 does not answer: refused');
});

describe('by the DCS', () => {
  /** pg2 of the golden cluster `off`, which pg1 leads. */
  const byDcs = async (change: (rest: NonNullable<FakeCluster['rest']>) => void) => {
    const cluster = recorded('off');
    const rest = { ...cluster.rest };
    change(rest);
    const { code, out, err } = await runFake({ ...cluster, rest }, ['ready', 'pg2']);
    return { code, said: (out || err).trim() };
  };
  type Values = Partial<RestStatus>;
  const saying = (
    reading: Reading<RestStatus> | undefined,
    values: Values,
  ): Reading<RestStatus> => {
    if (!reading?.ok) throw new Error('the golden cluster has no such member');
    return { ...reading, value: { ...reading.value, ...values } };
  };

  test('ready, or not', async () => {
    expect(await byDcs(() => undefined)).toEqual({ code: 0, said: 'pg2 is ready' });
    const alone = await byDcs((rest) => {
      rest['pg2'] = saying(rest['pg2'], { replicationState: null });
      rest['pg1'] = saying(rest['pg1'], { replication: [] });
    });
    expect(alone).toEqual({ code: 1, said: 'not ready: pg2 does not stream' });
    const demoted = await byDcs((rest) => {
      rest['pg1'] = saying(rest['pg1'], { location: null, receivedLocation: 1n });
    });
    expect(demoted).toEqual({ code: 1, said: 'not ready: the leader pg1 is replica' });
  });

  test('a member of another cluster is none of an empty name', async () => {
    const run = await runFake(recorded('off'), ['ready', 'pg2', '--cluster', '']);
    expect([run.code, run.out]).toEqual([1, 'not ready: pg2 has no member key\n']);
  });

  test.each(['pg1', 'pg2'])('3 when %s does not answer', async (name) => {
    const run = await byDcs((rest) => (rest[name] = UNREACHABLE));
    expect(run.code).toBe(3);
    expect(run.said).toContain(`${name} is unreachable`);
  });

  test('3 if another member answers in its place, or its position is unknown', async () => {
    const other: Reading<never> = { ok: false, kind: 'misidentified', reason: 'pg9 answers' };
    const wrong = await byDcs((rest) => (rest['pg2'] = other));
    expect(wrong.code).toBe(3);
    expect(wrong.said).toContain('pg2 is unknown (REST pg9 answers)');
    const nowhere = { receivedLocation: 1n, replayedLocation: null };
    const blind = await byDcs((rest) => (rest['pg2'] = saying(rest['pg2'], nowhere)));
    expect(blind.code).toBe(3);
    expect(blind.said).toContain('the lag of pg2 is unknown');
  });
});

test('a refusal of etcd is not an answer: 3', async () => {
  const dcs = memoryStore(recorded('off').keys);
  dcs.failNext('refused');
  const run = await runFake({ ...recorded('off'), dcs }, ['ready', 'pg2']);
  expect([run.code, run.out]).toEqual([3, '']);
  expect(run.err).toContain('etcd denied access');
});
