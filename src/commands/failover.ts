/** `patctl failover`: a named member leads, also when nobody does, with what may be lost said before. */
import { Command } from 'commander';
import { addChangeOptions, runChange, type ChangeOptions } from './change-options.js';
import type { Finish } from '../cli/finish.js';
import type { Context } from '../context.js';

export function failoverCommand(context: Context, finish: Finish): Command {
  const command = new Command('failover').description(
    'Fail over to a named replica and verify the outcome',
  );
  return addChangeOptions(command).action(
    async (cluster: string | undefined, options: ChangeOptions) =>
      finish(await runChange(context, 'failover', cluster, options)),
  );
}
