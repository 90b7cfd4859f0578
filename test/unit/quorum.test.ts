import { describe, expect, test } from 'vitest';
import { dataLossVerdict } from '../../src/cluster/votes/data-loss.js';
import { race } from '../../src/cluster/votes/race.js';
import { apiPrecheck, leaderGate } from '../../src/cluster/votes/step-down.js';
import { survivable } from '../../src/cluster/votes/fault-tolerance.js';
import { parseSyncNames } from '../../src/cluster/model/sync-standby-names.js';
import type { VoteInput, VoteNode } from '../../src/cluster/votes/vote-rules.js';
import { cluster, node } from './vote-node.js';

const GONE = { leaderAlive: false };
const ALIVE = { leaderAlive: true };

function with3(facts: Partial<VoteNode>, rest: Partial<VoteInput> = {}): VoteInput {
  const base = cluster();
  return cluster({ nodes: [...base.nodes.slice(0, 2), node('pg3', facts)], ...rest });
}

function chances(input: VoteInput): Record<string, string> {
  return Object.fromEntries(
    race(input).map((r) => [r.name, `${r.mayWin} ${r.counted}/${r.needed}`]),
  );
}

function loss(input: VoteInput, name: string | null, situation = GONE): string {
  return dataLossVerdict(input, name, situation).loss;
}

describe('race', () => {
  test('equal voters may both win, with their own vote and the other one', () => {
    expect(chances(cluster())).toEqual({ pg2: 'yes 2/2', pg3: 'yes 2/2' });
    expect(race(cluster())[0]?.votes).toEqual([
      { name: 'pg2', voted: 'yes', why: 'its own vote' },
      { name: 'pg1', voted: 'no', why: 'is the lost leader' },
      { name: 'pg3', voted: 'yes', why: 'is not ahead, at 0/64' },
    ]);
  });
  test('one voter of two stopped: no member reaches the quorum until the leader rewrites /sync', () => {
    const stopped = { reachable: true, running: false, walPosition: null };
    expect(chances(with3(stopped))).toEqual({ pg2: 'no 1/2', pg3: 'no 1/2' });
    const rewritten = with3(stopped, { quorum: 0, voters: ['pg2'] });
    expect(chances(rewritten)).toEqual({ pg2: 'yes 1/1', pg3: 'no 0/1' });
    expect(race(with3(stopped))[0]?.reasons).toEqual(['has 1 of 2 votes']);
  });
  test('a member ahead is given way to; it wins with the vote of the one behind', () => {
    const input = with3({ walPosition: 200n });
    expect(chances(input)).toEqual({ pg2: 'no 1/2', pg3: 'yes 2/2' });
    expect(race(input)[0]?.reasons).toEqual(['pg3 is ahead at 0/C8', 'has 1 of 2 votes']);
  });
  test('a nofailover voter that is ahead does not block others, and does not vote', () => {
    const input = with3({ walPosition: 200n, nofailover: true }, { quorum: 0 });
    expect(chances(input)).toEqual({ pg2: 'yes 1/1', pg3: 'no 2/1' });
  });
  test('priority decides between equals only', () => {
    expect(chances(with3({ failoverPriority: 2 }))['pg2']).toBe('no 2/2');
    expect(chances(with3({ failoverPriority: 2, walPosition: 99n }))['pg2']).toBe('yes 2/2');
  });
  test('names of /sync match in any case', () => {
    expect(chances(cluster({ voters: ['PG2', 'Pg3'] }))).toEqual({
      pg2: 'yes 2/2',
      pg3: 'yes 2/2',
    });
  });
  test('a non-voter needs quorum + 1 votes of others', () => {
    const nodes = [...cluster().nodes, node('pg4', { walPosition: 150n })];
    expect(chances(cluster({ nodes }))['pg4']).toBe('yes 2/2');
    expect(chances(cluster({ nodes }))['pg2']).toBe('yes 2/2'); // no member asks the one outside /sync
    expect(chances(cluster({ nodes, voters: ['pg2'], quorum: 0, syncLeader: 'pg1' }))['pg4']).toBe(
      'yes 1/1',
    );
  });
  test('lag counts against the optime, timeline only when it is to be checked', () => {
    expect(chances(cluster({ optime: 100n + 1048577n }))['pg2']).toBe('no 2/2');
    expect(chances(cluster({ optime: 100n + 1048576n }))['pg2']).toBe('yes 2/2');
    expect(chances(with3({ timeline: 4 }))['pg3']).toBe('yes 2/2');
    expect(chances(with3({ timeline: 4 }, { checkTimeline: true }))['pg3']).toBe('no 2/2');
  });
  test('plain synchronous mode wants the name in /sync, mode off does not', () => {
    const on = cluster({ mode: 'on', quorum: 0, voters: ['pg3'] });
    expect(chances(on)).toEqual({ pg2: 'no 0/0', pg3: 'yes 0/0' });
    expect(chances({ ...on, mode: 'off' })).toEqual({ pg2: 'yes 0/0', pg3: 'yes 0/0' });
    expect(chances({ ...on, standbyCluster: true })['pg2']).toBe('yes 0/0');
  });
  test('no member wins in pause, with a living primary, or outside /failsafe', () => {
    expect(chances(cluster({ paused: true }))['pg2']).toBe('no 2/2');
    expect(chances(cluster({ failsafeMembers: ['pg1', 'pg3'] }))['pg2']).toBe('no 2/2');
    const alive = chances(cluster({ leader: null }));
    expect(alive).toMatchObject({ pg1: expect.stringMatching(/^yes/) as string, pg2: 'no 2/2' });
  });
  test('what was not asked stays unknown', () => {
    const silent = { reachable: null, running: null, walPosition: null, watchdogFailed: null };
    const result = race(with3(silent));
    expect(result.map((r) => [r.mayWin, r.counted, r.possible])).toEqual([
      ['unknown', 1, 2],
      ['unknown', 1, 2],
    ]);
  });
});

