/** What every member claims to be, what it was observed to be, and the real streaming replication. */
import { remembered } from '../model/remembered.js';
import { senderNames } from '../model/member-names.js';
import { claimedRole, type ClaimedRole } from './dcs-roles.js';
import { farther, lagBytes, type Lsn } from '../model/lsn.js';
import type {
  Cluster,
  Departed,
  Member,
  MemberReadings,
  Reading,
  RestStatus,
  Snapshot,
  SqlStatus,
} from '../model/model.js';
import { slotName } from '../model/slot-name.js';
import { readTags } from '../model/tags.js';

export type ObservedRole =
  'primary' | 'standby leader' | 'replica' | 'not running' | 'unreachable' | 'unknown';

/** What pg_stat_replication on its upstream says of a member; '' for a primary and a standby leader. */
export type SyncState = 'sync' | 'quorum' | 'potential' | 'async' | 'absent' | 'unknown' | '';

/** One walsender row, seen over SQL or (without positions) over REST. */
export interface StreamRow {
  /** The member on which the row was seen. */
  upstream: string;
  witness: 'SQL' | 'REST';
  applicationName: string;
  state: string | null;
  syncState: string | null;
  /** Position columns are null over REST. */
  sentLsn: Lsn | null;
  writeLsn: Lsn | null;
  flushLsn: Lsn | null;
  replayLsn: Lsn | null;
  replayLagMs: number | null;
  replyAgeMs: number | null;
  slotName: string | null;
  slotType: 'physical' | 'logical' | null;
  pid: number | null;
  clientAddr: string | null;
}

export interface MemberView {
  name: string;
  /** null for a departed member. */
  member: Member | null;
  departed: Departed | null;
  /** null for a departed member. */
  claimed: ClaimedRole | null;
  observed: ObservedRole;
  witness: 'SQL' | 'REST' | null;
  rest: Reading<RestStatus>;
  sql: Reading<SqlStatus>;
  /** The row that decides the sync state: on the leader if there is one there. */
  row: StreamRow | null;
  /** Every row with this member's name, on any server. */
  rows: StreamRow[];
  /** Every walsender that this node shows; empty when none could be read. */
  streams: StreamRow[];
  syncState: SyncState;
  timeline: number | null;
  /** Only a control file shows the timeline: it may be behind the replayed one, never ahead. */
  timelineIsLeast: boolean;
  /** Written WAL of a primary, received or replayed WAL of a standby: the farther of the two. */
  position: Lsn | null;
  replayed: Lsn | null;
  /** Behind the leader's position as read in the same round; null when either is unknown. */
  lagBytes: number | null;
  replayLagBytes: number | null;
}

/** The snapshot, joined: one row a member, departed ones after the rest. */
export interface View {
  snapshot: Snapshot;
  members: MemberView[];
  /** The holder of the leader key, when it has a member key. */
  leader: MemberView | null;
  /** Every server seen out of recovery, departed members included. */
  primaries: MemberView[];
  /** Walsender rows of the leader; null when no witness could read them. */
  leaderRows: StreamRow[] | null;
}

