/** The one cluster on Kubernetes that the tier's files share. */
import type { Lab } from '../support/lab/cluster.js';
import { sharedCluster } from '../support/shared.js';

export function sharedKubernetes(): Promise<Lab> {
  return sharedCluster({ store: 'kubernetes', members: 3, sync: 'on' });
}
