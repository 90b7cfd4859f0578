/** How long clients of a write route were without a primary, by connections made through it one after the other. */
import type { Reading } from '../model/reading.js';
import type { RouteAnswer } from '../model/route-model.js';

/** One connection, as a client makes it. */
export interface RouteProbe {
  /** Name of the route. */
  route: string;
  askedMs: number;
  atMs: number;
  said: Reading<RouteAnswer>;
}

/** What the connections through one route have shown. */
export interface RouteTrack {
  /** When the postmaster of the primary before the change was started; null: none was met. */
  oldStartedAt: string | null;
  /** The last connection that met it, and the first after that which did not. */
  lastOld: RouteProbe | null;
  noAfter: RouteProbe | null;
  /** The last connection that met no primary, or the old one. */
  lastWithout: RouteProbe | null;
  /** The first connection that met the new primary, since when every one did. */
  firstNew: RouteProbe | null;
  /** Why no login of ours is accepted. */
  refused: string | null;
}

const UNTRACKED: RouteTrack = {
  oldStartedAt: null,
  lastOld: null,
  noAfter: null,
  lastWithout: null,
  firstNew: null,
  refused: null,
};

/** By name of the route. */
export type RouteTracks = ReadonlyMap<string, RouteTrack>;

/** `isLocked`: another member holds the lock, so a primary that was not met before is the new one. */
export function withRouteProbe(
  tracks: RouteTracks,
  probe: RouteProbe,
  isLocked: boolean,
): RouteTracks {
  const before = tracks.get(probe.route) ?? UNTRACKED;
  return new Map(tracks).set(probe.route, nextTrack(before, probe, isLocked));
}

function nextTrack(before: RouteTrack, probe: RouteProbe, isLocked: boolean): RouteTrack {
  const { said } = probe;
  if (!said.ok && said.kind !== 'unreachable') return { ...before, refused: said.reason };
  const startedAt = said.ok && !said.value.inRecovery ? said.value.startedAt : null;
  if (startedAt === null) {
    const noAfter = before.lastOld === null ? null : (before.noAfter ?? probe);
    return { ...before, noAfter, lastWithout: probe, firstNew: null };
  }
  const isOld = before.oldStartedAt === null ? !isLocked : startedAt === before.oldStartedAt;
  if (!isOld) return { ...before, firstNew: before.firstNew ?? probe };
  const seen = { oldStartedAt: startedAt, lastOld: probe, noAfter: null };
  return { ...before, ...seen, lastWithout: probe, firstNew: null };
}

/** Between the two moments of each end, ms since 1970. */
export interface RouteOutage {
  atLeastMs: number;
  /** null: the route was not seen to lead to a primary before. */
  atMostMs: number | null;
  last: { fromMs: number; toMs: number } | null;
  first: { fromMs: number; toMs: number };
}

/** null: the route was not seen to lead to the new primary in the end. */
export function routeOutage({
  lastOld,
  noAfter,
  lastWithout,
  firstNew,
}: RouteTrack): RouteOutage | null {
  if (firstNew === null) return null;
  const first = {
    fromMs: Math.min(lastWithout?.askedMs ?? firstNew.askedMs, firstNew.atMs),
    toMs: firstNew.atMs,
  };
  if (lastOld === null) return { atLeastMs: 0, atMostMs: null, last: null, first };
  const last = {
    fromMs: lastOld.askedMs,
    toMs: Math.min(noAfter?.atMs ?? firstNew.atMs, firstNew.atMs),
  };
  // Without a connection in between that met no primary, the two may touch.
  const atLeastMs = noAfter === null ? 0 : Math.max(0, first.fromMs - last.toMs);
  return { atLeastMs, atMostMs: Math.max(0, first.toMs - last.fromMs), last, first };
}
