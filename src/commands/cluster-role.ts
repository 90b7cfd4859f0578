/** What demote-cluster and promote-cluster have in common: their options, and who is asked. */
import type { Command } from 'commander';
import type { JsonObject } from '../cluster/model.js';
import { openAsker } from '../output/ask.js';
import type { Finish } from '../program.js';
import type { Tool } from '../tool.js';
import { parseDurationMs, scopeOrDefault } from './options.js';

export interface RoleOptions {
  force?: boolean;
  yes?: boolean;
  deadline: number;
}

const DEADLINE_MS = 120_000;

export function addRoleOptions(command: Command): Command {
  return command
    .option('--force', 'Ask nothing')
    .option('--yes', 'The same as --force')
    .option('--deadline <time>', 'Limit of the waiting (default 2m)', parseDurationMs, DEADLINE_MS);
}

/** Makes the cluster a standby cluster, or, with null, one that stands alone. */
export async function changeRole(
  tool: Tool,
  finish: Finish,
  cluster: string | undefined,
  standby: JsonObject | null,
  { force, yes, deadline: limitMs }: RoleOptions,
): Promise<void> {
  const { changeClusterRole } = await import('../operate/cluster-role.js');
  const asker = openAsker(tool);
  try {
    const scope = await scopeOrDefault(tool, cluster);
    const quiet = force === true || yes === true;
    finish(await changeClusterRole(tool, asker, { scope, standby, force: quiet, limitMs }));
  } finally {
    asker.close();
  }
}
