/** What the logs of the old leader say in words: its disk, its watchdog, its PostgreSQL, its own refusal. */
import {
  beginsLater,
  foundDead,
  isOfTerm,
  oldSaid,
  oldSaidLast,
  oldSaidSoon,
  oldSaidSuch,
  type StoryEvidence,
} from '../story-evidence.js';
import type { StoryFact } from '../story-model.js';
import { msOf } from '../term-changes.js';
import {
  isPostgres,
  oldLeader,
  POSTGRES_LOST,
  saidCause,
  SHORTEST_LOSS_MS,
  wholeSeconds,
  type CauseFound,
} from './cause-found.js';

export function diskFull(evidence: StoryEvidence): CauseFound | null {
  const full = oldSaid(evidence, 'disk_full');
  if (!full) return null;
  const died = oldSaid(
    evidence,
    'postgres_not_running',
    'postgres_child_killed',
    'postgres_panic',
    'postgres_start_failed',
    'failover_after_crash',
  );
  // Less than a PANIC ends a session or a process, and PostgreSQL goes on.
  if (full.data?.mode !== 'PANIC' && !(died && isNear(full, died))) return null;
  return {
    fits: ['disk_full'],
    sure: 'said',
    message: `The disk of ${oldLeader(evidence)} was full, and PostgreSQL there could not go on.`,
  };
}

/** While it was said again and again counts too. */
function isNear({ at, until }: StoryFact, later: StoryFact): boolean {
  const atMs = msOf(later.at) ?? 0;
  return atMs >= (msOf(at) ?? 0) - TOGETHER_MS && atMs <= (msOf(until ?? at) ?? 0) + TOGETHER_MS;
}

/** What ends PostgreSQL is followed by its end at once; Patroni sees that in its next loop. */
const TOGETHER_MS = 60_000;

export function watchdogFired(evidence: StoryEvidence): CauseFound | null {
  if (!oldSaid(evidence, 'watchdog_reset')) return null;
  const name = oldLeader(evidence);
  return saidCause('watchdog_fired', `The watchdog of ${name} restarted the host.`);
}

export function refusedItself(evidence: StoryEvidence): CauseFound | null {
  const name = oldLeader(evidence);
  if (oldSaidSoon(evidence, 'watchdog_failed')) {
    return saidCause(
      'watchdog',
      `Patroni on ${name} could not activate its watchdog and gave up the lock.`,
    );
  }
  if (oldSaid(evidence, 'pre_promote_failed')) {
    return saidCause(
      'promotion_cancelled',
      `The pre_promote script of ${name} failed, and it gave up the lock.`,
    );
  }
  if (oldSaid(evidence, 'data_directory_gone')) {
    return saidCause(
      'data_directory_gone',
      `The data directory of ${name} was empty or could not be read.`,
    );
  }
  const release = oldSaid(evidence, 'patroni_released');
  if (release?.data?.mode === 'pause') {
    return saidCause(
      'postgres_stopped_in_pause',
      `PostgreSQL of ${name} did not run as a primary while the cluster was paused.`,
    );
  }
  if (oldSaid(evidence, 'postgres_start_timeout')) {
    return saidCause(
      'postgres_start_timeout',
      `PostgreSQL of ${name} took longer to start than primary_start_timeout.`,
    );
  }
  return null;
}

/** Then it neither stops PostgreSQL nor deletes the leader key, which ends with its lease. */
export function stoppedInPause(evidence: StoryEvidence): CauseFound | null {
  if (!oldSaidLast(evidence, 'patroni_shutdown')) return null;
  const name = oldLeader(evidence);
  return saidCause(
    'patroni_stopped',
    `Patroni on ${name} was stopped while the cluster was paused: it left PostgreSQL running, and its lock ended with its lease.`,
  );
}

/** PostgreSQL was stopped cleanly, and the log of Patroni does not show that Patroni demoted itself before. */
export function stoppedCleanly(evidence: StoryEvidence): CauseFound | null {
  const { before, change } = evidence;
  const stop = oldSaidLast(evidence, 'postgres_stops');
  if (!stop || stop.data?.mode === 'immediate' || !evidence.hasPatroniLog) return null;
  if (!isOfTerm(evidence, stop)) return null;
  const at = msOf(stop.at) ?? 0;
  const isDemoted = before.some(
    (fact) =>
      DEMOTES.has(fact.what) &&
      fact.member === change.from &&
      Math.abs((msOf(fact.at) ?? 0) - at) <= DEMOTE_MS,
  );
  const isRunningAgain = before.some(
    (fact) =>
      fact.what === 'postgres_accepts_writes' &&
      fact.member === change.from &&
      (msOf(fact.at) ?? 0) > at,
  );
  if (isDemoted || isRunningAgain) return null;
  const name = oldLeader(evidence);
  if (foundDead(evidence, 'postgres_not_running', 'failover_after_crash')) {
    return saidCause('postgres_stopped', `PostgreSQL of ${name} was stopped, and not by Patroni.`);
  }
  return (
    tooSlow(evidence, at) ?? {
      fits: ['patroni_stopped'],
      sure: 'inferred',
      message: `Patroni on ${name} was stopped (its service or its host was shut down): PostgreSQL was stopped cleanly, and Patroni had not demoted itself.`,
    }
  );
}

