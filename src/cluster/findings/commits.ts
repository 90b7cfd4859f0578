/** Whether commits on the leader wait for synchronous standbys that do not confirm them. */
import { commandLine } from '../model/command-line.js';
import { isListed, sendersOf } from '../model/member-names.js';
import { plural } from '../model/words.js';
import { formatLsn, type Lsn } from '../model/lsn.js';
import type { Finding, Snapshot, Witnessed } from '../model/model.js';
import {
  memberOfSender,
  REPLY_SLACK_MS,
  askedAndSilentMs,
  viewOf,
  type MemberView,
  type StreamRow,
  type View,
} from '../roles/view.js';
import { parseSyncNames } from '../model/sync-standby-names.js';
import type { SyncNames } from '../votes/vote-rules.js';
import { list, rowText, syncKeySays } from './evidence.js';

/** A standby that answers sends a reply at least every wal_receiver_status_interval (10 s by default). */
const REPLY_OVERDUE_MS = 15_000;
/** Replies keep coming while WAL does: a second without one, with WAL outstanding, is a stall. */
const PROMPT_REPLY_MS = 1500;
/** PostgreSQL's default of wal_sender_timeout: after half of it in silence the walsender asks. */
const SENDER_TIMEOUT_MS = 60_000;

/** What the leader's PostgreSQL says of the commits that it holds back. */
interface Waiting {
  /** null: synchronous_standby_names was not read, or cannot be. */
  names: SyncNames | null;
  /** As it is set. */
  text: string | null;
  /** Walsenders that PostgreSQL waits for. */
  sync: StreamRow[];
  silent: StreamRow[];
  waiters: number;
  /** The same transaction waits as in the reading before. */
  lasts: boolean;
}

export function commitsBlocked(view: View): Finding[] {
  const { leader } = view;
  const waiting = waitingOf(view);
  if (waiting === null || !leader) return [];
  const { names, text, sync, silent, waiters, lasts } = waiting;
  if (names === null) return silent.length > 0 || lasts ? [untold(leader, waiting, view)] : [];
  const answering = sync.length - silent.length;
  const short = names.method !== 'off' && answering < names.num && (waiters > 0 || isOn(leader));
  if (!short && !lasts) return [];
  const absent = names.names.filter((name) => name !== '*' && !isConnected(name, view));
  const missing = short ? [...absent, ...silent.map((row) => row.applicationName)] : [];
  const why = short
    ? `synchronous_standby_names is '${text ?? ''}', but only ${answering} of the ${names.num} required standbys answer${whoDoesNot(missing)}`
    : 'the same transaction has waited since the previous reading, although enough standbys answer';
  return [
    {
      code: 'commits_blocked',
      severity: 'critical',
      members: membersNamed(missing, view),
      message:
        `commits on ${leader.name} wait: ${why}` +
        (waiters > 0 ? ` (${plural(waiters, 'backend')} waiting)` : ''),
      evidence: evidenceOf(leader, waiting, view),
      next: short
        ? nextFor(absent, silent, leader, view)
        : 'check synchronous_commit (remote_apply waits for replay) and the position of each standby',
    },
  ];
}

/** Unless synchronous_commit lets commits continue without a standby. */
function isOn({ sql }: MemberView): boolean {
  const value = sql.ok ? sql.value.settings['synchronous_commit']?.value : undefined;
  return value !== 'off' && value !== 'local';
}

function whoDoesNot(missing: readonly string[]): string {
  return missing.length === 0 ? '' : `; no answer from ${list(missing)}`;
}

function nextFor(
  absent: readonly string[],
  silent: readonly StreamRow[],
  leader: MemberView,
  view: View,
): string {
  const byHand = setByHand(leader, view);
  if (byHand !== null) return byHand;
  const frozen = 'check whether its walreceiver is frozen; wal_sender_timeout ends the wait';
  if (silent.length > 0) return `${frozen}, or synchronous_standby_names without it`;
  return absent.length > 0
    ? `bring ${list(absent)} back; commits continue when Patroni removes it from synchronous_standby_names`
    : 'bring a standby back; in strict mode nothing can be committed without one';
}

