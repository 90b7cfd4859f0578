/** The verdicts on lost commits beside a model that tries every hidden world. */
import { describe, expect, test } from 'vitest';
import { planOf } from '../../src/cluster/preflight/plan.js';
import type { ChangeRequest } from '../../src/cluster/preflight/plan-model.js';
import { dataLossVerdict, type Loss } from '../../src/cluster/votes/data-loss.js';
import { voteInput } from '../../src/cluster/votes/vote-facts.js';
import { snapshotOf } from './decisions.js';
import {
  bytesOf,
  LEADER,
  losesACommit,
  plainerLossCluster,
  someLossCluster,
  type LossCluster,
} from './loss-model.js';

const CLUSTERS = Number(process.env['PATCTL_JUDGE_CLUSTERS'] ?? 20_000) / 2;
/** Enough for ten times as many clusters on a busy machine. */
const LIMIT = { timeout: 3_600_000 };
const FIRST_SEED = Number(process.env['PATCTL_JUDGE_SEED'] ?? 0);

/**
 * Why "none" may be withheld from a safe change, as docs/decisions/0005-caution-about-lost-commits.md explains each.
 */
const MEANT: readonly RegExp[] = [
  /^(dead|gone) unnamed: no member can win the race$/,
  /^alive unnamed: the leader does not step down$/,
  /^alive named: X does not stream from the leader, whose shutdown will not wait for it$/,
  /^(dead|gone) (un)?named: X has everything that n of the voters have; n are needed$/,
  /^alive unnamed: no member that can be promoted streams from the leader$/,
  /^alive unnamed: X is on another timeline and further than the leader$/,
  /^alive unnamed: \/sync was written for X, not for X$/,
];

interface Verdict {
  candidate: string | null;
  loss: Loss;
  because: string;
  loses: boolean;
}

function verdictsOf(cluster: LossCluster): Verdict[] {
  const input = voteInput(snapshotOf(bytesOf(cluster)));
  const leaderAlive = cluster.leader === 'alive';
  return [null, ...cluster.others.map(({ name }) => name)].map((candidate) => ({
    candidate,
    ...dataLossVerdict(input, candidate, { leaderAlive }),
    loses: losesACommit(cluster, candidate),
  }));
}

/** The plainest cluster of which "none" is said of this candidate and refuted. */
function refuted(start: LossCluster, candidate: string | null): string {
  const wrong = (cluster: LossCluster): Verdict | undefined =>
    verdictsOf(cluster).find(
      (one) => one.candidate === candidate && one.loss === 'none' && one.loses,
    );
  let smallest = start;
  for (let next: LossCluster | undefined = start; next !== undefined;) {
    smallest = next;
    next = [...plainerLossCluster(smallest)].find((one) => wrong(one) !== undefined);
  }
  const { others, ...facts } = smallest;
  const lines = [facts, ...others].map((one) => `  ${JSON.stringify(one)}`);
  const because = wrong(smallest)?.because ?? '';
  return `${candidate ?? 'any member'}: none, because ${because}\n${lines.join('\n')}`;
}

/** Everything that decides the verdict was shown. */
function isKnown({ others }: LossCluster): boolean {
  return others.every(({ state }) => state !== 'hidden');
}

/** A dead member is not promoted, and without a living one none takes over. */
function isNobody({ others }: LossCluster, candidate: string | null): boolean {
  const alive = others.filter(({ state }) => state !== 'dead');
  return !alive.some(({ name }) => candidate === null || name === candidate);
}

function percent(part: number, of: number): number {
  return of === 0 ? 0 : Math.round((part * 1000) / of) / 10;
}

describe.each([
  ['plain clusters', true],
  ['odd clusters', false],
])('%s', (title, plain) => {
  test('nothing lost is said only where no hidden world loses a commit', LIMIT, () => {
    const counts = { verdicts: 0, none: 0, safe: 0, cautious: 0 };
    const causes = new Map<string, number>();
    for (let seed = FIRST_SEED; seed < FIRST_SEED + CLUSTERS; seed++) {
      const cluster = someLossCluster(seed, plain);
      for (const { candidate, loss, because, loses } of verdictsOf(cluster)) {
        counts.verdicts++;
        if (loss === 'none') counts.none++;
        if (loss === 'none' && loses) expect.fail(refuted(cluster, candidate));
        if (loses || !isKnown(cluster) || isNobody(cluster, candidate)) continue;
        counts.safe++;
        if (loss === 'none') continue;
        counts.cautious++;
        const kind = `${cluster.leader} ${candidate === null ? 'unnamed' : 'named'}: ${because}`;
        const cause = kind.replaceAll(/\b(lead|a|b|c|d)\b/gi, 'X').replaceAll(/\d+/g, 'n');
        causes.set(cause, (causes.get(cause) ?? 0) + 1);
      }
    }
    console.log(
      `${title}: ${counts.verdicts} verdicts, ${counts.none} none; ` +
        `${counts.cautious} of ${counts.safe} safe ones (${percent(counts.cautious, counts.safe)} %) not called so`,
    );
    const sorted = [...causes].sort(([, a], [, b]) => b - a);
    for (const [cause, times] of sorted) console.log(`  ${times} × ${cause}`);
    expect(counts.none).toBeGreaterThan(counts.verdicts / 20);
    const isMeant = (cause: string): boolean => MEANT.some((words) => words.test(cause));
    expect(sorted.filter(([cause]) => !isMeant(cause))).toEqual([]);
    expect(counts.cautious).toBeLessThan(counts.safe * (plain ? 0.06 : 0.2));
  });
});

test('the plan of a switchover or failover says the same as the verdict behind it', LIMIT, () => {
  let compared = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + CLUSTERS / 40; seed++) {
    const cluster = someLossCluster(seed, seed % 2 === 0);
    const snapshot = snapshotOf(bytesOf(cluster));
    for (const { candidate, loses } of verdictsOf(cluster)) {
      const isAlive = cluster.leader === 'alive';
      const request: ChangeRequest = {
        kind: isAlive ? 'switchover' : 'failover',
        leader: isAlive ? LEADER : null,
        ...{ candidate, avoid: null, scheduledAt: null, allowDataLoss: false, skipChecks: [] },
        terminateLogical: false,
      };
      const { dataLoss } = planOf(snapshot, null, request);
      if (dataLoss.verdict === 'none' && loses)
        expect.fail(`${candidate ?? 'any member'}: ${JSON.stringify(cluster, null, 1)}`);
      compared++;
    }
  }
  expect(compared).toBeGreaterThan(CLUSTERS / 40);
});
