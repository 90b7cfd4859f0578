/** pg_stat_wal_receiver: where a standby streams from. Its conninfo may hold a password and is never read. */
import type { WalReceiver } from '../cluster/model/model.js';
import { lsnOf, numberOf, textOf, type Row } from './row.js';

/** The flushed position was called received_lsn before PostgreSQL 13. */
export const WALRECEIVER_SQL = `
select r.pid, r.status, r.sender_host, r.sender_port, r.slot_name, r.received_tli,
  coalesce(to_jsonb(r) ->> 'flushed_lsn', to_jsonb(r) ->> 'received_lsn') as flushed_lsn,
  extract(epoch from clock_timestamp() - r.last_msg_receipt_time) * 1000 as last_message_age_ms
from pg_stat_wal_receiver r
where r.pid is not null`;

export function walReceiverOf(row: Row | undefined): WalReceiver | null {
  const pid = numberOf(row?.['pid']);
  if (!row || pid === null) return null;
  return {
    pid,
    status: textOf(row['status']),
    senderHost: textOf(row['sender_host']),
    senderPort: numberOf(row['sender_port']),
    slotName: textOf(row['slot_name']),
    flushedLsn: lsnOf(row['flushed_lsn']),
    receivedTimeline: numberOf(row['received_tli']),
    lastMessageAgeMs: numberOf(row['last_message_age_ms']),
  };
}
