/** The facts around one change of leader, sorted by what they are evidence of. */
import type { FactIndex } from './fact-index.js';
import { msOf, type TermChange } from './term-changes.js';
import type { FactCode, StoryFact } from './story-model.js';

/** A cause is looked for so long before the promotion, if no other change of leader is nearer. */
const BEFORE_MS = 10 * 60_000;
const AFTER_MS = 2 * 60_000;
/** The lock is taken before the promotion: a slow one takes so long. */
const PROMOTION_MS = 120_000;
/** Clocks of members may differ by as much. */
export const CLOCKS_MS = 1500;

export interface StoryEvidence {
  change: TermChange;
  /** In time or in etcd's order around the change. */
  facts: StoryFact[];
  /** Only what happened up to the promotion. */
  before: StoryFact[];
  /** Of the old leader, from logs and recordings. */
  old: StoryFact[];
  /** Since when it led, ms: the change before, if that made it the leader, and not long ago. */
  ledSinceMs: number | null;
  /** What its Patroni wrote when it took the lock. */
  tookLock: StoryFact[];
  /** How far its logs of PostgreSQL reach, in files of any kind. */
  postgresLogs: StoryFact[];
  /** Its log of Patroni, or of PostgreSQL, covers the time. */
  hasPatroniLog: boolean;
  hasPostgresLog: boolean;
}

export function evidenceOf(
  change: TermChange,
  index: FactIndex,
  neighbours: { before: TermChange | undefined; after: TermChange | undefined },
  logs: readonly StoryFact[],
): StoryEvidence {
  const { atMs, from } = change;
  const earliest = Math.max((atMs ?? 0) - BEFORE_MS, (neighbours.before?.atMs ?? -Infinity) + 1);
  const latest = Math.min((atMs ?? 0) + AFTER_MS, (neighbours.after?.atMs ?? Infinity) - 1);
  const timed = atMs === null ? [] : index.during(earliest, latest);
  const facts = [...change.etcd, ...timed];
  const before = [
    ...untilTaken(change),
    ...timed.filter((fact) => atMs === null || (msOf(fact.at) ?? 0) <= atMs + CLOCKS_MS),
  ];
  const isOld = ({ member }: StoryFact): boolean => from !== null && member === from;
  const old = timed.filter(isOld);
  const sinceMs = neighbours.before?.to === from ? neighbours.before.atMs : null;
  // Longer ago its loops must show it.
  const ledSinceMs = from !== null && sinceMs !== null && sinceMs >= earliest - 1 ? sinceMs : null;
  const taking =
    ledSinceMs === null ? [] : index.during(ledSinceMs - PROMOTION_MS, ledSinceMs + CLOCKS_MS);
  return {
    change,
    facts,
    before,
    old,
    ledSinceMs,
    tookLock: taking.filter((fact) => isOld(fact) && isTaking(fact)),
    postgresLogs: logs.filter(isOld),
    hasPatroniLog: old.some(isOwnLog),
    hasPostgresLog: old.some(({ source }) => source === 'postgresql log'),
  };
}

const isTaking = (fact: StoryFact): boolean => isOwnLog(fact) && fact.what === 'patroni_promotes';

/** Of its own Patroni's log: others write there too what they heard of it, or that they heard nothing. */
export const isOwnLog = ({ source, what }: StoryFact): boolean =>
  source === 'patroni log' && what !== 'member_silent' && what !== 'member_answers';

/** The log of PostgreSQL begins after PostgreSQL had ended: why it ended would stand in an earlier file. */
export function beginsLater(facts: readonly StoryFact[], seenDownAt: string | null): boolean {
  const endedMs = (msOf(seenDownAt) ?? 0) - WELL_AGAIN_MS;
  return facts.some(
    ({ source, data, at }) =>
      source === 'postgresql log' && data?.isFirst === true && (msOf(at) ?? 0) > endedMs,
  );
}

function untilTaken({ etcd, taken }: TermChange): StoryFact[] {
  const at = taken === null ? -1 : etcd.indexOf(taken);
  return at < 0 ? etcd : etcd.slice(0, at + 1);
}

/**
 * The last fact of these codes that the old leader's own sources tell, up to the promotion, if it was not well again
 * long before that.
 */
export const oldSaid = (evidence: StoryEvidence, ...codes: FactCode[]): StoryFact | null =>
  oldSaidSuch(evidence, ({ what }) => codes.includes(what));

/** The same of the last fact that fits. */
export function oldSaidSuch(
  evidence: StoryEvidence,
  fits: (fact: StoryFact) => boolean,
): StoryFact | null {
  const { before, change } = evidence;
  const found = before.findLast(
    (fact) => fact.member === change.from && fact.source !== 'etcd' && fits(fact),
  );
  return found === undefined || isWellAgain(evidence, found) ? null : found;
}

