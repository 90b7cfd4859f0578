/** The document of `patctl status`: the whole truth about one cluster, as data. */
import { roleTitle } from '../roles/dcs-roles.js';
import { findings, foundIn } from '../findings/find.js';
import { DEFAULT_LIMITS } from '../findings/limits.js';
import { leftViews } from '../findings/left-members.js';
import { doubts, silences, type Doubt } from '../roles/unverified.js';
import { formatLsn, lagBytes, type Lsn } from '../model/lsn.js';
import type {
  Finding,
  JsonObject,
  ParseProblem,
  Snapshot,
  SyncMode,
  VerifyMode,
} from '../model/model.js';
import {
  viewOf,
  type MemberView,
  type ObservedRole,
  type SyncState,
  type View,
} from '../roles/view.js';
import { survival } from './quorum-document.js';
import { parseSyncNames } from '../model/sync-standby-names.js';
import type { Outcome } from '../votes/vote-rules.js';
import { silence } from '../findings/evidence.js';
import { verdictOf } from '../roles/verdict.js';

export interface StatusMember {
  name: string;
  host: string | null;
  port: number | null;
  /** As patronictl shows it; null for a member that has left the DCS. */
  claimedRole: string | null;
  observedRole: ObservedRole;
  /** The witness of the observed role; null: none. */
  witness: 'SQL' | 'REST' | null;
  /** Why a witness was silent; null when every one that was asked answered. */
  silence: string | null;
  state: string | null;
  timeline: number | null;
  /** Text as pg_lsn: written by a primary, received by a standby. */
  lsn: string | null;
  replayLsn: string | null;
  /** Behind the leader's position of the same round, bytes. */
  lagBytes: number | null;
  replayLagBytes: number | null;
  syncState: SyncState;
  verdict: string;
  departed: boolean;
  patroniVersion: string | null;
  /** server_version_num */
  postgresVersion: number | null;
  tags: JsonObject;
  pendingRestart: boolean;
  pendingRestartReason: JsonObject | null;
  scheduledRestart: JsonObject | null;
}

export interface StatusStream {
  upstream: string;
  applicationName: string;
  witness: 'SQL' | 'REST';
  pid: number | null;
  clientAddr: string | null;
  state: string | null;
  sentLsn: string | null;
  writeLsn: string | null;
  flushLsn: string | null;
  replayLsn: string | null;
  /** Sent by the upstream and not yet flushed, against the upstream's own position, bytes. */
  lagBytes: number | null;
  replayLagMs: number | null;
  replyAgeMs: number | null;
  syncState: string | null;
  slotName: string | null;
  slotType: 'physical' | 'logical' | null;
}

export interface StatusDocument {
  schemaVersion: 1;
  takenAt: string;
  cluster: string;
  group: number | null;
  systemId: string | null;
  dcsRevision: string;
  /** Read without etcd's majority: may be stale. */
  serializable: boolean;
  leader: {
    name: string | null;
    observedRole: ObservedRole | null;
    timeline: number | null;
    lsn: string | null;
  };
  /** What /config decides is null when it cannot be read. */
  mode: {
    paused: boolean | null;
    failsafeConfigured: boolean | null;
    failsafeActive: boolean;
    standbyCluster: boolean | null;
  };
  sync: {
    /** null: /config cannot be read. */
    mode: SyncMode | null;
    strict: boolean;
    nodeCount: number;
    /** null: there is none, or it cannot be read (then `problems` says so). */
    key: { leader: string | null; standbys: string[]; quorum: number } | null;
    /** As in force on the leader; null when SQL did not read it. */
    synchronousStandbyNames: string | null;
    /** How many standbys a commit waits for by that setting: 0 when it is empty, null when not known. */
    numsync: number | null;
  };
  votes: {
    /** A member can take over if the leader is lost. */
    survivesLeaderLoss: Outcome;
    /** How many members more may be lost after the leader, whichever they are; null when not known. */
    moreLosses: number | null;
    /** The same for people. */
    words: string;
  };
  members: StatusMember[];
  replication: StatusStream[];
  pending: {
    failover: {
      leader: string | null;
      candidate: string | null;
      scheduledAt: string | null;
    } | null;
    restarts: string[];
  };
  witnesses: {
    verify: VerifyMode;
    rest: { asked: number; answered: number };
    /** `logins`: which one answered, e.g. flag, environment, superuser. */
    sql: { asked: number; answered: number; logins: string[] };
  };
  findings: Finding[];
  /** What `check` finds besides, by this one reading and its default limits. */
  further: Finding[];
  /** What could not be told, and why; a witness that is silent where another spoke is here too. */
  doubts: Doubt[];
  problems: ParseProblem[];
  /** Whose answers stand for the DCS (--rest); null: the DCS itself was read. */
  askedMember: { url: string; answeredBy: string[]; patroniVersion: string | null } | null;
  /** Keys and facts that this way to the cluster cannot know, each with the reason. */
  cannotTell: Record<string, string>;
  /** What was not read but follows from something else, and from what. */
  workedOut: Record<string, string>;
}

