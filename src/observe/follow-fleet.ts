/**
 * followFleet: every cluster of the namespace again and again. One read of the DCS a round; the clusters' members are
 * asked one cluster after the other over the whole interval, so that the work is even, and what does not answer delays
 * nothing but its own cluster.
 */
import { setMaxListeners } from 'node:events';
import type { Cluster, Snapshot } from '../cluster/model/model.js';
import { sharedParts } from '../cluster/model/shared-parts.js';
import { monotonicMs } from '../clock.js';
import type { Context } from '../context.js';
import type { ClusterName } from '../dcs/dcs.js';
import { ToolError } from '../errors.js';
import { FLEET_LIMIT } from './deleted-members.js';
import { withDeparted } from './departed.js';
import { followDeparted, type DepartedFollower } from './follow-departed.js';
import { openMemberReader, type MemberReader } from './member-readings.js';
import type { SnapshotRequest } from './read-snapshot.js';
import { whereToAsk, OFF } from './read-witnesses.js';
import { noClusterAtAll } from './unknown-cluster.js';

export interface FleetRequest extends Omit<SnapshotRequest, 'scope' | 'group'> {
  /** Time between two readings of one cluster, ms. */
  intervalMs: number;
  /** The first read has to succeed, and to find a cluster; otherwise its failure is told as any later one is. */
  isFirst: boolean;
}

export type FleetChange =
  /** The clusters that are there now; those that were told before and are not among them are gone. */
  | { kind: 'clusters'; names: readonly ClusterName[] }
  | { kind: 'snapshot'; snapshot: Snapshot }
  /** The DCS does not answer: nothing more is told until it does, and `reason` is null then. */
  | { kind: 'silent'; reason: string | null };

interface Followed {
  /** What has not changed since the last round is the same object. */
  cluster: Cluster;
  members: MemberReader;
  departed: DepartedFollower;
  /** A reading is under way. */
  isAsked: boolean;
  /** It was read at least once. */
  isRead: boolean;
  /** It is no longer in the DCS: what a reading under way brings is not told. */
  isGone: boolean;
}

/** Longer than any limit of one call: before it the first reading of a cluster would tell of members that are silent. */
const FIRST_MS = 15_000;

/** More parts of an interval than this would only be timers. */
const MOST_PARTS = 40;

/**
 * Tells until the signal aborts. ToolError as `Dcs.readAll` throws it where the first read fails, `error`
 * (unknown_cluster) where there is no cluster at all; both only with `isFirst`.
 */
export async function followFleet(
  context: Context,
  request: FleetRequest,
  tell: (change: FleetChange) => void,
): Promise<void> {
  const { signal, clock } = context;
  const followed = new Map<string, Followed>();
  setMaxListeners(0, signal);
  const isOver = (): boolean => signal.aborted;
  const failures: unknown[] = [];
  const begin = (one: Followed): void => {
    take(context, request, one, tell).catch((error: unknown) => failures.push(error));
  };
  try {
    for (let round = 0; !isOver(); round += 1) {
      if (failures.length > 0) throw failures[0];
      const startedMs = monotonicMs();
      const isRead = await readClaims(context, request, followed, {
        tell,
        isFirst: request.isFirst && round === 0,
      });
      const all = isRead ? [...followed.values()] : [];
      const parts = Math.min(Math.max(all.length, 1), MOST_PARTS);
      for (let part = 0; part < parts && !isOver(); part += 1) {
        const from = Math.floor((all.length * part) / parts);
        const until = Math.floor((all.length * (part + 1)) / parts);
        for (const one of all.slice(from, until)) begin(one);
        // The first round is told as soon as it can be.
        if (round === 0) continue;
        const dueMs = startedMs + (request.intervalMs * (part + 1)) / parts;
        await clock.wait(Math.max(0, dueMs - monotonicMs()), signal);
      }
      await clock.wait(Math.max(0, startedMs + request.intervalMs - monotonicMs()), signal);
    }
  } finally {
    for (const { members } of followed.values()) members.close();
  }
}

/** What the DCS claims of all clusters; false when it does not answer. */
async function readClaims(
  context: Context,
  request: FleetRequest,
  followed: Map<string, Followed>,
  { tell, isFirst }: { tell: (change: FleetChange) => void; isFirst: boolean },
): Promise<boolean> {
  const dcs = await context.dcs();
  let clusters: Cluster[];
  try {
    clusters = await dcs.readAll({ serializable: request.serializable });
  } catch (error) {
    if (isFirst || !(error instanceof ToolError) || context.signal.aborted) throw error;
    tell({ kind: 'silent', reason: error.message });
    return false;
  }
  if (isFirst && clusters.length === 0) throw noClusterAtAll(dcs.where);
  const present = new Set(clusters.map(keyOf));
  for (const [key, one] of followed) {
    if (present.has(key)) continue;
    one.isGone = true;
    one.members.close();
    followed.delete(key);
  }
  for (const cluster of clusters) {
    const one = followed.get(keyOf(cluster));
    if (one) one.cluster = sharedParts(one.cluster, cluster);
    else followed.set(keyOf(cluster), newFollowed(context, request, cluster));
  }
  tell({ kind: 'silent', reason: null });
  tell({ kind: 'clusters', names: clusters.map(nameOf) });
  return true;
}

function newFollowed(context: Context, request: FleetRequest, cluster: Cluster): Followed {
  return {
    cluster,
    members: openMemberReader(context, request.verify, context.signal),
    departed: followDeparted(context, request, FLEET_LIMIT),
    isAsked: false,
    isRead: false,
    isGone: false,
  };
}

/** One reading of one cluster, unless the one before still waits for an answer. */
async function take(
  context: Context,
  { verify, serializable, intervalMs }: FleetRequest,
  one: Followed,
  tell: (change: FleetChange) => void,
): Promise<void> {
  if (one.isAsked) return;
  one.isAsked = true;
  const { cluster } = one;
  const addresses = whereToAsk(cluster);
  try {
    const takenAt = new Date(context.clock.nowMs()).toISOString();
    if (verify !== 'off') {
      // A search of the DCS's past takes long; the reading after it has what was found.
      void one.departed.refresh(cluster, true).catch(() => undefined);
      await one.members.ask(addresses, one.isRead ? intervalMs / 2 : FIRST_MS);
      one.isRead = true;
    }
    if (context.signal.aborted || one.isGone) return;
    const members =
      verify === 'off'
        ? addresses.map(({ name }) => ({ name, rest: OFF, sql: OFF }))
        : one.members.readings(addresses);
    const read = { cluster, verify, takenAt, members, serializable, previous: null };
    const snapshot = withDeparted(read, one.departed.now);
    tell({ kind: 'snapshot', snapshot });
  } finally {
    one.isAsked = false;
  }
}

const nameOf = ({ scope, group, kubernetes }: Cluster): ClusterName => ({
  scope,
  group,
  place: kubernetes?.namespace,
});

function keyOf({ scope, group, kubernetes }: Cluster): string {
  return JSON.stringify([scope, group, kubernetes?.namespace]);
}
