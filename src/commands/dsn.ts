/** `patctl dsn`: where to connect to, for scripts that do so themselves. */
import { orCannotTell } from '../cli/cannot-tell.js';
import { Command, Option } from 'commander';
import { ROLE_FILTERS } from '../cluster/select-members.js';
import { ToolError, type Ending } from '../errors.js';
import { readClusters } from '../observe/read-keys.js';
import { noSuchMember, suitableMembers, type WhichMember } from '../actions/kit/choose-members.js';
import type { Run } from '../cli/run-command.js';
import type { Context } from '../context.js';
import { parseCount, scopeOrDefault } from '../cli/options.js';

export function dsnCommand(run: Run): Command {
  const command = new Command('dsn')
    .description('Print the host and port of a member (default: the leader)')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount);
  return addWhichMember(command).action(
    (cluster: string | undefined, options: WhichMember & { group?: number }) =>
      run((context) => dsn(context, cluster, options)),
  );
}

/** -r and -m, as dsn and query take them. */
export function addWhichMember(command: Command): Command {
  return command
    .addOption(new Option('-r, --role <role>', 'Any member with this role').choices(ROLE_FILTERS))
    .addOption(new Option('-m, --member <name>', 'This member').conflicts('role'));
}

async function dsn(
  context: Context,
  name: string | undefined,
  options: WhichMember & { group?: number },
): Promise<Ending> {
  const scope = await scopeOrDefault(context, name);
  const clusters = await orCannotTell(readClusters(context, scope, options.group ?? null));
  const [first] = suitableMembers(clusters, options);
  if (!first) throw noSuchMember(clusters, options);
  const { host, port, name: found } = first.member;
  if (host === null || port === null) {
    throw new ToolError('error', `the DCS key of ${found} has no readable conn_url`, {
      code: 'no_address',
    });
  }
  context.io.out(`host=${host} port=${port}\n`);
  return 'ok';
}
