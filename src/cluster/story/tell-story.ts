/** The stories that are asked for, from the facts of every source: pure, so that a recording is explained anywhere. */
import { factIndex, type FactIndex } from './fact-index.js';
import { etcdOrder } from './story-order.js';
import { CLOCKS_MS, evidenceOf, type StoryEvidence } from './story-evidence.js';
import { termChanges, msOf, type TermChange } from './term-changes.js';
import type { FactCode, LeaderStory, StoryFact, StoryRequest } from './story-model.js';
import { troubles } from './troubles.js';
import { storyVerdict } from './story-verdict.js';
import { isSameBranch, knownLoss, writeGap } from './write-gap.js';

export interface Explained {
  stories: LeaderStory[];
  /** Changes of leader that the sources know in all. */
  known: number;
}

export function explain(facts: readonly StoryFact[], request: StoryRequest): Explained {
  const changes = termChanges(facts);
  const told: Told = {
    index: factIndex(facts.filter(isMoment)),
    logs: facts.filter(({ what }) => what === 'postgres_log_covers'),
    lines: historyLines(facts),
    neighbours: neighboursOf(changes),
  };
  const stories = wanted(changes, request).map((change) => storyOf(change, told));
  const since = fromOf(request, stories);
  const beside = since === null ? [] : troubles(facts, told.index, changes, since);
  return { stories: [...stories, ...beside].sort(byTime), known: changes.length };
}

/** It happened at a time; the others are told by the change that they belong to. */
const isMoment = ({ source, what }: StoryFact): boolean =>
  source !== 'etcd' && source !== 'history' && what !== 'postgres_log_covers';

const byTime = (a: LeaderStory, b: LeaderStory): number => (msOf(a.at) ?? 0) - (msOf(b.at) ?? 0);

/** From when on troubles that changed no leader are told too; null: not asked for. */
function fromOf(
  request: StoryRequest,
  stories: readonly LeaderStory[],
): { fromMs: number; toMs: number } | null {
  if (request.kind === 'since') return { fromMs: msOf(request.from) ?? 0, toMs: Infinity };
  if (request.kind === 'at') {
    const at = msOf(request.at) ?? 0;
    return stories.length > 0 ? null : { fromMs: at - NEAR_MS, toMs: at + NEAR_MS };
  }
  if (request.kind === 'timeline') return null;
  return { fromMs: (msOf(stories.at(-1)?.at) ?? 0) + 60_000, toMs: Infinity };
}

/** `--at` means the change of leader that is nearest, and not farther than this. */
const NEAR_MS = 15 * 60_000;

function wanted(changes: readonly TermChange[], request: StoryRequest): TermChange[] {
  if (request.kind === 'last') return changes.slice(-1);
  if (request.kind === 'timeline')
    return changes.filter(({ timeline }) => timeline === request.timeline);
  if (request.kind === 'since') {
    const from = msOf(request.from) ?? 0;
    // One without a time happened after the one before it.
    return changes.filter(({ atMs }, at) => (atMs ?? changes[at - 1]?.atMs ?? 0) >= from);
  }
  const at = msOf(request.at) ?? 0;
  const near = changes
    .filter(({ atMs }) => atMs !== null && Math.abs(atMs - at) <= NEAR_MS)
    .sort((a, b) => Math.abs((a.atMs ?? 0) - at) - Math.abs((b.atMs ?? 0) - at));
  return near.slice(0, 1);
}

/** What every story looks things up in. */
interface Told {
  index: FactIndex;
  /** How far the logs of PostgreSQL reach. */
  logs: StoryFact[];
  /** The line of /history of each timeline that ended. */
  lines: Map<number, StoryFact>;
  neighbours: Map<TermChange, Neighbours>;
}

interface Neighbours {
  before: TermChange | undefined;
  after: TermChange | undefined;
}

