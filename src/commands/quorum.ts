/** `patctl quorum`: the vote table of one cluster, and how many losses it survives. */
import { Command } from 'commander';
import { quorumDocument } from '../cluster/documents/quorum-document.js';
import type { Snapshot } from '../cluster/model/model.js';
import type { Run } from '../cli/run-command.js';
import { ToolError, type Ending } from '../errors.js';
import { documentAsCalled } from '../output/as-called.js';
import { commandOf, fitted, screenOf } from '../output/screen.js';
import type { Context } from '../context.js';
import {
  addWitnessOptions,
  parseCount,
  WIDE,
  prettyOrJson,
  snapshotMeant,
  type WitnessOptions,
} from '../cli/options.js';

interface QuorumOptions extends WitnessOptions {
  group?: number;
  lose?: string[];
  loseAny?: number;
  wide?: boolean;
  format: 'pretty' | 'json';
}

export function quorumCommand(run: Run): Command {
  const command = new Command('quorum')
    .description(
      'Show which members could take over, their votes, and how many losses are survived',
    )
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .option(
      '--lose <member>',
      'Show what the loss of this member, or of all with tag:KEY=VALUE, would do (repeatable)',
      (name: string, before?: string[]) => [...(before ?? []), ...name.split(',')],
    )
    .option('--lose-any <number>', 'Show the worst loss of N more members', parseCount)
    .addOption(prettyOrJson())
    .option('--wide', WIDE);
  return addWitnessOptions(command).action((cluster: string | undefined, options: QuorumOptions) =>
    run((context) => quorum(context, cluster, options)),
  );
}

async function quorum(
  context: Context,
  cluster: string | undefined,
  options: QuorumOptions,
): Promise<Ending> {
  const snapshot = await snapshotMeant(context, cluster, options);
  if (options.lose !== undefined || options.loseAny !== undefined)
    return await whatIf(context, snapshot, options);
  const document = documentAsCalled(quorumDocument(snapshot), commandOf(context));
  const { quorumText } = await import('../output/vote-table.js');
  const screen = screenOf(context, options.wide);
  context.io.out(
    options.format === 'json'
      ? `${JSON.stringify(document, null, 2)}\n`
      : fitted(await quorumText(document, screen), screen),
  );
  return 'ok';
}

async function whatIf(
  context: Context,
  snapshot: Snapshot,
  {
    lose = [],
    loseAny = null,
    format,
    wide,
  }: Pick<QuorumOptions, 'lose' | 'format' | 'wide'> & { loseAny?: number | null },
): Promise<Ending> {
  const { lossForecast } = await import('../cluster/documents/loss-forecast-document.js');
  const answer = lossForecast(snapshot, { lose, any: loseAny });
  if (!answer.ok)
    throw new ToolError('error', answer.words, { code: answer.code, hint: answer.hint });
  const { lossForecastText } = await import('../output/loss-forecast-text.js');
  context.io.out(
    format === 'json'
      ? `${JSON.stringify(answer.document, null, 2)}\n`
      : fitted(await lossForecastText(answer.document), screenOf(context, wide)),
  );
  return 'ok';
}
