/** What a member's tags mean, read as Patroni reads them [tags.py]: not every value that looks like off is off. */
import type { JsonObject, JsonValue } from './model.js';
import { parseBool, parseInteger, truthy } from './patroni-values.js';

export interface Tags {
  /** May not be promoted. */
  nofailover: boolean;
  /** 0: may not be promoted; of equal positions the highest wins. */
  failoverPriority: number;
  /** May not become synchronous. */
  nosync: boolean;
  syncPriority: number;
  noloadbalance: boolean;
  nostream: boolean;
  clonefrom: boolean;
  /** The member from which it streams; null: from the leader. A number is never the name of a member. */
  replicatefrom: string | null;
}

/** The tags of a member key or of GET /patroni; absent or unreadable ones are Patroni's defaults. */
export function readTags(tags: JsonObject | undefined): Tags {
  const given = tags ?? {};
  const from = given['replicatefrom'];
  return {
    nofailover: isBarred(given['nofailover'], given['failover_priority']),
    failoverPriority: priorityOf(given['nofailover'], given['failover_priority']),
    nosync: isBarred(given['nosync'], given['sync_priority']),
    syncPriority: priorityOf(given['nosync'], given['sync_priority']),
    noloadbalance: truthy(given['noloadbalance']),
    nostream: parseBool(given['nostream']) === true,
    clonefrom: truthy(given['clonefrom']),
    replicatefrom: typeof from === 'string' && from !== '' ? from : null,
  };
}

/** The switch wins over the priority when both are given; its text "no" is as true as any other text. */
function isBarred(flag: JsonValue | undefined, priority: JsonValue | undefined): boolean {
  if (flag !== undefined && flag !== null) return truthy(flag);
  const number = parseInteger(priority);
  return number !== null && number <= 0;
}

function priorityOf(flag: JsonValue | undefined, priority: JsonValue | undefined): number {
  return truthy(flag) ? 0 : (parseInteger(priority) ?? 1);
}