describe('losses survived', () => {
  const five = ['pg2', 'pg3', 'pg4', 'pg5'];
  const nodes = ['pg1', ...five].map((name) => node(name));
  test.each([
    [0, 3],
    [1, 2],
    [2, 1],
    [3, 0],
  ])('four voters, quorum %i: %i after the leader', (quorum, more) => {
    expect(survivable(cluster({ nodes, voters: five, quorum })).more).toBe(more);
  });
  test('with one voter frozen there is one less', () => {
    const frozen = nodes.map((n) => (n.name === 'pg5' ? { ...n, reachable: false } : n));
    const result = survivable(cluster({ nodes: frozen, voters: five, quorum: 1 }));
    expect(result).toMatchObject({ leaderLoss: 'yes', more: 1 });
    expect(result.sentence).toBe('the cluster survives losing the leader and 1 more');
  });
  test('modes on and off: members in /sync, members at all', () => {
    expect(survivable(cluster({ nodes, mode: 'on', voters: ['pg2', 'pg3'], quorum: 0 })).more).toBe(
      1,
    );
    expect(survivable(cluster({ nodes, mode: 'off' })).more).toBe(3);
    expect(survivable(with3({ reachable: false })).sentence).toBe(
      'no member can take over if the leader is lost',
    );
  });
});

