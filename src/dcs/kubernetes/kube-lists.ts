/** Lists of Pods, Endpoints and ConfigMaps, page by page, and what they say of clusters. */
import type { Cluster } from '../../cluster/model/model.js';
import { ToolError } from '../../errors.js';
import type { KubeClient } from './kube-client.js';
import {
  GROUP_LABEL,
  clusterIn,
  clustersIn,
  type KindName,
  type KubeKind,
  type KubeMeta,
  type KubePod,
  type Listed,
} from './kube-objects.js';
import { type Marks, DEFAULT_MARKS, type KubeSettings } from '../../config/kubernetes-settings.js';
import { PRESETS, marksFrom } from './label-presets.js';

export type Resource = 'pods' | KindName;

export interface OneList<T> {
  resource: Resource;
  items: T[];
  resourceVersion: string;
  dateMs: number | null;
  /** The path without paging: a watch goes on from it. */
  path: string;
  selector: string;
}

/** Everything that was listed for one question, with the way its objects are marked. */
export interface Gathered {
  marks: Marks;
  pods: OneList<KubePod>;
  kinds: OneList<KubeKind>[];
}

export interface Question {
  /** null: every namespace. */
  namespace: string | null;
  /** null: every cluster. */
  scope: string | null;
  group: number | null;
  serializable: boolean;
}

const PAGE = 500;

/** All pages of one list, at one resourceVersion. */
export async function listAll<T>(
  client: KubeClient,
  resource: Resource,
  namespace: string | null,
  selector: string,
  serializable: boolean,
): Promise<OneList<T>> {
  const place = namespace === null ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  const path = `/api/v1${place}/${resource}`;
  const where = selector === '' ? '' : `labelSelector=${encodeURIComponent(selector)}&`;
  const items: T[] = [];
  let page = '';
  let resourceVersion = '0';
  let dateMs: number | null = null;
  do {
    // resourceVersion=0 takes what the API server has in memory, as it is when etcd cannot be asked.
    const how = serializable ? 'resourceVersion=0' : `limit=${PAGE}${page}`;
    const read = await client.get(`${path}?${where}${how}`, resource);
    const json = read.json as {
      metadata: { resourceVersion: string; continue?: string };
      items: T[] | null;
    };
    items.push(...(json.items ?? []));
    resourceVersion = json.metadata.resourceVersion;
    dateMs ??= read.dateMs;
    const next = json.metadata.continue;
    page = next ? `&continue=${encodeURIComponent(next)}` : '';
  } while (page !== '');
  return { resource, items, resourceVersion, dateMs, path, selector };
}

/** The lists that tell of the clusters in question, asked side by side. */
export async function gather(
  client: KubeClient,
  settings: KubeSettings,
  question: Question,
): Promise<Gathered[]> {
  const { marks, labels } = settings;
  if (marks === null) return gatherUnmarked(client, settings, question);
  const selector = selectorOf(labels, marks.scopeLabel, question);
  const { namespace, serializable } = question;
  const [pods, kinds] = await Promise.all([
    listAll<KubePod>(client, 'pods', namespace, selector, serializable),
    listKinds(client, settings, namespace, selector, serializable),
  ]);
  return [{ marks, pods, kinds }];
}

/** Every label that is configured, and the scope's; `cluster-name` alone where any cluster is meant. */
function selectorOf(
  labels: Readonly<Record<string, string>>,
  scopeLabel: string,
  { scope, group }: Pick<Question, 'scope' | 'group'>,
): string {
  return [
    ...Object.entries(labels)
      .filter(([name]) => name !== scopeLabel)
      .map(([name, value]) => `${name}=${value}`),
    scope === null ? scopeLabel : `${scopeLabel}=${scope}`,
    ...(group === null ? [] : [`${GROUP_LABEL}=${group}`]),
  ].join(',');
}

/** If no setting names the labels, the Pods show them: those into which a Patroni writes its status. */
async function gatherUnmarked(
  client: KubeClient,
  settings: KubeSettings,
  question: Question,
): Promise<Gathered[]> {
  const { namespace, serializable } = question;
  const all = await listAll<KubePod>(client, 'pods', namespace, '', serializable);
  const found = new Map<string, { marks: Marks; labels: Record<string, string> }>();
  for (const { metadata } of all.items) {
    if (!isPatronis(metadata)) continue;
    const known = marksFrom(metadata.labels ?? {}, settings.preset);
    if (known) found.set(known.marks.scopeLabel, known);
  }
  // Without a Pod there may still be objects of a cluster that is down.
  if (found.size === 0 && settings.preset !== null) {
    const { scopeLabels, labels, roleLabel } = PRESETS[settings.preset];
    for (const scopeLabel of scopeLabels) {
      const marks = { ...DEFAULT_MARKS, scopeLabel, roleLabel: roleLabel(scopeLabel) };
      found.set(scopeLabel, { marks, labels });
    }
  } else if (found.size === 0) {
    found.set(DEFAULT_MARKS.scopeLabel, { marks: DEFAULT_MARKS, labels: {} });
  }
  return Promise.all(
    [...found.values()].map(async ({ marks, labels }): Promise<Gathered> => {
      const selector = selectorOf(labels, marks.scopeLabel, question);
      const kinds = await listKinds(client, settings, namespace, selector, serializable);
      return { marks, pods: { ...all, items: all.items.filter(isMarked(marks, labels)) }, kinds };
    }),
  );
}

