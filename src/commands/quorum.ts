/** `patctl quorum`: the vote table of one cluster, and how many losses it survives. */
import { Command } from 'commander';
import { quorumDocument } from '../cluster/preflight/quorum-report.js';
import type { Finish } from '../program.js';
import type { Tool } from '../tool.js';
import {
  addWitnessOptions,
  parseCount,
  prettyOrJson,
  readOne,
  type WitnessOptions,
} from './options.js';

interface QuorumOptions extends WitnessOptions {
  group?: number;
  format: 'pretty' | 'json';
}

export function quorumCommand(tool: Tool, finish: Finish): Command {
  const command = new Command('quorum')
    .description('Who would take over with which votes, and how many losses are survived')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(prettyOrJson());
  return addWitnessOptions(command).action(
    async (cluster: string | undefined, options: QuorumOptions) => {
      await quorum(tool, cluster, options);
      finish('ok');
    },
  );
}

async function quorum(
  tool: Tool,
  cluster: string | undefined,
  options: QuorumOptions,
): Promise<void> {
  const snapshot = await readOne(tool, cluster, options);
  const document = quorumDocument(snapshot);
  const { quorumText } = await import('../output/quorum.js');
  tool.io.out(
    options.format === 'json'
      ? `${JSON.stringify(document, null, 2)}\n`
      : await quorumText(document),
  );
}