/** The document without what one line about the cluster does not show, and what costs most. */
export type StatusSummary = Omit<StatusDocument, 'votes' | 'replication'>;

/** `ignored`: codes that the configuration file has `check` ignore. */
export function statusDocument(
  snapshot: Snapshot,
  ignored: readonly string[] = [],
): StatusDocument {
  const view = viewOf(snapshot);
  const found = findings(view);
  return {
    ...claimedPart(view),
    votes: votesPart(snapshot),
    members: membersPart(view, found),
    replication: streams(view),
    ...judgedPart(view, found, ignored),
  };
}

/** `ignored` as for statusDocument. */
export function statusSummary(snapshot: Snapshot, ignored: readonly string[]): StatusSummary {
  const view = viewOf(snapshot);
  const found = findings(view);
  return {
    ...claimedPart(view),
    members: membersPart(view, found),
    ...judgedPart(view, found, ignored),
  };
}

/** What the document begins with. */
type ClaimedPart = Pick<
  StatusDocument,
  | 'schemaVersion'
  | 'takenAt'
  | 'cluster'
  | 'group'
  | 'systemId'
  | 'dcsRevision'
  | 'serializable'
  | 'leader'
  | 'mode'
  | 'sync'
>;

function claimedPart(view: View): ClaimedPart {
  const { snapshot, leader, members } = view;
  const { cluster } = snapshot;
  return {
    schemaVersion: 1,
    takenAt: snapshot.takenAt,
    cluster: cluster.scope,
    group: cluster.group,
    systemId: cluster.systemId,
    dcsRevision: cluster.revision,
    serializable: snapshot.serializable,
    leader: {
      name: cluster.leaderName,
      observedRole: leader?.observed ?? null,
      timeline: leader?.timeline ?? null,
      lsn: text(leader?.position),
    },
    mode: {
      paused: known(cluster, cluster.config?.pause),
      failsafeConfigured: known(cluster, cluster.config?.failsafeMode),
      failsafeActive: members.some(({ rest }) => rest.ok && rest.value.failsafeModeIsActive),
      standbyCluster: known(cluster, (cluster.config?.standbyCluster ?? null) !== null),
    },
    sync: syncPart(view),
  };
}

function membersPart(view: View, found: Finding[]): StatusMember[] {
  return [...view.members, ...leftViews(view)].map((one) => memberPart(one, view, found));
}

/** What the document ends with. */
type JudgedPart = Omit<StatusSummary, keyof ClaimedPart | 'members'>;

function judgedPart(view: View, found: Finding[], ignored: readonly string[]): JudgedPart {
  const { snapshot, members } = view;
  const { cluster } = snapshot;
  return {
    pending: {
      failover: cluster.failover && {
        leader: cluster.failover.leader,
        candidate: cluster.failover.candidate,
        scheduledAt: cluster.failover.scheduledAt,
      },
      restarts: members.filter(({ member }) => member?.pendingRestart).map(({ name }) => name),
    },
    witnesses: {
      verify: snapshot.verify,
      rest: asked(members.map(({ rest }) => rest)),
      sql: {
        ...asked(members.map(({ sql }) => sql)),
        logins: [...new Set(members.flatMap(({ sql }) => (sql.ok ? [sql.value.login] : [])))],
      },
    },
    findings: found,
    further: furtherFindings(view, found, ignored),
    doubts: allDoubts(view, found),
    problems: cluster.problems,
    askedMember: askedMember(cluster),
    cannotTell: { ...cluster.cannotTell },
    workedOut: { ...cluster.workedOut },
  };
}

function askedMember({ memberAnswers }: Snapshot['cluster']): StatusDocument['askedMember'] {
  if (!memberAnswers) return null;
  const { url, answeredBy, patroniVersion } = memberAnswers;
  return { url, answeredBy, patroniVersion };
}

function furtherFindings(view: View, found: Finding[], ignored: readonly string[]): Finding[] {
  if (view.snapshot.verify === 'off') return [];
  const told = new Set(found.map(({ code }) => code));
  const wanted = (code: string): boolean => !ignored.includes(code);
  return foundIn(view, DEFAULT_LIMITS, wanted).filter(({ code }) => !told.has(code));
}

/** A switch of /config; null when that cannot be read. */
function known({ config }: Snapshot['cluster'], value: boolean | undefined): boolean | null {
  return config?.unreadable ? null : (value ?? false);
}

function allDoubts(view: View, found: Finding[]): Doubt[] {
  const silent = silences(view.members, found);
  return [...silent, ...doubts(view, found).filter(({ witness }) => witness === null)];
}

