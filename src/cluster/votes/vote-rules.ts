/**
 * The facts that the vote arithmetic works on, and Patroni's small predicates over them.
 *
 * The invariant, in the names of patroni/quorum.py (QuorumStateResolver). It is kept in two places:
 * - `synchronous_standby_names` on the leader, ANY `numsync` (`sync`): a commit is acknowledged when the leader
 *   and `numsync` members of `sync` have it. These are an acknowledging set.
 * - `/sync` in the DCS, {`leader`, `voters` (the field sync_standby), `quorum`}: a member may be elected when it
 *   and `quorum` others of `voters` and `leader` answer, and none of these others is ahead of it. These
 *   `quorum` + 1 members are an electing set.
 *
 * Patroni keeps |voters ∪ sync| <= numsync + quorum at all times: what raises the right side is written first,
 * what lowers it last. In the steady state sync = voters, N of them, and quorum = N - numsync.
 *
 * So every acknowledging set meets every electing set. If the leader of /sync is in the electing set, they meet
 * there. Otherwise the electing set is quorum + 1 voters, and the acknowledging set has numsync of sync: these are
 * numsync + quorum + 1 > |voters ∪ sync| members out of voters ∪ sync, so one member is in both. It has the
 * commit, and the elected member is not behind it. The elected member then has the commit too, provided that both
 * are on the same timeline: positions on different timelines do not compare.
 *
 * Plain synchronous mode is the case numsync = N, quorum = 0: every voter has every acknowledged commit.
 */
import type { Lsn } from '../model/lsn.js';
import type { SyncMode } from '../model/model.js';
import { remembered } from '../model/remembered.js';
import { everyRules, rulesOf, type Rules } from './patroni-versions.js';

export type Outcome = 'yes' | 'no' | 'unknown';

/** One member, as far as it is known. null is always: not known. */
export interface VoteNode {
  name: string;
  /** Of its Patroni; null: not known. */
  version: string | null;
  /** Its member key (or /failsafe) has an address of its REST API: no member asks one without it. */
  hasApiUrl: boolean;
  /**
   * Its Patroni answers under its own name; null: it was not asked. One that does not answer us is assumed to answer
   * no member.
   */
  reachable: boolean | null;
  /** PostgreSQL is still starting: others count its position, and it takes part in no race. */
  starting: boolean;
  /** PostgreSQL runs and told Patroni its WAL position. */
  running: boolean | null;
  /** Out of recovery: it is a primary. */
  primary: boolean | null;
  /** The greater of received and replayed; on a primary its current position. */
  walPosition: Lsn | null;
  timeline: number | null;
  /** The tag, with failover_priority 0 counted in, as the member itself says it. */
  nofailover: boolean;
  /** The same by its member key, which its peers look at before they ask it. */
  keyNofailover: boolean;
  /** Its system identifier is that in /initialize (or there is none there); null: not known. */
  ownSystem: boolean | null;
  watchdogFailed: boolean | null;
  failoverPriority: number;
  /** Has a walsender on the leader itself, in state streaming. */
  streamsFromLeader: boolean | null;
  /** It streams by every word and gets or confirms nothing: a shutdown gives it up. False too if unknown. */
  standsStill: boolean;
  /** Its WAL receiver streams, from any server. */
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
  /** /sync as Patroni before 4.0 reads it, if only its quorum is not a number: later versions treat it as empty. */
  syncBefore4?: { leader: string; voters: string[] };
  /** Why /sync is not known, as a clause; `voters` are those that are known, and `quorum` counts for nothing. */
  syncUnknown?: string;
  /** synchronous_standby_names in force on the leader; null if it could not be read. */
  syncNames: SyncNames | null;
  /** synchronous_commit in force on the leader; null if it could not be read: PostgreSQL's default is on. */
  synchronousCommit: SynchronousCommit | null;
  optime: Lsn | null;
  /** The optime was not read: it is at most this, the leader's own position; null: that is not known either. */
  optimeAtMost?: Lsn | null;
  maximumLagOnFailoverBytes: number;
  checkTimeline: boolean;
  /** Patroni's: history's last + 1; null when unknown. */
  clusterTimeline: number | null;
  standbyCluster: boolean;
  paused: boolean;
  /** Names in /failsafe when failsafe_mode is on and the key holds any. */
  failsafeMembers: string[] | null;
  /** Those of them that have no member key: with failsafe_mode on they are asked in a race anyway. */
  failsafeNodes: VoteNode[];
  /** Nodes without a member key that were found out of recovery. */
  departedPrimaries: string[];
  /** Nodes without a member key whose PostgreSQL listens, and whose role is unknown. */
  departedUnread: string[];
}

