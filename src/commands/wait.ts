/** `patctl wait`: until something is so, following the DCS, with a limit. */
import { commandLine } from '../cluster/model/command-line.js';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  CONDITIONS,
  missing,
  parseCondition,
  type Condition,
  type LagLimit,
  type WaitLimit,
} from '../cluster/conditions.js';
import type { Snapshot } from '../cluster/model/model.js';
import { viewOf } from '../cluster/roles/view.js';
import type { ClusterName } from '../dcs/dcs.js';
import { ToolError, type Ending } from '../errors.js';
import { oneLine } from '../output/text.js';
import type { Run } from '../cli/run-command.js';
import type { SnapshotRequest } from '../observe/read-snapshot.js';
import type { Context } from '../context.js';
import {
  addWitnessOptions,
  parseCount,
  scopeOrDefault,
  askingOf,
  type WitnessOptions,
} from '../cli/options.js';
import { parseSize, parseDurationMs } from '../cli/units.js';

interface WaitOptions extends WitnessOptions, LagLimit {
  group?: number;
  for: Condition[];
  deadline: number;
  maxLag: number;
  evenPaused?: boolean;
}

const DEFAULT_LIMIT_MS = 300_000;
/** Between readings when nothing happens in the DCS: positions move without it. */
const TICK_MS = 1000;
/** After an event others follow at once. */
const GATHER_MS = 50;

function takeCondition(text: string, before: Condition[] = []): Condition[] {
  const condition = parseCondition(text);
  if (condition === null) throw new InvalidArgumentError(`one of: ${CONDITIONS}.`);
  return [...before, condition];
}

const HEALTHY = `
healthy means: the leader is a primary (or a standby leader); every other member streams, but for those tagged
nostream; no member has left the DCS within 24 h other than by a clean shutdown; every member's Patroni answers and its
PostgreSQL runs; a standby is synchronous where synchronous_mode is on; check would find nothing critical and nothing
unknown; and the cluster is not paused, unless --even-paused is given.
`;

export function waitCommand(run: Run): Command {
  const command = new Command('wait')
    .description('Wait until a condition holds; exit 0 when it does, 5 at the limit')
    .argument('[cluster]')
    .requiredOption('--for <condition>', `${CONDITIONS}; may be repeated`, takeCondition)
    .option('--group <number>', 'Citus group', parseCount)
    .option('--max-lag <size>', 'Maximum lag that counts as caught up', parseSize, 0)
    .addOption(
      new Option('--mode <mode>', 'Which position must be within --max-lag')
        .choices(['replay', 'write'])
        .default('replay'),
    )
    .option('--even-paused', 'Let a paused cluster be healthy')
    .option(
      '--deadline <time>',
      'Limit of the whole wait (default 5m)',
      parseDurationMs,
      DEFAULT_LIMIT_MS,
    )
    .addHelpText('after', HEALTHY);
  return addWitnessOptions(command).action((cluster: string | undefined, options: WaitOptions) =>
    run((context) => wait(context, cluster, options)),
  );
}

async function wait(
  context: Context,
  cluster: string | undefined,
  options: WaitOptions,
): Promise<Ending> {
  const { deadline: limitMs } = options;
  const asked = askingOf(options);
  const scope = await scopeOrDefault(context, cluster);
  const { group: configured } = await context.config();
  const group = options.group ?? configured;
  const request = { scope, group, ...asked };
  const { maxLag: maxLagBytes, mode, evenPaused = false } = options;
  const limit = { maxLagBytes, mode, evenPaused };
  const startedMs = context.clock.nowMs();
  let before: readonly Snapshot[] = [];
  const follower = followDcs(context, { scope, group });
  let said = '';
  try {
    for (let first = true; ; first = false) {
      const { open, snapshots } = await whatIsMissing(
        context,
        { request, conditions: options.for, limit, before },
        first,
      );
      before = snapshots;
      if (open.length === 0) return 'ok';
      if (context.signal.aborted)
        throw new ToolError('interrupted', 'interrupted; nothing was changed');
      const leftMs = startedMs + limitMs - context.clock.nowMs();
      if (leftMs <= 0) throw notInTime(open, limitMs, request);
      const line = open.join('; ');
      if (line !== said) context.io.err(`waiting: ${oneLine(line)}\n`);
      said = line;
      await follower.event(Math.min(TICK_MS, leftMs));
    }
  } finally {
    follower.stop();
  }
}

function notInTime(
  open: string[],
  limitMs: number,
  request: { scope: string; group: number | null },
): ToolError {
  return new ToolError('unconfirmed', `not within ${limitMs / 1000} s: ${open.join('; ')}`, {
    code: 'not_in_time',
    hint: `see the reason: ${commandLine(request, 'check')}`,
  });
}

interface Awaited {
  request: SnapshotRequest;
  conditions: Condition[];
  limit: WaitLimit;
  /** What was read the last time, to tell a rate from. */
  before: readonly Snapshot[];
}

/** What is still missing; a cluster that is not there, or cannot be read for a moment, is missing too. */
async function whatIsMissing(
  context: Context,
  { request, conditions, limit, before }: Awaited,
  first: boolean,
): Promise<{ open: string[]; snapshots: readonly Snapshot[] }> {
  const { readSnapshots } = await import('../observe/read-snapshot.js');
  try {
    const snapshots = await readSnapshots(context, request);
    const views = snapshots.map((snapshot) => {
      const { group } = snapshot.cluster;
      const last = before.find(({ cluster }) => cluster.group === group) ?? null;
      return viewOf({ ...snapshot, previous: last });
    });
    const open = conditions.flatMap((condition) =>
      views.flatMap((view) => missing(condition, view, limit) ?? []),
    );
    return { open, snapshots };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const unknown = error.code === 'unknown_cluster';
    if (!unknown && (first || error.ending !== 'unreachable')) throw error;
    return { open: [error.message], snapshots: before };
  }
}

interface Follower {
  /** Resolves after a change of the cluster in the DCS, or after `ms`. */
  event(ms: number): Promise<void>;
  stop(): void;
}

/** A watch that may fail: then looking every TICK_MS has to do. */
function followDcs(context: Context, name: ClusterName): Follower {
  const stop = new AbortController();
  let wake: () => void = () => undefined;
  const follow = async () => {
    const dcs = await context.dcs();
    const { changes } = await dcs.follow(name);
    const events = changes(stop.signal)[Symbol.asyncIterator]();
    while (!(await events.next()).done) wake();
  };
  follow().catch(() => undefined);
  return {
    event: async (ms) => {
      const changed = new Promise<'changed'>((resolve) => (wake = () => resolve('changed')));
      const quiet = new AbortController();
      const signal = AbortSignal.any([quiet.signal, context.signal]);
      const how = await Promise.race([changed, context.clock.wait(ms, signal)]);
      quiet.abort();
      if (how === 'changed') await context.clock.wait(GATHER_MS, context.signal);
    },
    stop: () => stop.abort(),
  };
}
