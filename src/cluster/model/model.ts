/** Patroni's words as types. Everything here is data: no I/O, no clock. */
import type { Lsn } from './lsn.js';
import type { Reading } from './reading.js';
import type { RouteReading } from './route-model.js';

export type { Reading, SilenceKind } from './reading.js';

// ---------------------------------------------------------------- first witness: the DCS

export type JsonValue =
  null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/** `members/<name>`: a member's last heartbeat, up to loop_wait old (ttl old if its node is dead). */
export interface Member {
  name: string;
  connUrl: string | null;
  apiUrl: string | null;
  /** Host and port out of connUrl; null when absent or unreadable. */
  host: string | null;
  port: number | null;
  /** Patroni's own word: primary (master before 4), replica, standby_leader, … or '' */
  role: string;
  state: string;
  replicationState: string | null;
  timeline: number | null;
  xlogLocation: Lsn | null;
  receiveLsn: Lsn | null;
  replayLsn: Lsn | null;
  version: string | null;
  tags: JsonObject;
  pendingRestart: boolean;
  pendingRestartReason: JsonObject | null;
  scheduledRestart: JsonObject | null;
  pause: boolean;
  modRevision: string;
  /** The whole value as Patroni wrote it, {} when unreadable. */
  raw: JsonObject;
  /** Its text, for --compat: Python tells 1.0 from 1, a parsed value does not. */
  text?: string;
}

/** `/sync`. `leader` null means empty: synchronous mode requested, not active. */
export interface SyncKey {
  leader: string | null;
  /** As written; names compare case-insensitively. */
  standbys: string[];
  /** 0 unless synchronous_mode is quorum. */
  quorum: number;
  modRevision: string;
  /** The key is there and cannot be read: what it promises is unknown, which is not nothing. */
  unreadable?: true;
  /** It was not read: its standbys are those that GET /cluster shows as such, and `leader` and `quorum` are unknown. */
  fromRoles?: true;
  /** Only its quorum cannot be read: the rest, by which Patroni before 4.0 goes. */
  withoutQuorum?: { leader: string; standbys: string[] };
}

/** `/failover` when it holds a request; `{}` (finished or cancelled) is parsed as null. */
export interface FailoverKey {
  leader: string | null;
  candidate: string | null;
  /** As written (ISO 8601), null when not scheduled. */
  scheduledAt: string | null;
  modRevision: string;
}

export interface StatusKey {
  /** The leader's last LSN, up to loop_wait old; null when absent. */
  optime: Lsn | null;
  slots: Record<string, Lsn>;
  retainSlots: string[];
}

export interface HistoryLine {
  timeline: number;
  lsn: Lsn;
  reason: string;
  timestamp: string | null;
  newLeader: string | null;
}

export type SyncMode = 'off' | 'on' | 'quorum';

/** The dynamic configuration, with the settings that decide things already read out and defaulted. */
export interface DynamicConfig {
  raw: JsonObject;
  /** As `Member.text`. */
  text?: string;
  syncMode: SyncMode;
  syncModeStrict: boolean;
  syncNodeCount: number;
  ttlSeconds: number;
  loopWaitSeconds: number;
  retryTimeoutSeconds: number;
  maximumLagOnFailoverBytes: number;
  maximumLagOnSyncnodeBytes: number;
  primaryStopTimeoutSeconds: number;
  checkTimeline: boolean;
  failsafeMode: boolean;
  pause: boolean;
  useSlots: boolean;
  usePgRewind: boolean;
  /** Only a standby_cluster with host, port or restore_command counts. */
  standbyCluster: JsonObject | null;
  modRevision: string;
  /** The key is there and cannot be read: all of the above are defaults. */
  unreadable?: true;
}

/** Something in the DCS that could not be read; never thrown, always shown. */
export interface ParseProblem {
  key: string;
  problem: string;
  /** Only part of the key is wrong, and Patroni too goes by its defaults there; the rest was read. */
  partly?: true;
}

