/** `patctl promote-cluster`: makes a standby cluster one that stands alone. */
import { Command } from 'commander';
import type { Finish } from '../program.js';
import type { Tool } from '../tool.js';
import { addRoleOptions, changeRole, type RoleOptions } from './cluster-role.js';

export function promoteClusterCommand(tool: Tool, finish: Finish): Command {
  const command = new Command('promote-cluster')
    .description('Promote cluster, make it run standalone')
    .argument('[cluster]');
  return addRoleOptions(command).action(
    async (cluster: string | undefined, options: RoleOptions) => {
      await changeRole(tool, finish, cluster, null, options);
    },
  );
}
