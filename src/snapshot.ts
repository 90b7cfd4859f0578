/** readSnapshot: the three witnesses, asked side by side, joined to what the DCS says at one revision. */
import type {
  Cluster,
  Departed,
  Member,
  MemberReadings,
  ParseProblem,
  Reading,
  RestStatus,
  Snapshot,
  SqlStatus,
  VerifyMode,
} from './cluster/model.js';
import {
  clusterNames,
  clusterPrefix,
  parseCluster,
  parseFleet,
  parseScope,
} from './cluster/parse.js';
import { needsSecondLook } from './cluster/checks/commits.js';
import { viewOf } from './cluster/roles.js';
import { slotName } from './cluster/slots.js';
import type { DeletedKey, HistoryLimit } from './dcs/dcs.js';
import { ToolError } from './errors.js';
import type { Tool } from './tool.js';

export interface HostPort {
  host: string;
  port: number;
}

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

/** How far back in /history a name still makes us look for its owner. */
const RECENT_HISTORY = 3;
/** Limit of searching etcd's history for the address of a member that is gone. */
const PAST_LIMIT: HistoryLimit = { ms: 1000 };
/**
 * The same when nothing names the one that may be gone: it is no more than a suspicion, and every read pays for
 * it. So many looks meet whoever led for an eighth of the time since; the time is for a machine that is busy.
 */
const UNNAMED_LIMIT: HistoryLimit = { ms: 2000, looks: 256 };
/** How many clusters of a namespace are asked at once. */
const FLEET_PARALLEL = 16;

const OFF: Reading<never> = { ok: false, kind: 'off', reason: 'not asked' };

/**
 * One snapshot of the cluster, or one for each Citus group when no group is named. ToolError `error`
 * (unknown_cluster) when the DCS holds nothing of it.
 */
export async function readSnapshots(tool: Tool, request: SnapshotRequest): Promise<Snapshot[]> {
  const { scope, group, serializable } = request;
  const recorded = await readRecorded(tool);
  if (recorded) {
    const { chosen } = await import('./recording.js');
    return chosen(recorded, scope, group);
  }
  const { namespace } = await tool.config();
  const dcs = await tool.dcs();
  const read = await dcs.range(clusterPrefix(namespace, scope, group), { serializable });
  const clusters = parseScope(read, namespace, scope);
  if (clusters.length === 0) throw await unknownCluster(tool, scope, group);
  return Promise.all(clusters.map((cluster) => witnessCluster(tool, cluster, request)));
}

/** Every cluster of the namespace, DCS and witnesses; at most FLEET_PARALLEL clusters are asked at once. */
export async function readFleet(
  tool: Tool,
  request: Omit<SnapshotRequest, 'scope' | 'group'>,
): Promise<Snapshot[]> {
  const recorded = await readRecorded(tool);
  if (recorded) return recorded;
  const { namespace } = await tool.config();
  const { serializable } = request;
  const read = await (await tool.dcs()).range(`${namespace}/`, { serializable });
  const clusters = parseFleet(read, namespace);
  // Nothing is what a namespace holds whose name is mistyped: no reason to call it healthy.
  if (clusters.length === 0) throw noClusterAtAll(namespace);
  const snapshots: Snapshot[] = [];
  for (let at = 0; at < clusters.length; at += FLEET_PARALLEL) {
    const batch = clusters.slice(at, at + FLEET_PARALLEL);
    snapshots.push(...(await Promise.all(batch.map((one) => witnessCluster(tool, one, request)))));
  }
  return snapshots;
}

/** What --snapshot FILE holds; null when the cluster itself is to be asked. */
async function readRecorded(tool: Tool): Promise<Snapshot[] | null> {
  const { recording } = tool.flags;
  if (recording === undefined) return null;
  const { readRecording } = await import('./recording.js');
  return readRecording(recording);
}

/** How long a stalled synchronous standby is watched before it is called one. */
const STALL_LOOK_MS = 1000;

