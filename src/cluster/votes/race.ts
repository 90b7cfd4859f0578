/** The member that would become leader if the leader vanished now. vote-rules.ts states the invariant of the votes. */
import { sameName } from '../model/member-names.js';
import { formatLsn, type Lsn } from '../model/lsn.js';
import { remembered } from '../model/remembered.js';
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

/** The votes for one member: what all say to a member that is as far, itself among them, and its own. */
export interface Ballot {
  all: Tally;
  /** null: it is neither in V nor sync.leader. */
  own: Vote | null;
}

/** What each member of V and sync.leader says to a member with this position, as if it were not one of them. */
export interface Tally {
  votes: readonly Vote[];
  /** Where in `votes` a member is. */
  at: ReadonlyMap<string, number>;
  yes: number;
  /** Not no. */
  possible: number;
}

interface Rival {
  name: string;
  finding: RaceReason;
}

/** One way in which a member may go into the race: by what it may be, and by how its version decides. */
export interface Candidacy {
  /** What it asks of itself. */
  own: RaceReason[];
  /** Each other node that it asks, and that does not surely let it go first. */
  rivals: Rival[];
  /** null: it needs no votes. */
  votes: Ballot | null;
  needed: number;
}

/** Many findings ask for the same race, in which every member asks every other: it is computed once. */
const races = new WeakMap<VoteInput, RaceResult[]>();

/** For every member but the leader: may it win the race if the leader and its node were gone? */
export function race(input: VoteInput): RaceResult[] {
  return remembered(races, input, () => {
    const others = input.nodes.filter((node) => node.name !== input.leader);
    return others.map((me) => raceOf(input, me));
  });
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
  const known = remembered(candidaciesOf, input, () => new Map<VoteNode, Candidacy[]>());
  return remembered(known, me, () => waysOf(input, me));
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
  const heard = heardBy(input, me, rules);
  const open = unknownSync(input);
  const unread: RaceReason[] =
    open === null ? [] : [{ holds: 'unknown', reason: `/sync is unknown (${open})` }];
  return {
    own: [...ofStandby(input, me, rules), ...unread],
    rivals: heard.isRival.has(me.name)
      ? heard.rivals.filter(({ name }) => name !== me.name)
      : heard.rivals,
    votes: counts ? { all: heard.votes(), own: ownVote(input, me) } : null,
    needed: counts ? input.quorum + 1 : 0,
  };
}

