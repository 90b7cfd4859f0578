/**
 * Whether Patroni lets a leader step down: the API's check of the request, then the leader's own. See vote-rules.ts.
 */
import { isListed } from '../model/member-names.js';
import type { Rules } from './patroni-versions.js';
import {
  agreed,
  enough,
  lagging,
  limitation,
  isVoter,
  modeOf,
  possibleRules,
  quorumActive,
  seenBy,
  syncActive,
  unknownSync,
  nodeNamed,
  voterNames,
} from './vote-rules.js';
import type { Outcome, VoteInput, VoteNode } from './vote-rules.js';

export type Action = 'switchover' | 'failover';

export interface GateRequest {
  candidate: string | null;
  action: Action;
  /** As if patroni#3307 were fixed: its effect is reported separately, so that each can be skipped by name. */
  withoutBug405?: boolean;
}

export interface GateMember {
  name: string;
  healthy: Outcome;
  why: string;
}

export interface GateResult {
  passes: Outcome;
  /** Members the leader asks, each with what it finds. */
  members: GateMember[];
  /** Names of the surely healthy ones. */
  healthy: string[];
  /** Healthy members needed. */
  needed: number;
  /** Patroni 4.0.5 wants a quorum of a single named candidate (patroni#3307) and will refuse. */
  refusedByBug405: boolean;
  reasons: string[];
}

/** Will the leader let itself be demoted for this request [Ha.is_failover_possible before the shutdown]? */
export function leaderGate(input: VoteInput, request: GateRequest): GateResult {
  const ways = possibleRules(input.leaderVersion).map((rules) => gateBy(input, request, rules));
  const passes = agreed(ways.map((way) => way.passes));
  // With several versions the strictest is shown.
  const shown = ways.reduce((worst, way) => (way.needed > worst.needed ? way : worst));
  if (passes !== 'unknown' || ways.length === 1) return { ...shown, passes };
  return { ...shown, passes, reasons: [...shown.reasons, "it depends on the leader's version"] };
}

function gateBy(all: VoteInput, request: GateRequest, rules: Rules): GateResult {
  const input = seenBy(all, rules);
  const asked = meant(input, request).filter((node) => isAsked(input, request, node, rules));
  const members = asked.map((node) => health(input, node));
  const healthy = members.filter((m) => m.healthy === 'yes').map((m) => m.name);
  const possible = members.filter((m) => m.healthy !== 'no').length;
  const bug = rules.gateVotes === 'always' && request.candidate !== null && !request.withoutBug405;
  const byVotes = rules.gateVotes !== 'none' && (request.candidate === null || bug);
  const needed = byVotes && quorumActive(input, rules) ? input.quorum + 1 : 1;
  const anyway = refusedAnyway(input, request);
  const open = anyway === null && !rolesSuffice(input) ? unknownSync(input) : null;
  const passes =
    anyway?.passes ?? (open === null ? enough(healthy.length, possible, needed) : 'unknown');
  return {
    passes,
    members,
    healthy,
    needed,
    refusedByBug405: bug && needed > 1,
    reasons: [
      ...(anyway ? [anyway.reason] : reasons(request, members, needed, passes)),
      ...(open === null ? [] : [`/sync is unknown (${open})`]),
    ],
  };
}

/** In plain synchronous mode the leader asks the standbys of /sync and counts no votes: their names are enough. */
function rolesSuffice(input: VoteInput): boolean {
  return input.mode === 'on' && input.voters.length > 0;
}

function meant(input: VoteInput, { candidate }: GateRequest): VoteNode[] {
  if (candidate === null) return input.nodes;
  const node = nodeNamed(input, candidate);
  return node === undefined ? [] : [node];
}

function isAsked(input: VoteInput, request: GateRequest, node: VoteNode, rules: Rules): boolean {
  if (node.name === input.leader || node.keyNofailover || !node.hasApiUrl) return false;
  const anyMember =
    request.action === 'failover' ||
    !syncActive(input, rules) ||
    (rules.gateVotes === 'none' && modeOf(input, rules) === 'quorum');
  return anyMember || isVoter(input, node.name);
}

function health(input: VoteInput, node: VoteNode): GateMember {
  const { name } = node;
  const limit = limitation(node);
  if (limit?.certain) return { name, healthy: 'no', why: limit.reason };
  // A primary's answer has no received and no replayed position: Patroni reads 0.
  const lags = lagging(input, node.primary === true ? 0n : node.walPosition);
  if (lags === true) return { name, healthy: 'no', why: 'lags more than maximum_lag_on_failover' };
  const known = input.clusterTimeline ?? 0;
  if (input.checkTimeline && node.timeline !== null && node.timeline < known)
    return { name, healthy: 'no', why: `is on timeline ${node.timeline}, behind ${known}` };
  if (limit) return { name, healthy: 'unknown', why: limit.reason };
  if (lags === null) return { name, healthy: 'unknown', why: 'its WAL position is unknown' };
  if (input.checkTimeline && node.timeline === null)
    return { name, healthy: 'unknown', why: 'its timeline is unknown' };
  return { name, healthy: 'yes', why: 'answers, can be promoted and keeps up' };
}

