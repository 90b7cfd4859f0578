/** The server that answers a client: enough to tell which one of which cluster it is. Any role may ask. */
import type { PgLogin } from '../config/effective.js';
import type { RouteAnswer } from '../cluster/model/route-model.js';
import type { LoginWords } from './postgres.js';
import { timelineOf } from './recovery.js';
import { numberOf, rowOf, textOf } from './row.js';

/**
 * One row, one column `status`, in one statement: behind a pooler the next one may meet another server. Everything is
 * named with its schema because no search_path of ours is set. Without pg_monitor the columns of the WAL receiver are
 * null, and so is what depends on them.
 */
export const IDENTITY_SQL = `
select pg_catalog.json_build_object(
  'system_id', (select system_identifier::pg_catalog.text from pg_catalog.pg_control_system()),
  'in_recovery', in_recovery,
  'started_at', (extract(epoch from pg_catalog.pg_postmaster_start_time()) operator(pg_catalog.*) 1000000)
    ::pg_catalog.int8::pg_catalog.text,
  'address', pg_catalog.host(pg_catalog.inet_server_addr()),
  'port', pg_catalog.inet_server_port(),
  'default_read_only', pg_catalog.current_setting('default_transaction_read_only'),
  'sees_receiver', pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
  'receiver', (select status from pg_catalog.pg_stat_wal_receiver),
  'timeline', case when in_recovery then
      (select received_tli from pg_catalog.pg_stat_wal_receiver)::pg_catalog.text
    else pg_catalog.concat('x', pg_catalog.left(
      pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8)) end
) as status
from (select pg_catalog.pg_is_in_recovery() as in_recovery offset 0) as now`;

export function answerOf(document: unknown): RouteAnswer {
  const row = rowOf(document);
  const inRecovery = row['in_recovery'] === true;
  const seesReceiver = row['sees_receiver'] === true;
  return {
    systemId: textOf(row['system_id']),
    inRecovery,
    startedAt: textOf(row['started_at']),
    address: textOf(row['address']),
    port: numberOf(row['port']),
    timeline: timelineOf(textOf(row['timeline'])),
    streams: inRecovery && seesReceiver ? row['receiver'] === 'streaming' : null,
    defaultReadOnly: row['default_read_only'] === 'on',
  };
}

/** The logins with what the route itself says of TLS. */
export function withWords(logins: readonly PgLogin[], words: LoginWords): PgLogin[] {
  const { sslmode, sslrootcert, sslcert, sslkey, sslpassword } = words;
  return logins.map((login) => ({
    ...login,
    sslmode: sslmode ?? login.sslmode,
    sslrootcert: sslrootcert ?? login.sslrootcert,
    sslcert: sslcert ?? login.sslcert,
    sslkey: sslkey ?? login.sslkey,
    sslpassword: sslpassword ?? login.sslpassword,
  }));
}
