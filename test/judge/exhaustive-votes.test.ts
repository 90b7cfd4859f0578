import { expect, test } from 'vitest';
import { dataLossVerdict } from '../../src/cluster/votes/data-loss.js';
import { race } from '../../src/cluster/votes/race.js';
import { leaderGate } from '../../src/cluster/votes/step-down.js';
import { survivable } from '../../src/cluster/votes/fault-tolerance.js';
import type { VoteInput, VoteNode } from '../../src/cluster/votes/vote-rules.js';
import { cluster } from '../unit/vote-node.js';
import { everyCluster, leaderStepsDown, someWorldLoses, winsRace } from './quorum-model.js';
import type { ModelCluster, ModelNode } from './quorum-model.js';

const MEMBERS = 5;
const POSITIONS = [0, 1, 2, 3];
const WITH_TAGS = POSITIONS.flatMap((position) =>
  [false, true].map((nofailover) => ({ position, nofailover, priority: 1 })),
);
const WITH_PRIORITIES = [
  ...WITH_TAGS.filter((s) => s.position > 0 || !s.nofailover),
  ...[1, 2, 3].map((position) => ({ position, nofailover: false, priority: 2 })),
];

function node(model: ModelNode): VoteNode {
  const answers = model.position > 0;
  return {
    name: model.name,
    version: '4.1.4',
    hasApiUrl: true,
    starting: false,
    reachable: answers,
    running: answers ? true : null,
    primary: answers ? false : null,
    walPosition: answers ? BigInt(model.position) : null,
    timeline: answers ? 1 : null,
    nofailover: model.nofailover,
    keyNofailover: model.nofailover,
    ownSystem: true,
    watchdogFailed: answers ? false : null,
    failoverPriority: model.priority,
    streamsFromLeader: false,
    standsStill: false,
    streams: false,
  };
}

function toInput(c: ModelCluster): VoteInput {
  const lead = { name: c.leader, position: 4, nofailover: false, priority: 1 };
  return cluster({
    nodes: [node(c.leaderCameBack ?? lead), ...c.others.map(node)],
    leader: c.leaderCameBack ? null : c.leader,
    formerLeader: c.leaderCameBack ? c.leader : null,
    mode: c.mode,
    syncLeader: c.mode === 'off' ? null : c.leader,
    voters: c.voters,
    quorum: c.quorum,
    optime: c.optime === 0 ? null : BigInt(c.optime),
    maximumLagOnFailoverBytes: c.maximumLag,
    clusterTimeline: 1,
  });
}

function shown(c: ModelCluster, name: string): string {
  return `${name} in ${JSON.stringify(c)}`;
}

test('in every small cluster no loss is promised exactly where no hidden state loses a commit', () => {
  let compared = 0;
  const counts = { none: 0, possible: 0, unknown: 0 };
  for (const c of everyCluster(MEMBERS, WITH_TAGS)) {
    const input = toInput(c);
    for (const candidate of c.others.filter((n) => n.position > 0)) {
      const { loss } = dataLossVerdict(input, candidate.name, { leaderAlive: false });
      const expected = someWorldLoses(c, candidate.name) ? 'possible' : 'none';
      if (loss !== expected) expect.fail(`${loss}, not ${expected}: ${shown(c, candidate.name)}`);
      counts[loss]++;
      compared++;
    }
  }
  expect(counts.unknown).toBe(0);
  expect(counts.none).toBeGreaterThan(1000);
  expect(counts.possible).toBeGreaterThan(1000);
  expect(compared).toBe(counts.none + counts.possible);
});

test('with synchronous_commit local it is as without synchronous mode: whatever is ahead may be lost', () => {
  for (const c of everyCluster(MEMBERS - 1, WITH_TAGS))
    for (const candidate of c.others.filter((n) => n.position > 0)) {
      const input: VoteInput = { ...toInput(c), synchronousCommit: 'local' };
      const { loss } = dataLossVerdict(input, candidate.name, { leaderAlive: false });
      // The leader may have acknowledged what no other member has.
      const loses = someWorldLoses({ ...c, mode: 'off' }, candidate.name);
      if (!loses || loss !== 'possible') expect.fail(`${loss}: ${shown(c, candidate.name)}`);
    }
});

