/** What a cluster survives, against the same counted over every choice of the lost. */
import { describe, expect, test } from 'vitest';
import { race } from '../../src/cluster/votes/race.js';
import { survivable } from '../../src/cluster/votes/fault-tolerance.js';
import { allOf, limitation } from '../../src/cluster/votes/vote-rules.js';
import type { Outcome, VoteInput, VoteNode } from '../../src/cluster/votes/vote-rules.js';
import { cluster as threeMembers, node as replica } from '../unit/vote-node.js';

const node = (name: string, facts: Partial<VoteNode> = {}): VoteNode =>
  replica(name, { timeline: 1, ...facts });

function cluster(facts: Partial<VoteInput> & Pick<VoteInput, 'nodes'>): VoteInput {
  return threeMembers({
    ...{ leader: 'pg0', syncLeader: 'pg0', quorum: 0, clusterTimeline: 1 },
    voters: facts.nodes.map(({ name }) => name).filter((name) => name !== 'pg0'),
    ...facts,
  });
}

// ---------------------------------------------------------------- by trying every loss

interface Counted {
  leaderLoss: Outcome;
  atLeast: number;
  atMost: number;
}

function takeover(input: VoteInput): Outcome {
  const outcomes = race(input).map(({ mayWin }) => mayWin);
  if (outcomes.includes('yes')) return 'yes';
  return outcomes.includes('unknown') ? 'unknown' : 'no';
}

function choices(names: string[], size: number): string[][] {
  if (size === 0) return [[]];
  return names.flatMap((name, at) =>
    choices(names.slice(at + 1), size - 1).map((rest) => [name, ...rest]),
  );
}

function without(input: VoteInput, lost: string[]): VoteInput {
  const nodes = input.nodes.map((one) =>
    lost.includes(one.name) ? { ...one, reachable: false } : one,
  );
  return { ...input, nodes };
}

/** A primary that is tagged nofailover retakes the lock anyway. */
function mayMatter(one: VoteNode): boolean {
  const tagged = one.primary === true ? { nofailover: false, watchdogFailed: false } : {};
  return limitation({ ...one, ...tagged })?.certain !== true;
}

function everyLoss(input: VoteInput): Counted {
  const leaderLoss = takeover(input);
  const losable = input.nodes
    .filter((one) => one.name !== input.leader && mayMatter(one))
    .map(({ name }) => name);
  let atLeast = 0;
  let atMost = 0;
  for (let size = 1; size < losable.length; size++) {
    const all = allOf(choices(losable, size).map((lost) => takeover(without(input, lost))));
    if (all === 'no') break;
    atMost = size;
    if (all === 'yes' && atLeast === size - 1) atLeast = size;
  }
  return {
    leaderLoss,
    atLeast: leaderLoss === 'yes' ? atLeast : 0,
    atMost: leaderLoss === 'no' ? 0 : atMost,
  };
}

// ---------------------------------------------------------------- clusters by chance, the same ones each time

function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function someCluster(seed: number, members: number, sure: boolean): VoteInput {
  const below = numbers(seed);
  const one = <T>(...of: T[]): T => of[below(of.length)] as T;
  const often = <T>(usual: T, ...rest: T[]): T => (below(4) > 0 ? usual : one(...rest));
  const maybe = <T>(usual: T, ...rest: T[]) =>
    sure ? often(usual, ...rest) : often<T | null>(usual, ...rest, null);
  const nodes = Array.from({ length: members }, (_, at) =>
    node(`pg${at}`, {
      reachable: maybe(true, true, false),
      running: maybe(true, true, false),
      primary: often(false, false, true),
      walPosition: sure ? BigInt(below(4)) : one(null, 0n, 1n, 2n, 3n),
      timeline: maybe(1, 1, 2),
      nofailover: often(false, true),
      watchdogFailed: maybe(false, false, true),
      failoverPriority: one(1, 1, 2),
    }),
  );
  const names = nodes.map(({ name }) => name);
  return cluster({
    nodes,
    mode: one('off', 'on', 'quorum', 'quorum', 'quorum'),
    leader: often<string | null>('pg0', null),
    formerLeader: one(null, 'pg0', 'pg1'),
    syncLeader: often<string | null>('pg0', null, 'pg1'),
    voters: names.filter((name) => name !== 'pg0' && below(4) > 0),
    quorum: below(members),
    optime: one(null, 0n, 3n),
    maximumLagOnFailoverBytes: one(0, 1, 5),
    checkTimeline: one(false, true),
    failsafeMembers: often(null, names.slice(1)),
  });
}

