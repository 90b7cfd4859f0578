/** Takes a cluster's objects out of Kubernetes, and nothing else of what has its labels. */
import type { Cluster } from '../../cluster/model/model.js';
import { ToolError } from '../../errors.js';
import type { Removal } from '../dcs.js';
import { kubeRefusal, type KubeClient } from './kube-client.js';
import type { Gathered } from './kube-lists.js';
import { objectNames, type KubeKind } from './kube-objects.js';
import { pathOf } from './write-objects.js';

/** Objects that tell one cluster from another, the last ones to go: until then they are the guard. */
const GUARDS = ['config', 'leader'] as const;

export function objectsRemoval(
  client: KubeClient,
  gathered: readonly Gathered[],
  clusters: Cluster[],
  cluster: Cluster,
  timeoutMs: number,
): Removal {
  const kind = cluster.kubernetes?.kind ?? 'endpoints';
  const names = objectNames(cluster, kind);
  const all = gathered
    .flatMap(({ kinds }) => kinds)
    .filter(({ resource }) => resource === kind)
    .flatMap(({ items }) => items);
  const ordered = [names.failover, names.sync, ...GUARDS.map((one) => names[one])];
  const own = ordered.flatMap((name) => all.find(({ metadata }) => metadata.name === name) ?? []);
  const foreign = all.filter((one) => !own.includes(one)).map(({ metadata }) => metadata.name);
  return {
    clusters,
    cluster,
    foreign: [...new Set(foreign)],
    run: (progress) => {
      const pods = cluster.members.length;
      if (pods > 0) progress(`${pods} Pods are left alone, and their status annotations with them`);
      return run(client, cluster, own, timeoutMs);
    },
  };
}

async function run(
  client: KubeClient,
  cluster: Cluster,
  own: readonly KubeKind[],
  timeoutMs: number,
): Promise<number> {
  const { kind = 'endpoints' } = cluster.kubernetes ?? {};
  const names = objectNames(cluster, kind);
  let deleted = 0;
  for (const { metadata } of own) {
    const { namespace, name, uid, resourceVersion } = metadata;
    // The leader's object changes all the time: the leader's name is compared, not the revision.
    if (name === names.leader || deleted === 0) await sameLeader(client, cluster, deleted, own);
    const preconditions = {
      ...(uid === undefined ? {} : { uid }),
      ...(name === names.config ? { resourceVersion } : {}),
    };
    const outcome = await client.call({
      method: 'DELETE',
      path: pathOf({ namespace, kind, name }),
      body: JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions }),
      timeoutMs,
    });
    const what = `${kind} ${namespace}/${name}`;
    if (outcome.kind !== 'answered') {
      throw halfWay(deleted, own.length, `${what}: ${outcome.reason}`, outcome.kind === 'lost');
    }
    const { status } = outcome.answer;
    if (status === 409) throw changed(deleted, own.length, what, 'has changed');
    if (status !== 200 && status !== 202 && status !== 404) {
      const where = `the Kubernetes API at ${client.access.server.host}`;
      const error = kubeRefusal(where, client.access, outcome.answer, what);
      throw deleted === 0 ? error : halfWay(deleted, own.length, error.message, false);
    }
    deleted += 1;
  }
  return deleted;
}

async function sameLeader(
  client: KubeClient,
  cluster: Cluster,
  deleted: number,
  own: readonly KubeKind[],
): Promise<void> {
  const { kind = 'endpoints', namespace = '' } = cluster.kubernetes ?? {};
  const { leader: name } = objectNames(cluster, kind);
  if (!own.some(({ metadata }) => metadata.name === name)) return;
  const path = pathOf({ namespace, kind, name });
  const read = await client.get(path, `${kind} ${name}`);
  const leads = (read.json as KubeKind).metadata.annotations?.['leader'] || null;
  if (leads === (cluster.leaderClaim?.name ?? null)) return;
  throw changed(deleted, own.length, 'leader', `is ${leads ?? 'no member'} now`);
}

function changed(deleted: number, total: number, subject: string, said: string): ToolError {
  const what =
    deleted === 0 ? 'nothing was removed' : `${deleted} of ${total} objects were removed`;
  return new ToolError(
    deleted === 0 ? 'error' : 'failed',
    `the cluster has changed since it was shown; ${what}`,
    {
      code: 'changed_meanwhile',
      evidence: [{ witness: 'DCS', subject, said }],
      hint: 'run the command again to see the current state',
    },
  );
}

function halfWay(deleted: number, total: number, why: string, isLost: boolean): ToolError {
  const ending = isLost ? 'unconfirmed' : deleted === 0 ? 'unreachable' : 'failed';
  return new ToolError(ending, `${deleted} of ${total} objects were removed; ${why}`, {
    code: 'removed_half_way',
    hint: 'run the command again to remove the rest',
  });
}
