/** The log of the old leader's Patroni stops for a time, ends, or only says that the lock was lost. */
import {
  CLOCKS_MS,
  isOfTerm,
  isOwnLog,
  oldSaidLast,
  type StoryEvidence,
} from '../story-evidence.js';
import type { StoryFact } from '../story-model.js';
import { msOf, type TermChange } from '../term-changes.js';
import {
  oldLeader,
  saidCause,
  SHORTEST_LOSS_MS,
  wholeSeconds,
  type CauseFound,
} from './cause-found.js';
import { released } from './etcd-alone.js';

export function stoodStill(evidence: StoryEvidence): CauseFound | null {
  const { change, old } = evidence;
  const name = oldLeader(evidence);
  const endMs = change.atMs;
  const gap = old.find(
    ({ what, at, until }) =>
      what === 'patroni_silent' &&
      endMs !== null &&
      (msOf(at) ?? Infinity) <= endMs &&
      (msOf(until) ?? 0) >= (change.sinceMs ?? endMs) - CLOCKS_MS,
  );
  if (!gap) return null;
  const [fromMs, untilMs] = [msOf(gap.at) ?? 0, msOf(gap.until) ?? 0];
  const within = (fact: StoryFact): boolean =>
    (msOf(fact.at) ?? 0) >= fromMs && (msOf(fact.at) ?? 0) <= untilMs;
  const restarted = old.some(
    ({ what, at }) =>
      what === 'patroni_started' && Math.abs((msOf(at) ?? 0) - untilMs) <= CLOCKS_MS,
  );
  if (!restarted && !isLongEnough(evidence, fromMs)) return null;
  if (!restarted && hadLostBefore(evidence, fromMs)) return null;
  if (!restarted && gap.data?.mode === 'in loop') {
    return {
      fits: ['postgres_hung', 'patroni_frozen'],
      sure: 'seen',
      message: `Patroni on ${name} began a loop and wrote nothing for ${wholeSeconds(gap.data.ms)}: PostgreSQL there did not answer it, or Patroni itself was frozen.`,
      missing: 'the system log of the old leader (disks, memory), or a recording',
    };
  }
  if (!restarted) {
    return {
      fits: ['patroni_frozen'],
      sure: 'seen',
      message: `Patroni on ${name} stood still for ${wholeSeconds(gap.data?.ms)} and could not renew the lock within ttl: the process or its host was frozen or overloaded.`,
    };
  }
  const silence = `for ${wholeSeconds(gap.data?.ms)}, then it was started again`;
  return ended(evidence, { within, fromMs }, silence);
}

/** It knew that the lock was lost when the silence began: that came after. */
function hadLostBefore({ old }: StoryEvidence, fromMs: number): boolean {
  return old.some(({ what, at }) => {
    const atMs = msOf(at) ?? Infinity;
    return what === 'demoted_without_lock' && atMs <= fromMs && atMs >= fromMs - LOOP_MS;
  });
}

/** A frozen Patroni loses its lock with its lease: not sooner, and it does not delete the key itself. */
function isLongEnough({ change }: StoryEvidence, fromMs: number): boolean {
  return !isKeyDeleted(change) && (change.atMs ?? Infinity) - fromMs >= SHORTEST_LOSS_MS;
}

const isKeyDeleted = ({ end }: TermChange): boolean =>
  end?.what === 'leader_key_released' || end?.what === 'leader_key_removed';

/** The time in which no Patroni of the old leader wrote. */
interface Without {
  within: (fact: StoryFact) => boolean;
  fromMs: number;
}

