/** The options of switchover and failover: patronictl's, and ours. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { skipProblem } from '../cluster/preflight/plan.js';
import type { WaitFor } from '../cluster/progress/change-outcome.js';
import { parseCount, parseHostPort, type WitnessOptions } from '../cli/options.js';
import { parseDurationMs } from '../cli/units.js';
import { PROGRESS_STYLES, type ProgressStyle } from '../output/progress.js';

export interface ChangeOptions extends Omit<WitnessOptions, 'timeout' | 'serializable'> {
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
  wait: Exclude<WaitFor, 'accepted'> | false;
  /** Of the whole waiting, ms. */
  timeout: number;
  progress?: ProgressStyle;
  format: 'pretty' | 'json';
}

const DEFAULT_TIMEOUT_MS = 120_000;

/** Options that both commands take. */
export function addChangeOptions(command: Command): Command {
  return command
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
      new Option('--wait <level>', 'What must be observed before the change counts as done')
        .choices(['leader', 'writable', 'healthy'])
        .default('healthy'),
    )
    .option('--no-wait', 'Return as soon as the request is accepted')
    .option(
      '--timeout <time>',
      'Limit of the whole wait (default 120s)',
      parseDurationMs,
      DEFAULT_TIMEOUT_MS,
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
      new Option('--verify <how>', 'Witnesses to ask besides the DCS before the request')
        .choices(['auto', 'sql', 'rest', 'off'])
        .default('auto'),
    )
    .option('--also <host:port>', 'Also ask this PostgreSQL server (repeatable)', parseHostPort)
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
