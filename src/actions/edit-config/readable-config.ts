/** The dynamic configuration of a cluster, where it can be read. */
import type { Cluster } from '../../cluster/model/model.js';
import { ToolError } from '../../errors.js';

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
