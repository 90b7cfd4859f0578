import { beforeEach, describe, expect, test } from 'vitest';
import { answer, fakeMembers, lost, type FakeMembers } from '../support/fake-members.js';
import { quickClock, runFake, UNREACHABLE, type FakeRun } from '../support/fake-world.js';

let fake: FakeMembers;
const run = (...args: string[]): Promise<FakeRun> => runFake(fake.cluster, ['reinit', ...args]);
const below = ({ out }: FakeRun): string[] =>
  out
    .trimEnd()
    .split('\n')
    .filter((line) => !/^[+|]/.test(line));

beforeEach(() => {
  fake = fakeMembers('on');
});

test('asks the member once', async () => {
  const done = await run('demo', 'pg3', '--force', '--from-leader');
  expect([done.code, below(done)]).toEqual([0, ['Success: reinitialize for member pg3']]);
  const body = { force: true, from_leader: true };
  expect(fake.sent).toEqual([{ to: 'pg3', request: 'POST /reinitialize', body }]);
});

test('200 is not a copy: one that runs on as before is unconfirmed', async () => {
  fake.onCall = () => undefined;
  const done = await run('demo', 'pg3', '--force');
  const line =
    'Unconfirmed: reinitialize for member pg3, status code=200, (restarted successfully), but it is still running';
  expect([done.code, below(done), fake.sent.length]).toEqual([5, [line], 1]);
  fake.onCall = (to) => fake.says(to, (value) => (value['state'] = 'stopping'));
  const begun = await run('demo', 'pg3', '--force');
  expect([begun.code, begun.err]).toEqual([0, 'pg3 is stopping\n']);
});

test('never the leader, never all members by accident', async () => {
  const leader = await run('demo', 'pg2', '--force');
  expect([leader.code, leader.err.split('\n')[0]]).toEqual([
    1,
    'Error: No replica among provided members',
  ]);
  expect((await run('demo', '--force')).code).toBe(2);
  expect(fake.sent).toEqual([]);
});

test('asks for the member when none is named', async () => {
  fake.cluster.answers = ['pg3', 'y'];
  const done = await run('demo');
  expect([done.code, fake.sent.map(({ to }) => to)]).toEqual([0, ['pg3']]);
  expect(done.err).toBe(
    '  pg1  lag 0 B  sync   running\n' +
      '  pg3  lag 0 B  async  running\n' +
      'Which member do you want to reinitialize?: ' +
      'Are you sure you want to reinitialize members pg3? [y/N]: pg3 is being copied\n',
  );
  fake.sent.length = 0;
  fake.cluster.answers = ['', 'pg7'];
  expect((await run('demo')).err).toContain('Error: "pg7" is not one of: pg1, pg3\n');
  expect(fake.sent).toEqual([]);
});

test('a running one is cancelled only on request', async () => {
  fake.answers['pg3'] = answer(503, 'reinitialize already in progress');
  fake.cluster.answers = ['y', 'n'];
  const left = await run('demo', 'pg3');
  expect([left.code, fake.sent.length]).toEqual([1, 1]);
  fake.cluster.answers = ['y', 'y'];
  fake.onCall = () => {
    if (fake.sent.length !== 3) return;
    fake.answers['pg3'] = answer(200);
    fake.says('pg3', (value) => (value['state'] = 'creating replica'));
  };
  const cancelled = await run('demo', 'pg3');
  expect([cancelled.code, below(cancelled)]).toEqual([
    0,
    [
      'Failed: reinitialize for member pg3, status code=503, (reinitialize already in progress)',
      'Success: reinitialize for member pg3',
    ],
  ]);
  expect(fake.sent.map(({ body }) => (body as { force: boolean }).force)).toEqual([
    false,
    false,
    true,
  ]);
});

test('one that would not be cancelled is asked about again, with --force never', async () => {
  fake.answers['pg3'] = answer(503, 'reinitialize already in progress');
  fake.cluster.answers = ['y', 'y', 'y', 'n'];
  const left = await run('demo', 'pg3');
  expect([left.code, fake.sent.length]).toEqual([1, 3]);
  const forced = await run('demo', 'pg3', '--force');
  expect([forced.code, fake.sent.length]).toEqual([1, 4]);
});

