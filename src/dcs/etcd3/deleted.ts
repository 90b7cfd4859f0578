/** Keys that are gone, out of etcd's own history. */
import type { DeletedKey, DeletedKeys, Enough, KeyValue, RangeRead } from '../keyed/key-store.js';
import type { Endpoint } from '../../config/endpoints.js';
import { ToolError } from '../../errors.js';
import { isCompacted, etcdRefusal, type EtcdError, type Subject } from './refusal.js';
import { distances, take } from './samples.js';
import { EndpointFailure, endpointEvidence } from './walk.js';

/** Reads in flight at once: hides the way to etcd, and leaves room there for others. */
export const PARALLEL = 8;

/** etcd's history below a prefix, as one endpoint that has reached the head reports it. */
export interface Teller {
  endpoint: Endpoint;
  /** The keys at the head. */
  now: RangeRead;
  /** How many looks it is given at once. */
  together: number;
  /** What stood below the prefix at a revision, or at one key of it; or why etcd does not tell. */
  at(revision: bigint, key?: string): Promise<KeyValue[] | EtcdError>;
}

/** The value of a key at an old revision; unknown after it was compacted, or when the limit is reached. */
type Then = KeyValue[] | 'compacted' | 'over';

interface Past {
  head: bigint;
  /** How many samples are taken at once. */
  together: number;
  /** Everything below the prefix, or one key. */
  at(revision: bigint, key?: string): Promise<Then>;
}

/** Of the looks that a limit allows. */
const SAMPLES_SHARE = 0.8;

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
 * See KeyStore.deletedKeys. etcd answers at once what stood below a prefix at an old revision, so the past is
 * looked at in samples, and at the same time step by step: samples find what lived for long, however long
 * ago; steps find what left while others wrote much. A watch that replays history would need no such
 * search, but it meets the newest deletions last, and tells its end only by falling silent.
 */
export async function findDeleted(
  teller: Teller,
  subject: Subject,
  limit: { over: AbortSignal; looks: number | undefined },
  enough: Enough = () => false,
): Promise<DeletedKeys> {
  let looksLeft = limit.looks ?? Infinity;
  // What is left of few looks is for the steps.
  const together = Math.min(teller.together, Math.max(1, Math.ceil(looksLeft * SAMPLES_SHARE)));
  const at: Past['at'] = (revision, key) => {
    // The end of one key does not count as a probe: a found member is reported precisely.
    const noMore = key === undefined && looksLeft-- <= 0;
    if (noMore || limit.over.aborted) return Promise.resolve('over');
    return readAt(teller, subject, limit.over, revision, key);
  };
  try {
    return await searchPast(
      { head: BigInt(teller.now.revision), together, at },
      teller.now.kvs,
      enough,
    );
  } catch (error) {
    if (!(error instanceof EndpointFailure)) throw error;
    const evidence = [endpointEvidence(teller.endpoint, error.message)];
    throw new ToolError('unreachable', `etcd's history could not be read (${error.message})`, {
      evidence,
    });
  }
}

async function searchPast(past: Past, now: KeyValue[], enough: Enough): Promise<DeletedKeys> {
  const present = new Set(now.map(({ key }) => key));
  const search: Search = { past, present, found: new Map(), enough, over: false };
  const complete = await Promise.all([inSamples(search), inSteps(search, now)]);
  return { keys: inOrder(search.found), complete: complete.includes(true) };
}

/** Ever more densely (see `distances`), until every revision has been looked at: then true. */
async function inSamples(search: Search): Promise<boolean> {
  const { head, together } = search.past;
  // Revision 1 is the empty store; a compaction makes the past shorter.
  let oldest = Number(head) - 1;
  const samples = distances(() => oldest);
  while (!search.over) {
    const batch = take(samples, together);
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
    [, then] = await Promise.all([look(search, newest), look(search, newest - 1n)]);
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
    // Another look may have met it later in the meantime.
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
  let isCut = false;
  while (gone - there > 1n) {
    const middle = (there + gone) / 2n;
    const then = await past.at(middle, kv.key);
    isCut = typeof then === 'string';
    if (typeof then === 'string') break;
    const [still] = then;
    if (still === undefined) {
      gone = middle;
    } else {
      there = middle;
      last = still;
    }
  }
  const end = { key: kv.key, lastValue: last.value, deletedRevision: gone.toString() };
  return isCut ? { ...end, approximate: true } : end;
}

async function readAt(
  teller: Teller,
  subject: Subject,
  over: AbortSignal,
  revision: bigint,
  key?: string,
): Promise<Then> {
  try {
    const answer = await teller.at(revision, key);
    if (Array.isArray(answer)) return answer;
    if (isCompacted(answer)) return 'compacted';
    throw etcdRefusal(answer, subject);
  } catch (error) {
    if (over.aborted) return 'over';
    throw error;
  }
}
