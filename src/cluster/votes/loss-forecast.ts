/** What the loss of some members at once would do to a cluster: the leader, whether writes continue, what is lost. */
import { loopTimes } from '../model/loop-times.js';
import { isListed, sameName } from '../model/member-names.js';
import type { Snapshot } from '../model/model.js';
import { remembered } from '../model/remembered.js';
import { dataLossVerdict } from './data-loss.js';
import type { Forecast, ForecastFacts, Heir, LossOutcome, Outlook } from './loss-model.js';
import { lossSteps } from './loss-steps.js';
import { race } from './race.js';
import { voteInput } from './vote-facts.js';
import {
  modeOf,
  clusterRules,
  syncActive,
  isVoter,
  voterNames,
  type VoteInput,
  type VoteNode,
} from './vote-rules.js';
import { readTags } from '../model/tags.js';
import { locklessPrimary, without } from './without.js';

export function forecastFacts(snapshot: Snapshot): ForecastFacts {
  const { config, members } = snapshot.cluster;
  const times = loopTimes(config);
  const neverSync = members.filter(({ tags }) => {
    const { nosync, nostream, replicatefrom } = readTags(tags);
    return nosync || nostream || replicatefrom !== null;
  });
  return {
    input: voteInput(snapshot),
    strict: config?.syncModeStrict ?? false,
    ttlSeconds: times.ttlSeconds,
    loopWaitSeconds: times.loopWaitSeconds,
    neverSync: neverSync.map(({ name }) => name),
  };
}

/**
 * What the loss of a member depends on, apart from its name: one of two members for which this is the same is as bad
 * to lose as the other.
 */
export function kindOf({ input, neverSync }: ForecastFacts, name: string): string {
  const node = levelled(input).nodes.find((one) => one.name === name);
  const named = [
    name === input.leader,
    name === input.formerLeader,
    sameName(name, input.syncLeader),
    isVoter(input, name),
    isListed(input.syncNames?.names ?? [], name),
    input.failsafeMembers?.includes(name) ?? false,
    isListed(neverSync, name),
  ];
  return JSON.stringify([{ ...node, name: '', walPosition: String(node?.walPosition) }, named]);
}

/**
 * The loss of these members at once, with Patroni, PostgreSQL and their host; the DCS stays. Members that stream
 * from the leader are taken to have received the same WAL when it is lost. Reads nothing but its arguments.
 */
export function forecast(facts: ForecastFacts, names: readonly string[]): Forecast {
  return withSteps(facts, outcomeOf(facts, names));
}

/** With what Patroni does, in its order. */
export function withSteps(facts: ForecastFacts, outcome: Outlook): Forecast {
  return { ...outcome, steps: lossSteps(facts, outcome) };
}

/** The same without what Patroni does: enough to choose the worst of many losses. */
export function outcomeOf(facts: ForecastFacts, names: readonly string[]): Outlook {
  const { input } = facts;
  const lost = input.nodes.map(({ name }) => name).filter((name) => names.includes(name));
  const head = input.leader ?? locklessPrimary(input);
  const leaderLost = head === null || lost.includes(head) || isDown(input, head);
  const after = without(levelled(input), leaderLost && head !== null ? [...lost, head] : lost);
  const heirs = leaderLost ? heirsOf(after) : [];
  const leadership = leadershipOf(facts, heirs, leaderLost);
  const outcome = { lost, leaderLost, leadership, heirs };
  return {
    ...outcome,
    ...writesOf(facts, after, outcome),
    dataLoss: dataLossOf(facts, after, outcome),
  };
}

function isDown({ nodes }: VoteInput, name: string): boolean {
  const node = nodes.find((one) => one.name === name);
  return node !== undefined && (node.reachable === false || node.running === false);
}

/** Two readings are never of the same moment: what streams gets what the leader has written. */
function levelled(input: VoteInput): VoteInput {
  return remembered(levelledInputs, input, () => levelledInput(input));
}

const levelledInputs = new WeakMap<VoteInput, VoteInput>();

function levelledInput(input: VoteInput): VoteInput {
  const follows = ({ streamsFromLeader, standsStill, walPosition }: VoteNode): boolean =>
    streamsFromLeader === true && !standsStill && walPosition !== null;
  const positions = input.nodes.filter(follows).map(({ walPosition }) => walPosition ?? 0n);
  const furthest = positions.reduce((most, one) => (one > most ? one : most), 0n);
  const nodes = input.nodes.map((node) =>
    follows(node) ? { ...node, walPosition: furthest } : node,
  );
  return { ...input, nodes };
}

function heirsOf(after: VoteInput): Heir[] {
  const silent = new Set(
    after.nodes.filter(({ reachable }) => reachable === false).map(({ name }) => name),
  );
  return race(after)
    .filter(({ name }) => !silent.has(name))
    .map(({ name, mayWin, counted, needed, reasons }) => ({
      name,
      mayWin,
      counted,
      needed,
      reasons,
    }));
}

function leadershipOf(
  { input }: ForecastFacts,
  heirs: readonly Heir[],
  leaderLost: boolean,
): Forecast['leadership'] {
  // In failsafe mode it needs the answer of every other member.
  if (!leaderLost) return input.leader === null ? 'unknown' : 'stays';
  const chances = heirs.map(({ mayWin }) => mayWin);
  if (chances.includes('yes')) return 'moves';
  return chances.includes('unknown') ? 'unknown' : 'none';
}

