/** Whether promoting somebody could lose a commit that a client was told is durable. */
import { sameName } from '../model/member-names.js';
import { race } from './race.js';
import { leaderGate } from './step-down.js';
import {
  enough,
  limitation,
  listed,
  quorumActive,
  syncActive,
  voterNames,
  votingSet,
} from './vote-rules.js';
import type { Outcome, VoteInput, VoteNode } from './vote-rules.js';

export type Loss = 'none' | 'possible' | 'unknown';

export interface LossVerdict {
  loss: Loss;
  /** 'no acknowledged commit can be lost', 'acknowledged commits may be lost', or 'unknown, because …'. */
  sentence: string;
  because: string;
  /** Members of V and sync.leader whose WAL the candidate surely has; needed is quorum + 1. 0 of 0 where not counted. */
  held: number;
  needed: number;
}

export interface LossSituation {
  /** The leader lives, holds the lock and will be shut down cleanly. */
  leaderAlive: boolean;
}

/**
 * The verdict on promoting `candidate`, or on whoever wins if null. Sound on the facts given: `none` only
 * if no state of the unknown members consistent with them loses a commit. Positions of different timelines
 * do not compare. With a live leader it supposes that its shutdown ends cleanly.
 */
export function dataLossVerdict(
  input: VoteInput,
  candidate: string | null,
  situation: LossSituation,
): LossVerdict {
  if (input.standbyCluster) return verdict('none', 'a standby cluster acknowledges no commits');
  if (situation.leaderAlive && input.leader !== null)
    return candidate === null ? steppingDown(input) : followedDown(input, candidate);
  return candidate === null ? ofWinners(input) : ofNamed(input, candidate);
}

function verdict(loss: Loss, because: string, held = 0, needed = 0): LossVerdict {
  const sentence = {
    none: 'no acknowledged commit can be lost',
    possible: 'acknowledged commits may be lost',
    unknown: `unknown, because ${because}`,
  }[loss];
  return { loss, sentence, because, held, needed };
}

// ---------------------------------------------------------------- the leader lives

function followedDown(input: VoteInput, candidate: string): LossVerdict {
  const node = input.nodes.find((n) => n.name === candidate);
  if (!node) return verdict('unknown', `${candidate} is no member`);
  const limit = limitation(node);
  if (limit?.certain && limit.reason !== 'is tagged nofailover')
    return verdict('possible', `${candidate} ${limit.reason}`);
  if (follows(node))
    return verdict('none', `the leader's clean shutdown waits until ${candidate} has everything`);
  if (node.standsStill) return leftBehind(input, node);
  if (node.streamsFromLeader === null)
    return verdict('unknown', `whether ${candidate} streams from the leader is not known`);
  return verdict(
    'possible',
    `${candidate} does not stream from the leader, whose shutdown will not wait for it`,
  );
}

/** It gets what the leader writes until the end: the shutdown waits for it. */
function follows(node: VoteNode): boolean {
  return node.streamsFromLeader === true && !node.standsStill;
}

/** The shutdown goes on without it: what it has now is all it will have, while the others go on confirming. */
function leftBehind(input: VoteInput, me: VoteNode): LossVerdict {
  const alone = input.nodes.filter((n) => n === me || n.name === input.leader);
  if (ofNamed({ ...input, nodes: alone }, me.name).loss === 'none')
    return verdict('none', `every acknowledged commit has waited for ${me.name}`);
  return verdict(
    'possible',
    `${me.name} stands still, and the leader's shutdown gives it up after wal_sender_timeout`,
  );
}

/** Nobody named: the winner has the votes, is in /sync, or is the furthest of those that follow. */
function steppingDown(input: VoteInput): LossVerdict {
  const gate = leaderGate(input, { candidate: null, action: 'switchover' });
  if (gate.passes !== 'yes') return verdict('unknown', 'whether the leader steps down is not sure');
  const kept = keptByVotes(input);
  if (kept !== null) return verdict('none', kept);
  const healthy = input.nodes.filter((n) => listed(gate.healthy, n.name));
  const follower = healthy.find(follows);
  if (follower)
    return verdict('none', `${follower.name} will have everything, and nobody behind it wins`);
  if (healthy.some((n) => n.streamsFromLeader === null))
    return verdict('unknown', 'who streams from the leader is not known');
  const still = healthy.filter((n) => n.standsStill).map((n) => n.name);
  if (still.length > 0)
    return verdict(
      'possible',
      `who may win stands still (${still.join(', ')}), and the leader's shutdown gives it up after wal_sender_timeout`,
    );
  return verdict('possible', 'nobody who may be promoted streams from the leader');
}

/** Why whoever wins without being named has every acknowledged commit, by /sync alone; null: not for sure. */
export function keptByVotes(input: VoteInput): string | null {
  if (!syncActive(input) || early(input) !== null || promisesLess(input)) return null;
  return quorumActive(input) ? 'whoever wins has a quorum of votes' : 'whoever wins is in /sync';
}

/** Nobody waits for a standby although synchronous mode is on; null: they do, or it is not known. */
function early({ synchronousCommit: level }: VoteInput): string | null {
  if (level !== 'local' && level !== 'off') return null;
  return `synchronous_commit is ${level}: commits are acknowledged before any standby has them`;
}

// ---------------------------------------------------------------- the leader is gone