describe('the leader steps down', () => {
  const unnamed = { candidate: null, action: 'switchover' } as const;
  const toPg2 = { candidate: 'pg2', action: 'switchover' } as const;
  test('without a named candidate with quorum + 1 healthy voters', () => {
    expect(leaderGate(cluster(), unnamed)).toMatchObject({ passes: 'yes', needed: 2 });
    const frozen = leaderGate(with3({ reachable: false }), unnamed);
    expect(frozen.passes).toBe('no');
    expect(frozen.reasons).toEqual(['pg3 does not answer', '1 healthy of 2 needed']);
  });
  test('for a named one that is healthy, whatever the quorum, except in 4.0.5', () => {
    const frozen = with3({ reachable: false });
    expect(leaderGate(frozen, toPg2)).toMatchObject({ passes: 'yes', refusedByBug405: false });
    const old = { leaderVersion: '4.0.5' };
    expect(leaderGate(cluster(old), toPg2)).toMatchObject({ passes: 'no', refusedByBug405: true });
    expect(leaderGate(cluster(old), unnamed)).toMatchObject({
      passes: 'yes',
      refusedByBug405: false,
    });
    // The lab's node count 2: quorum 0 went through.
    expect(leaderGate(cluster({ ...old, quorum: 0 }), toPg2)).toMatchObject({ passes: 'yes' });
    expect(leaderGate(cluster({ ...old, mode: 'on', quorum: 0 }), toPg2).passes).toBe('yes');
  });
  test('a switchover in quorum mode wants a voter too, a failover does not', () => {
    const nodes = [...cluster().nodes, node('pg4')];
    const switchover = { candidate: 'pg4', action: 'switchover' } as const;
    expect(leaderGate(cluster({ nodes }), switchover).passes).toBe('no');
    expect(leaderGate(cluster({ nodes }), { ...switchover, action: 'failover' }).passes).toBe(
      'yes',
    );
  });
  test('not for an old timeline, a laggard, a missing watchdog, or in pause without a name', () => {
    expect(leaderGate(with3({ timeline: 4 }, { checkTimeline: true }), unnamed).passes).toBe('no');
    expect(leaderGate(cluster({ optime: 2000000n }), unnamed).passes).toBe('no');
    expect(leaderGate(with3({ watchdogFailed: true }), unnamed).passes).toBe('no');
    expect(leaderGate(cluster({ paused: true }), unnamed).reasons).toEqual([
      'a paused cluster needs a named candidate',
    ]);
    expect(leaderGate(cluster({ paused: true }), toPg2).passes).toBe('yes');
  });
});

describe("the API's own check", () => {
  const ask = { action: 'switchover', leader: 'pg1', candidate: 'pg3' } as const;
  test.each([
    ['goes on', {}, {}, null, ''],
    ['other leader', { leader: 'pg2' }, {}, 412, 'leader name does not match'],
    ['stranger', { candidate: 'pg9' }, {}, 412, 'candidate does not exists'],
    ['itself', { candidate: 'pg1' }, {}, 400, 'Switchover target and source are the same'],
    ['lag is no matter', {}, { optime: 99999999n }, null, ''],
    [
      'not in /sync',
      {},
      { mode: 'on', voters: ['pg2'] },
      412,
      'candidate name does not match with sync_standby',
    ],
    ['not a voter', {}, { voters: ['pg2'] }, null, ''],
    [
      'failover to async',
      { action: 'failover', leader: null },
      { mode: 'on', voters: [] },
      null,
      '',
    ],
    [
      'no member in /sync',
      { candidate: null },
      { mode: 'on', voters: [] },
      412,
      'switchover is not possible: can not find sync_standby',
    ],
    ['scheduled is not looked at', { candidate: 'pg9', scheduled: true }, {}, null, ''],
  ] as const)('%s', (_, request, facts, status, message) => {
    const result = apiPrecheck(cluster(facts as Partial<VoteInput>), { ...ask, ...request });
    expect([result.status, result.message]).toEqual([status, message]);
  });
  test('a nofailover or silent candidate is not eligible, one that was not asked may be', () => {
    const message = 'switchover is not possible: no good candidates have been found';
    for (const facts of [{ nofailover: true }, { reachable: false }, { watchdogFailed: true }])
      expect(apiPrecheck(with3(facts), ask)).toEqual({ outcome: 'no', status: 412, message });
    expect(apiPrecheck(with3({ reachable: null }), ask).outcome).toBe('unknown');
  });
});

