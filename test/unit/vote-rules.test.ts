/** Cases in which Patroni counts in an unexpected way, by value; test/judge has Patroni itself decide. */
import { describe, expect, test } from 'vitest';
import { everyRules, rulesOf } from '../../src/cluster/votes/patroni-versions.js';
import { race } from '../../src/cluster/votes/race.js';
import { apiPrecheck, leaderGate } from '../../src/cluster/votes/step-down.js';
import { survivable } from '../../src/cluster/votes/fault-tolerance.js';
import type { VoteInput, VoteNode } from '../../src/cluster/votes/vote-rules.js';
import { cluster, node } from './vote-node.js';

function chances(input: VoteInput): Record<string, string> {
  return Object.fromEntries(
    race(input).map(({ name, mayWin, counted, needed }) => [
      name,
      `${mayWin} ${counted}/${needed}`,
    ]),
  );
}

const UNREAD: Partial<VoteNode> = {
  reachable: null,
  running: null,
  primary: null,
  walPosition: null,
  timeline: null,
  watchdogFailed: null,
};

describe('a standby cluster in quorum mode with a /sync left from before', () => {
  const nodes = [node('pg1'), node('pg2'), node('pg3', { reachable: false })];
  const standby = cluster({ nodes, standbyCluster: true });

  test('votes are counted: with one voter gone no member takes over, and the leader does not step down', () => {
    expect(chances(standby)).toEqual({ pg2: 'no 1/2', pg3: 'no 2/2' });
    expect(survivable(standby).leaderLoss).toBe('no');
    const gate = leaderGate(standby, { candidate: null, action: 'switchover' });
    expect([gate.passes, gate.healthy, gate.needed]).toEqual(['no', ['pg2'], 2]);
  });

  test('a named candidate needs no votes, and mode on counts none', () => {
    expect(leaderGate(standby, { candidate: 'pg2', action: 'switchover' }).passes).toBe('yes');
    expect(chances({ ...standby, mode: 'on' })).toEqual({ pg2: 'yes 0/0', pg3: 'no 0/0' });
    expect(chances({ ...standby, syncLeader: null, voters: [] })).toMatchObject({ pg2: 'yes 0/0' });
  });

  test('members outside /sync are asked anyway, and one that is ahead goes first', () => {
    const four = [...nodes.slice(0, 2), node('pg3'), node('pg4', { walPosition: 200n })];
    const found = race({ ...standby, nodes: four, voters: ['pg2', 'pg3'] });
    expect(found.map(({ name, mayWin }) => [name, mayWin])).toEqual([
      ['pg2', 'no'],
      ['pg3', 'no'],
      ['pg4', 'yes'],
    ]);
    // Not even the former leader is let alone when it is ahead: synchronous mode is not active.
    const back = [node('pg1', { walPosition: 200n }), node('pg2'), node('pg3')];
    const led = { ...standby, nodes: back, leader: null, formerLeader: 'pg1' };
    expect(chances(led)).toEqual({ pg1: 'yes 3/2', pg2: 'no 2/2', pg3: 'no 2/2' });
  });

  test('the priority of members outside /sync is not looked at', () => {
    const four = [...nodes.slice(0, 2), node('pg3'), node('pg4', { failoverPriority: 5 })];
    expect(chances({ ...standby, nodes: four })).toMatchObject({ pg2: 'yes 2/2' });
    const old = four.map((one) => ({ ...one, version: '4.0.7' }));
    expect(chances({ ...standby, nodes: old })).toMatchObject({ pg2: 'no 2/2' });
  });
});

describe('members that only /failsafe names', () => {
  const free: Partial<VoteInput> = {
    leader: null,
    nodes: [node('pg2'), node('pg3')],
    failsafeMembers: ['pg1', 'pg2', 'pg3'],
  };
  const with1 = (facts: Partial<VoteNode>): VoteInput =>
    cluster({ ...free, failsafeNodes: [node('pg1', facts)] });

  test('a leader that has lost the DCS only keeps the others from the lock', () => {
    expect(chances(with1({ primary: true }))).toMatchObject({ pg2: 'no 2/2', pg3: 'no 2/2' });
    expect(race(with1({ primary: true }))[0]?.reasons).toEqual([
      'pg1 is out of recovery: a primary is still alive',
    ]);
  });

  test('a standby among them votes, or goes first when it is ahead', () => {
    expect(chances(with1({}))).toEqual({ pg2: 'yes 3/2', pg3: 'yes 3/2' });
    const ahead = { ...with1({ walPosition: 200n }), syncLeader: 'pg9', voters: ['pg1', 'pg2'] };
    expect(chances(ahead)).toEqual({ pg2: 'no 1/2', pg3: 'no 1/2' });
  });

  test('one that was not read may be a primary, one without an address is not asked', () => {
    expect(chances(with1(UNREAD))).toMatchObject({ pg2: 'unknown 2/2' });
    expect(chances(with1({ ...UNREAD, hasApiUrl: false }))).toMatchObject({ pg2: 'yes 2/2' });
  });
});

