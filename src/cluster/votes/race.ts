/** Who would become leader if the leader vanished now. */
import { sameName } from '../model/member-names.js';
import { formatLsn } from '../model/lsn.js';
import {
  allOf,
  enough,
  lagging,
  limitation,
  listed,
  quorumActive,
  syncActive,
  votingSet,
} from './vote-rules.js';
import type { Outcome, VoteInput, VoteNode } from './vote-rules.js';

export interface Vote {
  name: string;
  voted: Outcome;
  why: string;
}

/** One member's chances. `counted` and `needed` include its own vote, so needed is quorum + 1. */
export interface RaceResult {
  name: string;
  mayWin: Outcome;
  /** Sure votes; 0 of 0 when no votes are wanted (modes off and on). */
  counted: number;
  /** `counted` and those about which nothing is known. */
  possible: number;
  needed: number;
  /** One entry per member of V and sync.leader, the candidate first where it is one of them. */
  votes: Vote[];
  /** Why not, or why not surely; empty when it may win. */
  reasons: string[];
}

interface Finding {
  holds: Outcome;
  reason: string;
}

/** For every member but the leader: may it win the race if the leader and its node were gone? */
export function race(input: VoteInput): RaceResult[] {
  return input.nodes.filter((node) => node.name !== input.leader).map((me) => raceOf(input, me));
}

function raceOf(input: VoteInput, me: VoteNode): RaceResult {
  const counts = quorumActive(input);
  const votes = counts ? votesFor(input, me) : [];
  const counted = votes.filter((v) => v.voted === 'yes').length;
  const possible = votes.filter((v) => v.voted !== 'no').length;
  const needed = counts ? input.quorum + 1 : 0;
  const findings = [
    ...ownFindings(input, me),
    ...polled(input, me).map((o) => rival(input, me, o)),
  ];
  if (counts) findings.push(votesFinding(input, me, counted, possible, needed));
  return {
    name: me.name,
    mayWin: allOf(findings.map((f) => f.holds)),
    counted,
    possible,
    needed,
    votes,
    reasons: findings.filter((f) => f.holds !== 'yes').map((f) => f.reason),
  };
}

/** What a member asks of itself before it asks anybody [Ha.is_healthiest_node]. */
export function ownFindings(input: VoteInput, me: VoteNode): Finding[] {
  const limit = limitation(me);
  const findings: Finding[] = [];
  if (limit) findings.push({ holds: limit.certain ? 'no' : 'unknown', reason: limit.reason });
  if (me.primary === true) {
    if (ownTimeline(input, me) === 'no') findings.push(timelineFinding(input, me));
    return findings;
  }
  if (input.paused) findings.push({ holds: 'no', reason: 'nobody races while paused' });
  if (input.failsafeMembers && !input.failsafeMembers.includes(me.name))
    findings.push({ holds: 'no', reason: 'is missing in /failsafe' });
  if (input.mode === 'on' && syncActive(input) && !listed(votingSet(input), me.name))
    findings.push({ holds: 'no', reason: 'is not in /sync' });
  const lags = lagging(input, me.walPosition);
  if (lags === true)
    findings.push({ holds: 'no', reason: 'lags more than maximum_lag_on_failover' });
  if (lags === null) findings.push({ holds: 'unknown', reason: 'its WAL position is not known' });
  if (ownTimeline(input, me) !== 'yes') findings.push(timelineFinding(input, me));
  return findings;
}

function ownTimeline(input: VoteInput, me: VoteNode): Outcome {
  if (input.standbyCluster || !(input.checkTimeline || me.primary === true)) return 'yes';
  if (me.timeline === null) return 'unknown';
  return me.timeline < (input.clusterTimeline ?? 0) ? 'no' : 'yes';
}

function timelineFinding(input: VoteInput, me: VoteNode): Finding {
  const mine = me.timeline === null ? 'unknown' : String(me.timeline);
  const reason = `its timeline ${mine} against the cluster's ${input.clusterTimeline ?? 'unknown'}`;
  return { holds: ownTimeline(input, me), reason };
}