/** What decides before any member is asked. */
function refusedAnyway(
  input: VoteInput,
  { candidate }: GateRequest,
): { passes: Outcome; reason: string } | null {
  const no = (reason: string) => ({ passes: 'no' as const, reason });
  if (input.leader === null) return no('no member holds the leader lock');
  if (candidate === input.leader) return no(`${input.leader} is already the leader`);
  if (!input.paused) return null;
  if (candidate === null) return no('a paused cluster needs a named candidate');
  const isPrimary = input.nodes.find(({ name }) => name === input.leader)?.primary ?? null;
  if (isPrimary === false)
    return no('a leader that is not a primary, as in a standby cluster, does nothing while paused');
  return isPrimary
    ? null
    : { passes: 'unknown', reason: `whether ${input.leader} is a primary is unknown` };
}

function reasons(
  request: GateRequest,
  members: GateMember[],
  needed: number,
  passes: Outcome,
): string[] {
  if (passes === 'yes') return [];
  const bad = members.filter((m) => m.healthy !== 'yes').map((m) => `${m.name} ${m.why}`);
  if (members.length === 0) {
    const who = request.candidate === null ? 'no member can' : `${request.candidate} cannot`;
    return [`${who} take over: not a member, nofailover, or not in /sync`];
  }
  return [...bad, `${members.length - bad.length} healthy of ${needed} needed`];
}

export interface PrecheckRequest {
  action: Action;
  leader: string | null;
  candidate: string | null;
  scheduled?: boolean;
}

export interface PrecheckResult {
  outcome: Outcome;
  /** The status Patroni refuses with; null when it goes on. */
  status: 400 | 412 | null;
  /** Patroni's own words; '' when it goes on. */
  message: string;
}

/**
 * What Patroni's API answers before it writes /failover [do_POST_failover, RestApiServer.is_failover_possible].
 * Any member may take the request: where their versions would answer differently it is unknown.
 */
export function apiPrecheck(input: VoteInput, request: PrecheckRequest): PrecheckResult {
  const rules = new Set(input.nodes.flatMap(({ version }) => possibleRules(version)));
  const ways = [...(rules.size > 0 ? rules : possibleRules(null))].map((one) =>
    precheckBy(input, request, one),
  );
  const [first] = ways;
  const isSame = ways.every(
    ({ outcome, message }) => outcome === first?.outcome && message === first.message,
  );
  if (first !== undefined && isSame) return first;
  return {
    outcome: 'unknown',
    status: null,
    message: 'it depends on the version of the member that is asked',
  };
}

function precheckBy(all: VoteInput, request: PrecheckRequest, rules: Rules): PrecheckResult {
  const input = seenBy(all, rules);
  const bad = badRequest(input, request);
  if (bad !== null) return { outcome: 'no', status: 400, message: bad };
  if (request.scheduled) return { outcome: 'yes', status: null, message: '' };
  // A failover request that names a leader is carried out as a switchover.
  const action = request.leader === null ? request.action : 'switchover';
  const members = precheckMembers(input, request, action, rules);
  if (typeof members === 'string') return { outcome: 'no', status: 412, message: members };
  const limits = members.map(limitation);
  if (limits.includes(null)) return { outcome: 'yes', status: null, message: '' };
  const message = `${action} is not possible: no good candidates have been found`;
  const open = limits.some((limit) => limit?.certain === false);
  return { outcome: open ? 'unknown' : 'no', status: 412, message };
}

function badRequest(input: VoteInput, request: PrecheckRequest): string | null {
  const { action, leader, candidate, scheduled } = request;
  if (action === 'failover' && candidate === null)
    return 'Failover could be performed only to a specific candidate';
  if (action === 'switchover' && leader === null)
    return 'Switchover could be performed only from a specific leader';
  if (scheduled && action === 'failover') return "Failover can't be scheduled";
  if (scheduled && input.paused) return "Can't schedule switchover in the paused state";
  if (input.paused && candidate === null)
    return 'Switchover is possible only to a specific candidate in a paused state';
  return leader === candidate ? 'Switchover target and source are the same' : null;
}

/** The members that the API asks, or its refusal. */
function precheckMembers(
  input: VoteInput,
  request: PrecheckRequest,
  action: Action,
  rules: Rules,
): VoteNode[] | string {
  const { leader, candidate } = request;
  const plainSync = modeOf(input, rules) === 'on' && !input.standbyCluster;
  const voters = voterNames(input);
  if (leader !== null && leader !== input.leader) return 'leader name does not match';
  if (candidate !== null) {
    if (action === 'switchover' && plainSync && !isListed(voters, candidate))
      return 'candidate name does not match with sync_standby';
    const named = input.nodes.filter((n) => n.name === candidate);
    return named.length > 0 ? named : 'candidate does not exists';
  }
  if (plainSync) {
    const sync = input.nodes.filter((n) => isListed(voters, n.name));
    return sync.length > 0 ? sync : `${action} is not possible: can not find sync_standby`;
  }
  const others =
    input.leader === null
      ? input.nodes
      : input.nodes.filter((n) => n.name !== input.leader && n.hasApiUrl);
  return others.length > 0
    ? others
    : `${action} is not possible: cluster does not have members except leader`;
}
