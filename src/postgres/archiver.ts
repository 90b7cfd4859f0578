/** pg_stat_archiver, as ages on the server's own clock. */
import type { SqlStatus } from '../cluster/model.js';
import { numberOf, type Row } from './row.js';

export const ARCHIVER_SQL = `
select extract(epoch from clock_timestamp() - last_archived_time) * 1000 as last_archived_age_ms,
  extract(epoch from clock_timestamp() - last_failed_time) * 1000 as last_failed_age_ms,
  failed_count
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
