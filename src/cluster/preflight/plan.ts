/**
 * The plan of a switchover or failover: what would be asked of Patroni, and every check that speaks for or against it.
 */
import type { Snapshot } from '../model/model.js';
import type { ChangeRequest, Plan, PlanCheck } from './plan-model.js';
import { choose } from './auto-candidate.js';
import { noPromotion, promotable } from '../findings/next-steps.js';
import { commandLine } from '../model/command-line.js';
import { bad, contextOf, withCandidate, type PlanFacts } from './plan-facts.js';
import { CANDIDATE_CHECKS, CHECKS } from './all-checks.js';
import { isKnown } from './leader-state.js';
import { logicalHolders } from './logical-clients.js';
import { lossOf } from './data-loss-check.js';
import { apiPrecheck } from '../votes/step-down.js';

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
 * or so older: a stall is seen only over two. Reads nothing but its arguments.
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
    .map(better(ctx))
    .map(request.asPatronictl === true && patroniTakes(ctx) ? warned : (check) => check);
  const unable = choice?.candidate === null ? nobodyEligible(ctx, choice.because) : unnamed(ctx);
  if (unable !== null) checks.unshift(unable);
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

/** Checks that a named candidate does away with; `logical_slots` names the better one itself. */
const WITHOUT_CANDIDATE = ['votes', 'paused_needs_candidate'];

/** Where a member is refused for what it is, or none is named and one has to be, the one that could be is named. */
function better(ctx: PlanFacts): (check: PlanCheck) => PlanCheck {
  let instead: string | null | undefined;
  return (check) => {
    const wants =
      ctx.candidate === null
        ? WITHOUT_CANDIDATE.includes(check.name)
        : check.name in CANDIDATE_CHECKS && check.name !== 'logical_slots';
    if (!wants || check.result !== 'refused' || check.next === null) return check;
    instead ??= choose(ctx, Object.values(CANDIDATE_CHECKS)).candidate;
    if (instead === null || instead === ctx.candidate) return check;
    const words = ctx.candidate === null ? '' : ' instead';
    return { ...check, next: `${check.next}; you could name ${instead}${words}` };
  };
}

function subjectOf({ request, cluster, candidate }: PlanFacts) {
  return {
    kind: request.kind,
    cluster: cluster.scope,
    group: cluster.group,
    leader: cluster.leaderName,
    candidate,
    scheduledAt: request.scheduledAt,
  };
}

/** --avoid names a known member that does not lead, while another one does. */
function avoided({ request, cluster, view }: PlanFacts): boolean {
  const { avoid } = request;
  if (avoid === null || cluster.leaderName === null || avoid === cluster.leaderName) return false;
  return isKnown(cluster, avoid) && !view.primaries.some(({ name }) => name === avoid);
}

function nothingToDo(ctx: PlanFacts): Plan {
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

/** Whether Patroni's API accepts the request; where its members differ, or cannot be asked, it may. */
function patroniTakes({ input, action, candidate, cluster, request }: PlanFacts): boolean {
  // A failover names no leader: Patroni would take it for a switchover.
  const leader = action === 'switchover' ? cluster.leaderName : null;
  const scheduled = request.scheduledAt !== null;
  const { outcome } = apiPrecheck(input, { action, leader, candidate, scheduled });
  return outcome !== 'no';
}

/** The operator of patronictl decides by himself; what was found stands there. */
function warned(check: PlanCheck): PlanCheck {
  return refusals({ checks: [check] }).length > 0 ? { ...check, result: 'warning' } : check;
}

function nobodyEligible({ cluster }: PlanFacts, because: string): PlanCheck {
  return bad('candidate_exists', 'refused', because, [], seeWhy(cluster));
}

function seeWhy(cluster: PlanFacts['cluster']): string {
  return `see the reason for each member: ${commandLine(cluster, 'quorum')}`;
}

function unnamed(ctx: PlanFacts): PlanCheck | null {
  const { request, candidate, view, cluster } = ctx;
  if (request.kind !== 'failover' || candidate !== null) return null;
  const said = 'a failover needs a named candidate';
  const best = choose(ctx, Object.values(CANDIDATE_CHECKS)).candidate;
  const none = promotable(view).length === 0 ? noPromotion(view) : seeWhy(cluster);
  return bad(
    'candidate_exists',
    'refused',
    said,
    [],
    best === null ? none : commandLine(cluster, 'failover', '--candidate', best),
  );
}
