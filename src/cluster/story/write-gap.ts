/** How long no member accepted writes, and what may have been lost, as far as the sources bound it. */
import { formatLsn } from '../model/lsn.js';
import { CLOCKS_MS, type StoryEvidence } from './story-evidence.js';
import { msOf } from './term-changes.js';
import type {
  CauseCode,
  LossKnown,
  StoryFact,
  StorySource,
  StoryVerdict,
  WriteGap,
} from './story-model.js';

/** With one of these the old PostgreSQL may have gone on after the new leader began. */
const WENT_ON: ReadonlySet<CauseCode> = new Set<CauseCode>([
  'patroni_killed',
  'patroni_frozen',
  'leader_cut_off',
  'key_deleted',
]);

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

export function writeGap(evidence: StoryEvidence, verdict: StoryVerdict): WriteGap {
  const { change, facts, old } = evidence;
  const promoted = facts.find(
    ({ what, member, at }) =>
      what === 'postgres_accepts_writes' &&
      member === change.to &&
      (msOf(at) ?? 0) >= (change.atMs ?? Infinity) - 2000,
  );
  // /history has the moment at which PostgreSQL wrote the new timeline; it accepts writes soon after.
  const firstTo = msOf(promoted?.at) ?? seenLeading(evidence);
  const firstFrom = change.atMs;
  const until = firstTo ?? change.atMs ?? Infinity;
  const lead = old.findLast(
    ({ what, at }) => what === 'patroni_leads' && (msOf(at) ?? Infinity) <= (firstFrom ?? until),
  );
  const leadMs = msOf(lead?.until ?? lead?.at);
  const wellMs = lastWell(old, leadMs, until);
  const stop = old.find(
    (fact) =>
      (msOf(fact.at) ?? 0) > wellMs &&
      (STOPS.has(fact.what) || (isSeenDown(fact) && (msOf(fact.at) ?? 0) > (leadMs ?? 0))) &&
      (msOf(fact.at) ?? Infinity) <= until &&
      (msOf(fact.at) ?? 0) >= until - LONGEST_MS,
  );
  const stopMs = msOf(stop?.at);
  const lastFrom = leadMs !== null && (stopMs === null || leadMs <= stopMs) ? leadMs : stopMs;
  const stoppedLater = old.find(
    ({ what, at }) => what === 'postgres_stops' && (msOf(at) ?? 0) > until,
  );
  const causes = verdict.cause === null ? verdict.fits : [verdict.cause];
  const wentOn =
    stopMs === null && (stoppedLater !== undefined || causes.some((cause) => WENT_ON.has(cause)));
  return {
    atLeastMs: stopMs !== null && firstFrom !== null ? Math.max(0, firstFrom - stopMs) : null,
    atMostMs: lastFrom !== null && firstTo !== null ? Math.max(0, firstTo - lastFrom) : null,
    lastWrite: { from: iso(lastFrom), to: iso(stopMs) },
    firstWrite: { from: iso(firstFrom), to: iso(firstTo) },
    oldLeaderWentOn: wentOn,
  };
}

/** When the old leader last accepted writes or led: what stopped it earlier did not end its term. */
function lastWell(old: readonly StoryFact[], leadMs: number | null, untilMs: number): number {
  const again = old.findLast(
    ({ what, at }) => what === 'postgres_accepts_writes' && (msOf(at) ?? Infinity) <= untilMs,
  );
  return Math.max(msOf(again?.at) ?? -Infinity, (leadMs ?? -Infinity) - CLOCKS_MS);
}

/** A recording saw it answer as the running primary that has the lock. */
function seenLeading({ change, facts }: StoryEvidence): number | null {
  const found = facts.find(
    ({ what, member, source, at }) =>
      source === 'recording' &&
      what === 'patroni_leads' &&
      member === change.to &&
      (msOf(at) ?? 0) >= (change.atMs ?? Infinity),
  );
  return msOf(found?.at);
}

/** A recording saw it answer, and not as a running primary. */
function isSeenDown({ source, what, data }: StoryFact): boolean {
  if (source !== 'recording' || what !== 'member_answers') return false;
  return data?.state !== 'running' || !['primary', 'master', 'promoted'].includes(data.role ?? '');
}

/** A write outage longer than this belongs to another trouble. */
const LONGEST_MS = 10 * 60_000;

/** From here on the old leader accepts no write. */
const STOPS: ReadonlySet<StoryFact['what']> = new Set<StoryFact['what']>([
  'postgres_stops',
  'postgres_stopped',
  'postgres_child_killed',
  'postgres_panic',
  'postgres_not_running',
]);

export function knownLoss({ change, facts }: StoryEvidence): LossKnown | null {
  if (change.timeline === null) return null;
  const written = facts.find(
    ({ what, data, member }) =>
      what === 'history_written' &&
      data?.timeline === change.timeline &&
      isSameBranch(member, change.to),
  );
  const start = written?.data?.lsn ?? null;
  const positions = facts.filter(
    ({ what, member, data, source }) =>
      data?.lsn !== undefined &&
      member === change.from &&
      (source === 'etcd' || what.startsWith('leader_key_')
        ? what.startsWith('leader_key_')
        : isEndOf(change.timeline, what, data.timeline)),
  );
  const farthest = positions.reduce<StoryFact | null>(
    (most, one) => ((one.data?.lsn ?? 0n) > (most?.data?.lsn ?? -1n) ? one : most),
    null,
  );
  const lastKnown = farthest?.data?.lsn ?? null;
  const lost =
    start === null || lastKnown === null ? null : lastKnown > start ? Number(lastKnown - start) : 0;
  return {
    newTimelineStart: start,
    lastKnown,
    lastKnownSource: farthest?.source ?? null,
    lostBytes: lost,
    message: lossText(
      change.from ?? 'the old leader',
      start,
      lastKnown,
      lost,
      farthest?.source ?? null,
    ),
  };
}

/** Of two members that were both promoted from one timeline, each has a line of its own. */
export const isSameBranch = (member: string | null, to: string | null): boolean =>
  member === null || to === null || member === to;

/** Only a position on the timeline that ended: the same member is on the new one soon. */
function isEndOf(
  ended: number | null,
  what: StoryFact['what'],
  timeline: number | undefined,
): boolean {
  return (what === 'wal_end' || what === 'member_state') && timeline === ended;
}

function lossText(
  name: string,
  start: bigint | null,
  lastKnown: bigint | null,
  lost: number | null,
  source: StorySource | null,
): string {
  if (start === null) return 'where the new timeline begins is not recorded';
  const begins = `the new timeline begins at ${formatLsn(start)}`;
  if (lastKnown === null || lost === null)
    return `${begins}; how far ${name} had written is not recorded`;
  if (lost > 0) {
    return `${begins}, and ${name} had written up to ${formatLsn(lastKnown)}: at least ${lost} bytes of WAL are not in it`;
  }
  const last = source === 'etcd' ? 'its last heartbeat' : 'it was last seen';
  const later =
    source === 'etcd' || source === 'recording'
      ? `; what it wrote after ${last} is not recorded`
      : '';
  return `${begins}, not before the last known position of ${name} (${formatLsn(lastKnown)})${later}`;
}
