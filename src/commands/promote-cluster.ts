/** `patctl promote-cluster`: makes a standby cluster one that stands alone. */
import { Command } from 'commander';
import type { Run } from '../cli/run-command.js';
import { addRoleOptions, changeRole, type RoleOptions } from './role-change.js';

export function promoteClusterCommand(run: Run): Command {
  const command = new Command('promote-cluster')
    .description('Promote cluster, make it run standalone')
    .argument('[cluster]');
  return addRoleOptions(command).action((cluster: string | undefined, options: RoleOptions) =>
    run((context) => changeRole(context, cluster, null, options)),
  );
}
