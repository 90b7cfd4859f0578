/** The table of members as patronictl 4.1.5 has it: its columns, its rows, its lines below. */
import {
  claimedMembers,
  roleTitle,
  scheduledSwitchover,
  shownPositions,
  topologyOrder,
  treeLabel,
  type ClaimedMember,
  type Position,
} from '../cluster/roles/dcs-roles.js';
import type { Cluster, JsonObject } from '../cluster/model/model.js';
import { inOrder, roundHalfEven } from '../cluster/model/patroni-values.js';
import { formatLsn } from '../cluster/model/lsn.js';
import type { Narrowing } from './fit.js';
import { exactJson } from './json.js';
import { isTable, type Cell, type Column, type Format, type TextFormat } from './render.js';
import { oneLine } from './text.js';
import { entriesOf, isList, pythonText, type Value } from './value.js';
import { yamlDump } from './write-yaml.js';

/** What a table of members does on a narrow screen; every other column stays. */
export const MEMBER_NARROWINGS: readonly Narrowing[] = [
  { drop: ['Receive LSN', 'Replay LSN'] },
  { below: ['Verdict'] },
  { below: ['Pending restart reason', 'Scheduled restart', 'Tags'] },
  'headers',
  { below: ['Sync State', 'Namespace'] },
  { below: ['Host'] },
  { below: ['Pending restart', 'Group'] },
];

/** One name on the command line and what the DCS has of it; more than one cluster only with Citus. */
export interface ListEntry {
  scope: string;
  clusters: readonly Cluster[];
}

export interface MemberTableOptions {
  format: Format;
  /** -e: every column, empty or not. */
  extended?: boolean;
  /** The configuration has a `citus` section. */
  citus?: boolean;
  group?: number | null;
  /** What becomes of members in a circle of `replicatefrom`; patronictl drops them. */
  lost?: 'drop' | 'keep';
  /** Columns made for tables before this one: a thousand clusters have the same. */
  made?: Map<string, Column<MemberRow>[]>;
}

export interface MemberRow {
  scope: string;
  group: number | null;
  cluster: Cluster;
  claimed: ClaimedMember;
  /** The name, in a topology with its place in the tree. */
  label: string;
}

export interface MemberTable {
  title: string;
  columns: Column<MemberRow>[];
  rows: MemberRow[];
  /** Lines below a table; empty for other formats. */
  notes: string[];
}

export function memberTable(entry: ListEntry, options: MemberTableOptions): MemberTable {
  const { format, group = null } = options;
  const citus = isCitus(options);
  const grouped = citus && group === null;
  const clusters = inOrder(entry.clusters, (a, b) => (a.group ?? 0) - (b.group ?? 0));
  const main = grouped ? clusters.find((cluster) => (cluster.group ?? 0) === 0) : clusters[0];
  const used = grouped ? clusters : main ? [main] : [];
  const systemId = { null: 'uninitialized', '': 'initializing' }[String(main?.systemId ?? null)];
  const initialize = systemId ?? main?.systemId ?? '';
  const details = citus ? (grouped ? '' : ` (group: ${group}, ${initialize})`) : ` (${initialize})`;
  const title = ` ${citus ? 'Citus cluster' : 'Cluster'}: ${entry.scope}${details} `;
  const claims = used.map((cluster) => ({ cluster, members: claimedMembers(cluster) }));
  const rows = claims.flatMap((claim) => rowsOf(entry.scope, claim, options));
  const members = claims.flatMap((claim) => claim.members);
  return {
    title,
    columns: memberColumns(members, { ...options, skipGroup: title.includes(' (group: ') }),
    rows,
    notes: isTable(format) ? used.flatMap((cluster) => serviceNotes(cluster, grouped)) : [],
  };
}

/** --group makes a Citus cluster of any, also without the section. */
function isCitus(options: MemberTableOptions): boolean {
  return options.citus === true || (options.group ?? null) !== null;
}

