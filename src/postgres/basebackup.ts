/** Base backups that a server is sending, with how far they are. New in PostgreSQL 13. */
import type { BaseBackup } from './postgres.js';
import { numberOf, rowOf, rowsOf, textOf } from './row.js';

/** One row, one column `status`. */
export const BASEBACKUP_SQL = `
select json_build_object('backups', coalesce((
  select json_agg(b) from (
    select p.pid, p.phase, p.backup_total, p.backup_streamed, host(a.client_addr) as client_addr
    from pg_stat_progress_basebackup p join pg_stat_get_activity(null) a on a.pid = p.pid
  ) b), '[]')) as status`;

export function baseBackupsOf(document: unknown): BaseBackup[] {
  return rowsOf(rowOf(document)['backups']).map((row) => ({
    pid: numberOf(row['pid']) ?? 0,
    phase: textOf(row['phase']) ?? '',
    totalBytes: numberOf(row['backup_total']),
    streamedBytes: numberOf(row['backup_streamed']) ?? 0,
    clientAddr: textOf(row['client_addr']),
  }));
}
