/** `patctl snapshot`: records everything the witnesses say, for post-mortems and bug reports. */
import { Command } from 'commander';
import type { Run } from '../cli/run-command.js';
import type { Snapshot } from '../cluster/model/model.js';
import { ToolError, type Ending } from '../errors.js';
import type { Context } from '../context.js';
import {
  addRouteOption,
  addWitnessOptions,
  parseCount,
  scopeOrDefault,
  askingOf,
  type WitnessOptions,
} from '../cli/options.js';

interface RecordOptions extends WitnessOptions {
  group?: number;
  all?: boolean;
  output?: string;
  route?: string[];
}

export function snapshotCommand(run: Run): Command {
  const command = new Command('snapshot')
    .description('Record what all witnesses report, without secrets, for --snapshot FILE')
    .argument('[clusters...]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('--all', 'All clusters of the namespace')
    .option('-o, --output <file>', 'Write to this file; gzipped when it ends in .gz');
  return addWitnessOptions(addRouteOption(command)).action(
    (names: string[], options: RecordOptions) => run((context) => record(context, names, options)),
  );
}

async function record(context: Context, names: string[], options: RecordOptions): Promise<Ending> {
  const asked = askingOf(options);
  const { group: configured } = await context.config();
  const group = options.group ?? configured;
  const [
    { readFleet, readSnapshotsSettled },
    { recordingText, writeRecording },
    { withCertificates, withPauseAge },
  ] = await Promise.all([
    import('../observe/read-snapshot.js'),
    import('../dcs/recording/recording-file.js'),
    import('../observe/extra-evidence.js'),
  ]);
  const scopes =
    names.length > 0 || options.all ? names : [await scopeOrDefault(context, undefined)];
  const read = options.all
    ? await readFleet(context, asked)
    : (
        await Promise.all(
          scopes.map((scope) => readSnapshotsSettled(context, { scope, group, ...asked })),
        )
      ).flat();
  const routed = await routesOf(context, options, scopes);
  const snapshots = await Promise.all(
    read.map(async (one) => routed(withPauseAge(context, await withCertificates(context, one)))),
  );
  const text = recordingText(snapshots);
  if (options.output === undefined) {
    context.io.out(text);
    return 'ok';
  }
  await writeRecording(options.output, text);
  context.io.err(`wrote ${options.output}\n`);
  return 'ok';
}

/** Adds what answers through the routes that are given or configured; loads nothing where there are none. */
async function routesOf(
  context: Context,
  { route = [], group }: RecordOptions,
  scopes: readonly string[],
): Promise<(snapshot: Promise<Snapshot>) => Promise<Snapshot>> {
  const { routes = [] } = await context.config();
  if (route.length === 0 && routes.length === 0) return (snapshot) => snapshot;
  if (route.length > 0 && scopes.length !== 1) {
    throw new ToolError('usage', '--route needs one cluster: the one to which it leads');
  }
  const { routesMeant, withRoutes } = await import('../observe/ask-routes.js');
  const meant = await routesMeant(context, route, group ?? null);
  return async (snapshot) => withRoutes(context, await snapshot, meant);
}
