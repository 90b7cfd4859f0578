/** The verdict on one member: one word, or the codes of its findings. */
import type { Finding } from '../model/model.js';
import type { MemberView, View } from './view.js';
import { claimIsUnreadable } from './dcs-roles.js';

/**
 * 'ok': the claim was checked and holds; 'unverified': no witness was asked; 'unknown': no witness that
 * knows answered, or what it claims cannot be read; 'not running': its PostgreSQL does not run; 'left': a member
 * without a key that gives no sign of life; otherwise the codes of the findings about it, worst first.
 */
export function verdictOf(one: MemberView, view: View, found: readonly Finding[]): string {
  if (view.snapshot.verify === 'off') return 'unverified';
  const codes = found
    .filter(({ severity }) => severity !== 'info')
    .filter(({ members }) => members.includes(one.name) || concernsLeader(members, one, view))
    .map(({ code }) => code);
  if (codes.length > 0) return [...new Set(codes)].join(', ');
  if (one.member === null && one.witness === null) return 'left';
  if (one.member !== null && one.observed === 'not running') return 'not running';
  if (one.witness === null || one.syncState === 'unknown') return 'unknown';
  if (one.member !== null && claimIsUnreadable(view.snapshot.cluster, one.name)) return 'unknown';
  return 'ok';
}

/** A finding about no particular member is shown at the leader. */
function concernsLeader(members: readonly string[], one: MemberView, view: View): boolean {
  return members.length === 0 && one === view.leader;
}

/** Findings about a false claim, as `--strict` counts them. */
export function isMismatch({ severity }: Finding): boolean {
  return severity === 'critical' || severity === 'unknown';
}