function ofWinners(input: VoteInput): LossVerdict {
  const winners = race(input).filter((r) => r.mayWin !== 'no');
  if (winners.length === 0) return verdict('unknown', 'nobody can win the race');
  const verdicts = winners.map((w) => ofNamed(input, w.name));
  const worst =
    verdicts.find((v) => v.loss === 'possible') ?? verdicts.find((v) => v.loss === 'unknown');
  return worst ?? verdicts[0] ?? verdict('unknown', 'nobody can win the race');
}

function ofNamed(input: VoteInput, candidate: string): LossVerdict {
  const me = input.nodes.find((n) => n.name === candidate);
  if (!me) return verdict('unknown', `${candidate} is no member`);
  const others = input.nodes.filter((n) => n !== me && n.name !== input.leader);
  const primary = others.find((n) => n.primary === true)?.name ?? input.departedPrimaries[0];
  if (primary !== undefined)
    return verdict('possible', `${primary} is a primary and goes on acknowledging`);
  if (!syncActive(input))
    return verdict('possible', 'commits are acknowledged before any standby has them');
  const unawaited = early(input);
  if (unawaited !== null) return verdict('possible', unawaited);
  if (input.leader !== null && !sameName(input.leader, input.syncLeader))
    return verdict(
      'possible',
      `/sync speaks of the leader ${input.syncLeader ?? ''}, not of ${input.leader}`,
    );
  if (me.reachable === false || me.running === false)
    return verdict('possible', `${candidate} does not answer or does not run PostgreSQL`);
  const counted = count(input, me);
  if (counted.loss !== 'none') return counted;
  const unheard = unheardPrimary(input);
  return unheard === null ? counted : verdict('unknown', unheard, counted.held, counted.needed);
}

/**
 * Every acknowledged commit is on at least N - quorum of V and on its leader, so on N + 1 - quorum of the
 * N + 1 members of V and sync.leader: whoever has what quorum + 1 of them have, himself included, has it.
 */
function count(input: VoteInput, me: VoteNode): LossVerdict {
  const needed = (quorumActive(input) ? input.quorum : 0) + 1;
  const has = votingSet(input).map((name) => hasWalOf(input, me, name));
  const held = has.filter((h) => h === 'yes').length;
  const possible = has.filter((h) => h !== 'no').length;
  const outcome = enough(held, possible, needed);
  const evidence = `${me.name} surely has all that ${held} of the voting members have, ${needed} are needed`;
  const unsafe = outcome === 'no' ? null : looseAcknowledgement(input, me);
  if (outcome === 'no') return verdict('possible', evidence, held, needed);
  if (unsafe !== null) return verdict('possible', unsafe, held, needed);
  if (outcome === 'yes') return verdict('none', `${evidence}${writtenOnly(input)}`, held, needed);
  return verdict('unknown', `${evidence}, and positions or timelines are not known`, held, needed);
}

/** With remote_write a standby says yes before its disk does. */
function writtenOnly({ synchronousCommit }: VoteInput): string {
  if (synchronousCommit !== 'remote_write') return '';
  return ' (synchronous_commit is remote_write: unless the machine of a standby crashes too)';
}

/** Whether `me` surely has all WAL of `name`. Whether that member may promote does not matter here. */
function hasWalOf(input: VoteInput, me: VoteNode, name: string): Outcome {
  if (sameName(me.name, name))
    return me.reachable === null || me.running === null ? 'unknown' : 'yes';
  const other = input.nodes.find((n) => sameName(n.name, name));
  if (!other || other.name === input.leader) return 'no';
  if (other.reachable === false || other.running === false) return 'no';
  const positions = me.walPosition !== null && other.walPosition !== null;
  if (positions && (me.walPosition ?? 0n) < (other.walPosition ?? 0n)) return 'no';
  if (other.walPosition === 0n) return 'no';
  const timelines = me.timeline !== null && other.timeline !== null;
  if (timelines && me.timeline !== other.timeline) return 'no';
  const asked = other.reachable === true && other.running === true && other.primary !== true;
  return positions && timelines && asked ? 'yes' : 'unknown';
}

/** PostgreSQL waits for fewer than /sync promises (set by hand, say): then its own setting decides. */
function looseAcknowledgement(input: VoteInput, me: VoteNode): string | null {
  const ssn = input.syncNames;
  if (ssn === null || !promisesLess(input)) return null;
  const num = ssn.method === 'off' ? 0 : ssn.num;
  const without = ssn.names.filter((n) => n === '*' || hasWalOf(input, me, n) !== 'yes');
  if (num > 0 && !ssn.names.includes('*') && without.length < num) return null;
  return `PostgreSQL waits for ${num} of (${ssn.names.join(', ')}), which is less than /sync promises`;
}

/** Whether the standbys PostgreSQL waits for are too few to meet every set that may elect. */
function promisesLess(input: VoteInput): boolean {
  const ssn = input.syncNames;
  if (ssn === null) return false;
  const voters = voterNames(input);
  const num = ssn.method === 'off' ? 0 : ssn.num;
  const quorum = quorumActive(input) ? input.quorum : 0;
  const union = [...voters, ...ssn.names.filter((n) => n === '*' || !listed(voters, n))];
  return ssn.names.includes('*') || union.length > quorum + num;
}

/** Without a leader nobody should stream, unless from a primary that nobody lists. */
function unheardPrimary(input: VoteInput): string | null {
  const unread = input.departedUnread[0];
  if (unread !== undefined) return `${unread} has no member key, listens, and may be a primary`;
  if (input.leader !== null) return null;
  const streaming = input.nodes.find((n) => n.streams === true && n.primary !== true);
  return streaming ? `${streaming.name} still streams: a primary may be alive unseen` : null;
}
