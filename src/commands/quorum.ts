/** `patctl quorum`: the vote table of one cluster, and how many losses it survives. */
import { Command } from 'commander';
import { quorumDocument } from '../cluster/documents/quorum-document.js';
import type { Run } from '../cli/run-command.js';
import type { Ending } from '../errors.js';
import type { Context } from '../context.js';
import {
  addWitnessOptions,
  parseCount,
  prettyOrJson,
  readOne,
  type WitnessOptions,
} from '../cli/options.js';

interface QuorumOptions extends WitnessOptions {
  group?: number;
  format: 'pretty' | 'json';
}

export function quorumCommand(run: Run): Command {
  const command = new Command('quorum')
    .description(
      'Show which members could take over, their votes, and how many losses are survived',
    )
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(prettyOrJson());
  return addWitnessOptions(command).action((cluster: string | undefined, options: QuorumOptions) =>
    run((context) => quorum(context, cluster, options)),
  );
}

async function quorum(
  context: Context,
  cluster: string | undefined,
  options: QuorumOptions,
): Promise<Ending> {
  const snapshot = await readOne(context, cluster, options);
  const document = quorumDocument(snapshot);
  const { quorumText } = await import('../output/vote-table.js');
  context.io.out(
    options.format === 'json'
      ? `${JSON.stringify(document, null, 2)}\n`
      : await quorumText(document),
  );
  return 'ok';
}