/** Joins the witnesses of a snapshot. SQL is believed before REST, REST before nothing. */
export function viewOf(snapshot: Snapshot): View {
  const { cluster } = snapshot;
  const departedHeard = snapshot.departed.filter(isHeard);
  const everybody: MemberReadings[] = [...snapshot.members, ...departedHeard];
  const rowsBy = new Map(everybody.map((readings) => [readings.name, streamRows(readings)]));
  const rowsOf = rowFinder(
    [...rowsBy.values()].flatMap((rows) => rows ?? []),
    everybody.map(({ name }) => name),
  );
  const leaderReadings = snapshot.members.find(({ name }) => name === cluster.leaderName);
  const leaderPosition = leaderReadings ? positionOf(leaderReadings) : null;
  const leaderTimeline = leaderReadings ? timelineOf(leaderReadings, null, null).timeline : null;
  const readable = (name: string) => (rowsBy.get(name) ?? null) !== null;

  const members = everybody.map((readings, at): MemberView => {
    const departed = departedHeard[at - snapshot.members.length] ?? null;
    const member = departed ? null : (cluster.members[at] ?? null);
    const { name, rest, sql } = readings;
    const { observed, witness } = observedRole(readings, cluster);
    const rows = rowsOf(name);
    const row = rows.find(({ upstream }) => upstream === cluster.leaderName) ?? rows[0] ?? null;
    const position = positionOf(readings);
    const replayed = replayedOf(readings);
    const behind = (lsn: Lsn | null) =>
      leaderPosition === null || lsn === null ? null : lagBytes(leaderPosition, lsn);
    const syncState =
      observed === 'primary' || observed === 'standby leader' || name === cluster.leaderName
        ? ''
        : syncStateOf(row, upstreamsOf(member, cluster).every(readable));
    return {
      name,
      member,
      departed,
      claimed: member ? claimedRole(cluster, member) : null,
      observed,
      witness,
      rest,
      sql,
      row,
      rows,
      streams: rowsBy.get(name) ?? [],
      syncState,
      ...timelineOf(readings, member, leaderTimeline),
      position,
      replayed,
      lagBytes: behind(position),
      replayLagBytes: behind(replayed),
    };
  });
  return {
    snapshot,
    members,
    leader: members.find(({ name, member }) => member && name === cluster.leaderName) ?? null,
    primaries: members.filter(({ observed }) => observed === 'primary'),
    leaderRows: cluster.leaderName === null ? null : (rowsBy.get(cluster.leaderName) ?? null),
  };
}

/** A member that left and gives no sign of life is gone; one that does is what we look for. */
function isHeard({ rest, sql, listening }: Departed): boolean {
  return rest.ok || sql.ok || listening === true;
}

/**
 * The walsenders of a member, by its name. Where PostgreSQL shows two members under one name, the slot tells them
 * apart, and without one the row is taken to be of both.
 */
function rowFinder(rows: readonly StreamRow[], names: string[]): (name: string) => StreamRow[] {
  const byName = new Map<string, StreamRow[]>();
  for (const row of rows) {
    if (row.slotType === 'logical') continue;
    remembered(byName, row.applicationName.toLowerCase(), () => []).push(row);
  }
  if (byName.size === 0) return () => [];
  const owners = new Map<string, string[]>();
  for (const name of names)
    for (const shown of senderNames(name)) remembered(owners, shown, () => []).push(name);
  const isAnothers = (row: StreamRow, shown: string, name: string): boolean => {
    const others = owners.get(shown) ?? [];
    if (others.length < 2 || row.slotName === null) return false;
    return row.slotName !== slotName(name) && others.some((one) => row.slotName === slotName(one));
  };
  return (name) =>
    senderNames(name).flatMap((shown) =>
      (byName.get(shown) ?? []).filter(
        (row) => row.upstream !== name && !isAnothers(row, shown, name),
      ),
    );
}

const membersByShownName = new WeakMap<View, ReadonlyMap<string, MemberView>>();

/** The first member whose walsender may have this application_name. */
export function memberOfSender(view: View, applicationName: string): MemberView | undefined {
  const byName = remembered(membersByShownName, view, () => {
    const found = new Map<string, MemberView>();
    for (const one of view.members)
      for (const shown of senderNames(one.name)) remembered(found, shown, () => one);
    return found;
  });
  return byName.get(applicationName.toLowerCase());
}

/** Where a member's row may be: on the leader, or on its replicatefrom when that member exists. */
function upstreamsOf(member: Member | null, cluster: Cluster): string[] {
  const from = readTags(member?.tags).replicatefrom;
  const upstream = from === null ? undefined : cluster.members.find(({ name }) => name === from);
  const names = [cluster.leaderName ?? '', upstream?.name ?? ''].filter((name) => name !== '');
  return names.length > 0 ? names : [''];
}

/** What pg_stat_replication.sync_state may say. */
const SYNC_STATES = ['sync', 'quorum', 'potential', 'async'] as const;

function syncStateOf(row: StreamRow | null, upstreamsWereRead: boolean): SyncState {
  if (row === null) return upstreamsWereRead ? 'absent' : 'unknown';
  return SYNC_STATES.find((state) => state === row.syncState) ?? 'unknown';
}

