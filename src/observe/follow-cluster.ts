/**
 * followCluster: snapshots of one cluster, one after the other, woken by the DCS's watch and by the interval. What
 * does not answer delays nothing else: each witness of each member has one request at a time, and what it said last
 * stays until its own limit ends that.
 */
import { setMaxListeners } from 'node:events';
import { lookedAt } from '../cluster/events/event-kit.js';
import type { Snapshot } from '../cluster/model/model.js';
import { monotonicMs } from '../clock.js';
import type { Context } from '../context.js';
import type { ToolError } from '../errors.js';
import { withDeparted } from './departed.js';
import { followClaims, NeverThere, staleClaims, type ClaimsFollower } from './follow-claims.js';
import { followDeparted, type DepartedFollower } from './follow-departed.js';
import { openMemberReader, within, type MemberReader } from './member-readings.js';
import type { SnapshotRequest } from './read-snapshot.js';
import { unknownCluster } from './unknown-cluster.js';
import { whereToAsk, OFF } from './read-witnesses.js';

export interface FollowRequest extends SnapshotRequest {
  /** Where it is, of several places (Kubernetes' namespaces). */
  place?: string | undefined;
  /** Time between two readings, ms; a change in the DCS makes one at once. */
  intervalMs: number;
  /** Ends it, as the context's own signal does. */
  signal?: AbortSignal;
}

export type ClusterReading =
  | {
      /** By the clock of the context, ISO 8601 UTC. */
      at: string;
      /** `previous` is the snapshot before it. */
      snapshot: Snapshot;
      /** The DCS is silent: the claims are the last ones, and `cluster.cannotTell` says why they are unknown. */
      isStale: boolean;
    }
  /** Once, when the DCS falls silent; what follows is stale until it answers again. */
  | { at: string; error: ToolError };

/** How often the keys are read again where what they say together with the members is new trouble. */
const REREADS = 2;

/**
 * Never ends by itself, only with the signal. The absence of the DCS is survived, also at the beginning: then the
 * first thing is its error. ToolError `error` (unknown_cluster) when the DCS answers and never had the cluster.
 */
export async function* followCluster(
  context: Context,
  request: FollowRequest,
): AsyncGenerator<ClusterReading> {
  const stop = new AbortController();
  const signal = AbortSignal.any([
    stop.signal,
    context.signal,
    ...(request.signal ? [request.signal] : []),
  ]);
  setMaxListeners(0, signal);
  const follower: Follower = {
    context,
    request,
    signal,
    claims: followClaims(context, request, signal),
    members: openMemberReader(context, request.verify, signal),
    departed: followDeparted(context, request),
  };
  try {
    yield* rounds(follower);
  } catch (error) {
    if (!(error instanceof NeverThere)) throw error;
    throw await unknownCluster(context, request.scope, request.group);
  } finally {
    stop.abort();
    follower.members.close();
  }
}

interface Follower {
  context: Context;
  request: FollowRequest;
  signal: AbortSignal;
  claims: ClaimsFollower;
  members: MemberReader;
  departed: DepartedFollower;
}

async function* rounds(follower: Follower): AsyncGenerator<ClusterReading> {
  const { context, request, signal, claims } = follower;
  const isOver = (): boolean => signal.aborted;
  let before: Snapshot | null = null;
  let silence: ToolError | null = null;
  while (!isOver()) {
    const startedMs = monotonicMs();
    await within(claims.refresh(), before === null ? FIRST_MS : graceMs(request), signal);
    if (isOver()) return;
    const { error } = claims.now;
    if (error !== null && silence === null) yield { at: time(context), error };
    silence = error;
    const taken = await takeSettled(follower, before);
    if (isOver()) return;
    if (taken !== null) {
      // It may have fallen silent while the members were asked.
      if (taken.silence !== null && silence === null)
        yield { at: time(context), error: taken.silence };
      silence = taken.silence;
      yield { at: time(context), snapshot: taken.snapshot, isStale: silence !== null };
      before = taken.snapshot;
    }
    const leftMs = request.intervalMs - (monotonicMs() - startedMs);
    await claims.change(Math.max(0, leftMs));
  }
}

/** Longer than any limit of one call: the first snapshot is to be whole. */
const FIRST_MS = 15_000;

/** How long a round waits for answers; those that come later are in the next one. */
function graceMs({ intervalMs }: FollowRequest): number {
  return intervalMs / 2;
}

function time({ clock }: Context): string {
  return new Date(clock.nowMs()).toISOString();
}

/**
 * One snapshot; null as long as the DCS was never read. The keys are read first and the members after them: where
 * the two together show a trouble that was not there, both are read once more.
 */
async function takeSettled(follower: Follower, before: Snapshot | null): Promise<Taken | null> {
  const { claims } = follower;
  let taken = await take(follower, before);
  for (let round = 0; round < REREADS; round += 1) {
    if (taken === null || taken.silence !== null || !isNewTrouble(before, taken.snapshot)) break;
    const { cluster } = claims.now;
    await within(claims.readAgain(), graceMs(follower.request), follower.signal);
    if (claims.now.error === null && claims.now.cluster?.revision === cluster?.revision) break;
    taken = await take(follower, before);
  }
  return taken;
}

interface Taken {
  snapshot: Snapshot;
  /** Why the DCS did not answer before or while the members were asked: the snapshot's claims are stale. */
  silence: ToolError | null;
}

function isNewTrouble(before: Snapshot | null, now: Snapshot): boolean {
  const known = new Set(
    before === null ? [] : lookedAt(before).looked.findings.map(({ code }) => code),
  );
  return lookedAt(now).looked.findings.some(
    ({ code, severity }) => severity !== 'info' && !known.has(code),
  );
}

async function take(
  { context, request, signal, claims, members, departed }: Follower,
  before: Snapshot | null,
): Promise<Taken | null> {
  const { cluster: claimed, error } = claims.now;
  if (claimed === null) return null;
  const { verify, serializable } = request;
  const takenAt = time(context);
  const addresses = whereToAsk(claimed);
  if (verify !== 'off') {
    const limitMs = before === null ? FIRST_MS : graceMs(request);
    await Promise.all([
      members.ask(addresses, limitMs),
      within(departed.refresh(claimed, error === null), limitMs, signal),
    ]);
  }
  const readings =
    verify === 'off'
      ? addresses.map(({ name }) => ({ name, rest: OFF, sql: OFF }))
      : members.readings(addresses);
  const silence = error ?? claims.now.error;
  const snapshot = withDeparted(
    {
      cluster: silence === null ? claimed : staleClaims(claimed, silence),
      verify,
      takenAt,
      members: readings,
      serializable,
      previous: before === null ? null : { ...before, previous: null },
    },
    departed.now,
  );
  return { snapshot, silence };
}
