import { beforeEach, describe, expect, test } from 'vitest';
import type { CallOutcome } from '../../src/patroni/patroni.js';
import {
  anotherPostmaster,
  answer,
  fakeMembers,
  lost,
  type FakeMembers,
} from '../support/fake-members.js';
import { quickClock, runFake, UNREACHABLE, type FakeRun } from '../support/fake-world.js';

let fake: FakeMembers;
const run = (...args: string[]): Promise<FakeRun> => runFake(fake.cluster, args);
/** stdout below the table. */
const below = ({ out }: FakeRun): string[] =>
  out
    .trimEnd()
    .split('\n')
    .filter((line) => !/^[+|]/.test(line));
const asked = () => fake.sent.map(({ to }) => to);

beforeEach(() => {
  fake = fakeMembers('on');
});

describe('restart', () => {
  test('prints the table, then a line a member; the leader is last', async () => {
    const done = await run('restart', 'demo', '--force');
    expect(done.code).toBe(0);
    expect(done.out.startsWith('+ Cluster: demo ')).toBe(true);
    expect(below(done)).toEqual([
      'Success: restart on member pg1',
      'Success: restart on member pg3',
      'Success: restart on member pg2',
    ]);
    expect(fake.sent[0]).toEqual({ to: 'pg1', request: 'POST /restart', body: {} });
  });

  test('--compat keeps the order of names', async () => {
    await run('--compat', 'restart', 'demo', '--force');
    expect(asked()).toEqual(['pg1', 'pg2', 'pg3']);
  });

  test('options go into the body', async () => {
    const args = ['--pg-version', '15.2', '--timeout', '30', '--force'];
    await run('restart', 'demo', 'pg3', ...args);
    expect(fake.sent).toEqual([
      { to: 'pg3', request: 'POST /restart', body: { postgres_version: '15.2', timeout: '30' } },
    ]);
  });

  test('a mistyped name among good ones: nothing is done', async () => {
    const done = await run('restart', 'demo', 'pg1', 'pg9', '--force');
    expect([done.code, done.out]).toEqual([1, '']);
    expect(done.err).toBe('Error: pg9 is not a member of cluster\nmembers: pg1, pg2, pg3\n');
    expect(fake.sent).toEqual([]);
  });

  test('a role', async () => {
    await run('restart', 'demo', '-r', 'replica', '--force');
    expect(asked()).toEqual(['pg1', 'pg3']);
    const wrong = await run('restart', 'demo', 'pg2', '-r', 'replica', '--force');
    expect([wrong.code, wrong.err.split('\n')[0]]).toEqual([
      1,
      "Error: No 'replica' among provided members",
    ]);
  });

  test('--any restarts one', async () => {
    await run('restart', 'demo', '--any', '--force');
    expect(fake.sent).toHaveLength(1);
  });

  test('--pending restarts only pending members, and does nothing without one', async () => {
    const none = await run('restart', 'demo', '--pending', '--force');
    expect([none.code, none.err]).toEqual([0, 'No member has a restart pending: nothing to do\n']);
    fake.set('members/pg3', (value) => (value['pending_restart'] = true));
    await run('restart', 'demo', '--pending', '--force');
    expect(fake.sent).toEqual([
      { to: 'pg3', request: 'POST /restart', body: { restart_pending: true } },
    ]);
  });

  test.each<[string, CallOutcome, number, string]>([
    [
      '503',
      answer(503, 'reinitialize already in progress'),
      1,
      'status code=503, (reinitialize already in progress)',
    ],
    ['401', answer(401, 'no auth'), 1, 'status code=401, (no auth)'],
    [
      'still starting',
      answer(503, 'postgres is still starting'),
      4,
      'status code=503, (postgres is still starting)',
    ],
    ['a proxy', answer(502, 'bad gateway'), 5, 'status code=502, (bad gateway)'],
  ])('one member, %s', async (_, outcome, code, words) => {
    fake.answers['pg1'] = outcome;
    const done = await run('restart', 'demo', 'pg1', '--force', '--deadline', '2s');
    expect(done.code).toBe(code);
    expect(below(done)).toEqual([`Failed: restart for member pg1, ${words}`]);
  });

  test('409 has its own words', async () => {
    fake.answers['pg1'] = answer(409, 'Another restart is already scheduled');
    const done = await run('restart', 'demo', 'pg1', '--force');
    expect([done.code, below(done)]).toEqual([
      1,
      ['Failed: another restart is already scheduled on member pg1'],
    ]);
  });

  test('conditions that are not satisfied are what was asked for', async () => {
    fake.answers['pg1'] = answer(503, 'restart conditions are not satisfied');
    const done = await run('restart', 'demo', 'pg1', '--pg-version', '9.5.2', '--force');
    expect([done.code, below(done)]).toEqual([
      0,
      ['Failed: restart for member pg1, status code=503, (restart conditions are not satisfied)'],
    ]);
  });

  test('and are not waited for', async () => {
    fake.answers['pg3'] = answer(503, 'restart conditions are not satisfied');
    fake.onCall = (to) => {
      if (to !== 'pg3') restarted(to);
    };
    fake.cluster.clock = quickClock();
    const startedMs = fake.cluster.clock.nowMs();
    const done = await run('restart', 'demo', '--rolling', '--pg-version', '9.5.2', '--force');
    expect([done.code, asked()]).toEqual([0, ['pg3', 'pg1', 'pg2']]);
    expect(fake.cluster.clock.nowMs() - startedMs).toBeLessThan(5000);
  });

  test('the worst of several wins, and every bad one is named', async () => {
    fake.cluster.rest = { ...fake.cluster.rest, pg3: UNREACHABLE };
    const done = await run('restart', 'demo', '--force');
    expect(done.code).toBe(4);
    expect(below(done)).toEqual([
      'Success: restart on member pg1',
      'Failed: restart for member pg3, not sent: connect ECONNREFUSED',
      'Success: restart on member pg2',
    ]);
    expect(done.err).toBe(
      'Error: restart failed on pg3 (done on 2 of 3)\n  member pg3: not sent: connect ECONNREFUSED\n',
    );
  });

  test('no member answers: exit 3, and nothing was sent', async () => {
    fake.cluster.rest = {};
    expect((await run('restart', 'demo', '--force')).code).toBe(3);
    expect(fake.sent).toEqual([]);
  });

  test.each([
    ['restart', 'restart'],
    ['reload', 'reload'],
    ['reinit', 'reinitialize'],
  ])('%s: a 200 of another program, which was not Patroni before either', async (name, word) => {
    fake.cluster.rest = {
      ...fake.cluster.rest,
      pg1: { ok: false, kind: 'invalid', reason: 'HTTP 200' },
    };
    fake.onCall = () => undefined;
    fake.answers['pg1'] = answer(200, '<html>welcome</html>');
    const done = await run(name, 'demo', 'pg1', '--force');
    expect([done.code, fake.sent.length]).toEqual([5, 1]);
    expect(below(done)).toEqual([
      `Unconfirmed: ${word} for member pg1, status code=200, (<html>welcome</html>), ` +
        "which is not Patroni's answer: see what answers at its api_url",
    ]);
  });

  test.each<[string, (to: string) => void, string]>([
    [
      'the same postmaster runs',
      () => undefined,
      'Unconfirmed: restart for member pg1, status code=200, (restarted successfully), ' +
        'but its PostgreSQL (started 2026-11-21 14:26:35.188775+00:00) is still running',
    ],
    [
      'no member answers afterwards',
      (to) => (fake.cluster.rest = { ...fake.cluster.rest, [to]: UNREACHABLE }),
      'Unconfirmed: restart for member pg1, status code=200, (restarted successfully), ' +
        'but it does not answer since then: connect ECONNREFUSED',
    ],
  ])('200 is not a restart: %s', async (_, onCall, line) => {
    fake.onCall = onCall;
    fake.says('pg1', (value) => {
      value['raw'] = { postmaster_start_time: '2026-11-21 14:26:35.188775+00:00' };
    });
    const done = await run('restart', 'demo', 'pg1', '--force');
    expect([done.code, below(done), fake.sent.length]).toEqual([5, [line], 1]);
  });

  test('a lost answer is not asked again: the postmaster tells', async () => {
    fake.answers['pg1'] = lost;
    const before = await run('restart', 'demo', 'pg1', '--force', '--deadline', '5s');
    expect(before.code).toBe(5);
    expect(below(before)[0]).toContain('Unconfirmed: restart for member pg1, the answer was lost');
    expect(fake.sent).toHaveLength(1);
    fake.onCall = (to) => restarted(to);
    const seen = await run('restart', 'demo', 'pg1', '--force', '--deadline', '5s');
    expect([seen.code, below(seen)]).toEqual([0, ['Success: restart on member pg1']]);
  });
});

