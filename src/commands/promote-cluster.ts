/** `patctl promote-cluster`: makes a standby cluster one that stands alone. */
import { Command } from 'commander';
import type { Finish } from '../cli/finish.js';
import type { Context } from '../context.js';
import { addRoleOptions, changeRole, type RoleOptions } from './role-change.js';

export function promoteClusterCommand(context: Context, finish: Finish): Command {
  const command = new Command('promote-cluster')
    .description('Promote cluster, make it run standalone')
    .argument('[cluster]');
  return addRoleOptions(command).action(
    async (cluster: string | undefined, options: RoleOptions) => {
      await changeRole(context, finish, cluster, null, options);
    },
  );
}
