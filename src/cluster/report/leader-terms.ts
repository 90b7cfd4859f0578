/** Who led, one after the other. */
import type { Lane, LaneState, Span } from './report-model.js';

export interface LeaderTerm extends Span<LaneState> {
  member: string;
}

const LEADS: readonly LaneState[] = ['leader', 'standby leader', 'claimed leader'];

/** In the order of time; a member that did not answer for a while has a term before and one after it. */
export function leaderTerms(lanes: readonly Lane[]): LeaderTerm[] {
  return lanes
    .flatMap(({ member, spans }) => spans.map((span) => ({ member, ...span })))
    .filter(({ state }) => LEADS.includes(state))
    .sort((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs);
}

/** How often another member led than the one before. */
export function timesLeaderChanged(terms: readonly LeaderTerm[]): number {
  return terms.filter(({ member }, at) => at > 0 && member !== terms[at - 1]?.member).length;
}
