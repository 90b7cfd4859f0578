/** `patctl show-config`: the dynamic configuration as the DCS holds it. */
import { Command, Option } from 'commander';
import type { Cluster } from '../cluster/model.js';
import { ToolError, type Ending } from '../errors.js';
import { readCluster } from '../operate/clusters.js';
import { showConfigCompat } from '../output/compat.js';
import type { Finish } from '../program.js';
import type { Tool } from '../tool.js';
import { parseCount, scopeOrDefault } from './options.js';

interface ShowConfigOptions {
  group?: number;
  format: 'yaml' | 'json';
}

export function showConfigCommand(tool: Tool, finish: Finish): Command {
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
      finish(await showConfig(tool, cluster, options)),
    );
}

async function showConfig(
  tool: Tool,
  name: string | undefined,
  { group, format }: ShowConfigOptions,
): Promise<Ending> {
  const scope = await scopeOrDefault(tool, name);
  const cluster = await readCluster(tool, scope, group ?? (await tool.config()).group);
  const config = readableConfig(cluster);
  tool.io.out(
    format === 'json' ? `${JSON.stringify(config.raw, null, 2)}\n` : showConfigCompat(cluster),
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
      hint: 'write it anew with edit-config --replace FILE',
    });
  }
  return config;
}

export function noConfig({ scope }: Cluster): ToolError {
  return new ToolError('error', `The config key does not exist in the cluster ${scope}`, {
    code: 'no_config',
    hint: 'Patroni writes it when it bootstraps the cluster: is one running?',
  });
}
