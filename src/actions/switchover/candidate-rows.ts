/** The members that can be chosen as candidate, as rows of a menu. Pure. */
import type { Cluster, Snapshot } from '../../cluster/model/model.js';
import { byCodePoint } from '../../cluster/model/patroni-values.js';
import { readTags } from '../../cluster/model/tags.js';
import { CANDIDATE_CHECKS } from '../../cluster/preflight/all-checks.js';
import type { ChangeRequest, Plan, PlanCheck } from '../../cluster/preflight/plan-model.js';
import { planOf, refusals } from '../../cluster/preflight/plan.js';
import { viewOf } from '../../cluster/roles/view.js';
import type { MenuRow } from '../../output/menu-screen.js';
import { lagWords, syncWords } from '../kit/member-rows.js';

export interface CandidateRows {
  readonly rows: MenuRow[];
  /** The member that `--candidate auto` chooses; null: no member can win. */
  readonly recommended: string | null;
}

/**
 * Each candidate with its lag, its sync state and whether it can win, by the checks of the plan that names it: the
 * recommended one first, then those that can win, then by name.
 */
export function candidateRows(
  now: Snapshot,
  before: Snapshot | null,
  request: Omit<ChangeRequest, 'candidate'>,
): CandidateRows {
  const plan = (candidate: string): Plan => planOf(now, before, { ...request, candidate });
  const { candidate: best, chosenBecause } = plan('auto');
  const recommended = best !== null && refusals(plan(best)).length === 0 ? best : null;
  const views = viewOf(now).members;
  const judged = candidateNames(now.cluster).map((name) => ({ name, ...verdictOf(plan(name)) }));
  const rank = ({ name, verdict }: { name: string; verdict: Verdict }) =>
    name === recommended ? -1 : VERDICTS.indexOf(verdict);
  const rows = judged
    .sort((a, b) => rank(a) - rank(b) || byCodePoint(a.name, b.name))
    .map(({ name, verdict, details }) => {
      const view = views.find((one) => one.name === name && one.departed === null);
      const isBest = name === recommended;
      return {
        value: name,
        name,
        cells: [lagWords(view), syncWords(view), verdict, isBest ? 'recommended' : ''],
        details: [...details, ...(isBest && chosenBecause !== null ? [chosenBecause] : [])],
      };
    });
  return { rows, recommended };
}

/** Names that a request may carry, sorted as patronictl shows them. */
export function candidateNames({ members, leaderName }: Cluster): string[] {
  return members
    .filter(({ name, tags }) => name !== leaderName && !readTags(tags).nofailover)
    .map(({ name }) => name)
    .sort(byCodePoint);
}

const VERDICTS = ['can win', 'unknown', 'may lose data', 'cannot win', 'refused'] as const;
type Verdict = (typeof VERDICTS)[number];

/** What speaks of the member itself; the other checks stand against any candidate. */
const OF_MEMBER = new Set([
  ...Object.keys(CANDIDATE_CHECKS),
  'votes',
  'patroni_405_quorum',
  'data_loss',
]);
/** A failover to such a member is a matter of --allow-data-loss. */
const OF_DATA = new Set(['candidate_sync', 'candidate_lag', 'candidate_timeline', 'data_loss']);

function verdictOf(plan: Plan): { verdict: Verdict; details: string[] } {
  const against = refusals(plan);
  if (against.length > 0) {
    const ofMember = against.filter(({ name }) => OF_MEMBER.has(name));
    const isOfData = plan.kind === 'failover' && ofMember.every(({ name }) => OF_DATA.has(name));
    const verdict = ofMember.length === 0 ? 'refused' : isOfData ? 'may lose data' : 'cannot win';
    return { verdict, details: (ofMember.length > 0 ? ofMember : against).map(sentence) };
  }
  const unknown = plan.checks.filter(
    ({ name, result }) => result === 'unknown' && OF_MEMBER.has(name),
  );
  const warned = plan.checks.filter(
    ({ name, result }) => result === 'warning' && OF_MEMBER.has(name),
  );
  const verdict = unknown.length > 0 ? 'unknown' : 'can win';
  return { verdict, details: [...unknown, ...warned].map(sentence) };
}

function sentence({ name, said }: PlanCheck): string {
  return `${said} [${name}]`;
}