test('after HTTP 500 the same postmaster is looked at for 5 s, not until the limit', async () => {
  fake.answers['pg1'] = answer(500, 'so');
  let lastMs = 0;
  fake.cluster.clock = quickClock((nowMs) => (lastMs = nowMs));
  const startMs = fake.cluster.clock.nowMs();
  const done = await run('restart', 'demo', 'pg1', '--force');
  expect([done.code, below(done), fake.sent.length]).toEqual([
    5,
    ['Failed: restart for member pg1, status code=500, (so)'],
    1,
  ]);
  expect(done.err).toContain('is still running');
  expect(lastMs - startMs).toBeLessThan(10_000);
  fake.onCall = restarted;
  expect((await run('restart', 'demo', 'pg1', '--force')).code).toBe(0);
});

test('a lost answer stays unconfirmed if the earlier start time is unknown', async () => {
  fake.says('pg1', (value) => (value['raw'] = {}));
  fake.answers['pg1'] = lost;
  fake.onCall = restarted;
  const done = await run('restart', 'demo', 'pg1', '--force', '--deadline', '5s');
  expect([
    done.code,
    done.err.includes('it runs, but possibly without having been restarted'),
  ]).toEqual([5, true]);
});

function restarted(name: string): void {
  fake.says(name, anotherPostmaster);
}