describe('a member that could not be read may be a primary', () => {
  test('an unread leader of /sync does not surely give way', () => {
    const nodes = [node('pg1', UNREAD), node('pg2'), node('pg3')];
    expect(chances(cluster({ nodes, leader: null }))).toMatchObject({ pg2: 'unknown 2/2' });
    const standby = [node('pg1', { ...UNREAD, primary: false }), node('pg2'), node('pg3')];
    expect(chances(cluster({ nodes: standby, leader: null }))).toMatchObject({ pg2: 'yes 2/2' });
  });

  test.each([
    ['in a pause', { paused: true }],
    ['outside /failsafe', { failsafeMembers: ['pg1', 'pg2'] }],
    ['outside /sync', { mode: 'on' as const, voters: ['pg2'] }],
  ])('its own chances are unknown %s, because a primary retakes the lock', (_, facts) => {
    const unread = cluster({ nodes: [node('pg1'), node('pg2'), node('pg3', UNREAD)], ...facts });
    expect(chances(unread)).toMatchObject({ pg3: expect.stringMatching(/^unknown/) as string });
    const silent = [node('pg1'), node('pg2'), node('pg3', { ...UNREAD, reachable: false })];
    expect(chances(cluster({ nodes: silent, ...facts }))).toMatchObject({
      pg3: expect.stringMatching(/^no/) as string,
    });
  });
});

test('a primary retakes a free key, whatever its tags and its watchdog say', () => {
  const back = (facts: Partial<VoteNode>): VoteInput =>
    cluster({ leader: null, nodes: [node('pg1', { primary: true, ...facts }), node('pg2')] });
  for (const facts of [{}, { nofailover: true }, { watchdogFailed: true }])
    expect(race(back(facts))[0]).toMatchObject({ name: 'pg1', mayWin: 'yes' });
  // No member listens to one that may not promote.
  expect(race(back({}))[1]).toMatchObject({ name: 'pg2', mayWin: 'no' });
  expect(race({ ...back({ nofailover: true }), quorum: 0 })[1]?.mayWin).toBe('yes');
  expect(race(back({ timeline: 4 }))[0]?.mayWin).toBe('no');
  // In a pause only its system identifier counts.
  const paused = { ...back({ timeline: 4 }), paused: true };
  expect(race(paused)[0]?.mayWin).toBe('yes');
  expect(race({ ...back({ ownSystem: false }), paused: true })[0]?.mayWin).toBe('no');
});

