/**
 * `patctl failover`: a named member becomes the leader, also without a current leader; possible data loss is shown
 * before.
 */
import { Command } from 'commander';
import { addChangeOptions, runChange, type ChangeOptions } from './change-options.js';
import type { Run } from '../cli/run-command.js';

export function failoverCommand(run: Run): Command {
  const command = new Command('failover').description(
    'Fail over to a named replica and verify the outcome',
  );
  return addChangeOptions(command).action((cluster: string | undefined, options: ChangeOptions) =>
    run((context) => runChange(context, 'failover', cluster, options)),
  );
}
