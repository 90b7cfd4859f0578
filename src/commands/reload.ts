/** `patctl reload`: Patroni and PostgreSQL read their configuration again. */
import { Command, Option } from 'commander';
import { reportedAsking } from '../actions/kit/action-document.js';
import { reloadMembers } from '../actions/reload/reload-members.js';
import { ROLE_FILTERS, type RoleFilter } from '../cluster/select-members.js';
import type { Run } from '../cli/run-command.js';
import { parseCount, prettyOrJson } from '../cli/options.js';
import { parseDurationMs } from '../cli/units.js';

interface ReloadOptions {
  group?: number;
  role: RoleFilter;
  force?: boolean;
  yes?: boolean;
  wait?: boolean;
  deadline?: number;
}

export function reloadCommand(run: Run): Command {
  return new Command('reload')
    .description('Reload the configuration of the members of a cluster')
    .argument('<cluster>')
    .argument('[members...]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('-r, --role <role>', 'Reload only members with this role')
        .choices(ROLE_FILTERS)
        .default('any'),
    )
    .option('--force', 'Do not ask questions')
    .option('--yes', 'The same as --force')
    .option('--wait', 'Wait until the member has completed a whole loop and runs')
    .option('--deadline <time>', 'Limit of --wait (default 3 x loop_wait + 5s)', parseDurationMs)
    .addOption(prettyOrJson())
    .action((cluster: string, members: string[], options: ReloadOptions) =>
      run((given) =>
        reportedAsking(given, { command: 'reload', cluster }, (context, asking) =>
          reloadMembers(context, asking, {
            scope: cluster,
            group: options.group ?? null,
            role: options.role,
            names: members,
            force: options.force === true || options.yes === true,
            wait: options.wait === true,
            deadlineMs: options.deadline ?? null,
          }),
        ),
      ),
    );
}