test('a standby leader does nothing while it is paused, with any candidate', () => {
  const standbys = ['pg1', 'pg2', 'pg3'].map((name) => node(name));
  const paused = cluster({ mode: 'off', standbyCluster: true, paused: true, nodes: standbys });
  for (const action of ['switchover', 'failover'] as const)
    expect(leaderGate(paused, { candidate: 'pg2', action })).toMatchObject({
      passes: 'no',
      reasons: [
        'a leader that is not a primary, as in a standby cluster, does nothing while paused',
      ],
    });
  // It is unknown whether a leader that was not read is a primary.
  const unread = { ...paused, nodes: [node('pg1', { primary: null }), ...standbys.slice(1)] };
  expect(leaderGate(unread, { candidate: 'pg2', action: 'switchover' }).passes).toBe('unknown');
  const resumed = { ...paused, paused: false };
  expect(leaderGate(resumed, { candidate: 'pg2', action: 'switchover' }).passes).toBe('yes');
});

describe('can a commit be lost', () => {
  test('with a live leader it matters which members stream from it, not its position', () => {
    expect(loss(with3({ walPosition: 1n }), 'pg3', ALIVE)).toBe('none');
    expect(loss(with3({ walPosition: 100n, streamsFromLeader: false }), 'pg3', ALIVE)).toBe(
      'possible',
    );
    expect(loss(with3({ streamsFromLeader: null }), 'pg3', ALIVE)).toBe('unknown');
    expect(loss(cluster({ mode: 'off' }), 'pg2', ALIVE)).toBe('none');
    expect(loss(cluster(), null, ALIVE)).toBe('none');
    // The winner has the votes, whether or not the leader steps down.
    expect(loss(with3({ reachable: false }), null, ALIVE)).toBe('none');
  });
  test('with a live leader a stalled standby receives nothing more', () => {
    const still = with3({ standsStill: true });
    const both = { ...still, nodes: still.nodes.map((n) => ({ ...n, standsStill: true })) };
    const all = (facts: Partial<VoteInput>) => [
      loss({ ...still, ...facts }, 'pg3', ALIVE),
      loss({ ...still, ...facts }, null, ALIVE),
      loss({ ...both, ...facts }, null, ALIVE),
    ];
    expect(all({ mode: 'off' })).toEqual(['possible', 'none', 'possible']);
    expect(all({})).toEqual(['possible', 'none', 'none']);
    // Every voter has to confirm: then it has whatever was acknowledged.
    expect(all({ quorum: 0 })).toEqual(['none', 'none', 'none']);
    expect(all({ quorum: 0, synchronousCommit: 'local' })).toEqual([
      'possible',
      'none',
      'possible',
    ]);
    expect(all({ syncNames: parseSyncNames('') })).toEqual(['possible', 'none', 'possible']);
  });
  test('synchronous_commit: without waiting for a standby no vote proves anything', () => {
    const of = (synchronousCommit: VoteInput['synchronousCommit']) =>
      ['pg2', null].map((name) => loss(cluster({ synchronousCommit }), name));
    for (const level of ['local', 'off'] as const)
      expect(of(level)).toEqual(['possible', 'possible']);
    for (const level of ['on', 'remote_apply', 'remote_write', null] as const)
      expect(of(level)).toEqual(['none', 'none']);
    expect(dataLossVerdict(cluster({ synchronousCommit: 'local' }), 'pg2', GONE).because).toBe(
      'synchronous_commit is local: commits are acknowledged before a standby has them',
    );
    expect(
      dataLossVerdict(cluster({ synchronousCommit: 'remote_write' }), 'pg2', GONE).because,
    ).toMatch(/: unless the host of a standby crashes too\)$/);
  });
  test('without a leader a named candidate needs what the votes would have shown', () => {
    const gone = with3({ reachable: false, streams: false });
    expect(dataLossVerdict(gone, 'pg2', GONE)).toMatchObject({
      sentence: 'acknowledged commits may be lost',
      held: 1,
      needed: 2,
    });
    expect(loss(cluster(), 'pg2')).toBe('none');
    expect(loss(with3({ walPosition: 101n }), 'pg2')).toBe('possible');
    expect(loss(with3({ walPosition: 101n }), null)).toBe('none');
  });
  test('plain synchronous mode: in /sync is enough, outside of it is not', () => {
    const on = cluster({ mode: 'on', quorum: 0, voters: ['pg3'] });
    expect(loss(on, 'pg3')).toBe('none');
    expect(
      loss(
        with3({ walPosition: 200n }, { ...on, nodes: with3({ walPosition: 200n }).nodes }),
        'pg2',
      ),
    ).toBe('possible');
    expect(loss({ ...on, syncLeader: 'pg9' }, 'pg3')).toBe('possible');
    expect(loss({ ...on, mode: 'off' }, 'pg3')).toBe('possible');
  });
  test('other timelines are not evidence, and neither are unknown facts', () => {
    expect(loss(with3({ timeline: 4 }), 'pg2')).toBe('possible');
    expect(loss(with3({ timeline: null }), 'pg2')).toBe('unknown');
    expect(loss(with3({ walPosition: 0n }), 'pg2')).toBe('possible');
    expect(
      dataLossVerdict(with3({ reachable: null, walPosition: null }), 'pg2', GONE).sentence,
    ).toBe(
      'unknown, because pg2 has everything that 1 of the voters have; 2 are needed, and positions or timelines are unknown',
    );
  });
  test('a primary somewhere, listed, departed or only streamed from, spoils every promise', () => {
    const idle = ['pg2', 'pg3'].map((name) => node(name, { streams: false }));
    const base = cluster({ leader: null, nodes: idle });
    expect(loss(base, 'pg2')).toBe('none');
    expect(loss({ ...base, departedPrimaries: ['pg9'] }, 'pg2')).toBe('possible');
    expect(loss({ ...base, departedUnread: ['pg9'] }, 'pg2')).toBe('unknown');
    expect(loss({ ...base, nodes: [...idle, node('pg1', { primary: true })] }, 'pg2')).toBe(
      'possible',
    );
    expect(loss({ ...base, nodes: [node('pg2'), node('pg3')] }, 'pg2')).toBe('unknown');
  });
  test('a setting made manually that waits for fewer standbys than /sync promises is seen', () => {
    const syncNames = (text: string): VoteInput =>
      cluster({ quorum: 0, syncNames: parseSyncNames(text) });
    expect(loss(syncNames('ANY 2 (pg2,pg3)'), 'pg2')).toBe('none');
    expect(loss(syncNames(''), 'pg2')).toBe('possible');
    expect(loss(syncNames('*'), 'pg2')).toBe('possible');
    expect(loss(syncNames('ANY 1 (pg4)'), 'pg2')).toBe('possible');
  });
  test('a standby cluster acknowledges nothing itself', () => {
    const nodes = ['pg1', 'pg2', 'pg3'].map((name) => node(name));
    const standby = cluster({ standbyCluster: true, mode: 'off', nodes });
    expect(loss(standby, 'pg2')).toBe('none');
    // Unless one of its members is a primary, its leader included.
    expect(loss(cluster({ standbyCluster: true, mode: 'off' }), 'pg2')).toBe('possible');
  });
  test('a second primary spoils every verdict, also while the leader lives', () => {
    const second = with3({ primary: true, streamsFromLeader: false });
    for (const candidate of ['pg2', 'pg3', null])
      for (const situation of [ALIVE, GONE])
        expect(loss(second, candidate, situation)).toBe('possible');
    expect(loss(cluster({ departedPrimaries: ['pg9'] }), 'pg2', ALIVE)).toBe('possible');
    expect(loss(cluster({ departedUnread: ['pg9'] }), 'pg2', ALIVE)).toBe('unknown');
    const unread = { reachable: null, running: null, primary: null, streamsFromLeader: false };
    expect(loss(with3(unread), 'pg2', ALIVE)).toBe('unknown');
    expect(loss(with3({ ...unread, streamsFromLeader: true }), 'pg2', ALIVE)).toBe('none');
  });
  test('votes prove nothing of a member on another timeline, or with a /sync of another leader', () => {
    const stray = { timeline: 4, streamsFromLeader: false, walPosition: 900n };
    expect(loss(with3(stray), null, ALIVE)).toBe('possible');
    expect(loss(with3({ ...stray, walPosition: 50n }), null, ALIVE)).toBe('none');
    expect(loss(with3({ ...stray, nofailover: true }), null, ALIVE)).toBe('none');
    expect(loss(with3(stray, { checkTimeline: true }), null, ALIVE)).toBe('none');
    expect(loss(with3({ ...stray, timeline: null }), null, ALIVE)).toBe('unknown');
    const stale = { syncLeader: 'pg3', voters: ['pg1', 'pg2'] };
    expect(loss(with3(stray, stale), null, ALIVE)).not.toBe('none');
    expect(loss(cluster({ leader: null, formerLeader: 'pg9' }), 'pg2')).toBe('possible');
  });
  test('a candidate without which nothing is acknowledged has everything, whether it streams or not', () => {
    const away = { streamsFromLeader: false };
    expect(loss(with3(away, { quorum: 0 }), 'pg3', ALIVE)).toBe('none');
    expect(loss(with3(away, { quorum: 1 }), 'pg3', ALIVE)).toBe('possible');
  });
  test('a leader before 4.0 waits for no standby in quorum mode', () => {
    expect(loss(cluster({ leaderVersion: '3.3.11' }), 'pg2')).toBe('possible');
    // One that counts no votes may win without them, when it is beyond what the leader has written.
    const old = (walPosition: bigint | null): VoteInput =>
      with3({ version: '3.3.11', timeline: null, streamsFromLeader: null, walPosition });
    expect(loss(old(101n), null, ALIVE)).toBe('unknown');
    expect(loss(old(null), null, ALIVE)).toBe('unknown');
    // As far as the leader, it is behind the member that follows the shutdown.
    expect(loss(old(100n), null, ALIVE)).toBe('none');
  });
});

