/** The oldest WAL that a server really has, which its slots do not tell. */
import type { SqlStatus } from '../cluster/model/model.js';
import type { Lsn } from '../cluster/model/lsn.js';
import { numberOf, rowOf, textOf } from './row.js';

/**
 * Whether an inactive slot names WAL that the last checkpoint may have removed. A walsender moves its slot back to
 * what its standby has before it finds that this WAL is gone, and wal_status may say reserved afterwards.
 */
export function mayLackWal({ slots, redoLsn }: SqlStatus): boolean {
  return slots.some(
    ({ active, slotType, restartLsn }) =>
      !active && slotType === 'physical' && restartLsn !== null && restartLsn < (redoLsn ?? 0n),
  );
}

/** One row, one column `status`. PostgreSQL 10 and later, with the rights of pg_monitor. */
export const WAL_FILES_SQL = `
select json_build_object(
  'oldest', min(substr(name, 9)),
  'segment_bytes', pg_size_bytes(current_setting('wal_segment_size'))
) as status
from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'`;

/** Where the oldest file begins: a WAL file is named by timeline, 4 GB and number within them. */
export function oldestWalOf(document: unknown): Lsn | null {
  const row = rowOf(document);
  const [, high, low] = /^([0-9A-F]{8})([0-9A-F]{8})$/.exec(textOf(row['oldest']) ?? '') ?? [];
  const bytes = numberOf(row['segment_bytes']);
  if (high === undefined || low === undefined || bytes === null) return null;
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`) * BigInt(bytes);
}
