/** `patctl report`: one page of HTML on what happened in clusters, out of a recording, or on what is there now. */
import { Command, Option } from 'commander';
import {
  addWitnessOptions,
  askingOf,
  parseCount,
  scopeOrDefault,
  type WitnessOptions,
} from '../cli/options.js';
import type { Run } from '../cli/run-command.js';
import type { ClusterStory } from '../cluster/report/report-model.js';
import type { Context } from '../context.js';
import type { Ending } from '../errors.js';

interface ReportOptions extends WitnessOptions {
  recording?: string;
  group?: number;
  all?: boolean;
  output?: string;
}

export function reportCommand(run: Run): Command {
  const command = new Command('report')
    .description('Write one page of HTML on what a recording holds, or on what is there now')
    .argument('[clusters...]')
    .addOption(
      new Option('--recording <file>', 'Read this recording of patctl record').conflicts([
        'snapshot',
        'all',
      ]),
    )
    .option('--group <number>', 'Citus group', parseCount)
    .option('--all', 'All clusters of the namespace')
    .option('-o, --output <file>', 'Write to this file instead of stdout');
  return addWitnessOptions(command).action((names: string[], options: ReportOptions) =>
    run((context) => report(context, names, options)),
  );
}

async function report(context: Context, names: string[], options: ReportOptions): Promise<Ending> {
  const { recording, output } = options;
  const [{ reportPage }, { VERSION }] = await Promise.all([
    import('../output/report/page.js'),
    import('../build-info.js'),
  ]);
  const { stories, source } =
    recording === undefined
      ? await momentOf(context, names, options)
      : await recordedIn(recording, names, options);
  const text = reportPage({
    patctl: VERSION,
    madeMs: context.clock.nowMs(),
    source,
    isMoment: recording === undefined,
    stories,
  });
  if (output === undefined) {
    context.io.out(text);
    return 'ok';
  }
  const { writeRecording } = await import('../dcs/recording/recording-file.js');
  await writeRecording(output, text);
  context.io.err(`wrote ${output}\n`);
  return 'ok';
}

/** What the page is about, and where it comes from. */
interface Told {
  stories: ClusterStory[];
  source: string;
}

async function recordedIn(
  file: string,
  scopes: string[],
  { group = null }: { group?: number | null },
): Promise<Told> {
  const { storiesOfRecording } = await import('../observe/read-stories.js');
  return {
    stories: await storiesOfRecording(file, { scopes, group }),
    source: `the recording ${file}`,
  };
}

/** The clusters as they are now, or as they were when a snapshot was taken: all of it, unless some are named. */
async function momentOf(context: Context, names: string[], options: ReportOptions): Promise<Told> {
  const [{ readFleet, readSnapshotsSettled }, { storiesOfMoment }] = await Promise.all([
    import('../observe/read-snapshot.js'),
    import('../observe/read-stories.js'),
  ]);
  const { group: configured } = await context.config();
  const group = options.group ?? configured;
  const asked = askingOf(options);
  const isWhole = options.all || (names.length === 0 && context.flags.recording !== undefined);
  const scopes = names.length > 0 || isWhole ? names : [await scopeOrDefault(context, undefined)];
  const snapshots = isWhole
    ? await readFleet(context, asked)
    : (
        await Promise.all(
          scopes.map((scope) => readSnapshotsSettled(context, { scope, group, ...asked })),
        )
      ).flat();
  const { where } = await context.dcs();
  return { stories: storiesOfMoment(snapshots), source: where };
}