describe('synchronous_standby_names', () => {
  test.each([
    ['', { method: 'off', num: 0, names: [] }],
    ['  ', { method: 'off', num: 0, names: [] }],
    ['a', { method: 'first', num: 1, names: ['a'] }],
    [' a , "B-c" ', { method: 'first', num: 1, names: ['a', 'B-c'] }],
    ['*', { method: 'first', num: 1, names: ['*'] }],
    ['2 (a,b)', { method: 'first', num: 2, names: ['a', 'b'] }],
    ['FiRsT 1(a)', { method: 'first', num: 1, names: ['a'] }],
    ['ANY 1 (pg1,pg2)', { method: 'any', num: 1, names: ['pg1', 'pg2'] }],
    ['any 2 ("q""x", 7, *)', { method: 'any', num: 2, names: ['q"x', '7', '*'] }],
    ['"any"', { method: 'first', num: 1, names: ['any'] }],
    ['"a,b"', { method: 'first', num: 1, names: ['a,b'] }],
  ])('%s', (text, expected) => {
    expect(parseSyncNames(text)).toEqual(expected);
  });
  test.each([
    'a,',
    ',',
    'a b',
    'ANY 4("a" b)',
    '2 (,)',
    'ANY 0 (a)',
    'ANY (a)',
    'first',
    '1 (a',
    '"a',
    'a-b',
    '2 a)',
  ])('PostgreSQL refuses %s', (text) => {
    expect(parseSyncNames(text)).toBeNull();
  });
});
