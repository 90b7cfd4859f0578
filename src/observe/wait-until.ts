/** Waits until conditions hold, following the DCS. */
import { missing, type Condition, type WaitLimit } from '../cluster/conditions.js';
import { commandLine } from '../cluster/model/command-line.js';
import type { Snapshot } from '../cluster/model/model.js';
import { viewOf } from '../cluster/roles/view.js';
import type { Context } from '../context.js';
import type { ClusterName } from '../dcs/dcs.js';
import { ToolError } from '../errors.js';
import { readSnapshotsOnce, type SnapshotRequest } from './read-snapshot.js';

/** Between readings when nothing happens in the DCS: positions move without it. */
const TICK_MS = 1000;
/** Other events follow the first one at once. */
const GATHER_MS = 50;

export interface WaitRequest {
  cluster: SnapshotRequest;
  /** All of them, in every Citus group that is meant. */
  conditions: readonly Condition[];
  limit: WaitLimit;
  /** Limit of the whole wait. */
  deadlineMs: number;
  /** Told of what is missing whenever that changes. */
  onMissing: (missing: string) => void;
}

/**
 * Returns when every condition holds. ToolError `unconfirmed` (not_in_time) at the limit, `interrupted` at the signal;
 * what the first reading throws when the DCS does not answer.
 */
export async function waitUntil(context: Context, request: WaitRequest): Promise<void> {
  const deadlineMs = context.clock.nowMs() + request.deadlineMs;
  const follower = followDcs(context, request.cluster);
  let before: readonly Snapshot[] = [];
  let told = '';
  try {
    for (let first = true; ; first = false) {
      const { open, snapshots } = await whatIsMissing(context, request, before, first);
      before = snapshots;
      if (open.length === 0) return;
      if (context.signal.aborted)
        throw new ToolError('interrupted', 'interrupted; nothing was changed');
      const leftMs = deadlineMs - context.clock.nowMs();
      if (leftMs <= 0) throw notInTime(open, request);
      const line = open.join('; ');
      if (line !== told) request.onMissing(line);
      told = line;
      await follower.event(Math.min(TICK_MS, leftMs));
    }
  } finally {
    follower.stop();
  }
}

function notInTime(open: string[], { cluster, deadlineMs }: WaitRequest): ToolError {
  return new ToolError('unconfirmed', `not within ${deadlineMs / 1000} s: ${open.join('; ')}`, {
    code: 'not_in_time',
    hint: `see the reason: ${commandLine(cluster, 'check')}`,
  });
}

/**
 * What is still missing. A cluster that does not exist is missing; so is one whose DCS does not answer for a moment,
 * but not at the first reading. `before`: the last readings, because a rate needs two.
 */
async function whatIsMissing(
  context: Context,
  { cluster, conditions, limit }: WaitRequest,
  before: readonly Snapshot[],
  first: boolean,
): Promise<{ open: string[]; snapshots: readonly Snapshot[] }> {
  try {
    const snapshots = await readSnapshotsOnce(context, cluster);
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
