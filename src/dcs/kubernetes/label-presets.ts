/** How operators label the Pods of a cluster. */
import { DEFAULT_MARKS, type LabelPreset, type Marks } from '../../config/kubernetes-settings.js';

interface Preset {
  labels: Record<string, string>;
  /** The first label that the Pods have counts. */
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

/** How these Pods' labels mark a cluster; null: in no known way. */
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
