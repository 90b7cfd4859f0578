/** Members that left, looked for now and then while a cluster is followed: each search goes through the DCS's past. */
import type { Cluster } from '../cluster/model/model.js';
import { monotonicMs } from '../clock.js';
import type { Context } from '../context.js';
import { ANYBODY_LIMIT } from './deleted-members.js';
import { readDeparted, type DepartedRead } from './departed.js';
import type { SnapshotRequest } from './read-snapshot.js';

/** Servers that left are asked so often. */
const ASK_AGAIN_MS = 30_000;
/** Where none is known, they are looked for so often; and at once when a member key goes. */
const SEARCH_AGAIN_MS = 300_000;

export interface DepartedFollower {
  readonly now: DepartedRead;
  /** Searches where it is time to. `answers`: the DCS does; its past cannot be read otherwise. */
  refresh(cluster: Cluster, answers: boolean): Promise<void>;
}

export function followDeparted(
  context: Context,
  { verify, also }: Pick<SnapshotRequest, 'verify' | 'also'>,
  limit = ANYBODY_LIMIT,
): DepartedFollower {
  const follower = { now: NONE, refresh };
  let searching: Promise<void> | null = null;
  let searchedMs: number | null = null;
  let members = '';

  async function search(cluster: Cluster): Promise<void> {
    follower.now = await readDeparted(context, cluster, { verify, also, limit });
    searchedMs = monotonicMs();
  }
  async function refresh(cluster: Cluster, answers: boolean): Promise<void> {
    const present = cluster.members.map(({ name }) => name).join('\n');
    const againMs = follower.now.departed.length > 0 ? ASK_AGAIN_MS : SEARCH_AGAIN_MS;
    const isDue = searchedMs === null || monotonicMs() - searchedMs > againMs;
    if (!answers || (!isDue && present === members)) return;
    members = present;
    await (searching ??= search(cluster).finally(() => {
      searching = null;
    }));
  }
  return follower;
}

const NONE: DepartedRead = { departed: [], problems: [], renamed: [] };
