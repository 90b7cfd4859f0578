/** `patctl pause` and `resume`: Patroni's maintenance mode, asked for once and seen to be taken. */
import { Command } from 'commander';
import { togglePause } from '../actions/pause/toggle-pause.js';
import { clusterMeant, parseCount } from '../cli/options.js';
import { parseDurationMs } from '../cli/units.js';
import type { Finish } from '../cli/finish.js';
import type { Context } from '../context.js';

interface PauseOptions {
  group?: number;
  wait?: boolean;
  idempotent?: boolean;
  deadline?: number;
}

export function pauseCommand(context: Context, finish: Finish): Command {
  return toggleCommand(context, finish, true).description('Disable auto failover');
}

export function resumeCommand(context: Context, finish: Finish): Command {
  return toggleCommand(context, finish, false).description('Resume auto failover');
}

function toggleCommand(context: Context, finish: Finish, paused: boolean): Command {
  const done = paused ? 'applied' : 'cleared';
  return new Command(paused ? 'pause' : 'resume')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('-w, --wait', `Wait until pause is ${done} on all nodes`)
    .option(
      '--idempotent',
      `Exit 0 when the cluster is ${paused ? 'paused' : 'not paused'} already`,
    )
    .option('--deadline <time>', 'Limit of --wait (default 2 x loop_wait + 5s)', parseDurationMs)
    .action(async (cluster: string | undefined, options: PauseOptions) => {
      const { wait = false, idempotent = false, deadline: deadlineMs = null } = options;
      const meant = await clusterMeant(context, cluster, options.group);
      finish(await togglePause(context, { ...meant, paused, wait, idempotent, deadlineMs }));
    });
}
