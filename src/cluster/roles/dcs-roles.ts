/** What the DCS claims, read as patronictl reads it; other modules decide whether it is true. */
import { isListed } from '../model/member-names.js';
import type { Lsn } from '../model/lsn.js';
import type { Cluster, JsonObject, Member } from '../model/model.js';
import { readTags } from '../model/tags.js';
import { byCodePoint, inOrder } from '../model/patroni-values.js';

export type ClaimedRole =
  'leader' | 'standby_leader' | 'sync_standby' | 'quorum_standby' | 'replica';

/** A position and how far it is behind the leader's last known one; null: the member says nothing. */
export interface Position {
  lsn: Lsn;
  lagBytes: number;
}

export interface ClaimedMember {
  member: Member;
  name: string;
  role: ClaimedRole;
  /** streaming, in archive recovery, running, stopped, … or ''. */
  state: string;
  host: string | null;
  port: number | null;
  timeline: number | null;
  /** Null for the leader, which cannot lag, and for members without a value. */
  receive: Position | null;
  replay: Position | null;
  /** xlog_location: the only position members before Patroni 3.0.3 publish. */
  location: Position | null;
  pendingRestart: boolean;
  pendingRestartReason: JsonObject | null;
  scheduledRestart: JsonObject | null;
  tags: JsonObject;
}

/** A standby cluster: `standby_cluster` with host, port or restore_command. */
export function isStandbyCluster(cluster: Cluster): boolean {
  return (cluster.config?.standbyCluster ?? null) !== null;
}

/** Synchronous mode is asked for, on or quorum; a standby cluster ignores it. */
export function syncModeActive(cluster: Cluster): boolean {
  return (cluster.config?.syncMode ?? 'off') !== 'off' && !isStandbyCluster(cluster);
}

/** `/sync` names this member a standby; names compare case-insensitively. */
export function namedInSync(cluster: Cluster, name: string): boolean {
  const sync = cluster.sync;
  if (sync === null || (sync.leader === null && !sync.fromRoles)) return false;
  return isListed(sync.standbys, name);
}

/** Whether a key that cannot be read leaves open what this member claims to be. */
export function claimIsUnreadable(cluster: Cluster, name: string): boolean {
  if (cluster.config?.unreadable) return true;
  const { sync } = cluster;
  const isOpen = sync?.unreadable === true && !sync.fromRoles;
  return isOpen && syncModeActive(cluster) && name !== cluster.leaderName;
}

/** The leader by the DCS alone, as patronictl reads it: an expired claim counts too. */
export function claimedLeader({ leaderName, leaderClaim }: Cluster): string | null {
  return leaderName ?? leaderClaim?.name ?? null;
}

/** The role patronictl prints. It asks the leader key, the configuration and /sync, nothing else. */
export function claimedRole(cluster: Cluster, member: Pick<Member, 'name'>): ClaimedRole {
  if (member.name === claimedLeader(cluster))
    return isStandbyCluster(cluster) ? 'standby_leader' : 'leader';
  if (syncModeActive(cluster) && namedInSync(cluster, member.name))
    return cluster.config?.syncMode === 'quorum' ? 'quorum_standby' : 'sync_standby';
  return 'replica';
}

/** 'standby_leader' -> 'Standby Leader', as tables show it. */
export function roleTitle(role: ClaimedRole): string {
  return role
    .split('_')
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join(' ');
}

/** The members as patronictl lists them, by name. */
export function claimedMembers(cluster: Cluster): ClaimedMember[] {
  const members = inOrder(cluster.members, (a, b) => byCodePoint(a.name, b.name));
  return members.map((member) => claimedMember(cluster, member));
}

function claimedMember(cluster: Cluster, member: Member): ClaimedMember {
  const role = claimedRole(cluster, member);
  const isLeader = member.name === claimedLeader(cluster);
  const position = (lsn: Lsn | null): Position | null =>
    isLeader || lsn === null ? null : { lsn, lagBytes: behind(cluster.status?.optime ?? 0n, lsn) };
  return {
    member,
    name: member.name,
    role,
    state: (role === 'leader' ? '' : (member.replicationState ?? '')) || member.state,
    host: member.host,
    port: member.port,
    timeline: member.timeline,
    receive: position(member.receiveLsn),
    replay: position(member.replayLsn),
    location: position(member.xlogLocation),
    pendingRestart: member.pendingRestart,
    pendingRestartReason: member.pendingRestartReason,
    scheduledRestart: member.scheduledRestart,
    tags: member.tags,
  };
}

