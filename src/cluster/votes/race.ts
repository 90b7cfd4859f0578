/** The member that would become leader if the leader vanished now. vote-rules.ts states the invariant of the votes. */
import { sameName } from '../model/member-names.js';
import { formatLsn, type Lsn } from '../model/lsn.js';
import type { Rules } from './patroni-versions.js';
import {
  agreed,
  allOf,
  enough,
  everybody,
  isVoting,
  lagging,
  limitation,
  modeOf,
  nodesNamed,
  possibleRules,
  quorumActive,
  seenBy,
  syncActive,
  unknownSync,
  votingSet,
  type Outcome,
  type VoteInput,
  type VoteNode,
} from './vote-rules.js';

export interface Vote {
  name: string;
  voted: Outcome;
  why: string;
}

/** One member's chances. `counted` and `needed` include its own vote, so needed is quorum + 1. */
export interface RaceResult {
  name: string;
  mayWin: Outcome;
  /** Sure votes; 0 of 0 if no votes are needed (modes off and on). */
  counted: number;
  /** `counted` and those about which nothing is known. */
  possible: number;
  needed: number;
  /** One entry per member of V and sync.leader, the candidate first where it is one of them. */
  votes: Vote[];
  /** Why not, or why not surely; empty when it may win. */
  reasons: string[];
}

export interface RaceReason {
  holds: Outcome;
  reason: string;
}

/** One way in which a member may go into the race: by what it may be, and by how its version decides. */
export interface Candidacy {
  /** What it asks of itself. */
  own: RaceReason[];
  /** What it hears from each other node that it asks. */
  rivals: { name: string; finding: RaceReason }[];
  /** null: it needs no votes. */
  votes: Vote[] | null;
  needed: number;
}

/** Many findings ask for the same race, in which every member asks every other: it is computed once. */
const races = new WeakMap<VoteInput, RaceResult[]>();

/** For every member but the leader: may it win the race if the leader and its node were gone? */
export function race(input: VoteInput): RaceResult[] {
  const known = races.get(input);
  if (known !== undefined) return known;
  const others = input.nodes.filter((node) => node.name !== input.leader);
  const results = others.map((me) => raceOf(input, me));
  races.set(input, results);
  return results;
}

function raceOf(input: VoteInput, me: VoteNode): RaceResult {
  const results = candidacies(input, me).map((one) => resultOf(input, me, one));
  const [first] = results;
  if (first !== undefined && results.length === 1) return first;
  const mayWin = agreed(results.map((one) => one.mayWin));
  const reasons = [...new Set(results.flatMap((one) => one.reasons))];
  const known = first ?? { name: me.name, counted: 0, possible: 0, needed: 0, votes: [] };
  return { ...known, mayWin, reasons: mayWin === 'yes' ? [] : reasons };
}

const candidaciesOf = new WeakMap<VoteInput, Map<VoteNode, Candidacy[]>>();

/** Every way in which it may decide, worked out once for the same facts. */
export function candidacies(input: VoteInput, me: VoteNode): Candidacy[] {
  let known = candidaciesOf.get(input);
  if (known === undefined) candidaciesOf.set(input, (known = new Map<VoteNode, Candidacy[]>()));
  let ways = known.get(me);
  if (ways === undefined) known.set(me, (ways = waysOf(input, me)));
  return ways;
}

/** An unread member may be a primary, and an unknown version any. */
function waysOf(input: VoteInput, me: VoteNode): Candidacy[] {
  const roles = me.primary === null ? [false, true] : [me.primary];
  return roles.flatMap((primary) =>
    possibleRules(me.version).map((rules) =>
      candidacy(seenBy(input, rules), { ...me, primary }, rules),
    ),
  );
}

function candidacy(input: VoteInput, me: VoteNode, rules: Rules): Candidacy {
  if (me.primary === true) return { own: ofPrimary(input, me), rivals: [], votes: null, needed: 0 };
  const counts = quorumActive(input, rules);
  const asked = polled(input, me, rules);
  const open = unknownSync(input);
  const unread: RaceReason[] =
    open === null ? [] : [{ holds: 'unknown', reason: `/sync is unknown (${open})` }];
  return {
    own: [...ofStandby(input, me, rules), ...unread],
    rivals: asked.map((other) => ({
      name: other.name,
      finding: rival(input, me, other, rules),
    })),
    votes: counts ? votesFor(input, me, asked) : null,
    needed: counts ? input.quorum + 1 : 0,
  };
}

