/** Since when Patroni's own copy of the dynamic configuration says pause. It is written when that changes. */
import { numberOf, rowOf } from './row.js';

/** One row, one column `status`. Needs the right to read files of the server; superusers have it. */
export const PAUSE_SQL = `
select json_build_object('paused_ms', (
  select (extract(epoch from now() - f.modification) * 1000)::bigint
  from pg_stat_file('patroni.dynamic.json', true) f
  where pg_read_file('patroni.dynamic.json', 0, 1048576, true)::json ->> 'pause' = 'true'
)) as status`;

/** null: there is no such file, or it has no pause. */
export function pausedMsOf(document: unknown): number | null {
  return numberOf(rowOf(document)['paused_ms']);
}
