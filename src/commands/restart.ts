/** `patctl restart`: PostgreSQL on some members, now or later, one after another or rolling. */
import { Command, Option } from 'commander';
import { leaderLast, planRolling } from '../cluster/preflight/restart-order.js';
import { ROLE_FILTERS, type RoleFilter, type Selected } from '../cluster/select-members.js';
import type { Cluster, JsonObject } from '../cluster/model/model.js';
import { ToolError, type Ending } from '../errors.js';
import { chooseMembers, confirmAction, type Chosen } from '../actions/kit/choose-members.js';
import { restartMember } from '../actions/restart/restart-member.js';
import { conclude, type Outcome } from '../actions/kit/results.js';
import { openAsker, type Asker } from '../output/ask.js';
import type { Finish } from '../cli/finish.js';
import type { Context } from '../context.js';
import type { Scheduled } from '../actions/kit/schedule.js';
import { parseCount } from '../cli/options.js';
import { parseDurationMs } from '../cli/units.js';

interface RestartOptions {
  group?: number;
  role: RoleFilter;
  any?: boolean;
  scheduled?: string;
  pgVersion?: string;
  pending?: boolean;
  timeout?: string;
  force?: boolean;
  yes?: boolean;
  wait?: boolean;
  deadline: number;
  rolling?: boolean;
  switchover?: boolean;
  dryRun?: boolean;
}

/** Patroni's own limit for a primary to come up is 300 s; the shutdown before it has none. */
const DEADLINE_MS = 360_000;

export function restartCommand(context: Context, finish: Finish): Command {
  return new Command('restart')
    .description('Restart PostgreSQL on the members of a cluster')
    .argument('<cluster>')
    .argument('[members...]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('-r, --role <role>', 'Restart only members with this role')
        .choices(ROLE_FILTERS)
        .default('any'),
    )
    .option('--any', 'Restart a single member only')
    .option('--scheduled <time>', 'When: ISO 8601 with offset or zone, +30m, now')
    .option('--pg-version <version>', 'Restart if PostgreSQL is older than this (e.g. 15.2)')
    .option('--pending', 'Restart if pending')
    .option(
      '--timeout <time>',
      "Patroni's limit: fail over if the restart of the primary takes longer",
    )
    .option('--force', 'Do not ask questions')
    .option('--yes', 'The same as --force')
    .option('--wait', 'Wait until the member runs and streams with its new settings')
    .option('--deadline <time>', 'Limit for each member (default 6m)', parseDurationMs, DEADLINE_MS)
    .option(
      '--rolling',
      'Restart one member at a time, replicas first, each caught up before the next',
    )
    .option('--switchover', 'With --rolling: switch over before the primary is restarted')
    .option('--dry-run', 'With --rolling: show the plan and stop')
    .action(async (cluster: string, members: string[], options: RestartOptions) => {
      const asker = openAsker(context);
      try {
        finish(await restart(context, asker, cluster, members, options));
      } finally {
        asker.close();
      }
    });
}

async function restart(
  context: Context,
  asker: Asker,
  scope: string,
  names: string[],
  options: RestartOptions,
): Promise<Ending> {
  checkOptions(options);
  const force = options.force === true || options.yes === true || options.dryRun === true;
  const { role, group = null } = options;
  const choice = { scope, group, role, names, action: 'restart', force };
  const chosen = await chooseMembers(context, asker, choice);
  const content: JsonObject = {};
  const when = await askWhen(context, asker, chosen, options, force);
  let { members } = chosen;
  if (options.pending) {
    content['restart_pending'] = true;
    if (!when) members = members.filter(({ member }) => member.pendingRestart);
  }
  if (options.any) members = pickOne(members);
  if (!context.flags.compat) members = leaderLast(members);
  if (members.length === 0) {
    if (!context.flags.compat) context.io.err('No member has a restart pending: nothing to do\n');
    return 'ok';
  }
  if (options.rolling) return rolling(context, asker, { members, content, options, force });

  await confirm(asker, members, when, options, force);
  const version = options.pgVersion ?? (force ? '' : await asker.text(VERSION_QUESTION, ''));
  if (version !== '') content['postgres_version'] = checkVersion(version);
  if (when) content['schedule'] = await offsetTime(when);
  if (options.timeout !== undefined) content['timeout'] = options.timeout;

  const outcomes: Outcome[] = [];
  for (const one of members) {
    if (when && force) await flushFirst(context, one);
    const { deadline: limitMs, wait = false } = options;
    const request = { content, limitMs, wait, mayStayPending: false };
    outcomes.push(await restartMember(context, one, request));
  }
  return conclude('restart', outcomes);
}

const VERSION_QUESTION = 'Restart if the PostgreSQL version is less than provided (e.g. 9.5.2) ';

function checkOptions(options: RestartOptions): void {
  const wrong = (words: string) => new ToolError('usage', words, { code: 'options' });
  const { rolling, scheduled } = options;
  if (!rolling && options.switchover) throw wrong('--switchover needs --rolling');
  if (!rolling && options.dryRun) throw wrong('--dry-run needs --rolling');
  if (rolling && scheduled !== undefined && scheduled !== 'now') {
    throw wrong(
      '--rolling cannot be scheduled: Patroni schedules only the restart of a single member',
    );
  }
  if (rolling && options.any)
    throw wrong('--any restarts one member; it cannot be combined with --rolling');
  // An empty one is none: scripts pass empty variables.
  if (options.pgVersion) checkVersion(options.pgVersion);
}

