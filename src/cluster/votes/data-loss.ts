/** Whether promoting a member could lose an acknowledged commit. */
import { isListed, sameName } from '../model/member-names.js';
import { remembered } from '../model/remembered.js';
import { race } from './race.js';
import { leaderGate } from './step-down.js';
import {
  enough,
  isVoter,
  isVoting,
  limitation,
  nodeNamed,
  nodesNamed,
  possibleRules,
  quorumActive,
  syncActive,
  unknownSync,
  voterNames,
  votingSet,
} from './vote-rules.js';
import { rulesOf } from './patroni-versions.js';
import type { Outcome, VoteInput, VoteNode } from './vote-rules.js';

export type Loss = 'none' | 'possible' | 'unknown';

export interface LossVerdict {
  loss: Loss;
  /** 'no acknowledged commit can be lost', 'acknowledged commits may be lost', or 'unknown, because …'. */
  sentence: string;
  because: string;
  /**
   * Members of V and sync.leader whose WAL the candidate surely has; needed is quorum + 1. 0 of 0 where not counted.
   */
  held: number;
  needed: number;
}

export interface LossSituation {
  /** The leader lives, holds the lock and will be shut down cleanly. */
  leaderAlive: boolean;
}

/**
 * The verdict on promoting `candidate`, or the winner if null. Sound on the facts given: `none` only
 * if no state of the unknown members consistent with them loses a commit. Positions of different timelines
 * do not compare. With a live leader it supposes that its shutdown ends cleanly.
 */
export function dataLossVerdict(
  input: VoteInput,
  candidate: string | null,
  situation: LossSituation,
): LossVerdict {
  const second = secondPrimary(input, candidate);
  if (second !== null) return verdict('possible', second);
  const found = verdictOnOnePrimary(input, candidate, situation);
  const open = unknownSync(input);
  if (open !== null) return verdict('unknown', `/sync is unknown: ${open}`);
  if (found.loss !== 'none') return found;
  const unheard = unheardPrimary(input, candidate);
  return unheard === null ? found : verdict('unknown', unheard, found.held, found.needed);
}

function verdictOnOnePrimary(
  input: VoteInput,
  candidate: string | null,
  { leaderAlive }: LossSituation,
): LossVerdict {
  if (input.standbyCluster) return verdict('none', 'a standby cluster acknowledges no commits');
  if (leaderAlive && input.leader !== null)
    return candidate === null ? steppingDown(input) : followedDown(input, candidate);
  return candidate === null ? ofWinners(input) : ofNamed(input, candidate);
}

/** Another primary than the one that is replaced continues to acknowledge commits after any promotion. */
function secondPrimary(input: VoteInput, candidate: string | null): string | null {
  const { leader, standbyCluster } = input;
  // Without a leader, a primary that takes the lock again is not a second primary.
  const rightful = standbyCluster ? null : (leader ?? candidate ?? onlyWinner(input));
  const other = primariesOf(input).find((name) => name !== rightful);
  return other === undefined ? null : `${other} is a primary and continues to acknowledge commits`;
}

const primaries = new WeakMap<VoteInput, string[]>();

function primariesOf(input: VoteInput): string[] {
  return remembered(primaries, input, () => [
    ...input.nodes.filter(({ primary }) => primary === true).map(({ name }) => name),
    ...input.departedPrimaries,
  ]);
}

function onlyWinner(input: VoteInput): string | null {
  const winners = race(input).filter(({ mayWin }) => mayWin !== 'no');
  return winners.length === 1 ? (winners[0]?.name ?? null) : null;
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
  if (!node) return verdict('unknown', `${candidate} is not a member`);
  if (follows(node) && node.reachable !== false && node.running !== false)
    return verdict('none', `the leader's clean shutdown waits until ${candidate} has everything`);
  if (hasEveryCommit(input, node))
    return verdict('none', `every acknowledged commit has waited for ${candidate}`);
  const limit = limitation(node);
  if (limit?.certain && limit.reason !== 'is tagged nofailover')
    return verdict('possible', `${candidate} ${limit.reason}`);
  if (node.standsStill)
    return verdict(
      'possible',
      `${candidate} is stalled, and the leader's shutdown drops it after wal_sender_timeout`,
    );
  if (node.streamsFromLeader === null)
    return verdict('unknown', `it is unknown whether ${candidate} streams from the leader`);
  return verdict(
    'possible',
    `${candidate} does not stream from the leader, whose shutdown will not wait for it`,
  );
}

