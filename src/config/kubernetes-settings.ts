/** Kubernetes as a DCS, out of the merged configuration and the options. Nothing is connected or read here. */
import type { Reader } from './typed-values.js';
import { lookUp } from './tree.js';

/** How Patroni was told to mark its objects. */
export interface Marks {
  /** Label whose value is the scope. */
  scopeLabel: string;
  roleLabel: string;
  leaderValue: string;
  followerValue: string;
  standbyLeaderValue: string;
}

export type ProxyMode = 'auto' | 'always' | 'never';

/** Operators that mark their objects in a way of their own. */
export type LabelPreset = 'zalando' | 'crunchy' | 'percona' | 'stackgres';

export interface KubeSettings {
  /** Context of the kubeconfig; null: its current one. */
  context: string | null;
  /** The context was named on the command line: it is meant in a Pod too. */
  isContextNamed: boolean;
  /** null: the Pod's own, or the context's, else `default`. */
  namespace: string | null;
  /** Labels of all objects of a cluster, as configured for Patroni. */
  labels: Record<string, string>;
  /** null: no setting names the labels; they are read from the Pods. */
  marks: Marks | null;
  preset: LabelPreset | null;
  /** null: not set; both kinds are read. */
  useEndpoints: boolean | null;
  /** PEM file of the API server's authority in a Pod; null: the service account's. */
  cacert: string | null;
  /** How Patroni's REST API is reached. */
  proxy: ProxyMode;
}

/** Patroni's own defaults. */
export const DEFAULT_MARKS: Marks = {
  scopeLabel: 'cluster-name',
  roleLabel: 'role',
  leaderValue: 'primary',
  followerValue: 'replica',
  standbyLeaderValue: 'primary',
};

/** Kubernetes as the DCS. */
export interface KubernetesConfig {
  settings: KubeSettings;
  /** --kube-namespace was given: no other one is looked at. */
  onlyNamespace: boolean;
}

/** --kube-context and its like; null: not given. */
export interface KubeFlags {
  kubeContext?: string | undefined;
  kubeNamespace?: string | undefined;
  kubeProxy?: ProxyMode | undefined;
  kubeLabels?: LabelPreset | undefined;
}

/** Whether an option says that Kubernetes is meant, whatever the file has. */
export function isKubeMeant({ kubeContext, kubeNamespace, kubeLabels }: KubeFlags): boolean {
  return [kubeContext, kubeNamespace, kubeLabels].some((one) => one !== undefined);
}

/** Settings of the section `kubernetes`; without one only what the options say. */
export function kubernetesConfig(reader: Reader, flags: KubeFlags): KubernetesConfig {
  const section = lookUp(reader.tree, 'kubernetes');
  const text = (key: string): string | null => reader.text(`kubernetes.${key}`)?.value ?? null;
  const preset = flags.kubeLabels ?? null;
  const settings: KubeSettings = {
    context: flags.kubeContext ?? text('context'),
    isContextNamed: flags.kubeContext !== undefined,
    // Patroni lets the namespace at the top of the file win over that of the section.
    namespace:
      flags.kubeNamespace ?? plainName(reader.text('namespace')?.value) ?? text('namespace'),
    labels: preset === null ? (reader.map('kubernetes.labels')?.entries ?? {}) : {},
    marks:
      preset !== null || section === null
        ? null
        : {
            scopeLabel: text('scope_label') ?? DEFAULT_MARKS.scopeLabel,
            roleLabel: text('role_label') ?? DEFAULT_MARKS.roleLabel,
            leaderValue: text('leader_label_value') ?? DEFAULT_MARKS.leaderValue,
            followerValue: text('follower_label_value') ?? DEFAULT_MARKS.followerValue,
            standbyLeaderValue:
              text('standby_leader_label_value') ?? DEFAULT_MARKS.standbyLeaderValue,
          },
    preset,
    useEndpoints:
      reader.bool('kubernetes.use_endpoints')?.value ??
      (section === null || preset !== null ? null : false),
    cacert: text('cacert'),
    proxy: flags.kubeProxy ?? 'auto',
  };
  return { settings, onlyNamespace: flags.kubeNamespace !== undefined };
}

/** A namespace with slashes, as in etcd, is not a Kubernetes namespace. */
function plainName(namespace: string | undefined): string | null {
  return namespace === undefined || namespace === '' || namespace.includes('/') ? null : namespace;
}
