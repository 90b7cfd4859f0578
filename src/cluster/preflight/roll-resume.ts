/** What an interrupted roll leaves behind, and whether the cluster is still the one that it was about. */
import type { Cluster } from '../model/model.js';
import type { View } from '../roles/view.js';
import type { NodeTrack } from './node-return.js';

/** By which a cluster is known again. */
export interface ClusterIdentity {
  scope: string;
  group: number | null;
  /** database system identifier; null: no witness gave it. */
  systemId: string | null;
  /** Names, sorted. */
  members: string[];
  /** Of the leader; null: unknown. */
  timeline: number | null;
}

/** Where a roll stands. */
export interface RollState {
  cluster: ClusterIdentity;
  /** COMMAND, as the shell takes it. */
  command: string;
  /** Members to work on. */
  members: string[];
  /** Those that were worked on and are back. */
  done: string[];
  /** The member at hand: COMMAND runs or failed there, or it ended well and the member is not seen back yet. */
  at: { member: string; phase: 'command' | 'back'; track: NodeTrack } | null;
  /** Who led at the beginning. */
  firstLeader: string | null;
  switchover: boolean;
  candidate: string | null;
  back: boolean;
  /** Live standbys that /sync named at the beginning. */
  syncStandbys: number;
  maxLagBytes: number;
  gateTimeoutMs: number;
  execTimeoutMs: number | null;
  backTimeoutMs: number;
  mayStayUp: boolean;
  skipGates: string[];
}

export function identityOf({ snapshot, leader }: View): ClusterIdentity {
  const { cluster } = snapshot;
  const { rest, sql } = leader ?? {};
  const told = sql?.ok ? sql.value.systemId : rest?.ok ? rest.value.systemId : null;
  return {
    scope: cluster.scope,
    group: cluster.group,
    systemId: cluster.systemId ?? told,
    members: namesOf(cluster),
    timeline: leader?.timeline ?? null,
  };
}

function namesOf({ members }: Cluster): string[] {
  return members.map(({ name }) => name).sort();
}

/** Why it is another cluster than it was; none: a roll may go on here. */
export function otherCluster(was: ClusterIdentity, now: ClusterIdentity): string[] {
  const reasons: string[] = [];
  if (was.scope !== now.scope || was.group !== now.group)
    reasons.push(`it is ${nameOf(now)}, and was ${nameOf(was)}`);
  if (was.systemId !== null && now.systemId === null)
    reasons.push('its system identifier is unknown now');
  else if (was.systemId !== now.systemId)
    reasons.push(`its system identifier is ${now.systemId ?? '?'}, and was ${was.systemId ?? '?'}`);
  const left = was.members.filter((name) => !now.members.includes(name));
  const added = now.members.filter((name) => !was.members.includes(name));
  if (left.length > 0) reasons.push(`${left.join(', ')} left it`);
  if (added.length > 0) reasons.push(`${added.join(', ')} joined it`);
  if (was.timeline !== null && now.timeline !== null && now.timeline < was.timeline)
    reasons.push(`its timeline is ${now.timeline}, and was ${was.timeline}: it was restored`);
  return reasons;
}

function nameOf({ scope, group }: ClusterIdentity): string {
  return group === null ? scope : `${scope} group ${group}`;
}
