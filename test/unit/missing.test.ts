/** The lock has moved and something is missing: the members say what. */
import { expect, test } from 'vitest';
import { missingSaid } from '../../src/actions/switchover/missing-members.js';
import {
  begin,
  type Goal,
  type Progress,
  type StepName,
} from '../../src/cluster/progress/change-outcome.js';
import { DEAD, healthy, type ProcessEnvironment } from './plan-support.js';

const GOAL: Goal = {
  kind: 'switchover',
  leader: 'pg2',
  candidate: null,
  members: ['pg1', 'pg3'],
  syncStandbys: 0,
  standbyCluster: false,
  remote: false,
  failoverRevision: '10',
  waitFor: 'healthy',
  mayWriteForMs: 10_000,
};

/** pg1 holds the lock now; of the others nothing was seen. */
function progress(steps: StepName[], goal: Partial<Goal> = {}): Progress {
  const seen = steps.map((name) => ({ name, atMs: 0, member: 'pg1', said: '' }));
  return { ...begin({ ...GOAL, ...goal }), newLeader: 'pg1', steps: seen };
}

const said = (world: ProcessEnvironment, at: Progress) =>
  missingSaid(world.snapshot, at).map((one) => `${one.witness} ${one.subject}: ${one.said}`);

test('a member that does not stream: its role, its state, its receiver, and its row on the new leader', () => {
  const world = healthy();
  world.sql('pg1').walsenders = world.sql('pg1').walsenders.slice(0, 1);
  world.sql('pg3').walReceiver = null;
  world.rest('pg3').state = 'starting';
  world.rest('pg3').replicationState = null;
  expect(said(world, progress(['locked', 'writable']))).toEqual([
    'SQL pg3: replica, timeline 3, at 0/5000000',
    'REST pg3: state starting',
    'SQL pg3: no WAL receiver runs',
    'SQL pg1 pg_stat_replication: no row for pg3',
  ]);
});

test('a member that is silent, and one whose key is gone', () => {
  const world = healthy();
  Object.assign(world.readings('pg3'), { rest: DEAD, sql: DEAD });
  const at = progress(['locked', 'writable'], { members: ['pg3', 'pg9'] });
  expect(said(world, at)).toEqual([
    'REST pg3: unreachable: REST connect ECONNREFUSED; SQL connect ECONNREFUSED',
    'SQL pg1 pg_stat_replication: pg3 is streaming, sync_state async',
    'DCS /members/pg9: no such key',
  ]);
});

test('a new leader that does not lead yet speaks for itself', () => {
  const world = healthy();
  Object.assign(world.sql('pg1'), { inRecovery: true, currentLsn: null });
  const found = said(world, progress(['locked']));
  expect(found[0]).toBe('SQL pg1: replica, timeline 3');
  expect(found.join()).not.toContain('pg3');
});

test('every member streams: then /sync is missing, with the sync state of each', () => {
  const at = progress(['locked', 'writable'], { members: ['pg1'], syncStandbys: 1 });
  expect(said(healthy('on'), at)).toEqual([
    'DCS /sync: leader pg1, standbys pg2, quorum 0',
    'SQL pg1 pg_stat_replication: pg2 is streaming, sync_state sync',
    'SQL pg1 pg_stat_replication: pg3 is streaming, sync_state potential',
  ]);
});