test('a candidate that does not answer is never promised to be safe', () => {
  for (const c of everyCluster(MEMBERS - 1, WITH_TAGS))
    for (const candidate of c.others.filter((n) => n.position === 0)) {
      const { loss } = dataLossVerdict(toInput(c), candidate.name, { leaderAlive: false });
      if (loss !== 'possible') expect.fail(`${loss}: ${shown(c, candidate.name)}`);
    }
});

test('in every small cluster the member wins that Patroni lets win, and loses no commit', () => {
  let winners = 0;
  for (const base of everyCluster(MEMBERS, WITH_PRIORITIES))
    for (const optime of [0, 3]) {
      const c = { ...base, optime, maximumLag: 1 };
      const input = toInput(c);
      for (const result of race(input)) {
        const expected = winsRace(c, result.name) ? 'yes' : 'no';
        if (result.mayWin !== expected) expect.fail(`${result.mayWin}: ${shown(c, result.name)}`);
        if (expected === 'no') continue;
        winners++;
        const { loss } = dataLossVerdict(input, result.name, { leaderAlive: false });
        if (c.mode !== 'off' && loss !== 'none') expect.fail(`${loss}: ${shown(c, result.name)}`);
      }
    }
  expect(winners).toBeGreaterThan(1000);
});

test('the former leader back as a replica: the race is the same, and the promise holds', () => {
  let cautious = 0;
  let safe = 0;
  for (const base of everyCluster(MEMBERS - 1, WITH_PRIORITIES))
    for (const state of WITH_PRIORITIES) {
      const c = { ...base, leaderCameBack: { ...state, name: base.leader } };
      const input = toInput(c);
      for (const result of race(input)) {
        const expected = winsRace(c, result.name) ? 'yes' : 'no';
        if (result.mayWin !== expected) expect.fail(`${result.mayWin}: ${shown(c, result.name)}`);
      }
      if (state.position === 0) continue;
      for (const candidate of c.others.filter((n) => n.position > 0)) {
        const { loss } = dataLossVerdict(input, candidate.name, { leaderAlive: false });
        // What the former leader does not have was never acknowledged.
        const loses = candidate.position < state.position && someWorldLoses(c, candidate.name);
        if (loss === 'none' && loses) expect.fail(`unsound: ${shown(c, candidate.name)}`);
        if (loss === 'none') safe++;
        // Having all of the former leader proves nothing while /sync may be older than the last leader.
        else if (!loses && candidate.position >= state.position) cautious++;
      }
    }
  expect(safe).toBeGreaterThan(1000);
  expect(cautious).toBeGreaterThan(0);
});

test('in every small cluster the leader steps down where Patroni does', () => {
  for (const base of everyCluster(MEMBERS, WITH_TAGS))
    for (const optime of [0, 3]) {
      const c = { ...base, optime, maximumLag: 1 };
      const input = toInput(c);
      for (const candidate of [null, ...c.others.map((n) => n.name)]) {
        const { passes } = leaderGate(input, { candidate, action: 'switchover' });
        const expected = leaderStepsDown(c, candidate) ? 'yes' : 'no';
        if (passes !== expected) expect.fail(`${passes}: ${shown(c, candidate ?? 'any')}`);
      }
    }
});

test('quorum mode survives losing the leader and, of the healthy voters, all but quorum + 1', () => {
  for (const c of everyCluster(MEMBERS, WITH_TAGS)) {
    // Members outside /sync may win too, but where all are voters the number is exact.
    if (c.mode !== 'quorum' || c.voters.length < c.others.length) continue;
    const healthy = c.others.filter((n) => n.position > 0 && !n.nofailover).length;
    const result = survivable(toInput(c));
    const survives = healthy > c.quorum;
    const isRight =
      result.leaderLoss === (survives ? 'yes' : 'no') &&
      result.more === (survives ? healthy - c.quorum - 1 : null);
    if (!isRight) expect.fail(`${JSON.stringify(result)}: ${shown(c, c.leader)}`);
  }
});
