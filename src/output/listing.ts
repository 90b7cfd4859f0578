/** The table of `list` and `topology`: patronictl's columns, then what the witnesses say. */
import { leftViews } from '../cluster/findings/left-members.js';
import { findingsIn } from '../cluster/findings/findings-in.js';
import { shownPositions, treeLabel } from '../cluster/roles/dcs-roles.js';
import { restThroughProxy } from '../cluster/findings/member-views.js';
import { doubts, notRunning, unchecked, type Doubt } from '../cluster/roles/unverified.js';
import type { Finding, ParseProblem, Snapshot } from '../cluster/model/model.js';
import { remembered } from '../cluster/model/remembered.js';
import { viewOf, type MemberView, type View } from '../cluster/roles/view.js';
import { verdictOf } from '../cluster/roles/verdict.js';
import { doubtLines, findingLines, problemLines } from './findings.js';
import {
  MEMBER_NARROWINGS,
  memberTable,
  type ListEntry,
  type MemberRow,
  type MemberTable,
} from './member-table.js';
import { ruledTable } from './fit.js';
import { fitted, type Screen } from './screen.js';
import {
  isTable,
  isText,
  render,
  textColumns,
  type Cell,
  type Column,
  type Format,
  type TextFormat,
} from './render.js';
import { formatLsn } from '../cluster/model/lsn.js';
import { roundHalfEven } from '../cluster/model/patroni-values.js';
import { oneLine } from './text.js';
import { pythonText } from './value.js';

export interface Shape {
  format: Format;
  extended: boolean;
  citus: boolean;
  group: number | null;
  /** Clusters of several namespaces of Kubernetes are listed: each says where it is. */
  namespaces?: boolean;
}

/** A member as listed; `listed` is null for one that has left the DCS. */
export interface ListingRow {
  scope: string;
  /** Of Kubernetes; null elsewhere. */
  namespace: string | null;
  listed: MemberRow | null;
  view: MemberView;
  label: string;
  verdict: string;
  /** Its role is not what the DCS claims. */
  marked: boolean;
}

/** A row as it is shown, a cell a column. What cells are made of is many times larger, and is not kept. */
type Cells = readonly Cell[];

export interface OneTable {
  title: string;
  columns: Column<Cells>[];
  rows: Cells[];
  notes: string[];
  found: Finding[];
  /** Why a verdict is unknown. */
  doubts: Doubt[];
  problems: ParseProblem[];
  /** A claim was not checked, because a witness or a readable key is missing; or PostgreSQL does not run. */
  isUnchecked: boolean;
  /** Read without etcd's majority. */
  mayBeStale: boolean;
  /** No member was asked over SQL because there is no login; roles were seen over REST. */
  isRestOnly: boolean;
  /** What another witness than the DCS filled in, and who that was where a proxy chose it; a line each. */
  filled: string[];
}

/** What patronictl's table is made of. */
export function entryOf(scope: string, snapshots: Snapshot[]): ListEntry {
  return { scope, clusters: snapshots.map(({ cluster }) => cluster) };
}

/** A table a cluster. Clusters whose members have the same to say share their columns. */
export async function tablesOf(
  found: readonly { scope: string; snapshots: Snapshot[] }[],
  shape: Shape,
): Promise<OneTable[]> {
  const judges: Judges = {
    findings: await findingsIn(found.flatMap(({ snapshots }) => snapshots)),
    order: shape.format === 'topology' ? await treeOrder() : dcsOrder,
  };
  const made = new Map<string, Column<MemberRow>[]>();
  const known = new Map<Column<MemberRow>[], Widened>();
  return found.map(({ scope, snapshots }) => {
    const entry = entryOf(scope, snapshots);
    const table = memberTable(entry, { ...shape, lost: 'keep', made });
    const widened = remembered(known, table.columns, () =>
      widenedBy(table.columns, shape, snapshots),
    );
    return tableOf(scope, snapshots, judges, table, widened);
  });
}

