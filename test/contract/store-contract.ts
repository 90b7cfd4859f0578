/** What every DCS does alike: run against memory in the fast tier and against real etcd in the live tier. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type {
  KeyStore,
  DeletedKeys,
  RangeRead,
  WatchEvent,
} from '../../src/dcs/keyed/key-store.js';

/** One store, empty of keys below /service/, and the ways in which others change it. */
export interface StoreUnderTest {
  dcs: KeyStore;
  /** As another client. */
  put(key: string, value: string): Promise<void>;
  remove(key: string): Promise<void>;
  /** Forgets history up to and including `revision`. */
  compact(revision: string): Promise<void>;
  end(): Promise<void>;
}

const DEMO = '/service/demo/';

export function describeStore(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`key store contract: ${name}`, () => {
    let test: StoreUnderTest;
    let dcs: KeyStore;
    beforeEach(async () => {
      test = await make();
      dcs = test.dcs;
    });
    afterEach(() => test.end());

    /** The present revision of a key, '0' when it is absent. */
    async function modRevision(key: string): Promise<string> {
      const { kvs } = await dcs.range(DEMO);
      return kvs.find((kv) => kv.key === key)?.modRevision ?? '0';
    }

    /** The first `count` events after `afterRevision`. */
    async function take(count: number, afterRevision: string): Promise<WatchEvent[]> {
      const events: WatchEvent[] = [];
      const stop = new AbortController();
      for await (const event of dcs.watch(DEMO, afterRevision, stop.signal)) {
        events.push(event);
        if (events.length === count) break;
      }
      return events;
    }

    describe('range', () => {
      it('is empty where nothing is', async () => {
        expect((await dcs.range(DEMO)).kvs).toEqual([]);
      });

      it('gives keys in order with their revisions', async () => {
        await test.put(`${DEMO}leader`, 'a');
        await test.put(`${DEMO}config`, '{"ttl":30}');
        await test.put(`${DEMO}leader`, 'b');
        const { kvs, revision } = await dcs.range(DEMO);
        const [config, leader] = kvs;
        expect(kvs.map(({ key, value }) => [key, value])).toEqual([
          [`${DEMO}config`, '{"ttl":30}'],
          [`${DEMO}leader`, 'b'],
        ]);
        expect(leader?.modRevision).toBe(revision);
        expect(BigInt(revision) - BigInt(leader?.createRevision ?? '0')).toBe(2n);
        expect(config?.modRevision).toBe(config?.createRevision);
        expect(leader?.lease).toBeNull();
      });

      it('keeps empty values and text beyond ASCII', async () => {
        await test.put(`${DEMO}empty`, '');
        await test.put(`${DEMO}members/ä`, '{"name":"ä–€😀"}');
        const values = (await dcs.range(DEMO)).kvs.map(({ key, value }) => [key, value]);
        expect(values).toEqual([
          [`${DEMO}empty`, ''],
          [`${DEMO}members/ä`, '{"name":"ä–€😀"}'],
        ]);
      });

      it('does not read a neighbour whose name begins alike', async () => {
        await test.put('/service/demo2/leader', 'other');
        await test.put('/service/demo', 'no slash');
        await test.put(`${DEMO}leader`, 'a');
        expect((await dcs.range(DEMO)).kvs.map(({ key }) => key)).toEqual([`${DEMO}leader`]);
      });

      it('refuses a prefix without its slash', async () => {
        await expect(dcs.range('/service/demo')).rejects.toThrow('ends with "/"');
      });

      it('answers serializable too', async () => {
        await test.put(`${DEMO}leader`, 'a');
        const { kvs } = await dcs.range(DEMO, { serializable: true });
        expect(kvs.map(({ value }) => value)).toEqual(['a']);
      });

      it('reads more keys than one page holds, at one revision', async () => {
        const writes = Array.from(
          { length: 2100 },
          (_, i) => `${DEMO}k${String(i).padStart(5, '0')}`,
        );
        for (let i = 0; i < writes.length; i += 100) {
          const ops = writes
            .slice(i, i + 100)
            .map((key) => ({ op: 'put', key, value: 'x' }) as const);
          await dcs.txn([], ops);
        }
        const { kvs, revision } = await dcs.range(DEMO);
        expect(kvs.map(({ key }) => key)).toEqual(writes);
        expect(kvs.at(-1)?.modRevision).toBe(revision);
        const taken: string[] = [];
        const take = (page: RangeRead): void => {
          expect(page.revision).toBe(revision);
          taken.push(...page.kvs.map(({ key }) => key));
        };
        const all = (last: RangeRead): string[] => {
          take(last);
          return taken;
        };
        expect(await dcs.rangeInto(DEMO, () => ({ take, all }))).toEqual(writes);
      });
    });

    describe('txn', () => {
      const key = `${DEMO}failover`;

      it('creates a key that must not exist, once', async () => {
        const create = [{ op: 'put', key, value: 'mine' }] as const;
        const first = await dcs.txn([{ key, modRevision: '0' }], [...create]);
        const second = await dcs.txn(
          [{ key, modRevision: '0' }],
          [{ ...create[0], value: 'late' }],
        );
        expect(first).toEqual({ done: true, revision: await modRevision(key) });
        expect(second).toMatchObject({ done: false, current: [{ key, value: 'mine' }] });
        expect((await dcs.range(DEMO)).kvs.map(({ value }) => value)).toEqual(['mine']);
      });

      it('writes at the expected revision and not at an older one', async () => {
        await test.put(key, 'one');
        const old = await modRevision(key);
        await test.put(key, 'two');
        const refused = await dcs.txn(
          [{ key, modRevision: old }],
          [{ op: 'put', key, value: '3' }],
        );
        expect(refused).toMatchObject({ done: false, current: [{ key, value: 'two' }] });
        const now = await modRevision(key);
        const done = await dcs.txn([{ key, modRevision: now }], [{ op: 'put', key, value: '3' }]);
        expect(done.done).toBe(true);
        expect((await dcs.range(DEMO)).kvs.map(({ value }) => value)).toEqual(['3']);
      });

      it('reports a compared key that is gone as absent', async () => {
        const outcome = await dcs.txn(
          [{ key, modRevision: '7' }],
          [{ op: 'put', key, value: 'x' }],
        );
        expect(outcome).toEqual({ done: false, current: [] });
      });

      it('does all or nothing', async () => {
        await test.put(`${DEMO}a`, '1');
        await test.put(`${DEMO}b`, '1');
        const compares = [
          { key: `${DEMO}a`, modRevision: await modRevision(`${DEMO}a`) },
          { key: `${DEMO}b`, modRevision: '1' },
        ];
        const ops = [
          { op: 'put', key: `${DEMO}c`, value: '2' },
          { op: 'delete', key: `${DEMO}a` },
        ] as const;
        expect((await dcs.txn(compares, [...ops])).done).toBe(false);
        expect((await dcs.range(DEMO)).kvs.map((kv) => kv.key)).toEqual([`${DEMO}a`, `${DEMO}b`]);
        expect((await dcs.txn(compares.slice(0, 1), [...ops])).done).toBe(true);
        expect((await dcs.range(DEMO)).kvs.map((kv) => kv.key)).toEqual([`${DEMO}b`, `${DEMO}c`]);
      });

      it('refuses an invalid revision, instead of treating it as "absent"', async () => {
        const compares = [{ key, modRevision: '' }];
        const written = dcs.txn(compares, [{ op: 'put', key, value: 'x' }]);
        await expect(written).rejects.toThrow('not a revision');
        expect((await dcs.range(DEMO)).kvs).toEqual([]);
      });
    });

    describe('watch', () => {
      it('replays what came after a revision, in order, with the value before a deletion', async () => {
        await test.put(`${DEMO}leader`, 'a');
        const { revision } = await dcs.range(DEMO);
        await test.put(`${DEMO}leader`, 'b');
        await test.put('/service/demo2/leader', 'other');
        await test.remove(`${DEMO}leader`);
        const [put, gone] = await take(2, revision);
        expect(put).toMatchObject({ type: 'put', kv: { key: `${DEMO}leader`, value: 'b' } });
        expect(gone).toMatchObject({ type: 'delete', key: `${DEMO}leader`, previous: 'b' });
      });

      it('sees what happens while it watches', async () => {
        const { revision } = await dcs.range(DEMO);
        const seen = take(2, revision);
        await test.put(`${DEMO}sync`, '{}');
        await test.put(`${DEMO}sync`, '{"leader":"a"}');
        const [first, second] = await seen;
        expect(first).toMatchObject({ type: 'put', kv: { value: '{}' } });
        expect(second).toMatchObject({ type: 'put', kv: { value: '{"leader":"a"}' } });
        expect(second).toMatchObject({ revision: (await dcs.range(DEMO)).revision });
      });

      it('ends when the signal aborts', async () => {
        const { revision } = await dcs.range(DEMO);
        const stop = new AbortController();
        const watching = (async () => {
          const events: WatchEvent[] = [];
          for await (const event of dcs.watch(DEMO, revision, stop.signal)) {
            events.push(event);
            stop.abort();
          }
          return events;
        })();
        await test.put(`${DEMO}leader`, 'a');
        expect(await watching).toHaveLength(1);
      });

      it('ends when the DCS is closed', async () => {
        const { revision } = await dcs.range(DEMO);
        const iterator = dcs
          .watch(DEMO, revision, new AbortController().signal)
          [Symbol.asyncIterator]();
        await test.put(`${DEMO}leader`, 'a');
        await iterator.next();
        const next = iterator.next();
        await dcs.close();
        expect((await next).done).toBe(true);
      });

      it('says resync when the revision was compacted, and goes on', async () => {
        await test.put(`${DEMO}leader`, 'a');
        const { revision: old } = await dcs.range(DEMO);
        await test.put(`${DEMO}leader`, 'b');
        await test.put(`${DEMO}leader`, 'c');
        await test.compact((await dcs.range(DEMO)).revision);
        const seen = take(1, old);
        expect(await seen).toEqual([{ type: 'resync' }]);
      });
    });

    describe('deletedKeys', () => {
      const values = ({ keys }: DeletedKeys): string[][] =>
        keys.map(({ key, lastValue }) => [key, lastValue]);

      it('finds keys that are gone with their last value, and leaves out those that are back', async () => {
        await test.put(`${DEMO}members/a`, 'old');
        await test.put(`${DEMO}members/a`, 'last');
        await test.put(`${DEMO}members/b`, 'b');
        await test.put(`${DEMO}leader`, 'a');
        await test.put('/service/demo2/leader', 'other');
        const { revision: before } = await dcs.range(DEMO);
        await test.remove(`${DEMO}members/a`);
        await test.remove(`${DEMO}members/b`);
        await test.remove('/service/demo2/leader');
        await test.put(`${DEMO}members/b`, 'back');
        const deleted = await dcs.deletedKeys(DEMO, { ms: 5000 });
        expect(values(deleted)).toEqual([[`${DEMO}members/a`, 'last']]);
        expect(deleted.keys[0]?.deletedRevision).toBe(String(BigInt(before) + 1n));
        expect(deleted.complete).toBe(true);
      });

      it('finds nothing where nothing ever was', async () => {
        const nothing = { keys: [], complete: true };
        expect(await dcs.deletedKeys('/service/never/', { ms: 5000 })).toEqual(nothing);
      });

      it('finds a cluster that is gone altogether', async () => {
        await test.put(`${DEMO}leader`, 'a');
        await test.remove(`${DEMO}leader`);
        const { keys } = await dcs.deletedKeys(DEMO, { ms: 5000 });
        expect(keys.map(({ key }) => key)).toEqual([`${DEMO}leader`]);
      });

      it('gives the newest value of a key that came and went several times', async () => {
        for (const value of ['first', 'second', 'third']) {
          await test.put(`${DEMO}members/a`, value);
          await test.put(`${DEMO}leader`, value);
          await test.remove(`${DEMO}members/a`);
          await test.put(`${DEMO}leader`, 'nobody');
        }
        const deleted = await dcs.deletedKeys(DEMO, { ms: 5000 });
        expect(values(deleted)).toEqual([[`${DEMO}members/a`, 'third']]);
      });

      it('finds what existed for one revision only', async () => {
        for (let i = 0; i < 10; i++) {
          await test.put(`${DEMO}members/m${i}`, `${i}`);
          await test.remove(`${DEMO}members/m${i}`);
        }
        const deleted = await dcs.deletedKeys(DEMO, { ms: 5000 });
        const all = Array.from({ length: 10 }, (_, i) => [`${DEMO}members/m${i}`, `${i}`]);
        expect(values(deleted)).toEqual(all);
        expect(deleted.complete).toBe(true);
      });

      it('ends when it is enough, and says that there may be more', async () => {
        await test.put(`${DEMO}members/old`, 'old');
        await test.remove(`${DEMO}members/old`);
        for (let i = 0; i < 20; i++) await test.put(`${DEMO}leader`, 'a');
        await test.put(`${DEMO}members/new`, 'new');
        await test.remove(`${DEMO}members/new`);
        const deleted = await dcs.deletedKeys(DEMO, { ms: 5000 }, (found) => found.length > 0);
        expect(values(deleted)).toContainEqual([`${DEMO}members/new`, 'new']);
        expect(deleted.complete).toBe(false);
      });

      it('takes compaction for the beginning of history', async () => {
        await test.put(`${DEMO}early`, '1');
        await test.remove(`${DEMO}early`);
        await test.put(`${DEMO}late`, '2');
        await test.compact((await dcs.range(DEMO)).revision);
        await test.remove(`${DEMO}late`);
        const deleted = await dcs.deletedKeys(DEMO, { ms: 5000 });
        expect(values(deleted)).toEqual([[`${DEMO}late`, '2']]);
        expect(deleted.complete).toBe(true);
      });
    });

    describe('rangeAt', () => {
      it('gives what stood at an old revision, and how often each key had been written', async () => {
        await test.put(`${DEMO}status`, '1');
        await test.put(`${DEMO}status`, '2');
        await test.put(`${DEMO}leader`, 'a');
        const { revision } = await dcs.range(DEMO);
        await test.put(`${DEMO}status`, '3');
        await test.remove(`${DEMO}leader`);
        const past = (await dcs.rangeAt(DEMO, revision)) ?? [];
        expect(past.map(({ key, value, version }) => [key, value, version])).toEqual([
          [`${DEMO}leader`, 'a', 1],
          [`${DEMO}status`, '2', 2],
        ]);
        const today = await dcs.rangeAt(DEMO, (await dcs.range(DEMO)).revision);
        expect(today?.map(({ value, version }) => [value, version])).toEqual([['3', 3]]);
      });

      it('says that etcd has forgotten it', async () => {
        await test.put(`${DEMO}leader`, 'a');
        const { revision: old } = await dcs.range(DEMO);
        await test.put(`${DEMO}leader`, 'b');
        const { revision } = await dcs.range(DEMO);
        await test.compact(revision);
        expect(await dcs.rangeAt(DEMO, old)).toBeNull();
        const kept = await dcs.rangeAt(DEMO, revision);
        expect(kept?.map(({ value, version }) => [value, version])).toEqual([['b', 2]]);
      });
    });

    it('may be closed twice', async () => {
      await dcs.range(DEMO);
      await dcs.close();
      await dcs.close();
    });
  });
}
