/** `patctl retire`: takes a member out for good, once it is stopped, and removes what it leaves. */
import { Command } from 'commander';
import { reportedAsking } from '../actions/kit/action-document.js';
import { clusterMeant, parseCount, prettyOrJson } from '../cli/options.js';
import type { Run } from '../cli/run-command.js';
import { parseDurationMs } from '../cli/units.js';

interface RetireOptions {
  group?: number;
  dryRun?: boolean;
  force?: boolean;
  yes?: boolean;
  keepSlot?: boolean;
  deadline: number;
}

/** Time to log in on its host and stop it there. */
const WAIT_MS = 30 * 60_000;

export function retireCommand(run: Run): Command {
  return new Command('retire')
    .description('Take a member out for good: wait until it is stopped, then remove what it leaves')
    .argument('<member>')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('--dry-run', 'Only show what the cluster would be without the member')
    .option('--force', 'Do not ask questions')
    .option('--yes', 'The same as --force')
    .option(
      '--deadline <time>',
      'Limit of the wait until Patroni and PostgreSQL of the member are stopped (default 30m)',
      parseDurationMs,
      WAIT_MS,
    )
    .option('--keep-slot', 'Leave its replication slot to Patroni, for member_slots_ttl')
    .addOption(prettyOrJson())
    .action((member: string, cluster: string | undefined, options: RetireOptions) =>
      run((given) => {
        const dryRun = options.dryRun === true;
        return reportedAsking(
          given,
          { command: 'retire', cluster, dryRun },
          async (context, asking) => {
            const { retireMember } = await import('../actions/retire/retire-member.js');
            return retireMember(context, asking, {
              ...(await clusterMeant(context, cluster, options.group)),
              member,
              dryRun,
              force: options.force === true || options.yes === true,
              keepSlot: options.keepSlot === true,
              waitMs: options.deadline,
            });
          },
        );
      }),
    );
}
