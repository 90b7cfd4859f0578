/** Every change of a cluster's keys that the store still remembers, in the order in which it was made. */
import { pause } from '../../clock.js';
import type { KeyChange, KeyPast } from '../../cluster/story/key-past-model.js';
import type { PastLimit } from '../dcs.js';
import type { KeyStore, KeyValue, RangeRead, WatchEvent } from './key-store.js';

/** So long no event came on an open watch: everything that was written is older than the store's compaction. */
const NOTHING_MS = 1000;

/**
 * The keys at the oldest revision that is left, then each change, until it has caught up with the keys that are there
 * now, or the limit is reached. Changes are handed to `fold` one by one and not kept.
 */
export async function keyPast(
  store: KeyStore,
  prefix: string,
  limit: PastLimit,
  fold: (change: KeyChange) => void,
): Promise<KeyPast> {
  const head = await store.range(prefix);
  const over = new AbortController();
  const deadline = Date.now() + limit.ms;
  const watched = store.watch(prefix, '0', over.signal)[Symbol.asyncIterator]();
  const nameOf = (key: string): string => key.slice(prefix.length);
  const reached = reaching(head);
  let from: string | null = null;
  let isOpen = false;
  try {
    for (;;) {
      const leftMs = deadline - Date.now();
      const isQuiet = isOpen && from === null;
      const event = await within(watched.next(), isQuiet ? Math.min(NOTHING_MS, leftMs) : leftMs);
      if (event === null) return { from, complete: isQuiet, head: head.revision };
      isOpen = true;
      if (event.type === 'resync') continue;
      if (from === null) {
        from = event.revision;
        for (const kv of await before(store, prefix, event.revision)) {
          reached.kept(kv);
          fold(asKept(nameOf, kv));
        }
      }
      fold(asChange(nameOf, event));
      if (reached.isAll(event)) return { from, complete: true, head: head.revision };
    }
  } finally {
    over.abort();
    void watched.return?.();
  }
}

/**
 * Whether the history has come to what is there now: its newest write was seen, and the end of every key that is gone.
 */
function reaching({ revision, kvs }: RangeRead): {
  kept: (kv: KeyValue) => void;
  isAll: (event: Change) => boolean;
} {
  const head = BigInt(revision);
  const there = new Set(kvs.map(({ key }) => key));
  const newest = kvs.reduce(
    (most, kv) => (BigInt(kv.modRevision) > most ? BigInt(kv.modRevision) : most),
    0n,
  );
  const ending = new Set<string>();
  return {
    kept: ({ key }) => {
      if (!there.has(key)) ending.add(key);
    },
    isAll: (event) => {
      const at = BigInt(event.revision);
      if (event.type === 'delete') ending.delete(event.key);
      else if (!there.has(event.kv.key) && at <= head) ending.add(event.kv.key);
      return at >= newest && ending.size === 0;
    },
  };
}

type Change = Exclude<WatchEvent, { type: 'resync' }>;

/** What stood below the prefix just before a revision; nothing when the store has forgotten that. */
async function before(store: KeyStore, prefix: string, revision: string): Promise<KeyValue[]> {
  const earlier = BigInt(revision) - 1n;
  return earlier < 1n ? [] : ((await store.rangeAt(prefix, earlier.toString())) ?? []);
}

const asKept = (nameOf: (key: string) => string, kv: KeyValue): KeyChange => ({
  revision: kv.modRevision,
  name: nameOf(kv.key),
  value: kv.value,
  lease: kv.lease,
  kept: true,
});

function asChange(nameOf: (key: string) => string, event: Change): KeyChange {
  if (event.type === 'delete') {
    return { revision: event.revision, name: nameOf(event.key), value: null, lease: null };
  }
  const { key, value, lease } = event.kv;
  return { revision: event.revision, name: nameOf(key), value, lease };
}

/** The next event; null when none came in time. */
async function within(
  next: Promise<IteratorResult<WatchEvent>>,
  ms: number,
): Promise<WatchEvent | null> {
  const early = new AbortController();
  try {
    const came = await Promise.race([next, pause(Math.max(0, ms), early.signal).then(() => null)]);
    if (came === null) next.catch(() => undefined);
    return came === null || came.done === true ? null : came.value;
  } finally {
    early.abort();
  }
}