/** Without synchronous mode Patroni never removes a standby from the setting: only its author can. */
function setByHand({ name, sql }: MemberView, { snapshot }: View): string | null {
  const { config } = snapshot.cluster;
  if (config === null || config.syncMode !== 'off' || !sql.ok) return null;
  const file = sql.value.settings['synchronous_standby_names']?.sourcefile ?? '';
  const how = file.endsWith('postgresql.auto.conf')
    ? `on ${name}: ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf()`
    : `remove synchronous_standby_names from postgresql.parameters in the member's own configuration or with: ${commandLine(snapshot.cluster, 'edit-config')}`;
  return `synchronous mode is off, so Patroni does not change it; ${how}`;
}

/** A standby is silent or a commit waits, and the number of required answers is unknown. */
function untold(leader: MemberView, waiting: Waiting, view: View): Finding {
  const { text, silent } = waiting;
  const names = silent.map((row) => row.applicationName);
  return {
    code: 'commits_blocked',
    severity: 'unknown',
    members: membersNamed(names, view),
    message: `commits on ${leader.name} may wait${names.length > 0 ? ` for ${list(names)}` : ''}: synchronous_standby_names ${text === null ? 'was not read' : 'cannot be understood'}`,
    evidence: evidenceOf(leader, waiting, view),
    next: `SHOW synchronous_standby_names on ${leader.name}`,
  };
}

/** Null where no primary was read over SQL. */
function waitingOf(view: View): Waiting | null {
  const { leader, leaderRows } = view;
  if (leader?.observed !== 'primary' || !leader.sql.ok) return null;
  const { settings, syncRepWaiters } = leader.sql.value;
  const text = settings['synchronous_standby_names']?.value ?? null;
  const sync = (leaderRows ?? []).filter(isAwaited);
  return {
    names: text === null ? null : parseSyncNames(text),
    text,
    sync,
    silent: sync.filter((row) => isSilent(row, view)),
    waiters: syncRepWaiters,
    lasts: isSameWait(view),
  };
}

function isAwaited({ syncState }: StreamRow): boolean {
  return syncState === 'sync' || syncState === 'quorum';
}

function isConnected(name: string, { leaderRows }: View): boolean {
  return sendersOf(leaderRows ?? [], name).some(
    ({ state }) => state === 'streaming' || state === 'stopping',
  );
}

/** The names that are members, as the members write them. */
function membersNamed(names: readonly string[], { members }: View): string[] {
  return members
    .filter(({ member, name }) => member !== null && isListed(names, name))
    .map(({ name }) => name);
}

/** It has not replied when it had to: by the clock, or while WAL waits to be confirmed. */
function isSilent(row: StreamRow, view: View): boolean {
  const { replyAgeMs } = row;
  if (replyAgeMs === null) return false;
  return replyAgeMs > overdueMs(row, view) || (isLate(row) && owes(row, view));
}

function isLate({ replyAgeMs }: StreamRow): boolean {
  return replyAgeMs !== null && replyAgeMs >= PROMPT_REPLY_MS;
}

/**
 * By its own wal_receiver_status_interval; where that is 0 or not known, once its walsender has asked it
 * (after half of wal_sender_timeout) and heard nothing.
 */
function overdueMs(row: StreamRow, view: View): number {
  const { leader } = view;
  const standby = memberOfSender(view, row.applicationName);
  const seconds = settingNumber(standby, 'wal_receiver_status_interval');
  if (seconds !== null && seconds > 0) {
    return Math.max(REPLY_OVERDUE_MS, seconds * 1000 + REPLY_SLACK_MS);
  }
  return askedAndSilentMs(settingNumber(leader, 'wal_sender_timeout') ?? SENDER_TIMEOUT_MS);
}

function settingNumber(one: MemberView | null | undefined, name: string): number | null {
  const value = one?.sql.ok ? one.sql.value.settings[name]?.value : undefined;
  return value === undefined || value === '' ? null : Number(value);
}

/** It has not confirmed WAL that was there a look ago; in a single look, commits wait. */
function owes({ flushLsn }: StreamRow, view: View): boolean {
  const { leader, snapshot } = view;
  const before = earlier(snapshot);
  if (before === null) return leader?.sql.ok === true && leader.sql.value.syncRepWaiters > 0;
  const was = before.leader?.position ?? null;
  return was !== null && flushLsn !== null && flushLsn < was;
}

