/** Keys that are gone, out of etcd's own history. */
import type { IRangeRequest, IRangeResponse } from 'etcd3';
import type { DeletedKey, DeletedKeys, Endpoint, Enough, HistoryLimit, KeyValue } from './dcs.js';
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

/** What stood somewhere at an old revision; nobody knows once that is compacted, or the limit is reached. */
type Then = KeyValue[] | 'compacted' | 'over';

interface Past {
  head: bigint;
  /** Everything below the prefix, or one key. */
  at(revision: bigint, key?: string): Promise<Then>;
}

interface Search {
  past: Past;
  /** Keys that exist today. */
  present: ReadonlySet<string>;
  found: Map<string, DeletedKey>;
  enough: Enough;
  /** It is enough, or the limit is reached. */
  over: boolean;
}

/**
 * See Dcs.deletedKeys. etcd answers at once what stood below a prefix at an old revision, so the past is
 * looked at in samples, and at the same time step by step: samples find what lived for long, however long
 * ago; steps find what left while others wrote much. A watch that replays history would need no such
 * search, but it meets the newest deletions last, and tells its end only by falling silent.
 */
export async function findDeleted(
  etcd: Etcd,
  prefix: string,
  limit: HistoryLimit,
  enough: Enough = () => false,
): Promise<DeletedKeys> {
  const untilMs = Date.now() + limit.ms;
  const { endpoint, revision } = await findLive(etcd, prefix, {
    timeoutMs: Math.min(limit.ms, etcd.settings.timeoutMs),
  });
  let looksLeft = limit.looks ?? Infinity;
  const at: Past['at'] = (then, key) => {
    // Where one key ended is no further look: what was found is to be told precisely.
    if (key === undefined && looksLeft-- <= 0) return Promise.resolve('over');
    return readAt(etcd, endpoint, prefix, untilMs, then, key);
  };
  try {
    return await searchPast({ head: BigInt(revision), at }, enough);
  } catch (error) {
    if (!(error instanceof EndpointFailure)) throw error;
    const evidence = [endpointEvidence(endpoint, error.message)];
    throw new ToolError('unreachable', `etcd's history could not be read (${error.message})`, {
      evidence,
    });
  }
}

async function searchPast(past: Past, enough: Enough): Promise<DeletedKeys> {
  const now = await past.at(past.head);
  if (typeof now === 'string') return { keys: [], complete: false };
  const present = new Set(now.map(({ key }) => key));
  const search: Search = { past, present, found: new Map(), enough, over: false };
  const complete = await Promise.all([inSamples(search), inSteps(search, now)]);
  return { keys: inOrder(search.found), complete: complete.includes(true) };
}

/** Ever more densely (see `distances`), until every revision has been looked at: then true. */
async function inSamples(search: Search): Promise<boolean> {
  const { head } = search.past;
  // Revision 1 is the empty store; a compaction makes the past shorter.
  let oldest = Number(head) - 1;
  const samples = distances(() => oldest);
  while (!search.over) {
    const batch = take(samples, PARALLEL);
    if (batch.length === 0) {
      search.over = true;
      return true;
    }
    const reads = await Promise.all(batch.map((distance) => look(search, head - BigInt(distance))));
    for (const [i, distance] of batch.entries()) {
      if (reads[i] === 'compacted') oldest = Math.min(oldest, distance - 1);
    }
  }
  return false;
}

/**
 * From each write below the prefix that can be seen to the one before: others' writes cost no step, and
 * only what came and went between two such writes is passed over. True when it came to the compaction.
 */
async function inSteps(search: Search, now: KeyValue[]): Promise<boolean> {
  let then: Then = now;
  while (!search.over && typeof then !== 'string') {
    const newest = newestOf(then);
    if (newest === 0n) return false;
    // Between this write and the last look something may have been deleted.
    await look(search, newest);
    then = await look(search, newest - 1n);
  }
  return then === 'compacted';
}

function newestOf(kvs: readonly KeyValue[]): bigint {
  const revisions = kvs.map(({ modRevision }) => BigInt(modRevision));
  return revisions.reduce((a, b) => (a > b ? a : b), 0n);
}

/** What stood at a revision; keeps of it what is gone now. */
async function look(search: Search, revision: bigint): Promise<Then> {
  const { past, present, found, enough } = search;
  const then = await past.at(revision);
  if (then === 'over') search.over = true;
  if (typeof then === 'string') return then;
  const livedOn = (key: string, after: bigint): boolean =>
    BigInt(found.get(key)?.deletedRevision ?? 0) > after;
  for (const kv of then) {
    if (present.has(kv.key) || livedOn(kv.key, revision)) continue;
    const end = await endOf(past, kv, revision);
    // Another look may have met it later meanwhile.
    if (livedOn(kv.key, BigInt(end.deletedRevision))) continue;
    found.set(kv.key, end);
    if (enough(inOrder(found))) search.over = true;
  }
  return then;
}

function inOrder(found: ReadonlyMap<string, DeletedKey>): DeletedKey[] {
  return [...found.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
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
  if (leftMs <= 0) return 'over';
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
  if (!answer.ok && answer.error.code === CODE.deadline) return 'over';
  return unwrap(answer, settings, prefix).kvs.map(toKeyValue);
}
