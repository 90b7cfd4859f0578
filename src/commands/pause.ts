/** `patctl pause` and `resume`: Patroni's maintenance mode, asked for once and seen to be taken. */
import { Command } from 'commander';
import { reported } from '../actions/kit/action-document.js';
import { togglePause } from '../actions/pause/toggle-pause.js';
import { clusterMeant, parseCount, prettyOrJson } from '../cli/options.js';
import { parseDurationMs } from '../cli/units.js';
import type { Run } from '../cli/run-command.js';

interface PauseOptions {
  group?: number;
  wait?: boolean;
  idempotent?: boolean;
  deadline?: number;
}

export function pauseCommand(run: Run): Command {
  return toggleCommand(run, true).description('Disable auto failover');
}

export function resumeCommand(run: Run): Command {
  return toggleCommand(run, false).description('Resume auto failover');
}

function toggleCommand(run: Run, paused: boolean): Command {
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
    .addOption(prettyOrJson())
    .action((cluster: string | undefined, options: PauseOptions) =>
      run((given) => {
        const { wait = false, idempotent = false, deadline: deadlineMs = null } = options;
        const command = paused ? 'pause' : 'resume';
        return reported(given, { command, cluster }, async (context, report) => {
          const meant = await clusterMeant(context, cluster, options.group);
          return togglePause(context, report, { ...meant, paused, wait, idempotent, deadlineMs });
        });
      }),
    );
}