describe('restart --wait', () => {
  test('is done when the member runs and streams again', async () => {
    fake.onCall = restarted;
    expect((await run('restart', 'demo', '--wait', '--force')).code).toBe(0);
  });

  test('a replica that does not stream is exit 4', async () => {
    fake.onCall = (to) => {
      restarted(to);
      fake.says(to, (value) => (value['replicationState'] = 'in archive recovery'));
    };
    const done = await run('restart', 'demo', 'pg1', '--wait', '--force', '--deadline', '5s');
    expect(done.code).toBe(4);
    expect(below(done)).toEqual([
      'Failed: restart for member pg1, restarted, but it in archive recovery',
    ]);
  });

  test('a restart that stays pending is exit 4', async () => {
    fake.onCall = (to) => {
      restarted(to);
      fake.says(to, (value) => (value['pendingRestart'] = true));
    };
    const done = await run('restart', 'demo', 'pg1', '--wait', '--force', '--deadline', '60s');
    expect([done.code, done.err.includes('still has a restart pending')]).toEqual([4, true]);
  });
});

describe('restart --scheduled', () => {
  const at = '2026-11-21T10:00+02:00';
  /** What Patroni does with the request, and says of itself. */
  const obey = () => {
    fake.onCall = (to, request) =>
      fake.says(to, (value) => {
        const { schedule } = fake.sent.at(-1)?.body as { schedule: string };
        value['scheduledRestart'] = request.startsWith('DELETE') ? null : { schedule };
      });
  };

  test('sends the time with its offset, and says it in UTC', async () => {
    fake.answers['pg1'] = answer(202, 'Restart scheduled');
    obey();
    const wrong = await run(
      'restart',
      'demo',
      'pg1',
      '--scheduled',
      '2026-11-21T07:00Z',
      '--force',
    );
    expect([wrong.code, wrong.err.includes('is in the past')]).toEqual([2, true]);
    const done = await run('restart', 'demo', 'pg1', '--scheduled', '2026-11-21T10:00Z', '--force');
    expect([done.code, below(done)]).toEqual([0, ['Success: restart scheduled on member pg1']]);
    expect(done.err).toContain('that is 2026-11-21T10:00:00Z');
    const { schedule } = fake.sent[0]?.body as { schedule: string };
    expect(new Date(schedule).toISOString()).toBe('2026-11-21T10:00:00.000Z');
  });

  test.each([
    [202, 5, 'it has no such restart scheduled'],
    [200, 5, 'it has no such restart scheduled'],
    [500, 1, 'it has no such restart scheduled'],
    [502, 5, 'it has no such restart scheduled'],
    [501, 1, 'status code=501'],
  ])('HTTP %i of which the member shows nothing is exit %i', async (status, code, said) => {
    fake.cluster.clock = quickClock();
    fake.answers['pg1'] = answer(status, 'so');
    const done = await run('restart', 'demo', 'pg1', '--scheduled', '+30m', '--force');
    expect([done.code, fake.sent.length]).toEqual([code, 1]);
    expect(done.err).toContain(said);
  });

  test.each([500, 502])('HTTP %i after which it is scheduled is done', async (status) => {
    fake.answers['pg1'] = answer(status, 'so');
    obey();
    const done = await run('restart', 'demo', 'pg1', '--scheduled', '+30m', '--force');
    expect([done.code, below(done)]).toEqual([0, ['Success: restart scheduled on member pg1']]);
  });

  test('--force takes the scheduled one away first', async () => {
    fake.set('members/pg1', (value) => (value['scheduled_restart'] = { schedule: at }));
    await run('restart', 'demo', 'pg1', '--scheduled', '+30m', '--force');
    expect(fake.sent.map(({ request }) => request)).toEqual(['DELETE /restart', 'POST /restart']);
  });

  test('not in a paused cluster', async () => {
    fake.set('config', (value) => (value['pause'] = true));
    const done = await run('restart', 'demo', 'pg1', '--scheduled', '+30m', '--force');
    expect([done.code, done.err]).toEqual([
      1,
      "Error: Can't schedule restart in the paused state\n",
    ]);
    expect(fake.sent).toEqual([]);
  });
});

