/** What may be lost: the arithmetic is in votes/data-loss.ts, the leader's state decides which of it counts. */
import { commandLine } from '../model/command-line.js';
import { syncKeySays } from '../findings/evidence.js';
import { dataLossVerdict, type LossVerdict } from '../votes/data-loss.js';
import type { Witnessed } from '../model/model.js';
import type { MemberView, View } from '../roles/view.js';
import type { Plan, PlanCheck } from './plan-model.js';
import type { VoteInput } from '../votes/vote-rules.js';
import { bad, ok, unlessAccepted, type PlanFacts } from './plan-facts.js';

/** May a commit be lost that a client was told is durable? */
export function dataLoss(ctx: PlanFacts): PlanCheck | null {
  if (ctx.candidate !== null && ctx.one === null) return null;
  const name = 'data_loss';
  const { verdict, words, because } = lossOf(ctx);
  const evidence: Witnessed[] = ctx.input.mode === 'off' ? [] : [syncKeySays(ctx.cluster)];
  if (verdict === 'none') return ok(name, `${words}: ${because}`, evidence);
  const accepted = ctx.request.allowDataLoss;
  const next = accepted
    ? 'accepted by --allow-data-loss'
    : `accept it with --allow-data-loss, or choose another candidate by its position: ${commandLine(ctx.cluster, 'quorum')}`;
  if (verdict === 'possible')
    return bad(name, unlessAccepted(ctx), `${words}: ${because}`, evidence, next);
  return bad(name, accepted ? 'warning' : 'unknown', `data loss is ${words}`, evidence, next);
}

export interface LossWords {
  verdict: Plan['dataLoss']['verdict'];
  words: string;
  because: string;
}

/** The verdict for the leader as it is: alive and about to be shut down cleanly, or gone. */
export function lossOf(ctx: PlanFacts): LossWords {
  const { leaderState, cluster } = ctx;
  const who = cluster.leaderName ?? 'the leader';
  const other = leaderState === 'alive' && !ctx.input.standbyCluster && besideLeader(ctx.view);
  if (other) return lossBeside(who, other.name);
  if (leaderState === 'alive') return wordsOf(verdictFor(ctx, true));
  if (leaderState === 'silent' && !ctx.input.standbyCluster)
    return wordsOf({
      loss: 'possible',
      because: `${who} is a primary that cannot be stopped and continues to acknowledge commits`,
    });
  if (leaderState === 'down' || leaderState === 'none') {
    const gone = verdictFor(ctx, false);
    const heard = leaderState === 'down' && gone.loss === 'none' ? stillStreams(ctx) : null;
    if (heard === null) return wordsOf(gone);
    return wordsOf({
      loss: 'unknown',
      because: `${heard} still streams: ${who} may be alive`,
    });
  }
  const both = [verdictFor(ctx, true), verdictFor(ctx, false)] as const;
  if (both[0].loss === both[1].loss) return wordsOf(both[1]);
  return wordsOf({ loss: 'unknown', because: `it is unknown whether ${who} is alive` });
}

/** A primary beside the leader, in the DCS or out of it; without a leader the votes' own arithmetic counts it. */
export function besideLeader({ primaries, snapshot }: View): MemberView | null {
  const { leaderName } = snapshot.cluster;
  if (leaderName === null) return null;
  return primaries.find(({ name }) => name !== leaderName) ?? null;
}

/** The one verdict on two primaries, for every command. */
export function lossBeside(leader: string | null, other: string): LossWords {
  const because = `${other} is a primary beside ${leader ?? 'the leader'}, and what it acknowledges is lost`;
  return wordsOf({ loss: 'possible', because });
}

function stillStreams({ input, leader }: PlanFacts): string | null {
  if (leader?.rest.ok) return null;
  return input.nodes.find((n) => n.streams === true && n.primary !== true)?.name ?? null;
}

function verdictFor({ input, candidate }: PlanFacts, leaderAlive: boolean): LossVerdict {
  return dataLossVerdict(input, candidate, { leaderAlive });
}

function wordsOf({ loss, because }: Pick<LossVerdict, 'loss' | 'because'>): LossWords {
  const words = {
    none: 'no acknowledged commit can be lost',
    possible: 'acknowledged commits may be lost',
    unknown: `unknown, because ${because}`,
  }[loss];
  return { verdict: loss, words, because };
}

/**
 * The positions after a clean shutdown: each member that streams from the leader has everything. Under load
 * the members are read at different moments, and the member that was read first would seem to be behind.
 */
export function levelled(input: VoteInput): VoteInput {
  const known = levelledInputs.get(input) ?? levelledInput(input);
  levelledInputs.set(input, known);
  return known;
}

/** Every candidate asks for it, and the race of each new input is worked out again. */
const levelledInputs = new WeakMap<VoteInput, VoteInput>();

function levelledInput(input: VoteInput): VoteInput {
  const level = input.nodes.find((n) => n.name === input.leader)?.walPosition ?? null;
  if (level === null) return input;
  const nodes = input.nodes.map((n) =>
    n.streamsFromLeader === true && !n.standsStill ? { ...n, walPosition: level } : n,
  );
  return { ...input, nodes };
}
