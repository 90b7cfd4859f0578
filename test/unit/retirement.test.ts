/** What a cluster is without a member for good: when `retire` refuses, and what it shows. */
import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/cluster/findings/limits.js';
import { memberLeft } from '../../src/cluster/findings/left.js';
import { planRetirement, type Retirement } from '../../src/cluster/preflight/retirement.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { withoutForGood } from '../../src/cluster/votes/without.js';
import { DEAD, failoverSlot, healthy, type HealthyOptions } from './plan-support.js';
import { cluster, node } from './vote-node.js';

type World = ReturnType<typeof healthy>;
const plan = ({ snapshot }: World, member: string): Retirement => {
  const found = planRetirement(viewOf(snapshot), member);
  if (found === null) throw new Error(`no plan for ${member}`);
  return found;
};
/** 'name result' of each check that is not ok. */
const bad = (world: World, member: string): string[] =>
  plan(world, member)
    .checks.filter(({ result }) => result !== 'ok')
    .map(({ name, result }) => `${name} ${result}`);
const said = (world: World, member: string, name: string): string =>
  plan(world, member).checks.find((check) => check.name === name)?.said ?? '';
const tagged = (mode: 'off' | 'on' | 'quorum', tags: HealthyOptions['tags'] = {}): World =>
  healthy(mode, { tags });

describe('votes', () => {
  test.each([
    ['off', 'pg3', []],
    ['on', 'pg3', []],
    ['on', 'pg2', ['commits warning']],
    ['quorum', 'pg2', []],
  ] as const)('mode %s without %s', (mode, member, wanted) => {
    expect(bad(tagged(mode), member)).toEqual(wanted);
  });

  test('the last member that could take over stays, in every mode', () => {
    const barred = { pg3: { nofailover: true, nosync: true } };
    for (const mode of ['off', 'on', 'quorum'] as const) {
      const world = tagged(mode, barred);
      expect(bad(world, 'pg2'), mode).toContain('votes refused');
      expect(plan(world, 'pg2').refused).toBe(true);
      expect(said(world, 'pg2', 'votes')).toBe(
        'without pg2, no other member could take over from pg1',
      );
      // The member that cannot lead may go.
      expect(plan(world, 'pg3').refused, mode).toBe(false);
    }
  });

  test('a synchronous standby that another one may replace goes; one that none may replace stays', () => {
    expect(said(tagged('on'), 'pg2', 'votes')).toBe('without pg2, pg3 could take over from pg1');
    expect(bad(tagged('on', { pg3: { nosync: true } }), 'pg2')).toContain('votes refused');
  });

  test('the leader stays, and so does every member while no member leads', () => {
    expect(bad(tagged('on'), 'pg1')).toEqual(['role refused']);
    const world = tagged('on');
    world.snapshot.cluster.leaderName = null;
    expect(bad(world, 'pg2')).toEqual(['role refused']);
  });

  test('every member stays while two are primaries', () => {
    const world = tagged('on');
    world.rest('pg2').role = 'primary';
    Object.assign(world.sql('pg2'), { inRecovery: false, currentLsn: 0x5000000n });
    for (const name of ['pg2', 'pg3']) {
      expect(bad(world, name)).toEqual(['role refused']);
      expect(said(world, name, 'role')).toContain('pg2 is a primary beside pg1');
    }
  });

  test('where no member could take over before, the retirement is not what is wrong', () => {
    const world = tagged('off', { pg2: { nofailover: true }, pg3: { nofailover: true } });
    expect(bad(world, 'pg2')).toEqual(['votes warning']);
  });

  test('an unknown answer of the one that is left is not a yes', () => {
    const world = tagged('off');
    const left = world.readings('pg3');
    left.rest = DEAD;
    left.sql = DEAD;
    expect(plan(world, 'pg2').refused).toBe(true);
    expect(plan(world, 'pg3').refused).toBe(false);
  });

  test('strict mode: without the last standby that may be synchronous writes would wait', () => {
    const world = healthy('on', {
      config: { synchronous_mode_strict: true },
      tags: { pg3: { nosync: true } },
    });
    expect(bad(world, 'pg2')).toEqual(expect.arrayContaining(['commits refused']));
  });
});

