import { expect, test } from 'vitest';
import { voteInput } from '../../src/cluster/votes/vote-facts.js';
import { race } from '../../src/cluster/votes/race.js';
import type {
  DynamicConfig,
  Member,
  MemberReadings,
  Reading,
  RestStatus,
  Snapshot,
  SqlStatus,
} from '../../src/cluster/model/model.js';

const OFF = { ok: false, kind: 'off', reason: '' } as const;

function member(name: string, tags: Member['tags'] = {}): Member {
  return {
    ...{ name, version: '4.1.4', apiUrl: `http://${name}:8008/patroni`, tags },
    ...{ receiveLsn: 999n, xlogLocation: 999n },
  } as Member;
}

function rest(facts: Partial<RestStatus>): Reading<RestStatus> {
  const base = { role: 'replica', tags: {}, watchdogFailed: false, timeline: 3, location: null };
  const positions = { receivedLocation: 40n, replayedLocation: 50n, replication: null };
  const value = { ...base, ...positions, replicationState: 'streaming', ...facts } as RestStatus;
  return { ok: true, value, tookMs: 1 };
}

function sql(facts: Partial<SqlStatus>): Reading<SqlStatus> {
  const base = {
    inRecovery: true,
    currentLsn: null,
    walsenders: [],
    walReceiver: null,
    settings: {},
  };
  return { ok: true, value: { ...base, ...facts } as unknown as SqlStatus, tookMs: 1 };
}

const PRIMARY = rest({
  role: 'primary',
  location: 60n,
  receivedLocation: null,
  replayedLocation: null,
});

function snapshot(
  readings: MemberReadings[],
  members = ['pg1', 'pg2'].map((n) => member(n)),
): Snapshot {
  return {
    cluster: {
      members,
      leaderName: 'pg1',
      sync: { leader: 'pg1', standbys: ['PG2'], quorum: 0, modRevision: '1' },
      config: {
        syncMode: 'quorum',
        maximumLagOnFailoverBytes: 7,
        checkTimeline: true,
        failsafeMode: false,
        pause: false,
        standbyCluster: null,
      } as DynamicConfig,
      status: { optime: 55n, slots: {}, retainSlots: [] },
      history: [{ timeline: 2, lsn: 1n, reason: '', timestamp: null, newLeader: 'pg1' }],
      failsafe: { pg1: 'x' },
    },
    members: readings,
    departed: [],
  } as unknown as Snapshot;
}

test('REST is heard first, and gives what Patroni itself would compare', () => {
  const leader = { name: 'pg1', rest: PRIMARY, sql: OFF };
  const input = voteInput(snapshot([leader, { name: 'pg2', rest: rest({}), sql: OFF }]));
  expect(input).toMatchObject({
    leader: 'pg1',
    formerLeader: null,
    leaderVersion: '4.1.4',
    mode: 'quorum',
    syncLeader: 'pg1',
    voters: ['PG2'],
    clusterTimeline: 3,
    optime: 55n,
    maximumLagOnFailoverBytes: 7,
    failsafeMembers: null,
    syncNames: null,
  });
  expect(input.nodes).toMatchObject([
    { name: 'pg1', primary: true, running: true, walPosition: 60n },
    { name: 'pg2', primary: false, reachable: true, running: true, walPosition: 50n, timeline: 3 },
  ]);
  expect(input.nodes[1]?.streamsFromLeader).toBe(false);
  expect(race(input)).toMatchObject([{ name: 'pg2', mayWin: 'yes', counted: 1, needed: 1 }]);
});

test('without witnesses nothing is known, whatever the member keys claim', () => {
  const silent = ['pg1', 'pg2'].map((name) => ({ name, rest: OFF, sql: OFF }));
  const input = voteInput(snapshot(silent));
  expect(input.nodes[1]).toMatchObject({
    reachable: null,
    running: null,
    primary: null,
    walPosition: null,
    streamsFromLeader: null,
  });
  expect(race(input)).toMatchObject([{ mayWin: 'unknown' }]);
});

