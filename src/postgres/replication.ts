/** pg_stat_replication, every row of it, with the slot each walsender streams from. */
import type { Walsender } from '../cluster/model/model.js';
import { slotTypeOf } from './slots.js';
import { lsnOf, numberOf, textOf, type Row } from './row.js';

/**
 * The functions under the view: a fresh session plans them in a third of the time, as no catalog is joined.
 * The age of a reply is computed on the server: its clock wrote reply_time.
 */
export const REPLICATION_SQL = `
select w.pid, pg_get_userbyid(a.usesysid) as usename, a.application_name,
  host(a.client_addr) as client_addr, a.client_port,
  w.state, w.sent_lsn::text, w.write_lsn::text, w.flush_lsn::text, w.replay_lsn::text,
  extract(epoch from w.write_lag) * 1000 as write_lag_ms,
  extract(epoch from w.flush_lag) * 1000 as flush_lag_ms,
  extract(epoch from w.replay_lag) * 1000 as replay_lag_ms,
  w.sync_priority, w.sync_state,
  extract(epoch from clock_timestamp() - w.reply_time) * 1000 as reply_age_ms,
  s.slot_name, s.slot_type, a.backend_start
from pg_stat_get_wal_senders() w
join pg_stat_get_activity(null) a on a.pid = w.pid
left join pg_get_replication_slots() s on s.active_pid = w.pid
order by a.application_name, w.pid`;

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
