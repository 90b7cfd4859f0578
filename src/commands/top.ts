/** `patctl top`: clusters as they are now, and what happens in them, on a full screen or as lines. */
import { Command, InvalidArgumentError } from 'commander';
import type { Context } from '../context.js';
import { ToolError, type Ending } from '../errors.js';
import { commandOf } from '../output/screen.js';
import { newPane, type TopState } from '../output/top/state.js';
import type { Run } from '../cli/run-command.js';
import {
  addLiveOptions,
  askingOf,
  clusterMeant,
  parseCount,
  type WitnessOptions,
} from '../cli/options.js';
import { atPlace } from '../cli/at-place.js';
import { parseDurationMs } from '../cli/units.js';

interface TopOptions extends WitnessOptions {
  group?: number;
  interval: number;
  all?: boolean;
  plain?: boolean;
  readOnly?: boolean;
}

const EVERY_MS = 2000;
/** More often than this a member has hardly answered before it is asked again. */
const LEAST_EVERY_MS = 200;

export function topCommand(run: Run): Command {
  const command = new Command('top')
    .description('Show clusters on a full screen as they change: members, findings and events')
    .argument('[clusters...]')
    .option('--group <number>', 'Citus group', parseCount)
    .option(
      '--all',
      'All clusters of the namespace, a row each; their members are asked over REST only',
    )
    .option(
      '--interval <time>',
      'Time between two readings (default 2s)',
      parseIntervalMs,
      EVERY_MS,
    )
    .option('--plain', 'Print lines instead of a screen')
    .option('--read-only', 'Leave out the keys that change something');
  return addLiveOptions(command).action((names: string[], options: TopOptions) =>
    run((context) => top(context, names, options)),
  );
}

function parseIntervalMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms < LEAST_EVERY_MS) throw new InvalidArgumentError('expected a time of at least 200ms.');
  return ms;
}

async function top(
  context: Context,
  names: string[],
  options: TopOptions,
): Promise<Ending | number> {
  const { io } = context;
  const isOnScreen =
    options.plain !== true && io.stdoutIsTty && io.stdinIsTty && io.answers === 'person';
  if (options.all && names.length > 0)
    throw new ToolError('usage', '--all cannot be combined with names of clusters');
  const meant = options.all ? [] : await clustersMeant(context, names, options);
  const { checkCodes } = await context.config();
  const first: TopState = {
    panes: meant.map(newPane),
    at: 0,
    fleet: options.all
      ? {
          rows: [],
          count: null,
          isWhole: false,
          trouble: null,
          readMs: null,
          chosen: null,
          filter: '',
        }
      : null,
    page: options.all ? 'fleet' : 'cluster',
    before: options.all ? 'fleet' : 'cluster',
    chosen: null,
    scroll: 0,
    filter: '',
    typing: false,
    acts: isOnScreen && options.readOnly !== true,
    action: null,
    wish: null,
    everyMs: options.interval,
    command: (place) => commandOf(place === undefined ? context : atPlace(context, place)),
    ignored: (checkCodes?.ignore ?? []).map(({ value }) => value),
  };
  const reading = { ...askingOf(options), intervalMs: options.interval };
  if (isOnScreen) {
    const { topOnScreen } = await import('./top-on-screen.js');
    return topOnScreen(context, first, reading);
  }
  const { topInLines } = await import('./top-in-lines.js');
  return topInLines(context, first, reading);
}

async function clustersMeant(
  context: Context,
  names: readonly string[],
  { group }: TopOptions,
): Promise<{ scope: string; group: number | null }[]> {
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new ToolError('usage', `cluster ${twice} is named twice`);
  if (names.length === 0) return [await clusterMeant(context, undefined, group)];
  return Promise.all(names.map((name) => clusterMeant(context, name, group)));
}
