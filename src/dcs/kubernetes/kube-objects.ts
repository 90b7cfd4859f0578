/**
 * Kubernetes' objects read as Patroni's keys, as patroni/dcs/kubernetes.py has them. Pure: objects in, clusters out.
 */
import type { Marks } from '../../config/kubernetes-settings.js';
import { DEFAULT_TIMES } from '../../cluster/model/loop-times.js';
import type {
  Cluster,
  KubernetesClaims,
  LeaderClaim,
  PodClaim,
} from '../../cluster/model/model.js';
import { clusterPrefix, parseCluster, type KeysRead } from '../../cluster/model/parse-keys.js';
import { byCodePoint } from '../../cluster/model/patroni-values.js';

export interface KubeMeta {
  name: string;
  namespace: string;
  uid?: string;
  resourceVersion: string;
  labels?: Record<string, string> | null;
  annotations?: Record<string, string> | null;
  deletionTimestamp?: string;
}

/** An Endpoints or a ConfigMap; only Endpoints have `subsets`. */
export interface KubeKind {
  metadata: KubeMeta;
  subsets?:
    | {
        addresses?: { ip: string; targetRef?: { kind?: string; name?: string } | null }[] | null;
        ports?: { name?: string; port: number }[] | null;
      }[]
    | null;
}

export interface KubePod {
  metadata: KubeMeta;
  status?: {
    phase?: string;
    podIP?: string;
    conditions?: { type: string; status: string; lastTransitionTime?: string | null }[] | null;
  } | null;
}

/** What the object is that holds the keys of a cluster. */
export type KindName = 'endpoints' | 'configmaps';

/** Citus' label for the group, which no setting changes. */
export const GROUP_LABEL = 'citus-group';

/** What was listed, and when by the API server's own clock. */
export interface Listed {
  pods: readonly KubePod[];
  kinds: readonly KubeKind[];
  kind: KindName;
  /** Greatest resourceVersion of the lists. */
  revision: string;
  /** Milliseconds since 1970 from the Date header of the answers; null: it had none. */
  nowMs: number | null;
}

/** Every cluster in the lists, by scope, group and namespace. */
export function clustersIn(listed: Listed, marks: Marks): Cluster[] {
  const found = new Map<string, { namespace: string; scope: string; group: number | null }>();
  for (const { metadata } of [...listed.pods, ...listed.kinds]) {
    const scope = metadata.labels?.[marks.scopeLabel];
    if (scope === undefined || scope === '') continue;
    const group = groupOf(metadata);
    found.set(`${metadata.namespace}/${scope}/${group ?? ''}`, {
      namespace: metadata.namespace,
      scope,
      group,
    });
  }
  return [...found.values()]
    .map((name) => clusterIn(listed, marks, name))
    .filter((cluster) => cluster !== null)
    .sort(
      (a, b) =>
        byCodePoint(a.scope, b.scope) ||
        (a.group ?? -1) - (b.group ?? -1) ||
        byCodePoint(a.kubernetes?.namespace ?? '', b.kubernetes?.namespace ?? ''),
    );
}

/** One cluster of the lists; null when nothing in them is Patroni's. */
export function clusterIn(
  listed: Listed,
  marks: Marks,
  name: { namespace: string; scope: string; group: number | null },
): Cluster | null {
  const isOurs = ({ metadata }: { metadata: KubeMeta }): boolean =>
    metadata.namespace === name.namespace &&
    metadata.labels?.[marks.scopeLabel] === name.scope &&
    groupOf(metadata) === name.group;
  const pods = listed.pods.filter(isOurs);
  const kinds = new Map(listed.kinds.filter(isOurs).map((one) => [one.metadata.name, one]));
  const names = objectNames(name, listed.kind);
  const objects = [names.leader, names.config, names.failover, names.sync];
  const own = objects.flatMap((object) => kinds.get(object) ?? []);
  // Services of an operator have the same labels: without Patroni's own objects they make no cluster.
  if (own.length === 0 && !pods.some(({ metadata }) => metadata.annotations?.['status'])) {
    return null;
  }
  const { read, prefix, keyNames } = keysOf(name, names, kinds, pods, listed.revision);
  const cluster = parseCluster(name.scope, name.group, read, prefix);
  const leader = kinds.get(names.leader);
  const claim = leaderClaim(leader, cluster.leaderName, listed.nowMs);
  const failover = kinds.get(names.failover);
  return {
    ...cluster,
    // Where the annotation is absent Patroni takes the object for empty, and so guards its first write by it.
    failoverRevision: failover?.metadata.resourceVersion ?? '0',
    leaderName: claim?.expired === true ? null : cluster.leaderName,
    ...(claim === null ? {} : { leaderClaim: claim }),
    ...(listed.nowMs === null ? {} : { asOf: new Date(listed.nowMs).toISOString() }),
    problems: cluster.problems.map((one) => ({ ...one, key: keyNames.get(one.key) ?? one.key })),
    kubernetes: claimsOf(name.namespace, listed.kind, marks, leader, pods),
  };
}

