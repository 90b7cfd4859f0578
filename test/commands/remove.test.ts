import { beforeEach, describe, expect, test } from 'vitest';
import { chunks } from '../../src/dcs/keyed/remove-keys.js';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import {
  quickClock,
  recorded,
  runFake,
  type FakeCluster,
  type FakeRun,
} from '../support/fake-world.js';

let cluster: FakeCluster & { dcs: ReturnType<typeof memoryStore> };
const run = (...args: string[]): Promise<FakeRun> => runFake(cluster, ['remove', ...args]);
const SURE = ['--confirm-name', 'demo', '--confirm-leader', 'pg2', '--yes'];
const left = async (): Promise<string[]> =>
  (await cluster.dcs.range('/service/')).kvs.map(({ key }) => key);

const NEIGHBOURS = {
  '/service/demo2/leader': 'x',
  '/service/demo-old/members/a': '{}',
  '/service/dem/leader': 'y',
  '/service/demo/notes/todo': 'not a key of Patroni',
};

beforeEach(() => {
  const { keys } = recorded('on');
  const dcs = memoryStore({ ...keys, ...NEIGHBOURS });
  cluster = { keys, dcs, clock: quickClock() };
});

test('removes exactly the cluster, in one transaction', async () => {
  const own = Object.keys(cluster.keys).length;
  const done = await run('demo', ...SURE);
  expect(done.code, done.err).toBe(0);
  expect(done.out).toContain('| pg2 ');
  expect(done.out.endsWith(`Success: ${own} keys of demo removed\n`)).toBe(true);
  expect(done.err).toBe("kept, because they are not Patroni's keys: /service/demo/notes/todo\n");
  expect(await left()).toEqual(Object.keys(NEIGHBOURS).sort());
  expect(cluster.dcs.calls.filter((call) => call === 'txn')).toHaveLength(1);
});

test('--compat prints what patronictl prints: the table', async () => {
  const { out } = await runFake(cluster, ['--compat', 'remove', 'demo', ...SURE]);
  expect(out).not.toContain('Success');
});

test.each([
  [
    ['--confirm-name', 'demo2', '--confirm-leader', 'pg2', '--yes'],
    'Cluster names specified do not match',
  ],
  [
    ['--confirm-name', 'demo', '--confirm-leader', 'pg1', '--yes'],
    'You did not specify the current leader of the cluster',
  ],
])('%j is exit 1, nothing removed', async (args, words) => {
  const before = await left();
  const done = await run('demo', ...args);
  expect([done.code, done.err]).toEqual([1, `Error: ${words}\nnothing was removed\n`]);
  expect(await left()).toEqual(before);
});

test.each([0, 2, 4])(
  'without a terminal every answer has to be given (%i left out)',
  async (at) => {
    const some =
      at === 4 ? SURE.slice(0, 4) : SURE.filter((_, index) => index !== at && index !== at + 1);
    const done = await run('demo', ...some);
    expect(done.code).toBe(2);
    expect(await left()).toContain('/service/demo/leader');
  },
);

