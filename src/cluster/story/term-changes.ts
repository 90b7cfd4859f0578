/** The changes of leader that the facts of all sources show, each once, in the order in which they happened. */
import type { StoryFact } from './story-model.js';
import { placeOf, termsOf, type TermChange, type Terms } from './terms.js';

export type { TermChange } from './terms.js';

/** The lock is taken before the promotion, of which /history has the time: a slow one takes so long. */
const PROMOTION_MS = 120_000;
const CLOCK_MS = 5_000;

export function termChanges(facts: readonly StoryFact[]): TermChange[] {
  const changes = etcdChanges(facts.filter(({ source }) => source === 'etcd'));
  const known = byTimeline(changes);
  for (const one of historyChanges(facts)) {
    const same = one.timeline === null ? undefined : known.get(one.timeline);
    if (same) same.atMs ??= one.atMs;
    else changes.push(one);
  }
  const terms = termsOf(changes);
  const timelines = byTimeline(changes);
  const written = writtenAfter(facts);
  const timed = new Set<TermChange>();
  const seen = facts.filter(
    ({ source, what }) => source === 'recording' && what === 'patroni_leads',
  );
  for (const fact of byTime(facts.filter(isTimedTaking))) {
    const own = ofSameLook(timelines, written, fact);
    if (own && !ledBefore(seen, fact, own)) timed.add(own);
    else addTimed(terms, timed, fact, seen);
  }
  const roles = byTime(facts.filter(({ what }) => ROLES.has(what)));
  addFollowed(terms, roles);
  const ordered = inOrder(terms.all());
  const leaderBefore = leadersBefore(roles);
  ordered.forEach((change, at) => {
    change.sinceMs ??= change.atMs;
    change.from ??= leaderBefore(change, ordered[at - 1]);
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
  facts
    .map((fact) => ({ fact, ms: msOf(fact.at) ?? 0 }))
    .sort((a, b) => a.ms - b.ms)
    .map(({ fact }) => fact);

/** The first change of each timeline. */
function byTimeline(changes: readonly TermChange[]): Map<number, TermChange> {
  const found = new Map<number, TermChange>();
  for (const change of changes) {
    if (change.timeline !== null && !found.has(change.timeline)) found.set(change.timeline, change);
  }
  return found;
}

/** For each key that a recording saw taken: the line of /history that it saw next, if no other taking came before. */
function writtenAfter(facts: readonly StoryFact[]): Map<StoryFact, StoryFact> {
  const found = new Map<StoryFact, StoryFact>();
  let taken: StoryFact | null = null;
  for (const fact of facts) {
    if (fact.source !== 'recording') continue;
    if (fact.what === 'leader_key_taken') taken = fact;
    if (fact.what !== 'history_written') continue;
    if (taken) found.set(taken, fact);
    taken = null;
  }
  return found;
}

/** A recording that saw it late, or whose clock is ahead, shows by the next line of /history which change it was. */
function ofSameLook(
  timelines: Map<number, TermChange>,
  written: Map<StoryFact, StoryFact>,
  fact: StoryFact,
): TermChange | undefined {
  const next = written.get(fact);
  if (next?.member !== fact.member || next.data?.timeline === undefined) return undefined;
  const same = timelines.get(next.data.timeline);
  return same?.to === fact.member ? same : undefined;
}

/** A primary was seen after its key was taken: a promotion after that is another one. */
function ledBefore(
  seen: readonly StoryFact[],
  { member, at }: StoryFact,
  { atMs }: TermChange,
): boolean {
  const [fromMs, toMs] = [msOf(at) ?? 0, (atMs ?? 0) - CLOCK_MS];
  return (
    fromMs < toMs &&
    seen.some((one) => {
      const ms = msOf(one.at) ?? 0;
      return one.member === member && ms >= fromMs && ms < toMs;
    })
  );
}

function addTimed(
  terms: Terms,
  timed: Set<TermChange>,
  fact: StoryFact,
  seen: readonly StoryFact[],
): void {
  const at = msOf(fact.at) ?? 0;
  const own = terms.of(fact.member);
  const distance = ({ atMs }: TermChange): number => Math.abs((atMs ?? 0) - at);
  const [nearest] = own
    .near(at - CLOCK_MS, at + PROMOTION_MS)
    .filter((one) => !ledBefore(seen, fact, one))
    .sort((a, b) => distance(a) - distance(b));
  // The same promotion is told by several sources; two of one source are two.
  if (nearest && (!timed.has(nearest) || distance(nearest) <= CLOCK_MS)) {
    timed.add(nearest);
    return;
  }
  // The key was taken again without a new timeline: nothing but the order tells which it was.
  const open = own.untimed().filter(({ timeline }) => timeline === null);
  const [only] = open;
  if (open.length === 1 && only) {
    terms.date(only, at);
    timed.add(only);
    return;
  }
  const made = { ...NEW, to: fact.member, atMs: at };
  terms.add(made);
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
function addFollowed(terms: Terms, roles: readonly StoryFact[]): void {
  const last = new Map<string, { leader: string; untilMs: number }>();
  for (const fact of roles) {
    const { member, what, data } = fact;
    const at = msOf(fact.at);
    const leader = what === 'patroni_follows' ? data?.leader : member;
    if (member === null || at === null || !leader) continue;
    const before = last.get(member);
    last.set(member, { leader, untilMs: msOf(fact.until) ?? at });
    if (what !== 'patroni_follows' || !before || before.leader === leader) continue;
    const own = terms.of(leader);
    // It follows as soon as the lock is taken, and its clock may be behind.
    const isKnown = own.near(before.untilMs - CLOCK_MS, at + PROMOTION_MS).length > 0;
    if (isKnown || own.untimed().length > 0) continue;
    terms.add({
      ...NEW,
      from: before.leader,
      to: leader,
      atMs: at,
      sinceMs: before.untilMs,
    });
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
function leadersBefore(
  roles: readonly StoryFact[],
): (change: TermChange, earlier: TermChange | undefined) => string | null {
  const said = roles.filter(({ what }) => what !== 'patroni_promotes');
  const own = new Map<string, StoryFact[]>();
  for (const fact of said) {
    if (fact.member === null) continue;
    const mine = own.get(fact.member) ?? [];
    mine.push(fact);
    own.set(fact.member, mine);
  }
  return ({ to, atMs }, earlier) => {
    const fact = lastBefore(own.get(to ?? '') ?? [], atMs ?? 0) ?? lastBefore(said, atMs ?? 0);
    const leader = fact?.what === 'patroni_follows' ? fact.data?.leader : fact?.member;
    const isLater = (msOf(fact?.until ?? fact?.at) ?? 0) > (earlier?.atMs ?? 0);
    return (isLater ? leader : null) ?? earlier?.to ?? leader ?? null;
  };
}

/** Of facts in the order of time. */
function lastBefore(sorted: readonly StoryFact[], ms: number): StoryFact | undefined {
  return sorted[placeOf(sorted, (fact) => (msOf(fact.at) ?? Infinity) < ms) - 1];
}
