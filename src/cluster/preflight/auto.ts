/** Whom `--candidate auto` takes. */
import { lagBytes } from '../lsn.js';
import { race } from '../quorum.js';
import { byCodePoint } from '../values.js';
import { withCandidate, type Check, type Context } from './context.js';
import { levelled, lossOf } from './votes.js';

export interface Choice {
  candidate: string | null;
  because: string;
}

interface Ranked {
  name: string;
  counted: number;
  needed: number;
  lag: number;
  priority: number;
}

/** Members are read at different moments: less than this is no difference. */
const NOISE_BYTES = 64 * 1024;

/** The best of those whom no check refuses: votes, then lag, then failover_priority, then name. */
export function choose(ctx: Context, checks: readonly Check[]): Choice {
  const input = ctx.leaderState === 'alive' ? levelled(ctx.input) : ctx.input;
  const results = race(input);
  const others = ctx.cluster.members
    .map(({ name }) => name)
    .filter((name) => name !== ctx.cluster.leaderName);
  const refused = new Map(others.map((name) => [name, refusals(withCandidate(ctx, name), checks)]));
  const ranked = others
    .filter((name) => refused.get(name)?.length === 0)
    .map((name): Ranked => {
      const result = results.find((r) => r.name === name);
      const node = input.nodes.find((n) => n.name === name);
      const priority = node?.failoverPriority ?? 0;
      return {
        name,
        counted: result?.counted ?? 0,
        needed: result?.needed ?? 0,
        lag: lagOf(ctx, name),
        priority,
      };
    })
    .sort(byRank);
  const [best] = ranked;
  if (!best) {
    const why = others
      .map((name) => `${name} (${(refused.get(name) ?? []).join(', ')})`)
      .join('; ');
    return { candidate: null, because: `nobody is eligible: ${why || 'there is no other member'}` };
  }
  const bytes = best.lag < NOISE_BYTES ? 'no lag that counts' : `${best.lag} bytes of lag`;
  const votes = best.needed > 0 ? `${best.counted} of ${best.needed} votes, ` : '';
  return {
    candidate: best.name,
    because: `${votes}${bytes}, failover_priority ${best.priority}; best of ${ranked.length} eligible`,
  };
}

function byRank(a: Ranked, b: Ranked): number {
  const lag = Math.floor(a.lag / NOISE_BYTES) - Math.floor(b.lag / NOISE_BYTES);
  return b.counted - a.counted || lag || b.priority - a.priority || byCodePoint(a.name, b.name);
}

/** Names of the checks that stand against a member; those that are not known do too. */
function refusals(ctx: Context, checks: readonly Check[]): string[] {
  const against = checks
    .map((check) => check(ctx))
    .filter((found) => found?.result === 'refused' || found?.result === 'unknown')
    .map((found) => found?.name ?? '')
    .filter((name) => !ctx.request.skipChecks.includes(name));
  const isSafe = ctx.request.allowDataLoss || lossOf(ctx).verdict === 'none';
  return isSafe ? against : [...against, 'data_loss'];
}

function lagOf(ctx: Context, name: string): number {
  const mine = ctx.input.nodes.find((n) => n.name === name)?.walPosition ?? null;
  const leaders = ctx.leader?.position ?? ctx.input.optime;
  return mine === null || leaders === null ? Number.MAX_SAFE_INTEGER : lagBytes(leaders, mine);
}
