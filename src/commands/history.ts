/** `patctl history`: every change of timeline that the DCS remembers. */
import { Command, Option } from 'commander';
import { formatLsn } from '../cluster/model/lsn.js';
import type { Cluster, HistoryLine } from '../cluster/model/model.js';
import { ToolError, type Ending } from '../errors.js';
import { readCluster } from '../actions/kit/choose-members.js';
import { HISTORY_COLUMNS, historyCompat } from '../output/compat.js';
import { FORMATS, isTable, render, type Column, type Format } from '../output/render.js';
import { oneLine } from '../output/text.js';
import type { Run } from '../cli/run-command.js';
import type { Context } from '../context.js';
import { parseCount, scopeOrDefault } from '../cli/options.js';

interface HistoryOptions {
  group?: number;
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
    .action((cluster: string | undefined, options: HistoryOptions) =>
      run((context) => history(context, cluster, options)),
    );
}

async function history(
  context: Context,
  name: string | undefined,
  { group, format }: HistoryOptions,
): Promise<Ending> {
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
  const lines = cluster.history ?? [];
  const text = compat ? historyCompat(cluster, format) : render(format, '', columns(format), lines);
  context.io.out(text);
  for (const { key, problem } of cluster.problems) {
    if (key.endsWith('/history')) context.io.err(`warning: ${oneLine(`${key} ${problem}`)}\n`);
  }
  return 'ok';
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
