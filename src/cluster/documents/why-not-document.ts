/** `patctl why-not`: Patroni's own checks of one member, in the order in which Patroni makes them. */
import type { Snapshot } from '../model/model.js';
import type { ChangeRequest, PlanCheck } from '../preflight/plan-model.js';
import { race } from '../votes/race.js';
import type { Outcome, VoteInput } from '../votes/vote-rules.js';
import { locklessPrimary, without } from '../votes/without.js';
import {
  contextOf,
  type PreflightCheck,
  type PlanFacts,
  type LeaderState,
} from '../preflight/plan-facts.js';
import { CHECKS } from '../preflight/all-checks.js';

export interface WhyNotStep {
  /**
   * Which program checks it: Patroni's API before it accepts the request, the leader before it steps down, or only
   * patctl.
   */
  asks: 'API' | 'leader' | 'patctl';
  check: string;
  result: PlanCheck['result'];
  said: string;
  next: string | null;
}

export interface WhyNotDocument {
  schemaVersion: 1;
  takenAt: string;
  cluster: string;
  group: number | null;
  member: string;
  leader: string | null;
  leaderState: LeaderState;
  /** By a switchover while the leader lives, by the race when it does not. */
  could: Outcome;
  /** A switchover to it now; null: no leader is there to step down, or it leads already. */
  switchover: { could: Outcome; steps: WhyNotStep[] } | null;
  /** If the leader were lost now, or in the race for the free lock; null: it leads. */
  race: RaceView | null;
  /** The same if the primary that runs without the lock were lost too; null: there is no such primary. */
  afterPrimary: (RaceView & { primary: string }) | null;
}

export interface RaceView {
  could: Outcome;
  counted: number;
  needed: number;
  reasons: string[];
}

/** Patroni's order: the API's checks, then the leader's own; then what only patctl looks at. */
const ORDER: [WhyNotStep['asks'], string][] = [
  ['API', 'candidate_sync'],
  ['API', 'candidate_answers'],
  ['API', 'candidate_nofailover'],
  ['API', 'candidate_watchdog'],
  ['leader', 'candidate_lag'],
  ['leader', 'candidate_timeline'],
  ['leader', 'patroni_405_quorum'],
  ['leader', 'votes'],
  ['patctl', 'candidate_streams'],
  ['patctl', 'replay_paused'],
  ['patctl', 'data_loss'],
];

/** What a member that exists could become. */
export function whyNot(snapshot: Snapshot, member: string): WhyNotDocument {
  const ctx = contextOf(snapshot, null, switchoverTo(member), member);
  const { cluster, leaderState } = ctx;
  const leads = member === cluster.leaderName;
  const isGone = leaderState === 'none' || leaderState === 'down';
  const switchover = leads || isGone ? null : switchoverOf(ctx);
  const raced = leads ? null : raceOf(ctx.input, member);
  return {
    schemaVersion: 1,
    takenAt: snapshot.takenAt,
    cluster: cluster.scope,
    group: cluster.group,
    member,
    leader: cluster.leaderName,
    leaderState,
    could: leads ? 'yes' : (switchover?.could ?? raced?.could ?? 'unknown'),
    switchover,
    race: raced,
    afterPrimary: afterPrimary(ctx.input, member),
  };
}

function switchoverTo(member: string): ChangeRequest {
  return {
    kind: 'switchover',
    leader: null,
    candidate: member,
    avoid: null,
    scheduledAt: null,
    allowDataLoss: false,
    skipChecks: [],
    terminateLogical: false,
  };
}

function switchoverOf(ctx: PlanFacts): { could: Outcome; steps: WhyNotStep[] } {
  const steps = ORDER.flatMap(([asks, check]): WhyNotStep[] => {
    const found = (CHECKS[check] as PreflightCheck)(ctx);
    if (found === null) return [];
    const { result, said, next } = found;
    return [{ asks: whoAsks(ctx, asks, check), check, result, said, next }];
  });
  const named = ORDER.map(([, check]) => check);
  // One verdict for one situation: whatever else would refuse the switchover stands here too.
  for (const [check, found] of Object.entries(CHECKS)) {
    const refusal = named.includes(check) ? null : found(ctx);
    if (refusal?.result !== 'refused') continue;
    const { said, next } = refusal;
    steps.push({ asks: 'patctl', check, result: 'refused', said, next });
  }
  const results = steps.map(({ result }) => result);
  const could = results.includes('refused')
    ? 'no'
    : results.includes('unknown')
      ? 'unknown'
      : 'yes';
  return { could, steps };
}

/** In quorum mode it is the leader, not the API, that wants the candidate in /sync. */
function whoAsks(ctx: PlanFacts, asks: WhyNotStep['asks'], check: string): WhyNotStep['asks'] {
  return check === 'candidate_sync' && ctx.input.mode === 'quorum' ? 'leader' : asks;
}

function afterPrimary(input: VoteInput, member: string): WhyNotDocument['afterPrimary'] {
  const primary = locklessPrimary(input);
  if (primary === null || primary === member) return null;
  const raced = raceOf(without(input, [primary]), member);
  return raced && { primary, ...raced };
}

function raceOf(input: VoteInput, member: string): RaceView | null {
  const found = race(input).find(({ name }) => name === member);
  if (!found) return null;
  const { mayWin, counted, needed, reasons } = found;
  return { could: mayWin, counted, needed, reasons };
}