/** It gets what the leader writes until the end: the shutdown waits for it. */
function follows(node: VoteNode): boolean {
  return node.streamsFromLeader === true && !node.standsStill;
}

/**
 * The shutdown does not wait for it: it receives no more WAL, while the others continue to confirm.
 * Another voter that does not stream now may do so a moment later, so only its own acknowledgement counts.
 */
function hasEveryCommit(input: VoteInput, me: VoteNode): boolean {
  const alone = input.nodes.filter((n) => n === me || n.name === input.leader);
  return ofNamed({ ...input, nodes: alone }, me.name).loss === 'none';
}

/** No candidate: the winner has the votes, is in /sync, or is the furthest of those that follow. */
function steppingDown(input: VoteInput): LossVerdict {
  const kept = keptByVotes(input);
  if (kept !== null) return verdict('none', kept);
  const gate = leaderGate(input, { candidate: null, action: 'switchover' });
  if (gate.passes === 'no') return verdict('unknown', 'the leader does not step down');
  if (gate.passes === 'unknown')
    return verdict('unknown', 'it is unknown whether the leader steps down');
  const healthy = input.nodes.filter((n) => isListed(gate.healthy, n.name));
  // In synchronous mode no member gives way to the leader of /sync, which Patroni takes for the former leader.
  const isIgnored = ({ name }: VoteNode): boolean =>
    syncActive(input) && sameName(input.syncLeader, name);
  const follower = healthy.find((node) => follows(node) && !isIgnored(node));
  if (follower) return withFollower(input, follower);
  if (healthy.some(follows))
    return verdict(
      'possible',
      `/sync was written for ${input.syncLeader ?? ''}, not for ${input.leader ?? ''}`,
    );
  if (healthy.some((n) => n.streamsFromLeader === null))
    return verdict('unknown', 'it is unknown which members stream from the leader');
  const still = healthy.filter((n) => n.standsStill).map((n) => n.name);
  if (still.length > 0)
    return verdict(
      'possible',
      `every member that can win is stalled (${still.join(', ')}), and the leader's shutdown drops it after wal_sender_timeout`,
    );
  return verdict('possible', 'no member that can be promoted streams from the leader');
}

/** A member behind the follower on the leader's timeline gives way to it; on another timeline it may not. */
function withFollower(input: VoteInput, follower: VoteNode): LossVerdict {
  const leader = input.nodes.find(({ name }) => name === input.leader);
  const written = leader?.walPosition ?? null;
  const strays = mayWin(input).filter((node) => isOnTimelineOf(leader, node) !== 'yes');
  // The leader's shutdown writes a checkpoint: the follower ends beyond what is written now.
  const unclear = strays.find(
    ({ walPosition }) => walPosition === null || written === null || walPosition > written,
  );
  if (unclear === undefined)
    return verdict(
      'none',
      `${follower.name} will have everything, and no member behind it can win`,
    );
  if (isOnTimelineOf(leader, unclear) === 'no' && unclear.walPosition !== null && written !== null)
    return verdict(
      'possible',
      `${unclear.name} is on another timeline and further than the leader`,
    );
  return verdict('unknown', `the timeline or the WAL position of ${unclear.name} is unknown`);
}

/** Why any unnamed winner has every acknowledged commit, by /sync alone; null: not certain. */
function keptByVotes(input: VoteInput): string | null {
  if (!syncActive(input) || early(input) !== null || promisesLess(input)) return null;
  // Right after a failover /sync is still that of the leader before.
  if (!sameName(input.syncLeader, input.leader)) return null;
  const winners = mayWin(input);
  if (quorumActive(input) && winners.some(countsNoVotes)) return null;
  // A vote compares positions, which says nothing of another timeline.
  const leader = input.nodes.find(({ name }) => name === input.leader);
  if (!winners.every((node) => isOnTimelineOf(leader, node) === 'yes')) return null;
  return quorumActive(input) ? 'any winner has a quorum of votes' : 'any winner is in /sync';
}

/** Those that may take the lock when the leader has let it go, and that the check of timelines does not stop. */
function mayWin(input: VoteInput): VoteNode[] {
  const { checkTimeline, clusterTimeline, leader } = input;
  const isOld = ({ timeline }: VoteNode): boolean =>
    checkTimeline && timeline !== null && timeline < (clusterTimeline ?? 0);
  return input.nodes.filter(
    (node) =>
      node.name !== leader &&
      node.reachable !== false &&
      limitation({ ...node, hasApiUrl: true })?.certain !== true &&
      !isOld(node) &&
      (input.mode !== 'on' || !syncActive(input) || isVoting(input, node.name)),
  );
}