/** `readSnapshots`, and once more when only a second look can tell a stall from a moment's lag. */
export async function readSettled(tool: Tool, request: SnapshotRequest): Promise<Snapshot[]> {
  const first = await readSnapshots(tool, request);
  // A recording does not move; it has its own earlier reading where one was taken.
  if (tool.flags.recording !== undefined) return first;
  if (!first.some((snapshot) => needsSecondLook(viewOf(snapshot)))) return first;
  await tool.clock.wait(STALL_LOOK_MS, tool.signal);
  const second = await readSnapshots(tool, request);
  return second.map((snapshot) => ({
    ...snapshot,
    previous: first.find(({ cluster }) => cluster.group === snapshot.cluster.group) ?? null,
  }));
}

/** The snapshot of the one cluster that is named; with Citus the group has to be named too. */
export async function readSnapshot(tool: Tool, request: SnapshotRequest): Promise<Snapshot> {
  const snapshots = await readSettled(tool, request);
  const [only] = snapshots;
  if (snapshots.length === 1 && only) return only;
  const groups = snapshots.map(({ cluster }) => cluster.group).join(', ');
  throw new ToolError('usage', `"${request.scope}" has Citus groups: name one with --group`, {
    hint: `groups: ${groups}`,
  });
}

type Witnesses = Pick<SnapshotRequest, 'verify' | 'serializable' | 'also'>;