// ---------------------------------------------------------------- writes

type Writes = Pick<Forecast, 'writes' | 'writesBecause'>;

function writesOf(facts: ForecastFacts, after: VoteInput, outcome: LossOutcome): Writes {
  const say = (writes: Forecast['writes'], writesBecause: string): Writes => ({
    writes,
    writesBecause,
  });
  const { leadership, leaderLost } = outcome;
  if (after.standbyCluster) return say('none', 'a standby cluster takes no writes');
  if (leadership === 'none') return say('stop', 'no member takes the lock and is promoted');
  if (leadership === 'unknown')
    return leaderLost
      ? say('unknown', 'it is unknown whether a member takes the lock')
      : say(
          'unknown',
          'a primary in failsafe mode demotes itself when a member in /failsafe does not answer',
        );
  return leaderLost ? writesOfHeir(facts, after, outcome, say) : writesOfLeader(facts, after, say);
}

type Say = (writes: Forecast['writes'], because: string) => Writes;

function writesOfHeir(
  facts: ForecastFacts,
  after: VoteInput,
  { heirs }: LossOutcome,
  say: Say,
): Writes {
  const winners = heirs.filter(({ mayWin }) => mayWin !== 'no').map(({ name }) => name);
  const standbys = after.nodes.filter((node) => mayBeSync(facts, node));
  const hasStandby = winners.every((winner) => standbys.some(({ name }) => name !== winner));
  if (facts.strict && modeOf(after, clusterRules(after)) !== 'off' && !hasStandby)
    return say('wait', 'synchronous_mode_strict waits for a standby, and the new leader has none');
  return say('continue', `once ${winners.join(' or ')} is promoted`);
}

function writesOfLeader(facts: ForecastFacts, after: VoteInput, say: Say): Writes {
  const { synchronousCommit: level } = after;
  if (modeOf(after, clusterRules(after)) === 'off')
    return say('continue', 'no commit waits for a standby');
  if (level === 'local' || level === 'off')
    return say('continue', `synchronous_commit is ${level}: no commit waits for a standby`);
  const { num, names } = waitedFor(after);
  const standbys = after.nodes.filter(
    (node) => node.name !== after.leader && mayBeSync(facts, node),
  );
  const { lower, words } = remembered(waitedNames, names, () => ({
    lower: new Set(names.map((name) => name.toLowerCase())),
    words: names.join(', ') || 'no standby',
  }));
  const there = standbys.filter(({ name }) => lower.has('*') || lower.has(name.toLowerCase()));
  const waits = `a commit waits for ${num} of ${words}`;
  if (there.length >= num && (num > 0 || !facts.strict || standbys.length > 0))
    return say(
      'continue',
      `${waits}, and ${there.map(({ name }) => name).join(', ') || 'no standby'} stays`,
    );
  if (standbys.length > 0)
    return say(
      'pause',
      `${waits}, until Patroni has put ${standbys.map(({ name }) => name).join(', ')} in their place`,
    );
  if (facts.strict)
    return say('wait', `${waits}, and synchronous_mode_strict waits until a standby is back`);
  return say(
    'pause',
    `${waits}, until Patroni has removed them: then no commit waits for a standby`,
  );
}

/** The same for the loss of any member: in lower case, and as words. */
const waitedNames = new WeakMap<string[], { lower: ReadonlySet<string>; words: string }>();

/** By the leader's own setting, or by /sync where it could not be read. */
function waitedFor(input: VoteInput): { num: number; names: string[] } {
  const { syncNames, mode, quorum } = input;
  if (syncNames !== null)
    return syncNames.method === 'off'
      ? { num: 0, names: [] }
      : { num: syncNames.num, names: syncNames.names };
  if (!syncActive(input)) return { num: 0, names: [] };
  const names = voterNames(input);
  return { num: mode === 'on' ? names.length : Math.max(names.length - quorum, 0), names };
}

/** It answers, and Patroni may make it synchronous once it streams. */
function mayBeSync({ neverSync }: ForecastFacts, node: VoteNode): boolean {
  const isThere = node.reachable !== false && node.running !== false && node.primary !== true;
  const isBehind = node.streamsFromLeader === false || node.standsStill;
  return isThere && !isBehind && !neverSync.some((name) => sameName(name, node.name));
}

// ---------------------------------------------------------------- commits

function dataLossOf(
  { input }: ForecastFacts,
  after: VoteInput,
  { leadership, leaderLost }: LossOutcome,
): Forecast['dataLoss'] {
  if (leaderLost && leadership !== 'none') {
    const { loss, sentence, because } = dataLossVerdict(after, null, { leaderAlive: false });
    return { verdict: loss, words: sentence, because };
  }
  const head = input.leader ?? locklessPrimary(input);
  const second = [
    ...after.nodes.filter(({ primary }) => primary === true).map(({ name }) => name),
    ...after.departedPrimaries,
  ].find((name) => name !== head);
  if (second !== undefined)
    return {
      verdict: 'possible',
      words: 'acknowledged commits may be lost',
      because: `${second} is a primary and continues to acknowledge commits`,
    };
  if (leadership === 'none')
    return {
      verdict: 'unknown',
      words: 'unknown, because no member is promoted',
      because: 'no member is promoted; a manual failover decides',
    };
  return {
    verdict: 'none',
    words: 'no acknowledged commit can be lost',
    because: 'the leader has every commit',
  };
}
