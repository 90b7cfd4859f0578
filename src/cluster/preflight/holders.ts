/** The clients that a clean shutdown of the leader would wait for in vain, as two readings show it. */
import type { Snapshot, Walsender } from '../model/model.js';
import { viewOf } from '../roles/view.js';
import { isStuck, logicalRows } from './logical-clients.js';
import { elapsedMs, stands, stillSenders } from './stalled-standby.js';

export interface Holder {
  kind: 'logical' | 'physical';
  pid: number;
  applicationName: string;
  clientAddr: string | null;
  slotName: string | null;
  /** Since when it has surely confirmed nothing, in ms since 1970. */
  stillSinceMs: number;
  /** After so long a silence PostgreSQL gives a walsender up (wal_sender_timeout); null: never, or not known. */
  timeoutMs: number | null;
}

/** Every stalled walsender of the leader; none if its SQL was not read. */
export function holdersOf(now: Snapshot, before: Snapshot | null): Holder[] {
  const view = viewOf(now);
  const leaderSql = view.leader?.sql.ok ? view.leader.sql.value : null;
  if (leaderSql === null) return [];
  const readings = { now, before, view, leaderSql };
  const timeoutMs = Number(leaderSql.settings['wal_sender_timeout']?.value ?? 0);
  const holder =
    (kind: Holder['kind']) =>
    (row: Walsender): Holder => {
      const { pid, applicationName, clientAddr, slotName } = row;
      const seenMs = stands(readings, row) === true ? elapsedMs(before, now) : 0;
      const stillMs = Math.max(seenMs, row.replyAgeMs ?? 0);
      return {
        kind,
        pid,
        applicationName,
        clientAddr,
        slotName,
        stillSinceMs: Date.parse(now.takenAt) - stillMs,
        timeoutMs: timeoutMs > 0 ? timeoutMs : null,
      };
    };
  const stuck = logicalRows(readings).filter((row) => isStuck(readings, row));
  return [...stuck.map(holder('logical')), ...stillSenders(readings).map(holder('physical'))];
}
