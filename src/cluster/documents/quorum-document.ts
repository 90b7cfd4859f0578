/** `patctl quorum`: which member would take over, with which votes, and what the cluster survives. */
import { dataLossVerdict, type Loss } from '../votes/data-loss.js';
import type { Snapshot, SyncMode } from '../model/model.js';
import { race, type RaceResult } from '../votes/race.js';
import { viewOf, type MemberView } from '../roles/view.js';
import { leaderGate, type GateMember, type GateResult } from '../votes/step-down.js';
import { rulesOf } from '../votes/patroni-versions.js';
import { survivable, type Survivable } from '../votes/fault-tolerance.js';
import { locklessPrimary, without } from '../votes/without.js';
import { voteInput } from '../votes/vote-facts.js';
import {
  isVoter,
  quorumActive,
  syncActive,
  unknownSync,
  voterNames,
  type Outcome,
  type VoteInput,
} from '../votes/vote-rules.js';
import { plural } from '../model/words.js';
import { besideLeader, lossBeside } from '../preflight/data-loss-check.js';
import { leaderStateOf, type LeaderState } from '../preflight/plan-facts.js';

/** Its chances if the leader vanished now. */
export interface QuorumMember extends RaceResult {
  /** One of /sync's standbys. */
  voter: boolean;
  /** If it took over from a leader that vanished now. */
  dataLoss: LossView;
}

export interface LossView {
  verdict: Loss;
  words: string;
  because: string;
}

export interface GateView {
  /** null: no candidate is named. */
  candidate: string | null;
  passes: Outcome;
  healthy: string[];
  needed: number;
  members: GateMember[];
  reasons: string[];
  /** Patroni 4.0.5 refuses because of patroni#3307. */
  refusedByBug405: boolean;
}

export interface QuorumDocument {
  schemaVersion: 1;
  takenAt: string;
  cluster: string;
  group: number | null;
  leader: string | null;
  leaderState: LeaderState;
  mode: SyncMode;
  paused: boolean;
  standbyCluster: boolean;
  /** null: synchronous mode is off, or /sync is empty. */
  sync: { leader: string; voters: string[]; quorum: number } | null;
  /** Why /sync is unknown; null: it is known, or nothing depends on it. */
  syncUnknown: string | null;
  /** From what /sync was worked out where it was not read (--rest); null: it was read, or is unknown. */
  syncWorkedOut: string | null;
  /** Patroni's versions on the members, where they count votes in different ways; null: in one way. */
  mixedVersions: string[] | null;
  members: QuorumMember[];
  /** Whether the leader lets itself be demoted in a switchover; null: no member leads. */
  gate: { unnamed: GateView; named: GateView[] } | null;
  survives: Survivable;
  /**
   * If the leader were lost now and a member that may win took over; without a leader if a member took the free lock.
   */
  dataLoss: LossView;
  /**
   * The vote if the primary that runs without the lock were lost too; null: a member leads, or no such primary is
   * seen.
   */
  afterPrimary: AfterPrimary | null;
}

export interface AfterPrimary {
  primary: string;
  members: QuorumMember[];
  survives: Survivable;
  dataLoss: LossView;
}

export function quorumDocument(snapshot: Snapshot): QuorumDocument {
  const { cluster } = snapshot;
  const input = voteInput(snapshot);
  const others = input.nodes.map(({ name }) => name).filter((name) => name !== input.leader);
  const syncLeader = syncActive(input) ? input.syncLeader : null;
  const open = unknownSync(input);
  const view = viewOf(snapshot);
  const lossIfGone = (candidate: string | null) => lossOf(input, candidate, besideLeader(view));
  return {
    schemaVersion: 1,
    takenAt: snapshot.takenAt,
    cluster: cluster.scope,
    group: cluster.group,
    leader: cluster.leaderName,
    leaderState: leaderStateOf(view),
    mode: input.mode,
    paused: input.paused,
    standbyCluster: input.standbyCluster,
    sync: syncLeader === null || open !== null ? null : syncPart(input, syncLeader),
    syncUnknown: open,
    syncWorkedOut: cluster.workedOut?.sync ?? null,
    mixedVersions: mixedVersions(input),
    members: quorumMembers(input, lossIfGone),
    gate:
      input.leader === null
        ? null
        : { unnamed: gateView(input, null), named: others.map((name) => gateView(input, name)) },
    survives: survivable(input),
    dataLoss: lossIfGone(null),
    afterPrimary: afterPrimary(input),
  };
}

