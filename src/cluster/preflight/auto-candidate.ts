/** The candidate that `--candidate auto` selects. */
import { lagBytes } from '../model/lsn.js';
import type { CheckResult } from './plan-model.js';
import { race } from '../votes/race.js';
import { byCodePoint } from '../model/patroni-values.js';
import { withCandidate, type PreflightCheck, type PlanFacts } from './plan-facts.js';
import { levelled, lossOf } from './data-loss-check.js';
import { brokenCount } from './subscribers.js';

export interface Choice {
  candidate: string | null;
  because: string;
}

interface Ranked {
  name: string;
  /** Checks that could not be made. */
  unknowns: number;
  /** Logical slots whose subscribers would stop. */
  broken: number;
  counted: number;
  needed: number;
  lag: number;
  priority: number;
}

/** Members are read at different moments: a smaller difference is ignored. */
const NOISE_BYTES = 64 * 1024;

/**
 * The best of those that no check refuses: known before unknown, subscribers that go on, votes, lag,
 * failover_priority, name.
 */
export function choose(ctx: PlanFacts, checks: readonly PreflightCheck[]): Choice {
  const others = ctx.cluster.members
    .map(({ name }) => name)
    .filter((name) => name !== ctx.cluster.leaderName);
  const against = new Map(
    others.map((name) => [name, objections(withCandidate(ctx, name), checks)]),
  );
  const isEligible = (name: string) => against.get(name)?.refused.length === 0;
  const ranked = others
    .filter(isEligible)
    .map((name) => rank(ctx, name, against.get(name)?.unknown.length ?? 0))
    .sort(byRank);
  const [best] = ranked;
  if (best) return { candidate: best.name, because: words(best, ranked.length) };
  const why = others.map((name) => `${name} (${against.get(name)?.refused.join(', ') ?? ''})`);
  const because = `no member is eligible: ${why.join('; ') || 'there is no other member'}`;
  return { candidate: null, because };
}

function rank(ctx: PlanFacts, name: string, unknowns: number): Ranked {
  const input = ctx.leaderState === 'alive' ? levelled(ctx.input) : ctx.input;
  const result = race(input).find((one) => one.name === name);
  const node = input.nodes.find((one) => one.name === name);
  return {
    name,
    unknowns,
    broken: brokenCount(withCandidate(ctx, name)),
    counted: result?.counted ?? 0,
    needed: result?.needed ?? 0,
    lag: lagOf(ctx, name),
    priority: node?.failoverPriority ?? 0,
  };
}

/** No figure in it moves while the cluster is idle or busy: two plans in a row are compared. */
function words(best: Ranked, eligible: number): string {
  const votes = best.needed > 0 ? `${best.counted} of ${best.needed} votes, ` : '';
  const lag = best.lag < NOISE_BYTES ? 'no significant lag' : 'the least lag';
  return `${votes}${lag}, failover_priority ${best.priority}; best of ${eligible} eligible`;
}

function byRank(a: Ranked, b: Ranked): number {
  const lag = Math.floor(a.lag / NOISE_BYTES) - Math.floor(b.lag / NOISE_BYTES);
  const known = a.unknowns - b.unknowns;
  return (
    known ||
    a.broken - b.broken ||
    b.counted - a.counted ||
    lag ||
    b.priority - a.priority ||
    byCodePoint(a.name, b.name)
  );
}

interface Objections {
  refused: string[];
  unknown: string[];
}

/** Names of the checks that stand against a member, and of those that could not be made. */
function objections(ctx: PlanFacts, checks: readonly PreflightCheck[]): Objections {
  const found = checks
    .map((check) => check(ctx))
    .filter((check) => check !== null)
    .filter(({ name }) => !ctx.request.skipChecks.includes(name));
  const named = (result: CheckResult) =>
    found.filter((check) => check.result === result).map(({ name }) => name);
  const isSafe = ctx.request.allowDataLoss || lossOf(ctx).verdict === 'none';
  const refused = named('refused');
  return { refused: isSafe ? refused : [...refused, 'data_loss'], unknown: named('unknown') };
}

function lagOf(ctx: PlanFacts, name: string): number {
  const mine = ctx.input.nodes.find((n) => n.name === name)?.walPosition ?? null;
  const leaders = ctx.leader?.position ?? ctx.input.optime;
  return mine === null || leaders === null ? Number.MAX_SAFE_INTEGER : lagBytes(leaders, mine);
}
