/** The port over Kubernetes: Patroni's keys are annotations of Endpoints or ConfigMaps, its members are Pods. */
import type { Cluster } from '../../cluster/model/model.js';
import { clusterPrefix, parseCluster } from '../../cluster/model/parse-keys.js';
import { byCodePoint } from '../../cluster/model/patroni-values.js';
import { ToolError } from '../../errors.js';
import type { ClusterName, Dcs, Followable, ReadOptions } from '../dcs.js';
import type { KubeClient } from './kube-client.js';
import {
  clusterOf,
  clustersOf,
  gather,
  isForbidden,
  offsetOf,
  type Gathered,
} from './kube-lists.js';
import type { KubeSettings } from '../../config/kubernetes-settings.js';

/** Where a member's REST API is for the API server's proxy. */
export interface PodAddress {
  namespace: string;
  pod: string;
  scheme: 'http' | 'https';
  port: number;
}

export interface KubernetesDcs extends Dcs {
  /** The API server, connected when first asked for. */
  client: () => Promise<KubeClient>;
  /** The Pod behind an api_url that has been read; null: it is the address of no known Pod. */
  podOf: (apiUrl: string) => PodAddress | null;
}

export interface KubernetesOptions {
  settings: KubeSettings;
  /** Made when first needed. */
  open: () => Promise<KubeClient>;
  timeoutMs: number;
  /** --kube-namespace: every question is about this one, `readAll` too. */
  onlyNamespace: boolean;
}

const NO_PAST = 'Kubernetes keeps no record of Pods that were deleted';
/** How many namespaces are asked at once where they may not be asked all together. */
const NAMESPACES_PARALLEL = 8;

export function kubernetesDcs({
  settings,
  open,
  timeoutMs,
  onlyNamespace,
}: KubernetesOptions): KubernetesDcs {
  let opened: Promise<KubeClient> | undefined;
  const client = (): Promise<KubeClient> => (opened ??= open());
  let namespaceIs = settings.namespace;
  const addresses = new Map<string, PodAddress>();
  const closing = new AbortController();

  const namespaceOf = async (name?: ClusterName): Promise<string> =>
    name?.place ?? (namespaceIs ??= (await client()).access.namespace ?? 'default');

  const ask = async (
    namespace: string | null,
    name: ClusterName | null,
    options: ReadOptions = {},
  ): Promise<{ gathered: Gathered[]; offsetMs: number | null }> => {
    const gathered = await gather(await client(), settings, {
      namespace,
      scope: name === null ? null : name.scope,
      group: name?.group ?? null,
      serializable: options.serializable ?? false,
    });
    return { gathered, offsetMs: offsetOf(gathered, Date.now()) };
  };
  const now = (offsetMs: number | null): number | null =>
    offsetMs === null ? null : Date.now() + offsetMs;
  const seen = (cluster: Cluster): Cluster => {
    noteAddresses(addresses, cluster);
    return cluster;
  };

  const readIn = async (namespace: string | null, options?: ReadOptions): Promise<Cluster[]> => {
    const { gathered, offsetMs } = await ask(namespace, null, options);
    return clustersOf(gathered, now(offsetMs)).map(seen);
  };

  const follow = async (name: ClusterName): Promise<Followable> => {
    const namespace = await namespaceOf(name);
    const { gathered, offsetMs } = await ask(namespace, name);
    const { scope, group } = name;
    const parse = (): Cluster =>
      seen(
        clusterOf(gathered, { namespace, scope, group }, now(offsetMs)) ??
          nothing(namespace, name, gathered),
      );
    return {
      cluster: parse(),
      changes: async function* (signal) {
        const { followObjects: followLists } = await import('./follow-objects.js');
        const over = AbortSignal.any([signal, closing.signal]);
        yield* followLists(await client(), gathered, parse, over);
      },
    };
  };

  return {
    name: 'Kubernetes',
    get where() {
      return namespaceIs === null ? 'the namespace' : `namespace ${namespaceIs}`;
    },
    client,
    podOf: (apiUrl) => addresses.get(apiUrl) ?? null,
    read: async (name, options) => {
      const namespace = await namespaceOf(name);
      if (name.scope === '') return [];
      const { gathered, offsetMs } = await ask(namespace, name, options);
      return clustersOf(gathered, now(offsetMs))
        .filter(({ scope, group }) => scope === name.scope && (name.group ?? group) === group)
        .map(seen);
    },
    readAll: async (options) => {
      if (onlyNamespace) return readIn(await namespaceOf(), options);
      try {
        return await readIn(null, options);
      } catch (error) {
        if (!isForbidden(error)) throw error;
        return readEach(await client(), await namespaceOf(), (one) => readIn(one, options));
      }
    },
    scopes: async () => {
      const clusters = await readIn(await namespaceOf());
      return [...new Set(clusters.map(({ scope }) => scope))].sort(byCodePoint);
    },
    follow,
    goneMembers: () => Promise.resolve({ members: [], incomplete: NO_PAST }),
    lastWord: () => Promise.resolve(null),
    writeConfig: async (cluster, text) => {
      const { writeConfig } = await import('./write-objects.js');
      return writeConfig(await client(), cluster, text, timeoutMs);
    },
    writeFailover: async (cluster, request) => {
      const { writeFailover } = await import('./write-objects.js');
      return writeFailover(await client(), cluster, request, timeoutMs);
    },
    removal: async (name) => {
      const namespace = await namespaceOf(name);
      const [{ gathered, offsetMs }, { objectsRemoval: removalOf }] = await Promise.all([
        ask(namespace, name),
        import('./remove-objects.js'),
      ]);
      const clusters = clustersOf(gathered, now(offsetMs)).filter(
        ({ scope, group }) => scope === name.scope && (name.group ?? group) === group,
      );
      const cluster =
        clusters.find(({ group }) => group === name.group) ?? nothing(namespace, name, gathered);
      return removalOf(await client(), gathered, clusters, cluster, timeoutMs);
    },
    close: async () => {
      closing.abort();
      if (opened) await opened.then((one) => one.close()).catch(() => undefined);
    },
  };
}