function text(lsn: Lsn | null | undefined): string | null {
  return lsn === null || lsn === undefined ? null : formatLsn(lsn);
}

function asked(readings: { ok: boolean; kind?: string }[]): { asked: number; answered: number } {
  return {
    asked: readings.filter((reading) => reading.ok || reading.kind !== 'off').length,
    answered: readings.filter(({ ok }) => ok).length,
  };
}

function syncPart({ snapshot, leader }: View): StatusDocument['sync'] {
  const { config, sync } = snapshot.cluster;
  const settings = leader?.sql.ok ? leader.sql.value.settings : {};
  const names = settings['synchronous_standby_names']?.value ?? null;
  return {
    mode: config?.unreadable ? null : (config?.syncMode ?? 'off'),
    strict: config?.syncModeStrict ?? false,
    nodeCount: config?.syncNodeCount ?? 1,
    key:
      sync && !sync.unreadable
        ? { leader: sync.leader, standbys: sync.standbys, quorum: sync.quorum }
        : null,
    synchronousStandbyNames: names,
    numsync: numsyncOf(names),
  };
}

function numsyncOf(names: string | null): number | null {
  if (names === null) return null;
  if (names.trim() === '') return 0;
  return parseSyncNames(names)?.num ?? null;
}

function votesPart(snapshot: Snapshot): StatusDocument['votes'] {
  const { config, sync } = snapshot.cluster;
  const key = config?.unreadable ? '/config' : sync?.unreadable ? '/sync' : null;
  const isUnread = sync?.fromRoles === true && config?.unreadable !== true;
  if (key !== null && !isUnread && !(key === '/sync' && config?.syncMode === 'off')) {
    const words = `unknown: ${key} cannot be read`;
    return { survivesLeaderLoss: 'unknown', moreLosses: null, words };
  }
  const { survives, words } = survival(snapshot);
  return { survivesLeaderLoss: survives.leaderLoss, moreLosses: survives.more, words };
}

function memberPart(one: MemberView, view: View, found: Finding[]): StatusMember {
  const { name, member, departed, rest, sql } = one;
  const silent = silence(one);
  return {
    name,
    host: member?.host ?? departed?.host ?? null,
    port: member?.port ?? departed?.port ?? null,
    claimedRole: one.claimed && roleTitle(one.claimed),
    observedRole: one.observed,
    witness: one.witness,
    silence: silent === 'not asked' ? null : silent,
    state: member ? (member.replicationState ?? member.state) : (departed?.lastWord?.state ?? null),
    timeline: one.timeline ?? member?.timeline ?? null,
    lsn: text(one.position),
    replayLsn: text(one.replayed),
    // Two primaries write apart from each other: neither is behind the other.
    lagBytes: isOtherPrimary(one, view) ? null : one.lagBytes,
    replayLagBytes: isOtherPrimary(one, view) ? null : one.replayLagBytes,
    syncState: one.syncState,
    verdict: verdictOf(one, view, found),
    departed: member === null,
    patroniVersion: (rest.ok ? rest.value.patroniVersion : null) ?? member?.version ?? null,
    postgresVersion: sql.ok ? sql.value.serverVersion : rest.ok ? rest.value.serverVersion : null,
    tags: member?.tags ?? {},
    pendingRestart: member?.pendingRestart ?? false,
    pendingRestartReason: member?.pendingRestartReason ?? null,
    scheduledRestart: member?.scheduledRestart ?? null,
  };
}

function isOtherPrimary(one: MemberView, { leader }: View): boolean {
  return one.observed === 'primary' && one !== leader;
}

/** Every walsender of every node, the leader's first. */
function streams(view: View): StatusStream[] {
  const rows = view.members.flatMap((one) => one.streams.map((row) => ({ row, one })));
  const leaderFirst = (upstream: string) => (upstream === view.leader?.name ? 0 : 1);
  rows.sort((a, b) => leaderFirst(a.row.upstream) - leaderFirst(b.row.upstream));
  return rows.map(({ row, one }) => ({
    upstream: row.upstream,
    applicationName: row.applicationName,
    witness: row.witness,
    pid: row.pid,
    clientAddr: row.clientAddr,
    state: row.state,
    sentLsn: text(row.sentLsn),
    writeLsn: text(row.writeLsn),
    flushLsn: text(row.flushLsn),
    replayLsn: text(row.replayLsn),
    lagBytes: behind(one.position, row.flushLsn),
    replayLagMs: row.replayLagMs,
    replyAgeMs: row.replyAgeMs,
    syncState: row.syncState,
    slotName: row.slotName,
    slotType: row.slotType,
  }));
}

function behind(ahead: Lsn | null, lsn: Lsn | null): number | null {
  return ahead === null || lsn === null ? null : lagBytes(ahead, lsn);
}
