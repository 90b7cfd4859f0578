/** `patctl reload`: Patroni and PostgreSQL read their configuration again. */
import { Command, Option } from 'commander';
import { ROLE_FILTERS, type RoleFilter, type Selected } from '../cluster/select-members.js';
import type { RestStatus } from '../cluster/model/model.js';
import type { Ending } from '../errors.js';
import { chooseMembers, confirmAction } from '../actions/kit/choose-members.js';
import { isRefusal } from '../actions/kit/after-answer.js';
import { answerWords, askMember } from '../actions/kit/member-request.js';
import { conclude, type Outcome } from '../actions/kit/results.js';
import { until } from '../actions/kit/until.js';
import { openAsker, type Asker } from '../output/ask.js';
import type { CallOutcome } from '../patroni/patroni.js';
import type { Finish } from '../cli/finish.js';
import type { Context } from '../context.js';
import { parseCount } from '../cli/options.js';
import { parseDurationMs } from '../cli/units.js';

interface ReloadOptions {
  group?: number;
  role: RoleFilter;
  force?: boolean;
  yes?: boolean;
  wait?: boolean;
  deadline?: number;
}

const LOOK_MS = 500;
const SPARE_MS = 5000;

export function reloadCommand(context: Context, finish: Finish): Command {
  return new Command('reload')
    .description('Reload the configuration of the members of a cluster')
    .argument('<cluster>')
    .argument('[members...]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('-r, --role <role>', 'Reload only members with this role')
        .choices(ROLE_FILTERS)
        .default('any'),
    )
    .option('--force', 'Do not ask questions')
    .option('--yes', 'The same as --force')
    .option('--wait', 'Wait until the member has completed a whole loop and runs')
    .option('--deadline <time>', 'Limit of --wait (default 3 x loop_wait + 5s)', parseDurationMs)
    .action(async (cluster: string, members: string[], options: ReloadOptions) => {
      const asker = openAsker(context);
      try {
        finish(await reload(context, asker, cluster, members, options));
      } finally {
        asker.close();
      }
    });
}

async function reload(
  context: Context,
  asker: Asker,
  scope: string,
  names: string[],
  options: ReloadOptions,
): Promise<Ending> {
  const force = options.force === true || options.yes === true;
  const { role, group = null } = options;
  const choice = { scope, group, role, names, action: 'reload', force };
  const { members } = await chooseMembers(context, asker, choice);
  await confirmAction(asker, 'reload', members, force);
  const outcomes: Outcome[] = [];
  for (const one of members) outcomes.push(await reloadOne(context, one));
  if (!options.wait) return conclude('reload', outcomes);
  const seen = members.map(async (one, at): Promise<Outcome> => {
    const sent = outcomes[at] ?? { member: one.member.name, ending: 'failed', said: '' };
    return sent.ending === 'ok' ? hasLooped(context, one, options) : sent;
  });
  return conclude('reload', await Promise.all(seen));
}

async function reloadOne(context: Context, { cluster, member }: Selected): Promise<Outcome> {
  const { name } = member;
  const { outcome } = await askMember(context, cluster.scope, member, {
    method: 'POST',
    path: '/reload',
    body: null,
    timeoutMs: context.flags.timeoutMs,
  });
  const loopWait = cluster.config?.loopWaitSeconds ?? 10;
  const status = outcome.kind === 'answered' ? outcome.answer.status : null;
  if (status === 200) context.io.out(`No changes to apply on member ${name}\n`);
  else if (status === 202) {
    context.io.out(
      `Reload request received for member ${name} and will be processed within ${loopWait} seconds\n`,
    );
  } else context.io.out(`Failed: reload for member ${name}, ${answerWords(outcome)}\n`);
  return judge(name, outcome);
}

function judge(member: string, outcome: CallOutcome): Outcome {
  const said = answerWords(outcome);
  if (outcome.kind === 'not_sent') return { member, ending: 'unreachable', said };
  if (outcome.kind === 'lost') return { member, ending: 'unconfirmed', said };
  const { status } = outcome.answer;
  if (status === 200 || status === 202) return { member, ending: 'ok', said };
  return { member, ending: isRefusal(status) ? 'error' : 'unconfirmed', said };
}

/**
 * Patroni reloads at the beginning of a loop and says in `dcs_last_seen` when the last one was. The loop
 * at the time of the answer may have begun before: with the second one more the reload is behind it.
 */
async function hasLooped(
  context: Context,
  { cluster, member }: Selected,
  { deadline }: ReloadOptions,
): Promise<Outcome> {
  const { apiUrl, name } = member;
  const loopMs = (cluster.config?.loopWaitSeconds ?? 10) * 1000;
  const patroni = await context.patroni();
  const target = { apiUrl: apiUrl ?? '', name, scope: cluster.scope };
  const atMs = context.clock.nowMs() + (deadline ?? 3 * loopMs + SPARE_MS);
  const loops = new Set<number>();
  let missing = 'was not seen';
  const goesOn = 'the reload was requested';
  const done = await until(context, { atMs, everyMs: LOOK_MS, goesOn }, async () => {
    const now = await patroni.status(target, context.flags.timeoutMs);
    if (!now.ok) {
      missing = `does not answer: ${now.reason}`;
      return null;
    }
    if (now.value.dcsLastSeen !== null) loops.add(now.value.dcsLastSeen);
    if (loops.size < 3) missing = 'has not completed its loop';
    else if (!runs(now.value)) missing = `is ${now.value.replicationState ?? now.value.state}`;
    else return now.value;
    return null;
  });
  if (done === null) return { member: name, ending: 'unconfirmed', said: missing };
  if (done.pendingRestart) {
    const names = Object.keys(done.pendingRestartReason ?? {}).join(', ');
    context.io.err(`${name} has a restart pending${names === '' ? '' : ` for ${names}`}\n`);
  }
  return { member: name, ending: 'ok', said: 'reloaded' };
}

function runs(now: RestStatus): boolean {
  if (now.state !== 'running' && now.state !== 'streaming') return false;
  return now.location !== null || now.replicationState !== null || now.role !== 'replica';
}
