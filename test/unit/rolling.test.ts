import { describe, expect, test } from 'vitest';
import type { Cluster, RestStatus } from '../../src/cluster/model/model.js';
import { parseCluster } from '../../src/cluster/model/parse-keys.js';
import {
  heirs,
  hotStandbyChanges,
  leaderLast,
  meetsConditions,
  notBack,
  planRolling,
  type RollingStep,
} from '../../src/cluster/preflight/restart-order.js';
import { parseRestStatus } from '../../src/patroni/parse-status.js';

interface Shape {
  leader?: string;
  sync?: { mode: 'on' | 'quorum'; standbys: string; strict?: boolean };
  members: Record<string, Record<string, unknown>>;
}

function cluster({ leader = 'a', sync, members }: Shape): Cluster {
  const keys: Record<string, unknown> = {
    config: {
      synchronous_mode: sync?.mode === 'on' ? true : (sync?.mode ?? false),
      synchronous_mode_strict: sync?.strict ?? false,
    },
  };
  if (sync) keys['sync'] = { leader, sync_standby: sync.standbys, quorum: 0 };
  for (const [name, value] of Object.entries(members)) {
    keys[`members/${name}`] = { conn_url: `postgres://${name}:5432/x`, ...value };
  }
  const kvs = Object.entries(keys).map(([key, value]) => ({
    key: `/service/demo/${key}`,
    value: JSON.stringify(value),
    modRevision: '1',
  }));
  kvs.push({ key: '/service/demo/leader', value: leader, modRevision: '1' });
  return parseCluster('demo', null, { revision: '1', kvs }, '/service/demo/');
}

const pending = (old_value: string, new_value: string, name = 'max_connections') => ({
  pending_restart: true,
  pending_restart_reason: { [name]: { old_value, new_value } },
});
const brief = (steps: RollingStep[]) =>
  steps.map((step) => {
    if (step.kind === 'switchover') return `${step.from} gives the lead away`;
    return `${step.member} ${step.role}${step.mayStayPending ? ' (may stay pending)' : ''}`;
  });
const all = ['a', 'b', 'c'];