function resultOf(input: VoteInput, me: VoteNode, one: Candidacy): RaceResult {
  const { own, rivals, votes, needed } = one;
  const counted = votes?.filter(({ voted }) => voted === 'yes').length ?? 0;
  const possible = votes?.filter(({ voted }) => voted !== 'no').length ?? 0;
  const findings = [...own, ...rivals.map(({ finding }) => finding)];
  if (votes !== null && !needsNone(input, me))
    findings.push({
      holds: enough(counted, possible, needed),
      reason: `has ${counted} of ${needed} votes`,
    });
  return {
    name: me.name,
    mayWin: allOf(findings.map(({ holds }) => holds)),
    counted,
    possible,
    needed,
    votes: votes ?? [],
    reasons: findings.filter(({ holds }) => holds !== 'yes').map(({ reason }) => reason),
  };
}

/**
 * The former leader needs no votes if no member is ahead of it [last line of Ha._is_healthiest_node]; no member being
 * ahead is what the rivals' findings say already.
 */
export function needsNone(input: VoteInput, me: VoteNode): boolean {
  return input.syncLeader === me.name;
}

// ---------------------------------------------------------------- what a member asks of itself

/** It retakes a free key before tags and watchdog are looked at [Ha.is_healthiest_node]. */
function ofPrimary(input: VoteInput, me: VoteNode): RaceReason[] {
  const findings = silence(me);
  if (me.starting && !input.paused) findings.push({ holds: 'no', reason: 'is still starting' });
  if (input.paused && me.ownSystem !== true)
    findings.push({
      holds: me.ownSystem === false ? 'no' : 'unknown',
      reason: 'its system identifier is not that in /initialize',
    });
  const behind = timelineFinding(input, me);
  return input.paused || behind === null ? findings : [...findings, behind];
}

function ofStandby(input: VoteInput, me: VoteNode, rules: Rules): RaceReason[] {
  const no = (reason: string): RaceReason => ({ holds: 'no', reason });
  const limit = limitation({ ...me, hasApiUrl: true });
  const findings: RaceReason[] = [];
  if (limit) findings.push({ holds: limit.certain ? 'no' : 'unknown', reason: limit.reason });
  if (me.starting) findings.push(no('is still starting'));
  if (input.paused) findings.push(no('no leader race while paused'));
  if (input.failsafeMembers && !input.failsafeMembers.includes(me.name))
    findings.push(no('is missing in /failsafe'));
  const sync = syncActive(input, rules) && modeOf(input, rules) === 'on';
  if (sync && !isVoting(input, me.name)) findings.push(no('is not in /sync'));
  const lags = lagging(input, me.walPosition);
  if (lags === true) findings.push(no('lags more than maximum_lag_on_failover'));
  if (lags === null) findings.push({ holds: 'unknown', reason: 'its WAL position is unknown' });
  const behind = input.checkTimeline && !input.standbyCluster ? timelineFinding(input, me) : null;
  return behind === null ? findings : [...findings, behind];
}

/** Whether it is there at all. */
function silence({ reachable, running }: VoteNode): RaceReason[] {
  if (reachable === false) return [{ holds: 'no', reason: 'does not answer' }];
  if (running === false) return [{ holds: 'no', reason: 'does not run PostgreSQL' }];
  if (reachable === null) return [{ holds: 'unknown', reason: 'was not asked' }];
  return running === null ? [{ holds: 'unknown', reason: 'may not run PostgreSQL' }] : [];
}

/** null: its timeline is none that the history has left behind. */
function timelineFinding(input: VoteInput, me: VoteNode): RaceReason | null {
  const known = input.clusterTimeline;
  const reason = `its timeline ${me.timeline ?? 'unknown'} against the cluster's ${known ?? 'unknown'}`;
  if (me.timeline === null) return { holds: 'unknown', reason };
  return me.timeline < (known ?? 0) ? { holds: 'no', reason } : null;
}

// ---------------------------------------------------------------- what it hears from the others

/**
 * The members that a racing member asks: all except those tagged nofailover, and while synchronous mode is active
 * only V and sync.leader, these with the tag too when votes are counted.
 */
function polled(input: VoteInput, me: VoteNode, rules: Rules): VoteNode[] {
  const onlyVoting = syncActive(input, rules);
  const counts = quorumActive(input, rules);
  return everybody(input).filter(({ name, hasApiUrl, keyNofailover }) => {
    if (name === me.name || name === input.leader || !hasApiUrl) return false;
    if (!onlyVoting && !keyNofailover) return true;
    const votes = isVoting(input, name);
    return (!onlyVoting || votes) && (!keyNofailover || (counts && votes));
  });
}

