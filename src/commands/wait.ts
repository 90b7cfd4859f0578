/** `patctl wait`: until something is so, following the DCS, with a limit. */
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  CONDITIONS,
  parseCondition,
  type Condition,
  type LagLimit,
} from '../cluster/conditions.js';
import type { Ending } from '../errors.js';
import { oneLine } from '../output/text.js';
import type { Run } from '../cli/run-command.js';
import type { Context } from '../context.js';
import {
  addWitnessOptions,
  parseCount,
  scopeOrDefault,
  askingOf,
  type WitnessOptions,
} from '../cli/options.js';
import { parseSize, parseDurationMs } from '../cli/units.js';

interface WaitOptions extends WitnessOptions, LagLimit {
  group?: number;
  for: Condition[];
  deadline: number;
  maxLag: number;
  evenPaused?: boolean;
}

const DEFAULT_LIMIT_MS = 300_000;

function takeCondition(text: string, before: Condition[] = []): Condition[] {
  const condition = parseCondition(text);
  if (condition === null) throw new InvalidArgumentError(`one of: ${CONDITIONS}.`);
  return [...before, condition];
}

const HEALTHY = `
healthy means: the leader is a primary (or a standby leader); every other member streams, except those tagged
nostream; no member has left the DCS within 24 h other than by a clean shutdown; every member's Patroni answers, and its
PostgreSQL runs and takes clients; a standby is synchronous where synchronous_mode is on; check would find nothing
critical and nothing unknown; failsafe mode is not active; and the cluster is not paused, unless --even-paused is given.
`;

export function waitCommand(run: Run): Command {
  const command = new Command('wait')
    .description('Wait until a condition holds; exit 0 when it does, 5 at the limit')
    .argument('[cluster]')
    .requiredOption('--for <condition>', `${CONDITIONS}; may be repeated`, takeCondition)
    .option('--group <number>', 'Citus group', parseCount)
    .option('--max-lag <size>', 'Maximum lag that counts as caught up', parseSize, 0)
    .addOption(
      new Option('--mode <mode>', 'Which position must be within --max-lag')
        .choices(['replay', 'write'])
        .default('replay'),
    )
    .option('--even-paused', 'Accept a paused cluster as healthy')
    .option(
      '--deadline <time>',
      'Limit of the whole wait (default 5m)',
      parseDurationMs,
      DEFAULT_LIMIT_MS,
    )
    .addHelpText('after', HEALTHY);
  return addWitnessOptions(command).action((cluster: string | undefined, options: WaitOptions) =>
    run((context) => wait(context, cluster, options)),
  );
}

async function wait(
  context: Context,
  cluster: string | undefined,
  options: WaitOptions,
): Promise<Ending> {
  const scope = await scopeOrDefault(context, cluster);
  const { group: configured } = await context.config();
  const { maxLag: maxLagBytes, mode, evenPaused = false, deadline } = options;
  const { waitUntil } = await import('../observe/wait-until.js');
  await waitUntil(context, {
    cluster: { scope, group: options.group ?? configured, ...askingOf(options) },
    conditions: options.for,
    limit: { maxLagBytes, mode, evenPaused },
    deadlineMs: deadline,
    onMissing: (missing) => context.io.err(`waiting: ${oneLine(missing)}\n`),
  });
  return 'ok';
}
