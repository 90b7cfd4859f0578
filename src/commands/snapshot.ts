/** `patctl snapshot`: records everything the witnesses say, for post-mortems and bug reports. */
import { Command } from 'commander';
import type { Run } from '../cli/run-command.js';
import type { Ending } from '../errors.js';
import type { Context } from '../context.js';
import {
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
}

export function snapshotCommand(run: Run): Command {
  const command = new Command('snapshot')
    .description('Record what all witnesses report, without secrets, for --snapshot FILE')
    .argument('[clusters...]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('--all', 'All clusters of the namespace')
    .option('-o, --output <file>', 'Write to this file; gzipped when it ends in .gz');
  return addWitnessOptions(command).action((names: string[], options: RecordOptions) =>
    run((context) => record(context, names, options)),
  );
}

async function record(context: Context, names: string[], options: RecordOptions): Promise<Ending> {
  const asked = askingOf(options);
  const { group: configured } = await context.config();
  const group = options.group ?? configured;
  const [
    { readFleet, readSettled },
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
        await Promise.all(scopes.map((scope) => readSettled(context, { scope, group, ...asked })))
      ).flat();
  const snapshots = await Promise.all(
    read.map(async (one) => withPauseAge(context, await withCertificates(context, one))),
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