test("patronictl's three questions", async () => {
  cluster.answers = ['demo', 'Yes I am aware', 'pg2'];
  const done = await run('demo');
  expect(done.code).toBe(0);
  // At 80 columns a question may take two lines.
  expect(done.err.replace(/\n {2}(?=[a-z"])/g, ' ')).toContain(
    'Please confirm the cluster name to remove: ' +
      'You are about to remove all information in DCS for demo, please type: "Yes I am aware": ' +
      'This cluster currently is healthy. Please specify the leader name to continue: ',
  );
  expect(await left()).not.toContain('/service/demo/leader');
});

test('the second answer has to be exact', async () => {
  cluster.answers = ['demo', 'yes I am aware'];
  const done = await run('demo');
  expect([done.code, done.err.includes('You did not exactly type "Yes I am aware"')]).toEqual([
    1,
    true,
  ]);
});

test('without a leader the third question is not asked', async () => {
  cluster.dcs.remove('/service/demo/leader');
  expect((await run('demo', '--confirm-name', 'demo', '--yes')).code).toBe(0);
});

test('an unknown cluster is exit 1', async () => {
  const done = await run('demi', '--confirm-name', 'demi', '--yes');
  expect([done.code, done.err.includes('no cluster "demi"')]).toEqual([1, true]);
});

/** Another client writes between the reading and the transaction. */
function meanwhile(change: () => void): void {
  const { dcs } = cluster;
  cluster.dcs = {
    ...dcs,
    txn: (...args) => {
      change();
      return dcs.txn(...args);
    },
  };
}

describe('what happens in the meantime', () => {
  test('another leader: refused, nothing removed, the leader is named', async () => {
    meanwhile(() => cluster.dcs.put('/service/demo/leader', 'pg1'));
    const done = await run('demo', ...SURE);
    expect(done.code).toBe(1);
    expect(done.err).toContain('the cluster has changed since it was shown; nothing was removed');
    expect(done.err).toContain('DCS /service/demo/leader: is pg1 now');
    expect(await left()).toContain('/service/demo/config');
  });

  test('a leader where there was none: refused', async () => {
    cluster.dcs.remove('/service/demo/leader');
    meanwhile(() => cluster.dcs.put('/service/demo/leader', 'pg1'));
    expect((await run('demo', '--confirm-name', 'demo', '--yes')).code).toBe(1);
  });

  test('heartbeats do not prevent it', async () => {
    meanwhile(() => {
      cluster.dcs.put('/service/demo/members/pg1', '{}');
      cluster.dcs.put('/service/demo/status', '{}');
    });
    expect((await run('demo', ...SURE)).code).toBe(0);
  });

  test('members that live come back, and it is said', async () => {
    cluster.clock = quickClock(() => cluster.dcs.put('/service/demo/members/pg1', '{}'));
    const done = await run('demo', ...SURE);
    expect(done.code).toBe(0);
    expect(done.err).toContain(
      'warning: pg1 still runs and has written its keys again: stop Patroni first\n',
    );
  });

  test('several of them', async () => {
    cluster.clock = quickClock(() => {
      for (const name of ['pg1', 'pg3']) cluster.dcs.put(`/service/demo/members/${name}`, '{}');
    });
    expect((await run('demo', ...SURE)).err).toContain(
      'warning: pg1, pg3 still run and have written their keys again: stop Patroni first\n',
    );
  });
});

describe('Citus', () => {
  beforeEach(() => {
    const keys = Object.fromEntries(
      Object.entries(cluster.keys).flatMap(([key, value]) =>
        ['0', '1'].map((group) => [key.replace('/demo/', `/demo/${group}/`), value]),
      ),
    );
    cluster = { keys, dcs: memoryStore(keys), clock: quickClock() };
  });

  test('wants the group', async () => {
    const done = await run('demo', ...SURE);
    expect([done.code, done.err]).toEqual([
      1,
      'Error: For Citus clusters the --group must me specified\ngroups: 0, 1\n',
    ]);
  });

  test('removes this group only', async () => {
    expect((await run('demo', '--group', '1', ...SURE)).code).toBe(0);
    const keys = await left();
    expect(keys.filter((key) => key.startsWith('/service/demo/1/'))).toEqual([]);
    expect(keys).toContain('/service/demo/0/leader');
  });
});

test('more keys than one transaction takes: the guards go with the last one', () => {
  const members = Array.from({ length: 200 }, (_, index) => `/s/demo/members/m${index}`);
  const parts = chunks('/s/demo/', ['/s/demo/config', '/s/demo/leader', ...members]);
  expect(parts.map((part) => part.length)).toEqual([74, 128]);
  expect(parts[1]?.slice(-2)).toEqual(['/s/demo/config', '/s/demo/leader']);
});

test('an etcd that is silent after the removal does not change its success: exit 0, and a note', async () => {
  const { dcs } = cluster;
  const txn = dcs.txn.bind(dcs);
  dcs.txn = async (...args) => {
    const outcome = await txn(...args);
    dcs.failNext('unreachable', 'range');
    return outcome;
  };
  const done = await run('demo', ...SURE);
  expect(done.code, done.err).toBe(0);
  expect(done.err).toContain('could not check whether members still run');
});

test('an etcd that goes away between two transactions is exit 4: part of it is gone', async () => {
  for (let at = 0; at < 130; at += 1) cluster.dcs.put(`/service/demo/members/x${at}`, '{}');
  const { dcs } = cluster;
  const txn = dcs.txn.bind(dcs);
  dcs.txn = async (...args) => {
    const outcome = await txn(...args);
    dcs.failNext('unreachable', 'txn');
    return outcome;
  };
  const done = await run('demo', ...SURE);
  expect(done.code).toBe(4);
  expect(done.err).toMatch(/Error: \d+ of \d+ keys were removed; /);
  expect(await left()).toContain('/service/demo/leader');
});