describe('versions', () => {
  test.each([
    ['3.2.2', [false, true, false, true, 'none']],
    ['3.3.6', [false, true, false, true, 'none']],
    ['3.3.7', [false, true, true, true, 'none']],
    ['3.3.11', [false, true, true, true, 'none']],
    ['4.0.0', [true, false, false, false, 'none']],
    ['4.0.4', [true, false, false, false, 'none']],
    ['4.0.5', [true, false, false, false, 'always']],
    ['4.0.6', [true, false, true, false, 'unnamed']],
    ['4.0.7', [true, false, true, false, 'unnamed']],
    ['4.0.8', [true, true, true, false, 'unnamed']],
    ['4.0.11', [true, true, true, false, 'unnamed']],
    ['4.1.0', [true, false, true, false, 'unnamed']],
    ['4.1.1', [true, true, true, false, 'unnamed']],
    ['4.1.5', [true, true, true, false, 'unnamed']],
    ['5.0.0', [true, true, true, false, 'unnamed']],
  ])('%s', (version, expected) => {
    const rules = rulesOf(version);
    expect([
      rules?.quorumMode,
      rules?.priorityInSyncMode,
      rules?.sparesFormerLeader,
      rules?.priorityWithoutWal,
      rules?.gateVotes,
    ]).toEqual(expected);
  });

  test('an invalid version may decide as any version does', () => {
    expect([rulesOf(null), rulesOf(''), rulesOf('next')]).toEqual([null, null, null]);
    expect(everyRules()).toHaveLength(6);
  });

  const run = (version: string | null, facts: Partial<VoteInput> = {}): VoteInput => {
    const plain = cluster(facts);
    const nodes = plain.nodes.map((one) => ({ ...one, version }));
    return { ...plain, nodes, leaderVersion: version };
  };

  test('before 4.0 the word quorum is not a mode: no votes, and every member may take over', () => {
    const nodes = [node('pg1', { primary: true }), node('pg2'), node('pg3', { reachable: false })];
    expect(chances(run('3.3.11', { nodes }))).toMatchObject({ pg2: 'yes 0/0' });
    expect(chances(run('4.0.0', { nodes }))).toMatchObject({ pg2: 'no 1/2' });
    // Where the version is unknown, it is unknown.
    expect(chances(run(null, { nodes }))).toMatchObject({
      pg2: expect.stringMatching(/^unknown/) as string,
    });
  });

  test('in a half-upgraded cluster each member counts as its own version does', () => {
    const plain = cluster({ nodes: [node('pg1'), node('pg2'), node('pg3', { reachable: false })] });
    const [one, two, three] = plain.nodes as [VoteNode, VoteNode, VoteNode];
    const mixed = {
      ...plain,
      nodes: [one, two, { ...three, reachable: true, walPosition: 1n, version: '3.3.11' }],
    };
    expect(chances(mixed)).toEqual({ pg2: 'yes 2/2', pg3: 'no 0/0' });
    // Which member takes a request is unknown beforehand.
    const ask = { action: 'switchover', leader: 'pg1', candidate: 'pg9' } as const;
    expect(apiPrecheck({ ...mixed, mode: 'on' }, ask).outcome).toBe('no');
    const unnamed = { ...ask, candidate: null };
    const empty = { ...mixed, syncLeader: null, voters: [] };
    expect(apiPrecheck(empty, unnamed)).toMatchObject({ outcome: 'yes' });
  });

  test('failover_priority in plain synchronous mode, and that of the former leader', () => {
    const nodes = [
      node('pg1', { failoverPriority: 5 }),
      node('pg2'),
      node('pg3', { failoverPriority: 2 }),
    ];
    const free = { mode: 'on' as const, leader: null, nodes };
    expect(chances(run('4.0.7', free))).toMatchObject({ pg2: 'yes 0/0' });
    expect(chances(run('4.0.8', free))).toMatchObject({ pg2: 'no 0/0', pg3: 'yes 0/0' });
    const quorum = { ...free, mode: 'quorum' as const };
    expect(chances(run('4.0.5', quorum))).toMatchObject({ pg3: 'no 3/2' });
    expect(chances(run('4.0.6', quorum))).toMatchObject({ pg3: 'yes 3/2' });
  });

  test('before 4.0.5 the leader asks for no votes, and in quorum mode every member', () => {
    const nodes = [
      node('pg1'),
      node('pg2', { reachable: false }),
      node('pg3', { reachable: false }),
      node('pg4'),
    ];
    const ask = { candidate: null, action: 'switchover' } as const;
    expect(leaderGate(run('4.0.4', { nodes }), ask)).toMatchObject({ passes: 'yes', needed: 1 });
    expect(leaderGate(run('4.0.6', { nodes }), ask)).toMatchObject({ passes: 'no', needed: 2 });
    expect(leaderGate(run(null, { nodes }), ask)).toMatchObject({
      passes: 'unknown',
      reasons: expect.arrayContaining(["it depends on the leader's version"]) as string[],
    });
  });
});

test('the tags in the member keys decide which members are asked, the member itself decides whether it votes', () => {
  const nodes = (facts: Partial<VoteNode>): VoteNode[] => [
    node('pg1'),
    node('pg2'),
    node('pg3', { walPosition: 200n, ...facts }),
  ];
  const off = (facts: Partial<VoteNode>) =>
    chances(cluster({ mode: 'off', nodes: nodes(facts) }))['pg2'];
  expect(off({ keyNofailover: true })).toBe('yes 0/0');
  expect(off({ nofailover: true, keyNofailover: false })).toBe('yes 0/0');
  expect(off({})).toBe('no 0/0');
  const gate = (facts: Partial<VoteNode>) =>
    leaderGate(cluster({ nodes: nodes(facts) }), { candidate: null, action: 'switchover' }).healthy;
  expect(gate({ keyNofailover: true })).toEqual(['pg2']);
  expect(gate({ nofailover: true, keyNofailover: false })).toEqual(['pg2']);
});

test('a member that is still starting, or that cannot be asked, does not take over', () => {
  expect(
    chances(cluster({ nodes: [node('pg1'), node('pg2', { starting: true }), node('pg3')] })),
  ).toEqual({
    pg2: 'no 2/2',
    pg3: 'yes 2/2',
  });
  const hidden = cluster({ nodes: [node('pg1'), node('pg2', { hasApiUrl: false }), node('pg3')] });
  expect(chances(hidden)).toEqual({ pg2: 'yes 2/2', pg3: 'no 1/2' });
});

test('with a negative maximum_lag_on_failover even an unknown optime counts', () => {
  const nodes = [node('pg1'), node('pg2', { walPosition: 0n }), node('pg3')];
  const input = cluster({ mode: 'off', nodes, optime: null, maximumLagOnFailoverBytes: -1 });
  expect(chances(input)).toEqual({ pg2: 'no 0/0', pg3: 'yes 0/0' });
});
