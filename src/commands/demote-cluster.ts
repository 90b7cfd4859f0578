/** `patctl demote-cluster`: makes a cluster a standby cluster of another one. */
import { Command, InvalidArgumentError } from 'commander';
import type { JsonObject } from '../cluster/model/model.js';
import { ToolError } from '../errors.js';
import type { Run } from '../cli/run-command.js';
import { addRoleOptions, changeRole, type RoleOptions } from './role-change.js';

interface DemoteOptions extends RoleOptions {
  host?: string;
  port?: number;
  restoreCommand?: string;
  primarySlotName?: string;
}

export function demoteClusterCommand(run: Run): Command {
  const command = new Command('demote-cluster')
    .description('Demote cluster to a standby cluster')
    .argument('[cluster]')
    .option('--host <host>', 'Address of the remote node')
    .option('--port <port>', 'Port of the remote node', parsePort)
    .option(
      '--restore-command <command>',
      'Command that restores WAL of the remote primary from its archive',
    )
    .option('--primary-slot-name <slot>', 'Slot on the remote node to stream from');
  return addRoleOptions(command).action((cluster: string | undefined, options: DemoteOptions) =>
    run(async (context) => changeRole(context, cluster, standbyOf(options), options)),
  );
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^[0-9]+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('expected a port, 1 to 65535.');
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
