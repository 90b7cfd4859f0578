/** The members that could take over if the leader were lost now, by the vote arithmetic. */
import { commandLine } from '../model/command-line.js';
import type { Finding, Witnessed } from '../model/model.js';
import { race, type RaceResult } from '../votes/race.js';
import type { View } from '../roles/view.js';
import { survivable } from '../votes/fault-tolerance.js';
import { unpausedInput } from '../votes/vote-facts.js';
import { quorumActive, voterNames, type VoteInput } from '../votes/vote-rules.js';
import { list, syncKeySays } from './evidence.js';

function chances(results: RaceResult[]): Witnessed[] {
  return results.map(({ name, counted, needed, reasons }) => ({
    witness: 'REST',
    subject: name,
    said: (needed > 0 ? `${counted} of ${needed} votes; ` : '') + (reasons.join('; ') || 'can win'),
  }));
}

export function quorumLost(view: View): Finding[] {
  const input = unpausedInput(view);
  if (!quorumActive(input) || input.leader === null) return [];
  const results = race(input);
  if (results.some(({ mayWin }) => mayWin !== 'no') || isBlockedBySync(input)) return [];
  return [
    {
      code: 'quorum_lost',
      severity: 'critical',
      members: [],
      message: 'if the leader is lost now, no member can win the vote and take over',
      evidence: [syncKeySays(view.snapshot.cluster), ...chances(results)],
      next:
        voterNames(input).length > 0
          ? missingVoters(view, input)
          : `/sync lists no voters: bring back a replica that can be synchronous, and check whether ${input.leader} writes /sync`,
    },
  ];
}

/** Voters that cannot win and do not answer; a primary that lives takes those out that it no longer sees. */
function missingVoters(view: View, input: VoteInput): string {
  const { leader, members } = view;
  const answering = members.filter(({ rest, observed }) => rest.ok && observed === 'replica');
  const there = answering.map(({ name }) => name.toLowerCase());
  const missing = voterNames(input).filter(
    (name) => name !== input.leader && !there.includes(name.toLowerCase()),
  );
  if (missing.length === 0) return `see each vote: ${commandLine(view.snapshot.cluster, 'quorum')}`;
  const lowers =
    leader?.observed === 'primary' && leader.rest.ok
      ? `; Patroni on ${leader.name} lowers the quorum when ${missing.length === 1 ? 'it is' : 'they are'} permanently gone`
      : '';
  return `bring ${list(missing)} back${lowers}`;
}

/** A standby cluster in which only the votes that its /sync asks for keep every member from taking over. */
function isBlockedBySync(input: VoteInput): boolean {
  if (!input.standbyCluster || !quorumActive(input)) return false;
  const isDead = (facts: VoteInput): boolean => race(facts).every(({ mayWin }) => mayWin === 'no');
  return isDead(input) && !isDead({ ...input, syncLeader: null, voters: [] });
}

export function standbyClusterCannotElect(view: View): Finding[] {
  const input = unpausedInput(view);
  if (!isBlockedBySync(input)) return [];
  const { cluster } = view.snapshot;
  const when =
    input.leader === null
      ? 'no member can become standby leader'
      : `if the standby leader ${input.leader} is lost now, no member takes over`;
  return [
    {
      code: 'standby_cluster_cannot_elect',
      severity: 'critical',
      members: [],
      message: `${when}: /sync still asks for ${input.quorum + 1} votes of ${list(voterNames(input))}, and a standby cluster does not update it`,
      evidence: [syncKeySays(view.snapshot.cluster), ...chances(race(input))],
      next: `bring the missing voters back, or let the standby cluster count no votes until promote-cluster: ${commandLine(cluster, 'edit-config', '--set', 'synchronous_mode=on')}; set it back afterwards`,
    },
  ];
}

export function quorumAtRisk(view: View): Finding[] {
  const input = unpausedInput(view);
  if (!quorumActive(input) || input.leader === null) return [];
  const spare = voterNames(input).length - input.quorum - 1;
  const now = survivable(input);
  if (spare < 1 || now.leaderLoss !== 'yes' || now.more !== 0) return [];
  return [
    {
      code: 'quorum_at_risk',
      severity: 'warning',
      members: [],
      message: `if one more voter is lost, no member can win the vote; /sync allows for ${spare}`,
      evidence: [syncKeySays(view.snapshot.cluster), ...chances(race(input))],
      next: `bring the missing voters back; see the count: ${commandLine(view.snapshot.cluster, 'quorum')}`,
    },
  ];
}

export function noFailoverCandidate(view: View): Finding[] {
  const input = unpausedInput(view);
  if (quorumActive(input) || input.leader === null || input.nodes.length < 2) return [];
  const results = race(input);
  if (results.some(({ mayWin }) => mayWin !== 'no')) return [];
  return [
    {
      code: 'no_failover_candidate',
      severity: 'critical',
      members: [],
      message: `no member could take over if the leader were lost: ${results.map(({ name, reasons }) => `${name} ${reasons.join(', ')}`).join('; ')}`,
      evidence: chances(results),
      next: `remove at least one of the reasons; see them: ${commandLine(view.snapshot.cluster, 'quorum')}`,
    },
  ];
}

/** Members that may win a vote, which only their REST API shows, if no member certainly can. */
export function votesUntold(view: View): string[] {
  const input = unpausedInput(view);
  return quorumActive(input) ? unsure(view, input) : [];
}

/** The same where no votes are counted. */
export function candidatesUntold(view: View): string[] {
  const input = unpausedInput(view);
  return quorumActive(input) ? [] : unsure(view, input);
}

function unsure(view: View, input: VoteInput): string[] {
  const results = input.leader === null ? [] : race(input);
  const isOpen = results.some(({ mayWin }) => mayWin === 'unknown');
  if (!isOpen || results.some(({ mayWin }) => mayWin === 'yes')) return [];
  return view.members
    .filter(({ member, rest }) => member !== null && !rest.ok && rest.kind !== 'unreachable')
    .map(({ name }) => name);
}
