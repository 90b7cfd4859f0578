/** What tells how to reach Patroni's objects in Kubernetes: the configuration's part, files not read yet. */
import type { Marks } from './kube-objects.js';

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
  /** Labels that all of a cluster's objects bear, as Patroni was told. */
  labels: Record<string, string>;
  /** null: nobody says how objects are marked; it is found out from the Pods. */
  marks: Marks | null;
  preset: LabelPreset | null;
  /** null: nobody says; both kinds are looked at. */
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

interface Preset {
  labels: Record<string, string>;
  /** The first one that Pods bear counts. */
  scopeLabels: readonly string[];
  roleLabel: (scopeLabel: string) => string;
}

const beside = (scopeLabel: string): string => scopeLabel.replace(/\/.*$/, '/role');

/** As the operators' own sources have them. */
export const PRESETS: Readonly<Record<LabelPreset, Preset>> = {
  zalando: {
    labels: { application: 'spilo' },
    scopeLabels: ['cluster-name'],
    roleLabel: () => 'spilo-role',
  },
  crunchy: {
    labels: {},
    scopeLabels: ['postgres-operator.crunchydata.com/patroni'],
    roleLabel: beside,
  },
  percona: {
    labels: {},
    // Version 2 kept the prefix of the operator that it comes from.
    scopeLabels: [
      'postgres-operator.crunchydata.com/patroni',
      'upstream.pgv2.percona.com/patroni',
      'pgv2.percona.com/patroni',
    ],
    roleLabel: beside,
  },
  stackgres: {
    labels: { app: 'StackGresCluster' },
    scopeLabels: ['stackgres.io/cluster-scope', 'stackgres.io/cluster-name'],
    roleLabel: () => 'role',
  },
};

/** How these Pods' labels mark a cluster; null: in no way that is known. */
export function marksFrom(
  labels: Readonly<Record<string, string>>,
  preset: LabelPreset | null,
): { marks: Marks; labels: Record<string, string> } | null {
  const wanted = preset === null ? Object.values(PRESETS) : [PRESETS[preset]];
  for (const one of wanted) {
    const scopeLabel = one.scopeLabels.find((name) => labels[name]);
    const isTheirs = Object.entries(one.labels).every(([name, value]) => labels[name] === value);
    if (scopeLabel === undefined || !isTheirs) continue;
    return {
      marks: { ...DEFAULT_MARKS, scopeLabel, roleLabel: one.roleLabel(scopeLabel) },
      labels: one.labels,
    };
  }
  if (preset !== null || !labels[DEFAULT_MARKS.scopeLabel]) return null;
  return { marks: DEFAULT_MARKS, labels: {} };
}
