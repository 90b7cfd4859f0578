/** `patctl history`: every change of timeline that the DCS remembers. */
import { Command, Option } from 'commander';
import { formatLsn } from '../cluster/lsn.js';
import type { Cluster, HistoryLine } from '../cluster/model.js';
import { ToolError, type Ending } from '../errors.js';
import { readCluster } from '../operate/clusters.js';
import { HISTORY_COLUMNS, historyCompat } from '../output/compat.js';
import { FORMATS, isTable, render, type Column, type Format } from '../output/render.js';
import { oneLine } from '../output/text.js';
import type { Finish } from '../program.js';
import type { Tool } from '../tool.js';
import { parseCount, scopeOrDefault } from './options.js';

interface HistoryOptions {
  group?: number;
  format: Format;
}

export function historyCommand(tool: Tool, finish: Finish): Command {
  return new Command('history')
    .description('Show the history of failovers and switchovers')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('-f, --format <format>', 'Output format').choices(FORMATS).default('pretty'),
    )
    .action(async (cluster: string | undefined, options: HistoryOptions) =>
      finish(await history(tool, cluster, options)),
    );
}

async function history(
  tool: Tool,
  name: string | undefined,
  { group, format }: HistoryOptions,
): Promise<Ending> {
  const scope = await scopeOrDefault(tool, name);
  const config = await tool.config();
  const { compat } = tool.flags;
  let cluster: Cluster;
  try {
    cluster = await readCluster(tool, scope, group ?? config.group);
  } catch (error) {
    // patronictl prints an empty table here; a script still has to notice.
    if (compat && error instanceof ToolError && error.code === 'unknown_cluster') {
      tool.io.out(historyCompat(null, format));
    }
    throw error;
  }
  const lines = cluster.history ?? [];
  const text = compat ? historyCompat(cluster, format) : render(format, '', columns(format), lines);
  tool.io.out(text);
  for (const { key, problem } of cluster.problems) {
    if (key.endsWith('/history')) tool.io.err(`warning: ${oneLine(`${key} ${problem}`)}\n`);
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