function resultOf(input: VoteInput, me: VoteNode, one: Candidacy): RaceResult {
  const { own, rivals, votes, needed } = one;
  const { counted, possible } = votes === null ? { counted: 0, possible: 0 } : countOf(votes);
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
    votes: votes === null ? [] : votesIn(votes),
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

/** What members of one position and priority hear from all, themselves among them. */
interface Heard {
  rivals: Rival[];
  isRival: ReadonlySet<string>;
  /** Worked out when first asked for. */
  votes(): Tally;
}

const heardOf = new WeakMap<VoteInput, Map<Rules, Map<string, Heard>>>();

/** Most members are as far as others are: what they hear is worked out once, not once for each pair. */
function heardBy(input: VoteInput, me: VoteNode, rules: Rules): Heard {
  const byRules = remembered(heardOf, input, () => new Map<Rules, Map<string, Heard>>());
  const byStand = remembered(byRules, rules, () => new Map<string, Heard>());
  return remembered(byStand, `${me.walPosition ?? ''} ${me.failoverPriority}`, () => {
    const polled = polledBy(input, rules);
    const rivals = polled.peers
      .map((peer) => ({ name: peer.node.name, finding: rival(input, me, peer, polled) }))
      .filter(({ finding }) => finding !== YIELDS);
    let votes: Tally | null = null;
    return {
      rivals,
      isRival: new Set(rivals.map(({ name }) => name)),
      votes: () => (votes ??= tallyOf(polled, me)),
    };
  });
}

/** The members that a member asks, and those that vote: the same for all that decide by the same rules. */
interface Polled {
  rules: Rules;
  isSync: boolean;
  countsVotes: boolean;
  peers: Peer[];
  voters: Voter[];
}

/** A member that is asked. */
interface Peer {
  node: VoteNode;
  limit: ReturnType<typeof limitation>;
  /** The leader of /sync: Patroni takes it for the former leader, which may be ahead. */
  mayBeAhead: boolean;
  ahead: RaceReason;
}

/** A member of V or sync.leader. `fixed`: its vote does not depend on positions. */
type Voter = { fixed: Vote } | { fixed: null; position: Lsn | null; ahead: Vote; level: Vote };

const polledOf = new WeakMap<VoteInput, Map<Rules, Polled>>();

function polledBy(input: VoteInput, rules: Rules): Polled {
  const byRules = remembered(polledOf, input, () => new Map<Rules, Polled>());
  return remembered(byRules, rules, () => {
    const isSync = syncActive(input, rules);
    const countsVotes = quorumActive(input, rules);
    const asked = askedIn(input, isSync, countsVotes);
    const isAsked = new Set(asked);
    return {
      rules,
      isSync,
      countsVotes,
      peers: asked.map((node) => peerOf(input, node, isSync)),
      voters: votingSet(input).flatMap((name): Voter[] => {
        const nodes = nodesNamed(input, name);
        if (nodes.length === 0) return [{ fixed: { name, voted: 'no', why: 'is not a member' } }];
        return nodes.map((node) => voterOf(input, node, isAsked.has(node)));
      }),
    };
  });
}

/**
 * The members that a racing member asks, itself among them: all except those tagged nofailover, and while
 * synchronous mode is active only V and sync.leader, these with the tag too when votes are counted.
 */
function askedIn(input: VoteInput, onlyVoting: boolean, counts: boolean): VoteNode[] {
  return everybody(input).filter(({ name, hasApiUrl, keyNofailover }) => {
    if (name === input.leader || !hasApiUrl) return false;
    if (!onlyVoting && !keyNofailover) return true;
    const votes = isVoting(input, name);
    return (!onlyVoting || votes) && (!keyNofailover || (counts && votes));
  });
}

function peerOf(input: VoteInput, node: VoteNode, isSync: boolean): Peer {
  return {
    node,
    limit: limitation(node),
    mayBeAhead: isSync && sameName(input.syncLeader, node.name),
    ahead: { holds: 'no', reason: `${node.name} is ahead at ${positionText(node)}` },
  };
}

/** The same object for all that let a member go first. */
const YIELDS: RaceReason = { holds: 'yes', reason: '' };

/** Whether the other lets `me` go first; members that may not promote are not listened to. */
function rival(input: VoteInput, me: VoteNode, peer: Peer, polled: Polled): RaceReason {
  const { node: other, limit } = peer;
  if (limit?.certain) return YIELDS;
  if (other.primary === true) {
    const reason = `${other.name} is out of recovery: a primary is still alive`;
    return { holds: limit ? 'unknown' : 'no', reason };
  }
  const given = yields(input, me, peer, polled);
  if (given === YIELDS && other.primary === null)
    return {
      holds: 'unknown',
      reason: `${other.name} may be a primary: ${limit?.reason ?? 'its role is unknown'}`,
    };
  return limit && given.holds === 'no' ? { ...given, holds: 'unknown' } : given;
}

function yields(input: VoteInput, me: VoteNode, peer: Peer, polled: Polled): RaceReason {
  const { node: other, mayBeAhead, ahead } = peer;
  const goesFirst =
    other.failoverPriority > me.failoverPriority && isPreferred(input, other, polled);
  if (me.walPosition === null || other.walPosition === null) {
    if (mayBeAhead && !goesFirst) return YIELDS;
    return { holds: 'unknown', reason: `${other.name} may be ahead: a WAL position is unknown` };
  }
  if (other.walPosition > me.walPosition && !mayBeAhead) return ahead;
  const sameWal = other.walPosition === me.walPosition;
  if (sameWal && goesFirst && (other.walPosition > 0n || polled.rules.priorityWithoutWal))
    return {
      holds: 'no',
      reason: `${other.name} has the same position and a higher failover_priority`,
    };
  return YIELDS;
}

/** Whether a standby that is as far goes first for its higher failover_priority. */
function isPreferred(
  input: VoteInput,
  other: VoteNode,
  { rules, isSync, countsVotes }: Polled,
): boolean {
  const former = isSync ? input.syncLeader : input.formerLeader;
  if (rules.sparesFormerLeader && former === other.name) return false;
  if (countsVotes && isVoting(input, other.name)) return true;
  return rules.priorityInSyncMode ? !countsVotes : !isSync;
}

// ---------------------------------------------------------------- votes

function ownVote(input: VoteInput, { name }: VoteNode): Vote | null {
  return isVoting(input, name) ? { name, voted: 'yes', why: 'its own vote' } : null;
}

function tallyOf({ voters }: Polled, me: VoteNode): Tally {
  const votes = voters.map((voter) => voteOf(voter, me.walPosition));
  return {
    votes,
    at: new Map(votes.map(({ name }, at) => [name, at])),
    yes: votes.filter(({ voted }) => voted === 'yes').length,
    possible: votes.filter(({ voted }) => voted !== 'no').length,
  };
}

/** One entry per member of V and sync.leader, its own first if it is one of them. */
function votesIn({ all, own }: Ballot): Vote[] {
  if (own === null) return [...all.votes];
  const at = all.at.get(own.name);
  if (at === undefined) return [own, ...all.votes];
  return [own, ...all.votes.slice(0, at), ...all.votes.slice(at + 1)];
}

function countOf({ all, own }: Ballot): { counted: number; possible: number } {
  if (own === null) return { counted: all.yes, possible: all.possible };
  const asOther = all.votes[all.at.get(own.name) ?? -1]?.voted ?? 'no';
  return {
    counted: all.yes + (asOther === 'yes' ? 0 : 1),
    possible: all.possible + (asOther === 'no' ? 1 : 0),
  };
}

function voterOf(input: VoteInput, node: VoteNode, isAsked: boolean): Voter {
  const { name, walPosition: position } = node;
  const fixed = fixedVote(input, node, isAsked);
  if (fixed !== null) return { fixed: { name, voted: 'no', why: fixed } };
  const at = positionText(node);
  const limit = limitation(node);
  const level: Vote = limit
    ? { name, voted: 'unknown', why: limit.reason }
    : node.primary === null
      ? { name, voted: 'unknown', why: 'may be a primary' }
      : { name, voted: 'yes', why: `is not ahead, at ${at}` };
  return { fixed: null, position, level, ahead: { name, voted: 'no', why: `is ahead at ${at}` } };
}

/** Why it does not vote for any member; null: it may. */
function fixedVote(input: VoteInput, other: VoteNode, isAsked: boolean): string | null {
  if (other.name === input.leader) return 'is the lost leader';
  const limit = limitation(other);
  if (limit?.certain) return limit.reason;
  if (!isAsked) return 'is not asked';
  if (other.primary === true) return 'is a primary';
  return other.walPosition === 0n ? 'has no WAL position' : null;
}

function voteOf(voter: Voter, mine: Lsn | null): Vote {
  if (voter.fixed !== null) return voter.fixed;
  const { position, ahead, level } = voter;
  if (mine === null || position === null)
    return { name: level.name, voted: 'unknown', why: 'a WAL position is unknown' };
  return position > mine ? ahead : level;
}

function positionText({ walPosition }: VoteNode): string {
  return walPosition === null ? 'unknown' : formatLsn(walPosition);
}
