/** A snapshot as the facts of the vote arithmetic. */
import { remembered } from '../model/remembered.js';
import { senderNames } from '../model/member-names.js';
import { farther, type Lsn } from '../model/lsn.js';
import type {
  JsonObject,
  JsonValue,
  Member,
  MemberReadings,
  Reading,
  RestStatus,
  Setting,
  Snapshot,
  SyncKey,
} from '../model/model.js';
import type { View } from '../roles/view.js';
import { parseSyncNames } from '../model/sync-standby-names.js';
import { readTags } from '../model/tags.js';
import { isObject, parseBool, truthy } from '../model/patroni-values.js';
import type { SynchronousCommit, SyncNames, VoteInput, VoteNode } from './vote-rules.js';

/** What the witnesses said, REST before SQL; heartbeats in the DCS are claims and count as not known. */
export function voteInput(snapshot: Snapshot): VoteInput {
  const { cluster } = snapshot;
  const { config, history } = cluster;
  const leader = cluster.members.find((m) => m.name === cluster.leaderName) ?? null;
  const leaderReadings = readingsOf(snapshot, cluster.leaderName);
  const last = history?.at(-1) ?? null;
  const streaming = streamingFrom(leaderReadings);
  return {
    nodes: cluster.members.map((member) => voteNode(snapshot, member, streaming)),
    leader: cluster.leaderName,
    formerLeader: cluster.leaderName === null ? (last?.newLeader ?? null) : null,
    leaderVersion: leader?.version ?? null,
    mode: config?.syncMode ?? 'off',
    syncLeader: cluster.sync?.leader ?? leaderByRoles(cluster),
    voters: cluster.sync?.standbys ?? [],
    quorum: cluster.sync?.quorum ?? 0,
    ...syncBefore4(cluster.sync),
    syncNames: leaderSyncNames(leaderReadings),
    synchronousCommit: synchronousCommit(snapshot, leaderReadings),
    optime: cluster.status?.optime ?? null,
    ...unread(snapshot, leaderReadings),
    maximumLagOnFailoverBytes: config?.maximumLagOnFailoverBytes ?? 1048576,
    checkTimeline: config?.checkTimeline ?? false,
    clusterTimeline: last ? last.timeline + 1 : history ? 1 : null,
    standbyCluster: (config?.standbyCluster ?? null) !== null,
    paused: config?.pause ?? false,
    failsafeMembers: failsafeMembers(snapshot),
    failsafeNodes: failsafeNodes(snapshot),
    departedPrimaries: snapshot.departed.filter(outOfRecovery).map((d) => d.name),
    departedUnread: snapshot.departed
      .filter((d) => d.listening === true && !d.rest.ok && !d.sql.ok)
      .map((d) => d.name),
  };
}

/**
 * Roles of synchronous standbys are there only while /sync has a leader; the leader that it names is checked
 * elsewhere.
 */
function leaderByRoles({ sync, leaderName }: Snapshot['cluster']): string | null {
  return sync?.fromRoles && sync.standbys.length > 0 ? leaderName : null;
}

/** What this connection to the cluster cannot know (--rest). */
function unread(
  { cluster }: Snapshot,
  leader: MemberReadings | null,
): Pick<VoteInput, 'syncUnknown' | 'optimeAtMost'> {
  const { sync, status, cannotTell } = cluster;
  const [rest, sql] = [leader?.rest, leader?.sql];
  const position = sql?.ok ? sql.value.currentLsn : rest?.ok ? rest.value.location : null;
  return {
    ...(sync?.fromRoles &&
      sync.unreadable && { syncUnknown: cannotTell?.sync ?? 'it was not read' }),
    ...(status === null && cannotTell?.status !== undefined && { optimeAtMost: position }),
  };
}

const unpaused = new WeakMap<View, VoteInput>();

/** The same as if the cluster were not paused (a pause is a finding of its own), worked out once for all findings. */
export function unpausedInput(view: View): VoteInput {
  const known = unpaused.get(view);
  if (known !== undefined) return known;
  const input = { ...voteInput(view.snapshot), paused: false };
  unpaused.set(view, input);
  return input;
}

function readingsOf(snapshot: Snapshot, name: string | null): MemberReadings | null {
  const byName = remembered(readings, snapshot.members, () => {
    return new Map(snapshot.members.map((one) => [one.name, one]));
  });
  return name === null ? null : (byName.get(name) ?? null);
}

const readings = new WeakMap<Snapshot['members'], ReadonlyMap<string, MemberReadings>>();

function failsafeMembers(snapshot: Snapshot): string[] | null {
  const names = Object.keys(snapshot.cluster.failsafe ?? {});
  return snapshot.cluster.config?.failsafeMode && names.length > 0 ? names : null;
}

function syncBefore4(sync: SyncKey | null): Pick<VoteInput, 'syncBefore4'> {
  const plain = sync?.withoutQuorum;
  return plain ? { syncBefore4: { leader: plain.leader, voters: plain.standbys } } : {};
}

/** Members that only /failsafe names, with what was heard of them as departed members. */
function failsafeNodes(snapshot: Snapshot): VoteNode[] {
  const { cluster, departed } = snapshot;
  return (failsafeMembers(snapshot) ?? [])
    .filter((name) => !cluster.members.some((member) => member.name === name))
    .map((name) => {
      const readings = departed.find((one) => one.name === name) ?? null;
      const hasApiUrl = cluster.failsafe?.[name] !== '';
      return { ...nodeOf(snapshot, name, {}, readings), hasApiUrl, keyNofailover: false };
    });
}

