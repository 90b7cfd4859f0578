/** How many members a cluster may lose besides its leader, whichever they are, and still have a new one. */
import { ownFindings, polled, race, rival, votesFor } from './quorum.js';
import { limitation, quorumActive, sameName } from './votes.js';
import type { Outcome, VoteInput, VoteNode } from './votes.js';

/** How many members more may be lost at once, whichever they are, after the leader. */
export interface Survivable {
  /** Somebody can take over if the leader alone is lost. */
  leaderLoss: Outcome;
  /** null when only the bounds below are known, or the leader's loss is not survived. */
  more: number | null;
  atLeast: number;
  atMost: number;
  sentence: string;
}

/** What the cluster survives: the leader's loss and so many more. Bounds where not all is known. */
export function survivable(input: VoteInput): Survivable {
  const leaderLoss = takeover(input);
  const survives = leaderLoss === 'yes';
  const sure = fewestLost(runnersOf(input, (holds) => holds === 'yes'));
  const perhaps = fewestLost(runnersOf(input, (holds) => holds !== 'no'));
  const atLeast = survives ? Math.max(sure.atLeast - 1, 0) : 0;
  const atMost = leaderLoss === 'no' ? 0 : Math.max(perhaps.atMost - 1, 0);
  const more = survives && atLeast === atMost ? atLeast : null;
  return { leaderLoss, more, atLeast, atMost, sentence: sentence(leaderLoss, atLeast, atMost) };
}

function sentence(leaderLoss: Outcome, atLeast: number, atMost: number): string {
  if (leaderLoss === 'no') return 'nobody can take over if the leader is lost';
  if (leaderLoss === 'unknown')
    return 'whether anybody can take over if the leader is lost is not known';
  const number = atLeast === atMost ? String(atLeast) : `${atLeast} to ${atMost}`;
  return `the cluster survives losing the leader and ${number} more`;
}

function takeover(input: VoteInput): Outcome {
  const outcomes = race(input).map((r) => r.mayWin);
  if (outcomes.includes('yes')) return 'yes';
  return outcomes.includes('unknown') ? 'unknown' : 'no';
}

/** One member's way to lead, as far as it hangs on who else is there. */
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
  const able = input.nodes.filter(
    (node) =>
      node.name !== input.leader &&
      limitation(node)?.certain !== true &&
      ownFindings(input, node).every(({ holds }) => passes(holds)),
  );
  return able.map((me) => ({
    name: me.name,
    blockedBy: new Set(
      polled(input, me)
        .filter((other) => !passes(rival(input, me, other).holds))
        .map(({ name }) => name),
    ),
    votes: needsVotes(input, me) ? votersFor(input, me, passes) : null,
    needed: input.quorum + 1,
  }));
}

function needsVotes(input: VoteInput, me: VoteNode): boolean {
  return quorumActive(input) && me.primary !== true && input.syncLeader !== me.name;
}

function votersFor(
  input: VoteInput,
  me: VoteNode,
  passes: (holds: Outcome) => boolean,
): Set<string> {
  const given = votesFor(input, me).filter(({ voted }) => passes(voted));
  const names = given.map(
    (vote) => input.nodes.find(({ name }) => sameName(name, vote.name))?.name,
  );
  return new Set(names.filter((name) => name !== undefined));
}

type Lost = ReadonlySet<string>;

/** How many of its votes have to go until it has too few; none for one that does not lead. */
function spareVotes({ votes, needed }: Runner, lost: Lost): number {
  if (votes === null) return Infinity;
  return [...votes].filter((name) => !lost.has(name)).length - needed + 1;
}

function leads(runner: Runner, lost: Lost): boolean {
  if (lost.has(runner.name) || spareVotes(runner, lost) <= 0) return false;
  return [...runner.blockedBy].every((name) => lost.has(name));
}

/** The size of the smallest loss after which nobody leads. */
interface Bounds {
  atLeast: number;
  atMost: number;
}

/** How many losses are tried one by one where `bounds` does not tell; beyond that the bounds are the answer. */
const MOST_TRIED = 500;

function fewestLost(runners: readonly Runner[]): Bounds {
  const { atLeast, atMost } = bounds(runners);
  const names = new Set(
    runners.flatMap(({ name, blockedBy, votes }) => [name, ...blockedBy, ...(votes ?? [])]),
  );
  let left = MOST_TRIED;
  for (let size = atLeast; size < atMost; size++) {
    for (const loss of choices([...names], size)) {
      if (left-- === 0) return { atLeast: size, atMost };
      const lost = new Set(loss);
      if (!runners.some((runner) => leads(runner, lost))) return { atLeast: size, atMost: size };
    }
  }
  return { atLeast: atMost, atMost };
}

function* choices(names: readonly string[], size: number): Generator<string[]> {
  if (size === 0) yield [];
  else
    for (const [at, name] of names.entries())
      for (const rest of choices(names.slice(at + 1), size - 1)) yield [name, ...rest];
}

/**
 * Of those who lead, either all are lost, and others may come forward; or one of them stays and has lost its
 * votes, and then so have those that had no more than it, while those that had more are lost. A loss of the first
 * kind is only a beginning, so each round looks at the second kind and goes on with the first. The bounds meet
 * unless the votes that are lost let somebody come forward who has enough without them, which needs members
 * that vote for themselves alone.
 */
function bounds(runners: readonly Runner[]): Bounds {
  const lost = new Set<string>();
  let atLeast = Infinity;
  let atMost = Infinity;
  for (;;) {
    const leading = runners.filter((runner) => leads(runner, lost));
    if (leading.length === 0) break;
    const useful = byUse(leading, runners);
    for (const stays of leading) {
      const spare = spareVotes(stays, lost);
      const others = [...(stays.votes ?? [])].filter((name) => name !== stays.name);
      if (others.filter((name) => !lost.has(name)).length < spare) continue;
      const ahead = leading.filter((other) => spareVotes(other, lost) > spare);
      const beside = ahead.filter(({ name }) => stays.votes?.has(name) !== true);
      const least = lost.size + spare + beside.length;
      atLeast = Math.min(atLeast, least);
      if (least >= atMost) continue;
      const loss = new Set([...lost, ...ahead.map(({ name }) => name)]);
      for (const name of useful.filter((one) => others.includes(one))) {
        if (spareVotes(stays, loss) > 0) loss.add(name);
      }
      atMost = Math.min(atMost, closed(runners, loss).size);
    }
    for (const { name } of leading) lost.add(name);
  }
  return { atLeast: Math.min(atLeast, lost.size), atMost: Math.min(atMost, lost.size) };
}

/** Voters whose loss costs those who lead most, and lets others come forward least, first. */
function byUse(leading: readonly Runner[], runners: readonly Runner[]): string[] {
  const use = new Map<string, number>();
  const add = (name: string, amount: number) => use.set(name, (use.get(name) ?? 0) + amount);
  for (const { votes } of leading) for (const name of votes ?? []) add(name, runners.length);
  for (const { blockedBy } of runners) for (const name of blockedBy) add(name, -1);
  return [...use].sort(([, a], [, b]) => b - a).map(([name]) => name);
}

/** The loss, and everybody who still comes forward. */
function closed(runners: readonly Runner[], loss: Lost): Lost {
  const all = new Set(loss);
  for (;;) {
    const leading = runners.filter((runner) => leads(runner, all));
    if (leading.length === 0) return all;
    for (const { name } of leading) all.add(name);
  }
}
