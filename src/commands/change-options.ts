/** What switchover and failover have in common: patronictl's options and ours, the request, one call, the output. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { skipProblem } from '../cluster/preflight/plan.js';
import type { ChangeRequest } from '../cluster/preflight/plan-model.js';
import type { WaitFor } from '../cluster/progress/change-outcome.js';
import {
  addRouteOption,
  parseCount,
  collectHostPort,
  scopeOrDefault,
  askingOf,
  type WitnessOptions,
} from '../cli/options.js';
import type { Context } from '../context.js';
import { ToolError, type Ending } from '../errors.js';
import { questionsBeside } from '../actions/kit/action-document.js';
import type { LeaderChange } from '../actions/switchover/change.js';
import { parseDurationMs, parseTimeoutMs } from '../cli/units.js';
import { PROGRESS_STYLES, type ProgressStyle } from '../output/progress.js';

export interface ChangeOptions extends Omit<WitnessOptions, 'serializable'> {
  group?: number;
  leader?: string;
  primary?: string;
  candidate?: string;
  avoid?: string;
  scheduled?: string;
  force?: boolean;
  yes?: boolean;
  dryRun?: boolean;
  allowDataLoss?: boolean;
  skipCheck?: string[];
  terminateLogical?: boolean;
  via: 'rest' | 'dcs';
  /** false: --no-wait. */
  wait?: Exclude<WaitFor, 'accepted'> | false;
  route?: string[];
  /** Of the whole wait, ms. */
  deadline: number;
  progress?: ProgressStyle;
  format: 'pretty' | 'json';
}

const DEFAULT_DEADLINE_MS = 120_000;

/** Options that both commands take. */
export function addChangeOptions(command: Command): Command {
  return addRouteOption(command)
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('--candidate <member>', 'Member to promote; auto selects the best eligible member')
    .option('--force', 'Do not ask questions; all checks still apply')
    .option('--yes', 'The same as --force')
    .option('--dry-run', 'Show the plan and stop; exit 0 if it would be sent, 1 if refused')
    .option('--allow-data-loss', 'Continue even if acknowledged commits may be lost')
    .option('--skip-check <name>', 'Skip this check (repeatable)', collectCheck)
    .option('--terminate-logical', 'Terminate stuck logical walsenders just before the request')
    .addOption(
      new Option(
        '--via <way>',
        "Send the request to Patroni's REST API, or write /failover to the DCS",
      )
        .choices(['rest', 'dcs'])
        .default('rest'),
    )
    .addOption(
      new Option(
        '--wait <level>',
        'What must be observed before the change counts as done (default routes if any are known, else healthy)',
      ).choices(['leader', 'writable', 'healthy', 'routes']),
    )
    .option('--no-wait', 'Return as soon as the request is accepted')
    .option(
      '--deadline <time>',
      'Limit of the whole wait (default 2m)',
      parseDurationMs,
      DEFAULT_DEADLINE_MS,
    )
    .addOption(
      new Option('--progress <style>', 'Progress on stderr (default text)').choices(
        PROGRESS_STYLES,
      ),
    )
    .addOption(
      new Option('-f, --format <format>', 'Output format')
        .choices(['pretty', 'json'])
        .default('pretty'),
    )
    .addOption(
      new Option('--verify <how>', 'Witnesses to ask in addition to the DCS before the request')
        .choices(['auto', 'sql', 'rest', 'off'])
        .default('auto'),
    )
    .option('--timeout <time>', 'Limit of one call to one node (default 3s)', parseTimeoutMs)
    .option('--also <host:port>', 'Also ask this PostgreSQL server (repeatable)', collectHostPort)
    .option('-U, --username <name>', 'Database user')
    .option('-d, --dbname <name>', 'Database')
    .option('--password', 'Ask for the database password')
    .option('--snapshot <file>', 'With --dry-run: plan on a recording (patctl snapshot)');
}

function collectCheck(name: string, before: string[] = []): string[] {
  const problem = skipProblem([name]);
  if (problem !== null) throw new InvalidArgumentError(problem);
  return [...before, name];
}

const CONSENT_HINT = 'give --force (all checks still apply), or --dry-run to see only the plan';

/** Every ending but ok is thrown. */
export async function runChange(
  context: Context,
  kind: ChangeRequest['kind'],
  cluster: string | undefined,
  options: ChangeOptions,
): Promise<Ending> {
  if (options.snapshot !== undefined && options.dryRun !== true) {
    throw new ToolError('usage', '--snapshot needs --dry-run: a recording cannot be changed', {
      code: 'recording',
    });
  }
  const asks = options.force !== true && options.yes !== true && options.dryRun !== true;
  const { needConsent, openAsker } = await import('../output/ask.js');
  if (asks) needConsent(context, kind, CONSENT_HINT);
  const change = await changeOf(context, kind, cluster, options);
  const { format } = options;
  const [{ changeLeader }, { changePrinter, printUnplanned }, { orThrow }] = await Promise.all([
    import('../actions/switchover/change-leader.js'),
    import('../actions/switchover/print-change.js'),
    import('../actions/switchover/conclusion.js'),
  ]);
  const asker = asks ? openAsker(questionsBeside(context)) : null;
  const shown = { format, dryRun: change.dryRun, progress: options.progress ?? null };
  try {
    const talk = { asker, ...changePrinter(context, shown) };
    const result = await changeLeader(context, change, talk).catch((error: unknown) => {
      if (format === 'json') printUnplanned(context, change, error);
      throw error;
    });
    talk.on({ kind: 'ended', result });
    return orThrow(result.conclusion);
  } finally {
    asker?.close();
  }
}

async function changeOf(
  context: Context,
  kind: ChangeRequest['kind'],
  cluster: string | undefined,
  options: ChangeOptions,
): Promise<LeaderChange> {
  return {
    kind,
    scope: await scopeOrDefault(context, cluster),
    group: options.group ?? null,
    asking: askingOf(options),
    leader: options.leader ?? options.primary ?? null,
    candidate: options.candidate ?? null,
    avoid: options.avoid ?? null,
    scheduled: options.scheduled ?? null,
    dryRun: options.dryRun === true,
    allowDataLoss: options.allowDataLoss === true,
    skipChecks: options.skipCheck ?? [],
    terminateLogical: options.terminateLogical === true,
    via: options.via,
    waitFor: options.wait === false ? 'accepted' : (options.wait ?? null),
    routes: options.route ?? [],
    deadlineMs: options.deadline,
  };
}