test.each([
  [answer(503, 'Cluster has no leader, can not reinitialize'), 1],
  [answer(401), 1],
  [answer(500), 5],
  [lost, 5],
] as const)('%j is exit %i', async (outcome, code) => {
  fake.answers['pg3'] = outcome;
  expect((await run('demo', 'pg3', '--force')).code).toBe(code);
  expect(fake.sent).toHaveLength(1);
});

test('a lost answer is not asked again: the member tells', async () => {
  fake.answers['pg3'] = lost;
  fake.onCall = (to) => fake.says(to, (value) => (value['state'] = 'creating replica'));
  const done = await run('demo', 'pg3', '--force');
  expect([done.code, below(done), fake.sent.length]).toEqual([
    0,
    ['Success: reinitialize for member pg3'],
    1,
  ]);
});

test('a member that does not answer is not asked: exit 3', async () => {
  fake.cluster.rest = { ...fake.cluster.rest, pg3: UNREACHABLE };
  expect((await run('demo', 'pg3', '--force')).code).toBe(3);
  expect(fake.sent).toEqual([]);
});

describe('--wait', () => {
  /** The states that pg3 goes through, one a look. */
  function goes(...states: ((value: Record<string, unknown>) => void)[]): void {
    let at = 0;
    fake.cluster.clock = quickClock(() => {
      const change = states[Math.min(at, states.length - 1)];
      at += 1;
      if (change && fake.sent.length > 0) fake.says('pg3', change);
    });
  }
  const creating = (value: Record<string, unknown>) => {
    Object.assign(value, { state: 'creating replica', replicationState: null });
  };
  const streams = (value: Record<string, unknown>) => {
    Object.assign(value, { state: 'running', replicationState: 'streaming' });
    (value['raw'] as Record<string, unknown>)['postmaster_start_time'] = 'later';
  };
  const gone = (value: Record<string, unknown>) => {
    Object.assign(value, { state: 'stopped', role: 'uninitialized', replicationState: null });
  };

  test('until it streams, showing how far it is', async () => {
    goes(creating, creating, creating, streams);
    const streamedBytes = 20_971_520;
    const backup = { pid: 1, phase: 'streaming database files', totalBytes: 41_943_040 };
    const value = [{ ...backup, streamedBytes, clientAddr: '127.0.0.1' }];
    fake.cluster.sql = {};
    fake.cluster.baseBackups = { ok: true, tookMs: 1, value };
    const done = await run('demo', 'pg3', '--force', '--wait');
    expect([done.code, below(done)]).toEqual([
      0,
      [
        'Success: reinitialize for member pg3',
        'Waiting for reinitialize to complete on: pg3',
        'Reinitialize is completed on: pg3',
      ],
    ]);
    expect(done.err).toContain('pg3 is being copied: 20.0 MiB of 40.0 MiB (50 %)\n');
  });

  test('a copy that fails is exit 4, and nothing is called completed', async () => {
    goes(creating, gone);
    const done = await run('demo', 'pg3', '--force', '--wait');
    expect(done.code).toBe(4);
    expect(done.out).not.toContain('completed');
    expect(done.err).toContain('member pg3: has no data directory: the copy failed');
  });

  test('a member that never begins is exit 5 at the deadline', async () => {
    const done = await run('demo', 'pg3', '--force', '--wait', '--deadline', '30s');
    expect([done.code, done.out.includes('completed')]).toEqual([5, false]);
  });

  test('nothing moving is noticed long before the deadline', async () => {
    goes(creating);
    fake.cluster.sql = {};
    const backup = { pid: 1, phase: 'x', totalBytes: 9, streamedBytes: 1, clientAddr: null };
    fake.cluster.baseBackups = { ok: true, tookMs: 1, value: [backup] };
    const done = await run('demo', 'pg3', '--force', '--wait');
    expect([done.code, done.err.includes('no progress for 5 minutes')]).toEqual([5, true]);
  });
});