describe('questions', () => {
  test('without a terminal none is asked: exit 2 names the way', async () => {
    const done = await run('restart', 'demo');
    expect([done.code, done.err.includes('--force')]).toEqual([2, true]);
    expect(fake.sent).toEqual([]);
  });

  test('in this order; an invalid time or version is asked for again', async () => {
    fake.cluster.answers = ['soon', '', 'y', '9x', ''];
    const done = await run('restart', 'demo', 'pg1', 'pg3');
    expect(done.code).toBe(0);
    expect(done.err).toMatch(
      /^When should the restart take place \(e\.g\. 2026-11-21T\d\d:00\S+ \+30m, now\)\s+\[now\]: Error: "soon"/,
    );
    expect(done.err).toContain('Are you sure you want to restart members pg1, pg3? [y/N]: ');
    expect(done.err).toContain('Error: Invalid PostgreSQL version: 9x\n');
  });

  test('where no member is named one can be chosen, and a wrong name asks again', async () => {
    fake.cluster.answers = ['pg7', 'pg3', '', 'y', ''];
    const done = await run('restart', 'demo');
    expect([done.code, asked()]).toEqual([0, ['pg3']]);
    expect(done.err).toContain('Which member do you want to restart? [all]: ');
    expect(done.err).toContain('Error: "pg7" is not one of: all, pg1, pg2, pg3\n');
  });

  test('no is exit 1', async () => {
    fake.cluster.answers = ['', '', 'n'];
    const done = await run('restart', 'demo');
    expect([done.code, done.err.endsWith('Error: Aborted restart\n')]).toEqual([1, true]);
    expect(fake.sent).toEqual([]);
  });
});

