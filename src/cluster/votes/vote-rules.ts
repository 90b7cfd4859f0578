/** The facts the vote arithmetic works on, and Patroni's small predicates over them. */
import { sameName } from '../model/member-names.js';
import type { Lsn } from '../model/lsn.js';
import type { SyncMode } from '../model/model.js';

export type Outcome = 'yes' | 'no' | 'unknown';

/** One member, as far as it is known. null is always: not known. */
export interface VoteNode {
  name: string;
  /** Its Patroni answers under its own name; null: it was not asked. What does not answer us is taken to answer nobody. */
  reachable: boolean | null;
  /** PostgreSQL runs and told Patroni its WAL position. */
  running: boolean | null;
  /** Out of recovery: it is a primary. */
  primary: boolean | null;
  /** The greater of received and replayed; on a primary its current position. */
  walPosition: Lsn | null;
  timeline: number | null;
  /** The tag, with failover_priority 0 counted in. */
  nofailover: boolean;
  watchdogFailed: boolean | null;
  failoverPriority: number;
  /** Has a walsender on the leader itself, in state streaming. */
  streamsFromLeader: boolean | null;
  /** It streams by every word and gets or confirms nothing: a shutdown gives it up. False too where nobody could tell. */
  standsStill: boolean;
  /** Its WAL receiver streams, from whomever. */
  streams: boolean | null;
}

/** One cluster. Names of the sync state compare case-insensitively, all others exactly. */
export interface VoteInput {
  nodes: VoteNode[];
  /** Holder of the leader key. */
  leader: string | null;
  /** The last leader where the key is free and the DCS history tells; only its failover_priority matters. */
  formerLeader: string | null;
  leaderVersion: string | null;
  mode: SyncMode;
  /** /sync; leader null: synchronous mode is not active. */
  syncLeader: string | null;
  voters: string[];
  quorum: number;
  /** synchronous_standby_names in force on the leader; null when nobody could read it. */
  syncNames: SyncNames | null;
  /** synchronous_commit in force on the leader; null when nobody could read it: PostgreSQL's default is on. */
  synchronousCommit: SynchronousCommit | null;
  optime: Lsn | null;
  maximumLagOnFailoverBytes: number;
  checkTimeline: boolean;
  /** Patroni's: history's last + 1; null when unknown. */
  clusterTimeline: number | null;
  standbyCluster: boolean;
  paused: boolean;
  /** Names in /failsafe when failsafe_mode is on and the key holds any. */
  failsafeMembers: string[] | null;
  /** Nodes without a member key that were found out of recovery. */
  departedPrimaries: string[];
  /** Nodes without a member key whose PostgreSQL listens, and of which nobody could learn what it is. */
  departedUnread: string[];
}

export type SynchronousCommit = 'on' | 'remote_apply' | 'remote_write' | 'local' | 'off';

export interface SyncNames {
  method: 'off' | 'first' | 'any';
  num: number;
  names: string[];
}

/** Whether synchronous replication is wanted and somebody took it up. */
export function syncActive(input: VoteInput): boolean {
  return input.mode !== 'off' && !input.standbyCluster && input.syncLeader !== null;
}

export function quorumActive(input: VoteInput): boolean {
  return input.mode === 'quorum' && syncActive(input);
}

/** V without doubles; empty when /sync is. */
export function voterNames(input: VoteInput): string[] {
  if (input.syncLeader === null) return [];
  return input.voters.filter((name, i) => input.voters.findIndex((v) => sameName(v, name)) === i);
}

/** V and sync.leader, without doubles. */
export function votingSet(input: VoteInput): string[] {
  const voters = voterNames(input);
  if (input.syncLeader === null || listed(voters, input.syncLeader)) return voters;
  return [input.syncLeader, ...voters];
}

export function listed(names: string[], name: string): boolean {
  return names.some((n) => sameName(n, name));
}

/** Why Patroni would not let this node promote or vote; null when nothing known forbids it. */
export function limitation(node: VoteNode): { certain: boolean; reason: string } | null {
  if (node.reachable === false) return { certain: true, reason: 'does not answer' };
  if (node.nofailover) return { certain: true, reason: 'is tagged nofailover' };
  if (node.watchdogFailed === true) return { certain: true, reason: 'has no working watchdog' };
  if (node.running === false) return { certain: true, reason: 'does not run PostgreSQL' };
  if (node.reachable === null) return { certain: false, reason: 'was not asked' };
  if (node.running === null) return { certain: false, reason: 'may not run PostgreSQL' };
  if (node.watchdogFailed === null) return { certain: false, reason: 'may lack its watchdog' };
  return null;
}

/** Whether the position is too far below the DCS optime for an automatic failover; no optime, no check. */
export function lagging(input: VoteInput, walPosition: Lsn | null): boolean | null {
  if (input.optime === null) return false;
  if (walPosition === null) return null;
  return input.optime - walPosition > BigInt(Math.trunc(input.maximumLagOnFailoverBytes));
}

/** yes when all are, no when one is not, else unknown. */
export function allOf(outcomes: Outcome[]): Outcome {
  if (outcomes.includes('no')) return 'no';
  return outcomes.includes('unknown') ? 'unknown' : 'yes';
}

/** `counted` are sure, `possible` also has those nothing is known of. */
export function enough(counted: number, possible: number, needed: number): Outcome {
  if (counted >= needed) return 'yes';
  return possible >= needed ? 'unknown' : 'no';
}
