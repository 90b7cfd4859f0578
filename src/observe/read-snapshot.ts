/** readSnapshotSettled: the three witnesses, asked side by side, joined to what the DCS says at one revision. */
import type {
  Cluster,
  Member,
  MemberReadings,
  Snapshot,
  VerifyMode,
} from '../cluster/model/model.js';
import { viewOf } from '../cluster/roles/view.js';
import { ToolError } from '../errors.js';
import { openCounter } from '../output/counter.js';
import { oneLine } from '../output/text.js';
import type { Context } from '../context.js';
import type { PastLimit } from '../dcs/dcs.js';
import { ANYBODY_LIMIT, FLEET_LIMIT } from './deleted-members.js';
import { readDeparted, withDeparted } from './departed.js';
import { clusterNow, groupsHint, readClusters } from './read-keys.js';
import { OFF, readWitnesses, type HostPort } from './read-witnesses.js';
import { spareMemory } from './spare-memory.js';
import { noClusterAtAll } from './unknown-cluster.js';

export interface SnapshotRequest {
  scope: string;
  /** Citus group, null outside Citus. */
  group: number | null;
  verify: VerifyMode;
  /** Read etcd without its majority. */
  serializable: boolean;
  /** PostgreSQL servers to ask besides the members (--also HOST:PORT). */
  also: readonly HostPort[];
  /** Nothing is read after it: the process ends with what it prints of this. */
  isLast?: boolean;
}

/** How it is asked where nothing was chosen. */
export const PLAIN_ASKING = {
  verify: 'auto',
  serializable: false,
  also: [],
} as const satisfies Omit<SnapshotRequest, 'scope' | 'group'>;

/** How many clusters of a namespace are asked at once: with three members each, that is 400 sockets. */
const FLEET_PARALLEL = 64;

/**
 * One look at the cluster, or at each Citus group when no group is named. ToolError `error`
 * (unknown_cluster) when the DCS holds nothing of it.
 */
export async function readSnapshotsOnce(
  context: Context,
  request: SnapshotRequest,
): Promise<Snapshot[]> {
  const { scope, group, serializable } = request;
  const dcs = await context.dcs();
  const recorded = await dcs.recorded?.snapshots(scope, group);
  if (recorded && recorded.length > 0) return recorded;
  const clusters = await readClusters(context, scope, group, { serializable });
  const snapshots = await Promise.all(
    clusters.map((cluster) => witnessCluster(context, cluster, request, ANYBODY_LIMIT)),
  );
  if (context.flags.debug) await sayNewer(context, snapshots);
  return snapshots;
}

async function sayNewer(context: Context, snapshots: readonly Snapshot[]): Promise<void> {
  const { newerVersions } = await import('./newer-versions.js');
  for (const line of newerVersions(snapshots)) context.debug(line);
}

/** Every cluster of the namespace: what the DCS says of each, and the snapshots that come of it, in this order. */
export interface Fleet {
  clusters: Cluster[];
  snapshots: Promise<Snapshot>[];
}

/** Reads the DCS, and begins to ask the members; at most FLEET_PARALLEL clusters are asked at once. */
export async function openFleet(
  context: Context,
  request: Omit<SnapshotRequest, 'scope' | 'group'>,
): Promise<Fleet> {
  const { serializable } = request;
  const dcs = await context.dcs();
  const recorded = await dcs.recorded?.all();
  if (recorded) {
    const clusters = recorded.map(({ cluster }) => cluster);
    return { clusters, snapshots: recorded.map((snapshot) => Promise.resolve(snapshot)) };
  }
  // To ask members is to load more.
  const isSparing = request.isLast === true && request.verify === 'off';
  const clusters = await dcs.readAll({
    serializable,
    ...(isSparing && { large: () => void spareMemory() }),
  });
  const unread = clusters[0]?.cannotTell?.other_clusters;
  if (unread !== undefined) context.io.err(`there may be more clusters: ${oneLine(unread)}\n`);
  // A namespace whose name is mistyped holds nothing, and must not be called healthy.
  if (clusters.length === 0) throw noClusterAtAll(dcs.where);
  const snapshots =
    request.verify === 'off'
      ? clusters.map((one) => Promise.resolve(unasked(context, one, serializable)))
      : withLimit(FLEET_PARALLEL, clusters, (one) =>
          witnessCluster(context, one, request, FLEET_LIMIT),
        );
  return { clusters, snapshots };
}

/** The whole fleet, once every cluster has been read; on a terminal a line on stderr counts them. */
export async function readFleet(
  context: Context,
  request: Omit<SnapshotRequest, 'scope' | 'group'>,
): Promise<Snapshot[]> {
  const { snapshots } = await openFleet(context, request);
  const counter = openCounter(context, snapshots.length, 'clusters read');
  for (const snapshot of snapshots) void snapshot.then(counter.count, () => undefined);
  try {
    return await Promise.all(snapshots);
  } finally {
    counter.clear();
  }
}

/** Begins `work` on each item, as soon as fewer than `limit` others are under way: one that is slow delays no other. */
function withLimit<T, R>(
  limit: number,
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<R>[] {
  let free = limit;
  const waiting: (() => void)[] = [];
  const turn = (): Promise<void> => {
    if (free === 0) return new Promise((resolve) => waiting.push(resolve));
    free -= 1;
    return Promise.resolve();
  };
  const done = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  };
  return items.map((item) => {
    const result = turn().then(() => work(item));
    // A later await gets the outcome; the turn continues in any case.
    result.then(done, done);
    return result;
  });
}

