/** Keys that are gone, out of etcd's own history. */
import type { IRangeRequest, IRangeResponse } from 'etcd3';
import type { DeletedKey, DeletedKeys, Endpoint, Enough, KeyValue } from './dcs.js';
import { unwrap } from './grpc.js';
import { endOfPrefix } from './keys.js';
import { findLive, toKeyValue } from './live.js';
import type { Etcd } from './live.js';
import { ToolError } from '../errors.js';
import { CODE, isCompacted } from './refusal.js';
import { distances, take } from './samples.js';
import { EndpointFailure, endpointEvidence } from './walk.js';

/** Reads in flight at once: hides the way to etcd, and leaves room there for others. */
const PARALLEL = 8;

/** What stood somewhere at an old revision; nobody knows once that is compacted, or the time is over. */
type Then = KeyValue[] | 'compacted' | 'late';

interface Past {
  prefix: string;
  head: bigint;
  untilMs: number;
  /** Everything below the prefix, or one key. */
  at(revision: bigint, key?: string): Promise<Then>;
}

/**
 * See Dcs.deletedKeys. etcd answers at once what stood below a prefix at an old revision, so the past is
 * sampled, ever more densely (see `distances`), until every revision has been looked at. A watch that
 * replays history would meet the newest deletions last, 7000 revisions a second, and etcd takes no writes
 * while it gathers old events for a watch.
 */
export async function findDeleted(
  etcd: Etcd,
  prefix: string,
  limitMs: number,
  enough: Enough = () => false,
): Promise<DeletedKeys> {
  const untilMs = Date.now() + limitMs;
  const { endpoint, revision } = await findLive(etcd, prefix, {
    timeoutMs: Math.min(limitMs, etcd.settings.timeoutMs),
  });
  const head = BigInt(revision);
  const at: Past['at'] = (then, key) => readAt(etcd, endpoint, prefix, untilMs, then, key);
  try {
    return await search({ prefix, head, untilMs, at }, enough);
  } catch (error) {
    if (!(error instanceof EndpointFailure)) throw error;
    const evidence = [endpointEvidence(endpoint, error.message)];
    throw new ToolError('unreachable', `etcd's history could not be read (${error.message})`, {
      evidence,
    });
  }
}

async function search(past: Past, enough: Enough): Promise<DeletedKeys> {
  const { head, untilMs } = past;
  const found = new Map<string, DeletedKey>();
  const result = (complete: boolean): DeletedKeys => ({ keys: inOrder(found), complete });
  const now = await past.at(head);
  if (typeof now === 'string') return result(false);
  const present = new Set(now.map(({ key }) => key));
  // Revision 1 is the empty store; a compaction makes the past shorter.
  let oldest = Number(head) - 1;
  const samples = distances(() => oldest);
  for (;;) {
    const batch = take(samples, PARALLEL);
    if (batch.length === 0) return result(true);
    const revisions = batch.map((distance) => head - BigInt(distance));
    const reads = await Promise.all(revisions.map((revision) => past.at(revision)));
    for (const [i, then] of reads.entries()) {
      if (then === 'compacted') oldest = Math.min(oldest, (batch[i] ?? oldest) - 1);
      if (typeof then === 'string') continue;
      const gone = then.filter(({ key }) => !present.has(key));
      for (const kv of gone) await note(past, found, kv, revisions[i] ?? head);
    }
    if (enough(inOrder(found)) || Date.now() >= untilMs) return result(false);
  }
}

function inOrder(found: ReadonlyMap<string, DeletedKey>): DeletedKey[] {
  return [...found.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Keeps what stood at `seenAt` and is gone now, unless it is known to have lived on. */
async function note(
  past: Past,
  found: Map<string, DeletedKey>,
  kv: KeyValue,
  seenAt: bigint,
): Promise<void> {
  const known = found.get(kv.key);
  if (known !== undefined && BigInt(known.deletedRevision) > seenAt) return;
  found.set(kv.key, await endOf(past, kv, seenAt));
}

/** Halves the time between `seenAt` and today until only the deletion is left. */
async function endOf(past: Past, kv: KeyValue, seenAt: bigint): Promise<DeletedKey> {
  let last = kv;
  let there = seenAt;
  let gone = past.head;
  while (gone - there > 1n) {
    const middle = (there + gone) / 2n;
    const then = await past.at(middle, kv.key);
    if (typeof then === 'string') break;
    const [still] = then;
    if (still === undefined) {
      gone = middle;
    } else {
      there = middle;
      last = still;
    }
  }
  return { key: kv.key, lastValue: last.value, deletedRevision: gone.toString() };
}

async function readAt(
  { grpc, settings }: Etcd,
  endpoint: Endpoint,
  prefix: string,
  untilMs: number,
  revision: bigint,
  key?: string,
): Promise<Then> {
  const leftMs = untilMs - Date.now();
  if (leftMs <= 0) return 'late';
  const whole = { key: Buffer.from(prefix), range_end: Buffer.from(endOfPrefix(prefix)) };
  const answer = await grpc.read<IRangeResponse>(endpoint, {
    service: 'KV',
    method: 'range',
    request: {
      ...(key === undefined ? whole : { key: Buffer.from(key) }),
      revision: revision.toString(),
      // This endpoint has been at the head already, and its past is everybody's.
      serializable: true,
    } satisfies IRangeRequest,
    timeoutMs: leftMs,
  });
  if (!answer.ok && isCompacted(answer.error)) return 'compacted';
  if (!answer.ok && answer.error.code === CODE.deadline) return 'late';
  return unwrap(answer, settings, prefix).kvs.map(toKeyValue);
}
