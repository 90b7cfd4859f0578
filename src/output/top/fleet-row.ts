/** One cluster as one row of `top --all`. Pure. */
import { statusSummary } from '../../cluster/documents/status-document.js';
import { SEVERITIES } from '../../cluster/findings/find.js';
import type { Severity, Snapshot } from '../../cluster/model/model.js';
import { saysTheSame } from '../../cluster/model/same-snapshot.js';
import { worstOf } from '../headline.js';

export interface FleetRow {
  /** Of the cluster, with its Citus group. */
  readonly name: string;
  readonly scope: string;
  readonly group: number | null;
  /** Its namespace of Kubernetes. */
  readonly place?: string | undefined;
  readonly severity: Severity | 'ok';
  /** The worst that was found, or that nothing is wrong. */
  readonly said: string;
  readonly leader: string | null;
  readonly timeline: number | null;
  /** Members in the DCS, and how many of them answered. */
  readonly members: number;
  readonly answered: number;
  /** Replicas that stream, of those that are members. */
  readonly streaming: number;
  readonly replicas: number;
  /** The largest lag of a replica; null: none is known. */
  readonly lagBytes: number | null;
  readonly paused: boolean | null;
  readonly atMs: number;
}

/** Of a cluster, as its row is called: two namespaces of Kubernetes may each have one of the same name. */
export function rowName({
  scope,
  group,
  place,
}: Pick<FleetRow, 'scope' | 'group' | 'place'>): string {
  const name = place === undefined ? scope : `${place}/${scope}`;
  return group === null ? name : `${name} group ${group}`;
}

const rowNameOf = ({ scope, group, kubernetes }: Snapshot['cluster']): string =>
  rowName({ scope, group, place: kubernetes?.namespace });

/** A walsender was seen that streams to the member. */
const STREAMS: readonly string[] = ['sync', 'quorum', 'potential', 'async'];

/** The little that is kept of a reading. */
export function fleetRow(snapshot: Snapshot, atMs: number, ignored: readonly string[]): FleetRow {
  const document = statusSummary(snapshot, ignored);
  const { severity, said } = worstOf(document);
  const members = document.members.filter(({ departed }) => !departed);
  const replicas = members.filter(({ name }) => name !== document.leader.name);
  const lags = replicas.flatMap(({ lagBytes }) => (lagBytes === null ? [] : [lagBytes]));
  const { cluster, group } = document;
  return {
    name: rowNameOf(snapshot.cluster),
    scope: cluster,
    group,
    place: snapshot.cluster.kubernetes?.namespace,
    severity,
    said,
    leader: document.leader.name,
    timeline: document.leader.timeline,
    members: members.length,
    answered: members.filter(({ witness }) => witness !== null).length,
    streaming: replicas.filter(({ syncState }) => STREAMS.includes(syncState)).length,
    replicas: replicas.length,
    lagBytes: lags.length === 0 ? null : Math.max(...lags),
    paused: document.mode.paused,
    atMs,
  };
}

export interface RowMaker {
  /** The row of this reading; `atMs`: when it was read, ms since 1970. */
  row(snapshot: Snapshot, atMs: number): FleetRow;
  /** Forgets the clusters that are not among these. */
  keep(names: ReadonlySet<string>): void;
}

/** The time decides some findings: a reading that says nothing new is judged again after this. */
const JUDGE_AGAIN_MS = 10_000;

/** Makes the rows of clusters that are read again and again; what says nothing new is not judged again at once. */
export function rowMaker(ignored: readonly string[]): RowMaker {
  const judged = new Map<string, { snapshot: Snapshot; row: FleetRow }>();
  return {
    row: (snapshot, atMs) => {
      const name = rowNameOf(snapshot.cluster);
      const before = judged.get(name);
      const isRecent = before !== undefined && Math.abs(atMs - before.row.atMs) < JUDGE_AGAIN_MS;
      if (isRecent && saysTheSame(before.snapshot, snapshot)) return { ...before.row, atMs };
      const row = fleetRow(snapshot, atMs, ignored);
      judged.set(name, { snapshot, row });
      return row;
    },
    keep: (names) => {
      for (const name of judged.keys()) if (!names.has(name)) judged.delete(name);
    },
  };
}

/** Worst first, then by name. */
export function ordered(rows: readonly FleetRow[]): FleetRow[] {
  const rank = ({ severity }: FleetRow): number =>
    severity === 'ok' ? SEVERITIES.length : SEVERITIES.indexOf(severity);
  return [...rows].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}