/** It led again, and for longer than what ended before could still have been without effect. */
function isWellAgain({ before, change }: StoryEvidence, fact: StoryFact): boolean {
  const endMs = change.atMs ?? Infinity;
  const sinceMs = msOf(fact.until ?? fact.at) ?? 0;
  return before.some(({ what, member, source, at, until }) => {
    if (what !== 'patroni_leads' || member !== change.from || source === 'etcd') return false;
    return Math.min(msOf(until ?? at) ?? 0, endMs) > sinceMs + WELL_AGAIN_MS;
  });
}

/** A loop is 10 s by default, and Patroni looks at PostgreSQL in each. */
const WELL_AGAIN_MS = 15_000;

/** Patroni writes what it did when it has done it: of its own log the next seconds count too. */
export function oldSaidSoon(evidence: StoryEvidence, ...codes: FactCode[]): StoryFact | null {
  const untilMs = (evidence.change.atMs ?? 0) + RESULT_MS;
  const soon = evidence.old.find(
    ({ what, at, source }) =>
      codes.includes(what) && source === 'patroni log' && (msOf(at) ?? Infinity) <= untilMs,
  );
  return oldSaid(evidence, ...codes) ?? soon ?? null;
}

/** After it has released the lock Patroni waits for 2 s. */
const RESULT_MS = 5_000;

/** The same, if it was not well again afterwards: its log does not say later that it leads. */
export function oldSaidLast(evidence: StoryEvidence, ...codes: FactCode[]): StoryFact | null {
  const found = oldSaid(evidence, ...codes);
  return found !== null && isAfterLeading(evidence, found) ? found : null;
}

/** Its log does not say later, before the change, that it leads. */
export function isAfterLeading(evidence: StoryEvidence, fact: StoryFact): boolean {
  const leads = evidence.before.findLast(
    ({ what, member, source, at }) =>
      what === 'patroni_leads' &&
      member === evidence.change.from &&
      source === 'patroni log' &&
      (msOf(at) ?? 0) < (evidence.change.atMs ?? Infinity),
  );
  const wellMs = msOf(leads?.until ?? leads?.at) ?? -Infinity;
  return (msOf(fact.until ?? fact.at) ?? 0) >= Math.min(wellMs, evidence.change.atMs ?? Infinity);
}

/** PostgreSQL was found dead by a Patroni that had led, not by one that had just been started. */
export function foundDead(evidence: StoryEvidence, ...codes: FactCode[]): StoryFact | null {
  const found = oldSaidLast(evidence, ...codes);
  return found !== null && isOfTerm(evidence, found) ? found : null;
}

/** The Patroni of that time had led: it was not started after the term had ended, to become a replica. */
export function isOfTerm(evidence: StoryEvidence, { at }: StoryFact): boolean {
  const { old, change, tookLock } = evidence;
  const atMs = msOf(at) ?? 0;
  const own = old.filter(isOwnLog);
  const leads = [...tookLock, ...own].filter(
    (fact) => fact.what === 'patroni_leads' || (isLeading(fact) && (msOf(fact.at) ?? 0) <= atMs),
  );
  const start = own.findLast(
    (fact) => fact.what === 'patroni_started' && (msOf(fact.at) ?? Infinity) <= atMs,
  );
  if (start)
    return leads.some((fact) => (msOf(fact.until ?? fact.at) ?? 0) >= (msOf(start.at) ?? 0));
  if (leads.some((fact) => (msOf(fact.at) ?? Infinity) <= atMs)) return true;
  if (isInFirstLoops(evidence, atMs)) return true;
  // A log that has a line in each loop, or begins just before, begins after the term.
  const hasEachLoop = own.some(
    ({ what, times = 1, data }) =>
      what === 'patroni_follows' && times > 1 && isNext(change, data?.leader ?? null),
  );
  const beginsMs = Math.min(
    ...own.flatMap(({ data, at }) => (data?.isFirst ? (msOf(at) ?? []) : [])),
  );
  return !hasEachLoop && (beginsMs === Infinity || beginsMs < atMs - WELL_AGAIN_MS);
}

/** It says so by what it does. One that was just started demotes itself too, but not on request. */
const isLeading = (fact: StoryFact): boolean =>
  isTaking(fact) ||
  (fact.what === 'patroni_demotes' && /^(?:requested|graceful)$/.test(fact.data?.mode ?? ''));

const isNext = ({ from, to }: TermChange, leader: string | null): boolean =>
  to === null ? leader !== from : leader === to;

/** It had just become the leader, and was not replaced yet. */
function isInFirstLoops({ ledSinceMs, change }: StoryEvidence, atMs: number): boolean {
  if (ledSinceMs === null || atMs < ledSinceMs) return false;
  return atMs <= Math.min(ledSinceMs + WELL_AGAIN_MS, (change.atMs ?? Infinity) - 1);
}