/** A member older than quorum mode, or of an unknown version, may win without a vote. */
function countsNoVotes({ version }: VoteNode): boolean {
  return possibleRules(version).some(({ quorumMode }) => !quorumMode);
}

function isOnTimelineOf(leader: VoteNode | undefined, node: VoteNode): Outcome {
  if (node.streamsFromLeader === true) return 'yes';
  if (node.timeline === null || !leader || leader.timeline === null) return 'unknown';
  return node.timeline === leader.timeline ? 'yes' : 'no';
}

/** No commit waits for a standby although synchronous mode is on; null: they wait, or it is unknown. */
function early({ synchronousCommit: level }: VoteInput): string | null {
  if (level !== 'local' && level !== 'off') return null;
  return `synchronous_commit is ${level}: commits are acknowledged before a standby has them`;
}

// ---------------------------------------------------------------- the leader is gone

function ofWinners(input: VoteInput): LossVerdict {
  const winners = race(input).filter((r) => r.mayWin !== 'no');
  if (winners.length === 0) return verdict('unknown', 'no member can win the race');
  const verdicts = winners.map((w) => ofNamed(input, w.name));
  const worst =
    verdicts.find((v) => v.loss === 'possible') ?? verdicts.find((v) => v.loss === 'unknown');
  return worst ?? verdicts[0] ?? verdict('unknown', 'no member can win the race');
}

function ofNamed(input: VoteInput, candidate: string): LossVerdict {
  const me = nodeNamed(input, candidate);
  if (!me) return verdict('unknown', `${candidate} is not a member`);
  if (!syncActive(input))
    return verdict('possible', 'commits are acknowledged before a standby has them');
  const unawaited = early(input) ?? notAsked(input);
  if (unawaited !== null) return verdict('possible', unawaited);
  const led = input.leader ?? input.formerLeader;
  if (led !== null && !sameName(led, input.syncLeader))
    return verdict('possible', `/sync was written for ${input.syncLeader ?? ''}, not for ${led}`);
  if (me.reachable === false || me.running === false)
    return verdict('possible', `${candidate} does not answer or does not run PostgreSQL`);
  return count(input, me);
}

/** Before 4.0 a leader waits for no standby in quorum mode. */
function notAsked({ mode, leaderVersion, leader, nodes }: VoteInput): string | null {
  if (mode !== 'quorum') return null;
  const led = leader === null ? nodes.map(({ version }) => version) : [leaderVersion];
  const old = led.find((version) => rulesOf(version)?.quorumMode === false);
  if (old === undefined || old === null) return null;
  return `Patroni ${old} knows no quorum mode: commits are acknowledged before a standby has them`;
}

/**
 * Every acknowledged commit is on at least N - quorum of V and on its leader, so on N + 1 - quorum of the
 * N + 1 members of V and sync.leader: a member that has what quorum + 1 of them have, itself included, has it.
 */
function count(input: VoteInput, me: VoteNode): LossVerdict {
  const needed = (quorumActive(input) ? input.quorum : 0) + 1;
  const { yes: held, possible } = hasWalOf(input, me, votingSet(input));
  const outcome = enough(held, possible, needed);
  const evidence = `${me.name} has everything that ${held} of the voters have; ${needed} are needed`;
  const unsafe = outcome === 'no' ? null : looseAcknowledgement(input, me);
  if (outcome === 'no') return verdict('possible', evidence, held, needed);
  if (unsafe !== null) return verdict('possible', unsafe, held, needed);
  if (outcome === 'yes') return verdict('none', `${evidence}${writtenOnly(input)}`, held, needed);
  return verdict('unknown', `${evidence}, and positions or timelines are unknown`, held, needed);
}

/** With remote_write a standby confirms before its disk has the WAL. */
function writtenOnly({ synchronousCommit }: VoteInput): string {
  if (synchronousCommit !== 'remote_write') return '';
  return ' (synchronous_commit is remote_write: unless the host of a standby crashes too)';
}

/** What of these surely, or perhaps, has no WAL that a member lacks. */
interface Held {
  of: number;
  yes: number;
  /** Not no. */
  possible: number;
}