/** The walsender rows that one node shows; null when no witness of it could read them. */
function streamRows({ name, rest, sql }: MemberReadings): StreamRow[] | null {
  if (sql.ok) {
    return sql.value.walsenders.map((row) => ({ ...row, upstream: name, witness: 'SQL' as const }));
  }
  // Patroni omits `replication` both if no standby streams and if PostgreSQL does not run.
  if (!rest.ok || (rest.value.location === null && rest.value.replayedLocation === null))
    return null;
  return (rest.value.replication ?? []).map((row) => ({
    upstream: name,
    witness: 'REST' as const,
    applicationName: row.applicationName,
    state: row.state,
    syncState: row.syncState,
    sentLsn: null,
    writeLsn: null,
    flushLsn: null,
    replayLsn: null,
    replayLagMs: null,
    replyAgeMs: null,
    slotName: null,
    slotType: null,
    pid: null,
    clientAddr: row.clientAddr,
  }));
}

function observedRole(
  { name, rest, sql }: MemberReadings,
  cluster: Cluster,
): { observed: ObservedRole; witness: 'SQL' | 'REST' | null } {
  const standing = () =>
    cluster.config?.standbyCluster && name === cluster.leaderName ? 'standby leader' : 'replica';
  if (sql.ok) return { observed: sql.value.inRecovery ? standing() : 'primary', witness: 'SQL' };
  if (rest.ok) {
    if (rest.value.location !== null) return { observed: 'primary', witness: 'REST' };
    const replays = rest.value.receivedLocation !== null || rest.value.replayedLocation !== null;
    return { observed: replays ? standing() : 'not running', witness: 'REST' };
  }
  const silent = [rest, sql].filter((reading) => reading.kind !== 'off');
  const unreachable = silent.length > 0 && silent.every(({ kind }) => kind === 'unreachable');
  return { observed: unreachable ? 'unreachable' : 'unknown', witness: null };
}

function positionOf({ rest, sql }: MemberReadings): Lsn | null {
  if (sql.ok) return sql.value.currentLsn ?? farther(sql.value.receiveLsn, sql.value.replayLsn);
  if (!rest.ok) return null;
  const { location, receivedLocation, replayedLocation } = rest.value;
  return location ?? farther(receivedLocation, replayedLocation);
}

function replayedOf({ rest, sql }: MemberReadings): Lsn | null {
  if (sql.ok) return sql.value.replayLsn;
  return rest.ok ? rest.value.replayedLocation : null;
}

type Timeline = Pick<MemberView, 'timeline' | 'timelineIsLeast'>;

/**
 * A primary and a standby that streams know their timeline. The control file of any other is as old as its last
 * restartpoint: Patroni asks the server itself what it replays, and what its key says of a timeline that the
 * leader has been on is as good.
 */
function timelineOf(
  { rest, sql }: MemberReadings,
  member: Member | null,
  leaderTimeline: number | null,
): Timeline {
  const byRest = rest.ok ? rest.value.timeline : null;
  if (!sql.ok || sql.value.timeline === null) return { timeline: byRest, timelineIsLeast: false };
  const { timeline, inRecovery, walReceiver } = sql.value;
  if (!inRecovery || walReceiver?.status === 'streaming') {
    return { timeline, timelineIsLeast: false };
  }
  const byKey = member?.timeline ?? null;
  const isPossible = byKey !== null && leaderTimeline !== null && byKey <= leaderTimeline;
  const other = byRest ?? (isPossible ? byKey : null);
  return { timeline: Math.max(timeline, other ?? 0), timelineIsLeast: other === null };
}

/** How much later than promised a standby's reply may come. */
export const REPLY_SLACK_MS = 5000;

/** A walsender asks for a reply when half of wal_sender_timeout has gone by; with 0 it never does. */
export function askedAndSilentMs(senderTimeoutMs: number): number {
  return senderTimeoutMs > 0 ? senderTimeoutMs / 2 + REPLY_SLACK_MS : Infinity;
}