/** As Patroni reads it: X.Y.Z, or X.Y since 10. */
function checkVersion(version: string): string {
  const parts = version.split('.');
  if (!parts.every((part) => /^\s*[0-9]+\s*$/.test(part))) {
    throw badVersion(`Invalid PostgreSQL version: ${version}`);
  }
  const isWhole = parts.length === 3 || (parts.length === 2 && Number(parts[0]) >= 10);
  if (isWhole) return version;
  throw badVersion(`Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: ${version}`);
}

function badVersion(message: string): ToolError {
  return new ToolError('usage', message, { code: 'pg_version' });
}

async function askWhen(
  context: Context,
  asker: Asker,
  { clusters }: Chosen,
  options: RestartOptions,
  force: boolean,
): Promise<Scheduled | null> {
  const asks = options.scheduled === undefined && !force && !options.rolling;
  if (!asks && options.scheduled === undefined) return null;
  const { localText, parseSchedule, utcText } = await import('../actions/kit/schedule.js');
  const { localZone } = await import('../actions/switchover/questions.js');
  const nowMs = context.clock.nowMs();
  const zone = localZone();
  const nextHour = localText(nowMs + 3_600_000, zone).slice(0, 16);
  const question = `When should the restart take place (e.g. ${nextHour}) `;
  const text = options.scheduled ?? (await asker.text(question, 'now'));
  const rules = { nowMs, localZone: zone, naiveIsLocal: context.flags.compat };
  const when = parseSchedule(text, rules);
  if (when === null) return null;
  if (clusters.some(({ config }) => config?.pause)) {
    throw new ToolError('error', "Can't schedule restart in the paused state", { code: 'paused' });
  }
  if (!context.flags.compat) {
    const local = localText(when.atMs, when.zone ?? zone);
    context.io.err(`Scheduled for ${local}, that is ${utcText(when.atMs)}\n`);
  }
  return when;
}

async function offsetTime(when: Scheduled): Promise<string> {
  const { statedText } = await import('../actions/kit/schedule.js');
  const { localZone } = await import('../actions/switchover/questions.js');
  return statedText(when, localZone());
}

function pickOne(members: Selected[]): Selected[] {
  const chosen = members[Math.floor(Math.random() * members.length)];
  return chosen ? [chosen] : [];
}

async function confirm(
  asker: Asker,
  members: Selected[],
  when: Scheduled | null,
  options: RestartOptions,
  force: boolean,
): Promise<void> {
  if (force) return;
  if (!when) return confirmAction(asker, 'restart', members, force);
  const names = members.map(({ member }) => member.name).join(', ');
  const at = (await offsetTime(when)).replace('T', ' ');
  const question = options.pending
    ? 'The nodes needing a restart will be identified at the scheduled time, and might be different ' +
      'from the ones showing pending restart right now. Is this fine?'
    : `Are you sure you want to schedule restart of members ${names} at ${at}?`;
  if (await asker.confirm(question)) return;
  throw new ToolError('error', 'Aborted scheduled restart', { code: 'declined' });
}

/** --force replaces a restart that is scheduled already, as patronictl does; a failure is in its line. */
async function flushFirst(context: Context, { cluster, member }: Selected): Promise<void> {
  if (!member.scheduledRestart) return;
  const { replaceRestart } = await import('../actions/restart/scheduled-restart.js');
  await replaceRestart(context, cluster.scope, member);
}

interface Rolling {
  members: Selected[];
  content: JsonObject;
  options: RestartOptions;
  force: boolean;
}

async function rolling(
  context: Context,
  asker: Asker,
  { members, content, options, force }: Rolling,
): Promise<Ending> {
  const cluster = oneCluster(members);
  const { restartRolling, rollingText } = await import('../actions/restart/rolling-restart.js');
  const plan = planRolling(cluster, {
    members: members.map(({ member }) => member.name),
    switchover: options.switchover === true,
  });
  if (options.dryRun) context.io.out(rollingText(plan));
  else context.io.err(rollingText(plan));
  if (plan.refused !== null)
    throw new ToolError('error', plan.refused, { code: 'rolling_refused' });
  if (options.dryRun) return 'ok';
  await confirmAction(asker, 'restart', members, force);
  if (options.pgVersion) content['postgres_version'] = options.pgVersion;
  if (options.timeout !== undefined) content['timeout'] = options.timeout;
  return restartRolling(context, { cluster, plan, content, limitMs: options.deadline });
}

function oneCluster(members: readonly Selected[]): Cluster {
  const clusters = [...new Set(members.map(({ cluster }) => cluster))];
  const [only] = clusters;
  if (only && clusters.length === 1) return only;
  throw new ToolError('usage', '--rolling restarts one Citus group: give --group', {
    code: 'group_wanted',
  });
}
