/**
 * Why a leader's term ended. The rules go from what a source says in words to what only follows; what the sources
 * leave open stays open: then the causes that fit are named, and none is chosen.
 */
import { adviceFor } from './story-advice.js';
import {
  CLOCKS_MS,
  foundDead,
  isAfterLeading,
  oldSaid,
  oldSaidLast,
  oldSaidSoon,
  type StoryEvidence,
} from './story-evidence.js';
import { endsTerm, msOf } from './term-changes.js';
import type { CauseCode, StoryFact, Sure, StoryVerdict } from './story-model.js';

interface Finding {
  fits: CauseCode[];
  sure: Sure;
  message: string;
  missing?: string;
}

type Rule = (evidence: StoryEvidence) => Finding | null;

export function storyVerdict(evidence: StoryEvidence): StoryVerdict {
  for (const rule of RULES) {
    const found = rule(evidence);
    if (found) return asVerdict(evidence, found);
  }
  const from = evidence.change.from ?? 'the leader';
  return {
    cause: null,
    fits: [],
    sure: null,
    message: `The cause is unknown: no source recorded why ${from} lost the lock.`,
    missing: MISSING_ALL,
    advice: [],
  };
}

function asVerdict(
  { change }: StoryEvidence,
  { fits, sure, message, missing }: Finding,
): StoryVerdict {
  const [first] = fits;
  const isSettled = fits.length === 1 && first !== undefined;
  return {
    cause: isSettled ? first : null,
    fits: isSettled ? [] : fits,
    sure,
    message,
    missing: missing ?? null,
    // Advice against a cause that may not be the one leads astray.
    advice: isSettled ? adviceFor(first, change.from ?? 'the old leader') : [],
  };
}

const MISSING_ALL = 'the logs of Patroni and PostgreSQL of the old leader';

/** The first that finds something is the answer. */
const RULES: readonly Rule[] = [
  removed,
  requested,
  watchdogFired,
  diskFull,
  refusedItself,
  stoppedCleanly,
  crashed,
  heldByFailsafe,
  recorded,
  lostDcs,
  stoodStill,
  endedInLog,
  lostLock,
  silentToOthers,
  released,
  expired,
];

const nameOf = ({ change }: StoryEvidence): string => change.from ?? 'the old leader';

// ---------------------------------------------------------------- on purpose

function removed({ change }: StoryEvidence): Finding | null {
  if (change.end?.what !== 'leader_key_removed') return null;
  return {
    fits: ['cluster_removed'],
    sure: 'said',
    message: 'The keys of the whole cluster were deleted from the DCS.',
  };
}

function requested(evidence: StoryEvidence): Finding | null {
  const { change, before } = evidence;
  const request = requestFor(evidence);
  const demotes = before.findLast(
    ({ what, data, member }) =>
      what === 'patroni_demotes' && data?.mode === 'requested' && member === change.from,
  );
  const own = demotes && isAfterLeading(evidence, demotes) ? demotes : null;
  const isByLease = change.end?.what === 'leader_key_expired';
  if (request && !isByLease) {
    const { leader = null, candidate = null } = request.data ?? {};
    const isLogged = request.source === 'patroni log';
    if (own || (!isLogged && (change.end || isDemotedOnRequest(evidence)))) {
      return planned(
        evidence,
        leader,
        candidate,
        isRequestFirst(change.end, request) ? null : change.end,
      );
    }
  }
  if (request && isByLease && !isRequestFirst(change.end, request)) {
    return planned(
      evidence,
      request.data?.leader ?? null,
      request.data?.candidate ?? null,
      change.end,
    );
  }
  if (!own) return null;
  if (own.message.startsWith('switchover')) return planned(evidence, change.from, null, null);
  return {
    // Patroni before 3.2 writes the same words for both.
    fits: ['switchover', 'manual_failover'],
    sure: 'said',
    message: `${nameOf(evidence)} gave up the lock on request, by a switchover or a manual failover.`,
    missing: 'the request itself: in the log of the Patroni that took it, or in a recording',
  };
}

