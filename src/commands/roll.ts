/** `patctl roll`: the operator's own COMMAND for every member, one at a time, the leader last. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { reportedAsking } from '../actions/kit/action-document.js';
import { addRouteOption, clusterMeant, parseCount, prettyOrJson } from '../cli/options.js';
import type { Run } from '../cli/run-command.js';
import { parseDurationMs, parseSize } from '../cli/units.js';
import { ToolError } from '../errors.js';
import { GATES } from '../cluster/preflight/gate-names.js';
import { PROGRESS_STYLES, type ProgressStyle } from '../output/progress.js';

interface RollOptions {
  group?: number;
  exec?: string;
  only?: string[];
  except?: string[];
  switchover: boolean;
  candidate?: string;
  back?: boolean;
  maxLag?: number;
  gateTimeout?: number;
  execTimeout?: number;
  backTimeout?: number;
  mayStayUp?: boolean;
  skipGate?: string[];
  dryRun?: boolean;
  force?: boolean;
  yes?: boolean;
  resume?: boolean;
  discard?: boolean;
  state?: string;
  log?: string;
  progress?: ProgressStyle;
  route?: string[];
}

const MORE = `
COMMAND runs on this machine, in /bin/sh. In it, {member}, {host} and {role} are replaced by the values of the member,
quoted for this shell (not for a second one, such as the one that ssh starts). The environment has them too:
PATCTL_MEMBER, PATCTL_HOST, PATCTL_PORT, PATCTL_ROLE (as in list -f json) and PATCTL_CLUSTER. COMMAND cannot read from
the terminal. Once it has exited with 0, the member must go down (or have been down) and come back: Patroni answers,
PostgreSQL streams and has caught up, and /sync names no fewer standbys than at the beginning.

Gates before each member: ${GATES.join(', ')}.
other_work is closed while a member starts, stops or is copied, a switchover is pending, or a restart is scheduled. A
second roll on this machine is refused; one on another machine is noticed when its member goes down.

Ctrl-C stops after the current member; a second Ctrl-C stops at once and ends COMMAND. An unfinished roll is kept in a
file: --resume takes COMMAND and all options from there, and repeats COMMAND for the current member unless it exited
with 0.
`;

export function rollCommand(run: Run): Command {
  const command = addRouteOption(new Command('roll'))
    .description('Run a command for each member, one at a time: replicas, switchover, old leader')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('--exec <command>', 'The command to run for each member')
    .option('--only <members>', 'Only these members (separated by commas, repeatable)', names)
    .option('--except <members>', 'All members but these', names)
    .option('--no-switchover', 'Stop before the leader')
    .option('--candidate <member>', 'Switch over to this member (default: the best one)')
    .option('--back', 'Switch back to the member that led at the beginning');
  return addLimits(command)
    .option('--may-stay-up', 'A member that COMMAND does not restart counts as done')
    .option('--skip-gate <name>', 'Skip this gate (repeatable)', collectGate)
    .option('--dry-run', 'Show the order and the gates as they are now')
    .option('--force', 'Do not ask questions; all gates still apply')
    .option('--yes', 'The same as --force')
    .addOption(
      new Option('--resume', 'Continue an unfinished roll').conflicts([
        ...['exec', 'only', 'except', 'switchover', 'candidate', 'back', 'discard'],
      ]),
    )
    .option('--discard', 'Discard an unfinished roll and begin a new one')
    .option('--state <file>', 'Where an unfinished roll is kept (default: ~/.local/state/patctl)')
    .option('--log <file>', 'Where the output of COMMAND is kept (default: beside the state file)')
    .addOption(
      new Option('--progress <style>', 'Progress on stderr (default text)').choices(
        PROGRESS_STYLES,
      ),
    )
    .addOption(prettyOrJson())
    .addHelpText('after', MORE)
    .action((cluster: string | undefined, options: RollOptions) =>
      run((given) => {
        if (!options.exec && options.resume !== true)
          throw new ToolError('usage', 'no COMMAND is given', { hint: "give --exec 'COMMAND'" });
        const dryRun = options.dryRun === true;
        const { progress } = options;
        const head = { command: 'roll', cluster, dryRun, progress } as const;
        return reportedAsking(given, head, async (context, asking) => {
          const { rollCluster } = await import('../actions/roll/roll-cluster.js');
          const meant = await clusterMeant(context, cluster, options.group);
          return rollCluster(context, asking, { ...meant, ...requestOf(options), dryRun });
        });
      }),
    );
}

function addLimits(command: Command): Command {
  return command
    .option(
      '--max-lag <size>',
      'Maximum lag of a replica at an open gate (default 16MB)',
      parseSize,
    )
    .option(
      '--gate-timeout <time>',
      'Limit of the wait for a closed gate (default 5m)',
      parseDurationMs,
    )
    .option('--exec-timeout <time>', 'End COMMAND at this limit (default: none)', parseDurationMs)
    .option(
      '--back-timeout <time>',
      'Limit of the wait until a member is back (default 15m)',
      parseDurationMs,
    );
}

function requestOf(options: RollOptions) {
  return {
    command: options.exec ?? null,
    only: options.only ?? [],
    except: options.except ?? [],
    switchover: options.switchover,
    candidate: options.candidate === 'auto' ? null : (options.candidate ?? null),
    back: options.back === true,
    maxLagBytes: options.maxLag ?? null,
    gateTimeoutMs: options.gateTimeout ?? null,
    execTimeoutMs: options.execTimeout ?? null,
    backTimeoutMs: options.backTimeout ?? null,
    mayStayUp: options.mayStayUp === true,
    skipGates: options.skipGate ?? [],
    force: options.force === true || options.yes === true,
    resume: options.resume === true,
    discard: options.discard === true,
    statePath: options.state ?? null,
    logPath: options.log ?? null,
    routes: options.route ?? [],
  };
}

function names(text: string, before: string[] = []): string[] {
  const given = text.split(',').map((name) => name.trim());
  if (given.includes('')) throw new InvalidArgumentError('expected names separated by commas.');
  return [...before, ...given];
}

function collectGate(name: string, before: string[] = []): string[] {
  if (!(GATES as readonly string[]).includes(name))
    throw new InvalidArgumentError(`expected one of ${GATES.join(', ')}.`);
  return [...before, name];
}
