/** `patctl record`: what happens in clusters, as one JSON object a line, until it is ended. */
import { Command } from 'commander';
import {
  addLiveOptions,
  askingOf,
  parseCount,
  scopeOrDefault,
  type WitnessOptions,
} from '../cli/options.js';
import type { Run } from '../cli/run-command.js';
import { parseDurationMs, parseSize, parseTimeoutMs } from '../cli/units.js';
import type { Context } from '../context.js';
import type { ClusterName } from '../dcs/dcs.js';
import { ToolError, type Ending } from '../errors.js';

interface RecordOptions extends WitnessOptions {
  group?: number;
  all?: boolean;
  output?: string;
  for?: number;
  interval: number;
  maxSize: number;
  keep: number;
}

const DEFAULT_INTERVAL_MS = 2000;
const DEFAULT_SIZE = 100 * 1024 * 1024;
const DEFAULT_KEEP = 9;

export function recordCommand(run: Run): Command {
  const command = new Command('record')
    .description('Record what happens in clusters, line by line, until it is ended')
    .argument('[clusters...]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('--all', 'All clusters of the namespace, also those that come later')
    .option('-o, --output <file>', 'Append to this file (default: write to stdout)')
    .option(
      '--for <time>',
      'End after this time, such as 1h (default: at SIGTERM or SIGINT)',
      parseTimeoutMs,
    )
    .option(
      '--interval <time>',
      'Time between two readings; a change in the DCS is read at once (default 2s)',
      parseIntervalMs,
      DEFAULT_INTERVAL_MS,
    )
    .option(
      '--max-size <size>',
      'With -o: rename a file that reaches this size to FILE.1, FILE.1 to FILE.2 … (default 100MB)',
      parseSize,
      DEFAULT_SIZE,
    )
    .option(
      '--keep <number>',
      'With -o: how many renamed files are kept (default 9)',
      parseCount,
      DEFAULT_KEEP,
    );
  return addLiveOptions(command).action((names: string[], options: RecordOptions) =>
    run((context) => record(context, names, options)),
  );
}

/** Each reading asks every member: more often is a load on them. */
function parseIntervalMs(text: string): number {
  return Math.max(100, parseDurationMs(text));
}

async function record(context: Context, names: string[], options: RecordOptions): Promise<Ending> {
  if (options.output?.endsWith('.gz')) {
    throw new ToolError(
      'usage',
      'a gzipped file cannot be appended to: give -o a name without .gz',
    );
  }
  const clusters = await clustersMeant(context, names, options);
  const { recordClusters } = await import('../observe/record-clusters.js');
  await recordClusters(context, {
    clusters,
    asked: askingOf(options),
    intervalMs: options.interval,
    forMs: options.for ?? null,
    file: options.output ?? null,
    limits: { maxBytes: options.maxSize, keep: options.keep },
  });
  return 'ok';
}

/** null: all of them. */
async function clustersMeant(
  context: Context,
  names: string[],
  options: RecordOptions,
): Promise<ClusterName[] | null> {
  if (options.all) {
    if (names.length > 0 || options.group !== undefined)
      throw new ToolError('usage', '--all cannot be combined with names of clusters or --group');
    return null;
  }
  const scopes = names.length > 0 ? names : [await scopeOrDefault(context, undefined)];
  const group = options.group ?? (await context.config()).group;
  return scopes.map((scope) => ({ scope, group }));
}