function leaderSyncNames(leader: MemberReadings | null): SyncNames | null {
  if (!leader?.sql.ok) return null;
  const setting = leader.sql.value.settings['synchronous_standby_names'];
  return setting ? parseSyncNames(setting.value) : null;
}

/** Of the leader; where its SQL is not read what /config says, then what another member runs with. */
function synchronousCommit(
  snapshot: Snapshot,
  leader: MemberReadings | null,
): SynchronousCommit | null {
  const { postgresql } = snapshot.cluster.config?.raw ?? {};
  const parameters = isObject(postgresql) ? postgresql['parameters'] : undefined;
  const configured = isObject(parameters) ? parameters['synchronous_commit'] : undefined;
  const others = snapshot.members.map((readings) => settingInForce(readings));
  const said = [settingInForce(leader), commitLevel(configured), ...others];
  return said.find((level) => level !== null) ?? null;
}

/** A setting of our own login or session says nothing about other sessions. */
const OURS_ALONE = ['client', 'database', 'database user', 'session', 'user'];

function settingInForce(readings: MemberReadings | null): SynchronousCommit | null {
  if (!readings?.sql.ok) return null;
  const setting: Setting | undefined = readings.sql.value.settings['synchronous_commit'];
  if (setting === undefined || OURS_ALONE.includes(setting.source ?? '')) return null;
  return commitLevel(setting.value);
}

function commitLevel(value: JsonValue | undefined): SynchronousCommit | null {
  const on = parseBool(value);
  if (on !== null) return on ? 'on' : 'off';
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  return text === 'local' || text === 'remote_write' || text === 'remote_apply' ? text : null;
}

function voteNode(
  snapshot: Snapshot,
  member: Member,
  streaming: ReadonlySet<string> | null,
): VoteNode {
  const readings = readingsOf(snapshot, member.name);
  const node = nodeOf(snapshot, member.name, member.tags, readings);
  return {
    ...node,
    version: node.version ?? member.version,
    hasApiUrl: truthy(member.apiUrl),
    streamsFromLeader:
      streaming === null ? null : senderNames(member.name).some((name) => streaming.has(name)),
  };
}

/** The answer of a node, or, without one, the tags in its key. */
function nodeOf(
  { cluster }: Snapshot,
  name: string,
  keyTags: JsonObject,
  readings: MemberReadings | null,
): VoteNode {
  const rest = readings?.rest.ok ? readings.rest.value : null;
  const sql = readings?.sql.ok ? readings.sql.value : null;
  const tags = rest?.tags ?? keyTags;
  const system = rest?.systemId ?? sql?.systemId ?? null;
  return {
    name,
    version: rest?.patroniVersion ?? null,
    hasApiUrl: true,
    reachable: readings ? reachable(readings.rest) : null,
    running: rest ? restPosition(rest) !== null : sql ? true : null,
    starting: rest?.state === 'starting',
    primary: rest ? isPrimary(rest) : sql ? !sql.inRecovery : null,
    walPosition: rest
      ? restPosition(rest)
      : sql
        ? (sql.currentLsn ?? farther(sql.receiveLsn, sql.replayLsn))
        : null,
    timeline: rest?.timeline ?? sql?.timeline ?? null,
    nofailover: readTags(tags).nofailover,
    keyNofailover: readTags(keyTags).nofailover,
    ownSystem: !truthy(cluster.systemId) || isSame(rest !== null, system, cluster.systemId),
    watchdogFailed: rest?.watchdogFailed ?? null,
    failoverPriority: readTags(tags).failoverPriority,
    streamsFromLeader: null,
    // Only two readings show it: see preflight/stalled-standby.ts.
    standsStill: false,
    streams: sql ? sql.walReceiver?.status === 'streaming' : restStreams(rest),
  };
}

/** Patroni reports no system identifier before it knows one: then it counts as another. */
function isSame(isHeard: boolean, mine: string | null, wanted: string | null): boolean | null {
  return mine === null && !isHeard ? null : mine === wanted;
}

/** Refused by its allowlist or unreadable to us, it may still answer its peers. */
function reachable(rest: Reading<RestStatus>): boolean | null {
  if (rest.ok) return true;
  return rest.kind === 'unreachable' ? false : null;
}

/** As Patroni's own race reads an answer, but with a primary's position. */
function restPosition(rest: RestStatus): Lsn | null {
  return rest.location ?? farther(rest.receivedLocation, rest.replayedLocation);
}

function outOfRecovery({ rest, sql }: MemberReadings): boolean {
  return (rest.ok && isPrimary(rest.value)) || (sql.ok && !sql.value.inRecovery);
}

function isPrimary(rest: RestStatus): boolean {
  return rest.location !== null || rest.role === 'primary' || rest.role === 'master';
}

function restStreams(rest: RestStatus | null): boolean | null {
  return rest ? rest.replicationState === 'streaming' : null;
}

/** application_names of the standbys that stream from it, in lower case; null: that was not read. */
function streamingFrom(leader: MemberReadings | null): ReadonlySet<string> | null {
  if (!leader?.sql.ok && !leader?.rest.ok) return null;
  const rows = leader.sql.ok ? leader.sql.value.walsenders : restSenders(leader.rest);
  const streaming = rows.filter(({ state }) => state === 'streaming');
  return new Set(streaming.map(({ applicationName }) => applicationName.toLowerCase()));
}

function restSenders(rest: Reading<RestStatus>): RestStatus['replication'] & object {
  return rest.ok ? (rest.value.replication ?? []) : [];
}
