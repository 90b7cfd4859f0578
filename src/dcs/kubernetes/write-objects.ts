/** Writes into Patroni's objects, each under the resourceVersion that was read, sent once. */
import type { Cluster } from '../../cluster/model/model.js';
import { ToolError } from '../../errors.js';
import type { FailoverRequest, Written } from '../dcs.js';
import { kubeRefusal, unreachable, type KubeClient } from './kube-client.js';
import { objectNames, type KindName, type KubeKind } from './kube-objects.js';

type Annotations = Record<string, string | null>;

interface Target {
  namespace: string;
  kind: KindName;
  name: string;
}

/** Answers after which a write may have been carried out anyway. */
const UNSURE = [500, 502, 503, 504];

export function writeConfig(
  client: KubeClient,
  cluster: Cluster,
  text: string,
  timeoutMs: number,
): Promise<Written> {
  const target = targetOf(cluster, 'config');
  const revision = cluster.config?.modRevision ?? '0';
  return patch(
    client,
    target,
    revision,
    { config: text },
    timeoutMs,
    ({ config }) => config ?? null,
  );
}

/** Patroni's annotations of a request; null clears them all. */
export async function writeFailover(
  client: KubeClient,
  cluster: Cluster,
  request: FailoverRequest | null,
  timeoutMs: number,
): Promise<Written> {
  const target = targetOf(cluster, 'failover');
  const annotations: Annotations = {
    leader: request?.leader ?? null,
    member: request?.candidate ?? null,
    scheduled_at: request?.scheduledAt ?? null,
  };
  const revision = cluster.failoverRevision;
  if (revision !== '0') {
    return patch(client, target, revision, annotations, timeoutMs, (now) => JSON.stringify(now));
  }
  if (request === null) return { done: true };
  return create(client, cluster, target, annotations, timeoutMs);
}

function targetOf(cluster: Cluster, which: 'config' | 'failover'): Target {
  const { kubernetes, scope, group } = cluster;
  if (!kubernetes) throw new TypeError(`${scope} is not a cluster of Kubernetes`);
  const { namespace, kind } = kubernetes;
  return { namespace, kind, name: objectNames({ scope, group }, kind)[which] };
}

export const pathOf = ({ namespace, kind, name }: Target): string =>
  `/api/v1/namespaces/${encodeURIComponent(namespace)}/${kind}/${encodeURIComponent(name)}`;

async function patch(
  client: KubeClient,
  target: Target,
  resourceVersion: string,
  annotations: Annotations,
  timeoutMs: number,
  told: (annotations: Record<string, string>) => string | null,
): Promise<Written> {
  const body = JSON.stringify({ metadata: { resourceVersion, annotations } });
  const contentType = 'application/merge-patch+json';
  const request = { method: 'PATCH', path: pathOf(target), body, contentType, timeoutMs } as const;
  return settle(client, target, await client.call(request), { resourceVersion, annotations, told });
}

async function create(
  client: KubeClient,
  cluster: Cluster,
  target: Target,
  annotations: Annotations,
  timeoutMs: number,
): Promise<Written> {
  const { namespace, kind, name } = target;
  const config = { ...target, name: objectNames(cluster, kind).config };
  // Patroni finds its objects by their labels: a new one gets those of the others.
  const read = await client.get(pathOf(config), `${kind} ${config.name}`);
  const like = read.json as KubeKind;
  const body = JSON.stringify({
    apiVersion: 'v1',
    kind: kind === 'endpoints' ? 'Endpoints' : 'ConfigMap',
    metadata: {
      name,
      namespace,
      labels: like.metadata.labels ?? {},
      annotations: Object.fromEntries(
        Object.entries(annotations).filter(([, value]) => value !== null),
      ),
    },
  });
  const path = pathOf(target).slice(0, -(encodeURIComponent(name).length + 1));
  const outcome = await client.call({ method: 'POST', path, body, timeoutMs });
  const told = (now: Record<string, string>): string => JSON.stringify(now);
  return settle(client, target, outcome, { resourceVersion: '0', annotations, told });
}

interface Attempt {
  resourceVersion: string;
  annotations: Annotations;
  /** What the caller wants to know of the object as it is now. */
  told: (annotations: Record<string, string>) => string | null;
}

async function settle(
  client: KubeClient,
  target: Target,
  outcome: Awaited<ReturnType<KubeClient['call']>>,
  attempt: Attempt,
): Promise<Written> {
  const where = `the Kubernetes API at ${client.access.server.host}`;
  const what = `${target.kind} ${target.namespace}/${target.name}`;
  if (outcome.kind === 'not_sent')
    throw unreachable(where, `${outcome.reason}; nothing was written`);
  if (outcome.kind === 'lost') return readBack(client, target, attempt, outcome.reason);
  const { answer } = outcome;
  if (answer.status === 200 || answer.status === 201) return { done: true };
  if (answer.status === 409 || answer.status === 404) {
    const now = await current(client, target);
    return { done: false, current: now === null ? null : attempt.told(annotationsOf(now)) };
  }
  if (UNSURE.includes(answer.status)) {
    return readBack(client, target, attempt, `HTTP ${answer.status}`);
  }
  throw kubeRefusal(where, client.access, answer, what);
}

/** The answer was lost: the object tells whether it was written. Where it does not, that is said. */
async function readBack(
  client: KubeClient,
  target: Target,
  { resourceVersion, annotations, told }: Attempt,
  reason: string,
): Promise<Written> {
  const what = `${target.kind} ${target.namespace}/${target.name}`;
  const unsure = (why: string) =>
    new ToolError(
      'unconfirmed',
      `the answer to the write of ${what} was lost (${reason}); ${why}`,
      {
        code: 'write_unconfirmed',
      },
    );
  let now: KubeKind | null;
  try {
    now = await current(client, target);
  } catch (error) {
    throw unsure(`it cannot be read back: ${error instanceof Error ? error.message : ''}`);
  }
  const found = now === null ? {} : annotationsOf(now);
  const isWritten = Object.entries(annotations).every(
    ([name, value]) => (found[name] ?? null) === value,
  );
  if (now !== null && isWritten) return { done: true };
  const isAsRead = (now?.metadata.resourceVersion ?? '0') === resourceVersion;
  // Another revision refuses the write for good; the same one may still take it.
  if (!isAsRead) return { done: false, current: now === null ? null : told(found) };
  throw unsure('it was not written so far');
}

/** The object as it is now; null when it is gone. */
async function current(client: KubeClient, target: Target): Promise<KubeKind | null> {
  const what = `${target.kind} ${target.name}`;
  try {
    return (await client.get(pathOf(target), what)).json as KubeKind;
  } catch (error) {
    if (error instanceof ToolError && isNotFound(error)) return null;
    throw error;
  }
}

function isNotFound(error: ToolError): boolean {
  return /answered 404\b/.test(error.message);
}

const annotationsOf = ({ metadata }: KubeKind): Record<string, string> =>
  metadata.annotations ?? {};
