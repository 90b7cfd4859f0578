/** `patctl remove`: takes a cluster out of the DCS, and nothing else. */
import { Command, Option } from 'commander';
import { actionPrinter } from '../actions/kit/print-action.js';
import { removeCluster } from '../actions/remove/remove-cluster.js';
import { withAsker } from '../output/ask.js';
import { FORMATS, type Format } from '../output/render.js';
import type { Run } from '../cli/run-command.js';
import { parseCount } from '../cli/options.js';

interface RemoveOptions {
  group?: number;
  format: Format;
  confirmName?: string;
  confirmLeader?: string;
  yes?: boolean;
}

export function removeCommand(run: Run): Command {
  return new Command('remove')
    .description('Remove a cluster from the DCS')
    .argument('<cluster>')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('-f, --format <format>', 'Output format').choices(FORMATS).default('pretty'),
    )
    .option('--confirm-name <cluster>', 'Answer to the first question: the cluster name again')
    .option('--yes', 'Answer to the second question: you are aware that everything is removed')
    .option('--confirm-leader <member>', 'Answer to the third question: the current leader')
    .action((cluster: string, options: RemoveOptions) =>
      run((context) =>
        withAsker(context, (asker) =>
          removeCluster(
            context,
            { asker, ...actionPrinter(context, options) },
            {
              scope: cluster,
              group: options.group ?? null,
              confirmName: options.confirmName ?? null,
              confirmLeader: options.confirmLeader ?? null,
              isAware: options.yes === true,
            },
          ),
        ),
      ),
    );
}
