/** `patctl snapshot`: records everything the witnesses say, for post-mortems and bug reports. */
import { Command } from 'commander';
import type { Finish } from '../program.js';
import type { Tool } from '../tool.js';
import {
  addWitnessOptions,
  parseCount,
  scopeOrDefault,
  witnesses,
  type WitnessOptions,
} from './options.js';

interface RecordOptions extends WitnessOptions {
  group?: number;
  all?: boolean;
  output?: string;
}

export function snapshotCommand(tool: Tool, finish: Finish): Command {
  const command = new Command('snapshot')
    .description('Record everything the witnesses say, secrets removed, for --snapshot FILE')
    .argument('[clusters...]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('--all', 'Every cluster of the namespace')
    .option('-o, --output <file>', 'Write to this file; gzipped when it ends in .gz');
  return addWitnessOptions(command).action(async (names: string[], options: RecordOptions) => {
    await record(tool, names, options);
    finish('ok');
  });
}

async function record(tool: Tool, names: string[], options: RecordOptions): Promise<void> {
  const asked = await witnesses(tool, options);
  const { group: configured } = await tool.config();
  const group = options.group ?? configured;
  const [
    { readFleet, readSettled },
    { recordingText, writeRecording },
    { withCertificates, withPauseAge },
  ] = await Promise.all([
    import('../snapshot.js'),
    import('../recording.js'),
    import('../aside.js'),
  ]);
  const scopes = names.length > 0 || options.all ? names : [await scopeOrDefault(tool, undefined)];
  const read = options.all
    ? await readFleet(tool, asked)
    : (
        await Promise.all(scopes.map((scope) => readSettled(tool, { scope, group, ...asked })))
      ).flat();
  const snapshots = await Promise.all(
    read.map(async (one) => withPauseAge(tool, await withCertificates(tool, one))),
  );
  const text = recordingText(snapshots);
  if (options.output === undefined) return tool.io.out(text);
  await writeRecording(options.output, text);
  tool.io.err(`${options.output} is written\n`);
}
