/** pg_replication_slots. */
import type { ReplicationSlot } from '../cluster/model/model.js';
import { lsnOf, numberOf, textOf, type Row } from './row.js';

/** wal_status exists from PostgreSQL 13; taken by name out of the row it is null before. */
export const SLOTS_SQL = `
select s.slot_name, s.slot_type, s.active, s.active_pid,
  (select datname from pg_database where oid = s.datoid) as database,
  s.restart_lsn::text, s.confirmed_flush_lsn::text, to_jsonb(s) ->> 'wal_status' as wal_status
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
  };
}

export function slotTypeOf(value: unknown): 'physical' | 'logical' | null {
  return value === 'physical' || value === 'logical' ? value : null;
}
