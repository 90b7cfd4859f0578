/** What a recording saw of the old leader. */
import type { StoryEvidence } from '../story-evidence.js';
import type { CauseCode, StoryFact } from '../story-model.js';
import { endsTerm, msOf } from '../term-changes.js';
import {
  deletedKey,
  MISSING_ALL,
  oldLeader,
  POSTGRES_LOST,
  saidCause,
  seenCause,
  type CauseFound,
} from './cause-found.js';
import { released } from './etcd-alone.js';

/** Both of its programs were asked all the time: which of them stopped answering, and how. */
export function recorded(evidence: StoryEvidence): CauseFound | null {
  const { change, before } = evidence;
  const name = oldLeader(evidence);
  const isSeen = (fact: StoryFact): boolean => fact.source === 'recording';
  if (!before.some(isSeen)) return null;
  const own = before.filter((fact) => isSeen(fact) && fact.member === change.from);
  const last = atTheEnd(own) ?? own.findLast(({ what }) => STATES.has(what));
  const silence = silenceOf(evidence);
  if (last && silence === null && !isOfTheEnd(last, own, change.atMs)) return null;
  if (silence !== null) return whileSilent(evidence, silence, last);
  if (last?.what === 'failsafe_holds') {
    return saidCause(
      'dcs_unreachable',
      `The DCS could not be reached; ${name} went on by failsafe mode.`,
    );
  }
  if (last?.what !== 'member_silent') return seenRunning(evidence);
  return silentAs(evidence, last);
}

/** It was recorded until the key went, or nearly until the change: what came later is not known otherwise. */
function isOfTheEnd(last: StoryFact, own: readonly StoryFact[], atMs: number | null): boolean {
  const endMs = msOf(own.findLast(endsTerm)?.at) ?? atMs;
  return endMs === null || (msOf(last.until ?? last.at) ?? 0) >= endMs - RECENT_MS;
}

/** Silent already when the key went: what it did afterwards is another matter. */
function atTheEnd(own: readonly StoryFact[]): StoryFact | null {
  const last = own
    .slice(0, own.findLastIndex(endsTerm) + 1)
    .findLast(({ what }) => STATES.has(what));
  return last?.what === 'member_silent' ? last : null;
}

/** Its Patroni answered until the key was gone: what it said of itself since it last led. */
function seenRunning(evidence: StoryEvidence): CauseFound | null {
  const { change, before } = evidence;
  const name = oldLeader(evidence);
  const own = before.filter(
    ({ source, member }) => source === 'recording' && member === change.from,
  );
  // A leader whose key was deleted manually stops too, as soon as it sees another one.
  const since = own
    .slice(own.findLastIndex(({ what }) => what === 'patroni_leads') + 1)
    .filter((fact) => !isAfterTaking(evidence, fact));
  const isSaid = (pattern: RegExp): boolean =>
    since.some(({ data }) => pattern.test(data?.state ?? ''));
  if (isSaid(/crash|start failed/)) {
    return {
      fits: [...POSTGRES_LOST, 'postgres_start_failed'],
      sure: 'seen',
      message: `PostgreSQL of ${name} ended without being stopped, and Patroni there gave up the lock.`,
      missing: "PostgreSQL's log of the old leader",
    };
  }
  if (!hasEnded(evidence, 'leader_key_released')) return null;
  if (isSaid(/stopping|stopped/) || since.some(({ data }) => data?.role === 'demoted')) {
    return {
      fits: ['watchdog', 'postgres_start_timeout', ...POSTGRES_LOST],
      sure: 'seen',
      message: `Patroni on ${name} demoted itself and gave up the lock; no request for it was recorded.`,
      missing: MISSING_ALL,
    };
  }
  return released(evidence) ?? deletedKey(name);
}

/** Another member was seen with the key before. */
function isAfterTaking({ before, change }: StoryEvidence, { at }: StoryFact): boolean {
  const taken = before.findLast(
    ({ what, source, member }) =>
      what === 'leader_key_taken' && source === 'recording' && member === change.to,
  );
  return (msOf(at) ?? 0) > (msOf(taken?.at) ?? Infinity);
}

interface Silence {
  fromMs: number;
  toMs: number;
}

/** The DCS did not answer patctl record, just before the change and so long that a leader cannot bear it. */
function silenceOf({ change, before }: StoryEvidence): Silence | null {
  const silent = before.findLast(
    ({ what, source }) => what === 'dcs_silent' && source === 'recording',
  );
  const [fromMs, untilMs] = [msOf(silent?.at), msOf(silent?.until ?? silent?.at)];
  const { atMs } = change;
  if (fromMs === null || untilMs === null || atMs === null) return null;
  const isWellSince = before.some(
    ({ what, member, source, at, until }) =>
      source === 'recording' &&
      what === 'patroni_leads' &&
      member === change.from &&
      (msOf(at) ?? 0) < atMs &&
      (msOf(until) ?? msOf(at) ?? 0) > untilMs,
  );
  const isRecent = untilMs >= atMs - RECENT_MS && !isWellSince;
  return isRecent && untilMs - fromMs >= SHORTEST_SILENCE_MS ? { fromMs, toMs: untilMs } : null;
}

/** patctl record notices a silence after its own limit (3 s); Patroni bears one of retry_timeout (default 10 s). */
const SHORTEST_SILENCE_MS = 5000;

