/** Writes Patroni's keys into Kubernetes as Patroni does: annotations of Endpoints or ConfigMaps, and of Pods. */
import { kubeCreate, kubeRequest } from '../support/lab/kube.js';
import type { KubeNode } from '../support/lab/state.js';

export interface Place {
  kube: KubeNode;
  namespace: string;
  kind: 'endpoints' | 'configmaps';
  /** Instead of the scope's label, as operators set them. */
  labels?: Record<string, string>;
}

/** `keys` as in etcd below the cluster's prefix; null deletes one. */
export async function writeKeys(
  place: Place,
  keys: Record<string, string | null>,
  scope: string,
  group?: number,
): Promise<void> {
  const labels = {
    ...(place.labels ?? { 'cluster-name': scope }),
    ...(group === undefined ? {} : { 'citus-group': String(group) }),
  };
  const base = group === undefined ? scope : `${scope}-${group}`;
  const leader = place.kind === 'endpoints' ? base : `${base}-leader`;
  for (const [key, value] of Object.entries(keys)) {
    if (key.startsWith('members/')) {
      await writeMember(place, key.slice('members/'.length), value, labels);
      continue;
    }
    const name = ['leader', 'status', 'failsafe'].includes(key)
      ? leader
      : `${base}-${key === 'sync' || key === 'failover' ? key : 'config'}`;
    await annotate(place, name, annotationsOf(key, value), labels);
  }
}

function annotationsOf(key: string, value: string | null): Record<string, string | null> {
  const fields = (): Record<string, unknown> =>
    JSON.parse(value ?? '{}') as Record<string, unknown>;
  const text = (field: unknown): string | null => {
    if (field === undefined || field === null) return null;
    return typeof field === 'string' ? field : JSON.stringify(field);
  };
  switch (key) {
    case 'leader':
      return value === null
        ? { leader: null }
        : { leader: value, ttl: '30', renewTime: new Date().toISOString(), transitions: '0' };
    case 'status': {
      const { optime, slots, retain_slots: retain } = fields();
      return { optime: text(optime), slots: text(slots), retain_slots: text(retain) };
    }
    case 'sync': {
      const { leader, sync_standby: standbys, quorum } = fields();
      return { leader: text(leader), sync_standby: text(standbys), quorum: text(quorum) };
    }
    default:
      return { [key]: value };
  }
}

async function annotate(
  { kube, namespace, kind }: Place,
  name: string,
  annotations: Record<string, string | null>,
  labels: Record<string, string>,
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/${kind}`;
  await kubeCreate(kube, path, {
    apiVersion: 'v1',
    kind: kind === 'endpoints' ? 'Endpoints' : 'ConfigMap',
    metadata: { name, namespace, labels },
  });
  await merge(kube, `${path}/${name}`, { metadata: { annotations } });
}

async function writeMember(
  { kube, namespace }: Place,
  name: string,
  status: string | null,
  labels: Record<string, string>,
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  if (status === null) {
    await kubeRequest(kube, `${path}/${name}`, {
      method: 'DELETE',
      body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 },
    });
    return;
  }
  await kubeCreate(kube, path, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: { containers: [{ name: 'postgres', image: 'empty' }] },
  });
  await merge(kube, `${path}/${name}`, { metadata: { annotations: { status } } });
}

async function merge(kube: KubeNode, path: string, body: unknown): Promise<void> {
  const contentType = 'application/merge-patch+json';
  const { status, json } = await kubeRequest(kube, path, { method: 'PATCH', body, contentType });
  if (status !== 200) throw new Error(`${path}: HTTP ${status} ${JSON.stringify(json)}`);
}
