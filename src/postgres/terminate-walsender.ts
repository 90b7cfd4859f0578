/** Ends logical walsenders, and nothing else: pid and slot both have to be the ones that were shown. */
import type { LogicalTarget } from './postgres.js';
import { rowOf } from './row.js';

/** One row, one column `status`: the walsenders that were really ended. */
export function terminateSql(targets: readonly LogicalTarget[]): string {
  const pairs = targets.map(({ pid, slotName }) => `(${Math.trunc(pid)}, ${quoted(slotName)})`);
  return `
select json_build_object('ended', coalesce(json_agg(pid) filter (where done), '[]')) as status
from (
  select s.active_pid as pid, pg_terminate_backend(s.active_pid) as done
  from pg_replication_slots s
  where s.slot_type = 'logical'
    and (s.active_pid, s.slot_name::text) in (${pairs.join(', ')})
) ended`;
}

function quoted(text: string): string {
  return `'${text.replace(/'/g, "''")}'`;
}

export function endedPids(document: unknown): number[] {
  const { ended } = rowOf(document);
  return Array.isArray(ended) ? ended.filter((pid) => typeof pid === 'number') : [];
}