export interface ObjectNames {
  leader: string;
  config: string;
  failover: string;
  sync: string;
}

/** Names of a cluster's objects. With Endpoints the leader's object has the plain name: clients connect through it. */
export function objectNames(
  { scope, group }: { scope: string; group: number | null },
  kind: KindName,
): ObjectNames {
  const base = group === null ? scope : `${scope}-${group}`;
  return {
    leader: kind === 'endpoints' ? base : `${base}-leader`,
    config: `${base}-config`,
    failover: `${base}-failover`,
    sync: `${base}-sync`,
  };
}

export function groupOf({ labels }: KubeMeta): number | null {
  const text = labels?.[GROUP_LABEL];
  return text !== undefined && /^(0|[1-9][0-9]*)$/.test(text) ? Number(text) : null;
}

// ---------------------------------------------------------------- objects -> keys

interface Keys {
  read: KeysRead;
  prefix: string;
  /** Key -> the object and annotation it was read from. */
  keyNames: Map<string, string>;
}

function keysOf(
  name: { namespace: string; scope: string; group: number | null },
  names: ObjectNames,
  kinds: ReadonlyMap<string, KubeKind>,
  pods: readonly KubePod[],
  revision: string,
): Keys {
  const prefix = clusterPrefix(name.namespace, name.scope, name.group);
  const kvs: KeysRead['kvs'] = [];
  const keyNames = new Map<string, string>();
  const add = (key: string, value: string | undefined, meta: KubeMeta, part: string): void => {
    if (value === undefined) return;
    kvs.push({ key: `${prefix}${key}`, value, modRevision: meta.resourceVersion });
    keyNames.set(`${prefix}${key}`, `${meta.namespace}/${meta.name} ${part}`);
  };
  const annotationsOf = (object: string): [Record<string, string>, KubeMeta] | null => {
    const metadata = kinds.get(object)?.metadata;
    return metadata ? [metadata.annotations ?? {}, metadata] : null;
  };
  const [config, configMeta] = annotationsOf(names.config) ?? [];
  if (config && configMeta) {
    for (const key of ['initialize', 'config', 'history']) {
      add(key, config[key], configMeta, key);
    }
  }
  const [leader, leaderMeta] = annotationsOf(names.leader) ?? [];
  if (leader && leaderMeta) {
    // A leader that steps down removes its annotation; Patroni never writes an empty one.
    add('leader', leader['leader'] || undefined, leaderMeta, 'leader');
    add('status', statusText(leader), leaderMeta, 'optime');
    add('failsafe', leader['failsafe'], leaderMeta, 'failsafe');
  }
  const [failover, failoverMeta] = annotationsOf(names.failover) ?? [];
  if (failover && failoverMeta) add('failover', failoverText(failover), failoverMeta, 'leader');
  const [sync, syncMeta] = annotationsOf(names.sync) ?? [];
  if (sync && syncMeta) add('sync', syncText(sync), syncMeta, 'sync_standby');
  for (const { metadata } of pods) {
    // A Pod whose Patroni has not started is a member without data, as in patronictl.
    const status = metadata.annotations?.['status'];
    add(`members/${metadata.name}`, status ?? '{}', metadata, 'status');
  }
  return { read: { revision, kvs }, prefix, keyNames };
}

