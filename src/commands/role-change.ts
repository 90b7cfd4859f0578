/** What demote-cluster and promote-cluster have in common: their options, and who is asked. */
import type { Command } from 'commander';
import type { JsonObject } from '../cluster/model/model.js';
import { openAsker } from '../output/ask.js';
import type { Finish } from '../cli/finish.js';
import type { Context } from '../context.js';
import { scopeOrDefault } from '../cli/options.js';
import { parseDurationMs } from '../cli/units.js';

export interface RoleOptions {
  force?: boolean;
  yes?: boolean;
  deadline: number;
}

const DEADLINE_MS = 120_000;

export function addRoleOptions(command: Command): Command {
  return command
    .option('--force', 'Do not ask questions')
    .option('--yes', 'The same as --force')
    .option(
      '--deadline <time>',
      'Limit of the whole wait (default 2m)',
      parseDurationMs,
      DEADLINE_MS,
    );
}

/** Makes the cluster a standby cluster, or, with null, one that stands alone. */
export async function changeRole(
  context: Context,
  finish: Finish,
  cluster: string | undefined,
  standby: JsonObject | null,
  { force, yes, deadline: limitMs }: RoleOptions,
): Promise<void> {
  const { changeClusterRole } = await import('../actions/standby-cluster/change-role.js');
  const asker = openAsker(context);
  try {
    const scope = await scopeOrDefault(context, cluster);
    const quiet = force === true || yes === true;
    finish(await changeClusterRole(context, asker, { scope, standby, force: quiet, limitMs }));
  } finally {
    asker.close();
  }
}
