/** How many members a cluster may lose besides its leader, whichever they are, and still have a new one. */
import { remembered } from '../model/remembered.js';
import { candidacies, needsNone, race, type Ballot, type Candidacy, type Tally } from './race.js';
import type { Outcome, VoteInput, VoteNode } from './vote-rules.js';

/** How many members more may be lost at once, whichever they are, after the leader. */
export interface Survivable {
  /** A member can take over if only the leader is lost. */
  leaderLoss: Outcome;
  /** null when only the bounds below are known, or the leader's loss is not survived. */
  more: number | null;
  atLeast: number;
  atMost: number;
  sentence: string;
}

/** What the cluster survives: the leader's loss and this many more. A range if not all is known. */
export function survivable(input: VoteInput): Survivable {
  const leaderLoss = takeover(input);
  const survives = leaderLoss === 'yes';
  const sure = fewestLost(runnersOf(input, isYes));
  const perhaps = fewestLost(runnersOf(input, isNotNo));
  const atLeast = survives ? Math.max(sure.atLeast - 1, 0) : 0;
  const atMost = leaderLoss === 'no' ? 0 : Math.max(perhaps.atMost - 1, 0);
  const more = survives && atLeast === atMost ? atLeast : null;
  const found = { leaderLoss, more, atLeast, atMost };
  return { ...found, sentence: sentence(found, input.leader !== null) };
}

const isYes = (holds: Outcome): boolean => holds === 'yes';
const isNotNo = (holds: Outcome): boolean => holds !== 'no';

function sentence(found: Omit<Survivable, 'sentence'>, hasLeader: boolean): string {
  const { leaderLoss, atLeast, atMost } = found;
  const takes = hasLeader ? 'take over if the leader is lost' : 'take the free lock';
  if (leaderLoss === 'no') return `no member can ${takes}`;
  if (leaderLoss === 'unknown') return `it is unknown whether a member can ${takes}`;
  const number = atLeast === atMost ? String(atLeast) : `${atLeast} to ${atMost}`;
  return `the cluster survives losing ${hasLeader ? 'the leader and ' : ''}${number} more`;
}

function takeover(input: VoteInput): Outcome {
  const outcomes = race(input).map((r) => r.mayWin);
  if (outcomes.includes('yes')) return 'yes';
  return outcomes.includes('unknown') ? 'unknown' : 'no';
}

/** How one member may lead, as far as it depends on the other members. */
interface Runner {
  name: string;
  /** Each of these keeps it from leading as long as it is there. */
  blockedBy: ReadonlySet<string>;
  /** Members whose votes it has, itself among them if it votes; null: it needs none. */
  votes: ReadonlySet<string> | null;
  needed: number;
}

/** Those that nothing keeps from leading but others; `passes` says which outcomes count as good. */
function runnersOf(input: VoteInput, passes: (holds: Outcome) => boolean): Runner[] {
  return input.nodes
    .filter((node) => node.name !== input.leader)
    .flatMap((me) => {
      const ways = candidacies(input, me).map((one) => runnerOf(input, me, one, passes));
      const able = ways.filter((way) => way !== null);
      // If only one of the possible states lets it lead, it is not certain to lead.
      if (ways.length === 1) return able;
      const isSure = able.length === ways.length && able.every((way) => isSame(way, able[0]));
      return isSure ? able.slice(0, 1) : passes('unknown') ? able : [];
    });
}

function runnerOf(
  input: VoteInput,
  me: VoteNode,
  { own, rivals, votes, needed }: Candidacy,
  passes: (holds: Outcome) => boolean,
): Runner | null {
  if (!own.every(({ holds }) => passes(holds))) return null;
  return {
    name: me.name,
    blockedBy: new Set(
      rivals.filter(({ finding }) => !passes(finding.holds)).map(({ name }) => name),
    ),
    votes: votes === null || needsNone(input, me) ? null : givenBy(votes, passes),
    needed,
  };
}

type Passes = (holds: Outcome) => boolean;

const givenVotes = new WeakMap<Tally, Map<Passes, ReadonlySet<string>>>();

/** Members of one position get the same votes, and share one set. */
function givenBy({ all, own }: Ballot, passes: Passes): ReadonlySet<string> {
  const byPasses = remembered(givenVotes, all, () => new Map<Passes, ReadonlySet<string>>());
  const given = remembered(byPasses, passes, () => {
    const votes = all.votes.filter(({ voted }) => passes(voted));
    return new Set(votes.map(({ name }) => name));
  });
  return own === null || given.has(own.name) ? given : new Set([own.name, ...given]);
}

function isSame(a: Runner, b: Runner | undefined): boolean {
  if (b === undefined || !hasSame(a.blockedBy, b.blockedBy)) return false;
  if (a.votes === null || b.votes === null) return a.votes === b.votes;
  return a.needed === b.needed && hasSame(a.votes, b.votes);
}

function hasSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a === b || (a.size === b.size && [...a].every((name) => b.has(name)));
}

type Lost = ReadonlySet<string>;

/** How many of its votes have to go until it has too few; none for one that does not lead. */
function spareVotes({ votes, needed }: Runner, lost: Lost): number {
  if (votes === null) return Infinity;
  let gone = 0;
  for (const name of lost) if (votes.has(name)) gone++;
  return votes.size - gone - needed + 1;
}

function leads(runner: Runner, lost: Lost): boolean {
  if (lost.has(runner.name) || spareVotes(runner, lost) <= 0) return false;
  if (runner.blockedBy.size > lost.size) return false;
  for (const name of runner.blockedBy) if (!lost.has(name)) return false;
  return true;
}

/** The size of the smallest loss after which no member leads. */
interface Bounds {
  atLeast: number;
  atMost: number;
}

/** How many losses of one size are looked at; beyond that the answer is a range. */
const MOST_TRIED = 500;
/** The same in cubes of the runners: in a large cluster each loss costs more, and there are more sizes of a loss. */
const MOST_LOOKS = 16_000_000;

function fewestLost(runners: readonly Runner[]): Bounds {
  let atLeast: number | null = null;
  const enough = simpleLoss(runners);
  // Without votes there is no choice: every member that would lead must be lost.
  if (runners.every(({ votes }) => votes === null)) return { atLeast: enough, atMost: enough };
  const tries = Math.min(MOST_TRIED, Math.ceil(MOST_LOOKS / runners.length ** 3));
  for (let size = leastLoss(runners); ; size++) {
    if (size >= enough) return { atLeast: atLeast ?? size, atMost: enough };
    const budget = { left: tries };
    if (canEnd(runners, { lost: new Set(), stay: new Set() }, size, budget)) {
      return { atLeast: atLeast ?? size, atMost: size };
    }
    if (budget.left < 0) atLeast ??= size;
  }
}

/** Repeatedly losing the leader with most spare votes ends it after this many losses; often that is the minimum. */
function simpleLoss(runners: readonly Runner[]): number {
  const noLosses = new Set<string>();
  const states = runners.map((runner) => ({
    runner,
    spare: spareVotes(runner, noLosses),
    blockers: runner.blockedBy.size,
  }));
  for (let lost = 0; ; lost += 1) {
    const leading = states.filter(({ spare, blockers }) => spare > 0 && blockers === 0);
    const [first, ...others] = leading;
    if (first === undefined) return lost;
    const strongest = others.reduce((best, one) => (one.spare > best.spare ? one : best), first);
    const { name } = strongest.runner;
    strongest.spare = -Infinity;
    for (const state of states) {
      if (state.runner.votes?.has(name) === true) state.spare -= 1;
      if (state.blockers > 0 && state.runner.blockedBy.has(name)) state.blockers -= 1;
    }
  }
}

/** Either each member that leads now is lost, or a loss equals its spare votes: no smaller loss ends it. */
function leastLoss(runners: readonly Runner[]): number {
  const noLosses = new Set<string>();
  const leading = runners.filter((runner) => leads(runner, noLosses));
  const spare = leading.map((runner) => spareVotes(runner, noLosses));
  return Math.min(leading.length, ...spare);
}

/** A loss under consideration: the lost members, and the others. */
interface Loss {
  lost: Lost;
  stay: Lost;
}

/**
 * Whether the loss can grow by `size` members so that no member leads. For one that leads, either it is lost, or it
 * stays and its spare votes are lost. False when the budget ends.
 */
function canEnd(
  runners: readonly Runner[],
  { lost, stay }: Loss,
  size: number,
  budget: { left: number },
): boolean {
  if (budget.left-- <= 0) return false;
  const leader = strongest(runners, lost);
  if (leader === null) return true;
  if (size === 0) return false;
  const { name, votes } = leader;
  const withIt = { lost: new Set([...lost, name]), stay };
  if (!stay.has(name) && canEnd(runners, withIt, size - 1, budget)) return true;
  if (spareVotes(leader, lost) > size) return false;
  const staying = new Set([...stay, name]);
  for (const voter of votes ?? []) {
    if (lost.has(voter) || staying.has(voter)) continue;
    const withVoter = { lost: new Set([...lost, voter]), stay: new Set(staying) };
    if (canEnd(runners, withVoter, size - 1, budget)) return true;
    // Losses with this voter are done.
    staying.add(voter);
  }
  return false;
}

/** Of the members that lead, the one with most spare votes: it has the fewest choices. */
function strongest(runners: readonly Runner[], lost: Lost): Runner | null {
  let best: Runner | null = null;
  let most = 0;
  for (const runner of runners) {
    if (!leads(runner, lost)) continue;
    const spare = spareVotes(runner, lost);
    if (best === null || spare > most) [best, most] = [runner, spare];
  }
  return best;
}