/** Patroni does not renew the lock while it waits, on its own way out, for PostgreSQL to stop. */
function tooSlow(evidence: StoryEvidence, stopMs: number): CauseFound | null {
  const { change, old } = evidence;
  const endMs = change.atMs;
  if (endMs === null || change.end?.what === 'leader_key_released') return null;
  const isAt = (what: StoryFact['what'], fromMs: number, toMs: number): boolean =>
    old.some((fact) => {
      const ms = msOf(fact.at) ?? 0;
      return fact.what === what && ms >= fromMs && ms <= toMs;
    });
  const name = oldLeader(evidence);
  const stopped = old.find(
    ({ what, at }) => what === 'postgres_stopped' && (msOf(at) ?? 0) >= stopMs,
  );
  const tookMs = (msOf(stopped?.at) ?? endMs) - stopMs;
  const isDated = (change.sinceMs ?? endMs) === endMs;
  if (!isDated && tookMs >= SHORTEST_LOSS_MS) {
    return {
      fits: ['shutdown_too_slow', 'patroni_stopped'],
      sure: 'inferred',
      message: `Patroni on ${name} was stopped, and PostgreSQL there took ${wholeSeconds(tookMs)} to shut down; when another member took the lock is not recorded.`,
      missing: "etcd's history, or the log of the new leader",
    };
  }
  if (!isDated || isAt('postgres_stopped', stopMs, endMs)) return null;
  const waited = `PostgreSQL of ${name} was told to shut down ${wholeSeconds(endMs - stopMs)} before, and still ran`;
  const isLate = isAt('postgres_shutting_down', endMs, Infinity);
  if (change.end?.what === 'leader_key_expired' || (isLate && endMs - stopMs >= SHORTEST_LOSS_MS)) {
    return {
      fits: ['shutdown_too_slow'],
      sure: 'inferred',
      message: `Patroni on ${name} was stopped, and its lock ended while it waited for PostgreSQL: ${waited}.`,
    };
  }
  if (endMs - stopMs < SHORTEST_LOSS_MS) return null;
  return {
    fits: ['shutdown_too_slow', 'patroni_stopped'],
    sure: 'inferred',
    message: `Patroni on ${name} was stopped: ${waited}.`,
    missing: "etcd's history: did the leader key end with its lease",
  };
}

const DEMOTES: ReadonlySet<StoryFact['what']> = new Set<StoryFact['what']>([
  'patroni_demotes',
  'demoted_without_dcs',
  'demoted_without_lock',
]);

/** A checkpoint comes before the shutdown that Patroni asks for. */
const DEMOTE_MS = 60_000;

export function crashed(evidence: StoryEvidence): CauseFound | null {
  const name = oldLeader(evidence);
  if (oldSaidLast(evidence, 'demoted_without_dcs', 'demoted_without_lock')) return null;
  const down = foundDead(evidence, 'postgres_not_running', 'failover_after_crash');
  const failed = foundDead(evidence, 'postgres_start_failed');
  if (!down && !failed) return null;
  const memory = outOfMemory(evidence);
  if (memory) return memory;
  if (!down)
    return saidCause('postgres_start_failed', `PostgreSQL of ${name} could not be started.`);
  if (!evidence.hasPostgresLog || beginsLater(evidence.old, down.at)) {
    return {
      fits: [...POSTGRES_LOST],
      sure: 'said',
      message: `Patroni on ${name} found that PostgreSQL did not run, and gave the lock to another member.`,
      missing: "PostgreSQL's log of the old leader",
    };
  }
  const child = oldSaid(evidence, 'postgres_child_killed', 'postgres_panic');
  const why = child ? ` (${child.message})` : '';
  const then = failed
    ? ', and could not be started again'
    : '; Patroni there gave the lock to another member';
  return saidCause('postgres_crashed', `PostgreSQL of ${name} crashed or was killed${why}${then}.`);
}

const FOUND_DOWN: ReadonlySet<StoryFact['what']> = new Set<StoryFact['what']>([
  'postgres_not_running',
  'failover_after_crash',
  'postgres_start_failed',
]);

/** The kernel says so, or PostgreSQL itself as its last word. */
function outOfMemory(evidence: StoryEvidence): CauseFound | null {
  const name = oldLeader(evidence);
  const downs = evidence.before.filter(
    ({ what, member }) => member === evidence.change.from && FOUND_DOWN.has(what),
  );
  // The kernel may have ended other programs as well.
  const killed = oldSaidSuch(
    evidence,
    (fact) =>
      fact.what === 'oom_killed' && isPostgres(fact) && downs.some((down) => isNear(fact, down)),
  );
  if (killed) {
    return saidCause(
      'out_of_memory',
      `The kernel of ${name} ended PostgreSQL there, because memory ran out.`,
    );
  }
  const own = oldSaid(evidence, 'out_of_memory');
  if (own?.data?.mode === 'PANIC') {
    return saidCause('out_of_memory', `PostgreSQL of ${name} ran out of memory and ended.`);
  }
  return null;
}
