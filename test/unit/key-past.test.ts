/** The history of keys is read to its end, or it is said that it was not: also where the DCS is slow. */
import { afterEach, expect, test, vi } from 'vitest';
import { keyPast } from '../../src/dcs/keyed/key-past.js';
import type { KeyStore, WatchEvent } from '../../src/dcs/keyed/key-store.js';

const KV = {
  key: '/service/demo/leader',
  value: 'pg1',
  createRevision: '5',
  modRevision: '5',
  lease: null,
};

/** What its watch tells comes so late, ms. */
function slowStore(...items: [number, WatchEvent][]): KeyStore {
  return {
    range: () => Promise.resolve({ revision: '5', kvs: [KV] }),
    rangeAt: () => Promise.resolve(null),
    async *watch() {
      for (const [afterMs, item] of items) {
        await new Promise((resolve) => setTimeout(resolve, afterMs));
        yield item;
      }
      await new Promise(() => undefined);
    },
  } as unknown as KeyStore;
}

const read = async (store: KeyStore) => {
  vi.useFakeTimers();
  const past = keyPast(store, '/service/demo/', { ms: 20_000 }, () => undefined);
  await vi.advanceTimersByTimeAsync(30_000);
  return past;
};

afterEach(() => {
  vi.useRealTimers();
});

const LATE: WatchEvent = { type: 'put', kv: KV, revision: '5' };
const RESYNC: WatchEvent = { type: 'resync' };

test.each([
  ['a watch that takes 6 s to open', [[6000, LATE]], { from: '5', complete: true }],
  ['nothing is left behind the compaction', [[6000, RESYNC]], { from: null, complete: true }],
  ['a watch that never opens', [], { from: null, complete: false }],
] as [string, [number, WatchEvent][], object][])('%s', async (_, items, told) => {
  expect(await read(slowStore(...items))).toEqual({ ...told, head: '5' });
});