interface Sources {
  /** By their names in lower case; null: it is not a member. */
  nodes: ReadonlyMap<string, VoteNode | null>;
  /** For members of one position and timeline, as if they were not among the nodes. */
  held: Map<string, Held>;
}

const sources = new WeakMap<VoteInput, Map<readonly string[], Sources>>();

/** How many of these `me` surely has all WAL of. Whether such a member may promote does not matter here. */
function hasWalOf(input: VoteInput, me: VoteNode, names: readonly string[]): Held {
  const known = remembered(sources, input, () => new Map<readonly string[], Sources>());
  const { nodes, held } = remembered(known, names, () => ({
    nodes: new Map(names.map((name) => [name.toLowerCase(), memberNamed(input, name)])),
    held: new Map<string, Held>(),
  }));
  const all = remembered(held, `${me.walPosition ?? ''} ${me.timeline ?? ''}`, () =>
    heldOf([...nodes.values()].map((node) => hasWalOfNode(input, me, node))),
  );
  const own = nodes.get(me.name.toLowerCase());
  if (own === undefined) return all;
  const asOther = heldOf([hasWalOfNode(input, me, own)]);
  const itself = heldOf([hasItsOwn(me)]);
  return {
    of: all.of,
    yes: all.yes - asOther.yes + itself.yes,
    possible: all.possible - asOther.possible + itself.possible,
  };
}

function heldOf(outcomes: readonly Outcome[]): Held {
  return {
    of: outcomes.length,
    yes: outcomes.filter((one) => one === 'yes').length,
    possible: outcomes.filter((one) => one !== 'no').length,
  };
}

function memberNamed(input: VoteInput, name: string): VoteNode | null {
  return nodesNamed(input, name).find((n) => !input.failsafeNodes.includes(n)) ?? null;
}

function hasItsOwn({ reachable, running }: VoteNode): Outcome {
  return reachable === null || running === null ? 'unknown' : 'yes';
}

function hasWalOfNode(input: VoteInput, me: VoteNode, other: VoteNode | null): Outcome {
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

/** PostgreSQL waits for fewer than /sync promises (set manually, say): then its own setting decides. */
function looseAcknowledgement(input: VoteInput, me: VoteNode): string | null {
  const ssn = input.syncNames;
  if (ssn === null || !promisesLess(input)) return null;
  const num = ssn.method === 'off' ? 0 : ssn.num;
  const has = hasWalOf(input, me, ssn.names);
  if (num > 0 && !ssn.names.includes('*') && has.of - has.yes < num) return null;
  return `PostgreSQL waits for ${num} of (${ssn.names.join(', ')}), which is less than /sync promises`;
}

const looser = new WeakMap<VoteInput, boolean>();

/** Whether the standbys PostgreSQL waits for are too few to meet every set that may elect. */
function promisesLess(input: VoteInput): boolean {
  return remembered(looser, input, () => isLooser(input));
}

function isLooser(input: VoteInput): boolean {
  const ssn = input.syncNames;
  if (ssn === null) return false;
  const voters = voterNames(input);
  const num = ssn.method === 'off' ? 0 : ssn.num;
  const quorum = quorumActive(input) ? input.quorum : 0;
  const union = [...voters, ...ssn.names.filter((n) => n === '*' || !isVoter(input, n))];
  return ssn.names.includes('*') || union.length > quorum + num;
}

const unread = new WeakMap<VoteInput, VoteNode[]>();

/** A primary may run that no member reaches. */
function unheardPrimary(input: VoteInput, candidate: string | null): string | null {
  const unlisted = input.departedUnread[0];
  if (unlisted !== undefined)
    return `${unlisted} has no member key but listens, and may be a primary`;
  const rightful = input.standbyCluster ? null : (input.leader ?? candidate);
  const dark = remembered(unread, input, () => input.nodes.filter(mayBePrimary)).find(
    ({ name }) => name !== rightful,
  );
  if (dark !== undefined) return `${dark.name} could not be read, and may be a primary`;
  if (input.leader !== null) return null;
  // Without a leader no member should stream, unless from an unlisted primary.
  const streaming = input.nodes.find((n) => n.streams === true && n.primary !== true);
  return streaming ? `${streaming.name} still streams: a primary may be alive` : null;
}

/** What does not answer at all is taken to be down. */
function mayBePrimary({ primary, reachable, streamsFromLeader }: VoteNode): boolean {
  return primary === null && reachable === null && streamsFromLeader !== true;
}