/** No member can be asked: this is a recording. */
export async function isRecorded(context: Context): Promise<boolean> {
  return (await context.dcs()).recorded !== undefined;
}

/** How long a stalled synchronous standby is watched before it is called one. */
const STALL_LOOK_MS = 1000;

/** `readSnapshotsOnce`, and a second look when only that can tell a stall from a moment's lag. */
export async function readSnapshotsSettled(
  context: Context,
  request: SnapshotRequest,
): Promise<Snapshot[]> {
  const first = await readSnapshotsOnce(context, request);
  // Only a witness tells a stall. A recording does not move; it has its own earlier reading where one was taken.
  if (request.verify === 'off' || (await isRecorded(context))) return first;
  const { needsSecondLook } = await import('../cluster/findings/commits.js');
  if (!first.some((snapshot) => needsSecondLook(viewOf(snapshot)))) return first;
  await context.clock.wait(STALL_LOOK_MS, context.signal);
  const second = await readSnapshotsOnce(context, request);
  return second.map((snapshot) => ({
    ...snapshot,
    previous: first.find(({ cluster }) => cluster.group === snapshot.cluster.group) ?? null,
  }));
}

/** The snapshot of the one cluster that is named; with Citus the group has to be named too. */
export async function readSnapshotSettled(
  context: Context,
  request: SnapshotRequest,
): Promise<Snapshot> {
  return onlyOne(await readSnapshotsSettled(context, request), request);
}

/** The same with one look: for callers that look again anyway, and compare the readings themselves. */
export async function readSnapshotOnce(
  context: Context,
  request: SnapshotRequest,
): Promise<Snapshot> {
  return onlyOne(await readSnapshotsOnce(context, request), request);
}

/** A snapshot of one look, or null when it cannot be read at the moment. */
export async function snapshotNow(
  context: Context,
  { scope, group }: Pick<SnapshotRequest, 'scope' | 'group'>,
  verify: VerifyMode,
): Promise<Snapshot | null> {
  try {
    return await readSnapshotOnce(context, { scope, group, ...PLAIN_ASKING, verify });
  } catch (error) {
    if (error instanceof ToolError) return null;
    throw error;
  }
}

function onlyOne(snapshots: readonly Snapshot[], { scope }: SnapshotRequest): Snapshot {
  const [only] = snapshots;
  if (snapshots.length === 1 && only) return only;
  throw new ToolError('usage', `"${scope}" has Citus groups: give one with --group`, {
    hint: groupsHint(snapshots.map(({ cluster }) => cluster)),
  });
}

type Witnesses = Pick<SnapshotRequest, 'verify' | 'serializable' | 'also'>;

/** How often the keys are read again where what they say together with the members is trouble. */
const REREADS = 2;

/**
 * One cluster's witnesses. The keys are read first and the members after them: where the two together show trouble,
 * a warning included (Patroni changes synchronous_standby_names first and /sync after it), the keys are read once
 * more, and if they have changed in the meantime, every member is asked again.
 */
async function witnessCluster(
  context: Context,
  cluster: Cluster,
  asked: Witnesses,
  limit: PastLimit,
): Promise<Snapshot> {
  if (asked.verify === 'off') return unasked(context, cluster, asked.serializable);
  let snapshot = await askWitnesses(context, cluster, asked, limit);
  // Loaded once the DCS and the members were asked: a run that is refused needs none of it.
  const { findings } = await import('../cluster/findings/find.js');
  for (let round = 0; round < REREADS; round += 1) {
    if (!findings(viewOf(snapshot)).some(({ severity }) => severity !== 'info')) break;
    const now = await clusterNow(context, snapshot.cluster, asked);
    if (now === null || isSameClaim(now, snapshot.cluster)) break;
    snapshot = await askWitnesses(context, now, asked, limit);
  }
  return snapshot;
}

/** Whether two readings of the DCS claim the same leader, synchronous standbys and members. */
function isSameClaim(a: Cluster, b: Cluster): boolean {
  const claim = ({ leaderName, sync, config, members }: Cluster): string =>
    JSON.stringify([
      leaderName,
      sync?.modRevision,
      config?.modRevision,
      members.map(({ name }) => name),
    ]);
  return claim(a) === claim(b);
}

/** What the DCS says alone. */
function unasked(context: Context, cluster: Cluster, serializable: boolean): Snapshot {
  const takenAt = new Date(context.clock.nowMs()).toISOString();
  const members = cluster.members.map(({ name }) => ({ name, rest: OFF, sql: OFF }));
  return { cluster, verify: 'off', takenAt, members, departed: [], serializable, previous: null };
}

async function askWitnesses(
  context: Context,
  cluster: Cluster,
  { verify, serializable, also }: Witnesses,
  limit: PastLimit,
): Promise<Snapshot> {
  const takenAt = new Date(context.clock.nowMs()).toISOString();
  const dcs = await context.dcs();
  const [members, found, compared] = await Promise.all([
    Promise.all(cluster.members.map((member) => readMember(context, cluster, member, verify))),
    readDeparted(context, cluster, { verify, also, limit }),
    dcs.compareViews?.(cluster) ?? cluster,
  ]);
  const read = { cluster: compared, verify, takenAt, members, serializable, previous: null };
  return withDeparted(read, found);
}

async function readMember(
  context: Context,
  cluster: Cluster,
  member: Member,
  verify: VerifyMode,
): Promise<MemberReadings> {
  const { name, apiUrl, host, port } = member;
  return readWitnesses(context, { name, scope: cluster.scope, apiUrl, host, port }, verify);
}
