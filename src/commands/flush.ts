/** `patctl flush`: withdraws scheduled restarts, a scheduled switchover, or a request that got stuck. */
import { Command, Option } from 'commander';
import { leaderFirst, ROLE_FILTERS, type RoleFilter } from '../cluster/select-members.js';
import type { Cluster, FailoverKey } from '../cluster/model/model.js';
import { argumentOf } from '../cluster/preflight/plan-facts.js';
import { ToolError, type Ending, type Evidence } from '../errors.js';
import { chooseMembers, confirmAction, readCluster } from '../actions/kit/choose-members.js';
import { conclude, type Outcome } from '../actions/kit/results.js';
import { isRefusal, lookAfter, saysNo } from '../actions/kit/after-answer.js';
import { answerWords, askMember, bodyText } from '../actions/kit/member-request.js';
import { flushRestart } from '../actions/restart/scheduled-restart.js';
import { openAsker, type Asker } from '../output/ask.js';
import type { CallOutcome } from '../patroni/patroni.js';
import type { Finish } from '../cli/finish.js';
import type { Context } from '../context.js';
import { parseCount } from '../cli/options.js';

interface FlushOptions {
  group?: number;
  role: RoleFilter;
  force?: boolean;
  stuck?: boolean;
  via: 'rest' | 'dcs';
}

export function flushCommand(context: Context, finish: Finish): Command {
  return new Command('flush')
    .description('Discard scheduled restarts, or the scheduled switchover')
    .usage('[options] <cluster> [members...] restart|switchover')
    .argument('<cluster>')
    .argument('[members...]', 'members, then restart or switchover')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('-r, --role <role>', 'Flush only members with this role')
        .choices(ROLE_FILTERS)
        .default('any'),
    )
    .option('--force', 'Do not ask for confirmation at any point')
    .option('--stuck', 'switchover: clear an unscheduled request that was left in /failover')
    .addOption(
      new Option(
        '--via <way>',
        "switchover: through Patroni's REST API, or by writing /failover to the DCS",
      )
        .choices(['rest', 'dcs'])
        .default('rest'),
    )
    .action(async (cluster: string, rest: string[], options: FlushOptions) =>
      finish(await flush(context, cluster, rest, options)),
    );
}

async function flush(
  context: Context,
  scope: string,
  rest: string[],
  options: FlushOptions,
): Promise<Ending> {
  const target = rest.at(-1);
  const names = rest.slice(0, -1);
  const asker = openAsker(context);
  try {
    if (target === 'restart') return await flushRestarts(context, scope, names, options, asker);
    if (target === 'switchover') return await flushSwitchover(context, scope, options, asker);
  } finally {
    asker.close();
  }
  const wrong =
    target === undefined
      ? "missing argument 'restart|switchover'"
      : `unknown event "${target}": expected restart or switchover`;
  throw new ToolError('usage', wrong, {
    hint: 'patctl flush CLUSTER [MEMBERS…] restart|switchover',
  });
}

// ---------------------------------------------------------------- restarts

async function flushRestarts(
  context: Context,
  scope: string,
  names: string[],
  options: FlushOptions,
  asker: Asker,
): Promise<Ending> {
  const group = options.group ?? null;
  const force = options.force === true;
  needTerminal(context, force, 'flush');
  const choice = { scope, group, role: options.role, names, action: 'flush', force };
  const { members } = await chooseMembers(context, asker, choice);
  await confirmAction(asker, 'flush', members, force);
  const outcomes: Outcome[] = [];
  for (const { member } of members) {
    if (member.scheduledRestart === null) {
      context.io.out(`No scheduled restart for member ${member.name}\n`);
      continue;
    }
    outcomes.push(await flushRestart(context, scope, member));
  }
  return conclude('flush restart', outcomes);
}

function needTerminal(context: Context, force: boolean, what: string): void {
  if (force || (context.io.stdinIsTty && context.io.stderrIsTty)) return;
  throw new ToolError('usage', `${what} must be confirmed, and stdin is not a terminal`, {
    code: 'no_terminal',
    hint: 'give --force',
  });
}

// ---------------------------------------------------------------- the switchover

async function flushSwitchover(
  context: Context,
  scope: string,
  options: FlushOptions,
  asker: Asker,
): Promise<Ending> {
  // As patronictl: with Citus, and no group named, the coordinator's.
  const coordinator = (await context.config()).group === null ? null : 0;
  const cluster = await readCluster(context, scope, options.group ?? coordinator);
  const pending = cluster.failover;
  if (pending === null) return nothingPending(context);
  if (pending.scheduledAt === null) {
    if (options.stuck) return clearStuck(context, cluster, pending, options, asker);
    context.io.err(
      `/failover holds a request that is not scheduled: ${words(pending)}. ` +
        'It is in progress or was left over; --stuck clears it.\n',
    );
    return nothingPending(context);
  }
  if (options.via === 'dcs') return clearInDcs(context, cluster, 'scheduled switchover deleted');
  return deleteSchedule(context, cluster);
}

