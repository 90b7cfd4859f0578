/** `patctl history`: every change of timeline that the DCS remembers. */
import { Command, Option } from 'commander';
import { causeOf, type PastLeaderChange } from '../cluster/documents/history-cause.js';
import { formatLsn } from '../cluster/model/lsn.js';
import type { Cluster, HistoryLine } from '../cluster/model/model.js';
import { ToolError, type Ending } from '../errors.js';
import { readCluster } from '../observe/read-keys.js';
import { HISTORY_COLUMNS, historyCompat } from '../output/compat.js';
import { ruledTable, type Narrowing } from '../output/fit.js';
import { screenOf } from '../output/screen.js';
import type { PastLimit } from '../dcs/dcs.js';
import {
  FORMATS,
  isTable,
  render,
  textColumns,
  type Column,
  type Format,
} from '../output/render.js';
import { oneLine } from '../output/text.js';
import type { Run } from '../cli/run-command.js';
import type { Context } from '../context.js';
import { parseCount, scopeOrDefault, WIDE } from '../cli/options.js';

interface HistoryOptions {
  group?: number;
  wide?: boolean;
  format: Format;
}

export function historyCommand(run: Run): Command {
  return new Command('history')
    .description('Show the history of failovers and switchovers')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('-f, --format <format>', 'Output format').choices(FORMATS).default('pretty'),
    )
    .option('--wide', WIDE)
    .action((cluster: string | undefined, options: HistoryOptions) =>
      run((context) => history(context, cluster, options)),
    );
}

async function history(
  context: Context,
  name: string | undefined,
  options: HistoryOptions,
): Promise<Ending> {
  const { group, format } = options;
  const scope = await scopeOrDefault(context, name);
  const config = await context.config();
  const { compat } = context.flags;
  let cluster: Cluster;
  try {
    cluster = await readCluster(context, scope, group ?? config.group);
  } catch (error) {
    // patronictl prints an empty table here; a script still has to notice.
    if (compat && error instanceof ToolError && error.code === 'unknown_cluster') {
      context.io.out(historyCompat(null, format));
    }
    throw error;
  }
  const text = compat
    ? historyCompat(cluster, format)
    : await causesText(context, cluster, options);
  context.io.out(text);
  for (const { key, problem } of cluster.problems) {
    if (key.endsWith('/history')) context.io.err(`warning: ${oneLine(`${key} ${problem}`)}\n`);
  }
  return 'ok';
}

/** Changes to look for in etcd's own past, and how long. */
const PAST_LIMIT: PastLimit = { ms: 3000, looks: 50 };

/** patronictl's table, and why each leader changed. */
async function causesText(
  context: Context,
  cluster: Cluster,
  { format, wide }: HistoryOptions,
): Promise<string> {
  const lines = cluster.history ?? [];
  const dcs = await context.dcs();
  const changes =
    lines.length === 0 ? [] : ((await dcs.leaderChanges?.(cluster, PAST_LIMIT)) ?? []);
  const all = [...columns(format), cause(changes)];
  const screen = screenOf(context, wide);
  if (!isTable(format) || screen.width === null) return render(format, '', all, lines);
  return ruledTable('', textColumns(format, all, lines), NARROWINGS, screen);
}

const NARROWINGS: readonly Narrowing[] = [
  { drop: ['LSN'] },
  { below: ['Reason'] },
  'headers',
  { below: ['Position'] },
  { below: ['Cause'] },
];

function cause(changes: readonly PastLeaderChange[]): Column<HistoryLine> {
  return { key: 'Cause', value: (line) => causeOf(line, changes) };
}

/** patronictl's columns, null where the line is silent, and the position as PostgreSQL writes it. */
function columns(format: Format): Column<HistoryLine>[] {
  const typed: Record<string, (line: HistoryLine) => string | null> = {
    Timestamp: (line) => line.timestamp,
    'New Leader': (line) => line.newLeader,
  };
  const theirs = HISTORY_COLUMNS.map((column) => {
    const value = isTable(format) || format === 'tsv' ? undefined : typed[column.key];
    return value ? { ...column, value } : column;
  });
  return [...theirs, { key: 'Position', align: 'r', value: (line) => formatLsn(line.lsn) }];
}
