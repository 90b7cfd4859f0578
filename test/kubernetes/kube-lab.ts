/** The one cluster on Kubernetes that the tier's files share. */
import type { Lab } from '../support/lab/cluster.js';
import type { KubeNode } from '../support/lab/state.js';
import { sharedCluster } from '../support/shared.js';

export async function sharedKubernetes(): Promise<{ lab: Lab; kube: KubeNode }> {
  const lab = await sharedCluster({ store: 'kubernetes', members: 3, sync: 'on' });
  if (lab.kube === null) throw new Error('the lab has no kube-apiserver');
  return { lab, kube: lab.kube };
}