/** An empty cluster. */
function nothing(
  namespace: string,
  { scope, group }: ClusterName,
  gathered: readonly Gathered[],
): Cluster {
  const revision = gathered[0]?.pods.resourceVersion ?? '0';
  const prefix = clusterPrefix(namespace, scope, group);
  return parseCluster(scope, group, { revision, kvs: [] }, prefix);
}

/** A member's REST API is at its Pod's address, or at a name that leads there: the Pod has the member's name. */
function noteAddresses(known: Map<string, PodAddress>, { members, kubernetes }: Cluster): void {
  if (!kubernetes) return;
  for (const { name, apiUrl } of members) {
    if (apiUrl === null || !URL.canParse(apiUrl)) continue;
    const url = new URL(apiUrl);
    const isTls = url.protocol === 'https:';
    known.set(apiUrl, {
      namespace: kubernetes.namespace,
      pod: name,
      scheme: isTls ? 'https' : 'http',
      port: Number(url.port || (isTls ? 443 : 80)),
    });
  }
}

/** Where all namespaces together are refused, each that is known is asked; those that are refused are named. */
async function readEach(
  client: KubeClient,
  own: string,
  read: (namespace: string) => Promise<Cluster[]>,
): Promise<Cluster[]> {
  const { names, why } = await namespacesOf(client, own);
  const found: Cluster[] = [];
  const refused: string[] = [];
  let last: unknown = null;
  for (let at = 0; at < names.length; at += NAMESPACES_PARALLEL) {
    const batch = names.slice(at, at + NAMESPACES_PARALLEL);
    const results = await Promise.allSettled(batch.map(read));
    for (const [index, result] of results.entries()) {
      if (result.status === 'fulfilled') found.push(...result.value);
      else if (isForbidden(result.reason)) refused.push(batch[index] ?? '');
      else throw result.reason;
      if (result.status === 'rejected') last = result.reason;
    }
  }
  if (refused.length === names.length) throw last;
  const reasons = [
    ...(why === null ? [] : [why]),
    ...(refused.length === 0 ? [] : [`namespaces that may not be read: ${refused.join(', ')}`]),
  ];
  if (found.length === 0 && reasons.length > 0) throw noneWhereRead(reasons);
  const cannotTell = { other_clusters: reasons.join('; ') };
  return found.map((cluster) => (reasons.length === 0 ? cluster : { ...cluster, cannotTell }));
}

function noneWhereRead(reasons: readonly string[]): ToolError {
  const message = `no cluster was found, and not every namespace was read: ${reasons.join('; ')}`;
  return new ToolError('error', message, {
    code: 'kubernetes_forbidden',
    hint: 'docs/kubernetes.md has the role that reading needs: bind it in each namespace',
  });
}

async function namespacesOf(
  client: KubeClient,
  own: string,
): Promise<{ names: string[]; why: string | null }> {
  try {
    const read = await client.get('/api/v1/namespaces', 'namespaces');
    const { items } = read.json as { items: { metadata: { name: string } }[] };
    return { names: items.map(({ metadata }) => metadata.name), why: null };
  } catch (error) {
    if (!(error instanceof ToolError) || !isForbidden(error)) throw error;
    return { names: [own], why: `only namespace ${own} was read: namespaces may not be listed` };
  }
}
