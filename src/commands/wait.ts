/** `patctl wait`: until something is so, following the DCS, with a limit. */
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  CONDITIONS,
  missing,
  parseCondition,
  type Condition,
  type LagLimit,
} from '../cluster/conditions.js';
import type { Snapshot } from '../cluster/model.js';
import { clusterPrefix } from '../cluster/parse.js';
import { viewOf } from '../cluster/roles.js';
import { ToolError, type Ending } from '../errors.js';
import { oneLine } from '../output/text.js';
import type { Finish } from '../program.js';
import type { SnapshotRequest } from '../snapshot.js';
import type { Tool } from '../tool.js';
import {
  addWitnessOptions,
  parseCount,
  scopeOrDefault,
  witnesses,
  type WitnessOptions,
} from './options.js';
import { parseSize, parseTimeMs } from './units.js';

interface WaitOptions extends Omit<WitnessOptions, 'timeout'>, LagLimit {
  group?: number;
  for: Condition[];
  timeout: number;
  maxLag: number;
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

export function waitCommand(tool: Tool, finish: Finish): Command {
  const command = new Command('wait')
    .description('Wait until something is so; exit 0 when it is, 5 at the limit')
    .argument('[cluster]')
    .requiredOption('--for <condition>', `${CONDITIONS}; may be repeated`, takeCondition)
    .option('--group <number>', 'Citus group', parseCount)
    .option('--max-lag <size>', 'How far behind counts as caught up', parseSize, 0)
    .addOption(
      new Option('--mode <mode>', 'Behind in what').choices(['replay', 'write']).default('replay'),
    );
  addWitnessOptions(command);
  // Here the limit of the whole wait; a call to one node keeps the program's own --timeout.
  const timeout = command.options.find(({ long }) => long === '--timeout');
  if (timeout) {
    timeout.description = 'How long to wait (default 5m)';
    timeout.argParser(parseTimeMs);
    timeout.default(DEFAULT_LIMIT_MS, '5m');
    command.setOptionValueWithSource('timeout', DEFAULT_LIMIT_MS, 'default');
  }
  return command.action(async (cluster: string | undefined, options: WaitOptions) =>
    finish(await wait(tool, cluster, options)),
  );
}

async function wait(
  tool: Tool,
  cluster: string | undefined,
  options: WaitOptions,
): Promise<Ending> {
  const { timeout: limitMs, ...rest } = options;
  const asked = await witnesses(tool, rest);
  const scope = await scopeOrDefault(tool, cluster);
  const { group: configured, namespace } = await tool.config();
  const group = options.group ?? configured;
  const request = { scope, group, ...asked };
  const limit = { maxLagBytes: options.maxLag, mode: options.mode };
  const startedMs = tool.clock.nowMs();
  let before: readonly Snapshot[] = [];
  const follower = followDcs(tool, clusterPrefix(namespace, scope, group));
  let said = '';
  try {
    for (let first = true; ; first = false) {
      const { open, snapshots } = await whatIsMissing(
        tool,
        { request, conditions: options.for, limit, before },
        first,
      );
      before = snapshots;
      if (open.length === 0) return 'ok';
      if (tool.signal.aborted)
        throw new ToolError('interrupted', 'interrupted; nothing was changed');
      const leftMs = startedMs + limitMs - tool.clock.nowMs();
      if (leftMs <= 0) throw notInTime(open, limitMs);
      const line = open.join('; ');
      if (line !== said) tool.io.err(`waiting: ${oneLine(line)}\n`);
      said = line;
      await follower.event(Math.min(TICK_MS, leftMs));
    }
  } finally {
    follower.stop();
  }
}

function notInTime(open: string[], limitMs: number): ToolError {
  return new ToolError('unconfirmed', `not within ${limitMs / 1000} s: ${open.join('; ')}`, {
    code: 'not_in_time',
    hint: 'patctl check says what stands in the way',
  });
}

interface Awaited {
  request: SnapshotRequest;
  conditions: Condition[];
  limit: LagLimit;
  /** What was read the last time, to tell a rate from. */
  before: readonly Snapshot[];
}

/** What is still missing; a cluster that is not there, or cannot be read for a moment, is missing too. */
async function whatIsMissing(
  tool: Tool,
  { request, conditions, limit, before }: Awaited,
  first: boolean,
): Promise<{ open: string[]; snapshots: readonly Snapshot[] }> {
  const { readSnapshots } = await import('../snapshot.js');
  try {
    const snapshots = await readSnapshots(tool, request);
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
  /** Resolves after a change below the prefix, or after `ms`. */
  event(ms: number): Promise<void>;
  stop(): void;
}

/** A watch that may fail: then looking every TICK_MS has to do. */
function followDcs(tool: Tool, prefix: string): Follower {
  const stop = new AbortController();
  let wake: () => void = () => undefined;
  const follow = async () => {
    const dcs = await tool.dcs();
    const { revision } = await dcs.range(prefix);
    const events = dcs.watch(prefix, revision, stop.signal)[Symbol.asyncIterator]();
    while (!(await events.next()).done) wake();
  };
  follow().catch(() => undefined);
  return {
    event: async (ms) => {
      const changed = new Promise<'changed'>((resolve) => (wake = () => resolve('changed')));
      const quiet = new AbortController();
      const signal = AbortSignal.any([quiet.signal, tool.signal]);
      const how = await Promise.race([changed, tool.clock.wait(ms, signal)]);
      quiet.abort();
      if (how === 'changed') await tool.clock.wait(GATHER_MS, tool.signal);
    },
    stop: () => stop.abort(),
  };
}