test('silence has kinds: a closed port is down, a refusal to us says nothing of its peers', () => {
  const kinds = ['unreachable', 'misidentified', 'no_address', 'denied', 'invalid'] as const;
  const found = kinds.map((kind) => {
    const pg2 = { name: 'pg2', rest: { ok: false, kind, reason: '' } as const, sql: OFF };
    return voteInput(snapshot([{ name: 'pg1', rest: PRIMARY, sql: OFF }, pg2])).nodes[1]?.reachable;
  });
  // The member that answers us in its place may not be the one that its peers reach.
  expect(found).toEqual([false, null, null, null, null]);
});

test('the leader names the streaming members, over SQL or REST, in upper or lower case, and what it waits for', () => {
  const sender = { applicationName: 'PG2', state: 'streaming' };
  const settings = { synchronous_standby_names: { value: 'ANY 1 (pg2)' } };
  const told = [
    { rest: OFF, sql: sql({ inRecovery: false, walsenders: [sender], settings } as never) },
    { rest: rest({ location: 60n, replication: [sender] as never }), sql: OFF },
    { rest: OFF, sql: sql({ inRecovery: false }) },
  ].map((readings) => {
    const input = voteInput(
      snapshot([
        { name: 'pg1', ...readings },
        { name: 'pg2', rest: rest({}), sql: OFF },
      ]),
    );
    return [input.nodes[1]?.streamsFromLeader, input.syncNames?.method ?? null];
  });
  expect(told).toEqual([
    [true, 'any'],
    [true, null],
    [false, null],
  ]);
});

test('tags: nofailover decides, a failover_priority of 0 stands for it, a higher one counts', () => {
  const tagged = [
    { nofailover: true },
    { failover_priority: '0' },
    { nofailover: false, failover_priority: 0 },
    { failover_priority: 5 },
    {},
  ];
  const nodes = tagged.map((tags, i) => member(`pg${i}`, tags));
  const found = voteInput(snapshot([], nodes)).nodes.map((n) => [n.nofailover, n.failoverPriority]);
  expect(found).toEqual([
    [true, 0],
    [true, 0],
    [false, 0],
    [false, 5],
    [false, 1],
  ]);
});

test('a departed primary is handed on', () => {
  const base = snapshot([]);
  const departed = {
    name: 'pg9',
    rest: PRIMARY,
    sql: OFF,
    origin: '--also',
    host: null,
    port: null,
    listening: true,
  } as const;
  expect(voteInput({ ...base, departed: [departed] }).departedPrimaries).toEqual(['pg9']);
  const unread = voteInput({ ...base, departed: [{ ...departed, rest: OFF }] });
  expect([unread.departedPrimaries, unread.departedUnread]).toEqual([[], ['pg9']]);
});

test('synchronous_commit: of the leader, else what /config says, else of another member', () => {
  const set = (value: string, source = 'configuration file') =>
    sql({ settings: { synchronous_commit: { value, source } } } as never);
  const said = (leader: Reading<SqlStatus>, standby: Reading<SqlStatus>, parameter?: string) => {
    const readings = [
      { name: 'pg1', rest: OFF, sql: leader },
      { name: 'pg2', rest: OFF, sql: standby },
    ];
    const now = snapshot(readings);
    if (now.cluster.config)
      now.cluster.config.raw = {
        postgresql:
          parameter === undefined ? {} : { parameters: { synchronous_commit: parameter } },
      };
    return voteInput(now).synchronousCommit;
  };
  expect(said(set('local'), set('on'), 'on')).toBe('local');
  expect(said(OFF, set('on'), 'LOCAL')).toBe('local');
  expect(said(OFF, set('remote_write'))).toBe('remote_write');
  expect(said(OFF, OFF)).toBe(null);
  expect(said(OFF, OFF, 'no')).toBe('off');
  // ALTER ROLE for our own login says nothing of the others'.
  expect(said(set('local', 'user'), OFF, 'on')).toBe('on');
});