/** What the DCS says of one cluster, at one revision. */
export interface Cluster {
  scope: string;
  /** Citus group, null outside Citus. */
  group: number | null;
  revision: string;
  /** database system identifier, from `initialize`; null when absent. */
  systemId: string | null;
  leaderName: string | null;
  members: Member[];
  /** null: key absent. */
  sync: SyncKey | null;
  config: DynamicConfig | null;
  status: StatusKey | null;
  failover: FailoverKey | null;
  /** mod_revision of /failover whatever it holds; '0' when the key is absent. */
  failoverRevision: string;
  /** null: key absent. */
  history: HistoryLine[] | null;
  /** mod_revision of /history; null when absent. */
  historyRevision?: string | null;
  failsafe: Record<string, string> | null;
  /** Members that `patctl retire` took out, each with the revision at which it was noted; absent: none. */
  retired?: { name: string; modRevision: string }[];
  problems: ParseProblem[];
  /** When this was so by the DCS's own clock, ISO 8601 UTC; absent where it tells no time. */
  asOf?: string;
  /** What this way to the cluster cannot know, and why, as a clause; absent where it knows everything. */
  cannotTell?: Partial<Record<Claim, string>>;
  /** What was not read but follows from something else, and from what, as a clause. */
  workedOut?: Partial<Record<Claim, string>>;
  /** Whose answers the claims are where a member's REST API was asked (--rest); absent where the DCS was. */
  memberAnswers?: MemberAnswers;
  /** The leader's claim with its age, where claims outlive the leader (Kubernetes). */
  leaderClaim?: LeaderClaim;
  /** What Kubernetes itself claims; absent elsewhere. */
  kubernetes?: KubernetesClaims;
}

/** What a way to a cluster may be unable to tell: a key of Patroni's, members that left, or other clusters. */
export type Claim =
  | 'leader'
  | 'sync'
  | 'failover'
  | 'failsafe'
  | 'status'
  | 'config'
  | 'history'
  | 'initialize'
  | 'departed'
  | 'other_clusters';

/** A cluster as the REST API of one of its members tells it. */
export interface MemberAnswers {
  /** `http://host:port` of the one that answered. */
  url: string;
  /** The members that answered there (`patroni.name`); two behind a proxy that chooses. */
  answeredBy: string[];
  patroniVersion: string | null;
  /** What GET /cluster says there, and at every other member whose answer differs from it. */
  views: ClusterAnswer[];
}

/** GET /cluster of one member, as far as members have to agree on it. */
export interface ClusterAnswer {
  member: string;
  leader: string | null;
  /** `name role`, sorted. */
  roles: string[];
  pause: boolean;
  /** ISO 8601; null: no switchover is scheduled. */
  scheduledAt: string | null;
}

/** Where nothing removes the leader's claim when the leader dies: its holder and its age. */
export interface LeaderClaim {
  name: string;
  /** By the leader's clock, as written; null when absent. */
  renewTime: string | null;
  /** Seconds for which it holds; null when absent. */
  ttlSeconds: number | null;
  /** From renewTime to the DCS's own clock; null when one of the two is unknown. */
  ageMs: number | null;
  /** Older than its ttl: Patroni's members take the lock for free, and so does `Cluster.leaderName`. */
  expired: boolean;
}

/** What Kubernetes says of the Pods, beside what Patroni wrote into its objects. */
export interface KubernetesClaims {
  namespace: string;
  /** The kind of object that holds Patroni's keys. */
  kind: 'endpoints' | 'configmaps';
  /** The label that Patroni writes into the Pods, and its values. */
  roleLabel: {
    name: string;
    leaderValue: string;
    followerValue: string;
    standbyLeaderValue: string;
  };
  /** Where the leader's Endpoints lead clients to; null with ConfigMaps. */
  leaderEndpoints: {
    name: string;
    addresses: { ip: string; port: number | null; pod: string | null }[];
  } | null;
  /** By name. */
  pods: PodClaim[];
}

/** One Pod of a cluster. */
export interface PodClaim {
  name: string;
  ip: string | null;
  phase: string | null;
  /** Condition Ready: Services send clients to it. null: not yet known. */
  ready: boolean | null;
  readySince: string | null;
  /** Value of the role label; null: none. */
  roleLabel: string | null;
  deleting: boolean;
  /** Patroni has written its status into it. */
  reports: boolean;
}

// ---------------------------------------------------------------- second witness: Patroni's REST API

/** One row of `replication[]` in GET /patroni of a primary: its pg_stat_replication without LSNs. */
export interface RestWalsender {
  applicationName: string;
  usename: string | null;
  clientAddr: string | null;
  state: string | null;
  syncState: string | null;
  syncPriority: number | null;
}

