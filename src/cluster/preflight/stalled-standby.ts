/** What moves between two readings, and what does not. */
import { lagBytes, type Lsn } from '../model/lsn.js';
import type { Snapshot, SqlStatus, Walsender } from '../model/model.js';
import { askedAndSilentMs, type MemberView, type View } from '../roles/view.js';
import { voteInput } from '../votes/vote-facts.js';
import type { VoteInput } from '../votes/vote-rules.js';
import { plural, roundedSeconds } from '../model/words.js';

/** The reading that counts, and an earlier one where there is one. */
export interface Readings {
  now: Snapshot;
  before: Snapshot | null;
  view: View;
}

/** How far a walsender has been confirmed; PostgreSQL takes `write` where the client reports no flush. */
export function confirmedLsn({ flushLsn, writeLsn }: Walsender): Lsn | null {
  return flushLsn === null || flushLsn === 0n ? writeLsn : flushLsn;
}

/** Sent to this client and not confirmed by it; null when either is unknown. */
export function unconfirmedBytes(row: Walsender): number | null {
  const confirmed = confirmedLsn(row);
  return row.sentLsn === null || confirmed === null ? null : lagBytes(row.sentLsn, confirmed);
}

/** The same walsender in the reading before; a new client may have got an old pid. */
function earlier({ now, before }: Omit<Readings, 'view'>, row: Walsender): Walsender | null {
  const readings = before?.members.find(({ name }) => name === now.cluster.leaderName);
  if (!readings?.sql.ok) return null;
  const found = readings.sql.value.walsenders.find(({ pid }) => pid === row.pid);
  return found?.backendStart === row.backendStart ? found : null;
}

/** true: nothing was confirmed since the reading before although something was sent; null: no such reading. */
export function stands(readings: Omit<Readings, 'view'>, row: Walsender): boolean | null {
  const first = earlier(readings, row);
  if (first === null) return null;
  const confirmed = confirmedLsn(row);
  const waiting = unconfirmedBytes(first);
  if (confirmed === null || waiting === null) return null;
  return waiting > 0 && confirmed === confirmedLsn(first);
}

export function elapsedMs(before: Snapshot | null, now: Snapshot): number {
  return before === null ? 0 : Date.parse(now.takenAt) - Date.parse(before.takenAt);
}

/** The vote facts, with each stalled standby marked. */
export function withStandstill(input: VoteInput, readings: Readings): VoteInput {
  const still = readings.view.members
    .filter((one) => one.departed === null && whyStill(readings, one) !== null)
    .map(({ name }) => name);
  if (still.length === 0) return input;
  const nodes = input.nodes.map((node) => ({ ...node, standsStill: still.includes(node.name) }));
  return { ...input, nodes };
}

/** In words, why a standby that streams from the leader receives or confirms nothing; null: not seen. */
export function whyStill(readings: Readings, one: MemberView): string | null {
  const sql = leaderSqlOf(readings.view);
  if (one.row === null || one.row.upstream !== readings.now.cluster.leaderName) return null;
  if (sql === null) return receivesNothing(readings, one);
  return confirmsNothing(readings, sql, one.row.pid) ?? saysNothing(sql, one.row.replyAgeMs);
}

/** The leader's physical walsenders, of members and others, that confirm nothing or have long said nothing. */
export function stillSenders(readings: Readings): Walsender[] {
  const sql = leaderSqlOf(readings.view);
  if (sql === null) return [];
  return sql.walsenders.filter(
    (row) =>
      row.slotType !== 'logical' &&
      row.state !== 'backup' &&
      (stands(readings, row) === true || saysNothing(sql, row.replyAgeMs) !== null),
  );
}

function leaderSqlOf({ leader }: View): SqlStatus | null {
  return leader?.sql.ok ? leader.sql.value : null;
}

function confirmsNothing(readings: Readings, sql: SqlStatus, pid: number | null): string | null {
  const row = sql.walsenders.find((sender) => sender.pid === pid);
  if (!row || stands(readings, row) !== true) return null;
  const waited = waitedText(readings);
  return `it has confirmed nothing for ${waited} while ${plural(unconfirmedBytes(row) ?? 0, 'byte')} wait`;
}

function waitedText({ now, before }: Readings): string {
  return `${Math.round(elapsedMs(before, now) / 100) / 10} s`;
}

function saysNothing({ settings }: SqlStatus, replyAgeMs: number | null): string | null {
  const timeoutMs = Number(settings['wal_sender_timeout']?.value ?? 0);
  if (replyAgeMs === null || replyAgeMs < askedAndSilentMs(timeoutMs)) return null;
  return `has not replied for ${roundedSeconds(replyAgeMs)}`;
}

/** Over REST alone: after a second it still has not got what the leader had written at its beginning. */
function receivesNothing(readings: Readings, { name }: MemberView): string | null {
  const { now, before } = readings;
  if (before === null) return null;
  const then = positionsOf(before);
  const mine = positionsOf(now).get(name) ?? null;
  const leaders = then.get(now.cluster.leaderName ?? '') ?? null;
  if (mine === null || leaders === null || mine !== then.get(name) || mine >= leaders) return null;
  const waiting = plural(lagBytes(leaders, mine), 'byte');
  return `it has received nothing for ${waitedText(readings)} while ${waiting} wait`;
}

function positionsOf(snapshot: Snapshot): Map<string, Lsn | null> {
  return new Map(voteInput(snapshot).nodes.map(({ name, walPosition }) => [name, walPosition]));
}
