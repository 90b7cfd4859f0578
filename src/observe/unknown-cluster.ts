/** The errors of a name that the DCS does not have. */
import type { Context } from '../context.js';
import { ToolError } from '../errors.js';

/** What patronictl says where there is no cluster of the name: scripts look for the sentences. */
const noMembers = (scope: string): string => `${scope} cluster doesn't have any members`;
const UNKNOWN_TO_PATRONICTL: Record<string, (scope: string) => string> = {
  restart: noMembers,
  reload: noMembers,
  reinit: () => 'No replica among provided members',
  flush: noMembers,
  switchover: () => 'This cluster has no leader',
  failover: () => 'No candidates found to failover to',
  'edit-config': (scope) => `The config key does not exist in the cluster ${scope}`,
  pause: () => 'Can not find accessible cluster member',
  resume: () => 'Cluster is not paused',
  dsn: () => 'Can not find a suitable member',
  query: () => 'No connection is available',
  'demote-cluster': () => 'Cluster has no leader, demotion is not possible',
  'promote-cluster': () => 'Cluster has no leader, promotion is not possible',
};

/** The error that names the clusters which do exist. */
export async function unknownCluster(
  context: Context,
  scope: string,
  group: number | null,
): Promise<ToolError> {
  const dcs = await context.dcs();
  const names = await dcs.scopes();
  const { where } = dcs;
  const what = group === null ? `"${scope}"` : `"${scope}" group ${group}`;
  const message = `no cluster ${what} in ${where}`;
  const known =
    names.length === 0
      ? `there are no clusters in ${where}: is the namespace correct?`
      : `clusters in ${where}: ${names.join(', ')}`;
  const { compat, command } = context.flags;
  const theirs = compat ? UNKNOWN_TO_PATRONICTL[command] : undefined;
  return new ToolError('error', theirs?.(scope) ?? message, {
    code: 'unknown_cluster',
    hint: theirs ? `${message}; ${known}` : known,
  });
}

export function noClusterAtAll(where: string): ToolError {
  return new ToolError('error', `there are no clusters in ${where}`, {
    code: 'unknown_cluster',
    hint: 'is the namespace correct?',
  });
}