/** GET /patroni */
export interface RestStatus {
  httpStatus: number;
  name: string;
  scope: string;
  state: string;
  role: string;
  /** PostgreSQL's server_version_num, null when it is not running. */
  serverVersion: number | null;
  patroniVersion: string | null;
  timeline: number | null;
  systemId: string | null;
  /** Present on a node that is out of recovery. */
  location: Lsn | null;
  receivedLocation: Lsn | null;
  replayedLocation: Lsn | null;
  replayedTimestamp: string | null;
  replayPaused: boolean | null;
  /** null: the answer has no `replication` (none connected, or not a primary). */
  replication: RestWalsender[] | null;
  replicationState: string | null;
  syncStandby: boolean;
  quorumStandby: boolean;
  pause: boolean;
  pendingRestart: boolean;
  pendingRestartReason: JsonObject | null;
  scheduledRestart: JsonObject | null;
  tags: JsonObject;
  watchdogFailed: boolean;
  failsafeModeIsActive: boolean;
  /** Unix seconds of Patroni's last successful DCS contact, null when absent. */
  dcsLastSeen: number | null;
  clusterUnlocked: boolean;
  raw: JsonObject;
}

// ---------------------------------------------------------------- third witness: PostgreSQL itself

/** One row of pg_stat_replication; names are not unique, keep the list. */
export interface Walsender {
  pid: number;
  usename: string | null;
  applicationName: string;
  clientAddr: string | null;
  clientPort: number | null;
  state: string | null;
  sentLsn: Lsn | null;
  writeLsn: Lsn | null;
  flushLsn: Lsn | null;
  replayLsn: Lsn | null;
  writeLagMs: number | null;
  flushLagMs: number | null;
  replayLagMs: number | null;
  syncPriority: number | null;
  syncState: string | null;
  /** Age of reply_time on the server's own clock, ms; null when it never replied. */
  replyAgeMs: number | null;
  /** The slot it streams from (pg_replication_slots.active_pid), null without one. */
  slotName: string | null;
  slotType: 'physical' | 'logical' | null;
  backendStart: string | null;
}

export interface WalReceiver {
  pid: number;
  status: string | null;
  senderHost: string | null;
  senderPort: number | null;
  slotName: string | null;
  flushedLsn: Lsn | null;
  receivedTimeline: number | null;
  /** Age of last_msg_receipt_time on the server's own clock, ms. */
  lastMessageAgeMs: number | null;
}

export interface ReplicationSlot {
  slotName: string;
  slotType: 'physical' | 'logical';
  database: string | null;
  active: boolean;
  activePid: number | null;
  restartLsn: Lsn | null;
  confirmedFlushLsn: Lsn | null;
  walStatus: string | null;
  /** Below: absent in older recordings, null where this version of PostgreSQL cannot tell. */
  temporary?: boolean | null;
  /** 17: it is to be copied to standbys. */
  failover?: boolean | null;
  /** 17: it is such a copy, kept by the slot sync worker. */
  synced?: boolean | null;
  /** 16: recovery has taken away what it needs. */
  conflicting?: boolean | null;
  /** 17: why it can never be used again. */
  invalidationReason?: string | null;
  /** 17: since it became inactive, by the server's own clock, ms. */
  inactiveAgeMs?: number | null;
}

/** One name of pg_settings that decides something. */
export interface Setting {
  value: string;
  source: string | null;
  sourcefile: string | null;
  pendingRestart: boolean;
}

/** What one PostgreSQL says of itself, read in one session. */
export interface SqlStatus {
  serverVersion: number;
  systemId: string | null;
  inRecovery: boolean;
  /** When the postmaster was started, microseconds since 1970: two servers of one database never share it. */
  startedAt?: string | null;
  timeline: number | null;
  /** pg_current_wal_lsn() when not in recovery, else null. */
  currentLsn: Lsn | null;
  /** Where the last checkpoint's redo begins: WAL before it is kept for a reason, or gone. */
  redoLsn?: Lsn | null;
  /**
   * Where the oldest file in pg_wal begins, looked for where an inactive slot names older WAL; null: not to be seen,
   * absent: not looked for.
   */
  oldestWal?: Lsn | null;
  receiveLsn: Lsn | null;
  replayLsn: Lsn | null;
  replayPaused: boolean | null;
  lastXactReplayAgeMs: number | null;
  walsenders: Walsender[];
  walReceiver: WalReceiver | null;
  slots: ReplicationSlot[];
  settings: Record<string, Setting>;
  /** Backends waiting in wait_event SyncRep. */
  syncRepWaiters: number;
  /**
   * The oldest transaction among them: when it began, by the server's clock, and how long ago; null when none waits.
   */
  syncRepOldest?: { since: string; ageMs: number } | null;
  /** Oldest transaction's age in ms other than our own, null when none. */
  oldestXactAgeMs: number | null;
  baseBackupsRunning: number;
  /** Of clients: those that others hold, max_connections, and what of it is kept for superusers and reserved roles. */
  connections?: { used: number; max: number; reserved: number };
  archiver: {
    lastArchivedAgeMs: number | null;
    lastFailedAgeMs: number | null;
    failedCount: number;
    /** Files that wait in archive_status, looked for where some may; absent: not looked for, or not to be seen. */
    ready?: { files: number; oldestAgeMs: number };
  } | null;
  /** Which login was used, e.g. `superuser` or `flag`; never the password. */
  login: string;
}