/** patronictl's columns and ours. */
interface Widened {
  /** The cells of a row. */
  cellsOf: (row: ListingRow) => Cells;
  columns: Column<Cells>[];
}

function widenedBy(
  columns: readonly Column<MemberRow>[],
  { format, namespaces }: Shape,
  snapshots: readonly Snapshot[],
): Widened {
  const wide = [
    ...columns.map(widen),
    ...(namespaces === true ? [NAMESPACE] : []),
    ...TRUTH,
    ...(snapshots.some(({ serializable }) => serializable) ? [STALE] : []),
  ];
  const cell = (column: Column<ListingRow>, row: ListingRow): Cell =>
    isText(format) && column.text ? column.text(row, format) : column.value(row);
  return {
    cellsOf: (row) => wide.map((column) => cell(column, row)),
    columns: wide.map(({ key, header = key, align = 'l', omit = [] }, at) => ({
      ...{ key, header, align, omit },
      value: (cells) => cells[at],
    })),
  };
}

/** What is loaded only for a listing that needs it. */
interface Judges {
  findings: (view: View) => Finding[];
  /** The members in the order of the format, each with its label. */
  order: (view: View) => { item: MemberView; label: string }[];
}

/** One cluster's table, its rows in the order of the format, with what was found. */
function tableOf(
  scope: string,
  snapshots: Snapshot[],
  { findings, order }: Judges,
  table: MemberTable,
  { cellsOf, columns }: Widened,
): OneTable {
  const views = snapshots.map(viewOf);
  const judged = views.map((view) => ({ view, found: findings(view) }));
  const rows = judged.flatMap(({ view, found }) =>
    [...order(view), ...gone(view)].map(({ item, label }): ListingRow => {
      const listed = table.rows.find(
        ({ cluster, claimed }) => cluster === view.snapshot.cluster && claimed.name === item.name,
      );
      const verdict = verdictOf(item, view, found);
      const marked = found.some(
        ({ code, members }) => ROLE.has(code) && members.includes(item.name),
      );
      return {
        scope,
        namespace: view.snapshot.cluster.kubernetes?.namespace ?? null,
        listed: item.member === null ? null : (listed ?? null),
        view: item,
        label,
        verdict,
        marked,
      };
    }),
  );
  return {
    title: table.title,
    columns,
    rows: rows.map(cellsOf),
    notes: table.notes,
    found: judged.flatMap(({ found }) => found),
    doubts: judged.flatMap(({ view, found }) => doubts(view, found)),
    problems: snapshots.flatMap(({ cluster }) => cluster.problems),
    isUnchecked: judged.some(
      ({ view, found }) => [...unchecked(view, found), ...notRunning(view, found)].length > 0,
    ),
    mayBeStale: snapshots.some(({ serializable }) => serializable),
    isRestOnly:
      views.some(({ members }) => members.some(({ rest }) => rest.ok)) &&
      views.every(isWithoutLogin),
    filled: [
      ...fillings(rows),
      ...missingPositions(rows),
      ...views.flatMap(restThroughProxy).map(({ message }) => message),
    ],
  };
}

function isWithoutLogin({ snapshot, members }: View): boolean {
  return snapshot.verify === 'auto' && members.every(({ sql }) => !sql.ok && sql.kind === 'off');
}

/** Below all tables, once. */
export const REST_ONLY =
  'roles are seen by REST only: no SQL login is known (-U, PGUSER, PGPASSFILE or the Patroni configuration)\n';

/** Findings that make the printed role a false one. */
const ROLE = new Set([
  'two_primaries',
  'primary_without_lock',
  'lock_without_primary',
  'sync_role_mismatch',
  'sync_leader_stale',
  'sync_unclaimed',
  'leader_claim_expired',
]);

const dcsOrder: Judges['order'] = ({ members }) =>
  members.map((item) => ({ item, label: item.name }));

