/** pg_stat_replication, every row of it, with the slot each walsender streams from. */
import type { Walsender } from '../cluster/model.js';
import { slotTypeOf } from './slots.js';
import { lsnOf, numberOf, textOf, type Row } from './row.js';

/** The age of a reply is computed on the server: its clock wrote reply_time. */
export const REPLICATION_SQL = `
select w.pid, w.usename, w.application_name, host(w.client_addr) as client_addr, w.client_port,
  w.state, w.sent_lsn::text, w.write_lsn::text, w.flush_lsn::text, w.replay_lsn::text,
  extract(epoch from w.write_lag) * 1000 as write_lag_ms,
  extract(epoch from w.flush_lag) * 1000 as flush_lag_ms,
  extract(epoch from w.replay_lag) * 1000 as replay_lag_ms,
  w.sync_priority, w.sync_state,
  extract(epoch from clock_timestamp() - w.reply_time) * 1000 as reply_age_ms,
  s.slot_name, s.slot_type, w.backend_start
from pg_stat_replication w
left join pg_replication_slots s on s.active_pid = w.pid
order by w.application_name, w.pid`;

export function walsenderOf(row: Row): Walsender {
  return {
    pid: numberOf(row['pid']) ?? 0,
    usename: textOf(row['usename']),
    applicationName: textOf(row['application_name']) ?? '',
    clientAddr: textOf(row['client_addr']),
    clientPort: numberOf(row['client_port']),
    state: textOf(row['state']),
    sentLsn: lsnOf(row['sent_lsn']),
    writeLsn: lsnOf(row['write_lsn']),
    flushLsn: lsnOf(row['flush_lsn']),
    replayLsn: lsnOf(row['replay_lsn']),
    writeLagMs: numberOf(row['write_lag_ms']),
    flushLagMs: numberOf(row['flush_lag_ms']),
    replayLagMs: numberOf(row['replay_lag_ms']),
    syncPriority: numberOf(row['sync_priority']),
    syncState: textOf(row['sync_state']),
    replyAgeMs: numberOf(row['reply_age_ms']),
    slotName: textOf(row['slot_name']),
    slotType: slotTypeOf(row['slot_type']),
    backendStart: textOf(row['backend_start']),
  };
}
