/** Where one PostgreSQL stands: in recovery or not, timeline, WAL positions. */
import type { Lsn } from '../cluster/model/lsn.js';
import { booleanOf, lsnOf, numberOf, textOf, type Row } from './row.js';

/**
 * The timeline of a primary comes from the WAL file it writes now: its control file tells the old one until the
 * first checkpoint after a promotion. A standby's is the one it receives, else the newest its control file knows.
 */
export const RECOVERY_SQL = `
select current_setting('server_version_num')::int as server_version,
  (select system_identifier::text from pg_control_system()) as system_id,
  in_recovery,
  (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint::text as started_at,
  pg_has_role(current_user, 'pg_read_all_stats', 'usage') as may_read_stats,
  current_user as role_name,
  case when in_recovery then coalesce(
    (select received_tli from pg_stat_wal_receiver where status = 'streaming'),
    (select greatest(timeline_id, (select min_recovery_end_timeline from pg_control_recovery()))
       from pg_control_checkpoint()))::text
  else 'x' || left(pg_walfile_name(pg_current_wal_lsn()), 8) end as timeline,
  case when not in_recovery then pg_current_wal_lsn() end::text as current_lsn,
  (select redo_lsn from pg_control_checkpoint())::text as redo_lsn,
  case when in_recovery then pg_last_wal_receive_lsn() end::text as receive_lsn,
  case when in_recovery then pg_last_wal_replay_lsn() end::text as replay_lsn,
  case when in_recovery then pg_is_wal_replay_paused() end as replay_paused,
  case when in_recovery then
    extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000
  end as last_xact_replay_age_ms
from (select pg_is_in_recovery() as in_recovery offset 0) as now`;

export interface Recovery {
  serverVersion: number;
  systemId: string | null;
  inRecovery: boolean;
  startedAt: string | null;
  timeline: number | null;
  currentLsn: Lsn | null;
  redoLsn: Lsn | null;
  receiveLsn: Lsn | null;
  replayLsn: Lsn | null;
  replayPaused: boolean | null;
  lastXactReplayAgeMs: number | null;
}

export function recoveryOf(row: Row): Recovery {
  return {
    serverVersion: numberOf(row['server_version']) ?? 0,
    systemId: textOf(row['system_id']),
    inRecovery: row['in_recovery'] === true,
    startedAt: textOf(row['started_at']),
    timeline: timelineOf(textOf(row['timeline'])),
    currentLsn: lsnOf(row['current_lsn']),
    redoLsn: lsnOf(row['redo_lsn']),
    receiveLsn: lsnOf(row['receive_lsn']),
    replayLsn: lsnOf(row['replay_lsn']),
    replayPaused: booleanOf(row['replay_paused']),
    lastXactReplayAgeMs: numberOf(row['last_xact_replay_age_ms']),
  };
}

/** '12', or 'x0000000C' as WAL files are named. */
export function timelineOf(text: string | null): number | null {
  if (text === null) return null;
  const timeline = text.startsWith('x') ? parseInt(text.slice(1), 16) : Number(text);
  return Number.isSafeInteger(timeline) && timeline > 0 ? timeline : null;
}
