/** `patctl restart`: PostgreSQL on some members, now or later, one after another or rolling. */
import { Command, Option } from 'commander';
import { reportedAsking } from '../actions/kit/action-document.js';
import { restartMembers, type RestartsRequest } from '../actions/restart/restart-members.js';
import { ROLE_FILTERS, type RoleFilter } from '../cluster/select-members.js';
import type { Run } from '../cli/run-command.js';
import { parseCount, prettyOrJson } from '../cli/options.js';
import { parseDurationMs } from '../cli/units.js';

interface RestartOptions {
  group?: number;
  role: RoleFilter;
  any?: boolean;
  scheduled?: string;
  pgVersion?: string;
  pending?: boolean;
  timeout?: string;
  force?: boolean;
  yes?: boolean;
  wait?: boolean;
  deadline: number;
  rolling?: boolean;
  switchover?: boolean;
  dryRun?: boolean;
}

/** Patroni's own limit for a primary to come up is 300 s; the shutdown before it has none. */
const DEADLINE_MS = 360_000;

export function restartCommand(run: Run): Command {
  return new Command('restart')
    .description('Restart PostgreSQL on the members of a cluster')
    .argument('<cluster>')
    .argument('[members...]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('-r, --role <role>', 'Restart only members with this role')
        .choices(ROLE_FILTERS)
        .default('any'),
    )
    .option('--any', 'Restart a single member only')
    .option('--scheduled <time>', 'When: ISO 8601 with offset or zone, +30m, now')
    .option('--pg-version <version>', 'Restart if PostgreSQL is older than this (e.g. 15.2)')
    .option('--pending', 'Restart if pending')
    .option(
      '--timeout <time>',
      "Patroni's limit: fail over if the restart of the primary takes longer",
    )
    .option('--force', 'Do not ask questions')
    .option('--yes', 'The same as --force')
    .option('--wait', 'Wait until the member runs and streams with its new settings')
    .option('--deadline <time>', 'Limit for each member (default 6m)', parseDurationMs, DEADLINE_MS)
    .option(
      '--rolling',
      'Restart one member at a time, replicas first, each caught up before the next',
    )
    .option('--switchover', 'With --rolling: switch over before the primary is restarted')
    .option('--dry-run', 'With --rolling: show the plan and stop')
    .addOption(prettyOrJson())
    .action((cluster: string, members: string[], options: RestartOptions) =>
      run((given) => {
        // patronictl knows no rolling restart, and tells no steps.
        const progress = given.flags.compat ? 'none' : null;
        const head = { command: 'restart', cluster, dryRun: options.dryRun, progress } as const;
        return reportedAsking(given, head, (context, asking) =>
          restartMembers(context, asking, requestOf(cluster, members, options)),
        );
      }),
    );
}

function requestOf(scope: string, names: string[], options: RestartOptions): RestartsRequest {
  return {
    scope,
    group: options.group ?? null,
    role: options.role,
    names,
    any: options.any === true,
    scheduled: options.scheduled ?? null,
    pgVersion: options.pgVersion ?? null,
    pending: options.pending === true,
    timeout: options.timeout ?? null,
    force: options.force === true || options.yes === true || options.dryRun === true,
    wait: options.wait === true,
    deadlineMs: options.deadline,
    rolling: options.rolling === true,
    switchover: options.switchover === true,
    dryRun: options.dryRun === true,
  };
}