function rowsOf(
  scope: string,
  { cluster, members }: { cluster: Cluster; members: ClaimedMember[] },
  options: MemberTableOptions,
): MemberRow[] {
  const row = (claimed: ClaimedMember, label: string): MemberRow => ({
    scope,
    group: cluster.group ?? options.group ?? 0,
    cluster,
    claimed,
    label,
  });
  if (options.format !== 'topology') return members.map((claimed) => row(claimed, claimed.name));
  return topologyOrder(members, { lost: options.lost ?? 'drop' }).map(({ item, depth }) =>
    row(item, treeLabel(item.name, depth)),
  );
}

// ---------------------------------------------------------------- columns

const TABLES: readonly Format[] = ['pretty', 'topology'];

/** What a table's columns depend on. */
interface Shown {
  citus: boolean;
  skipGroup: boolean;
  ports: boolean;
  pending: boolean;
  reason: boolean;
  scheduled: boolean;
  tags: boolean;
}

function memberColumns(
  claimed: readonly ClaimedMember[],
  options: MemberTableOptions & { skipGroup: boolean },
): Column<MemberRow>[] {
  const members = claimed.filter((member) => member.host !== null);
  const some = (has: (member: ClaimedMember) => boolean): boolean =>
    options.extended === true || members.some(has);
  const full = (object: JsonObject | null): boolean =>
    object !== null && Object.keys(object).length > 0;
  const shown: Shown = {
    citus: isCitus(options),
    skipGroup: options.skipGroup,
    ports: needPorts(members),
    pending: some((member) => member.pendingRestart),
    reason: some((member) => full(member.pendingRestartReason)),
    scheduled: some((member) => full(member.scheduledRestart)),
    tags: some((member) => full(member.tags)),
  };
  const which = Object.values(shown).join();
  const made = options.made?.get(which) ?? columnsOf(shown);
  options.made?.set(which, made);
  return made;
}

function columnsOf(shown: Shown): Column<MemberRow>[] {
  return [
    { key: 'Cluster', value: (row) => row.scope, omit: TABLES },
    ...(shown.citus ? [groupColumn(shown.skipGroup)] : []),
    { key: 'Member', value: (row) => row.label },
    { key: 'Host', value: (row) => hostText(row.claimed, shown.ports) },
    { key: 'Role', value: (row) => roleTitle(row.claimed.role) },
    { key: 'State', value: (row) => row.claimed.state || undefined },
    { key: 'TL', align: 'r', value: (row) => row.claimed.timeline ?? undefined },
    ...positionColumns(),
    ...(shown.pending ? [PENDING] : []),
    ...(shown.reason ? [REASON] : []),
    ...(shown.scheduled ? [SCHEDULED] : []),
    ...(shown.tags ? [TAGS] : []),
  ];
}

function groupColumn(inTitle: boolean): Column<MemberRow> {
  return { key: 'Group', align: 'r', value: (row) => row.group, omit: inTitle ? TABLES : [] };
}

/** A member uses another port than 5432, or two share a host. */
function needPorts(members: readonly ClaimedMember[]): boolean {
  const oddPort = members.some(({ port }) => port !== null && port !== 5432);
  return oddPort || new Set(members.map(({ host }) => host)).size < members.length;
}

function hostText({ host, port }: ClaimedMember, withPort: boolean): Cell {
  if (host === null) return undefined;
  return withPort && port ? `${host}:${port}` : host;
}

function positionColumns(): Column<MemberRow>[] {
  const known = (row: MemberRow, which: 'receive' | 'replay'): Position | null =>
    shownPositions(row.claimed)[which];
  const isLeader = (row: MemberRow): boolean => row.claimed.name === row.cluster.leaderName;
  return (['receive', 'replay'] as const).flatMap((which): Column<MemberRow>[] => {
    const name = which === 'receive' ? 'Receive' : 'Replay';
    return [
      {
        key: `${name} LSN`,
        align: 'r',
        value: (row) => {
          const position = known(row, which);
          if (position) return formatLsn(position.lsn);
          return isLeader(row) ? undefined : 'unknown';
        },
      },
      {
        key: `${name} Lag`,
        header: 'Lag',
        align: 'r',
        value: (row) => {
          const position = known(row, which);
          return position ? roundHalfEven(position.lagBytes / 1024 / 1024) : undefined;
        },
      },
    ];
  });
}

