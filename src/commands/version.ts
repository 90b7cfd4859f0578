/** `patctl version`: its own version, and what every member of a cluster runs. */
import { Command } from 'commander';
import { selectMembers, type Selected } from '../cluster/select-members.js';
import { ToolError, type Ending } from '../errors.js';
import { readClusters } from '../observe/read-keys.js';
import { oneLine } from '../output/text.js';
import type { Run } from '../cli/run-command.js';
import type { Context } from '../context.js';
import { VERSION } from '../build-info.js';
import { parseCount } from '../cli/options.js';

interface VersionOptions {
  group?: number;
}

/** The patronictl that --compat speaks like. */
const PATRONICTL_VERSION = '4.1.5';

export function versionCommand(run: Run): Command {
  return new Command('version')
    .description("Show the version of patctl, and of each member's Patroni and PostgreSQL")
    .argument('[cluster]')
    .argument('[members...]')
    .option('--group <number>', 'Citus group', parseCount)
    .action((cluster: string | undefined, members: string[], options: VersionOptions) =>
      run((context) => version(context, cluster, members, options)),
    );
}

async function version(
  context: Context,
  scope: string | undefined,
  names: readonly string[],
  { group }: VersionOptions,
): Promise<Ending> {
  // Nothing of it is needed here; a file that was named and is not there is an error anyway.
  await context.config();
  const own = context.flags.compat
    ? `patronictl version ${PATRONICTL_VERSION}`
    : `patctl ${VERSION}`;
  context.io.out(`${own}\n`);
  if (scope === undefined) return 'ok';
  const clusters = await readClusters(context, scope, group ?? null);
  const selection = selectMembers(clusters, 'any', names);
  if (!selection.ok) {
    const { words, code, hint } = selection;
    throw new ToolError('error', words, { code, hint });
  }
  const answers = await Promise.all(selection.members.map((member) => ask(context, member)));
  context.io.out('\n');
  for (const { name, said } of answers) context.io.out(`${oneLine(`${name}: ${said}`)}\n`);
  const silent = answers.filter(({ reason }) => reason !== null);
  if (silent.length === 0) return 'ok';
  const who = silent.map(({ name }) => name).join(', ');
  throw new ToolError('unreachable', `the version of ${who} is unknown`, {
    code: 'member_unreachable',
    evidence: silent.map(({ name, reason }) => ({
      witness: 'REST',
      subject: name,
      said: reason ?? '',
    })),
  });
}

interface Answer {
  name: string;
  said: string;
  /** Why it did not answer; null when it did. */
  reason: string | null;
}

async function ask(context: Context, { cluster, member }: Selected): Promise<Answer> {
  const { name, apiUrl } = member;
  const silent = (reason: string): Answer => ({
    name,
    said: `failed to get version: ${reason}`,
    reason,
  });
  if (apiUrl === null) return silent('its DCS key has no api_url');
  const target = { apiUrl, name, scope: cluster.scope };
  const reading = await (await context.patroni()).status(target, context.flags.timeoutMs);
  if (!reading.ok) return silent(reading.reason);
  const { patroniVersion, serverVersion } = reading.value;
  const postgres = serverVersion ? ` PostgreSQL ${postgresVersion(serverVersion)}` : '';
  return { name, said: `Patroni ${patroniVersion ?? 'unknown'}${postgres}`, reason: null };
}

/** 150018 -> 15.18, 90624 -> 9.6.24 */
export function postgresVersion(number: number): string {
  const major = Math.floor(number / 10_000);
  if (number >= 100_000) return `${major}.${number % 10_000}`;
  return `${major}.${Math.floor(number / 100) % 100}.${number % 100}`;
}