/** Patroni of the old leader ended: what PostgreSQL's log says of the same time. */
function ended(evidence: StoryEvidence, without: Without, silence: string): CauseFound {
  const { within, fromMs } = without;
  const name = oldLeader(evidence);
  const postgres = evidence.old.filter(({ source }) => source === 'postgresql log');
  const untilPromoted = (fact: StoryFact): boolean =>
    within(fact) && (msOf(fact.at) ?? 0) <= (evidence.change.atMs ?? 0) + CLOCKS_MS;
  const killed = evidence.old.find((fact) => isPatroniKilled(fact) && untilPromoted(fact));
  if (killed) return killedFor(evidence, killed);
  if (evidence.old.some((fact) => fact.what === 'host_started' && within(fact))) {
    return saidCause('node_lost', `The host of ${name} went down and was started again.`);
  }
  const stops = postgres.find((fact) => fact.what === 'postgres_stops' && untilPromoted(fact));
  if (stops && stops.data?.mode !== 'immediate') {
    return {
      fits: ['patroni_stopped'],
      sure: 'seen',
      message: `Patroni on ${name} was stopped (its service or its host was shut down): PostgreSQL was stopped cleanly before the change, and Patroni wrote nothing ${silence}.`,
    };
  }
  // A stop before the change was looked at above.
  const isLater = (fact: StoryFact): boolean =>
    (msOf(fact.at) ?? 0) > fromMs && !(fact.what === 'postgres_stops' && untilPromoted(fact));
  const later = postgres.filter(isLater);
  return (
    afterwards(evidence, later, silence) ?? {
      fits: evidence.change.end
        ? ['patroni_killed', 'node_lost']
        : ['patroni_killed', 'node_lost', 'patroni_stopped'],
      sure: 'inferred',
      message: `Patroni on ${name} ended: it wrote nothing ${silence}.`,
      missing: "PostgreSQL's log of the old leader, and its system log (OOM killer, reboot)",
    }
  );
}

/**
 * How it ended, by what its PostgreSQL did next; else by how the leader key went. When the change was does not matter:
 * a PostgreSQL that was started ran no more, and one that was stopped still ran.
 */
function afterwards(
  evidence: StoryEvidence,
  later: readonly StoryFact[],
  silence: string,
): CauseFound | null {
  const name = oldLeader(evidence);
  const laterMs = (evidence.change.atMs ?? 0) + CLOCKS_MS;
  const next = later.find(
    ({ what, at }) =>
      what === 'postgres_stops' ||
      what === 'postgres_starts' ||
      // Alone it may be a PostgreSQL that restarted itself.
      (what === 'postgres_interrupted' && (msOf(at) ?? 0) > laterMs),
  );
  if (next?.what === 'postgres_stops') {
    return {
      fits: ['patroni_killed'],
      sure: 'inferred',
      message: `Patroni on ${name} ended without shutting down (killed or crashed), while its PostgreSQL went on: it wrote nothing ${silence}.`,
    };
  }
  if (next) {
    return {
      fits: ['node_lost'],
      sure: 'inferred',
      message: `The host of ${name} went down, or Patroni and PostgreSQL there were both killed: neither shut down cleanly, and Patroni wrote nothing ${silence}.`,
    };
  }
  if (evidence.change.end?.what !== 'leader_key_released') return null;
  return (
    released(evidence) ?? {
      fits: ['patroni_stopped'],
      sure: 'inferred',
      message: `Patroni on ${name} was stopped.`,
    }
  );
}

const isPatroniKilled = ({ what, data }: StoryFact): boolean =>
  what === 'oom_killed' && /^(?:patroni|python)/.test(data?.mode ?? '');

function killedFor(evidence: StoryEvidence, killed: StoryFact): CauseFound {
  return saidCause(
    'patroni_killed',
    `The kernel of ${oldLeader(evidence)} ended Patroni there (${killed.data?.mode ?? ''}), because memory ran out.`,
  );
}

/**
 * The log of its Patroni ends, and the kernel says that it ended Patroni then: nothing else must have gone on. Its lock
 * would have ended with its lease.
 */
export function killedByKernel(evidence: StoryEvidence): CauseFound | null {
  const { change, old } = evidence;
  const last = endOfLog(evidence);
  if (last === null || isKeyDeleted(change)) return null;
  const [fromMs, endMs] = [lastOf(last) - CLOCKS_MS, (change.atMs ?? 0) + CLOCKS_MS];
  const killed = old.find((fact) => {
    const atMs = msOf(fact.at) ?? 0;
    // Another program may be a python too: then it was ended where Patroni stopped writing.
    const untilMs = isNamed(fact) ? endMs : Math.min(endMs, lastOf(last) + LOOP_MS);
    return isPatroniKilled(fact) && atMs >= fromMs && atMs <= untilMs;
  });
  return killed ? killedFor(evidence, killed) : null;
}

const isNamed = ({ data }: StoryFact): boolean => data?.mode?.startsWith('patroni') === true;
/** Patroni writes in each loop, of 10 s by default. */
const LOOP_MS = 15_000;

/** Its Patroni ended with the log, if something else on its host is known to have gone on: else the file may be cut off. */
export function endedInLog(evidence: StoryEvidence): CauseFound | null {
  const last = endOfLog(evidence);
  return last !== null && wentOnWriting(evidence, last) ? endedThere(evidence, last) : null;
}