export type SynchronousCommit = 'on' | 'remote_apply' | 'remote_write' | 'local' | 'off';

export interface SyncNames {
  method: 'off' | 'first' | 'any';
  num: number;
  names: string[];
}

/** How the cluster as a whole counts: as the leader does, or else the newest of its members. */
export function clusterRules(input: VoteInput): Rules {
  return remembered(rulesOfClusters, input, () => {
    const members = input.nodes.map(({ version }) => rulesOf(version));
    const newest = members.find((rules) => rules?.quorumMode) ?? members.find(Boolean) ?? NEWEST;
    return rulesOf(input.leaderVersion) ?? newest;
  });
}

const rulesOfClusters = new WeakMap<VoteInput, Rules>();

const NEWEST = rulesOf('9999.0.0') as Rules;

/** How a member may decide: one way for each version that it may be. */
export function possibleRules(version: string | null): Rules[] {
  const known = rulesOf(version);
  return known === null ? everyRules() : [known];
}

/** The facts as a member that decides by these rules reads them. */
export function seenBy(input: VoteInput, rules: Rules): VoteInput {
  const { syncBefore4: sync } = input;
  if (sync === undefined || rules.quorumMode) return input;
  return remembered(readBefore4, input, () => ({
    ...input,
    syncLeader: sync.leader,
    voters: sync.voters,
  }));
}

const readBefore4 = new WeakMap<VoteInput, VoteInput>();

/** synchronous_mode as these versions understand it: before 4.0 the word quorum means off. */
export function modeOf({ mode }: Pick<VoteInput, 'mode'>, rules: Rules): SyncMode {
  return mode === 'quorum' && !rules.quorumMode ? 'off' : mode;
}

/** Whether synchronous replication is configured and active [Ha.sync_mode_is_active]: never in a standby cluster. */
export function syncActive(input: VoteInput, rules = clusterRules(input)): boolean {
  return modeOf(input, rules) !== 'off' && !input.standbyCluster && input.syncLeader !== null;
}

/**
 * Whether votes are counted [Ha.quorum_commit_mode_is_active]. In a standby cluster too: Patroni looks at the mode
 * and at /sync only, so a /sync that demote-cluster leaves behind counts on.
 */
export function quorumActive(input: VoteInput, rules = clusterRules(input)): boolean {
  return modeOf(input, rules) === 'quorum' && input.syncLeader !== null;
}

/** Why it is unknown which member may be elected; null: /sync is known, or nothing depends on it. */
export function unknownSync(input: VoteInput): string | null {
  const isAsked = input.mode !== 'off' && !input.standbyCluster;
  return isAsked ? (input.syncUnknown ?? null) : null;
}

/** V without doubles; empty when /sync is. */
export function voterNames(input: VoteInput): string[] {
  return votingOf(input).voters;
}

/** Whether a name is in V. */
export function isVoter(input: VoteInput, name: string): boolean {
  return votingOf(input).lowerVoters.has(name.toLowerCase());
}

/** V and sync.leader, without doubles. */
export function votingSet(input: VoteInput): string[] {
  return votingOf(input).names;
}

/** Whether a name is in V or that of sync.leader. */
export function isVoting(input: VoteInput, name: string): boolean {
  return votingOf(input).lower.has(name.toLowerCase());
}

interface Voting {
  voters: string[];
  lowerVoters: ReadonlySet<string>;
  /** With sync.leader. */
  names: string[];
  lower: ReadonlySet<string>;
}

/** Every member asks of every other whether it votes: worked out once for the same facts. */
const votingSets = new WeakMap<VoteInput, Voting>();

function votingOf(input: VoteInput): Voting {
  return remembered(votingSets, input, () => votingIn(input));
}

