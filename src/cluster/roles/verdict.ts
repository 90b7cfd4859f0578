/** The verdict on one member: one word, or the codes of its findings. */
import type { Finding } from '../model/model.js';
import type { MemberView, View } from './view.js';
import { claimIsUnreadable } from './dcs-roles.js';

/**
 * 'ok': the claim was checked and holds; 'unverified': no witness was asked; 'unknown': no witness that
 * knows answered, or what it claims cannot be read; 'not running': its PostgreSQL does not run; 'left': a member
 * without a key that gives no sign of life; otherwise the codes of the findings about it, worst first: at the leader also of those about no particular member.
 */
export function verdictOf(one: MemberView, view: View, found: readonly Finding[]): string {
  if (view.snapshot.verify === 'off') return 'unverified';
  const codes = found
    .filter(
      ({ members, severity }) =>
        severity !== 'info' &&
        (members.length === 0 ? one === view.leader : members.includes(one.name)),
    )
    .map(({ code }) => code);
  if (codes.length > 0) return [...new Set(codes)].join(', ');
  if (one.member === null && one.witness === null) return 'left';
  if (one.member !== null && one.observed === 'not running') return 'not running';
  if (one.witness === null || one.syncState === 'unknown') return 'unknown';
  if (one.member !== null && claimIsUnreadable(view.snapshot.cluster, one.name)) return 'unknown';
  return 'ok';
}

/** Findings about a false claim, as `--strict` counts them. */
export function isMismatch({ severity }: Finding): boolean {
  return severity === 'critical' || severity === 'unknown';
}
