/** `patctl explain`: why the leader changed, from every source that still knows something of it. */
import { Command, InvalidArgumentError } from 'commander';
import { readCluster } from '../observe/read-keys.js';
import { prettyOrJson, parseCount, scopeOrDefault, WIDE } from '../cli/options.js';
import type { Run } from '../cli/run-command.js';
import { parseDurationMs } from '../cli/units.js';
import type { StoryRequest } from '../cluster/story/story-model.js';
import type { Context } from '../context.js';
import { ToolError, type Ending } from '../errors.js';
import { documentAsCalled } from '../output/as-called.js';
import { commandOf, screenOf } from '../output/screen.js';

interface ExplainOptions {
  group?: number;
  since?: number;
  at?: string;
  timeline?: number;
  format: 'pretty' | 'json';
  wide?: boolean;
}

export function explainCommand(run: Run): Command {
  return new Command('explain')
    .description('Explain why the leader changed: what happened, why, and what may have been lost')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .option(
      '--since <time>',
      'Every change of leader since this long ago, such as 2h',
      parseDurationMs,
    )
    .option('--at <time>', 'The change of leader nearest to this time (ISO 8601)', parseMoment)
    .option(
      '--timeline <number>',
      'The change that ended this timeline (TL of history)',
      parseCount,
    )
    .addOption(prettyOrJson())
    .option('--wide', WIDE)
    .action((cluster: string | undefined, options: ExplainOptions) =>
      run((context) => tell(context, cluster, options)),
    );
}

/** A time with its zone; one without is taken for the zone of this machine. */
function parseMoment(text: string): string {
  const ms = Date.parse(text.trim().replace(/^(\d{4}-\d\d-\d\d) (?=\d)/, '$1T'));
  if (Number.isNaN(ms))
    throw new InvalidArgumentError('expected a time such as 2026-11-28T15:21Z.');
  return new Date(ms).toISOString();
}

async function tell(
  context: Context,
  name: string | undefined,
  options: ExplainOptions,
): Promise<Ending> {
  const request = requestOf(context, options);
  const scope = await scopeOrDefault(context, name);
  const group = options.group ?? (await context.config()).group;
  const cluster = await readCluster(context, scope, group);
  const { explainCluster } = await import('../observe/story/explain-cluster.js');
  const document = documentAsCalled(
    await explainCluster(context, { cluster, request }),
    commandOf(context),
  );
  const { explainText } = await import('../output/story-text.js');
  context.io.out(
    options.format === 'json'
      ? `${JSON.stringify(document, null, 2)}\n`
      : explainText(document, screenOf(context, options.wide)),
  );
  if (document.stories.length > 0) return 'ok';
  throw new ToolError('error', 'no change of leader that fits is recorded', {
    code: 'no_such_change',
    hint: 'see the changes that are known: patctl history',
  });
}

function requestOf(context: Context, { since, at, timeline }: ExplainOptions): StoryRequest {
  if ([since, at, timeline].filter((one) => one !== undefined).length > 1) {
    throw new ToolError('usage', 'give one of --since, --at and --timeline');
  }
  if (since !== undefined) {
    return { kind: 'since', from: new Date(context.clock.nowMs() - since).toISOString() };
  }
  if (at !== undefined) return { kind: 'at', at };
  return timeline === undefined ? { kind: 'last' } : { kind: 'timeline', timeline };
}
