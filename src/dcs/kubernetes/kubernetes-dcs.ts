/** The port over Kubernetes: Patroni's keys are annotations of Endpoints or ConfigMaps, its members are Pods. */
import type { Cluster } from '../../cluster/model/model.js';
import { clusterPrefix, parseCluster } from '../../cluster/model/parse-keys.js';
import { byCodePoint } from '../../cluster/model/patroni-values.js';
import { ToolError } from '../../errors.js';
import type { ClusterName, Dcs, Followable, ReadOptions, Removal } from '../dcs.js';
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

export function kubernetesDcs(options: KubernetesOptions): KubernetesDcs {
  return portOf(openSource(options), options, new AbortController());
}

/** The same connection, with another namespace as its own. */
function inNamespace(source: Source, namespace: string): Source {
  return {
    ...source,
    where: () => `namespace ${namespace}`,
    namespaceOf: (name) => Promise.resolve(name?.place ?? namespace),
  };
}

function portOf(
  source: Source,
  options: KubernetesOptions,
  closing: AbortController,
): KubernetesDcs {
  const { timeoutMs, onlyNamespace } = options;
  const { client, namespaceOf, addresses } = source;
  return {
    name: 'Kubernetes',
    get where() {
      return source.where();
    },
    client,
    at: (place) => portOf(inNamespace(source, place), { ...options, onlyNamespace: true }, closing),
    podOf: (apiUrl) => addresses.get(apiUrl) ?? null,
    read: async (name, asked) => {
      const namespace = await namespaceOf(name);
      if (name.scope === '') return [];
      return named(name, (await source.ask(namespace, name, asked)).clusters());
    },
    readAll: async (asked) => {
      if (onlyNamespace) return source.readIn(await namespaceOf(), asked);
      try {
        return await source.readIn(null, asked);
      } catch (error) {
        if (!isForbidden(error)) throw error;
        return readEach(await client(), await namespaceOf(), (one) => source.readIn(one, asked));
      }
    },
    scopes: async () => {
      const clusters = await source.readIn(await namespaceOf());
      return [...new Set(clusters.map(({ scope }) => scope))].sort(byCodePoint);
    },
    follow: (name) => follow(source, name, closing.signal),
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
    removal: (name) => removal(source, name, timeoutMs),
    close: async () => {
      closing.abort();
      await source.close();
    },
  };
}

// ---------------------------------------------------------------- reading

/** What one question to the API server found. */
interface Objects {
  gathered: Gathered[];
  /** Every cluster of them, as they stand now. */
  clusters(): Cluster[];
  /** This one; empty where they hold nothing of it. */
  cluster(namespace: string, name: ClusterName): Cluster;
}

interface Source {
  client: () => Promise<KubeClient>;
  /** In words. */
  where: () => string;
  namespaceOf: (name?: ClusterName) => Promise<string>;
  /** By the api_url of a member that has been read. */
  addresses: ReadonlyMap<string, PodAddress>;
  /** `namespace` null: in every one; `name` null: of every cluster. */
  ask: (
    namespace: string | null,
    name: ClusterName | null,
    options?: ReadOptions,
  ) => Promise<Objects>;
  readIn: (namespace: string | null, options?: ReadOptions) => Promise<Cluster[]>;
  close: () => Promise<void>;
}

function openSource({ settings, open }: KubernetesOptions): Source {
  let opened: Promise<KubeClient> | undefined;
  let namespaceIs = settings.namespace;
  const addresses = new Map<string, PodAddress>();
  const client = (): Promise<KubeClient> => (opened ??= open());
  const noted = (cluster: Cluster): Cluster => {
    noteAddresses(addresses, cluster);
    return cluster;
  };
  const ask: Source['ask'] = async (namespace, name, { serializable = false } = {}) => {
    const { scope = null, group = null } = name ?? {};
    const wanted = { namespace, scope, group, serializable };
    const gathered = await gather(await client(), settings, wanted);
    const offsetMs = offsetOf(gathered, Date.now());
    const now = (): number | null => (offsetMs === null ? null : Date.now() + offsetMs);
    return {
      gathered,
      clusters: () => clustersOf(gathered, now()).map(noted),
      cluster: (place, { scope, group }) => {
        const found = clusterOf(gathered, { namespace: place, scope, group }, now());
        return noted(found ?? nothing(place, { scope, group }, gathered));
      },
    };
  };
  return {
    client,
    where: () => (namespaceIs === null ? 'the namespace' : `namespace ${namespaceIs}`),
    namespaceOf: async (name) =>
      name?.place ?? (namespaceIs ??= (await client()).access.namespace ?? 'default'),
    addresses,
    ask,
    readIn: async (namespace, options) => (await ask(namespace, null, options)).clusters(),
    close: async () => {
      if (opened) await opened.then((one) => one.close()).catch(() => undefined);
    },
  };
}

/** Those of this name, and of this group where one is named. */
function named(name: ClusterName, clusters: readonly Cluster[]): Cluster[] {
  return clusters.filter(
    ({ scope, group }) => scope === name.scope && (name.group ?? group) === group,
  );
}

async function follow(
  source: Source,
  name: ClusterName,
  closing: AbortSignal,
): Promise<Followable> {
  const namespace = await source.namespaceOf(name);
  const objects = await source.ask(namespace, name);
  const parse = (): Cluster => objects.cluster(namespace, name);
  return {
    cluster: parse(),
    changes: async function* (signal) {
      const { followObjects } = await import('./follow-objects.js');
      const over = AbortSignal.any([signal, closing]);
      yield* followObjects(await source.client(), objects.gathered, parse, over);
    },
  };
}

async function removal(source: Source, name: ClusterName, timeoutMs: number): Promise<Removal> {
  const namespace = await source.namespaceOf(name);
  const [objects, { objectsRemoval }] = await Promise.all([
    source.ask(namespace, name),
    import('./remove-objects.js'),
  ]);
  const clusters = named(name, objects.clusters());
  const cluster =
    clusters.find(({ group }) => group === name.group) ??
    nothing(namespace, name, objects.gathered);
  return objectsRemoval(await source.client(), objects.gathered, clusters, cluster, timeoutMs);
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