describe('the order of a rolling restart', () => {
  const plain = { members: { a: {}, b: {}, c: {} } };

  test('replicas one by one, then the primary', () => {
    const { steps } = planRolling(cluster(plain), { members: all, switchover: false });
    expect(brief(steps)).toEqual(['b replica', 'c replica', 'a primary']);
  });

  test('with --switchover the former primary is restarted as a replica', () => {
    const { steps } = planRolling(cluster(plain), { members: all, switchover: true });
    expect(brief(steps)).toEqual(['b replica', 'c replica', 'a gives the lead away', 'a replica']);
  });

  test('only chosen members; without the primary there is nothing to switch over', () => {
    const { steps } = planRolling(cluster(plain), { members: ['c'], switchover: true });
    expect(brief(steps)).toEqual(['c replica']);
  });

  test('synchronous standbys after the asynchronous ones', () => {
    const shape = { ...plain, sync: { mode: 'on' as const, standbys: 'b' } };
    const { steps } = planRolling(cluster(shape), { members: all, switchover: false });
    expect(brief(steps)).toEqual(['c replica', 'b replica', 'a primary']);
  });

  test('a raised hot-standby parameter keeps replicas first', () => {
    const members = { a: pending('100', '200'), b: pending('100', '200') };
    const plan = planRolling(cluster({ members }), { members: ['a', 'b'], switchover: true });
    expect(brief(plan.steps)).toEqual(['b replica', 'a gives the lead away', 'a replica']);
    expect([plan.raised, plan.lowered]).toEqual([['max_connections: 100->200'], []]);
  });

  test('a lowered one turns the order around', () => {
    const members = { a: pending('100', '50'), b: pending('100', '50'), c: {} };
    const plan = planRolling(cluster({ members }), { members: all, switchover: false });
    expect(brief(plan.steps)).toEqual(['a primary', 'b replica', 'c replica']);
    expect(plan.lowered).toEqual(['max_connections: 100->50']);
  });

  test.each<[string, Record<string, unknown>, boolean]>([
    ['nofailover, whatever its text', { nofailover: 'no' }, true],
    ['failover_priority 0', { failover_priority: '0' }, true],
    ['nofailover as an empty text', { nofailover: '' }, false],
    ['nofailover off against a priority of 0', { nofailover: false, failover_priority: 0 }, false],
  ])('with --switchover somebody has to be able to lead: %s', (_, tags, refused) => {
    const shape = { members: { a: {}, b: { tags }, c: { tags } } };
    const plan = planRolling(cluster(shape), { members: all, switchover: true });
    expect([plan.refused === null, plan.steps.length === 0]).toEqual([!refused, refused]);
    expect(planRolling(cluster(shape), { members: all, switchover: false }).refused).toBeNull();
  });

  test('in synchronous mode a member that can never be synchronous does not count', () => {
    const sync = { mode: 'on', standbys: '' } as const;
    const shape = (tags: object) => ({ sync, members: { a: {}, b: { tags } } });
    const plan = (tags: object) =>
      planRolling(cluster(shape(tags)), { members: ['a', 'b'], switchover: true });
    expect(plan({ nosync: 'yes' }).refused).toContain('no replica may take over from a');
    expect(plan({}).refused).toBeNull();
  });

  test('lowered and --switchover cannot both be had', () => {
    const members = { a: pending('100', '50'), b: pending('100', '50') };
    const plan = planRolling(cluster({ members }), { members: ['a', 'b'], switchover: true });
    expect(plan.steps).toEqual([]);
    expect(plan.refused).toContain('max_connections: 100->50');
  });

  test('a primary that has the lower value already may give its leadership away', () => {
    const members = { a: {}, b: pending('100', '50') };
    const plan = planRolling(cluster({ members }), { members: ['a', 'b'], switchover: true });
    expect(plan.refused).toBeNull();
    expect(brief(plan.steps)).toEqual(['b replica', 'a gives the lead away', 'a replica']);
    const replica = planRolling(cluster({ members }), { members: ['b'], switchover: false });
    expect([brief(replica.steps), replica.warnings]).toEqual([['b replica'], []]);
  });

  test.each<[string, object]>([
    ['another parameter of the primary is pending', pending('64MB', '32MB', 'shared_buffers')],
    ['the same one is raised on the primary', pending('20', '50')],
  ])('the order stays as it is when %s', (_, primary) => {
    const members = { a: { ...primary }, b: pending('100', '50') };
    const plan = planRolling(cluster({ members }), { members: ['a', 'b'], switchover: false });
    expect(brief(plan.steps)).toEqual(['b replica', 'a primary']);
  });

  test('a primary that does not say what its restart changes goes first', () => {
    const members = { a: { pending_restart: true }, b: pending('100', '50') };
    const plan = planRolling(cluster({ members }), { members: ['a', 'b'], switchover: false });
    expect(brief(plan.steps)).toEqual(['a primary', 'b replica']);
  });

  test('one raised and one lowered: replicas, primary, replicas once more', () => {
    const both = {
      pending_restart: true,
      pending_restart_reason: {
        max_connections: { old_value: '100', new_value: '50' },
        max_wal_senders: { old_value: '5', new_value: '10' },
      },
    };
    const members = { a: both, b: both };
    const plan = planRolling(cluster({ members }), { members: ['a', 'b'], switchover: false });
    expect(brief(plan.steps)).toEqual(['b replica (may stay pending)', 'a primary', 'b replica']);
  });

  test('lowered, and the primary is not among them: this is printed, and no step waits for the flag', () => {
    const members = { a: pending('100', '50'), b: pending('100', '50') };
    const plan = planRolling(cluster({ members }), { members: ['b'], switchover: false });
    expect(brief(plan.steps)).toEqual(['b replica (may stay pending)']);
    expect(plan.warnings).toEqual([
      'the replicas keep the old value of max_connections: 100->50 until the primary is restarted',
    ]);
  });

  test('what else is lowered does not matter', () => {
    const members = { a: pending('200', '100', 'shared_buffers'), b: {} };
    const { steps } = planRolling(cluster({ members }), { members: ['a', 'b'], switchover: false });
    expect(brief(steps)).toEqual(['b replica', 'a primary']);
  });

  test('a member that gives no reason is a warning', () => {
    const members = { a: { pending_restart: true }, b: {} };
    const plan = planRolling(cluster({ members }), { members: ['a', 'b'], switchover: false });
    expect(plan.warnings[0]).toContain('a does not report why');
  });

  test('strict synchronous mode with one standby is a warning', () => {
    const sync = { mode: 'on' as const, standbys: 'b', strict: true };
    const one = cluster({ members: { a: {}, b: {} }, sync });
    expect(planRolling(one, { members: ['b'], switchover: false }).warnings).toHaveLength(1);
  });
});