function quorumMembers(
  input: VoteInput,
  lossIfGone: (candidate: string) => LossView,
): QuorumMember[] {
  return race(input).map((result) => ({
    ...result,
    voter: isVoter(input, result.name),
    dataLoss: lossIfGone(result.name),
  }));
}

function afterPrimary(input: VoteInput): AfterPrimary | null {
  const primary = locklessPrimary(input);
  if (primary === null) return null;
  const after = without(input, [primary]);
  const loss = (candidate: string | null): LossView => lossOf(after, candidate, null);
  const members = quorumMembers(after, loss).filter(({ name }) => name !== primary);
  return { primary, members, survives: survivable(after), dataLoss: loss(null) };
}

function mixedVersions({ nodes }: VoteInput): string[] | null {
  const ways = new Set(nodes.map(({ version }) => rulesOf(version)));
  const versions = new Set(
    nodes.map(({ version }) => `Patroni ${version ?? 'of an unknown version'}`),
  );
  return ways.size > 1 ? [...versions].sort() : null;
}

function syncPart(input: VoteInput, leader: string): QuorumDocument['sync'] {
  return { leader, voters: voterNames(input), quorum: quorumActive(input) ? input.quorum : 0 };
}

function lossOf(input: VoteInput, candidate: string | null, other: MemberView | null): LossView {
  if (other !== null && !input.standbyCluster) return lossBeside(input.leader, other.name);
  const { loss, sentence, because } = dataLossVerdict(input, candidate, { leaderAlive: false });
  return { verdict: loss, words: sentence, because };
}

function gateView(input: VoteInput, candidate: string | null): GateView {
  const gate: GateResult = leaderGate(input, { candidate, action: 'switchover' });
  const { passes, healthy, needed, members, reasons, refusedByBug405 } = gate;
  return { candidate, passes, healthy, needed, members, reasons, refusedByBug405 };
}

/** For `status`: what more may be lost, and one line that says so and how the votes stand. */
export function survival(snapshot: Snapshot): { survives: Survivable; words: string } {
  const input = voteInput(snapshot);
  const survives = survivable(input);
  return { survives, words: `${votersInWords(input)}; ${survivesInWords(input, survives)}` };
}

function votersInWords(input: VoteInput): string {
  if (input.standbyCluster) {
    if (!quorumActive(input)) return 'standby cluster, no votes';
    const voters = voterNames(input).join(',') || 'none';
    return `standby cluster, quorum ${input.quorum} of voters ${voters} left in /sync`;
  }
  if (input.mode === 'off') return 'asynchronous, no votes';
  const open = unknownSync(input);
  if (open !== null) return `synchronous mode ${input.mode}, /sync is unknown (${open})`;
  if (!syncActive(input)) return `synchronous mode ${input.mode}, but /sync is empty`;
  const names = voterNames(input).join(',') || 'none';
  return quorumActive(input) ? `quorum ${input.quorum} of voters ${names}` : `synchronous ${names}`;
}

function survivesInWords(input: VoteInput, { leaderLoss, atLeast, atMost }: Survivable): string {
  const takes = input.leader === null ? 'take the free lock' : 'take over if the leader is lost';
  if (leaderLoss === 'no') return `no member can ${takes}`;
  if (leaderLoss === 'unknown') return `it is unknown whether a member can ${takes}`;
  const word = quorumActive(input) ? 'voter' : 'member';
  const more = atLeast === atMost ? plural(atLeast, word) : `${atLeast} to ${atMost} ${word}s`;
  const leader = input.leader === null ? 'survives losing' : 'survives losing the leader and';
  return `${leader} ${more} more`;
}
