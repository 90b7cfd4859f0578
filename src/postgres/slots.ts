/** pg_replication_slots. */
import type { ReplicationSlot } from '../cluster/model/model.js';
import { booleanOf, lsnOf, numberOf, textOf, type Row } from './row.js';

/**
 * wal_status exists from PostgreSQL 13, conflicting from 16, and what tells of failover from 17: taken by name
 * out of the row they are null before.
 */
export const SLOTS_SQL = `
select s.slot_name, s.slot_type, s.active, s.active_pid,
  (select datname from pg_database where oid = s.datoid) as database,
  s.restart_lsn::text, s.confirmed_flush_lsn::text, s.temporary,
  to_jsonb(s) ->> 'wal_status' as wal_status, to_jsonb(s) -> 'conflicting' as conflicting,
  to_jsonb(s) -> 'failover' as failover, to_jsonb(s) -> 'synced' as synced,
  to_jsonb(s) ->> 'invalidation_reason' as invalidation_reason,
  extract(epoch from clock_timestamp() - (to_jsonb(s) ->> 'inactive_since')::timestamptz) * 1000
    as inactive_age_ms
from pg_get_replication_slots() s
order by s.slot_name`;

export function slotOf(row: Row): ReplicationSlot {
  return {
    slotName: textOf(row['slot_name']) ?? '',
    slotType: slotTypeOf(row['slot_type']) ?? 'physical',
    database: textOf(row['database']),
    active: row['active'] === true,
    activePid: numberOf(row['active_pid']),
    restartLsn: lsnOf(row['restart_lsn']),
    confirmedFlushLsn: lsnOf(row['confirmed_flush_lsn']),
    walStatus: textOf(row['wal_status']),
    temporary: booleanOf(row['temporary']),
    failover: booleanOf(row['failover']),
    synced: booleanOf(row['synced']),
    conflicting: booleanOf(row['conflicting']),
    invalidationReason: textOf(row['invalidation_reason']),
    inactiveAgeMs: numberOf(row['inactive_age_ms']),
  };
}

export function slotTypeOf(value: unknown): 'physical' | 'logical' | null {
  return value === 'physical' || value === 'logical' ? value : null;
}