/** Whom a racing member asks: everybody else, in synchronous modes only V and sync.leader. */
export function polled(input: VoteInput, me: VoteNode): VoteNode[] {
  if (me.primary === true) return [];
  const voting = votingSet(input);
  const wanted = (o: VoteNode): boolean =>
    syncActive(input) ? listed(voting, o.name) : !o.nofailover;
  return input.nodes.filter((o) => o.name !== me.name && o.name !== input.leader && wanted(o));
}

/** Whether `other` lets `me` go first; members that may not promote are not asked for it. */
export function rival(input: VoteInput, me: VoteNode, other: VoteNode): Finding {
  const limit = limitation(other);
  if (limit?.certain) return { holds: 'yes', reason: '' };
  const given = yields(input, me, other);
  return limit && given.holds === 'no' ? { ...given, holds: 'unknown' } : given;
}

function yields(input: VoteInput, me: VoteNode, other: VoteNode): Finding {
  if (other.primary === true)
    return { holds: 'no', reason: `${other.name} is out of recovery: a primary is still alive` };
  const isFormer = syncActive(input)
    ? sameName(input.syncLeader, other.name)
    : input.formerLeader === other.name;
  const ignoredAhead = syncActive(input) && isFormer;
  const prefers = !isFormer && other.failoverPriority > me.failoverPriority;
  if (me.walPosition === null || other.walPosition === null) {
    if (ignoredAhead) return { holds: 'yes', reason: '' };
    return { holds: 'unknown', reason: `${other.name} may be ahead: a WAL position is not known` };
  }
  if (other.walPosition > me.walPosition && !ignoredAhead)
    return { holds: 'no', reason: `${other.name} is ahead at ${formatLsn(other.walPosition)}` };
  if (other.walPosition === me.walPosition && other.walPosition > 0n && prefers)
    return { holds: 'no', reason: `${other.name} is as far and has a higher failover_priority` };
  return { holds: 'yes', reason: '' };
}

/** The former leader needs no votes when nobody is ahead of it [last line of Ha._is_healthiest_node]. */
function votesFinding(
  input: VoteInput,
  me: VoteNode,
  counted: number,
  possible: number,
  needed: number,
): Finding {
  // Nobody being ahead is what the rivals' findings say already.
  if (me.primary === true || input.syncLeader === me.name) return { holds: 'yes', reason: '' };
  const reason = `has ${counted} of ${needed} votes`;
  return { holds: enough(counted, possible, needed), reason };
}

/** What each member of V and sync.leader says to it, its own vote among them if it is one. */
export function votesFor(input: VoteInput, me: VoteNode): Vote[] {
  const voting = votingSet(input);
  const others = voting.filter((name) => !sameName(name, me.name));
  const own: Vote = { name: me.name, voted: 'yes', why: 'its own vote' };
  const votes = others.map((name) => voteOf(input, me, name));
  return others.length < voting.length ? [own, ...votes] : votes;
}

function voteOf(input: VoteInput, me: VoteNode, name: string): Vote {
  const other = input.nodes.find((node) => sameName(node.name, name));
  if (!other) return { name, voted: 'no', why: 'is no member' };
  if (other.name === input.leader) return { name, voted: 'no', why: 'is the leader that is gone' };
  const limit = limitation(other);
  if (limit?.certain) return { name, voted: 'no', why: limit.reason };
  if (other.primary === true) return { name, voted: 'no', why: 'is a primary' };
  if (other.walPosition === 0n) return { name, voted: 'no', why: 'has no WAL position' };
  if (me.walPosition === null || other.walPosition === null)
    return { name, voted: 'unknown', why: 'a WAL position is not known' };
  if (other.walPosition > me.walPosition)
    return { name, voted: 'no', why: `is ahead at ${formatLsn(other.walPosition)}` };
  if (limit) return { name, voted: 'unknown', why: limit.reason };
  return { name, voted: 'yes', why: `is not ahead, at ${formatLsn(other.walPosition)}` };
}
