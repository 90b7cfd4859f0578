/** `patctl ready`: whether a member may be read: it streams, and is close to the leader's current position. */
import { Command, Option } from 'commander';
import { farther } from '../cluster/model/lsn.js';
import { missingReady, untold, type LagLimit } from '../cluster/conditions.js';
import type { MemberReadings, Reading, RestStatus, Snapshot } from '../cluster/model/model.js';
import { viewOf } from '../cluster/roles/view.js';
import { orCannotTell } from '../cli/cannot-tell.js';
import { ToolError, type Ending } from '../errors.js';
import { oneLine } from '../output/text.js';
import { parseRestStatus } from '../patroni/parse-status.js';
import type { Run } from '../cli/run-command.js';
import type { Context } from '../context.js';
import { parseCount, scopeOrDefault } from '../cli/options.js';
import { parseSize, parseTimeoutMs } from '../cli/units.js';

interface ReadyOptions extends LagLimit {
  cluster?: string;
  group?: number;
  maxLag: number;
  memberUrl?: string;
  leaderUrl?: string;
  timeout?: number;
}

export function readyCommand(run: Run): Command {
  return new Command('ready')
    .description('Check that a member can serve reads: exit 0 ready, 1 not ready, 3 unknown')
    .argument('<member>')
    .option('--cluster <name>', 'Cluster (default: the configured scope)')
    .option('--group <number>', 'Citus group', parseCount)
    .option('--max-lag <size>', 'Maximum lag behind the leader', parseSize, 0)
    .addOption(
      new Option('--mode <mode>', 'Which position must be within --max-lag')
        .choices(['replay', 'write'])
        .default('replay'),
    )
    .option('--member-url <url>', "The member's REST API; with --leader-url no DCS is needed")
    .option('--leader-url <url>', "The leader's REST API")
    .option('--timeout <time>', 'Limit of one call to one node (default 3s)', parseTimeoutMs)
    .action((member: string, options: ReadyOptions) =>
      run((context) => ready(context, member, options)),
    );
}

async function ready(context: Context, member: string, options: ReadyOptions): Promise<Ending> {
  const limit = { maxLagBytes: options.maxLag, mode: options.mode };
  const why = await orCannotTell(
    options.memberUrl !== undefined && options.leaderUrl !== undefined
      ? byUrls(context, member, options.memberUrl, options.leaderUrl, limit)
      : byDcs(context, member, options, limit),
  );
  context.io.out(why === null ? `${oneLine(member)} is ready\n` : `not ready: ${oneLine(why)}\n`);
  return why === null ? 'ok' : 'error';
}

// ---------------------------------------------------------------- with the DCS

async function byDcs(
  context: Context,
  name: string,
  options: ReadyOptions,
  limit: LagLimit,
): Promise<string | null> {
  const scope = await scopeOrDefault(context, options.cluster);
  const { group: configured } = await context.config();
  const group = options.group ?? configured;
  const clusters = await (await context.dcs()).read({ scope, group });
  const cluster = clusters.find((one) => one.members.some((member) => member.name === name));
  if (!cluster) return `${name} has no member key`;
  if (cluster.leaderName === null) return 'no leader to compare with';
  // Only the two that matter are asked.
  const asked = await Promise.all(
    cluster.members.map(async (member): Promise<MemberReadings> => {
      const { name: of, apiUrl } = member;
      const off: Reading<never> = { ok: false, kind: 'off', reason: 'not asked' };
      if (apiUrl === null || (of !== name && of !== cluster.leaderName)) {
        return { name: of, rest: off, sql: off };
      }
      const target = { apiUrl, name: of, scope: cluster.scope };
      const rest = await (await context.patroni()).status(target, context.flags.timeoutMs);
      return { name: of, rest, sql: off };
    }),
  );
  const snapshot: Snapshot = {
    cluster,
    verify: 'rest',
    takenAt: new Date(context.clock.nowMs()).toISOString(),
    members: asked,
    departed: [],
    serializable: false,
    previous: null,
  };
  const view = viewOf(snapshot);
  const leader = view.leader?.observed;
  if (leader === 'unreachable' || leader === 'unknown') {
    throw cannotTell(`the leader ${cluster.leaderName} is ${leader}`);
  }
  if (leader !== 'primary' && leader !== 'standby leader') {
    return `the leader ${cluster.leaderName} is ${leader ?? 'no member'}`;
  }
  const one = view.members.find((candidate) => candidate.name === name);
  if (!one) return `${name} has no member key`;
  if (one === view.leader) return null;
  const unknown = untold(one, limit.mode);
  if (unknown !== null) throw cannotTell(unknown);
  return missingReady(one, limit, view);
}

function cannotTell(why: string): ToolError {
  return new ToolError('unreachable', `unknown whether it is ready: ${why}`, {
    code: 'cannot_tell',
  });
}

// ---------------------------------------------------------------- by two addresses

async function byUrls(
  context: Context,
  name: string,
  memberUrl: string,
  leaderUrl: string,
  { maxLagBytes, mode }: LagLimit,
): Promise<string | null> {
  const [member, leader] = await Promise.all(
    [memberUrl, leaderUrl].map((url) => ask(context, url)),
  );
  if (!member || !leader) throw cannotTell('not asked');
  if (member.name !== '' && member.name !== name) {
    throw cannotTell(`${memberUrl} belongs to ${member.name}`);
  }
  if (member.scope !== leader.scope) {
    throw cannotTell(
      `${memberUrl} belongs to cluster ${member.scope}, ${leaderUrl} to ${leader.scope}`,
    );
  }
  if (leader.location === null && leader.role !== 'standby_leader') {
    return `${leaderUrl} is not a leader${leader.name === '' ? '' : `: it belongs to ${leader.name}`}${leader.name === '' ? ': it is' : ', which is'} a ${leader.role}`;
  }
  if (member.name === leader.name && member.name !== '') return null;
  if (member.replicationState !== 'streaming') {
    return `${name} does not stream (${member.replicationState ?? member.state})`;
  }
  const at =
    mode === 'replay'
      ? member.replayedLocation
      : farther(member.receivedLocation, member.replayedLocation);
  const current = leader.location ?? farther(leader.receivedLocation, leader.replayedLocation);
  if (at === null || current === null) throw cannotTell(`the lag of ${name} is unknown`);
  const behind = current > at ? Number(current - at) : 0;
  return behind <= maxLagBytes ? null : `${name} is ${behind} bytes behind`;
}

async function ask(context: Context, url: string): Promise<RestStatus> {
  const patroni = await context.patroni();
  const outcome = await patroni.call('GET', url, '/patroni', null, context.flags.timeoutMs);
  if (outcome.kind !== 'answered') {
    throw new ToolError('unreachable', `${url} does not answer: ${outcome.reason}`);
  }
  const { status: code, json } = outcome.answer;
  const status = parseRestStatus(code, json);
  // Patroni answers this question with 200 whatever its state is.
  if (status === null || code !== 200)
    throw new ToolError('unreachable', `${url} is not Patroni's REST API: HTTP ${code}`);
  return status;
}