/** Whether `other` lets `me` go first; members that may not promote are not listened to. */
function rival(input: VoteInput, me: VoteNode, other: VoteNode, rules: Rules): RaceReason {
  const limit = limitation(other);
  if (limit?.certain) return { holds: 'yes', reason: '' };
  if (other.primary === true) {
    const reason = `${other.name} is out of recovery: a primary is still alive`;
    return { holds: limit ? 'unknown' : 'no', reason };
  }
  const given = yields(input, me, other, rules);
  if (given.holds === 'yes' && other.primary === null)
    return {
      holds: 'unknown',
      reason: `${other.name} may be a primary: ${limit?.reason ?? 'its role is unknown'}`,
    };
  return limit && given.holds === 'no' ? { ...given, holds: 'unknown' } : given;
}

function yields(input: VoteInput, me: VoteNode, other: VoteNode, rules: Rules): RaceReason {
  const sync = syncActive(input, rules);
  const mayBeAhead = sync && sameName(input.syncLeader, other.name);
  const goesFirst = isPreferred(input, me, other, rules);
  if (me.walPosition === null || other.walPosition === null) {
    if (mayBeAhead && !goesFirst) return { holds: 'yes', reason: '' };
    return { holds: 'unknown', reason: `${other.name} may be ahead: a WAL position is unknown` };
  }
  if (other.walPosition > me.walPosition && !mayBeAhead)
    return {
      holds: 'no',
      reason: `${other.name} is ahead at ${positionText(other, other.walPosition)}`,
    };
  const sameWal = other.walPosition === me.walPosition;
  if (sameWal && goesFirst && (other.walPosition > 0n || rules.priorityWithoutWal))
    return {
      holds: 'no',
      reason: `${other.name} has the same position and a higher failover_priority`,
    };
  return { holds: 'yes', reason: '' };
}

/** Whether a standby that is as far goes first for its failover_priority. */
function isPreferred(input: VoteInput, me: VoteNode, other: VoteNode, rules: Rules): boolean {
  if (other.failoverPriority <= me.failoverPriority) return false;
  const former = syncActive(input, rules) ? input.syncLeader : input.formerLeader;
  if (rules.sparesFormerLeader && former === other.name) return false;
  const votes = quorumActive(input, rules);
  if (votes && isVoting(input, other.name)) return true;
  return rules.priorityInSyncMode ? !votes : !syncActive(input, rules);
}

/** What each member of V and sync.leader says to it, its own vote among them if it is one. */
function votesFor(input: VoteInput, me: VoteNode, asked: readonly VoteNode[]): Vote[] {
  const isAsked = new Set(asked);
  const own: Vote[] = isVoting(input, me.name)
    ? [{ name: me.name, voted: 'yes', why: 'its own vote' }]
    : [];
  const votes = votingSet(input).flatMap((name) => {
    const others = nodesNamed(input, name).filter((node) => node.name !== me.name);
    if (others.length > 0)
      return others.map((other) => voteOf(input, me, other, isAsked.has(other)));
    return sameName(name, me.name) ? [] : [{ name, voted: 'no' as const, why: 'is not a member' }];
  });
  return [...own, ...votes];
}

const texts = new WeakMap<VoteNode, string>();

/** Written once a node, not once a vote. */
function positionText(node: VoteNode, position: Lsn): string {
  const known = texts.get(node);
  if (known !== undefined) return known;
  const text = formatLsn(position);
  texts.set(node, text);
  return text;
}

function voteOf(input: VoteInput, me: VoteNode, other: VoteNode, isAsked: boolean): Vote {
  const { name } = other;
  if (name === input.leader) return { name, voted: 'no', why: 'is the lost leader' };
  const limit = limitation(other);
  if (limit?.certain) return { name, voted: 'no', why: limit.reason };
  if (!isAsked) return { name, voted: 'no', why: 'is not asked' };
  if (other.primary === true) return { name, voted: 'no', why: 'is a primary' };
  if (other.walPosition === 0n) return { name, voted: 'no', why: 'has no WAL position' };
  if (me.walPosition === null || other.walPosition === null)
    return { name, voted: 'unknown', why: 'a WAL position is unknown' };
  if (other.walPosition > me.walPosition)
    return { name, voted: 'no', why: `is ahead at ${positionText(other, other.walPosition)}` };
  if (limit) return { name, voted: 'unknown', why: limit.reason };
  if (other.primary === null) return { name, voted: 'unknown', why: 'may be a primary' };
  return { name, voted: 'yes', why: `is not ahead, at ${positionText(other, other.walPosition)}` };
}