function counted(input: VoteInput): Counted {
  const { leaderLoss, atLeast, atMost } = survivable(input);
  return { leaderLoss, atLeast, atMost };
}

describe('the same as by trying every loss', () => {
  test.each([
    [2, 250],
    [3, 500],
    [4, 700],
    [5, 250],
    [6, 200],
  ])('in clusters of %i', (members, clusters) => {
    const seen = new Set<string>();
    for (let seed = 0; seed < clusters; seed++) {
      const input = someCluster(seed, members, seed % 2 === 0);
      const expected = everyLoss(input);
      expect({ seed, ...counted(input) }).toEqual({ seed, ...expected });
      seen.add(`${expected.atLeast} ${expected.atMost}`);
    }
    expect([...seen].sort()).toContain(`${members - 2} ${members - 2}`);
    expect(seen.size).toBeGreaterThan(members - 1);
  });
});

describe('thirty members', () => {
  // A few on a quiet machine; trying every loss would take days.
  const LIMIT_MS = 1000;
  const names = Array.from({ length: 29 }, (_, at) => `pg${at + 1}`);
  const nodes = (of: (at: number) => Partial<VoteNode>) =>
    ['pg0', ...names].map((name, at) => node(name, of(at)));
  // On a busy machine one run may measure the others: it counts when one of ten is quick enough.
  const timed = (input: VoteInput, runsLeft = 10): ReturnType<typeof survivable> => {
    const startedMs = performance.now();
    const found = survivable(input);
    const tookMs = performance.now() - startedMs;
    if (tookMs >= LIMIT_MS && runsLeft > 1) return timed(input, runsLeft - 1);
    expect(tookMs).toBeLessThan(LIMIT_MS);
    return found;
  };
  const spread = (at: number) => ({ walPosition: BigInt(at + 1), failoverPriority: (at % 3) + 1 });

  test('with equal positions', () => {
    expect(timed(cluster({ nodes: nodes(() => ({})), quorum: 14 })).more).toBe(14);
    expect(timed(cluster({ nodes: nodes(() => ({})), mode: 'off' })).more).toBe(28);
  });

  test('with different positions', () => {
    // The one that is ahead may win: with it go fourteen that would vote for it.
    const found = timed(cluster({ nodes: nodes(spread), quorum: 14, optime: null }));
    expect(found).toMatchObject({ leaderLoss: 'yes', more: 14, atLeast: 14, atMost: 14 });
    expect(timed(cluster({ nodes: nodes(spread), mode: 'on', optime: null })).more).toBe(28);
  });

  test('with a third member that was not asked', () => {
    const dark = { reachable: null, running: null, walPosition: null, watchdogFailed: null };
    const some = nodes((at) => (at % 3 === 1 ? dark : {}));
    expect(timed(cluster({ nodes: some, mode: 'off' })).sentence).toBe(
      'it is unknown whether a member can take over if the leader is lost',
    );
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('of every kind, the %ith: never more than is so', (seed) => {
    const input = someCluster(seed, 30, seed % 2 === 0);
    const { leaderLoss, atLeast, atMost } = timed(input);
    expect(atLeast).toBeLessThanOrEqual(atMost);
    if (leaderLoss !== 'yes') expect(atLeast).toBe(0);
  });

  test('a range where more would have to be tried than may be', () => {
    const found = timed(someCluster(148, 30, true));
    expect(found).toMatchObject({ leaderLoss: 'yes', more: null, atLeast: 11, atMost: 14 });
    expect(found.sentence).toBe('the cluster survives losing the leader and 11 to 14 more');
  });
});