function planned(
  evidence: StoryEvidence,
  leader: string | null,
  candidate: string | null,
  endBefore: StoryFact | null,
): Finding {
  const { change } = evidence;
  const to = candidate ?? change.to ?? 'another member';
  if (leader !== null) {
    const named = candidate === null ? ', without a named candidate' : '';
    return {
      fits: ['switchover'],
      sure: 'said',
      message: `A planned switchover from ${leader} to ${to}${named}.`,
    };
  }
  const after = endBefore ? `, after ${nameOf(evidence)} had lost the lock` : '';
  return {
    fits: ['manual_failover'],
    sure: 'said',
    message: `A manual failover to ${to}${after}.`,
  };
}

/** A request that explains this change: made for this leader and candidate, and due. */
function requestFor(evidence: StoryEvidence): StoryFact | null {
  const { before, change } = evidence;
  const found = before.findLast(({ what }) => what === 'failover_requested');
  if (!found || isWithdrawn(evidence, found)) return null;
  const { leader = null, candidate = null, scheduledAt = null } = found.data ?? {};
  if (candidate !== null && candidate !== change.to) return null;
  if (leader !== null && leader !== change.from) return null;
  if (leader === null && candidate === null) return null;
  const due = msOf(scheduledAt);
  return due !== null && change.atMs !== null && due > change.atMs + CLOCKS_MS ? null : found;
}

/** It was gone before the term ended: the new leader deletes the one that it follows after it took the key. */
function isWithdrawn({ before, change }: StoryEvidence, request: StoryFact): boolean {
  const own = before.filter(({ source }) => source === request.source);
  const after = own.slice(own.indexOf(request) + 1);
  const gone = after.findIndex(({ what }) => what === 'failover_request_gone');
  const ended = after.findIndex((fact) => endsTerm(fact) && fact.member === change.from);
  return gone !== -1 && ended > gone;
}

/** By etcd's order; a request that only a log knows came first, because its member obeyed it. */
function isRequestFirst(end: StoryFact | null, request: StoryFact): boolean {
  if (!end?.revision || request.revision === null) return true;
  return BigInt(request.revision) < BigInt(end.revision);
}

/** Ends of a term that a request can have: a recording does not always see which of them it was. */
const GIVEN_UP: ReadonlySet<StoryFact['what']> = new Set<StoryFact['what']>([
  'leader_key_lost',
  'leader_key_released',
]);

/** A recording shows how the old leader went. */
function isDemotedOnRequest(evidence: StoryEvidence): boolean {
  return evidence.before.some(
    ({ what, data, member }) =>
      (what === 'patroni_demotes' &&
        data?.mode === 'graceful' &&
        member === evidence.change.from) ||
      (GIVEN_UP.has(what) && member === evidence.change.from),
  );
}

// ---------------------------------------------------------------- what the old leader says itself

function diskFull(evidence: StoryEvidence): Finding | null {
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
  if (full.data?.mode !== 'PANIC' && !died) return null;
  return {
    fits: ['disk_full'],
    sure: 'said',
    message: `The disk of ${nameOf(evidence)} was full, and PostgreSQL there could not go on.`,
  };
}

function watchdogFired(evidence: StoryEvidence): Finding | null {
  if (!oldSaid(evidence, 'watchdog_reset')) return null;
  const name = nameOf(evidence);
  return said('watchdog_fired', `The watchdog of ${name} restarted the host.`);
}