async function witnessCluster(
  tool: Tool,
  cluster: Cluster,
  { verify, serializable, also }: Witnesses,
): Promise<Snapshot> {
  const takenAt = new Date(tool.clock.nowMs()).toISOString();
  if (verify === 'off') {
    const members = cluster.members.map(({ name }) => ({ name, rest: OFF, sql: OFF }));
    return { cluster, verify, takenAt, members, departed: [], serializable, previous: null };
  }
  const [members, { departed, problems }] = await Promise.all([
    Promise.all(cluster.members.map((member) => readMember(tool, cluster, member, verify))),
    readDeparted(tool, cluster, verify, also),
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
  tool: Tool,
  scope: string,
  group: number | null,
): Promise<ToolError> {
  const { namespace } = await tool.config();
  const read = await (await tool.dcs()).range(clusterPrefix(namespace, '', null));
  const names = clusterNames(read, clusterPrefix(namespace, '', null));
  const what = group === null ? `"${scope}"` : `"${scope}" group ${group}`;
  return new ToolError('error', `no cluster ${what} in ${namespace}`, {
    code: 'unknown_cluster',
    hint:
      names.length === 0
        ? `there is no cluster at all in ${namespace}: is the namespace right?`
        : `clusters in ${namespace}: ${names.join(', ')}`,
  });
}

function noClusterAtAll(namespace: string): ToolError {
  return new ToolError('error', `there is no cluster at all in ${namespace}`, {
    code: 'unknown_cluster',
    hint: 'is the namespace right?',
  });
}

interface Address {
  name: string;
  scope: string;
  apiUrl: string | null;
  host: string | null;
  port: number | null;
}

async function readMember(
  tool: Tool,
  cluster: Cluster,
  member: Member,
  verify: VerifyMode,
): Promise<MemberReadings> {
  const { name, apiUrl, host, port } = member;
  return ask(tool, { name, scope: cluster.scope, apiUrl, host, port }, verify);
}

/** Both witnesses of one node at once; neither throws. */
async function ask(tool: Tool, address: Address, verify: VerifyMode): Promise<MemberReadings> {
  const [rest, sql] = await Promise.all([
    askRest(tool, address, verify),
    askSql(tool, address, verify),
  ]);
  return { name: address.name, rest, sql };
}

async function askRest(
  tool: Tool,
  { name, scope, apiUrl }: Address,
  verify: VerifyMode,
): Promise<Reading<RestStatus>> {
  if (verify === 'off' || verify === 'sql') return OFF;
  if (apiUrl === null) {
    return { ok: false, kind: 'no_address', reason: 'its DCS key has no api_url' };
  }
  return (await tool.patroni()).status({ apiUrl, name, scope }, tool.flags.timeoutMs);
}

async function askSql(
  tool: Tool,
  { host, port }: Address,
  verify: VerifyMode,
): Promise<Reading<SqlStatus>> {
  if (verify === 'off' || verify === 'rest') return OFF;
  const postgres = await tool.postgres();
  if (verify === 'auto' && !postgres.hasLogin) return OFF;
  if (host === null || port === null) {
    return { ok: false, kind: 'no_address', reason: 'its DCS key has no conn_url' };
  }
  return postgres.status({ host, port }, tool.flags.timeoutMs);
}

/** Members whose key is gone, but of whom slots, history, failsafe or the user still speak. */
async function readDeparted(
  tool: Tool,
  cluster: Cluster,
  verify: VerifyMode,
  alsoAsk: HostPort[],
): Promise<{ departed: Departed[]; problems: ParseProblem[] }> {
  const { gone, problems } = await departedAddresses(tool, cluster);
  const also = alsoAsk.map(({ host, port }) => ({
    name: `${host}:${port}`,
    scope: cluster.scope,
    apiUrl: null,
    host,
    port,
    origin: '--also' as const,
  }));
  const candidates = [...gone, ...also];
  if (candidates.length === 0) return { departed: [], problems };
  const { elsewhere } = await import('./addresses.js');
  // Where a member is there is no other server: it would be counted twice.
  const others = await elsewhere(tool, candidates, cluster.members);
  const departed = await Promise.all(
    others.map(async (address): Promise<Departed> => {
      const { origin, host, port } = address;
      const [readings, listening] = await Promise.all([
        ask(tool, address, verify),
        probe(tool, host, port),
      ]);
      return { ...readings, origin, host, port, listening };
    }),
  );
  return { departed, problems };
}

/** Without the servers that were read already, under another address: one database, one start of it. */
function otherServers(
  departed: readonly Departed[],
  members: readonly MemberReadings[],
): Departed[] {
  const identity = ({ sql }: MemberReadings): string | null => {
    if (!sql.ok || sql.value.systemId === null || !sql.value.startedAt) return null;
    return `${sql.value.systemId} ${sql.value.startedAt}`;
  };
  const read = new Set(members.map(identity));
  return departed.filter((one) => {
    const own = identity(one);
    const isNew = own === null || !read.has(own);
    read.add(own);
    return isNew;
  });
}

async function probe(
  tool: Tool,
  host: string | null,
  port: number | null,
): Promise<boolean | null> {
  if (host === null || port === null) return null;
  const { speaksPostgres } = await import('./postgres/probe.js');
  return speaksPostgres(host, port, tool.flags.timeoutMs);
}

interface Missing {
  slots: Set<string>;
  names: Set<string>;
  /** Somebody has led whom nothing names: /history tells only who led after a promotion. */
  unnamedLeader: boolean;
}

/** Slots and names that something still speaks of although no member's key bears them. */
function missing(cluster: Cluster): Missing {
  const present = new Set(cluster.members.map((member) => member.name));
  const presentSlots = new Set([...present].map(slotName));
  const recent = (cluster.history ?? []).slice(-RECENT_HISTORY);
  const leaders = [cluster.leaderName, ...recent.map((line) => line.newLeader)];
  return {
    slots: new Set(cluster.status?.retainSlots.filter((slot) => !presentSlots.has(slot))),
    names: new Set(leaders.filter((name) => name !== null && !present.has(name)) as string[]),
    unnamedLeader:
      recent.some((line) => line.newLeader === null) ||
      (recent.length < RECENT_HISTORY && hasChangedLeader(cluster)),
  };
}

/** A new timeline comes with a promotion, whether or not /history is there to tell of it. */
function hasChangedLeader({ history, members }: Cluster): boolean {
  return (history ?? []).length > 0 || members.some(({ timeline }) => (timeline ?? 1) > 1);
}

const LEADING = ['primary', 'master', 'standby_leader'];

/** Whether a member that is gone is one of those that are looked for. */
function isMissing({ slots, names, unnamedLeader }: Missing, { name, role }: Member): boolean {
  return slots.has(slotName(name)) || names.has(name) || (unnamedLeader && LEADING.includes(role));
}

/** What of the missing is none of these members. */
function stillMissing({ slots, names }: Missing, found: readonly string[]): string[] {
  const foundSlots = new Set(found.map(slotName));
  return [
    ...[...names].filter((name) => !found.includes(name)),
    ...[...slots].filter((slot) => !foundSlots.has(slot)).map((slot) => `slot ${slot}`),
  ];
}

type DepartedAddress = Address & { origin: Departed['origin'] };

async function departedAddresses(
  tool: Tool,
  cluster: Cluster,
): Promise<{ gone: DepartedAddress[]; problems: ParseProblem[] }> {
  const wanted = missing(cluster);
  const gone: DepartedAddress[] = [];
  const problems: ParseProblem[] = [];
  if (wanted.slots.size > 0 || wanted.names.size > 0 || wanted.unnamedLeader) {
    const { members, problem } = await deletedMembers(tool, cluster, wanted);
    if (problem !== null) problems.push({ key: 'members/', problem });
    for (const member of members.filter((one) => isMissing(wanted, one))) {
      const { name, apiUrl, host, port } = member;
      gone.push({ name, scope: cluster.scope, apiUrl, host, port, origin: 'dcs history' });
    }
  }
  const known = new Set([...cluster.members, ...gone].map(({ name }) => name));
  for (const [name, apiUrl] of Object.entries(cluster.failsafe ?? {})) {
    if (known.has(name)) continue;
    gone.push({ name, scope: cluster.scope, apiUrl, host: null, port: null, origin: 'failsafe' });
  }
  return { gone, problems };
}

/**
 * The last heartbeat of members whose key was deleted or expired, until all that are wanted are found or
 * etcd remembers no more. A history that cannot be read is a problem to show, no reason to show nothing.
 */
async function deletedMembers(
  tool: Tool,
  cluster: Cluster,
  wanted: Missing,
): Promise<{ members: Member[]; problem: string | null }> {
  const { namespace } = await tool.config();
  const prefix = clusterPrefix(namespace, cluster.scope, cluster.group);
  const below = `${prefix}members/`;
  const lacking = (found: readonly DeletedKey[]): string[] =>
    stillMissing(
      wanted,
      found.map(({ key }) => key.slice(below.length)),
    );
  const membersOf = (keys: readonly DeletedKey[]): Member[] => {
    const kvs = keys.map(({ key, lastValue, deletedRevision }) => ({
      key,
      value: lastValue,
      modRevision: deletedRevision,
    }));
    return parseCluster(cluster.scope, cluster.group, { revision: '0', kvs }, prefix).members;
  };
  const isNamed = wanted.slots.size > 0 || wanted.names.size > 0;
  try {
    const dcs = await tool.dcs();
    const { keys, complete } = await dcs.deletedKeys(
      below,
      isNamed ? PAST_LIMIT : UNNAMED_LIMIT,
      (found) =>
        lacking(found).length === 0 &&
        (isNamed || membersOf(found).some((one) => isMissing(wanted, one))),
    );
    return { members: membersOf(keys), problem: complete ? null : tooLong(lacking(keys)) };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    if (!isNamed) return { members: [], problem: null };
    return { members: [], problem: `members that left could not be looked up: ${error.message}` };
  }
}

function tooLong(lacking: readonly string[]): string | null {
  if (lacking.length === 0) return null;
  return `etcd's history is too long to search all of it: no address was found for ${lacking.join(', ')}`;
}