function nothingPending(context: Context): Ending {
  context.io.out('No pending scheduled switchover\n');
  return 'ok';
}

function words({ leader, candidate, scheduledAt }: FailoverKey): string {
  const from = leader === null ? 'failover' : `switchover from ${leader}`;
  const to = candidate === null ? '' : ` to ${candidate}`;
  return `${from}${to}${scheduledAt === null ? '' : ` at ${scheduledAt}`}`;
}

/** Asks the leader, and the next member only where it surely was not sent; then the key tells, not the answer. */
async function deleteSchedule(context: Context, cluster: Cluster): Promise<Ending> {
  const silent: Evidence[] = [];
  for (const member of leaderFirst(cluster)) {
    const timeoutMs = context.flags.timeoutMs;
    const request = { method: 'DELETE', path: '/switchover', body: null, timeoutMs } as const;
    const { outcome } = await askMember(context, cluster.scope, member, request);
    if (outcome.kind !== 'not_sent') return deleted(context, cluster, member.name, outcome);
    silent.push({ witness: 'REST', subject: member.name, said: answerWords(outcome) });
  }
  throw new ToolError('unreachable', `no member's REST API answered; nothing was sent`, {
    code: 'rest_unreachable',
    evidence: silent,
    hint: `patctl flush ${argumentOf(cluster)} switchover --via dcs clears it in the DCS, under a compare of its revision`,
  });
}

/** An answer is not the key: look whether it is gone, or another one by now. */
async function deleted(
  context: Context,
  cluster: Cluster,
  member: string,
  outcome: CallOutcome,
): Promise<Ending> {
  const status = outcome.kind === 'answered' ? outcome.answer.status : null;
  const refused = status !== null && status !== 404 && isRefusal(status);
  const isWritten = (now: Cluster) => now.failoverRevision !== cluster.failoverRevision;
  const goesOn = 'the request was sent';
  const seen = refused
    ? 'not written'
    : await lookAfter(context, cluster, outcome, { isWritten, goesOn });
  const said = bodyText(outcome);
  if (seen === 'written') {
    const words = status === 200 ? said : `the scheduled switchover is gone from /failover`;
    context.io.out(`Success: ${words}\n`);
    return 'ok';
  }
  if (status !== null && status !== 200) {
    const failed = status === 404 ? said : `member=${member}, status_code=${status}, (${said})`;
    context.io.out(`Failed: ${failed}\n`);
  }
  const evidence: Evidence[] = [{ witness: 'REST', subject: member, said: answerWords(outcome) }];
  if (seen === 'not written') {
    evidence.push({ witness: 'DCS', subject: '/failover', said: 'the schedule stands, as before' });
  }
  const hint = `check with: patctl status ${argumentOf(cluster)}`;
  if (seen === 'not written' && saysNo(outcome)) {
    const message = 'the scheduled switchover was not deleted';
    throw new ToolError('error', message, { code: 'flush_refused', evidence, hint });
  }
  const state =
    seen === 'unreadable'
      ? `whether the schedule still stands in /failover is unknown`
      : `the schedule still stands in /failover`;
  throw new ToolError('unconfirmed', `${state}; ${said}`, {
    code: 'flush_not_seen',
    evidence,
    hint,
  });
}

async function clearStuck(
  context: Context,
  cluster: Cluster,
  pending: FailoverKey,
  options: FlushOptions,
  asker: Asker,
): Promise<Ending> {
  needTerminal(context, options.force === true, 'clearing a request');
  if (!options.force) {
    const question = `Are you sure you want to clear the request ${words(pending)} from the DCS?`;
    if (!(await asker.confirm(question))) {
      throw new ToolError('error', 'Aborted flush', { code: 'declined' });
    }
  }
  return clearInDcs(context, cluster, `request cleared: ${words(pending)}`);
}

/** Writes what Patroni writes when a request is over, only if it is still the one that was read. */
async function clearInDcs(context: Context, cluster: Cluster, done: string): Promise<Ending> {
  const written = await (await context.dcs()).writeFailover(cluster, null);
  if (!written.done) {
    throw new ToolError('error', 'the request changed in the meantime; nothing was written', {
      code: 'changed_meanwhile',
      hint: `check with: patctl status ${argumentOf(cluster)}`,
    });
  }
  context.io.out(`Success: ${done}\n`);
  return 'ok';
}
