/** The plan of a switchover or failover: what would be asked of Patroni, and every check that speaks for or against it. */
import type { Snapshot, Witnessed } from '../model/model.js';
import { choose } from './auto-candidate.js';
import { argumentOf, bad, contextOf, withCandidate, type Context } from './plan-facts.js';
import { CANDIDATE_CHECKS, CHECKS } from './all-checks.js';
import { isKnown } from './leader-state.js';
import { logicalHolders } from './logical-clients.js';
import { lossOf } from './data-loss-check.js';

/** What the operator asked for. */
export interface ChangeRequest {
  kind: 'switchover' | 'failover';
  /** --leader as given; null: not given. */
  leader: string | null;
  /** --candidate as given; `auto` chooses; null: nobody named. */
  candidate: string | null;
  /** --avoid MEMBER: move the leadership off this member, nothing when it does not lead. */
  avoid: string | null;
  /** ISO 8601 UTC; null: now. */
  scheduledAt: string | null;
  allowDataLoss: boolean;
  /** Names of checks to skip (--skip-check). */
  skipChecks: readonly string[];
  /** --terminate-logical: stuck logical walsenders will be ended before the request. */
  terminateLogical: boolean;
}

/** skipped: it would have been refused or unknown, and --skip-check named it. */
export type CheckResult = 'ok' | 'warning' | 'refused' | 'unknown' | 'skipped';

export interface PlanCheck {
  /** Stable and greppable, as taken by --skip-check, e.g. `candidate_lag`. */
  name: string;
  result: CheckResult;
  /** One line: what was found. */
  said: string;
  evidence: Witnessed[];
  /** What to do about it; null when ok. */
  next: string | null;
}

export interface LogicalHolder {
  pid: number;
  applicationName: string;
  clientAddr: string | null;
  slotName: string | null;
  /** Sent or written by the leader and not confirmed, bytes; null when unknown. */
  unconfirmedBytes: number | null;
  /** Its confirmed position stood still over two readings while there was something to confirm. */
  stuck: boolean;
}

export interface Plan {
  kind: ChangeRequest['kind'];
  cluster: string;
  group: number | null;
  /** The leader that steps down; null when there is none. */
  leader: string | null;
  /** To be named in the request; null: Patroni chooses. */
  candidate: string | null;
  /** Why `auto` chose it; null when it was named or nobody is. */
  chosenBecause: string | null;
  scheduledAt: string | null;
  checks: PlanCheck[];
  /** Some check is `refused`. `unknown` refuses too where the check guards acknowledged commits. */
  refused: boolean;
  /** Nothing has to be done: --avoid names a member that does not lead. */
  nothingToDo: boolean;
  dataLoss: { verdict: 'none' | 'possible' | 'unknown'; words: string };
  logical: LogicalHolder[];
}

/** Names of all checks, as --skip-check takes them; data_loss has a flag of its own. */
export const CHECK_NAMES: readonly string[] = Object.keys(CHECKS);

/** What is wrong with the names given to --skip-check, as one sentence; null when nothing is. */
export function skipProblem(names: readonly string[]): string | null {
  if (names.includes('data_loss'))
    return 'data_loss cannot be skipped; accept it with --allow-data-loss';
  const wrong = names.filter((name) => !CHECK_NAMES.includes(name));
  if (wrong.length === 0) return null;
  return `unknown check ${wrong.join(', ')}; known: ${CHECK_NAMES.join(', ')}`;
}

/** Not knowing refuses too: it guards commits that were acknowledged. */
const GUARDS = ['data_loss'];

/** The checks for which a plan is refused. */
export function refusals(plan: Pick<Plan, 'checks'>): PlanCheck[] {
  return plan.checks.filter(
    ({ name, result }) => result === 'refused' || (result === 'unknown' && GUARDS.includes(name)),
  );
}

/**
 * What would be asked of Patroni, and every check for or against it. `before` is an earlier reading, a second
 * or so older: what stands still is seen only over two. Reads nothing but its arguments.
 */
export function planOf(now: Snapshot, before: Snapshot | null, request: ChangeRequest): Plan {
  const wanted = request.candidate === 'auto' ? null : request.candidate;
  const first = contextOf(now, before, request, wanted);
  if (avoided(first)) return nothingToDo(first);
  const choice =
    request.candidate === 'auto' ? choose(first, Object.values(CANDIDATE_CHECKS)) : null;
  const ctx = choice ? withCandidate(first, choice.candidate) : first;
  const checks = Object.values(CHECKS)
    .map((check) => check(ctx))
    .filter((check) => check !== null)
    .map((check) => skipped(check, request.skipChecks))
    .map(better(ctx));
  const nobody = choice?.candidate === null ? nobodyEligible(ctx, choice.because) : unnamed(ctx);
  if (nobody !== null) checks.unshift(nobody);
  const { verdict, words } = lossOf(ctx);
  return {
    ...subjectOf(ctx),
    chosenBecause: choice?.candidate ? choice.because : null,
    checks,
    refused: refusals({ checks }).length > 0,
    nothingToDo: false,
    dataLoss: { verdict, words },
    logical: logicalHolders(ctx),
  };
}

/** Where a named member is refused for what it is, the one that could be named instead is named. */
function better(ctx: Context): (check: PlanCheck) => PlanCheck {
  let instead: string | null | undefined;
  return (check) => {
    const isItsOwn = check.name in CANDIDATE_CHECKS && check.result === 'refused';
    if (!isItsOwn || ctx.candidate === null || check.next === null) return check;
    instead ??= choose(ctx, Object.values(CANDIDATE_CHECKS)).candidate;
    if (instead === null || instead === ctx.candidate) return check;
    return { ...check, next: `${check.next}; ${instead} could be named instead` };
  };
}

function subjectOf({ request, cluster, candidate }: Context) {
  return {
    kind: request.kind,
    cluster: cluster.scope,
    group: cluster.group,
    leader: cluster.leaderName,
    candidate,
    scheduledAt: request.scheduledAt,
  };
}

/** --avoid names somebody who is known and does not lead, while somebody else does. */
function avoided({ request, cluster, view }: Context): boolean {
  const { avoid } = request;
  if (avoid === null || cluster.leaderName === null || avoid === cluster.leaderName) return false;
  return isKnown(cluster, avoid) && !view.primaries.some(({ name }) => name === avoid);
}

function nothingToDo(ctx: Context): Plan {
  return {
    ...subjectOf(ctx),
    candidate: null,
    chosenBecause: null,
    checks: [],
    refused: false,
    nothingToDo: true,
    dataLoss: { verdict: 'none', words: 'no change' },
    logical: [],
  };
}

/** --skip-check takes a check out of the decision; what it found is still said. */
function skipped(check: PlanCheck, names: readonly string[]): PlanCheck {
  const counts = check.result === 'refused' || check.result === 'unknown';
  if (!counts || !names.includes(check.name) || check.name === 'data_loss') return check;
  return { ...check, result: 'skipped' };
}

function nobodyEligible({ cluster }: Context, because: string): PlanCheck {
  const next = `patctl quorum ${argumentOf(cluster)}, and patctl why-not MEMBER`;
  return bad('candidate_exists', 'refused', because, [], next);
}

function unnamed({ request, candidate }: Context): PlanCheck | null {
  if (request.kind !== 'failover' || candidate !== null) return null;
  const said = 'a failover needs a named candidate';
  return bad(
    'candidate_exists',
    'refused',
    said,
    [],
    'give one with --candidate NAME, or --candidate auto',
  );
}
