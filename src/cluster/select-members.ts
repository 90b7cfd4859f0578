/** Which members a command means: patronictl's role filter, then the names that were given. */
import type { Cluster, Member } from './model/model.js';

export const ROLE_FILTERS = [
  'leader',
  'primary',
  'standby-leader',
  'replica',
  'standby',
  'any',
] as const;
export type RoleFilter = (typeof ROLE_FILTERS)[number];

/** A member and the cluster it is of; with Citus there are several clusters. */
export interface Selected {
  cluster: Cluster;
  member: Member;
}

export type Selection =
  { ok: true; members: Selected[] } | { ok: false; code: string; words: string; hint: string };

/** The members with this role by what the DCS says, group by group in name order. */
export function membersOfRole(clusters: readonly Cluster[], role: RoleFilter): Selected[] {
  const ordered = [...clusters].sort((a, b) => (a.group ?? 0) - (b.group ?? 0));
  return ordered.flatMap((cluster) =>
    cluster.members
      .filter((member) => hasRole(cluster, member, role))
      .map((member) => ({ cluster, member })),
  );
}

function hasRole(cluster: Cluster, member: Member, role: RoleFilter): boolean {
  const leads = member.name === cluster.leaderName;
  switch (role) {
    case 'any':
      return true;
    case 'replica':
    case 'standby':
      return !leads;
    case 'leader':
      return leads;
    case 'primary':
      return leads && member.role !== 'standby_leader';
    case 'standby-leader':
      // `master` is what a primary was called before Patroni 4.
      return leads && member.role !== 'primary' && member.role !== 'master';
  }
}

/**
 * The members that are meant. One wrong name among good ones is an error: patronictl drops it without
 * a word. No names: every member with the role.
 */
export function selectMembers(
  clusters: readonly Cluster[],
  role: RoleFilter,
  names: readonly string[],
  /** How the role is written in patronictl's message. */
  shown: string = role,
): Selection {
  const candidates = membersOfRole(clusters, role);
  const scope = clusters[0]?.scope ?? '';
  if (names.length === 0) {
    if (candidates.length > 0) return { ok: true, members: candidates };
    return wrong('no_members', `${scope} cluster doesn't have any members`, ofRole(clusters, role));
  }
  const known = new Set(candidates.map(({ member }) => member.name));
  const strangers = [...new Set(names)].filter((name) => !known.has(name));
  if (strangers.length === 0) {
    return { ok: true, members: candidates.filter(({ member }) => names.includes(member.name)) };
  }
  const all = new Set(clusters.flatMap(({ members }) => members.map(({ name }) => name)));
  const hint = ofRole(clusters, role);
  if (names.every((name) => !known.has(name))) {
    return wrong('no_such_member', `No ${shown} among provided members`, hint);
  }
  const words = strangers.map((name) =>
    all.has(name) ? `${name} is not a ${role}` : `${name} is not a member of cluster`,
  );
  return wrong('no_such_member', words.join('; '), hint);
}

function wrong(code: string, words: string, hint: string): Selection {
  return { ok: false, code, words, hint };
}

function ofRole(clusters: readonly Cluster[], role: RoleFilter): string {
  const names = membersOfRole(clusters, role).map(({ member }) => member.name);
  const what = role === 'any' ? 'members' : `members with the role ${role}`;
  return `${what}: ${names.length > 0 ? names.join(', ') : 'none'}`;
}

/** Members that can be asked over REST, the leader first; each can change what the DCS holds for all. */
export function leaderFirst(cluster: Cluster): Member[] {
  const reachable = cluster.members.filter(({ apiUrl }) => apiUrl !== null);
  const leads = ({ name }: Member) => name === cluster.leaderName;
  return [...reachable.filter(leads), ...reachable.filter((member) => !leads(member))];
}
