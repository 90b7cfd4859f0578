/** `patctl why-not`: what would keep one member from being promoted. */
import { orCannotTell } from '../cli/cannot-tell.js';
import { Command } from 'commander';
import type { Snapshot } from '../cluster/model/model.js';
import { whyNot } from '../cluster/documents/why-not-document.js';
import { ToolError, type Ending } from '../errors.js';
import type { Run } from '../cli/run-command.js';
import { documentAsCalled } from '../output/as-called.js';
import { commandOf, fitted, screenOf } from '../output/screen.js';
import type { Context } from '../context.js';
import {
  addWitnessOptions,
  parseCount,
  WIDE,
  prettyOrJson,
  snapshotMeant,
  type WitnessOptions,
} from '../cli/options.js';

interface WhyNotOptions extends WitnessOptions {
  group?: number;
  wide?: boolean;
  format: 'pretty' | 'json';
}

export function whyNotCommand(run: Run): Command {
  const command = new Command('why-not')
    .description("Show Patroni's checks for one member: exit 0 if it could be promoted, 1 if not")
    .argument('<member>')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(prettyOrJson())
    .option('--wide', WIDE);
  return addWitnessOptions(command).action(
    (member: string, cluster: string | undefined, options: WhyNotOptions) =>
      run((context) => answer(context, member, cluster, options)),
  );
}

async function answer(
  context: Context,
  member: string,
  cluster: string | undefined,
  options: WhyNotOptions,
): Promise<Ending> {
  const snapshot = await orCannotTell(snapshotMeant(context, cluster, options));
  mustExist(snapshot, member);
  const document = documentAsCalled(whyNot(snapshot, member), commandOf(context));
  const { whyNotText } = await import('../output/vote-table.js');
  const screen = screenOf(context, options.wide);
  context.io.out(
    options.format === 'json'
      ? `${JSON.stringify(document, null, 2)}\n`
      : fitted(await whyNotText(document, screen), screen),
  );
  return ENDS[document.could];
}

const ENDS = { yes: 'ok', no: 'error', unknown: 'unreachable' } as const;

function mustExist({ cluster }: Snapshot, member: string): void {
  const names = cluster.members.map(({ name }) => name);
  if (names.includes(member)) return;
  throw new ToolError('error', `${member} is not a member of ${cluster.scope}`, {
    code: 'unknown_member',
    hint: `members: ${names.join(', ') || 'none'}`,
  });
}
