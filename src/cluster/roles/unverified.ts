/** What is unknown about a cluster, and why: an unknown verdict always has a reason. */
import { silentWitnesses } from '../findings/evidence.js';
import { isGivenLoginRefused } from '../findings/witnesses.js';
import type { Finding } from '../model/model.js';
import type { MemberView, View } from './view.js';
import { verdictOf } from './verdict.js';

/** One reason for which something is unknown of these members. */
export interface Doubt {
  /** The silent witness; null: another reason. */
  witness: 'REST' | 'SQL' | null;
  members: string[];
  reason: string;
}

/** Members of the DCS whose claim could not be checked. */
export function unchecked(view: View, found: readonly Finding[]): MemberView[] {
  if (view.snapshot.verify === 'off') return [];
  return view.members.filter(
    (one) => one.member !== null && verdictOf(one, view, found) === 'unknown',
  );
}

/** Members that are listed and whose PostgreSQL does not run, though nothing else is wrong with them. */
export function notRunning(view: View, found: readonly Finding[]): MemberView[] {
  if (view.snapshot.verify === 'off') return [];
  return view.members.filter(
    (one) => one.member !== null && verdictOf(one, view, found) === 'not running',
  );
}

/** Why they could not be: a reason each, however many members it concerns. */
export function doubts(view: View, found: readonly Finding[]): Doubt[] {
  if (view.snapshot.verify === 'off') return [];
  const doubted = unchecked(view, found);
  const { leader, leaderRows, snapshot } = view;
  const refused = view.members.filter((one) => !doubted.includes(one) && isGivenLoginRefused(one));
  const said: Doubt[] = [
    ...silences(doubted, found),
    ...silences(refused, found).filter(({ witness }) => witness === 'SQL'),
  ];
  const unseen = doubted
    .filter(({ witness, syncState }) => witness !== null && syncState === 'unknown')
    .map(({ name }) => name);
  if (unseen.length === 0) return said;
  if (leader === null) {
    const reason =
      snapshot.cluster.leaderName === null
        ? 'there is no leader, so pg_stat_replication cannot show their sync state'
        : 'the leader has no member key, so its pg_stat_replication was not read';
    said.push({ witness: null, members: unseen, reason });
  } else if (leaderRows === null && leader.witness !== null) {
    const reason = `${leader.name} is ${leader.observed} and reports no pg_stat_replication`;
    said.push({ witness: null, members: unseen, reason });
  }
  return said;
}

/** Every witness that was asked and is silent, but for what a finding says already. */
export function silences(members: readonly MemberView[], found: readonly Finding[]): Doubt[] {
  const by = new Map<string, Doubt>();
  for (const one of members) {
    for (const { witness, reason } of silentWitnesses(one)) {
      if (isTold(one.name, reason, found)) continue;
      const key = `${witness} ${reason}`;
      const doubt = by.get(key) ?? { witness, members: [], reason };
      doubt.members.push(one.name);
      by.set(key, doubt);
    }
  }
  return [...by.values()];
}

function isTold(name: string, reason: string, found: readonly Finding[]): boolean {
  return found.some(
    ({ members, evidence }) =>
      members.includes(name) && evidence.some(({ said }) => said.includes(reason)),
  );
}

/** `REST of pg1, pg2: refused`, without control characters taken out. */
export function doubtText({ witness, members, reason }: Doubt): string {
  return `${witness === null ? '' : `${witness} of `}${members.join(', ')}: ${reason}`;
}