function refusedItself(evidence: StoryEvidence): Finding | null {
  const name = nameOf(evidence);
  if (oldSaidSoon(evidence, 'watchdog_failed')) {
    return said(
      'watchdog',
      `Patroni on ${name} could not activate its watchdog and gave up the lock.`,
    );
  }
  if (oldSaid(evidence, 'pre_promote_failed')) {
    return said(
      'promotion_cancelled',
      `The pre_promote script of ${name} failed, and it gave up the lock.`,
    );
  }
  if (oldSaid(evidence, 'data_directory_gone')) {
    return said(
      'data_directory_gone',
      `The data directory of ${name} was empty or could not be read.`,
    );
  }
  const release = oldSaid(evidence, 'patroni_released');
  if (release?.data?.mode === 'pause') {
    return said(
      'postgres_stopped_in_pause',
      `PostgreSQL of ${name} did not run as a primary while the cluster was paused.`,
    );
  }
  if (oldSaid(evidence, 'postgres_start_timeout')) {
    return said(
      'postgres_start_timeout',
      `PostgreSQL of ${name} took longer to start than primary_start_timeout.`,
    );
  }
  return null;
}

const said = (cause: CauseCode, message: string): Finding => ({
  fits: [cause],
  sure: 'said',
  message,
});

/** PostgreSQL was stopped cleanly, and the log of Patroni does not show that Patroni demoted itself before. */
function stoppedCleanly(evidence: StoryEvidence): Finding | null {
  const { before, change } = evidence;
  const stop = oldSaidLast(evidence, 'postgres_stops');
  if (!stop || stop.data?.mode === 'immediate' || !evidence.hasPatroniLog) return null;
  const at = msOf(stop.at) ?? 0;
  const isDemoted = before.some(
    (fact) =>
      fact.what === 'patroni_demotes' &&
      fact.member === change.from &&
      Math.abs((msOf(fact.at) ?? 0) - at) <= DEMOTE_MS,
  );
  if (isDemoted) return null;
  const name = nameOf(evidence);
  if (foundDead(evidence, 'postgres_not_running', 'failover_after_crash')) {
    return said('postgres_stopped', `PostgreSQL of ${name} was stopped, and not by Patroni.`);
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
function tooSlow(evidence: StoryEvidence, stopMs: number): Finding | null {
  const { change, old } = evidence;
  const endMs = change.atMs;
  if (endMs === null || change.end?.what === 'leader_key_released') return null;
  const isAt = (what: StoryFact['what'], fromMs: number, toMs: number): boolean =>
    old.some((fact) => {
      const ms = msOf(fact.at) ?? 0;
      return fact.what === what && ms >= fromMs && ms <= toMs;
    });
  const name = nameOf(evidence);
  const stopped = old.find(
    ({ what, at }) => what === 'postgres_stopped' && (msOf(at) ?? 0) >= stopMs,
  );
  const tookMs = (msOf(stopped?.at) ?? endMs) - stopMs;
  const isDated = (change.sinceMs ?? endMs) === endMs;
  if (!isDated && tookMs >= LONG_STOP_MS) {
    return {
      fits: ['shutdown_too_slow', 'patroni_stopped'],
      sure: 'inferred',
      message: `Patroni on ${name} was stopped, and PostgreSQL there took ${seconds(tookMs)} to shut down; when another member took the lock is not recorded.`,
      missing: "etcd's history, or the log of the new leader",
    };
  }
  if (!isDated || isAt('postgres_stopped', stopMs, endMs)) return null;
  const waited = `PostgreSQL of ${name} was told to shut down ${seconds(endMs - stopMs)} before, and still ran`;
  const isLate = isAt('postgres_shutting_down', endMs, Infinity);
  if (change.end?.what === 'leader_key_expired' || (isLate && endMs - stopMs >= LONG_STOP_MS)) {
    return {
      fits: ['shutdown_too_slow'],
      sure: 'inferred',
      message: `Patroni on ${name} was stopped, and its lock ended while it waited for PostgreSQL: ${waited}.`,
    };
  }
  if (endMs - stopMs < LONG_STOP_MS) return null;
  return {
    fits: ['shutdown_too_slow', 'patroni_stopped'],
    sure: 'inferred',
    message: `Patroni on ${name} was stopped: ${waited}.`,
    missing: "etcd's history: did the leader key end with its lease",
  };
}

/** The least ttl is 20 s, and the lock may have been renewed up to a loop before. */
const LONG_STOP_MS = 8_000;

/** A checkpoint comes before the shutdown that Patroni asks for. */
const DEMOTE_MS = 60_000;

function heldByFailsafe(evidence: StoryEvidence): Finding | null {
  const { change } = evidence;
  if (change.from === null || change.from !== change.to) return null;
  if (!oldSaidLast(evidence, 'failsafe_holds')) return null;
  return said(
    'dcs_unreachable',
    `The DCS could not be reached; ${change.from} stayed the leader by failsafe mode and took the lock again.`,
  );
}

function crashed(evidence: StoryEvidence): Finding | null {
  const name = nameOf(evidence);
  if (oldSaidLast(evidence, 'demoted_without_dcs', 'demoted_without_lock')) return null;
  const down = foundDead(evidence, 'postgres_not_running', 'failover_after_crash');
  const failed = foundDead(evidence, 'postgres_start_failed');
  if (!down && !failed) return null;
  const memory = outOfMemory(evidence);
  if (memory) return memory;
  if (!down) return said('postgres_start_failed', `PostgreSQL of ${name} could not be started.`);
  if (!evidence.hasPostgresLog) {
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
  return said('postgres_crashed', `PostgreSQL of ${name} crashed or was killed${why}${then}.`);
}

/** The kernel says so, or PostgreSQL itself as its last word. */
function outOfMemory(evidence: StoryEvidence): Finding | null {
  const name = nameOf(evidence);
  const killed = oldSaid(evidence, 'oom_killed');
  if (killed && isPostgres(killed)) {
    return said(
      'out_of_memory',
      `The kernel of ${name} ended PostgreSQL there, because memory ran out.`,
    );
  }
  const own = oldSaid(evidence, 'out_of_memory');
  if (own?.data?.mode === 'PANIC') {
    return said('out_of_memory', `PostgreSQL of ${name} ran out of memory and ended.`);
  }
  return null;
}

const isPostgres = ({ data }: StoryFact): boolean => /^post(?:gres|master)/.test(data?.mode ?? '');

// ---------------------------------------------------------------- the DCS

function lostDcs(evidence: StoryEvidence): Finding | null {
  const { change } = evidence;
  const name = nameOf(evidence);
  const trouble = oldSaidLast(evidence, 'demoted_without_dcs', 'dcs_unreachable', 'dcs_unseen');
  if (!trouble) return null;
  const began = Math.min(msOf(trouble.at) ?? Infinity, change.atMs ?? Infinity);
  const scope = whoElse(evidence, began);
  const demoted = oldSaid(evidence, 'demoted_without_dcs') ? ' and demoted itself' : '';
  if (scope === 'all') {
    return said(
      'dcs_unreachable',
      `The DCS could not be reached by ${name} and other members${demoted === '' ? '' : `; ${name} demoted itself`}.`,
    );
  }
  if (scope === 'old only') {
    return said('leader_cut_off', `${name} could not reach the DCS${demoted}, while others could.`);
  }
  return {
    fits: ['leader_cut_off', 'dcs_unreachable'],
    sure: 'said',
    message: `${name} could not reach the DCS${demoted}; whether others could is not recorded.`,
    missing: "the log of another member's Patroni, or a recording",
  };
}

/** Whether others could not reach the DCS either while the old leader could not. */
function whoElse({ facts, change }: StoryEvidence, beganMs: number): 'all' | 'old only' | null {
  const endMs = change.atMs ?? Infinity;
  const during = ({ at, until }: StoryFact): boolean =>
    (msOf(until) ?? msOf(at) ?? 0) >= beganMs - CLOCKS_MS &&
    (msOf(at) ?? Infinity) <= endMs + CLOCKS_MS;
  const others = facts.filter(({ member }) => member !== change.from);
  if (leasesOfOthers(change.etcd, change.end)) return 'all';
  if (others.some((fact) => NO_DCS.has(fact.what) && during(fact))) return 'all';
  const isFollowing = others.some(
    (fact) => fact.what === 'patroni_follows' && (fact.times ?? 1) > 1 && during(fact),
  );
  const isWatched = others.some(({ source }) => source === 'recording');
  return isFollowing || isWatched ? 'old only' : null;
}

const NO_DCS: ReadonlySet<StoryFact['what']> = new Set<StoryFact['what']>([
  'dcs_unreachable',
  'dcs_unseen',
  'dcs_silent',
  'failsafe_holds',
]);

/** Keys of other members that ended with their leases just before or after the leader's: etcd served none of them. */
export function leasesOfOthers(etcd: readonly StoryFact[], end: StoryFact | null): boolean {
  if (end?.what !== 'leader_key_expired') return false;
  const at = etcd.indexOf(end);
  const near = etcd.slice(Math.max(0, at - NEAR_FACTS), at + NEAR_FACTS);
  return near.some(
    ({ what, revision, data }) =>
      what === 'member_key_expired' &&
      data?.state !== 'stopped' &&
      Math.abs(Number(BigInt(revision ?? 0) - BigInt(end.revision ?? 0))) <= NEAR_REVISIONS,
  );
}

const NEAR_FACTS = 8;
const NEAR_REVISIONS = 8;

// ---------------------------------------------------------------- a Patroni that wrote nothing

function stoodStill(evidence: StoryEvidence): Finding | null {
  const { change, old } = evidence;
  const name = nameOf(evidence);
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
  if (!restarted && gap.data?.mode === 'in loop') {
    return {
      fits: ['postgres_hung', 'patroni_frozen'],
      sure: 'seen',
      message: `Patroni on ${name} began a loop and wrote nothing for ${seconds(gap.data.ms)}: PostgreSQL there did not answer it, or Patroni itself was frozen.`,
      missing: 'the system log of the old leader (disks, memory), or a recording',
    };
  }
  if (!restarted) {
    return {
      fits: ['patroni_frozen'],
      sure: 'seen',
      message: `Patroni on ${name} stood still for ${seconds(gap.data?.ms)} and could not renew the lock within ttl: the process or its host was frozen or overloaded.`,
    };
  }
  return ended(evidence, within, `for ${seconds(gap.data?.ms)}, then it was started again`);
}

/** Patroni of the old leader ended: what PostgreSQL's log says of the same time. */
function ended(
  evidence: StoryEvidence,
  within: (fact: StoryFact) => boolean,
  silence: string,
): Finding {
  const name = nameOf(evidence);
  const postgres = evidence.old.filter(({ source }) => source === 'postgresql log');
  const untilPromoted = (fact: StoryFact): boolean =>
    within(fact) && (msOf(fact.at) ?? 0) <= (evidence.change.atMs ?? 0) + CLOCKS_MS;
  const killed = evidence.old.find((fact) => fact.what === 'oom_killed' && untilPromoted(fact));
  if (killed && !isPostgres(killed)) {
    return said(
      'patroni_killed',
      `The kernel of ${name} ended Patroni there (${killed.data?.mode ?? ''}), because memory ran out.`,
    );
  }
  if (evidence.old.some((fact) => fact.what === 'host_started' && within(fact))) {
    return said('node_lost', `The host of ${name} went down and was started again.`);
  }
  const stops = postgres.find((fact) => fact.what === 'postgres_stops' && untilPromoted(fact));
  if (stops && stops.data?.mode !== 'immediate') {
    return {
      fits: ['patroni_stopped'],
      sure: 'seen',
      message: `Patroni on ${name} was stopped (its service or its host was shut down): PostgreSQL was stopped cleanly before the change, and Patroni wrote nothing ${silence}.`,
    };
  }
  const next = postgres.find(
    (fact) =>
      ['postgres_stops', 'postgres_interrupted', 'postgres_starts'].includes(fact.what) &&
      (msOf(fact.at) ?? 0) > (evidence.change.atMs ?? 0) + CLOCKS_MS,
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
  const isReleased = evidence.change.end?.what === 'leader_key_released';
  if (isReleased)
    return (
      released(evidence) ?? {
        fits: ['patroni_stopped'],
        sure: 'inferred',
        message: `Patroni on ${name} was stopped.`,
      }
    );
  return {
    fits: evidence.change.end
      ? ['patroni_killed', 'node_lost']
      : ['patroni_killed', 'node_lost', 'patroni_stopped'],
    sure: 'inferred',
    message: `Patroni on ${name} ended: it wrote nothing ${silence}.`,
    missing: "PostgreSQL's log of the old leader, and its system log (OOM killer, reboot)",
  };
}

function endedInLog(evidence: StoryEvidence): Finding | null {
  const { old, change } = evidence;
  const last = old.find(({ what }) => what === 'patroni_log_ends');
  const lastMs = msOf(last?.at);
  const sinceMs = change.sinceMs ?? change.atMs;
  if (lastMs === null || sinceMs === null || lastMs > sinceMs + CLOCKS_MS) return null;
  const found = ended(evidence, ({ at }) => (msOf(at) ?? 0) >= lastMs - CLOCKS_MS, 'after that');
  if (found.fits.length === 1) return found;
  return {
    ...found,
    fits: [
      ...found.fits,
      'patroni_frozen',
      ...(last?.data?.mode === 'in loop' ? (['postgres_hung'] as const) : []),
    ],
    message: `The log of Patroni on ${nameOf(evidence)} ends before the change.`,
  };
}

/** It worked on, and found that it no longer had the lock. */
function lostLock(evidence: StoryEvidence): Finding | null {
  const lost = oldSaidLast(evidence, 'demoted_without_lock', 'lock_not_updated');
  const later = evidence.old.find(({ what }) => what === 'demoted_without_lock');
  if (!lost && !later) return null;
  return {
    fits: ['key_deleted', 'leader_cut_off', 'patroni_frozen', 'postgres_hung'],
    sure: 'inferred',
    message: `Patroni on ${nameOf(evidence)} found that it no longer had the lock; its log does not say why.`,
    missing: "etcd's history, or a recording",
  };
}

const seconds = (ms: number | undefined): string => `${((ms ?? 0) / 1000).toFixed(0)} s`;

// ---------------------------------------------------------------- what a recording saw of it

/** Both of its programs were asked all the time: which of them stopped answering, and how. */
function recorded(evidence: StoryEvidence): Finding | null {
  const { change, before } = evidence;
  const name = nameOf(evidence);
  const isSeen = (fact: StoryFact): boolean => fact.source === 'recording';
  if (!before.some(isSeen)) return null;
  const own = before.filter((fact) => isSeen(fact) && fact.member === change.from);
  const last = atTheEnd(own) ?? own.findLast(({ what }) => STATES.has(what));
  const silence = silenceOf(evidence);
  if (silence !== null) return whileSilent(evidence, silence, last);
  if (last?.what === 'failsafe_holds') {
    return said(
      'dcs_unreachable',
      `The DCS could not be reached; ${name} went on by failsafe mode.`,
    );
  }
  if (last?.what !== 'member_silent') return seenRunning(evidence);
  return silentAs(evidence, last);
}

/** Silent already when the key went: what it did afterwards is another matter. */
function atTheEnd(own: readonly StoryFact[]): StoryFact | null {
  const last = own
    .slice(0, own.findLastIndex(endsTerm) + 1)
    .findLast(({ what }) => STATES.has(what));
  return last?.what === 'member_silent' ? last : null;
}

/** Its Patroni answered until the key was gone: what it said of itself since it last led. */
function seenRunning(evidence: StoryEvidence): Finding | null {
  const { change, before } = evidence;
  const name = nameOf(evidence);
  const own = before.filter(
    ({ source, member }) => source === 'recording' && member === change.from,
  );
  const since = own.slice(own.findLastIndex(({ what }) => what === 'patroni_leads') + 1);
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
  return deletedKey(name);
}

/** A running leader's key is gone, and its lease has not ended. */
const deletedKey = (name: string): Finding => ({
  fits: ['key_deleted', ...POSTGRES_LOST, 'patroni_stopped', 'watchdog'],
  sure: 'inferred',
  message: `The leader key of ${name} was deleted, and not by its lease: by Patroni there, or manually.`,
  missing: MISSING_ALL,
});

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
): Finding {
  const { change, before } = evidence;
  const name = nameOf(evidence);
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

function silentAs(evidence: StoryEvidence, { data }: StoryFact): Finding | null {
  const name = nameOf(evidence);
  const isReleased = hasEnded(evidence, 'leader_key_released');
  const state = evidence.before.findLast(
    ({ what, member }) => what === 'member_state' && member === evidence.change.from,
  );
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
    return seen(
      'patroni_killed',
      `Patroni on ${name} ended without giving up the lock (killed or crashed), while its PostgreSQL went on.`,
    );
  }
  if (how === 'refused' && postgres === 'postgres_refused') {
    return seen(
      'node_lost',
      `Patroni and PostgreSQL on ${name} both ended without giving up the lock: both were killed, or the host was restarted.`,
    );
  }
  if (postgres === 'postgres_stopping') {
    return seen(
      'shutdown_too_slow',
      `Patroni on ${name} was stopped, and its lock ended while PostgreSQL there was still shutting down.`,
    );
  }
  if (how === 'timeout' && postgres === 'postgres_answers') {
    return seen(
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

const seen = (cause: CauseCode, message: string): Finding => ({
  fits: [cause],
  sure: 'seen',
  message,
});

function hasEnded({ change, before }: StoryEvidence, what: StoryFact['what']): boolean {
  if (change.end) return change.end.what === what;
  return before.findLast((fact) => endsTerm(fact) && fact.member === change.from)?.what === what;
}

// ---------------------------------------------------------------- what others saw of it

function silentToOthers(evidence: StoryEvidence): Finding | null {
  const { change, before } = evidence;
  const name = nameOf(evidence);
  const told = before.findLast(
    ({ what, member, source }) =>
      (what === 'member_silent' || what === 'member_answers') &&
      member === change.from &&
      source !== 'etcd',
  );
  if (!told || change.end?.what === 'leader_key_released') return null;
  if (told.what === 'member_answers') return ranUntilTheEnd(evidence, told);
  if (told.data?.how === 'refused') {
    return {
      fits: change.end
        ? ['patroni_killed', 'node_lost']
        : ['patroni_killed', 'node_lost', 'patroni_stopped'],
      sure: 'inferred',
      message: `Patroni on ${name} did not run any more: its port was closed when another member took the lock.`,
      missing: MISSING_ALL,
    };
  }
  return {
    fits: [
      'patroni_frozen',
      'node_lost',
      'leader_cut_off',
      'postgres_hung',
      'shutdown_too_slow',
      ...(change.end ? [] : (['key_deleted'] as const)),
    ],
    sure: 'inferred',
    message: `Patroni on ${name} did not answer when another member took the lock.`,
    missing: MISSING_ALL,
  };
}

/** Without the end of its key nearly everything fits a Patroni that runs: then no cause is named. */
function ranUntilTheEnd(evidence: StoryEvidence, { data }: StoryFact): Finding {
  const { change } = evidence;
  const name = nameOf(evidence);
  const ran = `Patroni on ${name} still answered when another member took the lock`;
  if (leasesOfOthers(change.etcd, change.end)) {
    return {
      fits: ['dcs_unreachable'],
      sure: 'inferred',
      message: `${ran}: it ran, and the DCS did not keep the keys.`,
    };
  }
  if (change.end?.what === 'leader_key_expired') {
    return {
      fits: ['leader_cut_off', 'dcs_unreachable'],
      sure: 'inferred',
      message: `${ran}: it ran, and did not renew its lease.`,
      missing: MISSING_ALL,
    };
  }
  if (/crash|start failed/.test(data?.state ?? '')) {
    return {
      fits: [...POSTGRES_LOST, 'postgres_start_failed'],
      sure: 'inferred',
      message: `PostgreSQL of ${name} had crashed or could not be started, by what Patroni there answered.`,
      missing: "PostgreSQL's log of the old leader",
    };
  }
  const isDemoted = data?.role === 'demoted';
  return {
    fits: [],
    sure: 'said',
    message: `${ran}${isDemoted ? ', and had demoted itself' : ''}; why it gave up the lock is not recorded.`,
    missing: MISSING_ALL,
  };
}

// ---------------------------------------------------------------- etcd alone

function released(evidence: StoryEvidence): Finding | null {
  const { change } = evidence;
  if (change.end?.what !== 'leader_key_released') return null;
  const name = nameOf(evidence);
  const at = change.etcd.indexOf(change.end);
  const own = ({ what, member }: StoryFact): boolean =>
    what === 'member_state' && member === change.from;
  const before = change.etcd.slice(0, at).findLast(own);
  const after = change.etcd
    .slice(at + 1)
    .find(
      (fact) => own(fact) || (fact.what === 'member_key_expired' && fact.member === change.from),
    );
  const standby = change.etcd.slice(0, at).findLast(({ what }) => what === 'config_changed');
  if (standby?.data?.mode === 'standby_cluster') {
    return {
      fits: ['demoted_to_standby_cluster'],
      sure: 'inferred',
      message: 'The cluster was demoted to a standby cluster.',
    };
  }
  const near = [...change.etcd.slice(Math.max(0, at - 4), at).filter(own), before, after];
  if (near.some((fact) => /crash|fail/.test(fact?.data?.state ?? ''))) {
    return {
      fits: [...POSTGRES_LOST, 'postgres_start_failed'],
      sure: 'inferred',
      message: `PostgreSQL of ${name} crashed or could not be started, and Patroni there gave up the lock.`,
      missing: "PostgreSQL's log of the old leader",
    };
  }
  const taken = change.taken === null ? Infinity : change.etcd.indexOf(change.taken);
  // Patroni writes its member key as soon as it has given up the lock.
  if (after?.what === 'member_state' && change.etcd.indexOf(after) < taken) {
    const { state = '', role = '' } = after.data ?? {};
    if (state === 'stopped' && isPrimary(role)) {
      return {
        fits: ['patroni_stopped'],
        sure: 'inferred',
        message: `Patroni on ${name} was stopped (its service or its host was shut down): it stopped PostgreSQL and deleted the leader key itself.`,
      };
    }
    if (role === 'demoted') {
      return {
        fits: [...POSTGRES_LOST, 'postgres_start_failed', 'postgres_start_timeout', 'watchdog'],
        sure: 'inferred',
        message: `Patroni on ${name} demoted itself and deleted the leader key; no request for it was recorded.`,
        missing: MISSING_ALL,
      };
    }
  }
  return deletedKey(name);
}

/** PostgreSQL of the leader ended, and Patroni gave up the lock. */
const POSTGRES_LOST = ['postgres_crashed', 'disk_full', 'out_of_memory'] as const;

const isPrimary = (role: string): boolean =>
  role === 'primary' || role === 'master' || role === 'promoted';

function expired(evidence: StoryEvidence): Finding | null {
  const { change } = evidence;
  if (change.end?.what !== 'leader_key_expired' && change.end?.what !== 'leader_key_lost')
    return null;
  const name = nameOf(evidence);
  if (leasesOfOthers(change.etcd, change.end)) {
    return {
      fits: ['dcs_unreachable'],
      sure: 'inferred',
      message: `The keys of ${name} and of other members ended at the same time: the DCS did not serve them within ttl.`,
    };
  }
  return {
    fits: [
      'patroni_killed',
      'node_lost',
      'patroni_frozen',
      'leader_cut_off',
      'postgres_hung',
      'shutdown_too_slow',
    ],
    sure: 'inferred',
    message: `${name} did not renew its lease within ttl; the DCS does not show why.`,
    missing: MISSING_ALL,
  };
}