async function treeOrder(): Promise<Judges['order']> {
  const { observedTree } = await import('../cluster/roles/topology.js');
  return (view) =>
    observedTree(view).map(({ item, depth }) => ({ item, label: treeLabel(item.name, depth) }));
}

/** Members without a key that give no sign of life, below the others. */
function gone(view: View): { item: MemberView; label: string }[] {
  return leftViews(view).map((item) => ({ item, label: item.name }));
}

const TRUTH: Column<ListingRow>[] = [
  { key: 'Sync State', value: ({ view }) => view.syncState || undefined },
  { key: 'Verdict', value: ({ verdict }) => verdict },
];

const NAMESPACE: Column<ListingRow> = {
  key: 'Namespace',
  value: ({ namespace }) => namespace ?? undefined,
};

/** Only after --serializable; a table says it below. */
const STALE: Column<ListingRow> = {
  key: 'May Be Stale',
  value: () => true,
  omit: ['pretty', 'topology'],
};

/** patronictl's column over our rows: marks false roles in tables, and knows departed members. */
function widen(column: Column<MemberRow>): Column<ListingRow> {
  const { key, align = 'l', omit = [] } = column;
  const isPosition = key.startsWith('Receive ') || key.startsWith('Replay ');
  const value = (row: ListingRow) => {
    if (key === 'Member') return row.label;
    if (!row.listed) return departedCell(key, row);
    const seen = isPosition ? seenCell(key, row.listed, row.view) : undefined;
    return seen ?? column.value(row.listed);
  };
  const text = (row: ListingRow, format: TextFormat): string => {
    if (row.listed && column.text) return column.text(row.listed, format);
    const mark = key === 'Role' && row.marked && isTable(format) ? ' !' : '';
    return pythonText(value(row) ?? '') + mark;
  };
  // patronictl calls two columns Lag.
  return { key, header: key, align, omit, value, text };
}

/** Patroni before 4.1 writes one position of a standby: the others come from the witness that has them. */
function seenCell(key: string, { claimed }: MemberRow, view: MemberView): Cell {
  const which = key.startsWith('Receive ')
    ? 'receive'
    : key.startsWith('Replay ')
      ? 'replay'
      : null;
  if (which === null || view.observed !== 'replica') return undefined;
  if (shownPositions(claimed)[which] !== null) return undefined;
  const [lsn, behind] =
    which === 'receive' ? [view.position, view.lagBytes] : [view.replayed, view.replayLagBytes];
  if (lsn === null) return undefined;
  if (key.endsWith('LSN')) return formatLsn(lsn);
  return behind === null ? undefined : roundHalfEven(behind / 1024 / 1024);
}

/** Which columns another witness filled in, whose, and why. */
function fillings(rows: readonly ListingRow[]): string[] {
  const sources = new Map<string, string[]>();
  for (const key of ['Receive LSN', 'Replay LSN']) {
    for (const { listed, view } of rows) {
      if (listed === null || seenCell(key, listed, view) === undefined) continue;
      const version = view.member?.version ?? 'version unknown';
      const source = `${key} by ${view.witness ?? 'no witness'}; its key in the DCS (Patroni ${version}) does not have it`;
      sources.set(source, [...(sources.get(source) ?? []), view.name]);
    }
  }
  return [...sources].map(([source, names]) => `${names.join(', ')}: ${source}`);
}

/**
 * Standbys whose replay position is unknown because their version of Patroni does not write it, and no other witness
 * was read.
 */