function statusText(leader: Record<string, string>): string | undefined {
  const { optime, slots } = leader;
  const retain = leader['retain_slots'];
  if (optime === undefined && slots === undefined && retain === undefined) return undefined;
  // Each annotation is JSON of its own; one that is broken must not hide the others.
  const parts = [
    `"optime":${optime !== undefined && /^[0-9]+$/.test(optime) ? optime : JSON.stringify(optime ?? null)}`,
    ...(slots === undefined ? [] : [`"slots":${jsonOrText(slots)}`]),
    ...(retain === undefined ? [] : [`"retain_slots":${jsonOrText(retain)}`]),
  ];
  return `{${parts.join(',')}}`;
}

function jsonOrText(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

function failoverText({ leader, member, scheduled_at: at }: Record<string, string>): string {
  return JSON.stringify({
    ...(leader ? { leader } : {}),
    ...(at ? { scheduled_at: at } : {}),
    ...(member ? { member } : {}),
  });
}

function syncText({ leader, sync_standby: standbys, quorum }: Record<string, string>): string {
  return JSON.stringify({
    leader: leader ?? null,
    sync_standby: standbys ?? null,
    quorum: quorum ?? 0,
  });
}

// ---------------------------------------------------------------- what only Kubernetes has

/**
 * The leader annotation stays when its leader dies. It has expired when it was not renewed for its ttl, by the clock
 * of the API server; without that clock, or without a time to compare, it is taken as it stands.
 */
function leaderClaim(
  leader: KubeKind | undefined,
  name: string | null,
  nowMs: number | null,
): LeaderClaim | null {
  if (name === null || leader === undefined) return null;
  const annotations = leader.metadata.annotations ?? {};
  const { renewTime = null, ttl } = annotations;
  const ttlSeconds = ttl !== undefined && /^[1-9][0-9]*$/.test(ttl) ? Number(ttl) : null;
  const renewedMs = renewTime === null ? Number.NaN : Date.parse(renewTime);
  const ageMs = nowMs === null || Number.isNaN(renewedMs) ? null : nowMs - renewedMs;
  return {
    name,
    renewTime,
    ttlSeconds,
    ageMs,
    expired: ageMs !== null && ageMs > (ttlSeconds ?? DEFAULT_TIMES.ttlSeconds) * 1000,
  };
}

function claimsOf(
  namespace: string,
  kind: KindName,
  marks: Marks,
  leader: KubeKind | undefined,
  pods: readonly KubePod[],
): KubernetesClaims {
  const { roleLabel, leaderValue, followerValue, standbyLeaderValue } = marks;
  return {
    namespace,
    kind,
    roleLabel: { name: roleLabel, leaderValue, followerValue, standbyLeaderValue },
    leaderEndpoints: kind === 'endpoints' && leader ? addressesOf(leader) : null,
    pods: pods.map((pod) => podClaim(pod, roleLabel)).sort((a, b) => byCodePoint(a.name, b.name)),
  };
}

function addressesOf(leader: KubeKind): NonNullable<KubernetesClaims['leaderEndpoints']> {
  const addresses = (leader.subsets ?? []).flatMap(({ addresses: found, ports }) =>
    (found ?? []).flatMap(({ ip, targetRef }) =>
      (ports?.length ? ports : [{ port: null }]).map(({ port }) => ({
        ip,
        port,
        pod: targetRef?.kind === 'Pod' ? (targetRef.name ?? null) : null,
      })),
    ),
  );
  return { name: leader.metadata.name, addresses };
}

function podClaim({ metadata, status }: KubePod, roleLabel: string): PodClaim {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return {
    name: metadata.name,
    ip: status?.podIP ?? null,
    phase: status?.phase ?? null,
    // Without the condition the state is unknown, not false.
    ready: ready === undefined ? null : ready.status === 'True',
    readySince: ready?.lastTransitionTime ?? null,
    roleLabel: metadata.labels?.[roleLabel] ?? null,
    deleting: metadata.deletionTimestamp !== undefined,
    reports: metadata.annotations?.['status'] !== undefined,
  };
}
