/** readSnapshot: the three witnesses, asked side by side, joined to what the DCS says at one revision. */
import type {
  Cluster,
  Member,
  MemberReadings,
  Snapshot,
  VerifyMode,
} from '../cluster/model/model.js';
import { needsSecondLook } from '../cluster/findings/commits.js';
import { viewOf } from '../cluster/roles/view.js';
import { ToolError } from '../errors.js';
import type { Context } from '../context.js';
import { otherServers, readDeparted } from './departed.js';
import { oneLine } from '../output/text.js';
import { OFF, readWitnesses, type HostPort } from './read-witnesses.js';

export interface SnapshotRequest {
  scope: string;
  /** Citus group, null outside Citus. */
  group: number | null;
  verify: VerifyMode;
  /** Read etcd without its majority. */
  serializable: boolean;
  /** PostgreSQL servers to ask besides the members (--also HOST:PORT). */
  also: HostPort[];
}

/** How many clusters of a namespace are asked at once. */
const FLEET_PARALLEL = 16;

/**
 * One snapshot of the cluster, or one for each Citus group when no group is named. ToolError `error`
 * (unknown_cluster) when the DCS holds nothing of it.
 */
export async function readSnapshots(
  context: Context,
  request: SnapshotRequest,
): Promise<Snapshot[]> {
  const { scope, group, serializable } = request;
  const dcs = await context.dcs();
  const recorded = await dcs.recorded?.snapshots(scope, group);
  if (recorded && recorded.length > 0) return recorded;
  const clusters = await dcs.read({ scope, group }, { serializable });
  if (clusters.length === 0) throw await unknownCluster(context, scope, group);
  const snapshots = await Promise.all(
    clusters.map((cluster) => witnessCluster(context, cluster, request)),
  );
  if (context.flags.debug) await sayNewer(context, snapshots);
  return snapshots;
}

async function sayNewer({ flags, io }: Context, snapshots: readonly Snapshot[]): Promise<void> {
  const { newerVersions } = await import('./newer-versions.js');
  for (const line of newerVersions(snapshots)) {
    if (flags.debugged.has(line)) continue;
    flags.debugged.add(line);
    io.err(`debug: ${oneLine(line)}\n`);
  }
}

/** Every cluster of the namespace, DCS and witnesses; at most FLEET_PARALLEL clusters are asked at once. */
export async function readFleet(
  context: Context,
  request: Omit<SnapshotRequest, 'scope' | 'group'>,
): Promise<Snapshot[]> {
  const { serializable } = request;
  const dcs = await context.dcs();
  const recorded = await dcs.recorded?.all();
  if (recorded) return recorded;
  const clusters = await dcs.readAll({ serializable });
  // Nothing is what a namespace holds whose name is mistyped: no reason to call it healthy.
  if (clusters.length === 0) throw noClusterAtAll(dcs.where);
  const snapshots: Snapshot[] = [];
  for (let at = 0; at < clusters.length; at += FLEET_PARALLEL) {
    const batch = clusters.slice(at, at + FLEET_PARALLEL);
    snapshots.push(
      ...(await Promise.all(batch.map((one) => witnessCluster(context, one, request)))),
    );
  }
  return snapshots;
}

/** Nobody can be asked: what is looked at was recorded. */
export async function isRecorded(context: Context): Promise<boolean> {
  return (await context.dcs()).recorded !== undefined;
}

/** How long a stalled synchronous standby is watched before it is called one. */
const STALL_LOOK_MS = 1000;

/** `readSnapshots`, and once more when only a second look can tell a stall from a moment's lag. */
export async function readSettled(context: Context, request: SnapshotRequest): Promise<Snapshot[]> {
  const first = await readSnapshots(context, request);
  // A recording does not move; it has its own earlier reading where one was taken.
  if (await isRecorded(context)) return first;
  if (!first.some((snapshot) => needsSecondLook(viewOf(snapshot)))) return first;
  await context.clock.wait(STALL_LOOK_MS, context.signal);
  const second = await readSnapshots(context, request);
  return second.map((snapshot) => ({
    ...snapshot,
    previous: first.find(({ cluster }) => cluster.group === snapshot.cluster.group) ?? null,
  }));
}

/** The snapshot of the one cluster that is named; with Citus the group has to be named too. */
export async function readSnapshot(context: Context, request: SnapshotRequest): Promise<Snapshot> {
  const snapshots = await readSettled(context, request);
  const [only] = snapshots;
  if (snapshots.length === 1 && only) return only;
  const groups = snapshots.map(({ cluster }) => cluster.group).join(', ');
  throw new ToolError('usage', `"${request.scope}" has Citus groups: name one with --group`, {
    hint: `groups: ${groups}`,
  });
}

type Witnesses = Pick<SnapshotRequest, 'verify' | 'serializable' | 'also'>;

async function witnessCluster(
  context: Context,
  cluster: Cluster,
  { verify, serializable, also }: Witnesses,
): Promise<Snapshot> {
  const takenAt = new Date(context.clock.nowMs()).toISOString();
  if (verify === 'off') {
    const members = cluster.members.map(({ name }) => ({ name, rest: OFF, sql: OFF }));
    return { cluster, verify, takenAt, members, departed: [], serializable, previous: null };
  }
  const [members, { departed, problems }] = await Promise.all([
    Promise.all(cluster.members.map((member) => readMember(context, cluster, member, verify))),
    readDeparted(context, cluster, verify, also),
  ]);
  return {
    cluster: { ...cluster, problems: [...cluster.problems, ...problems] },
    verify,
    takenAt,
    members,
    departed: otherServers(departed, members),
    serializable,
    previous: null,
  };
}

/** The error that names the clusters which do exist. */
export async function unknownCluster(
  context: Context,
  scope: string,
  group: number | null,
): Promise<ToolError> {
  const dcs = await context.dcs();
  const names = await dcs.scopes();
  const { where } = dcs;
  const what = group === null ? `"${scope}"` : `"${scope}" group ${group}`;
  return new ToolError('error', `no cluster ${what} in ${where}`, {
    code: 'unknown_cluster',
    hint:
      names.length === 0
        ? `there is no cluster at all in ${where}: is the namespace right?`
        : `clusters in ${where}: ${names.join(', ')}`,
  });
}

function noClusterAtAll(where: string): ToolError {
  return new ToolError('error', `there is no cluster at all in ${where}`, {
    code: 'unknown_cluster',
    hint: 'is the namespace right?',
  });
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
