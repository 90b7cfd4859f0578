/** `patctl promote-cluster`: makes a standby cluster one that stands alone. */
import { Command } from 'commander';
import { openAsker } from '../output/ask.js';
import type { Finish } from '../program.js';
import type { Tool } from '../tool.js';
import { parseDurationMs, scopeOrDefault } from './options.js';

interface PromoteOptions {
  force?: boolean;
  yes?: boolean;
  deadline: number;
}

const DEADLINE_MS = 120_000;

export function promoteClusterCommand(tool: Tool, finish: Finish): Command {
  return new Command('promote-cluster')
    .description('Promote cluster, make it run standalone')
    .argument('[cluster]')
    .option('--force', 'Ask nothing')
    .option('--yes', 'The same as --force')
    .option('--deadline <time>', 'Limit of the waiting (default 2m)', parseDurationMs, DEADLINE_MS)
    .action(async (cluster: string | undefined, options: PromoteOptions) => {
      const { changeClusterRole } = await import('../operate/cluster-role.js');
      const asker = openAsker(tool);
      try {
        const scope = await scopeOrDefault(tool, cluster);
        const force = options.force === true || options.yes === true;
        const limitMs = options.deadline;
        finish(await changeClusterRole(tool, asker, { scope, standby: null, force, limitMs }));
      } finally {
        asker.close();
      }
    });
}
