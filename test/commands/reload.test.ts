import { beforeEach, expect, test } from 'vitest';
import { answer, fakeMembers, lost, type FakeMembers } from '../support/fake-members.js';
import { quickClock, runFake, UNREACHABLE, type FakeRun } from '../support/fake-world.js';

let fake: FakeMembers;
const run = (...args: string[]): Promise<FakeRun> => runFake(fake.cluster, args);
const lines = ({ out }: FakeRun): string[] =>
  out
    .trimEnd()
    .split('\n')
    .filter((line) => !/^[+|]/.test(line));

beforeEach(() => {
  fake = fakeMembers('on');
  for (const name of ['pg1', 'pg2', 'pg3']) fake.answers[name] = answer(202, 'reload scheduled');
});

test("patronictl's lines, with the cluster's loop_wait", async () => {
  fake.set('config', (value) => (value['loop_wait'] = 7));
  fake.answers['pg1'] = answer(200);
  const done = await run('reload', 'demo', '--force');
  expect([done.code, lines(done)]).toEqual([
    0,
    [
      'No changes to apply on member pg1',
      'Reload request received for member pg2 and will be processed within 7 seconds',
      'Reload request received for member pg3 and will be processed within 7 seconds',
    ],
  ]);
  expect(fake.sent.map(({ to, request }) => `${to} ${request}`)).toEqual([
    'pg1 POST /reload',
    'pg2 POST /reload',
    'pg3 POST /reload',
  ]);
});

test.each([
  [answer(403, 'no'), 1, 'status code=403, (no)'],
  [answer(500, 'boom'), 5, 'status code=500, (boom)'],
  [lost, 5, 'the answer was lost: socket hang up'],
] as const)('%j is not exit 0', async (outcome, code, words) => {
  fake.answers['pg1'] = outcome;
  const done = await run('reload', 'demo', 'pg1', '--force');
  expect([done.code, lines(done)]).toEqual([code, [`Failed: reload for member pg1, ${words}`]]);
});

test('an unreachable member is named, the others are reloaded', async () => {
  fake.cluster.rest = { ...fake.cluster.rest, pg2: UNREACHABLE };
  const done = await run('reload', 'demo', '--force');
  expect([done.code, fake.sent.length]).toEqual([4, 2]);
  expect(done.err).toContain('pg2');
});

test('one question', async () => {
  fake.cluster.answers = ['n'];
  const done = await run('reload', 'demo', 'pg1');
  expect([done.code, done.err]).toEqual([
    1,
    'Are you sure you want to reload members pg1? [y/N]: Error: Aborted reload\n',
  ]);
});

test('--wait is over after a whole loop, and tells of a pending restart', async () => {
  fake.cluster.clock = quickClock((nowMs) =>
    fake.says('pg1', (value) => {
      value['dcsLastSeen'] = Math.floor(nowMs / 2000);
      value['pendingRestart'] = true;
      value['pendingRestartReason'] = { max_connections: {} };
    }),
  );
  const done = await run('reload', 'demo', 'pg1', '--force', '--wait');
  expect([done.code, done.err]).toEqual([0, 'pg1 has a restart pending for max_connections\n']);
});

test('--wait on a member that does not loop is exit 5', async () => {
  const done = await run('reload', 'demo', 'pg1', '--force', '--wait');
  expect([done.code, done.err.includes('has not completed its loop')]).toEqual([5, true]);
});
