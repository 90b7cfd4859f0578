/** `patctl flush`: withdraws scheduled restarts, a scheduled switchover, or a request that got stuck. */
import { Command, Option } from 'commander';
import { leaderFirst, ROLE_FILTERS, type RoleFilter } from '../cluster/members-select.js';
import type { Cluster, FailoverKey } from '../cluster/model.js';
import { clusterPrefix } from '../cluster/parse.js';
import { argumentOf } from '../cluster/preflight/context.js';
import { ToolError, type Ending } from '../errors.js';
import { chooseMembers, confirmAction, readCluster, reread } from '../operate/clusters.js';
import { conclude, type Outcome } from '../operate/results.js';
import { answerWords, askMember, bodyText } from '../operate/request.js';
import { until } from '../operate/wait.js';
import { openAsker, type Asker } from '../output/ask.js';
import type { CallOutcome } from '../patroni/patroni.js';
import type { Finish } from '../program.js';
import type { Tool } from '../tool.js';
import { parseCount } from './options.js';

interface FlushOptions {
  group?: number;
  role: RoleFilter;
  force?: boolean;
  stuck?: boolean;
  via: 'rest' | 'dcs';
}

/** The answer is written before it is sent; a moment for a slow etcd. */
const SEEN_WITHIN_MS = 5000;
const LOOK_MS = 200;

export function flushCommand(tool: Tool, finish: Finish): Command {
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
    .option('--stuck', 'switchover: clear a request that is not scheduled and was left over')
    .addOption(
      new Option('--via <way>', 'switchover: over Patroni, or by writing /failover into the DCS')
        .choices(['rest', 'dcs'])
        .default('rest'),
    )
    .action(async (cluster: string, rest: string[], options: FlushOptions) =>
      finish(await flush(tool, cluster, rest, options)),
    );
}

async function flush(
  tool: Tool,
  scope: string,
  rest: string[],
  options: FlushOptions,
): Promise<Ending> {
  const target = rest.at(-1);
  const names = rest.slice(0, -1);
  const asker = openAsker(tool);
  try {
    if (target === 'restart') return await flushRestarts(tool, scope, names, options, asker);
    if (target === 'switchover') return await flushSwitchover(tool, scope, options, asker);
  } finally {
    asker.close();
  }
  const wrong =
    target === undefined
      ? "missing argument 'restart|switchover'"
      : `"${target}" is neither restart nor switchover`;
  throw new ToolError('usage', wrong, {
    hint: 'patctl flush CLUSTER [MEMBERS…] restart|switchover',
  });
}

// ---------------------------------------------------------------- restarts

async function flushRestarts(
  tool: Tool,
  scope: string,
  names: string[],
  options: FlushOptions,
  asker: Asker,
): Promise<Ending> {
  const group = options.group ?? null;
  const force = options.force === true;
  needTerminal(tool, force, 'flush');
  const choice = { scope, group, role: options.role, names, action: 'flush', force };
  const { members } = await chooseMembers(tool, asker, choice);
  await confirmAction(asker, 'flush', members, force);
  const outcomes: Outcome[] = [];
  for (const { member } of members) {
    if (member.scheduledRestart === null) {
      tool.io.out(`No scheduled restart for member ${member.name}\n`);
      continue;
    }
    const timeoutMs = tool.flags.timeoutMs;
    const request = { method: 'DELETE', path: '/restart', body: null, timeoutMs } as const;
    const { outcome: answer } = await askMember(tool, scope, member, request);
    const ending = endingOf(answer);
    const how =
      ending === 'ok'
        ? `Success: flush scheduled restart for member ${member.name}`
        : `Failed: flush scheduled restart for member ${member.name}, ${answerWords(answer)}`;
    tool.io.out(`${how}\n`);
    outcomes.push({ member: member.name, ending, said: answerWords(answer) });
  }
  return conclude('flush restart', outcomes);
}

function endingOf(outcome: CallOutcome): Ending {
  if (outcome.kind === 'not_sent') return 'unreachable';
  if (outcome.kind === 'lost') return 'unconfirmed';
  return outcome.answer.status < 400 ? 'ok' : 'error';
}

function needTerminal(tool: Tool, force: boolean, what: string): void {
  if (force || (tool.io.stdinIsTty && tool.io.stderrIsTty)) return;
  throw new ToolError('usage', `${what} has to be confirmed, and this is no terminal`, {
    code: 'no_terminal',
    hint: 'give --force',
  });
}

// ---------------------------------------------------------------- the switchover

