/** Next steps follow from the evidence: each is one that can be taken where it is said. */
import { describe, expect, test } from 'vitest';
import { commitsBlocked } from '../../src/cluster/findings/commits.js';
import { noLeader } from '../../src/cluster/findings/leadership.js';
import type { Reading } from '../../src/cluster/model/model.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { DEAD, healthy, plan } from './plan-support.js';

const nextOf = (check: string, found: ReturnType<typeof plan>) =>
  found.checks.find(({ name }) => name === check)?.next;

test.each<[string, Reading<never>, RegExp]>([
  ['refused', DEAD, /check whether PostgreSQL runs on pg1 and can be reached at/],
  ['no login', { ok: false, kind: 'denied', reason: '28P01' }, /PostgreSQL on pg1 refuses this/],
  ['not PostgreSQL', { ok: false, kind: 'invalid', reason: 'x' }, /what answers for pg1 at/],
  ['not asked', { ok: false, kind: 'off', reason: 'x' }, /give a database login/],
])('SQL that was not read, %s: the hint is about that', (_, sql, next) => {
  const world = healthy('off');
  world.readings('pg1').sql = sql;
  expect(nextOf('long_transaction', plan(world, { candidate: 'pg2' }))).toMatch(next);
});

describe('a named member that is refused', () => {
  test('for its lag: the better one is named', () => {
    const world = healthy('off');
    world.rest('pg2').receivedLocation = world.rest('pg2').replayedLocation = 1n;
    world.sql('pg2').receiveLsn = world.sql('pg2').replayLsn = 1n;
    const next = nextOf('candidate_lag', plan(world, { candidate: 'pg2' }));
    expect(next).toMatch(/; you could name pg3 instead$/);
  });

  test('while no other may: no candidate is named', () => {
    const world = healthy('off', {
      tags: { pg2: { nofailover: true }, pg3: { nofailover: true } },
    });
    const next = nextOf('candidate_nofailover', plan(world, { candidate: 'pg2' }));
    expect(next).not.toContain('instead');
  });
});

describe('a setting that Patroni does not keep', () => {
  test.each([
    ['/data/postgresql.auto.conf', 'ALTER SYSTEM RESET synchronous_standby_names'],
    ['/data/postgresql.conf', 'patctl edit-config demo'],
  ])('of %s is reverted where it was written', (sourcefile, how) => {
    const world = healthy('off');
    const { settings } = world.sql('pg1');
    const set = { value: 'x', source: null, sourcefile, pendingRestart: false };
    settings['synchronous_standby_names'] = set;
    settings['synchronous_commit'] = { ...set, value: 'on' };
    const [finding] = commitsBlocked(viewOf(world.snapshot));
    expect(finding?.next).toContain(how);
    expect(finding?.next).not.toContain('Patroni takes it out');
  });
});

describe('without a leader', () => {
  const next = (names: readonly string[]) => {
    const { snapshot } = healthy('off');
    const cluster = {
      ...snapshot.cluster,
      leaderName: null,
      members: snapshot.cluster.members.filter(({ name }) => names.includes(name)),
    };
    const members = snapshot.members.filter(({ name }) => names.includes(name));
    return noLeader(viewOf({ ...snapshot, cluster, members }))[0]?.next;
  };

  test('a failover is advised to members that are there only', () => {
    expect(next(['pg2', 'pg3'])).toContain(
      'promote one manually: patctl failover demo --candidate pg2; or: patctl failover demo --candidate pg3',
    );
    expect(next([])).toBe('no member is left in the DCS: start Patroni on a member that has data');
  });
});
