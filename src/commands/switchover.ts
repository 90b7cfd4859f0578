/** `patctl switchover`: another member leads, with nothing lost and the outcome proven. */
import { Command, Option } from 'commander';
import { addChangeOptions, runChange, type ChangeOptions } from './change-options.js';
import { ToolError } from '../errors.js';
import type { Run } from '../cli/run-command.js';

export function switchoverCommand(run: Run): Command {
  const command = new Command('switchover')
    .description('Switch over to a replica and verify the outcome')
    .option('--leader <member>', 'The current leader; also --primary')
    .addOption(new Option('--primary <member>').hideHelp())
    .option(
      '--avoid <member>',
      'Switch over only if this member is the leader; otherwise do nothing',
    )
    .option('--scheduled <time>', 'ISO 8601 with offset or zone, +30m, or now');
  return addChangeOptions(command).action((cluster: string | undefined, options: ChangeOptions) =>
    run(async (context) => {
      if (options.avoid !== undefined && (options.leader ?? options.primary) !== undefined) {
        throw new ToolError('usage', '--avoid cannot be combined with --leader');
      }
      return runChange(context, 'switchover', cluster, options);
    }),
  );
}
