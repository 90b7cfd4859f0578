/** The changes of leader that the facts of all sources show, each once, in the order in which they happened. */
import type { StoryFact } from './story-model.js';

export interface TermChange {
  timeline: number | null;
  from: string | null;
  to: string | null;
  /** When the new leader was promoted, ms; null: no source has a time. */
  atMs: number | null;
  /** Not before this: later than `atMs` says only where only a member that follows another leader shows it. */
  sinceMs: number | null;
  /** In etcd's past: how the term before ended, and who took the key. */
  end: StoryFact | null;
  taken: StoryFact | null;
  /** The facts of etcd from the change before on; empty without etcd's past. */
  etcd: StoryFact[];
}

/** The lock is taken before the promotion, of which /history has the time: a slow one takes so long. */
const PROMOTION_MS = 120_000;
const CLOCK_MS = 5_000;

export function termChanges(facts: readonly StoryFact[]): TermChange[] {
  const changes = etcdChanges(facts.filter(({ source }) => source === 'etcd'));
  for (const one of historyChanges(facts)) {
    const same = changes.find(({ timeline }) => timeline !== null && timeline === one.timeline);
    if (same) same.atMs ??= one.atMs;
    else changes.push(one);
  }
  const timed = new Set<TermChange>();
  for (const fact of byTime(facts.filter(isTimedTaking))) {
    const own = ofSameLook(changes, facts, fact);
    if (own) timed.add(own);
    else addTimed(changes, timed, fact);
  }
  addFollowed(changes, facts);
  const ordered = inOrder(changes);
  ordered.forEach((change, at) => {
    change.sinceMs ??= change.atMs;
    change.from ??= before(ordered, at, facts);
  });
  return ordered;
}

export function msOf(at: string | null | undefined): number | null {
  const ms = Date.parse(at ?? '');
  return Number.isNaN(ms) ? null : ms;
}

const ENDS = new Set([
  'leader_key_released',
  'leader_key_expired',
  'leader_key_removed',
  'leader_key_lost',
]);

export const endsTerm = ({ what }: StoryFact): boolean => ENDS.has(what);

function etcdChanges(facts: readonly StoryFact[]): TermChange[] {
  const changes: TermChange[] = [];
  let since: StoryFact[] = [];
  let end: StoryFact | null = null;
  let holder: string | null = null;
  for (const fact of facts) {
    if (endsTerm(fact)) end = fact;
    if (fact.what === 'leader_key_taken') {
      const from = end?.member ?? holder;
      if (end !== null || holder !== null) {
        changes.push({
          timeline: null,
          from,
          to: fact.member,
          atMs: null,
          sinceMs: null,
          end,
          taken: fact,
          etcd: since,
        });
      }
      since = [];
      holder = fact.member;
      end = null;
    }
    const last = changes.at(-1);
    if (
      fact.what === 'history_written' &&
      last &&
      fact.member === last.to &&
      last.timeline === null
    ) {
      last.timeline = fact.data?.timeline ?? null;
      last.atMs = msOf(fact.data?.timestamp);
    }
    since.push(fact);
    if (last && !endsTerm(fact) && end === null) last.etcd.push(fact);
  }
  if (end)
    changes.push({
      timeline: null,
      from: end.member,
      to: null,
      atMs: null,
      sinceMs: null,
      end,
      taken: null,
      etcd: since,
    });
  return changes;
}

function historyChanges(facts: readonly StoryFact[]): TermChange[] {
  const lines = facts.filter(
    ({ source, what }) => source === 'history' && what === 'history_written',
  );
  return lines.map((line, at) => ({
    timeline: line.data?.timeline ?? null,
    from: lines[at - 1]?.member ?? null,
    to: line.member,
    atMs: msOf(line.at),
    sinceMs: null,
    end: null,
    taken: null,
    etcd: [],
  }));
}

function isTimedTaking({ source, what, at }: StoryFact): boolean {
  if (at === null || source === 'etcd') return false;
  return what === 'patroni_promotes' || what === 'leader_key_taken';
}

const byTime = (facts: readonly StoryFact[]): StoryFact[] =>
  [...facts].sort((a, b) => (msOf(a.at) ?? 0) - (msOf(b.at) ?? 0));

