/** What the DCS says of one cluster; no member is asked. */
import type { Cluster } from '../cluster/model/model.js';
import type { Context } from '../context.js';
import { ToolError } from '../errors.js';
import { unknownCluster } from './unknown-cluster.js';

/** The cluster, or each of its Citus groups when none is named. ToolError when the DCS has nothing of it. */
export async function readClusters(
  context: Context,
  scope: string,
  group: number | null,
  { serializable = false }: { serializable?: boolean } = {},
): Promise<Cluster[]> {
  const clusters = await (await context.dcs()).read({ scope, group }, { serializable });
  if (clusters.length === 0) throw await unknownCluster(context, scope, group);
  return clusters;
}

/** The one cluster that is named; with Citus the group has to be named too. */
export async function readCluster(
  context: Context,
  scope: string,
  group: number | null,
): Promise<Cluster> {
  const clusters = await readClusters(context, scope, group);
  const [only] = clusters;
  if (clusters.length === 1 && only) return only;
  throw groupWanted(clusters);
}

/** The same cluster as it is now; null when it cannot be read at the moment, or is gone. */
export async function clusterNow(
  context: Context,
  { scope, group }: Pick<Cluster, 'scope' | 'group'>,
  { serializable = false }: { serializable?: boolean } = {},
): Promise<Cluster | null> {
  try {
    const clusters = await (await context.dcs()).read({ scope, group }, { serializable });
    return clusters.find((one) => one.group === group) ?? null;
  } catch (error) {
    if (error instanceof ToolError) return null;
    throw error;
  }
}

/** patronictl's words, and which groups there are. */
export function groupWanted(clusters: readonly Cluster[]): ToolError {
  return new ToolError('error', 'For Citus clusters the --group must me specified', {
    code: 'group_wanted',
    hint: groupsHint(clusters),
  });
}

export function groupsHint(clusters: readonly Pick<Cluster, 'group'>[]): string {
  return `groups: ${clusters.map(({ group }) => group ?? 'none').join(', ')}`;
}
