/** `patctl flush`: withdraws scheduled restarts, a scheduled switchover, or a request that got stuck. */
import { Command, Option } from 'commander';
import { reportedAsking } from '../actions/kit/action-document.js';
import type { AskAndTell } from '../actions/kit/report.js';
import { flushRestarts } from '../actions/flush/flush-restarts.js';
import { flushSwitchover } from '../actions/flush/flush-switchover.js';
import { ROLE_FILTERS, type RoleFilter } from '../cluster/select-members.js';
import { ToolError, type Ending } from '../errors.js';
import type { Run } from '../cli/run-command.js';
import type { Context } from '../context.js';
import { parseCount, prettyOrJson } from '../cli/options.js';

interface FlushOptions {
  group?: number;
  role: RoleFilter;
  force?: boolean;
  stuck?: boolean;
  via: 'rest' | 'dcs';
}

export function flushCommand(run: Run): Command {
  return new Command('flush')
    .description('Discard scheduled restarts, or the scheduled switchover')
    .usage('[options] <cluster> [members...] restart|switchover')
    .argument('<cluster>')
    .argument('[members...]', 'members, then restart or switchover')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('-r, --role <role>', 'Flush only members with this role')
        .choices(ROLE_FILTERS)
        .default('any'),
    )
    .option('--force', 'Do not ask for confirmation at any point')
    .option('--stuck', 'switchover: clear an unscheduled request that was left in /failover')
    .addOption(
      new Option(
        '--via <way>',
        "switchover: through Patroni's REST API, or by writing /failover to the DCS",
      )
        .choices(['rest', 'dcs'])
        .default('rest'),
    )
    .addOption(prettyOrJson())
    .action((cluster: string, rest: string[], options: FlushOptions) =>
      run((given) =>
        reportedAsking(given, { command: 'flush', cluster }, (context, asking) =>
          flush(context, asking, cluster, rest, options),
        ),
      ),
    );
}

async function flush(
  context: Context,
  asking: AskAndTell,
  scope: string,
  rest: string[],
  options: FlushOptions,
): Promise<Ending> {
  const target = rest.at(-1);
  const { group = null, force = false, role, stuck = false, via } = options;
  if (target === 'restart') {
    return flushRestarts(context, asking, { scope, group, role, names: rest.slice(0, -1), force });
  }
  if (target === 'switchover') {
    return flushSwitchover(context, asking, { scope, group, force, stuck, via });
  }
  const wrong =
    target === undefined
      ? "missing argument 'restart|switchover'"
      : `unknown event "${target}": expected restart or switchover`;
  throw new ToolError('usage', wrong, {
    hint: 'patctl flush CLUSTER [MEMBERS…] restart|switchover',
  });
}
