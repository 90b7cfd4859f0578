/** `patctl list` and `patctl topology`: patronictl's tables, with the truth in the last columns. */
import { Command, Option } from 'commander';
import type { Cluster, Snapshot } from '../cluster/model/model.js';
import { isMismatch } from '../cluster/roles/verdict.js';
import { ToolError, type Ending } from '../errors.js';
import type { OneTable } from '../output/listing.js';
import { openCounter } from '../output/counter.js';
import { FORMATS, isTable, type Format } from '../output/render.js';
import { errorScreen, fitted, screenOf, type Screen } from '../output/screen.js';
import type { Run } from '../cli/run-command.js';
import type { SnapshotRequest } from '../observe/read-snapshot.js';
import type { Context } from '../context.js';
import {
  addWitnessOptions,
  STRICT,
  WIDE,
  parseCount,
  parseSeconds,
  scopeOrDefault,
  askingOf,
  type WitnessOptions,
} from '../cli/options.js';

interface ListOptions extends WitnessOptions {
  group?: number;
  extended?: boolean;
  timestamp?: boolean;
  format: Format;
  W?: boolean;
  watch?: number;
  all?: boolean;
  strict?: boolean;
  wide?: boolean;
}

const WATCH_SECONDS = 2;

export function listCommand(run: Run): Command {
  const command = new Command('list')
    .description('List the members of a cluster with claimed and observed roles')
    .option('-e, --extended', 'Show some extra information')
    .option('-t, --timestamp', 'Print timestamp')
    .addOption(
      new Option('-f, --format <format>', 'Output format').choices(FORMATS).default('pretty'),
    );
  return addListOptions(command).action((names: string[], options: ListOptions) =>
    run((context) => list(context, names, options)),
  );
}

export function topologyCommand(run: Run): Command {
  const command = new Command('topology').description(
    'List the members as a tree by actual streaming replication',
  );
  return addListOptions(command).action((names: string[], options: Omit<ListOptions, 'format'>) =>
    run((context) => list(context, names, { ...options, format: 'topology' })),
  );
}