function historyLines(facts: readonly StoryFact[]): Map<number, StoryFact> {
  const lines = new Map<number, StoryFact>();
  for (const fact of facts) {
    const timeline = fact.data?.timeline;
    if (fact.source !== 'history' || timeline === undefined || lines.has(timeline)) continue;
    lines.set(timeline, fact);
  }
  return lines;
}

/** The nearest changes on both sides that have a time. */
function neighboursOf(changes: readonly TermChange[]): Map<TermChange, Neighbours> {
  const found = new Map<TermChange, Neighbours>();
  let before: TermChange | undefined;
  let open: Neighbours[] = [];
  for (const change of changes) {
    const own: Neighbours = { before, after: undefined };
    found.set(change, own);
    if (change.atMs !== null) {
      for (const one of open) one.after = change;
      open = [];
      before = change;
    }
    open.push(own);
  }
  return found;
}

function storyOf(change: TermChange, { index, logs, lines, neighbours }: Told): LeaderStory {
  const evidence = evidenceOf(
    change,
    index,
    neighbours.get(change) ?? { before: undefined, after: undefined },
    logs,
  );
  const verdict = storyVerdict(evidence);
  const found = change.timeline === null ? undefined : lines.get(change.timeline);
  const line = found && isSameBranch(found.member, change.to) ? found : undefined;
  const withHistory = line ? { ...evidence, facts: [...evidence.facts, line] } : evidence;
  return {
    timeline: change.timeline,
    from: change.from,
    to: change.to,
    at: change.atMs === null ? null : new Date(change.atMs).toISOString(),
    lines: linesOf(withHistory, line),
    verdict,
    writes: writeGap(withHistory, verdict),
    loss: knownLoss(withHistory),
  };
}

const SHOWN_BEFORE_MS = 3 * 60_000;
const SHOWN_AFTER_MS = 60_000;
const ETCD_BEFORE = 12;
const ETCD_AFTER = 10;
/** StoryEvidence, but not a step of the story. */
const NOT_SHOWN: ReadonlySet<FactCode> = new Set<FactCode>(['patroni_log_ends', 'finding']);

/** What members say of others is a step only where it is the old leader of which they speak. */
function isStep({ what, member }: StoryFact, { from }: TermChange): boolean {
  const isAside = ['member_answers', 'member_silent', 'wal_end', 'replica_saw_end'].includes(what);
  return !isAside || member === from;
}

/** Without what already belongs to the change after. */
function untilNext(lines: StoryFact[], { to, atMs }: TermChange): StoryFact[] {
  const next = lines.findIndex(
    ({ what, member, at }) =>
      atMs !== null &&
      (msOf(at) ?? 0) > atMs + CLOCKS_MS &&
      (what === 'failover_requested' || (what === 'patroni_demotes' && member === to)),
  );
  return next < 0 ? lines : lines.slice(0, next);
}

function linesOf({ change, facts }: StoryEvidence, line: StoryFact | undefined): StoryFact[] {
  const taken = change.taken ?? change.end;
  const at = taken === null ? -1 : change.etcd.indexOf(taken);
  const end = change.end === null ? at : change.etcd.indexOf(change.end);
  const etcd = change.etcd.filter(
    (_, place) => place >= end - ETCD_BEFORE && place <= at + ETCD_AFTER,
  );
  const isWritten = etcd.some(
    ({ what, data }) => what === 'history_written' && data?.timeline === change.timeline,
  );
  const timed = facts.filter((fact) => {
    if (fact.source === 'etcd' || NOT_SHOWN.has(fact.what)) return false;
    if (fact.source === 'history') return fact === line && !isWritten;
    const [begin, last] = [msOf(fact.at) ?? 0, msOf(fact.until) ?? msOf(fact.at) ?? 0];
    const moment = change.atMs ?? 0;
    return last >= moment - SHOWN_BEFORE_MS && begin <= moment + SHOWN_AFTER_MS;
  });
  return untilNext(
    etcdOrder(
      etcd,
      timed.filter((fact) => isStep(fact, change)),
      change,
    ),
    change,
  );
}
