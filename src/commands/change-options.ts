/** The options of switchover and failover: patronictl's, and ours. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { skipProblem } from '../cluster/preflight/plan.js';
import type { WaitFor } from '../cluster/progress/change-outcome.js';
import { parseCount, parseDurationMs, parseHostPort, type WitnessOptions } from '../cli/options.js';
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
    .option('--candidate <member>', 'Who shall lead; auto takes the best one that may')
    .option('--force', 'Ask nothing; every check still counts')
    .option('--yes', 'The same as --force')
    .option('--dry-run', 'Show the plan and stop: 0 it would go, 1 it would be refused')
    .option('--allow-data-loss', 'Go on although acknowledged commits may be lost')
    .option('--skip-check <name>', 'Skip this one check; may be repeated', collectCheck)
    .option('--terminate-logical', 'End stuck logical clients right before the request')
    .addOption(
      new Option('--via <way>', 'Over Patroni, or by writing /failover into the DCS')
        .choices(['rest', 'dcs'])
        .default('rest'),
    )
    .addOption(
      new Option('--wait <level>', 'What has to be seen before it counts as done')
        .choices(['leader', 'writable', 'healthy'])
        .default('healthy'),
    )
    .option('--no-wait', 'Leave when the request is accepted')
    .option(
      '--timeout <time>',
      'Limit of the waiting (default 120s)',
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
      new Option('--verify <how>', 'Whom to ask besides the DCS before the request')
        .choices(['auto', 'sql', 'rest', 'off'])
        .default('auto'),
    )
    .option('--also <host:port>', 'Ask this PostgreSQL too; may be repeated', parseHostPort)
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