function isPatronis({ annotations }: KubeMeta): boolean {
  const status = annotations?.['status'];
  return status !== undefined && status.includes('"conn_url"');
}

const isMarked =
  (marks: Marks, labels: Readonly<Record<string, string>>) =>
  ({ metadata }: KubePod): boolean =>
    Boolean(metadata.labels?.[marks.scopeLabel]) &&
    Object.entries(labels).every(([name, value]) => metadata.labels?.[name] === value);

async function listKinds(
  client: KubeClient,
  { useEndpoints }: KubeSettings,
  namespace: string | null,
  selector: string,
  serializable: boolean,
): Promise<OneList<KubeKind>[]> {
  const list = (kind: KindName) =>
    listAll<KubeKind>(client, kind, namespace, selector, serializable);
  if (useEndpoints !== null) return [await list(useEndpoints ? 'endpoints' : 'configmaps')];
  const both = await Promise.allSettled([list('endpoints'), list('configmaps')]);
  const read = both.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = both.find((one) => one.status === 'rejected');
  // A user that may read one of the two is told the right for the one that Patroni uses.
  if (failed && (read.length === 0 || !isForbidden(failed.reason))) throw failed.reason;
  return read;
}

export function isForbidden(error: unknown): boolean {
  return error instanceof ToolError && error.code === 'kubernetes_forbidden';
}

// ---------------------------------------------------------------- what they say

/** How far this machine's clock is from the API server's; null: it sent no time. */
export function offsetOf(gathered: readonly Gathered[], nowMs: number): number | null {
  const dates = gathered.flatMap(({ pods, kinds }) => [pods, ...kinds].map(({ dateMs }) => dateMs));
  const known = dates.filter((date) => date !== null);
  return known.length === 0 ? null : Math.max(...known) - nowMs;
}

function listedOf({ pods, kinds }: Gathered, nowMs: number | null): Listed[] {
  const revision = [pods, ...kinds]
    .map(({ resourceVersion }) => resourceVersion)
    .reduce((a, b) => (isLater(b, a) ? b : a));
  return kinds.map(({ resource, items }) => ({
    pods: pods.items,
    kinds: items,
    kind: resource as KindName,
    revision,
    nowMs,
  }));
}

/** resourceVersions are etcd's revisions, and may be compared from Kubernetes 1.35 on; others are taken as equal. */
export function isLater(one: string, other: string): boolean {
  return /^[0-9]+$/.test(one) && (!/^[0-9]+$/.test(other) || BigInt(one) > BigInt(other));
}

/** Every cluster that was gathered. One whose keys are in both kinds of objects is read from those with a leader. */
export function clustersOf(gathered: readonly Gathered[], nowMs: number | null): Cluster[] {
  const found = new Map<string, Cluster>();
  for (const one of gathered) {
    for (const listed of listedOf(one, nowMs)) {
      for (const cluster of clustersIn(listed, one.marks)) {
        const id = JSON.stringify([cluster.scope, cluster.group, cluster.kubernetes?.namespace]);
        const before = found.get(id);
        if (before === undefined || weight(cluster) > weight(before)) found.set(id, cluster);
      }
    }
  }
  return [...found.values()];
}

/** One cluster of what was gathered; null: nothing is there. */
export function clusterOf(
  gathered: readonly Gathered[],
  name: { namespace: string; scope: string; group: number | null },
  nowMs: number | null,
): Cluster | null {
  const found = gathered.flatMap((one) =>
    listedOf(one, nowMs).flatMap((listed) => clusterIn(listed, one.marks, name) ?? []),
  );
  return found.reduce<Cluster | null>(
    (best, one) => (best === null || weight(one) > weight(best) ? one : best),
    null,
  );
}

function weight({ config, leaderClaim, systemId }: Cluster): number {
  return Number(leaderClaim !== undefined) + Number(config !== null) + Number(systemId !== null);
}
