/** `patctl pause` and `resume`: Patroni's maintenance mode, asked for once and seen to be taken. */
import { Command, Option } from 'commander';
import { ToolError, type Ending } from '../errors.js';
import type { Context } from '../context.js';
import { reported } from '../actions/kit/action-document.js';
import { stderrPrinter } from '../actions/kit/print-action.js';
import { togglePause } from '../actions/pause/toggle-pause.js';
import { clusterMeant, parseCount, prettyOrJson } from '../cli/options.js';
import { parseDurationMs } from '../cli/units.js';
import type { Run } from '../cli/run-command.js';

interface PauseOptions {
  group?: number;
  wait?: boolean;
  idempotent?: boolean;
  deadline?: number;
  while?: boolean;
  max?: number;
}

const WHILE = `
patctl pause --while -- COMMAND pauses the cluster, waits until every member that answers has acknowledged it, runs
COMMAND on this terminal, and resumes the cluster however COMMAND ended. It exits with the status of COMMAND (127: it
could not be started), with one of these codes when COMMAND did not run, and with 4 or 5 when the cluster may still be
paused, when it was resumed by someone else meanwhile, or when COMMAND reached --max. What patctl itself says goes to stderr.
SIGTERM and SIGHUP are passed on to COMMAND; after 10 s it is killed. If patctl itself is killed with SIGKILL, the
cluster stays paused, and patctl check reports it.
`;

export function pauseCommand(run: Run): Command {
  return toggleCommand(run, true)
    .description('Disable auto failover')
    .argument('[command...]', 'With --while, after --: the program to run and its arguments')
    .addOption(
      new Option('--while', 'Pause only while COMMAND runs, then resume').conflicts([
        'wait',
        'format',
      ]),
    )
    .option('--max <time>', 'With --while: end COMMAND at this limit', parseDurationMs)
    .addHelpText('after', WHILE);
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
    .action((...given: unknown[]) =>
      run((context) => toggle(context, paused, given.at(-1) as Command)),
    );
}

async function toggle(given: Context, paused: boolean, command: Command): Promise<Ending | number> {
  const options = command.opts<PauseOptions>();
  const { wait = false, idempotent = false, deadline: deadlineMs = null } = options;
  const { names, program } = wordsOf(command);
  const [cluster, surplus] = names;
  refuseMistakes(command, options, { surplus, program });
  if (options.while) {
    const meant = await clusterMeant(given, cluster, options.group);
    const { pauseWhile } = await import('../actions/pause/pause-while.js');
    const { tell } = stderrPrinter(given);
    const maxMs = options.max ?? null;
    return pauseWhile(given, tell, { ...meant, command: program, idempotent, deadlineMs, maxMs });
  }
  const name = paused ? 'pause' : 'resume';
  return reported(given, { command: name, cluster }, async (context, { tell }) => {
    const meant = await clusterMeant(context, cluster, options.group);
    return togglePause(context, tell, { ...meant, paused, wait, idempotent, deadlineMs });
  });
}

/** What stands before `--` and what stands after it, which commander joins. */
function wordsOf(command: Command): { names: string[]; program: string[] } {
  const { rawArgs } = command.parent as unknown as { rawArgs: readonly string[] };
  const at = rawArgs.indexOf('--');
  const after = at < 0 ? 0 : rawArgs.length - at - 1;
  const split = command.args.length - after;
  return { names: command.args.slice(0, split), program: command.args.slice(split) };
}

function refuseMistakes(
  command: Command,
  options: PauseOptions,
  { surplus, program }: { surplus: string | undefined; program: readonly string[] },
): void {
  const name = command.name();
  if (surplus !== undefined)
    throw new ToolError(
      'usage',
      `too many arguments for '${name}': one cluster, not also ${surplus}`,
    );
  if (options.while && program.length === 0) {
    const hint = `patctl pause --while -- COMMAND`;
    throw new ToolError('usage', 'no COMMAND is given after --', { hint });
  }
  if (!options.while && (program.length > 0 || options.max !== undefined))
    throw new ToolError('usage', 'a COMMAND and --max need --while');
}