/** The recorder may have been cut off itself: only another member that it still reached shows that it was not. */
function whileSilent(
  evidence: StoryEvidence,
  { fromMs, toMs }: Silence,
  last: StoryFact | undefined,
): CauseFound {
  const { change, before } = evidence;
  const name = oldLeader(evidence);
  const isReached = before.some(
    ({ source, what, member, at, until }) =>
      source === 'recording' &&
      STATES.has(what) &&
      what !== 'member_silent' &&
      member !== change.from &&
      (msOf(at) ?? Infinity) <= toMs &&
      (msOf(until) ?? msOf(at) ?? 0) >= fromMs,
  );
  if (isReached && last?.what !== 'member_silent') {
    return {
      fits: ['dcs_unreachable'],
      sure: 'seen',
      message: `The DCS did not answer, not to patctl record either, and the key of ${name} ended.`,
    };
  }
  const alone = last?.what === 'member_silent' ? silentAs(evidence, last) : null;
  return {
    fits: [...new Set<CauseCode>(['dcs_unreachable', 'leader_cut_off', ...(alone?.fits ?? [])])],
    sure: 'seen',
    message: `The DCS did not answer patctl record, and the key of ${name} ended; whether the DCS answered the members is not recorded.`,
    missing: 'the logs of Patroni of two members',
  };
}

/** After the DCS answers again members need some loops to take the lock. */
const RECENT_MS = 60_000;

const STATES: ReadonlySet<StoryFact['what']> = new Set<StoryFact['what']>([
  'patroni_leads',
  'member_answers',
  'member_silent',
  'failsafe_holds',
  'dcs_unseen',
]);

function silentAs(evidence: StoryEvidence, silent: StoryFact): CauseFound | null {
  const { data } = silent;
  const name = oldLeader(evidence);
  const isReleased = hasEnded(evidence, 'leader_key_released');
  const state = evidence.before.findLast(
    (fact) =>
      fact.what === 'member_state' &&
      fact.member === evidence.change.from &&
      !isOfNextStart(evidence, fact),
  );
  if (isReleased && isAnsweringStill(evidence, silent)) {
    return {
      fits: ['key_deleted'],
      sure: 'inferred',
      message: `Patroni on ${name} did not answer, and its PostgreSQL still did when the leader key was deleted: not by Patroni there, which stops PostgreSQL first.`,
    };
  }
  if (isReleased || state?.data?.state === 'stopped') {
    const then = data?.how === 'refused' ? 'its port was closed' : 'it no longer answered';
    return {
      fits: ['patroni_stopped'],
      sure: 'inferred',
      message: `Patroni on ${name} was stopped (its service or its host was shut down): it gave up the lock itself, and ${then}.`,
    };
  }
  const [how, postgres] = [data?.how, data?.mode];
  if (how === 'refused' && postgres === 'postgres_answers') {
    return seenCause(
      'patroni_killed',
      `Patroni on ${name} ended without giving up the lock (killed or crashed), while its PostgreSQL went on.`,
    );
  }
  if (how === 'refused' && postgres === 'postgres_refused') {
    if (!hasEnded(evidence, 'leader_key_expired')) {
      return {
        fits: ['node_lost', 'patroni_stopped'],
        sure: 'seen',
        message: `Patroni and PostgreSQL on ${name} both ended; whether Patroni there gave up the lock is not recorded.`,
        missing: MISSING_ALL,
      };
    }
    return seenCause(
      'node_lost',
      `Patroni and PostgreSQL on ${name} both ended without giving up the lock: both were killed, or the host was restarted.`,
    );
  }
  if (postgres === 'postgres_stopping') {
    return seenCause(
      'shutdown_too_slow',
      `Patroni on ${name} was stopped, and its lock ended while PostgreSQL there was still shutting down.`,
    );
  }
  if (how === 'timeout' && postgres === 'postgres_answers') {
    return seenCause(
      'patroni_frozen',
      `Patroni on ${name} did not answer and did not renew the lock, while its PostgreSQL went on: the process was frozen or overloaded.`,
    );
  }
  if (how === 'timeout' && postgres === 'postgres_timeout') {
    return {
      fits: ['node_frozen', 'node_lost', 'leader_cut_off', 'postgres_hung'],
      sure: 'seen',
      message: `Neither Patroni nor PostgreSQL on ${name} answered: the host was frozen, down, or cut off from the network, or PostgreSQL hung (a disk that does not answer) and Patroni waited for it.`,
      missing: 'the system log of the old leader',
    };
  }
  return null;
}

/** Its key had ended with its lease: who writes it again was started after that. */
function isOfNextStart(evidence: StoryEvidence, fact: StoryFact): boolean {
  if (!hasEnded(evidence, 'leader_key_expired')) return isAfterTaking(evidence, fact);
  const { before, change } = evidence;
  const end = before.findLast(
    (one) => endsTerm(one) && one.source === 'recording' && one.member === change.from,
  );
  return (msOf(fact.at) ?? 0) > (msOf(end?.at) ?? Infinity);
}

/** Its PostgreSQL answered at a look at which the key was gone. */
function isAnsweringStill(
  { before, change }: StoryEvidence,
  { data, at, until }: StoryFact,
): boolean {
  const end = before.findLast(
    (fact) => endsTerm(fact) && fact.source === 'recording' && fact.member === change.from,
  );
  const endMs = msOf(end?.at);
  return data?.mode === 'postgres_answers' && endMs !== null && (msOf(until ?? at) ?? 0) >= endMs;
}

function hasEnded({ change, before }: StoryEvidence, what: StoryFact['what']): boolean {
  if (change.end) return change.end.what === what;
  return before.findLast((fact) => endsTerm(fact) && fact.member === change.from)?.what === what;
}
