/** What the backends are at: commits that wait for a standby, the oldest transaction, base backups. */
import type { SqlStatus } from '../cluster/model/model.js';
import { numberOf, textOf, type Row } from './row.js';

/**
 * Base backups are counted among the walsenders: pg_stat_progress_basebackup is new in PostgreSQL 13.
 * A walsender holds no transaction that a clean shutdown would wait for.
 */
export const ACTIVITY_SQL = `
select count(*) filter (where a.wait_event = 'SyncRep') as sync_rep_waiters,
  min(a.xact_start) filter (where a.wait_event = 'SyncRep') as sync_rep_since,
  extract(epoch from max(clock_timestamp() - a.xact_start) filter (
    where a.wait_event = 'SyncRep')) * 1000 as sync_rep_oldest_ms,
  extract(epoch from max(clock_timestamp() - a.xact_start) filter (
    where a.pid <> pg_backend_pid() and a.backend_type <> 'walsender')) * 1000 as oldest_xact_age_ms,
  (select count(*) from pg_stat_get_wal_senders() where state = 'backup') as base_backups_running,
  count(*) filter (where a.backend_type = 'client backend' and a.pid <> pg_backend_pid()) as clients,
  current_setting('max_connections')::int as max_connections,
  current_setting('superuser_reserved_connections')::int
    + coalesce(current_setting('reserved_connections', true)::int, 0) as reserved_connections
from pg_stat_get_activity(null) a`;

export interface Activity {
  syncRepWaiters: number;
  syncRepOldest: NonNullable<SqlStatus['syncRepOldest']> | null;
  oldestXactAgeMs: number | null;
  baseBackupsRunning: number;
  connections: NonNullable<SqlStatus['connections']>;
}

export function activityOf(row: Row): Activity {
  const since = textOf(row['sync_rep_since']);
  const ageMs = numberOf(row['sync_rep_oldest_ms']);
  return {
    syncRepWaiters: numberOf(row['sync_rep_waiters']) ?? 0,
    syncRepOldest: since === null || ageMs === null ? null : { since, ageMs },
    oldestXactAgeMs: numberOf(row['oldest_xact_age_ms']),
    baseBackupsRunning: numberOf(row['base_backups_running']) ?? 0,
    connections: {
      used: numberOf(row['clients']) ?? 0,
      max: numberOf(row['max_connections']) ?? Number.MAX_SAFE_INTEGER,
      reserved: numberOf(row['reserved_connections']) ?? 0,
    },
  };
}