function addListOptions(command: Command): Command {
  command
    .argument('[clusters...]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('-W', `Auto update the screen every ${WATCH_SECONDS} seconds`)
    .option('-w, --watch <seconds>', 'Auto update the screen every X seconds', parseSeconds)
    .option('--all', 'All clusters of the namespace')
    .option('--strict', STRICT)
    .option('--wide', WIDE);
  return addWitnessOptions(command);
}

async function list(context: Context, names: string[], options: ListOptions): Promise<Ending> {
  const seconds = options.watch ?? (options.W ? WATCH_SECONDS : null);
  const asked = {
    ...askingOf(context.flags.compat ? { ...options, verify: 'off' } : options),
    isLast: seconds === null,
  };
  const group = options.group ?? null;
  if (names.length === 0 && !options.all) {
    // patronictl warns and ends 0 without a name; a script has to notice.
    names = [await scopeOrDefault(context, undefined)];
  }
  const once = () => listOnce(context, names, group, options, asked);
  if (seconds === null && options.all && isTable(options.format) && !context.flags.compat) {
    return listFleet(context, group, options, asked);
  }
  if (seconds === null) {
    const { draw, ending, error } = await once();
    context.io.out(await draw(screenOf(context, options.wide)));
    if (error) throw error;
    return ending;
  }
  const { errorText, watchScreen } = await import('../output/watch-screen.js');
  const how = { everyMs: seconds * 1000, wide: options.wide ?? false };
  await watchScreen(context, how, async () => {
    const { draw, error } = await once();
    return async (screen) => (await draw(screen)) + (error ? errorText(error) : '');
  });
  return 'ok';
}

/** `--all` as tables: each is printed as soon as it is known, and all before it. */
async function listFleet(
  context: Context,
  group: number | null,
  options: ListOptions,
  asked: Omit<SnapshotRequest, 'scope' | 'group'>,
): Promise<Ending> {
  const { io, clock } = context;
  const config = await context.config();
  const { openFleet } = await import('../observe/read-snapshot.js');
  if (options.timestamp) io.out(await stampLine(new Date(clock.nowMs())));
  const { clusters, snapshots } = await openFleet(context, asked);
  const { listingText, tablesOf } = await import('../output/listing.js');
  const citus =
    group !== null || config.group !== null || clusters.some((cluster) => cluster.group !== null);
  const shape = {
    format: options.format,
    extended: options.extended ?? false,
    citus,
    group,
    namespaces: clusters.some(({ kubernetes }) => kubernetes),
  };
  const counter = openCounter(context, snapshots.length, 'clusters read');
  for (const snapshot of snapshots) void snapshot.then(counter.count, () => undefined);
  const all: OneTable[] = [];
  let isDoubtful = false;
  try {
    for await (const found of asTheyCome(byScope(clusters, snapshots))) {
      const tables = await tablesOf(found, shape);
      const text = await listingText(tables, options.format, screenOf(context, options.wide));
      counter.clear();
      io.out(text);
      all.push(...tables);
      isDoubtful ||= tables.some((table) => table.isUnchecked || table.found.some(isMismatch));
    }
  } finally {
    counter.clear();
  }
  io.out(await restOnlyNote(all, options, screenOf(context, options.wide)));
  return options.strict && isDoubtful ? 'failed' : 'ok';
}

function byScope(clusters: Cluster[], snapshots: Promise<Snapshot>[]): Promise<Found>[] {
  return groupedByName(clusters).map(async ({ scope, at }) => ({
    scope,
    snapshots: await Promise.all(at.flatMap((one) => snapshots[one] ?? [])),
  }));
}

/** The Citus groups of one name are one table; two namespaces of Kubernetes may each have a cluster of one name. */
function groupedByName(clusters: readonly Cluster[]): { scope: string; at: number[] }[] {
  const found = new Map<string, { scope: string; at: number[] }>();
  for (const [at, { scope, kubernetes }] of clusters.entries()) {
    const id = JSON.stringify([scope, kubernetes?.namespace]);
    const before = found.get(id);
    if (before) before.at.push(at);
    else found.set(id, { scope, at: [at] });
  }
  return [...found.values()];
}

/** In their order: when the next one is there, it and those behind it that are there as well. */
async function* asTheyCome<T extends object>(promises: readonly Promise<T>[]): AsyncGenerator<T[]> {
  const known: T[] = [];
  for (const [at, promise] of promises.entries()) {
    promise.then(
      (value) => (known[at] = value),
      () => undefined,
    );
  }
  for (let next = 0; next < promises.length;) {
    await promises[next];
    const from = next;
    while (known[next] !== undefined) next += 1;
    yield known.slice(from, next);
  }
}

interface Listing {
  draw: (screen: Screen) => Promise<string>;
  ending: Ending;
  /** An unknown cluster among the named ones; the others are printed anyway. */
  error: ToolError | null;
}

async function listOnce(
  context: Context,
  names: string[],
  group: number | null,
  options: ListOptions,
  asked: Omit<SnapshotRequest, 'scope' | 'group'>,
): Promise<Listing> {
  const config = await context.config();
  const stamp = options.timestamp ? new Date(context.clock.nowMs()) : null;
  const { found, error } = await readAll(context, names, group, options.all ?? false, asked);
  // Loaded once there is something to show: a DCS that refuses needs none of it.
  const { entryOf, listingText, tablesOf } = await import('../output/listing.js');
  const citus =
    group !== null ||
    config.group !== null ||
    (!context.flags.compat &&
      found.some((one) => one.snapshots.some(({ cluster }) => cluster.group !== null)));
  const isKube = found.some((one) => one.snapshots.some(({ cluster }) => cluster.kubernetes));
  const shape = {
    format: options.format,
    extended: options.extended ?? false,
    citus,
    group,
    namespaces: isKube && options.all === true,
  };
  if (context.flags.compat) {
    // Without a citus section patronictl looks below the scope itself, where no group is.
    const seen = (all: Snapshot[]) => all.filter(({ cluster }) => citus || cluster.group === null);
    const entries = found.map(({ scope, snapshots }) => entryOf(scope, seen(snapshots)));
    const { listCompat } = await import('../output/compat.js');
    const text = listCompat(entries, { ...shape, timestamp: stamp });
    return { draw: () => Promise.resolve(text), ending: 'ok', error };
  }
  const head = stamp ? await stampLine(stamp) : '';
  const tables = await tablesOf(found, shape);
  const draw = async (screen: Screen) =>
    head +
    (await listingText(tables, options.format, screen)) +
    (await restOnlyNote(tables, options, screen));
  if (!isTable(options.format)) await warn(context, tables);
  const isDoubtful = tables.some(({ found, isUnchecked }) => isUnchecked || found.some(isMismatch));
  const ending = options.strict && isDoubtful ? 'failed' : 'ok';
  return { draw, ending, error };
}

interface Found {
  scope: string;
  snapshots: Snapshot[];
}

async function readAll(
  context: Context,
  names: string[],
  group: number | null,
  everything: boolean,
  asked: Omit<SnapshotRequest, 'scope' | 'group'>,
): Promise<{ found: Found[]; error: ToolError | null }> {
  const { readFleet, readSnapshotsSettled } = await import('../observe/read-snapshot.js');
  if (everything) {
    const fleet = await readFleet(context, asked);
    const found = groupedByName(fleet.map(({ cluster }) => cluster)).map(({ scope, at }) => ({
      scope,
      snapshots: at.flatMap((one) => fleet[one] ?? []),
    }));
    return { found, error: null };
  }
  let error: ToolError | null = null;
  const found = await Promise.all(
    names.map(async (scope): Promise<Found> => {
      try {
        const snapshots = await readSnapshotsSettled(context, { scope, group, ...asked });
        return { scope, snapshots };
      } catch (problem) {
        if (!(problem instanceof ToolError) || problem.code !== 'unknown_cluster') throw problem;
        error ??= problem;
        return { scope, snapshots: [] };
      }
    }),
  );
  return {
    found: context.flags.compat ? found : found.filter((one) => one.snapshots.length > 0),
    error,
  };
}

async function stampLine(date: Date): Promise<string> {
  const { timestampText } = await import('../output/compat.js');
  return `${timestampText(date)}\n`;
}

/** For people, once for all tables. */
async function restOnlyNote(
  tables: readonly OneTable[],
  { format }: ListOptions,
  screen: Screen,
): Promise<string> {
  if (!isTable(format) || !tables.some(({ isRestOnly }) => isRestOnly)) return '';
  const { REST_ONLY } = await import('../output/listing.js');
  return fitted(REST_ONLY, screen);
}

/** Machine formats have no room for findings: they go to stderr. */
async function warn(context: Context, tables: readonly OneTable[]): Promise<void> {
  const { belowTable } = await import('../output/listing.js');
  const screen = errorScreen(context);
  const said = (await Promise.all(tables.map((table) => belowTable(table, screen)))).join('');
  if (said !== '') context.io.err(said);
}
