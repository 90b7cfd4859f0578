/** `patctl explain`: why the leader changed, from every source that still knows something of it. */
import { Command, InvalidArgumentError } from 'commander';
import { prettyOrJson, parseCount, scopeOrDefault, WIDE } from '../cli/options.js';
import type { Run } from '../cli/run-command.js';
import { parseDurationMs } from '../cli/units.js';
import type { StoryRequest } from '../cluster/story/story-model.js';
import type { Context } from '../context.js';
import type { GivenLog } from '../observe/story/collect-logs.js';
import { ToolError, type Ending } from '../errors.js';
import { documentAsCalled } from '../output/as-called.js';
import { commandOf, screenOf } from '../output/screen.js';

interface ExplainOptions {
  group?: number;
  since?: number;
  at?: string;
  timeline?: number;
  recording?: string;
  log?: GivenLog[];
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
    .option('--recording <file>', 'Read what patctl record wrote instead of the cluster')
    .option(
      '--log <member=file>',
      "A log of a member's Patroni, PostgreSQL or kernel, with what was rotated away from it, or a folder of logs (repeatable)",
      collectLog,
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

function collectLog(text: string, before: GivenLog[] = []): GivenLog[] {
  const [, member, path] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (member === undefined || path === undefined) {
    throw new InvalidArgumentError('expected MEMBER=FILE.');
  }
  return [...before, { member, path }];
}

async function tell(
  context: Context,
  name: string | undefined,
  options: ExplainOptions,
): Promise<Ending> {
  const request = requestOf(context, options);
  const { recording = null, log: logs = [] } = options;
  const scope = await scopeMeant(context, name, recording !== null || logs.length > 0);
  const group = options.group ?? (recording === null ? await configuredGroup(context) : null);
  const { explainCluster } = await import('../observe/story/explain-cluster.js');
  const document = documentAsCalled(
    await explainCluster(context, { scope, group, request, logs, recording }),
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

/** A recording or logs tell their story without a configuration. */
async function scopeMeant(
  context: Context,
  name: string | undefined,
  isEnough: boolean,
): Promise<string | null> {
  try {
    if (name === undefined && context.flags.configFile === undefined && isEnough) return null;
    return await scopeOrDefault(context, name);
  } catch (error) {
    if (isEnough && error instanceof ToolError) return name ?? null;
    throw error;
  }
}

async function configuredGroup(context: Context): Promise<number | null> {
  return (await context.config()).group;
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