/** The same primary in the reading before; null without one. */
function earlier({ previous, cluster }: Snapshot): View | null {
  if (previous === null) return null;
  const before = viewOf(previous);
  const { leader } = before;
  return leader?.observed === 'primary' && leader.name === cluster.leaderName ? before : null;
}

/** Told by when the transaction began: another one of the same backend began later. */
function isSameWait({ leader, snapshot }: View): boolean {
  const before = earlier(snapshot)?.leader ?? null;
  const since = leader?.sql.ok ? (leader.sql.value.syncRepOldest?.since ?? null) : null;
  const was = before?.sql.ok ? (before.sql.value.syncRepOldest?.since ?? null) : null;
  return since !== null && since === was;
}

function evidenceOf(leader: MemberView, { sync, waiters }: Waiting, view: View): Witnessed[] {
  return [
    {
      witness: 'SQL',
      subject: `${leader.name} pg_stat_activity`,
      said: `${waiters} waiting on SyncRep`,
    },
    ...sync.map((row) => ({
      witness: row.witness,
      subject: `${leader.name} pg_stat_replication`,
      said: `${rowText(row)}, last reply ${age(row.replyAgeMs)} ago${flushed(row.flushLsn)}`,
    })),
    syncKeySays(view.snapshot.cluster),
  ];
}

function flushed(lsn: Lsn | null): string {
  return lsn === null ? '' : `, confirmed up to ${formatLsn(lsn)}`;
}

function age(ms: number | null): string {
  return ms === null ? 'unknown' : `${(ms / 1000).toFixed(1)} s`;
}

// ---------------------------------------------------------------- without a login

/** Synchronous standbys that are behind a leader of which REST alone speaks: no reply times there. */
function behindOverRest({ leader, members }: View): MemberView[] {
  if (leader?.observed !== 'primary' || leader.witness !== 'REST') return [];
  return members.filter(
    ({ syncState, lagBytes }) =>
      (syncState === 'sync' || syncState === 'quorum') && lagBytes !== null && lagBytes > 0,
  );
}

/** Whether one reading leaves open if commits are held up or only on their way. */
export function needsSecondLook(view: View): boolean {
  return behindOverRest(view).length > 0 || leavesOpen(view);
}

/** Commits wait, and either a standby owes an answer or one has been under way for long. */
function leavesOpen(view: View): boolean {
  const waiting = waitingOf(view);
  if (waiting === null || waiting.waiters === 0) return false;
  const { names, sync } = waiting;
  const oldestMs = view.leader?.sql.ok ? (view.leader.sql.value.syncRepOldest?.ageMs ?? 0) : 0;
  const prompt = sync.filter((row) => !isLate(row)).length;
  return prompt < (names?.num ?? 1) || oldestMs >= PROMPT_REPLY_MS;
}

/** commits_blocked without a login: a synchronous standby is behind and has not moved since the reading before. */
export function commitsBlockedOverRest(view: View): Finding[] {
  const { previous, cluster } = view.snapshot;
  if (previous === null) return [];
  const before = new Map(viewOf(previous).members.map(({ name, position }) => [name, position]));
  const stalled = behindOverRest(view).filter(
    ({ name, position }) => position !== null && before.get(name) === position,
  );
  if (stalled.length === 0) return [];
  const names = list(stalled.map(({ name }) => name));
  return [
    {
      code: 'commits_blocked',
      severity: 'critical',
      members: stalled.map(({ name }) => name),
      message: `commits on ${cluster.leaderName ?? 'the leader'} wait for ${names}, which is behind and has received nothing since the previous reading`,
      evidence: [
        ...stalled.map((one) => ({
          witness: 'REST' as const,
          subject: one.name,
          said: `at ${one.position === null ? 'unknown' : formatLsn(one.position)} twice, ${one.lagBytes ?? 0} bytes behind`,
        })),
        syncKeySays(cluster),
      ],
      next: 'check whether its walreceiver is frozen; an SQL login shows which backends wait',
    },
  ];
}
