/** Who streams from whom. */
import type { Finding } from '../model.js';
import { sameName, type MemberView, type View } from '../roles.js';
import { roleSeen, rowSeen } from './say.js';

export function notStreaming(view: View): Finding[] {
  const { leader, members } = view;
  // Without a primary nobody can stream; that is another finding.
  if (leader?.observed !== 'primary' && leader?.observed !== 'standby leader') return [];
  return members
    .filter(({ observed }) => observed === 'replica')
    .filter(({ name }) => name !== leader.name)
    .filter(
      ({ syncState, row }) => syncState === 'absent' || (row !== null && row.state !== 'streaming'),
    )
    .map((one) => ({
      code: 'not_streaming',
      severity: 'critical',
      members: [one.name],
      message: `${one.name} does not stream: ${one.row ? `its walsender is in state ${one.row.state ?? 'unknown'}` : 'no walsender bears its name'}`,
      evidence: [rowSeen(one, view), roleSeen(one)],
      next: `look at PostgreSQL's log on ${one.name}; if the WAL it needs is gone, patctl reinit`,
    }));
}

/** The member from which it should stream: replicatefrom when that member exists, else the leader. */
export function wantedUpstream(one: MemberView, view: View): string | null {
  const from = one.member?.tags['replicatefrom'];
  const named = view.members.find(({ name, member }) => member !== null && name === from);
  if (named && named.name !== one.name) return named.name;
  return view.snapshot.cluster.leaderName;
}

export function wrongUpstream(view: View): Finding[] {
  return view.members.flatMap((one): Finding[] => {
    if (!one.member || one.observed !== 'replica' || !one.row) return [];
    const wanted = wantedUpstream(one, view);
    if (wanted === null || one.rows.some(({ upstream }) => sameName(upstream, wanted))) return [];
    return [
      {
        code: 'wrong_upstream',
        severity: 'warning',
        members: [one.name],
        message: `${one.name} streams from ${one.row.upstream}, it should from ${wanted}`,
        evidence: [rowSeen(one, view)],
        next: `look at primary_conninfo on ${one.name}`,
      },
    ];
  });
}
