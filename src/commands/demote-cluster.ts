/** `patctl demote-cluster`: makes a cluster a standby cluster of another one. */
import { Command } from 'commander';
import type { JsonObject } from '../cluster/model.js';
import { ToolError } from '../errors.js';
import { openAsker } from '../output/ask.js';
import type { Finish } from '../program.js';
import type { Tool } from '../tool.js';
import { parseCount, parseDurationMs, scopeOrDefault } from './options.js';

interface DemoteOptions {
  host?: string;
  port?: number;
  restoreCommand?: string;
  primarySlotName?: string;
  force?: boolean;
  yes?: boolean;
  deadline: number;
}

const DEADLINE_MS = 120_000;

export function demoteClusterCommand(tool: Tool, finish: Finish): Command {
  return new Command('demote-cluster')
    .description('Demote cluster to a standby cluster')
    .argument('[cluster]')
    .option('--host <host>', 'Address of the remote node')
    .option('--port <port>', 'Port of the remote node', parseCount)
    .option('--restore-command <command>', 'Restores WAL of the remote primary from its archive')
    .option('--primary-slot-name <slot>', 'Slot on the remote node to stream from')
    .option('--force', 'Ask nothing')
    .option('--yes', 'The same as --force')
    .option('--deadline <time>', 'Limit of the waiting (default 2m)', parseDurationMs, DEADLINE_MS)
    .action(async (cluster: string | undefined, options: DemoteOptions) => {
      const standby = standbyOf(options);
      const { changeClusterRole } = await import('../operate/cluster-role.js');
      const asker = openAsker(tool);
      try {
        const scope = await scopeOrDefault(tool, cluster);
        const force = options.force === true || options.yes === true;
        const limitMs = options.deadline;
        finish(await changeClusterRole(tool, asker, { scope, standby, force, limitMs }));
      } finally {
        asker.close();
      }
    });
}

/** In the order in which patronictl writes it. */
function standbyOf({ host, port, restoreCommand, primarySlotName }: DemoteOptions): JsonObject {
  if (!host && !port && !restoreCommand) {
    throw new ToolError(
      'usage',
      'At least --host, --port or --restore-command should be specified',
      { code: 'no_remote' },
    );
  }
  const standby: JsonObject = {};
  if (host) standby['host'] = host;
  if (port) standby['port'] = port;
  if (primarySlotName) standby['primary_slot_name'] = primarySlotName;
  if (restoreCommand) standby['restore_command'] = restoreCommand;
  return standby;
}