function missingPositions(rows: readonly ListingRow[]): string[] {
  const names = new Map<string, string[]>();
  for (const { listed, view } of rows) {
    const version = view.member?.version ?? null;
    if (listed === null || version === null) continue;
    if (listed.claimed.name === listed.cluster.leaderName) continue;
    const isShown = shownPositions(listed.claimed).replay !== null;
    if (isShown || seenCell('Replay LSN', listed, view) !== undefined) continue;
    if (writesPositions(version)) continue;
    names.set(version, [...(names.get(version) ?? []), view.name]);
  }
  return [...names].map(
    ([version, who]) =>
      `${who.join(', ')}: Replay LSN is unknown: Patroni ${version} does not write it to the DCS, and no other witness knows it`,
  );
}

/** Since 4.1 a standby's key has both positions. */
function writesPositions(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => parseInt(part, 10));
  return major > 4 || (major === 4 && minor >= 1);
}

function departedCell(key: string, { view, scope }: ListingRow): string | number | undefined {
  const { departed } = view;
  if (key === 'Cluster') return scope;
  if (key === 'Host' && departed?.host) return `${departed.host}:${departed.port ?? '?'}`;
  if (key === 'Role') return 'Departed';
  if (key === 'State') return view.observed;
  if (key === 'TL') return view.timeline ?? undefined;
  return undefined;
}

/** All tables in one format; machine formats are one document. */
export async function listingText(
  tables: OneTable[],
  format: Format,
  screen: Screen,
): Promise<string> {
  if (isTable(format)) return prettyTables(tables, format, screen);
  return render(format, '', ...merged(tables));
}

async function prettyTables(
  tables: OneTable[],
  format: 'pretty' | 'topology',
  screen: Screen,
): Promise<string> {
  const parts = tables.map(async (one) => {
    const columns = textColumns(format, one.columns, one.rows);
    const table = ruledTable(oneLine(one.title), columns, MEMBER_NARROWINGS, screen);
    const notes = one.notes.map((note) => `${note}\n`).join('');
    return table + fitted(notes, screen) + (await belowTable(one, screen));
  });
  return (await Promise.all(parts)).join('');
}

/** What there is to say of a table: what was found, what is unknown and why, what cannot be read. */
export async function belowTable(
  {
    found,
    doubts,
    problems,
    mayBeStale,
    filled,
  }: Pick<OneTable, 'found' | 'doubts' | 'problems' | 'mayBeStale' | 'filled'>,
  screen: Screen,
): Promise<string> {
  const stale = mayBeStale ? 'may be stale: read from one etcd member without a majority\n' : '';
  const lines = await findingLines(found, { verbose: false, screen });
  const sources = filled.map((line) => `${line}\n`).join('');
  return fitted(lines + sources + doubtLines(doubts) + problemLines(problems) + stale, screen);
}

/** Several clusters as one document: every column that any of them has, each row by its own cluster's. */
function merged(tables: OneTable[]): [Column<MergedRow>[], MergedRow[]] {
  const sets = new Set(tables.map(({ columns }) => columns));
  const places = new Map(
    [...sets].map((columns) => [columns, new Map(columns.map(({ key }, at) => [key, at]))]),
  );
  const widest = Math.max(...[...sets].map((columns) => columns.length));
  const columns = new Map([...sets].find(({ length }) => length === widest)?.map(keyed));
  for (const more of sets)
    for (const column of more) if (!columns.has(column.key)) columns.set(column.key, column);
  const last = new Set([...TRUTH, STALE].map(({ key }) => key));
  const order = [...columns.values()].sort((x, y) => +last.has(x.key) - +last.has(y.key));
  return [
    order.map(({ key, omit = [] }) => ({
      key,
      omit,
      value: ({ cells, places }) => cells[places.get(key) ?? -1],
    })),
    tables.flatMap(({ rows, columns }) => {
      const own = places.get(columns) ?? new Map<string, number>();
      return rows.map((cells) => ({ cells, places: own }));
    }),
  ];
}

interface MergedRow {
  cells: Cells;
  /** Where in the cells each column is. */
  places: ReadonlyMap<string, number>;
}

function keyed(column: Column<Cells>): [string, Column<Cells>] {
  return [column.key, column];
}