/** A recording that saw it late, or whose clock is ahead, shows by the next line of /history which change it was. */
function ofSameLook(
  changes: readonly TermChange[],
  facts: readonly StoryFact[],
  fact: StoryFact,
): TermChange | undefined {
  if (fact.source !== 'recording') return undefined;
  const next = facts
    .slice(facts.indexOf(fact) + 1)
    .find(
      ({ source, what }) =>
        source === 'recording' && (what === 'leader_key_taken' || what === 'history_written'),
    );
  if (next?.what !== 'history_written' || next.member !== fact.member) return undefined;
  return changes.find(({ timeline, to }) => timeline === next.data?.timeline && to === fact.member);
}

function addTimed(changes: TermChange[], timed: Set<TermChange>, fact: StoryFact): void {
  const at = msOf(fact.at) ?? 0;
  const mine = changes.filter(({ to }) => to === fact.member);
  const near = mine.filter(
    (one) => one.atMs !== null && one.atMs - at <= PROMOTION_MS && at - one.atMs <= CLOCK_MS,
  );
  const distance = ({ atMs }: TermChange): number => Math.abs((atMs ?? 0) - at);
  const [nearest] = near.sort((a, b) => distance(a) - distance(b));
  // The same promotion is told by several sources; two of one source are two.
  if (nearest && (!timed.has(nearest) || distance(nearest) <= CLOCK_MS)) {
    timed.add(nearest);
    return;
  }
  // The key was taken again without a new timeline: nothing but the order tells which it was.
  const untimed = mine.filter(({ atMs, timeline }) => atMs === null && timeline === null);
  const [only] = untimed;
  if (untimed.length === 1 && only) only.atMs = at;
  const made = only ?? { ...NEW, to: fact.member, atMs: at };
  if (made !== only) changes.push(made);
  timed.add(made);
}

const NEW: TermChange = {
  timeline: null,
  from: null,
  to: null,
  atMs: null,
  sinceMs: null,
  end: null,
  taken: null,
  etcd: [],
};

const ROLES = new Set(['patroni_leads', 'patroni_follows', 'patroni_promotes']);

/** A member says that it follows another leader than before: some change happened in between. */
function addFollowed(changes: TermChange[], facts: readonly StoryFact[]): void {
  const last = new Map<string, { leader: string; untilMs: number }>();
  for (const fact of byTime(facts.filter(({ what }) => ROLES.has(what)))) {
    const { member, what, data } = fact;
    const at = msOf(fact.at);
    const leader = what === 'patroni_follows' ? data?.leader : member;
    if (member === null || at === null || !leader) continue;
    const before = last.get(member);
    last.set(member, { leader, untilMs: msOf(fact.until) ?? at });
    if (what !== 'patroni_follows' || !before || before.leader === leader) continue;
    const isKnown = changes.some(
      ({ to, atMs }) =>
        to === leader &&
        atMs !== null &&
        atMs >= before.untilMs - CLOCK_MS &&
        atMs <= at + CLOCK_MS,
    );
    const untimed = changes.some(({ to, atMs }) => to === leader && atMs === null);
    if (isKnown || untimed) continue;
    changes.push({ ...NEW, from: before.leader, to: leader, atMs: at, sinceMs: before.untilMs });
  }
}

/** By time; those that have none stay behind the one that is before them in etcd's past. */
function inOrder(changes: readonly TermChange[]): TermChange[] {
  const keys = new Map<TermChange, number>();
  let last = -Infinity;
  for (const change of changes) {
    if (change.taken === null && change.end === null)
      keys.set(change, change.atMs ?? change.timeline ?? 0);
    else {
      last = change.atMs ?? last;
      keys.set(change, last);
    }
  }
  return [...changes].sort((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0) || 0);
}

/** The leader before: the one that the new leader followed, by its own log; else the new leader of the change before. */
function before(
  changes: readonly TermChange[],
  at: number,
  facts: readonly StoryFact[],
): string | null {
  const change = changes[at];
  const earlier = changes[at - 1];
  const roles = byTime(facts.filter(({ what }) => ROLES.has(what))).filter(
    (fact) => (msOf(fact.at) ?? Infinity) < (change?.atMs ?? 0) && fact.what !== 'patroni_promotes',
  );
  const own = roles.findLast(({ member }) => member === change?.to);
  const said = own ?? roles.at(-1);
  const leader = said?.what === 'patroni_follows' ? said.data?.leader : said?.member;
  const isLater = (msOf(said?.until ?? said?.at) ?? 0) > (earlier?.atMs ?? 0);
  return (isLater ? leader : null) ?? earlier?.to ?? leader ?? null;
}
