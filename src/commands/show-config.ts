/** `patctl show-config`: the dynamic configuration as the DCS holds it. */
import { Command, Option } from 'commander';
import { readableConfig } from '../actions/edit-config/readable-config.js';
import type { Ending } from '../errors.js';
import { readCluster } from '../observe/read-keys.js';
import { showConfigCompat } from '../output/compat.js';
import type { Run } from '../cli/run-command.js';
import type { Context } from '../context.js';
import { parseCount, scopeOrDefault } from '../cli/options.js';

interface ShowConfigOptions {
  group?: number;
  format: 'yaml' | 'json';
}

export function showConfigCommand(run: Run): Command {
  return new Command('show-config')
    .description('Show the configuration of the cluster')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('-f, --format <format>', 'Output format')
        .choices(['yaml', 'json'])
        .default('yaml'),
    )
    .action((cluster: string | undefined, options: ShowConfigOptions) =>
      run((context) => showConfig(context, cluster, options)),
    );
}

async function showConfig(
  context: Context,
  name: string | undefined,
  { group, format }: ShowConfigOptions,
): Promise<Ending> {
  const scope = await scopeOrDefault(context, name);
  const cluster = await readCluster(context, scope, group ?? (await context.config()).group);
  const config = readableConfig(cluster);
  context.io.out(
    format === 'json'
      ? `${JSON.stringify(config.raw, null, 2)}\n`
      : showConfigCompat(cluster, context.flags.compat),
  );
  return 'ok';
}
