import { describe, expect, it } from 'vitest';
import {
  claimedMembers,
  claimedRole,
  isStandbyCluster,
  roleTitle,
  scheduledSwitchover,
  shownPositions,
  syncModeActive,
  topologyOrder,
  treeLabel,
} from '../../src/cluster/roles/dcs-roles.js';
import type { Cluster } from '../../src/cluster/model/model.js';
import { parseCluster } from '../../src/cluster/model/parse-keys.js';

function cluster(keys: Record<string, unknown>): Cluster {
  const kvs = Object.entries(keys).map(([name, value]) => ({
    key: `/service/demo/${name}`,
    value: typeof value === 'string' ? value : JSON.stringify(value),
    modRevision: '1',
  }));
  return parseCluster('demo', null, { revision: '1', kvs }, '/service/demo/');
}

function members(names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [`members/${name}`, { state: 'running' }]));
}

type Roles = Partial<Record<'a' | 'b' | 'c', string>>;

function roles(keys: Record<string, unknown>): Roles {
  const all = cluster({ ...members(['a', 'b', 'c']), leader: 'a', ...keys });
  return Object.fromEntries(all.members.map((member) => [member.name, claimedRole(all, member)]));
}

describe('claimedRole', () => {
  const sync = { leader: 'a', sync_standby: 'B', quorum: 0 };

  it('asks the leader key, the mode and /sync', () => {
    expect(roles({ sync, config: { synchronous_mode: 'on' } })).toEqual({
      a: 'leader',
      b: 'sync_standby',
      c: 'replica',
    });
    expect(roles({ sync, config: { synchronous_mode: 'quorum' } }).b).toBe('quorum_standby');
    expect(roles({ sync, config: {} }).b).toBe('replica');
    expect(roles({ sync: { sync_standby: 'b' }, config: { synchronous_mode: true } }).b).toBe(
      'replica',
    );
  });

  it('believes a /sync of another leader, as patronictl does', () => {
    const stale = { ...sync, leader: 'c' };
    expect(roles({ sync: stale, config: { synchronous_mode: true } }).b).toBe('sync_standby');
  });

  it('knows no synchronous standbys in a standby cluster', () => {
    const config = { synchronous_mode: true, standby_cluster: { host: 'h' } };
    expect(roles({ sync, config })).toEqual({ a: 'standby_leader', b: 'replica', c: 'replica' });
    expect(isStandbyCluster(cluster({ config }))).toBe(true);
    expect(syncModeActive(cluster({ config }))).toBe(false);
    expect(syncModeActive(cluster({ config: { synchronous_mode: true } }))).toBe(true);
    expect(syncModeActive(cluster({}))).toBe(false);
  });

  it('makes every member a replica without a leader key', () => {
    expect(Object.values(roles({ leader: 'gone' }))).toEqual(['replica', 'replica', 'replica']);
  });

  it('is shown in words', () => {
    expect(roleTitle('standby_leader')).toBe('Standby Leader');
    expect(roleTitle('leader')).toBe('Leader');
  });
});

describe('claimedMembers', () => {
  it('counts lag from the leader’s last position, and none for the leader', () => {
    const all = claimedMembers(
      cluster({
        leader: 'a',
        status: { optime: 1000 },
        'members/a': { state: 'running', receive_lsn: 5, replication_state: 'streaming' },
        'members/b': { state: 'running', replication_state: 'streaming', receive_lsn: 900 },
        'members/c': { state: 'running', receive_lsn: 2000, replay_lsn: 100 },
      }),
    );
    expect(all.map(({ name, state, receive, replay }) => [name, state, receive, replay])).toEqual([
      ['a', 'running', null, null],
      ['b', 'streaming', { lsn: 900n, lagBytes: 100 }, null],
      ['c', 'running', { lsn: 2000n, lagBytes: 0 }, { lsn: 100n, lagBytes: 900 }],
    ]);
  });

  it('shows the one position of an old member where its state says', () => {
    const all = claimedMembers(
      cluster({
        'members/a': { state: 'running', replication_state: 'streaming', xlog_location: 7 },
        'members/b': { state: 'running', xlog_location: 8 },
      }),
    );
    expect(all.map(shownPositions)).toEqual([
      { receive: { lsn: 7n, lagBytes: 0 }, replay: null },
      { receive: null, replay: { lsn: 8n, lagBytes: 0 } },
    ]);
  });
});

describe('scheduledSwitchover', () => {
  it.each([
    ['2027-01-01T10:00:00+00:00', '2027-01-01T10:00:00+00:00'],
    ['2027-01-01T10:00:00.5Z', '2027-01-01T10:00:00.500000+00:00'],
    ['2027-01-01 10:00-0330', '2027-01-01T10:00:00-03:30'],
    ['2027-01-01T10:00:00+02', '2027-01-01T10:00:00+02:00'],
    ['tomorrow', 'tomorrow'],
  ])('reads %s as %s', (written, at) => {
    const failover = { leader: 'a', scheduled_at: written };
    expect(scheduledSwitchover(cluster({ failover }))).toEqual({ at, from: 'a', to: null });
  });

  it('is null for a request without a time', () => {
    expect(scheduledSwitchover(cluster({ failover: { leader: 'a' } }))).toBeNull();
    expect(scheduledSwitchover(cluster({}))).toBeNull();
  });
});

describe('topologyOrder', () => {
  function tree(
    from: Record<string, string | null>,
    leader: string | null,
    lost: 'drop' | 'keep',
  ): string[] {
    const keys: Record<string, unknown> = leader ? { leader } : {};
    for (const [name, upstream] of Object.entries(from)) {
      keys[`members/${name}`] = { tags: upstream === null ? {} : { replicatefrom: upstream } };
    }
    const all = cluster(keys);
    return topologyOrder(claimedMembers(all), { lost }).map(({ item, depth }) =>
      treeLabel(item.name, depth),
    );
  }

  it('shows each member below the member that it names', () => {
    expect(
      tree({ a: null, b: null, c: 'b', d: 'c', e: 'gone', f: 'f', g: 'a' }, 'a', 'drop'),
    ).toEqual(['a', '+ b', '  + c', '    + d', '+ e', '+ f', '+ g']);
  });

  it('begins one level down without a leader', () => {
    expect(tree({ a: null, b: 'a' }, null, 'drop')).toEqual(['+ a', '  + b']);
  });

  it('drops circles as patronictl does, or keeps them', () => {
    const circle = { a: null, b: 'c', c: 'b', d: 'c' };
    expect(tree(circle, 'a', 'drop')).toEqual(['a']);
    expect(tree(circle, 'a', 'keep')).toEqual(['a', '+ b', '  + c', '    + d']);
  });
});