// ---------------------------------------------------------------- all three, side by side

export interface MemberReadings {
  name: string;
  rest: Reading<RestStatus>;
  sql: Reading<SqlStatus>;
}

/** A member whose key is gone but whose PostgreSQL may live on. */
export interface Departed extends MemberReadings {
  /** Where its address comes from. */
  origin: 'dcs history' | 'failsafe' | '--also';
  host: string | null;
  port: number | null;
  /** Something answers PostgreSQL's protocol there (no login needed to see it); null: no address. */
  listening: boolean | null;
  /** What etcd's history has of its key; absent when it does not come from there. */
  lastWord?: LastWord;
}

/** The last value of a member key that is gone. */
export interface LastWord {
  role: string;
  state: string;
  /** The revision at which the key was found to be gone. */
  deletedRevision: string;
  /** /sync named it when the key was last written, or just before it went; null when that cannot be read any more. */
  isSynchronous: boolean | null;
  /** How often /status was written since: the leader does so once a loop at most; null when not known. */
  statusWrites: number | null;
}

/** The contents of an earlier recording, to find members that left since. */
export interface EarlierSnapshot {
  takenAt: string;
  members: { name: string; isSynchronous: boolean }[];
}

export type VerifyMode = 'auto' | 'sql' | 'rest' | 'off';

/** Everything the three witnesses said of one cluster. The pure functions below src/cluster decide on it. */
export interface Snapshot {
  cluster: Cluster;
  verify: VerifyMode;
  /** Wall clock at the DCS read, ISO 8601 UTC. */
  takenAt: string;
  /** In the order of cluster.members. */
  members: MemberReadings[];
  departed: Departed[];
  /** Members of etcd's history whose address is another member's now: they were given another name. */
  renamed?: string[];
  /** An earlier recording that was given (--since FILE). */
  earlier?: EarlierSnapshot;
  /** Set when the DCS was read without its majority (--serializable). */
  serializable: boolean;
  /** An earlier reading of the same cluster, when one was taken to see what moves. */
  previous: Snapshot | null;
  /** Below: what only `check` finds out, absent where it was not asked for. */
  certificates?: SeenCertificate[];
  /** Members whose REST API accepts changes from any client. */
  openRest?: string[];
  /** Names that are expected to have a member key. */
  expectedMembers?: string[];
  /** What answered through the routes of --route and `patctl.routes`. */
  routes?: RouteReading[];
  /** The pause is at least as old, by the members' own copies of the configuration; ISO 8601. */
  pausedSince?: string;
}

/** A TLS certificate that a server showed. */
export interface SeenCertificate {
  what: 'etcd' | 'Patroni' | 'PostgreSQL';
  /** host:port */
  address: string;
  member: string | null;
  subject: string;
  /** ISO 8601 UTC */
  validTo: string;
}

// ---------------------------------------------------------------- what follows from them

export type Severity = 'info' | 'warning' | 'critical' | 'unknown';

/** One thing one witness said, and when. */
export interface Witnessed {
  witness: 'DCS' | 'REST' | 'SQL' | 'route';
  /** What was asked: a member's name, a key of the DCS, or a route. */
  subject: string;
  said: string;
}

/** Something that is wrong, or worth knowing. `code` never changes its meaning. */
export interface Finding {
  code: string;
  severity: Severity;
  /** Names of the members it is about; empty when it is about the cluster. */
  members: string[];
  message: string;
  evidence: Witnessed[];
  /** What to do next. */
  next: string;
}
