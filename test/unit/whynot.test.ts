import { describe, expect, test } from 'vitest';
import { quorumDocument, survival } from '../../src/cluster/documents/quorum-document.js';
import { whyNot } from '../../src/cluster/documents/why-not-document.js';
import { refusals } from '../../src/cluster/preflight/plan.js';
import type { Plan } from '../../src/cluster/preflight/plan-model.js';
import { AT, DEAD, healthy, plan, unverified, type ProcessEnvironment } from './plan-support.js';

function words(world: ProcessEnvironment): string {
  return survival(world.snapshot).words;
}

function kill(world: ProcessEnvironment, name: string): ProcessEnvironment {
  world.readings(name).rest = DEAD;
  world.readings(name).sql = DEAD;
  return world;
}

describe('survival in words', () => {
  test.each([
    ['off', 'asynchronous, no votes; survives losing the leader and 1 member more'],
    ['on', 'synchronous pg2; survives losing the leader and 0 members more'],
    ['quorum', 'quorum 1 of voters pg2,pg3; survives losing the leader and 0 voters more'],
  ] as const)('mode %s', (mode, wanted) => {
    expect(words(healthy(mode))).toBe(wanted);
  });

  test('quorum 0: one voter may be lost besides', () => {
    const sync = '{"leader":"pg1","sync_standby":"pg2,pg3","quorum":0}';
    expect(words(healthy('quorum', { keys: { sync } }))).toBe(
      'quorum 0 of voters pg2,pg3; survives losing the leader and 1 voter more',
    );
  });

  test('a voter lost: no member can take over', () => {
    expect(words(kill(healthy('quorum'), 'pg3'))).toBe(
      'quorum 1 of voters pg2,pg3; no member can take over if the leader is lost',
    );
  });

  test('what is unknown is not promised', () => {
    expect(words(unverified(healthy('quorum')))).toBe(
      'quorum 1 of voters pg2,pg3; it is unknown whether a member can take over if the leader is lost',
    );
  });

  test('an empty /sync and a standby cluster say so', () => {
    const sync = '{"leader":null,"sync_standby":null}';
    expect(words(healthy('on', { keys: { sync } }))).toMatch(
      /^synchronous mode on, but \/sync is empty; /,
    );
    const standby = { config: { standby_cluster: { host: 'x' } } };
    expect(words(healthy('on', standby))).toMatch(/^standby cluster, no votes; /);
  });

  test('no leader', () => {
    const world = healthy('quorum');
    world.snapshot.cluster.leaderName = null;
    kill(world, 'pg1');
    expect(words(world)).toBe('quorum 1 of voters pg2,pg3; survives losing 0 voters more');
  });
});

describe('quorumDocument', () => {
  test('a lagging voter votes for the one ahead, and would itself lose commits', () => {
    const world = healthy('quorum');
    world.rest('pg3').receivedLocation = world.rest('pg3').replayedLocation = AT - 64n;
    const { members } = quorumDocument(world.snapshot);
    const brief = members.map((m) => [m.name, m.mayWin, m.counted, m.dataLoss.verdict, m.reasons]);
    expect(brief).toEqual([
      ['pg2', 'yes', 2, 'none', []],
      ['pg3', 'no', 1, 'possible', ['pg2 is ahead at 0/5000000', 'has 1 of 2 votes']],
    ]);
  });

  test('4.0.5: the gate of a named candidate shows the bug', () => {
    const { gate } = quorumDocument(healthy('quorum', { version: '4.0.5' }).snapshot);
    expect(gate?.unnamed.refusedByBug405).toBe(false);
    expect(gate?.named.map((one) => [one.passes, one.refusedByBug405])).toEqual([
      ['no', true],
      ['no', true],
    ]);
  });
});

describe('whyNot', () => {
  test('a member behind in the race could still be switched to because the shutdown waits', () => {
    const world = healthy('quorum');
    world.rest('pg3').receivedLocation = world.rest('pg3').replayedLocation = AT - 64n;
    const answer = whyNot(world.snapshot, 'pg3');
    expect([answer.could, answer.switchover?.could, answer.race?.could]).toEqual([
      'yes',
      'yes',
      'no',
    ]);
  });

  test('a leader that is down leaves the race', () => {
    const answer = whyNot(kill(healthy('quorum'), 'pg1').snapshot, 'pg3');
    expect([answer.leaderState, answer.switchover, answer.could]).toEqual(['down', null, 'yes']);
  });

  test.each(['switchover', 'failover'] as const)(
    'two primaries: %s, why-not and quorum agree that commits may be lost',
    (kind) => {
      const world = healthy('quorum');
      world.sql('pg3').inRecovery = false;
      const planned = plan(world, { kind, candidate: 'pg2' });
      expect(planned.dataLoss.verdict).toBe('possible');
      const refusing = ({ checks }: Plan) => refusals({ checks }).map(({ name }) => name);
      expect(refusing(planned)).toEqual(expect.arrayContaining(['leader_alive', 'data_loss']));
      const overridden = { allowDataLoss: true, skipChecks: ['leader_alive'] };
      const both = refusing(plan(world, { kind, candidate: 'pg2', ...overridden }));
      expect(both).not.toContain('leader_alive');
      expect(both).not.toContain('data_loss');
      const answer = whyNot(world.snapshot, 'pg2');
      expect(answer.could).toBe('no');
      const refused = answer.switchover?.steps.filter((step) => step.result === 'refused');
      expect(refused?.map(({ check }) => check)).toEqual(['data_loss', 'leader_alive']);
      expect(quorumDocument(world.snapshot).dataLoss.verdict).toBe('possible');
    },
  );

  test('everything that refuses the switchover is in the answer: a pause requires a candidate', () => {
    const world = healthy('off', { config: { pause: true, standby_cluster: { host: 'far' } } });
    const planned = plan(world, { candidate: 'pg2' });
    expect([planned.refused, whyNot(world.snapshot, 'pg2').could]).toEqual([true, 'no']);
  });

  test('a frozen member would not, by either way', () => {
    const answer = whyNot(kill(healthy('quorum'), 'pg3').snapshot, 'pg3');
    expect([answer.switchover?.could, answer.race?.could]).toEqual(['no', 'no']);
    const refused = answer.switchover?.steps.filter((step) => step.result === 'refused');
    expect(refused?.map(({ check }) => check)).toEqual(['candidate_answers', 'votes', 'data_loss']);
  });
});