function votingIn({ syncLeader, voters: listedVoters }: VoteInput): Voting {
  const byLower = new Map<string, string>();
  for (const name of syncLeader === null ? [] : listedVoters) {
    if (!byLower.has(name.toLowerCase())) byLower.set(name.toLowerCase(), name);
  }
  const voters = [...byLower.values()];
  const lowerVoters = new Set(byLower.keys());
  const isIn = syncLeader === null || lowerVoters.has(syncLeader.toLowerCase());
  const names = isIn ? voters : [syncLeader, ...voters];
  const lower = new Set(names.map((name) => name.toLowerCase()));
  return { voters, lowerVoters, names, lower };
}

/**
 * Why Patroni would not let this node promote or vote [_MemberStatus.failover_limitation]; null: nothing known forbids
 * it.
 */
export function limitation(node: VoteNode): { certain: boolean; reason: string } | null {
  if (!node.hasApiUrl) return { certain: true, reason: 'has no api_url in its member key' };
  if (node.reachable === false) return { certain: true, reason: 'does not answer' };
  if (node.nofailover) return { certain: true, reason: 'is tagged nofailover' };
  if (node.watchdogFailed === true) return { certain: true, reason: 'has no working watchdog' };
  if (node.running === false) return { certain: true, reason: 'does not run PostgreSQL' };
  if (node.reachable === null) return { certain: false, reason: 'was not asked' };
  if (node.running === null) return { certain: false, reason: 'may not run PostgreSQL' };
  if (node.watchdogFailed === null) return { certain: false, reason: 'may lack its watchdog' };
  return null;
}

/** Whether the position is too far below the DCS optime for an automatic failover; without an optime it counts as 0. */
export function lagging(input: VoteInput, walPosition: Lsn | null): boolean | null {
  const most = BigInt(Math.trunc(input.maximumLagOnFailoverBytes));
  if (input.optimeAtMost !== undefined) {
    if (walPosition === null || input.optimeAtMost === null) return null;
    return input.optimeAtMost - walPosition > most ? null : false;
  }
  if (input.optime === null && most >= 0n) return false;
  return walPosition === null ? null : (input.optime ?? 0n) - walPosition > most;
}

/** Every member that Patroni may ask: the members, and with failsafe_mode on those that only /failsafe names. */
export function everybody(input: VoteInput): VoteNode[] {
  return input.failsafeNodes.length === 0 ? input.nodes : [...input.nodes, ...input.failsafeNodes];
}

const byNames = new WeakMap<VoteInput, ReadonlyMap<string, VoteNode[]>>();

/** Those of the list with this name, compared as `sameName` does. */
export function nodesNamed(input: VoteInput, name: string): readonly VoteNode[] {
  const byName = remembered(byNames, input, () => indexed(everybody(input)));
  return byName.get(name.toLowerCase()) ?? [];
}

/** The member of exactly this name. */
export function nodeNamed(input: VoteInput, name: string): VoteNode | undefined {
  return nodesNamed(input, name).find(
    (node) => node.name === name && !input.failsafeNodes.includes(node),
  );
}

function indexed(nodes: readonly VoteNode[]): ReadonlyMap<string, VoteNode[]> {
  const byName = new Map<string, VoteNode[]>();
  for (const node of nodes) {
    const lower = node.name.toLowerCase();
    const same = byName.get(lower);
    if (same === undefined) byName.set(lower, [node]);
    else same.push(node);
  }
  return byName;
}

/** yes when all are, no when one is not, else unknown. */
export function allOf(outcomes: Outcome[]): Outcome {
  if (outcomes.includes('no')) return 'no';
  return outcomes.includes('unknown') ? 'unknown' : 'yes';
}

/** The same in every case: that; else unknown. */
export function agreed(outcomes: Outcome[]): Outcome {
  const [first = 'unknown'] = outcomes;
  return outcomes.every((one) => one === first) ? first : 'unknown';
}

/** `counted` are sure, `possible` also has those nothing is known of. */
export function enough(counted: number, possible: number, needed: number): Outcome {
  if (counted >= needed) return 'yes';
  return possible >= needed ? 'unknown' : 'no';
}
