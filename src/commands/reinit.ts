/** `patctl reinit`: throws a replica's data away and has it copied again, watched until it streams. */
import { Command } from 'commander';
import { reportedAsking } from '../actions/kit/action-document.js';
import { reinitMembers } from '../actions/reinit/reinit-members.js';
import type { Run } from '../cli/run-command.js';
import { parseCount, prettyOrJson } from '../cli/options.js';
import { parseDurationMs } from '../cli/units.js';

interface ReinitOptions {
  group?: number;
  fromLeader?: boolean;
  wait?: boolean;
  force?: boolean;
  yes?: boolean;
  deadline: number;
}

/** A copy may take hours; what counts is that it goes on. */
const DEADLINE_MS = 24 * 3_600_000;

export function reinitCommand(run: Run): Command {
  return new Command('reinit')
    .description('Reinitialize replicas: delete their data and copy it again')
    .argument('<cluster>')
    .argument('[members...]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('--from-leader', 'Get basebackup from leader')
    .option('--wait', 'Wait until the members stream, and show the progress of the copy')
    .option('--force', 'Do not ask questions; cancel a reinitialization that is running')
    .option('--yes', 'The same as --force')
    .option('--deadline <time>', 'Limit of --wait (default 24h)', parseDurationMs, DEADLINE_MS)
    .addOption(prettyOrJson())
    .action((cluster: string, members: string[], options: ReinitOptions) =>
      run((given) =>
        reportedAsking(given, { command: 'reinit', cluster }, (context, asking) =>
          reinitMembers(context, asking, {
            scope: cluster,
            group: options.group ?? null,
            names: members,
            fromLeader: options.fromLeader === true,
            force: options.force === true || options.yes === true,
            waitMs: options.wait ? options.deadline : null,
          }),
        ),
      ),
    );
}
