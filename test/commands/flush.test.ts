import { describe, expect, test } from 'vitest';
import { answered, changeWorld, PREFIX, runIn, type ChangeWorld } from './change-world.js';

const SCHEDULED = '{"leader":"pg1","scheduled_at":"2099-01-01T09:00:00+00:00"}';

test('what to flush is named when it is missing', async () => {
  const run = await runIn(changeWorld(), ['flush', 'demo']);
  expect(run.code).toBe(2);
  expect(run.err).toBe(
    "Error: missing argument 'restart|switchover'\npatctl flush CLUSTER [MEMBERS…] restart|switchover\n",
  );
});

describe('flush switchover', () => {
  test('nothing is pending: said as patronictl says it', async () => {
    const run = await runIn(changeWorld(), ['flush', 'demo', 'switchover']);
    expect([run.code, run.out]).toEqual([0, 'No pending scheduled switchover\n']);
  });

  test('a schedule is deleted over REST, once, and seen to be gone', async () => {
    const world = changeWorld();
    world.dcs.put(`${PREFIX}failover`, SCHEDULED);
    world.answer = () => {
      world.dcs.put(`${PREFIX}failover`, '{}');
      return answered(200, 'scheduled switchover deleted');
    };
    const run = await runIn(world, ['flush', 'demo', 'switchover']);
    expect([run.code, run.out]).toEqual([0, 'Success: scheduled switchover deleted\n']);
    expect(world.sent).toMatchObject([{ method: 'DELETE', path: '/switchover' }]);
  });

  test('an answer without its effect is exit 5', async () => {
    const world = changeWorld();
    world.dcs.put(`${PREFIX}failover`, SCHEDULED);
    world.answer = () => answered(200, 'scheduled switchover deleted');
    expect((await runIn(world, ['flush', 'demo', 'switchover'])).code).toBe(5);
  });

  test('a silent member is skipped; if all are silent, exit 3, and nothing is written', async () => {
    const world = changeWorld();
    world.dcs.put(`${PREFIX}failover`, SCHEDULED);
    world.answer = () => ({ kind: 'not_sent', reason: 'refused' });
    const run = await runIn(world, ['flush', 'demo', 'switchover']);
    expect([run.code, world.sent.length]).toEqual([3, 3]);
    expect(run.err).toContain('--via dcs');
    expect(await world.failoverKey()).toBe(SCHEDULED);
    expect((await runIn(world, ['flush', 'demo', 'switchover', '--via', 'dcs'])).code).toBe(0);
    expect(await world.failoverKey()).toBe('{}');
  });

  test.each([
    [401, 1],
    [404, 1],
    [409, 1],
    [500, 1],
    [501, 1],
    [502, 5],
  ])('HTTP %i, and the schedule stands: exit %i, and sent once', async (status, code) => {
    const world = changeWorld();
    world.dcs.put(`${PREFIX}failover`, SCHEDULED);
    world.answer = () => answered(status, 'no');
    const run = await runIn(world, ['flush', 'demo', 'switchover']);
    expect([run.code, world.sent.length]).toEqual([code, 1]);
    const failed = status === 404 ? 'Failed: no\n' : `status_code=${status}, (no)\n`;
    expect(run.out).toContain(failed);
  });

  test.each([404, 409, 500, 502])('HTTP %i, and it is gone: exit 0', async (status) => {
    const world = changeWorld();
    world.dcs.put(`${PREFIX}failover`, SCHEDULED);
    world.answer = () => {
      world.dcs.put(`${PREFIX}failover`, '{}');
      return answered(status, 'no');
    };
    const run = await runIn(world, ['flush', 'demo', 'switchover']);
    expect([run.code, run.out, world.sent.length]).toEqual([
      0,
      'Success: the scheduled switchover is gone from /failover\n',
      1,
    ]);
  });

  test('a left-over request is cleared with --stuck only, if it is still the same', async () => {
    const world = changeWorld();
    world.dcs.put(`${PREFIX}failover`, '{"leader":"pg9"}');
    const without = await runIn(world, ['flush', 'demo', 'switchover']);
    expect(without.code).toBe(0);
    expect(without.err).toContain('--stuck');
    const asked = await runIn(world, ['flush', 'demo', 'switchover', '--stuck'], {
      typed: ['y'],
      onErr: () => world.dcs.put(`${PREFIX}failover`, '{"leader":"pg8"}'),
    });
    expect(asked.code).toBe(1);
    expect(await world.failoverKey()).toBe('{"leader":"pg8"}');
    const forced = await runIn(world, ['flush', 'demo', 'switchover', '--stuck', '--force']);
    expect(forced.code).toBe(0);
    expect(await world.failoverKey()).toBe('{}');
  });
});

/** As Patroni does it: every member forgets what it had scheduled. */
function withdraw({ rest }: ChangeWorld): void {
  for (const [name, reading] of Object.entries(rest)) {
    if (!reading.ok) continue;
    rest[name] = { ...reading, value: { ...reading.value, scheduledRestart: null } };
  }
}

describe('flush restart', () => {
  test('members without a schedule are said, others asked', async () => {
    const world = changeWorld('scheduled-restart');
    world.answer = () => {
      withdraw(world);
      return answered(200, 'scheduled restart deleted');
    };
    const run = await runIn(world, ['flush', 'demo', 'restart', '--force']);
    expect(run.code).toBe(0);
    expect(run.out).toMatch(/^Success: flush scheduled restart for member pg\d$/m);
    expect(run.out).toMatch(/^No scheduled restart for member pg\d$/m);
    expect(world.sent).toMatchObject([{ method: 'DELETE', path: '/restart' }]);
  });

  test.each([
    [200, 5],
    [401, 1],
    [404, 1],
    [500, 1],
    [502, 5],
  ])('HTTP %i, and it is still scheduled: exit %i', async (status, code) => {
    const world = changeWorld('scheduled-restart');
    world.answer = () => answered(status, 'so');
    const run = await runIn(world, ['flush', 'demo', 'restart', '--force']);
    expect([run.code, world.sent.length]).toEqual([code, 1]);
    expect(run.out).toMatch(/^Failed: flush scheduled restart for member pg\d, status code=/m);
  });

  test.each([404, 500, 502])('HTTP %i, and it is gone: exit 0', async (status) => {
    const world = changeWorld('scheduled-restart');
    world.answer = () => {
      withdraw(world);
      return answered(status, 'no restarts are scheduled');
    };
    expect((await runIn(world, ['flush', 'demo', 'restart', '--force'])).code).toBe(0);
  });

  test('an unknown name is exit 1', async () => {
    const world = changeWorld('scheduled-restart');
    expect((await runIn(world, ['flush', 'demo', 'pg9', 'restart', '--force'])).code).toBe(1);
  });

  test('what is neither restart nor switchover is a usage error', async () => {
    expect((await runIn(changeWorld(), ['flush', 'demo', 'everything'])).code).toBe(2);
    expect((await runIn(changeWorld(), ['flush', 'demo', 'restart'])).code).toBe(2);
  });
});
