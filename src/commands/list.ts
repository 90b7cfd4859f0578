/** `patctl list` and `patctl topology`: patronictl's tables, with the truth in the last columns. */
import { Command, Option } from 'commander';
import { findings } from '../cluster/checks/index.js';
import { treeLabel } from '../cluster/claimed.js';
import type { Finding, Snapshot } from '../cluster/model.js';
import { viewOf, type MemberView, type View } from '../cluster/roles.js';
import { observedTree } from '../cluster/topology.js';
import { isMismatch, verdictOf } from '../cluster/verdict.js';
import { ToolError, type Ending } from '../errors.js';
import { listCompat, timestampText } from '../output/compat.js';
import { findingLines } from '../output/findings.js';
import { memberTable, type ListEntry, type MemberRow } from '../output/members.js';
import { FORMATS, isTable, render, type Column, type Format } from '../output/render.js';
import { pythonText } from '../output/value.js';
import type { Finish } from '../program.js';
import type { SnapshotRequest } from '../snapshot.js';
import type { Tool } from '../tool.js';
import {
  addWitnessOptions,
  parseCount,
  parseSeconds,
  scopeOrDefault,
  witnesses,
  type WitnessOptions,
} from './options.js';

interface ListOptions extends WitnessOptions {
  group?: number;
  extended?: boolean;
  timestamp?: boolean;
  format: Format;
  W?: boolean;
  watch?: number;
  all?: boolean;
  strict?: boolean;
}

const WATCH_SECONDS = 2;

export function listCommand(tool: Tool, finish: Finish): Command {
  const command = new Command('list')
    .description('List the members of a cluster, what they claim and what they are')
    .option('-e, --extended', 'Show some extra information')
    .option('-t, --timestamp', 'Print timestamp')
    .addOption(
      new Option('-f, --format <format>', 'Output format').choices(FORMATS).default('pretty'),
    );
  return addListOptions(command).action(async (names: string[], options: ListOptions) =>
    finish(await list(tool, names, options)),
  );
}

export function topologyCommand(tool: Tool, finish: Finish): Command {
  const command = new Command('topology').description(
    'List the members as a tree of who really streams from whom',
  );
  return addListOptions(command).action(
    async (names: string[], options: Omit<ListOptions, 'format'>) =>
      finish(await list(tool, names, { ...options, format: 'topology' })),
  );
}