describe.each([
  [['--pg-version', '10'], 'X.Y or X.Y.Z is accepted: 10'],
  [['--pg-version', 'a.b'], 'Invalid PostgreSQL version: a.b'],
  [['--switchover'], '--rolling'],
  [['--rolling', '--scheduled', '+5m'], 'cannot be scheduled'],
  [['--rolling', '--any'], '--any'],
])('%j', (args, words) => {
  test('is exit 2, and nothing is sent', async () => {
    const done = await run('restart', 'demo', '--force', ...args);
    expect([done.code, done.err.includes(words)]).toEqual([2, true]);
    expect(fake.sent).toEqual([]);
  });
});

describe('restart --rolling', () => {
  beforeEach(() => {
    fake.onCall = restarted;
  });

  test('asynchronous, synchronous, primary; the plan is on stderr', async () => {
    const done = await run('restart', 'demo', '--rolling', '--force');
    expect(done.code, done.err).toBe(0);
    expect(asked()).toEqual(['pg3', 'pg1', 'pg2']);
    expect(done.err).toContain('1. restart pg3 (replica)\n2. restart pg1 (synchronous standby)\n');
  });

  test('--dry-run prints the plan and sends nothing', async () => {
    const done = await run('restart', 'demo', '--rolling', '--dry-run');
    expect([done.code, below(done)]).toEqual([
      0,
      [
        '1. restart pg3 (replica)',
        '2. restart pg1 (synchronous standby)',
        '3. restart pg2 (primary, in place)',
      ],
    ]);
    expect(fake.sent).toEqual([]);
  });

  test('nothing is begun when one of them does not answer', async () => {
    fake.cluster.rest = { ...fake.cluster.rest, pg1: UNREACHABLE };
    const done = await run('restart', 'demo', '--rolling', '--force');
    expect([done.code, fake.sent]).toEqual([1, []]);
    expect(done.err).toContain('REST pg1: connect ECONNREFUSED');
  });

  test('stops at the first that does not come back, and says where it stands', async () => {
    fake.onCall = (to) => {
      restarted(to);
      if (to === 'pg1') fake.says(to, (value) => (value['replicationState'] = null));
    };
    const done = await run('restart', 'demo', '--rolling', '--force', '--deadline', '5s');
    expect(done.code).toBe(4);
    expect(asked()).toEqual(['pg3', 'pg1']);
    expect(done.err).toContain(
      'done: restart pg3; not started: restart pg2\n' +
        'when it is repaired, continue with: patctl restart demo pg1 pg2 --rolling\n',
    );
  });

  test('a replica that has not caught up holds the next one', async () => {
    fake.onCall = (to) => {
      restarted(to);
      fake.says(to, (value) => (value['receivedLocation'] = value['replayedLocation'] = 1n));
    };
    const done = await run('restart', 'demo', '--rolling', '--force', '--deadline', '5s');
    expect([done.code, asked()]).toEqual([4, ['pg3']]);
    expect(done.err).toContain('REST pg3: has not caught up');
  });

  test('a refusal before anything was done is exit 1', async () => {
    fake.answers['pg3'] = answer(403, 'not you');
    const done = await run('restart', 'demo', '--rolling', '--force');
    expect([done.code, asked()]).toEqual([1, ['pg3']]);
    expect(done.err).toContain('no step was done before; not started: restart pg1, restart pg2');
    expect(done.err).toContain('continue with: patctl restart demo pg3 pg1 pg2 --rolling\n');
  });

  const NOT = answer(503, 'restart conditions are not satisfied');
  const MOVE = ['restart', 'demo', '--rolling', '--switchover', '--force'];
  const moved = (): boolean => fake.sent.some(({ request }) => request.includes('switchover'));

  test('a member that was not restarted is neither counted nor made leader again', async () => {
    fake.answers['pg3'] = NOT;
    const done = await run('restart', 'demo', '--rolling', '--pg-version', '15.99', '--force');
    expect([done.code, asked()]).toEqual([0, ['pg3', 'pg1', 'pg2']]);
    expect(done.err).toMatch(
      /\nrestarted 2 members in \d.*, skipped 1: pg3 \(restart conditions are not satisfied\)\n$/,
    );
    expect(done.err).toContain('pg3 was not restarted: restart conditions are not satisfied\n');
    expect(done.out).toContain(
      'Skipped: restart on member pg3, restart conditions are not satisfied\n',
    );
    expect(done.out).not.toContain('Failed');
    expect(done.err).not.toContain('pg3 is back');
    expect(done.err).toContain('pg1 is back');
  });

  test('with --pending, a member that another one restarted is said to be skipped, and why', async () => {
    fake.set('members/pg3', (value) => (value['pending_restart'] = true));
    fake.answers['pg3'] = NOT;
    const done = await run('restart', 'demo', '--rolling', '--pending', '--force');
    expect([done.code, below(done)]).toEqual([
      0,
      ['Skipped: restart on member pg3, no restart is pending any more'],
    ]);
    expect(done.err).toContain('skipped 1: pg3 (no restart is pending any more)\n');
  });

  test('the leader is not moved for a restart that it would not be given', async () => {
    for (const name of ['pg1', 'pg2', 'pg3']) fake.answers[name] = NOT;
    fake.onCall = () => undefined;
    const done = await run(...MOVE, '--pg-version', '10.1');
    expect([done.code, asked(), moved()]).toEqual([0, ['pg3', 'pg1'], false]);
    expect(done.err).toContain('pg2 remains the leader: restart conditions are not satisfied\n');
    expect(done.err).toMatch(
      /\nrestarted 0 members in .*, skipped 3: pg3, pg1, pg2 \(restart conditions are not satisfied\)\n$/,
    );
  });

  test('the leader does not move to a member that was not restarted: exit 1', async () => {
    for (const name of ['pg1', 'pg3']) fake.answers[name] = NOT;
    const done = await run(...MOVE, '--pg-version', '15.99');
    expect([done.code, asked(), moved()]).toEqual([1, ['pg3', 'pg1'], false]);
    expect(done.err).toContain(
      'Error: no replica was restarted; the leader is still pg2; stopped\n' +
        'done: pg3 does not need a restart, pg1 does not need a restart; not started: restart pg2\n' +
        'to switch over anyway, name only the leader: patctl restart demo pg2 --rolling --switchover\n',
    );
  });

  test('the condition is part of how to go on', async () => {
    fake.answers['pg1'] = answer(403, 'not you');
    const done = await run('restart', 'demo', '--rolling', '--pg-version', '15.99', '--force');
    expect([done.code, asked()]).toEqual([4, ['pg3', 'pg1']]);
    expect(done.err).toContain(
      'continue with: patctl restart demo pg1 pg2 --rolling --pg-version 15.99\n',
    );
  });

  test('an empty --pg-version counts as absent', async () => {
    const done = await run('restart', 'demo', '--rolling', '--pg-version', '', '--force');
    expect([done.code, fake.sent[0]?.body]).toEqual([0, {}]);
    fake.sent.length = 0;
    const one = await run('restart', 'demo', 'pg1', '--pg-version', '', '--force');
    expect([one.code, fake.sent[0]?.body]).toEqual([0, {}]);
  });
});
