/** Keys that are gone, out of etcd's own history. */
import type { IRangeRequest, IRangeResponse, IWatchResponse } from 'etcd3';
import type { DeletedKey, Endpoint } from './dcs.js';
import { unwrap } from './grpc.js';
import { endOfPrefix } from './keys.js';
import { findLive } from './live.js';
import type { Etcd } from './live.js';
import { ToolError } from '../errors.js';
import { EndpointFailure, endpointEvidence } from './walk.js';
import { compactedTo, openMessages } from './stream.js';
import type { Messages } from './stream.js';
import { isPut, previousValue } from './watch.js';

/**
 * A watch that replays history is silent for this long only when it has caught up: etcd feeds a watch
 * that lags at least every 100 ms.
 */
const QUIET_MS = 300;
/** Where no key is left that would show how far the replay is, a slow start must not look like the end. */
const BLIND_QUIET_MS = 1000;

/** How far a replay has to come. */
interface Goal {
  /** The newest write that is still visible below the prefix: everything before it has been seen with it. */
  newestPut: bigint;
  untilMs: number;
}

type Replay = 'done' | { from: bigint };

/** See Dcs.deletedKeys. What was found when `limitMs` are over is what there is. */
export async function findDeleted(
  etcd: Etcd,
  prefix: string,
  limitMs: number,
): Promise<DeletedKey[]> {
  const untilMs = Date.now() + limitMs;
  const { endpoint, revision } = await findLive(etcd, prefix, {
    timeoutMs: Math.min(limitMs, etcd.settings.timeoutMs),
  });
  try {
    const newestPut = await newestVisible(etcd, endpoint, prefix, revision);
    return await replayAll(etcd, endpoint, prefix, { newestPut, untilMs });
  } catch (error) {
    if (!(error instanceof EndpointFailure)) throw error;
    const evidence = [endpointEvidence(endpoint, error.message)];
    throw new ToolError('unreachable', `etcd's history could not be read (${error.message})`, {
      evidence,
    });
  }
}

async function replayAll(
  etcd: Etcd,
  endpoint: Endpoint,
  prefix: string,
  goal: Goal,
): Promise<DeletedKey[]> {
  const deleted = new Map<string, DeletedKey>();
  let from = 1n;
  for (;;) {
    const messages = await openMessages(etcd.grpc, endpoint, prefix, from);
    try {
      const end = await replay(messages, goal, deleted);
      if (end === 'done') break;
      from = end.from;
    } finally {
      messages.cancel();
    }
  }
  return [...deleted.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

async function newestVisible(
  { grpc, settings }: Etcd,
  endpoint: Endpoint,
  prefix: string,
  revision: string,
): Promise<bigint> {
  const answer = await grpc.read<IRangeResponse>(endpoint, {
    service: 'KV',
    method: 'range',
    request: {
      key: Buffer.from(prefix),
      range_end: Buffer.from(endOfPrefix(prefix)),
      revision,
      limit: 1,
      keys_only: true,
      sort_order: 'Descend',
      sort_target: 'Mod',
    } satisfies IRangeRequest,
    timeoutMs: settings.timeoutMs,
  });
  return BigInt(unwrap(answer, settings, prefix).kvs[0]?.mod_revision ?? '0');
}

/** Reads one stream until it has caught up, time is over, or history turns out to begin later. */
async function replay(
  messages: Messages,
  goal: Goal,
  deleted: Map<string, DeletedKey>,
): Promise<Replay> {
  let seen = 0n;
  let created = false;
  for (;;) {
    const leftMs = goal.untilMs - Date.now();
    if (leftMs <= 0) return 'done';
    const quietMs = goal.newestPut === 0n && seen === 0n ? BLIND_QUIET_MS : QUIET_MS;
    const item = await messages.next(Math.min(leftMs, quietMs));
    if (item.kind === 'ended') throw new EndpointFailure(item.error.message);
    if (item.kind === 'quiet') {
      if (created && seen >= goal.newestPut) return 'done';
      continue;
    }
    created ||= item.message.created;
    const oldest = compactedTo(item.message);
    if (oldest !== null) return { from: oldest };
    if (item.message.canceled) throw new EndpointFailure(item.message.cancel_reason);
    for (const event of item.message.events) {
      seen = BigInt(event.kv.mod_revision);
      note(event, deleted);
    }
  }
}

function note(event: IWatchResponse['events'][number], deleted: Map<string, DeletedKey>): void {
  const key = event.kv.key.toString('utf8');
  deleted.delete(key);
  if (isPut(event)) return;
  const lastValue = previousValue(event.prev_kv);
  // Without its last value (compacted away) a deleted key tells nothing.
  if (lastValue !== null) {
    deleted.set(key, { key, lastValue, deletedRevision: event.kv.mod_revision });
  }
}
