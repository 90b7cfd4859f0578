/** `patctl show-config`: the dynamic configuration as the DCS holds it. */
import { Command, Option } from 'commander';
import type { Cluster } from '../cluster/model/model.js';
import { ToolError, type Ending } from '../errors.js';
import { readCluster } from '../actions/kit/choose-members.js';
import { showConfigCompat } from '../output/compat.js';
import type { Finish } from '../cli/finish.js';
import type { Context } from '../context.js';
import { parseCount, scopeOrDefault } from '../cli/options.js';

interface ShowConfigOptions {
  group?: number;
  format: 'yaml' | 'json';
}

export function showConfigCommand(context: Context, finish: Finish): Command {
  return new Command('show-config')
    .description('Show the configuration of the cluster')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('-f, --format <format>', 'Output format')
        .choices(['yaml', 'json'])
        .default('yaml'),
    )
    .action(async (cluster: string | undefined, options: ShowConfigOptions) =>
      finish(await showConfig(context, cluster, options)),
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

/** The configuration, or the ToolError that says why there is none. */
export function readableConfig(cluster: Cluster): NonNullable<Cluster['config']> {
  const { config, problems } = cluster;
  if (!config) throw noConfig(cluster);
  const broken = problems.find(({ key, partly }) => !partly && key.endsWith('/config'));
  if (broken) {
    throw new ToolError('error', `${broken.key} ${broken.problem}`, {
      code: 'unreadable_config',
      hint: 'replace it with edit-config --replace FILE',
    });
  }
  return config;
}

export function noConfig({ scope }: Cluster): ToolError {
  return new ToolError('error', `The config key does not exist in the cluster ${scope}`, {
    code: 'no_config',
    hint: 'Patroni writes it when it bootstraps the cluster: is a member running?',
  });
}
