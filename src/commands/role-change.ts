/** What demote-cluster and promote-cluster share: their options, and the members to ask. */
import type { Command } from 'commander';
import type { JsonObject } from '../cluster/model/model.js';
import { actionPrinter } from '../actions/kit/print-action.js';
import { withAsker } from '../output/ask.js';
import type { Ending } from '../errors.js';
import type { Context } from '../context.js';
import { parseCount, scopeOrDefault } from '../cli/options.js';
import { parseDurationMs } from '../cli/units.js';

export interface RoleOptions {
  group?: number;
  force?: boolean;
  yes?: boolean;
  deadline: number;
}

const DEADLINE_MS = 120_000;

export function addRoleOptions(command: Command): Command {
  return command
    .option('--group <number>', 'Citus group', parseCount)
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
  cluster: string | undefined,
  standby: JsonObject | null,
  { group, force, yes, deadline: limitMs }: RoleOptions,
): Promise<Ending> {
  const { changeClusterRole } = await import('../actions/standby-cluster/change-role.js');
  const scope = await scopeOrDefault(context, cluster);
  const quiet = force === true || yes === true;
  const change = { scope, group: group ?? null, standby, force: quiet, limitMs };
  const printer = actionPrinter(context);
  return withAsker(context, (asker) => changeClusterRole(context, { asker, ...printer }, change));
}