describe('/sync afterwards', () => {
  const facts = (mode: 'on' | 'quorum', voters: string[], quorum: number) => ({
    ...{ strict: false, ttlSeconds: 30, loopWaitSeconds: 10, neverSync: ['pg4'] },
    input: cluster({
      nodes: ['pg1', 'pg2', 'pg3', 'pg4', 'pg5'].map((name) =>
        node(name, name === 'pg3' ? { nofailover: true } : {}),
      ),
      ...{ mode, voters, quorum, syncLeader: 'pg1' },
    }),
  });
  const after = (mode: 'on' | 'quorum', voters: string[], quorum: number, count: number) => {
    const { input } = withoutForGood(facts(mode, voters, quorum), 'pg2', count);
    return { voters: input.voters, quorum: input.quorum, nodes: input.nodes.length };
  };

  test('those that stay synchronous stay, then those that may lead, never one with nosync', () => {
    expect(after('on', ['pg2'], 0, 1)).toEqual({ voters: ['pg5'], quorum: 0, nodes: 4 });
    expect(after('on', ['pg2', 'pg3'], 0, 2)).toMatchObject({ voters: ['pg3', 'pg5'] });
    expect(after('quorum', ['pg2', 'pg3', 'pg5'], 2, 1)).toEqual({
      ...{ voters: ['pg3', 'pg5'], quorum: 1, nodes: 4 },
    });
    expect(after('quorum', ['pg2', 'pg3', 'pg5'], 1, 2)).toMatchObject({ quorum: 0 });
  });
});

describe('what depends on it', () => {
  test('members that stream from it by their tag', () => {
    const world = tagged('off', { pg3: { replicatefrom: 'pg2' } });
    expect(bad(world, 'pg2')).toEqual(['followers warning']);
    expect(said(world, 'pg2', 'followers')).toBe(
      'pg3 streams from pg2 and will stream from the leader',
    );
  });

  test('logical clients, a watchdog that fails on who stays, a permanent slot, a pause', () => {
    const world = healthy('off', {
      config: { slots: { pg2: { type: 'physical' } }, pause: true },
    });
    failoverSlot(world, 'pg2');
    world.rest('pg3').watchdogFailed = true;
    expect(bad(world, 'pg2')).toEqual([
      'votes refused',
      'watchdog warning',
      'slots warning',
      'permanent_slot warning',
      'pause warning',
    ]);
    expect(plan(world, 'pg2').removes).toHaveLength(1);
  });
});

describe('afterwards', () => {
  /** pg4 has left, and retain_slots still names it. */
  const left = (retired?: string): World => {
    const status = '{"optime":83886080,"retain_slots":["pg4"]}';
    const keys = { status, ...(retired === undefined ? {} : { 'patctl-retired/pg4': retired }) };
    return healthy('off', { keys });
  };
  const found = (world: World) =>
    memberLeft(viewOf(world.snapshot), DEFAULT_LIMITS).map(({ members }) => members[0]);

  test('a retired member is not reported as one that left', () => {
    expect(found(left())).toEqual(['pg4']);
    expect(found(left('{}'))).toEqual([]);
  });

  test('one that came back after that and left again is reported', () => {
    const world = left('{}');
    const lastWord = (deletedRevision: string) => ({
      ...{ role: 'replica', state: 'running', deletedRevision },
      ...{ isSynchronous: null, statusWrites: null },
    });
    const departed = { name: 'pg4', rest: DEAD, sql: DEAD, origin: 'dcs history' as const };
    const at = { host: null, port: null, listening: null };
    world.snapshot.departed = [{ ...departed, ...at, lastWord: lastWord('5') }];
    expect(found(world)).toEqual([]);
    world.snapshot.departed = [{ ...departed, ...at, lastWord: lastWord('6') }];
    expect(found(world)).toEqual(['pg4']);
  });

  test('a retired member can be retired again, one that nothing speaks of cannot', () => {
    expect(plan(left('{}'), 'pg4')).toMatchObject({ hasLeft: true, refused: false });
    expect(plan(left(), 'pg4')).toMatchObject({ hasLeft: true, refused: false });
    expect(planRetirement(viewOf(left().snapshot), 'pg9')).toBeNull();
  });
});