async function flushSwitchover(
  tool: Tool,
  scope: string,
  options: FlushOptions,
  asker: Asker,
): Promise<Ending> {
  // As patronictl: with Citus, and no group named, the coordinator's.
  const coordinator = (await tool.config()).group === null ? null : 0;
  const cluster = await readCluster(tool, scope, options.group ?? coordinator);
  const pending = cluster.failover;
  if (pending === null) return nothingPending(tool);
  if (pending.scheduledAt === null) {
    if (options.stuck) return clearStuck(tool, cluster, pending, options, asker);
    tool.io.err(
      `A request that is not scheduled stands in /failover: ${words(pending)}. ` +
        'It is under way, or was left over: --stuck clears it.\n',
    );
    return nothingPending(tool);
  }
  if (options.via === 'dcs') return clearInDcs(tool, cluster, 'scheduled switchover deleted');
  return deleteSchedule(tool, cluster);
}

function nothingPending(tool: Tool): Ending {
  tool.io.out('No pending scheduled switchover\n');
  return 'ok';
}

function words({ leader, candidate, scheduledAt }: FailoverKey): string {
  const from = leader === null ? 'failover' : `switchover from ${leader}`;
  const to = candidate === null ? '' : ` to ${candidate}`;
  return `${from}${to}${scheduledAt === null ? '' : ` at ${scheduledAt}`}`;
}

/** Asks the members for it, the leader first; the next one only when the one before could not do it. */
async function deleteSchedule(tool: Tool, cluster: Cluster): Promise<Ending> {
  const said: { member: string; answer: CallOutcome }[] = [];
  for (const member of leaderFirst(cluster)) {
    const timeoutMs = tool.flags.timeoutMs;
    const request = { method: 'DELETE', path: '/switchover', body: null, timeoutMs } as const;
    const { outcome: answer } = await askMember(tool, cluster.scope, member, request);
    said.push({ member: member.name, answer });
    if (answer.kind === 'lost') return seenGone(tool, cluster, answerWords(answer));
    if (answer.kind === 'not_sent') continue;
    const { status } = answer.answer;
    if (status === 200) {
      tool.io.out(`Success: ${bodyText(answer)}\n`);
      return seenGone(tool, cluster, bodyText(answer));
    }
    tool.io.out(
      status === 404
        ? `Failed: ${bodyText(answer)}\n`
        : `Failed: member=${member.name}, status_code=${status}, (${bodyText(answer)})\n`,
    );
    if (status === 404) break;
  }
  const answered = said.some(({ answer }) => answer.kind === 'answered');
  throw new ToolError(
    answered ? 'error' : 'unreachable',
    answered
      ? 'the scheduled switchover was not deleted'
      : `no member's REST API answers; nothing was sent`,
    {
      code: answered ? 'flush_refused' : 'rest_unreachable',
      evidence: said.map(({ member, answer }) => ({
        witness: 'REST',
        subject: member,
        said: answerWords(answer),
      })),
      hint: answered
        ? `look with: patctl status ${argumentOf(cluster)}`
        : '--via dcs clears it in the DCS, under a compare of its revision',
    },
  );
}

/** An answer is not the key: look whether it is gone, or another one by now. */
async function seenGone(tool: Tool, cluster: Cluster, said: string): Promise<Ending> {
  const limit = {
    atMs: tool.clock.nowMs() + SEEN_WITHIN_MS,
    everyMs: LOOK_MS,
    goesOn: 'the request had been sent',
  };
  const gone = await until(tool, limit, async () => {
    const now = await reread(tool, cluster);
    const isGone = now !== null && now.failoverRevision !== cluster.failoverRevision;
    return isGone ? true : null;
  });
  if (gone) return 'ok';
  throw new ToolError('unconfirmed', `the schedule still stands in /failover; ${said}`, {
    code: 'flush_not_seen',
    hint: `look with: patctl status ${argumentOf(cluster)}`,
  });
}

async function clearStuck(
  tool: Tool,
  cluster: Cluster,
  pending: FailoverKey,
  options: FlushOptions,
  asker: Asker,
): Promise<Ending> {
  needTerminal(tool, options.force === true, 'clearing a request');
  if (!options.force) {
    const question = `Are you sure you want to clear the request ${words(pending)} from the DCS?`;
    if (!(await asker.confirm(question))) {
      throw new ToolError('error', 'Aborted flush', { code: 'declined' });
    }
  }
  return clearInDcs(tool, cluster, `request cleared: ${words(pending)}`);
}

/** Writes what Patroni writes when a request is over, only if it is still the one that was read. */
async function clearInDcs(tool: Tool, cluster: Cluster, done: string): Promise<Ending> {
  const { namespace } = await tool.config();
  const key = `${clusterPrefix(namespace, cluster.scope, cluster.group)}failover`;
  const written = await (
    await tool.dcs()
  ).txn([{ key, modRevision: cluster.failoverRevision }], [{ op: 'put', key, value: '{}' }]);
  if (!written.done) {
    throw new ToolError('error', 'the request has changed meanwhile; nothing was written', {
      code: 'changed_meanwhile',
      hint: `look with: patctl status ${argumentOf(cluster)}`,
    });
  }
  tool.io.out(`Success: ${done}\n`);
  return 'ok';
}