/** The last rule: no cause follows from it. */
export function logIsShort(evidence: StoryEvidence): CauseFound | null {
  if (endOfLog(evidence) === null) return null;
  return {
    fits: [],
    sure: 'said',
    message: `The cause is unknown: the log of Patroni on ${oldLeader(evidence)} ends before the change. Patroni ended or stood still there, or the file is not the whole log.`,
    missing: "the rest of that log, PostgreSQL's log of the same time, or a recording",
  };
}

/** PostgreSQL, or the kernel, wrote after the change. */
function wentOnWriting({ old, change, postgresLogs }: StoryEvidence, last: StoryFact): boolean {
  const sinceMs = change.sinceMs ?? change.atMs ?? Infinity;
  const wroteMs = lastOf(last) + (last.data?.ms ?? 0);
  return (
    wroteMs > sinceMs ||
    // One that only begins later does not show that both were kept for the same time.
    postgresLogs.some((log) => (msOf(log.at) ?? 0) <= lastOf(last) && lastOf(log) > sinceMs) ||
    old.some(
      ({ source, at }) =>
        (source === 'postgresql log' || source === 'kernel log') && (msOf(at) ?? 0) > sinceMs,
    )
  );
}

/** Where the log of its Patroni ends before the change, not long before. */
function endOfLog({ old, change }: StoryEvidence): StoryFact | null {
  const last = old
    .filter(isOwnLog)
    .reduce<StoryFact | null>((most, one) => (lastOf(one) >= lastOf(most) ? one : most), null);
  const lastMs = lastOf(last);
  const sinceMs = change.sinceMs ?? change.atMs;
  if (last?.what !== 'patroni_log_ends' || sinceMs === null) return null;
  if (lastMs > sinceMs + CLOCKS_MS || lastMs < sinceMs - LONGEST_LEASE_MS) return null;
  // It wrote on after the change, by a clock that is behind.
  if (old.some(({ what, data }) => what === 'patroni_follows' && data?.leader === change.to))
    return null;
  return last;
}

function endedThere(evidence: StoryEvidence, last: StoryFact): CauseFound | null {
  const lastMs = lastOf(last);
  const within = ({ at }: StoryFact): boolean => (msOf(at) ?? 0) >= lastMs - CLOCKS_MS;
  const found = ended(evidence, { within, fromMs: lastMs }, 'after that');
  const isKilled = found.fits[0] === 'patroni_killed' && found.sure === 'inferred';
  // A lock that is not given up ends with its lease: so soon it was another cause, and the file was cut off.
  const isTooSoon = (evidence.change.atMs ?? Infinity) - lastMs < SHORTEST_LOSS_MS;
  if (isTooSoon && found.fits[0] !== 'patroni_stopped') return null;
  // It may only have been frozen then: after it woke up it would have stopped PostgreSQL too.
  if (found.fits.length === 1 && !isKilled && isWhole(evidence, last, found)) return found;
  return {
    ...found,
    fits: [
      ...found.fits,
      'patroni_frozen',
      ...(last.data?.mode === 'in loop' ? (['postgres_hung'] as const) : []),
    ],
    message: `The log of Patroni on ${oldLeader(evidence)} ends before the change.`,
  };
}

/** What only another file shows leaves open whether Patroni's was copied earlier, except where that says the cause. */
function isWhole({ change }: StoryEvidence, last: StoryFact, { sure }: CauseFound): boolean {
  const wroteMs = lastOf(last) + (last.data?.ms ?? 0);
  return sure === 'said' || wroteMs > (change.sinceMs ?? change.atMs ?? Infinity);
}

const lastOf = (fact: StoryFact | null): number => msOf(fact?.until ?? fact?.at) ?? -Infinity;

/** Its lock ended within ttl (default 30 s) after its last line: an older end is that of the file. */
const LONGEST_LEASE_MS = 180_000;

/** It worked on, and found that it no longer had the lock. */
export function lostLock(evidence: StoryEvidence): CauseFound | null {
  const lost = oldSaidLast(evidence, 'demoted_without_lock', 'lock_not_updated');
  const later = evidence.old.find(({ what }) => what === 'demoted_without_lock');
  if (![lost, later].some((fact) => fact && isOfTerm(evidence, fact))) return null;
  return {
    fits: ['key_deleted', 'leader_cut_off', 'patroni_frozen', 'postgres_hung'],
    sure: 'inferred',
    message: `Patroni on ${oldLeader(evidence)} found that it no longer had the lock; its log does not say why.`,
    missing: "etcd's history, or a recording",
  };
}