test('reasons that cannot be read are not changes', () => {
  const odd = {
    max_connections: { old_value: '?', new_value: '5' },
    max_wal_senders: 'x',
    MAX_WORKER_PROCESSES: { old_value: '8', new_value: 4 },
    work_mem: { old_value: '1', new_value: '2' },
  };
  expect(hotStandbyChanges(odd)).toEqual([{ name: 'max_worker_processes', from: 8, to: 4 }]);
  expect(hotStandbyChanges(null)).toEqual([]);
});

test('a plain restart has the leader last, too', () => {
  const names = (one: Cluster) =>
    leaderLast(one.members.map((member) => ({ cluster: one, member }))).map(
      ({ member }) => member.name,
    );
  expect(names(cluster({ members: { a: {}, b: {} } }))).toEqual(['b', 'a']);
  expect(names(cluster({ members: { a: pending('9', '8'), b: {} } }))).toEqual(['a', 'b']);
});

describe('which members may take over', () => {
  const members = {
    a: {},
    b: { receive_lsn: 100 },
    c: { receive_lsn: 300 },
    d: { receive_lsn: 400, tags: { nofailover: true } },
    e: { receive_lsn: 500, ...pending('1', '2') },
  };

  test('restarted before not restarted, the farthest first; nofailover and pending never', () => {
    expect(heirs(cluster({ members }), new Set(['b', 'd']))).toEqual(['b', 'c']);
    expect(heirs(cluster({ members }), new Set(['b', 'c']))).toEqual(['c', 'b']);
  });

  test('in synchronous mode only members in /sync', () => {
    const sync = { mode: 'quorum' as const, standbys: 'b,d' };
    expect(heirs(cluster({ members, sync }), new Set(['b', 'c']))).toEqual(['b']);
  });
});

describe('is it back?', () => {
  const status = (change: Record<string, unknown>): RestStatus => {
    const body = {
      state: 'running',
      role: 'replica',
      postmaster_start_time: 'later',
      replication_state: 'streaming',
      xlog: { received_location: 5, replayed_location: 5 },
      patroni: { name: 'b', scope: 'demo', version: '4.1.4' },
      ...change,
    };
    const parsed = parseRestStatus(200, body);
    if (!parsed) throw new Error('not a status');
    return parsed;
  };
  const wanted = { startedBefore: 'before', leads: false, mayStayPending: false };

  test.each([
    [{}, null],
    [{ state: 'starting' }, 'is starting'],
    [{ postmaster_start_time: 'before' }, 'has not been restarted yet'],
    [{ replication_state: undefined }, 'does not stream yet'],
    [{ replication_state: 'in archive recovery' }, 'in archive recovery'],
    [{ replication_state: undefined, tags: { nostream: true } }, null],
    [
      { pending_restart: true, pending_restart_reason: { max_connections: {} } },
      'still has a restart pending (max_connections)',
    ],
  ])('%j', (change, said) => {
    expect(notBack(status(change), wanted)?.said ?? null).toBe(said);
  });

  test('a pending flag that may stay does not count', () => {
    const now = status({ pending_restart: true });
    expect(notBack(now, { ...wanted, mayStayPending: true })).toBeNull();
  });

  test('a primary need not stream', () => {
    const now = status({ role: 'primary', replication_state: undefined, xlog: { location: 5 } });
    expect(notBack(now, { ...wanted, leads: true })).toBeNull();
  });
});

describe('whether Patroni would restart it', () => {
  test.each([
    [{}, false, true],
    [{ restart_pending: true }, false, false],
    [{ restart_pending: true }, true, true],
    [{ postgres_version: '15.18' }, false, false],
    [{ postgres_version: '15.19' }, false, true],
    [{ postgres_version: '10.1' }, true, false],
    [{ postgres_version: '9.6.24' }, true, false],
    [{ postgres_version: '16.0', restart_pending: true }, false, false],
  ])('%j, pending %s: %s', (content, pendingRestart, wanted) => {
    const now = { serverVersion: 150018, pendingRestart } as RestStatus;
    expect(meetsConditions(now, content)).toBe(wanted);
  });

  test('a member without a known version may be older', () => {
    const now = { serverVersion: null, pendingRestart: false } as RestStatus;
    expect(meetsConditions(now, { postgres_version: '10.1' })).toBe(true);
  });
});