function behind(clusterLsn: Lsn, lsn: Lsn): number {
  return clusterLsn > lsn ? Number(clusterLsn - lsn) : 0;
}

/**
 * Receive and replay position as patronictl shows them: a member too old to publish both has its one
 * position in the column its state suggests.
 */
export function shownPositions(claimed: ClaimedMember): {
  receive: Position | null;
  replay: Position | null;
} {
  const { receive, replay, location, state } = claimed;
  if (receive !== null || replay !== null || location === null) return { receive, replay };
  return state === 'streaming'
    ? { receive: location, replay: null }
    : { receive: null, replay: location };
}

export interface ScheduledSwitchover {
  /** ISO 8601 with offset where the key could be read, else as written. */
  at: string;
  from: string | null;
  to: string | null;
}

/** The switchover that waits for its time. */
export function scheduledSwitchover(cluster: Cluster): ScheduledSwitchover | null {
  const failover = cluster.failover;
  if (failover === null || failover.scheduledAt === null) return null;
  return { at: isoFormat(failover.scheduledAt), from: failover.leader, to: failover.candidate };
}

/** A time the way Python writes it: `T` between, microseconds only if there are any, Z as +00:00. */
function isoFormat(text: string): string {
  const match =
    /^\s*(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:[.,](\d+))?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?\s*$/i.exec(
      text,
    );
  if (!match) return text;
  const [, date = '', time = '', seconds = ':00', fraction = '', zone = ''] = match;
  const micros = fraction.slice(0, 6).padEnd(6, '0');
  const shown = /^0+$/.test(micros) ? '' : `.${micros}`;
  return `${date}T${time}${seconds}${shown}${zone && offset(zone)}`;
}

function offset(zone: string): string {
  if (/^[a-z]/i.test(zone)) return '+00:00';
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0');
  return `${zone.slice(0, 1)}${digits.slice(0, 2)}:${digits.slice(2)}`;
}

// ---------------------------------------------------------------- topology

export interface TreeNode<T> {
  item: T;
  /** 0 is the top; replicas of a missing leader begin at 1. */
  depth: number;
}

/**
 * Members as a tree by the tag `replicatefrom`. patronictl loses members that name each other in a
 * circle (`lost: 'drop'`); `lost: 'keep'` hangs them below the leader.
 */
export function topologyOrder(
  members: readonly ClaimedMember[],
  options: { lost: 'drop' | 'keep' },
): TreeNode<ClaimedMember>[] {
  const leader = members.find((member) => isLeaderRole(member.role)) ?? null;
  const replicas = members.filter((member) => !isLeaderRole(member.role));
  const names = new Set(replicas.map((member) => member.name));
  const children = new Map<string | null, ClaimedMember[]>();
  for (const member of replicas) {
    const from = readTags(member.tags).replicatefrom;
    const wanted = from !== null && from !== member.name && names.has(from);
    const parent = wanted ? from : (leader?.name ?? null);
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [member]);
    else siblings.push(member);
  }

  const order: TreeNode<ClaimedMember>[] = [];
  const seen = new Set<ClaimedMember>();
  const visit = (member: ClaimedMember, depth: number): void => {
    if (seen.has(member)) return;
    seen.add(member);
    order.push({ item: member, depth });
    for (const child of children.get(member.name) ?? []) visit(child, depth + 1);
  };
  if (leader) visit(leader, 0);
  else for (const child of children.get(null) ?? []) visit(child, 1);
  if (options.lost === 'keep') for (const member of replicas) visit(member, 1);
  return order;
}

function isLeaderRole(role: ClaimedRole): boolean {
  return role === 'leader' || role === 'standby_leader';
}

/** How a tree shows a name at its depth. */
export function treeLabel(name: string, depth: number): string {
  return depth === 0 ? name : `${'  '.repeat(depth - 1)}+ ${name}`;
}
