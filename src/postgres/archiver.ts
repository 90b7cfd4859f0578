/** pg_stat_archiver, as ages on the server's own clock, and the WAL that waits to be archived. */
import type { SqlStatus } from '../cluster/model/model.js';
import { numberOf, rowOf, rowsOf, textOf, type Row } from './row.js';

/** Of a primary that archives, also the file that it writes now. */
export const ARCHIVER_SQL = `
select extract(epoch from clock_timestamp() - last_archived_time) * 1000 as last_archived_age_ms,
  extract(epoch from clock_timestamp() - last_failed_time) * 1000 as last_failed_age_ms,
  failed_count, last_archived_wal,
  case when current_setting('archive_mode') <> 'off' and not pg_is_in_recovery()
    then pg_walfile_name(pg_current_wal_lsn()) end as current_wal
from pg_stat_archiver`;

export function archiverOf(row: Row | undefined): SqlStatus['archiver'] {
  const failedCount = numberOf(row?.['failed_count']);
  if (!row || failedCount === null) return null;
  return {
    lastArchivedAgeMs: numberOf(row['last_archived_age_ms']),
    lastFailedAgeMs: numberOf(row['last_failed_age_ms']),
    failedCount,
  };
}

/** Files that may be between the one that is written and the last one archived, without any being late. */
const ON_THEIR_WAY = 2;

/** Whether files may be waiting: only then the folder is worth a look. */
export function mayPileUp(document: unknown): boolean {
  const row = rowOf(rowsOf(rowOf(document)['archiver'])[0]);
  const now = textOf(row['current_wal']);
  if (now === null) return false;
  const behind = fileNumber(now) - fileNumber(textOf(row['last_archived_wal']) ?? '');
  return Number.isNaN(behind) || behind > ON_THEIR_WAY + 1 || behind < 0;
}

/** Files are counted within 4 GB; across that border, and of what is no WAL file, it is any number. */
function fileNumber(name: string): number {
  const [, high = '', low = ''] = /^[0-9A-F]{8}([0-9A-F]{8})([0-9A-F]{8})$/.exec(name) ?? [];
  return parseInt(high, 16) * 2 ** 32 + parseInt(low, 16);
}

/** One row, one column `status`. PostgreSQL 12 and later, with the rights of pg_monitor. */
export const READY_SQL = `
select json_build_object(
  'files', count(*),
  'oldest_ms', extract(epoch from clock_timestamp() - min(modification)) * 1000
) as status
from pg_ls_archive_statusdir() where name like '%.ready'`;

export function readyOf(document: unknown): { files: number; oldestAgeMs: number } | null {
  const row = rowOf(document);
  const files = numberOf(row['files']);
  return files === null ? null : { files, oldestAgeMs: numberOf(row['oldest_ms']) ?? 0 };
}