function addListOptions(command: Command): Command {
  command
    .argument('[clusters...]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('-W', `Auto update the screen every ${WATCH_SECONDS} seconds`)
    .option('-w, --watch <seconds>', 'Auto update the screen every X seconds', parseSeconds)
    .option('--all', 'Every cluster of the namespace')
    .option('--strict', 'Exit 4 when a claim is found to be false');
  return addWitnessOptions(command);
}

async function list(tool: Tool, names: string[], options: ListOptions): Promise<Ending> {
  const asked = await witnesses(tool, tool.flags.compat ? { ...options, verify: 'off' } : options);
  const group = options.group ?? null;
  if (names.length === 0 && !options.all) {
    // patronictl warns and ends 0 without a name; a script has to notice.
    names = [await scopeOrDefault(tool, undefined)];
  }
  const once = () => listOnce(tool, names, group, options, asked);
  const seconds = options.watch ?? (options.W ? WATCH_SECONDS : null);
  if (seconds === null) {
    const { text, ending, error } = await once();
    tool.io.out(text);
    if (error) throw error;
    return ending;
  }
  const { watchScreen } = await import('../output/watch.js');
  await watchScreen(tool, seconds * 1000, async () => {
    const { text, error } = await once();
    return error ? `${text}Error: ${error.message}\n` : text;
  });
  return 'ok';
}

interface Listing {
  text: string;
  ending: Ending;
  /** An unknown cluster among the named ones; the others are printed all the same. */
  error: ToolError | null;
}

async function listOnce(
  tool: Tool,
  names: string[],
  group: number | null,
  options: ListOptions,
  asked: Omit<SnapshotRequest, 'scope' | 'group'>,
): Promise<Listing> {
  const config = await tool.config();
  const stamp = options.timestamp ? new Date(tool.clock.nowMs()) : null;
  const { found, error } = await readAll(tool, names, group, options.all ?? false, asked);
  const citus =
    group !== null ||
    config.group !== null ||
    (!tool.flags.compat &&
      found.some((one) => one.snapshots.some(({ cluster }) => cluster.group !== null)));
  const shape = { format: options.format, extended: options.extended ?? false, citus, group };
  if (tool.flags.compat) {
    const entries = found.map(({ scope, snapshots }) => entryOf(scope, snapshots));
    return { text: listCompat(entries, { ...shape, timestamp: stamp }), ending: 'ok', error };
  }
  const head = stamp ? `${timestampText(stamp)}\n` : '';
  const tables = found.map(({ scope, snapshots }) => tableOf(scope, snapshots, shape));
  const all = tables.flatMap((table) => table.found);
  const text = isTable(options.format)
    ? await prettyTables(tables, options.format, tool.io.outColor)
    : render(options.format, '', ...merged(tables));
  if (!isTable(options.format)) await warn(tool, all);
  const ending = options.strict && all.some(isMismatch) ? 'failed' : 'ok';
  return { text: head + text, ending, error };
}

interface Found {
  scope: string;
  snapshots: Snapshot[];
}

async function readAll(
  tool: Tool,
  names: string[],
  group: number | null,
  everything: boolean,
  asked: Omit<SnapshotRequest, 'scope' | 'group'>,
): Promise<{ found: Found[]; error: ToolError | null }> {
  const { readFleet, readSettled } = await import('../snapshot.js');
  if (everything) {
    const fleet = await readFleet(tool, asked);
    const byScope = new Map<string, Snapshot[]>();
    for (const snapshot of fleet) {
      const { scope } = snapshot.cluster;
      byScope.set(scope, [...(byScope.get(scope) ?? []), snapshot]);
    }
    const found = [...byScope].map(([scope, snapshots]) => ({ scope, snapshots }));
    return { found, error: null };
  }
  let error: ToolError | null = null;
  const found = await Promise.all(
    names.map(async (scope): Promise<Found> => {
      try {
        return { scope, snapshots: await readSettled(tool, { scope, group, ...asked }) };
      } catch (problem) {
        if (!(problem instanceof ToolError) || problem.code !== 'unknown_cluster') throw problem;
        error ??= problem;
        return { scope, snapshots: [] };
      }
    }),
  );
  return {
    found: tool.flags.compat ? found : found.filter((one) => one.snapshots.length > 0),
    error,
  };
}

// ---------------------------------------------------------------- the table

interface Shape {
  format: Format;
  extended: boolean;
  citus: boolean;
  group: number | null;
}

/** A member as listed; `listed` is null for one that has left the DCS. */
interface Row {
  listed: MemberRow | null;
  view: MemberView;
  label: string;
  verdict: string;
  /** Its role is not what the DCS claims. */
  marked: boolean;
}

interface OneTable {
  title: string;
  columns: Column<Row>[];
  rows: Row[];
  notes: string[];
  found: Finding[];
}

function entryOf(scope: string, snapshots: Snapshot[]): ListEntry {
  return { scope, clusters: snapshots.map(({ cluster }) => cluster) };
}

function tableOf(scope: string, snapshots: Snapshot[], shape: Shape): OneTable {
  const table = memberTable(entryOf(scope, snapshots), { ...shape, lost: 'keep' });
  const views = snapshots.map(viewOf);
  const judged = views.map((view) => ({ view, found: findings(view) }));
  const rows = judged.flatMap(({ view, found }) =>
    inOrder(view, shape.format).map(({ item, label }): Row => {
      const listed = table.rows.find(
        ({ cluster, claimed }) => cluster === view.snapshot.cluster && claimed.name === item.name,
      );
      const verdict = verdictOf(item, view, found);
      const marked = found.some(
        ({ code, members }) => ROLE.has(code) && members.includes(item.name),
      );
      return {
        listed: item.departed ? null : (listed ?? null),
        view: item,
        label,
        verdict,
        marked,
      };
    }),
  );
  return {
    title: table.title,
    columns: [...table.columns.map((column) => widen(column, scope)), ...TRUTH],
    rows,
    notes: table.notes,
    found: judged.flatMap(({ found }) => found),
  };
}

/** Findings that make the printed role a false one. */
const ROLE = new Set([
  'two_primaries',
  'primary_without_lock',
  'lock_without_primary',
  'sync_role_mismatch',
  'sync_leader_stale',
  'sync_unclaimed',
]);

function inOrder(view: View, format: Format): { item: MemberView; label: string }[] {
  if (format !== 'topology') return view.members.map((item) => ({ item, label: item.name }));
  return observedTree(view).map(({ item, depth }) => ({
    item,
    label: treeLabel(item.name, depth),
  }));
}

const TRUTH: Column<Row>[] = [
  { key: 'Sync State', value: ({ view }) => view.syncState || undefined },
  { key: 'Verdict', value: ({ verdict }) => verdict },
];

/** patronictl's column over our rows: marks false roles in tables, and knows departed members. */
function widen(column: Column<MemberRow>, scope: string): Column<Row> {
  const { key } = column;
  const value = (row: Row) => {
    if (key === 'Member') return row.label;
    return row.listed ? column.value(row.listed) : departedCell(key, row, scope);
  };
  const wide: Column<Row> = { ...column, value, text: undefined as never };
  delete (wide as Partial<Column<Row>>).text;
  if (key === 'Role') {
    wide.text = (row, format) =>
      `${String(value(row) ?? '')}${row.marked && isTable(format) ? ' !' : ''}`;
  } else if (column.text) {
    const { text } = column;
    wide.text = (row, format) => (row.listed ? text(row.listed, format) : '');
  }
  return wide;
}

function departedCell(key: string, { view }: Row, scope: string): string | number | undefined {
  const { departed } = view;
  if (key === 'Cluster') return scope;
  if (key === 'Host' && departed?.host) return `${departed.host}:${departed.port ?? '?'}`;
  if (key === 'Role') return 'Departed';
  if (key === 'State') return view.observed;
  if (key === 'TL') return view.timeline ?? undefined;
  return undefined;
}

async function prettyTables(tables: OneTable[], format: Format, color: boolean): Promise<string> {
  const parts = tables.map(async ({ title, columns, rows, notes, found }) => {
    const table = render(format, title, columns, rows);
    const lines = await findingLines(found, { verbose: false, color });
    return table + notes.map((note) => `${note}\n`).join('') + lines;
  });
  return (await Promise.all(parts)).join('');
}

/** Several clusters as one document: every column that any of them has, each row by its own cluster's. */
function merged(tables: OneTable[]): [Column<MergedRow>[], MergedRow[]] {
  const own = tables.map(({ columns }) => new Map(columns.map((column) => [column.key, column])));
  const widest = Math.max(...tables.map(({ columns }) => columns.length));
  const columns = new Map(
    tables.find((table) => table.columns.length === widest)?.columns.map(keyed),
  );
  for (const more of own)
    for (const [key, column] of more) if (!columns.has(key)) columns.set(key, column);
  const last = new Set(TRUTH.map(({ key }) => key));
  const order = [...columns.values()].sort((x, y) => +last.has(x.key) - +last.has(y.key));
  return [
    order.map(({ key, omit = [] }) => ({
      key,
      omit,
      value: ({ row, by }) => by.get(key)?.value(row),
      text: ({ row, by }, format) => {
        const column = by.get(key);
        return column?.text ? column.text(row, format) : pythonText(column?.value(row) ?? '');
      },
    })),
    tables.flatMap(({ rows }, at) => rows.map((row) => ({ row, by: own[at] ?? new Map() }))),
  ];
}

interface MergedRow {
  row: Row;
  by: ReadonlyMap<string, Column<Row>>;
}

function keyed(column: Column<Row>): [string, Column<Row>] {
  return [column.key, column];
}

/** Machine formats have no room for findings: they go to stderr. */
async function warn(tool: Tool, found: Finding[]): Promise<void> {
  tool.io.err(await findingLines(found, { verbose: false, color: tool.io.errColor }));
}