const PENDING: Column<MemberRow> = {
  key: 'Pending restart',
  value: (row) => (row.claimed.pendingRestart ? '*' : undefined),
};

const REASON: Column<MemberRow> = {
  key: 'Pending restart reason',
  value: (row) => reasonText(row.claimed, false) || undefined,
  text: (row, format) => reasonText(row.claimed, isTable(format)),
};

/** `name: old->new`, a line a setting; a table hides long ones. */
function reasonText(claimed: ClaimedMember, hideLong: boolean): string {
  const reasons = valueOf(claimed, 'pending_restart_reason', claimed.pendingRestartReason);
  return entriesOf(reasons ?? {})
    .map(([name, change]) => {
      const whole = `${name}: ${field(change, 'old_value')}->${field(change, 'new_value')}`;
      return hideLong && Array.from(whole).length > 50 ? `${name}: [hidden - too long]` : whole;
    })
    .join('\n');
}

const SCHEDULED: Column<MemberRow> = {
  key: 'Scheduled restart',
  value: (row) => {
    const schedule = row.claimed.scheduledRestart;
    if (schedule === null) return undefined;
    const version = field(schedule, 'postgres_version');
    const condition = 'postgres_version' in schedule ? ` if version < ${version}` : '';
    return field(schedule, 'schedule') + condition || undefined;
  },
};

const TAGS: Column<MemberRow> = {
  key: 'Tags',
  value: (row) => tagsOf(row) ?? undefined,
  text: (row, format) => tagsText(tagsOf(row), format),
};

function tagsOf(row: MemberRow): ObjectValue | null {
  const { claimed } = row;
  return 'tags' in claimed.member.raw ? valueOf(claimed, 'tags', claimed.tags) : null;
}

/** A block of YAML in a table, one line of it elsewhere. */
function tagsText(tags: ObjectValue | null, format: TextFormat): string {
  return tags === null ? '' : yamlDump(tags, { flow: format !== 'pretty' }).trim();
}

type ObjectValue = Parameters<typeof entriesOf>[0];

function isObjectValue(value: Value | undefined): value is ObjectValue {
  return typeof value === 'object' && value !== null && !isList(value);
}

// Floats, integers beyond 2^53, and keys that JavaScript would put first.
const PYTHON_DIFFERS = /[:[,]\s*-?(?:\d+[.eE]|\d{16})|"\d+"\s*:/;

/** A field of the member's key as Python would see it, or as it was parsed when there is no text. */
function valueOf(
  claimed: ClaimedMember,
  name: string,
  parsed: JsonObject | null,
): ObjectValue | null {
  const text = claimed.member.text ?? '';
  if (parsed === null || !PYTHON_DIFFERS.test(text)) return parsed;
  const exact = exactJson(text);
  const value = exact instanceof Map ? (exact.get(name) as Value | undefined) : undefined;
  return isObjectValue(value) ? value : parsed;
}

function field(object: Value, name: string): string {
  const found = isObjectValue(object) ? new Map(entriesOf(object)).get(name) : undefined;
  return found === undefined ? '' : pythonText(found);
}

// ---------------------------------------------------------------- below the table

function serviceNotes(cluster: Cluster, grouped: boolean): string[] {
  const notes: string[] = [];
  if (cluster.config?.pause) notes.push(' Maintenance mode: on');
  const switchover = scheduledSwitchover(cluster);
  if (switchover) {
    notes.push(` Switchover scheduled at: ${oneLine(switchover.at)}`);
    if (switchover.from) notes.push(`${'from'.padStart(24)}: ${oneLine(switchover.from)}`);
    if (switchover.to) notes.push(`${'to'.padStart(24)}: ${oneLine(switchover.to)}`);
  }
  if (grouped && notes.length > 0) return [`Citus group: ${cluster.group ?? 0}`, ...notes];
  return notes;
}
