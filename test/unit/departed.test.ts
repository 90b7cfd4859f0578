/** What a run says about members whose key is gone, depending on what etcd's history tells. */
import { describe, expect, it } from 'vitest';
import type { Dcs, DeletedKeys } from '../../src/dcs/dcs.js';
import { memoryDcs } from '../../src/dcs/memory.js';
import { recorded, runFake, UNREACHABLE, type FakeCluster } from '../support/fake-world.js';

const TOO_LONG = "etcd's history is too long to search all of it: no address was found for pg9";

/** A cluster led by pg9, which has no key. */
async function status(past?: DeletedKeys): Promise<{ out: string; asked: string[] }> {
  const { keys } = recorded('on');
  const asked: string[] = [];
  const dcs = memoryDcs({ ...keys, '/service/demo/leader': 'pg9' });
  const deletedKeys: Dcs['deletedKeys'] = (...args) =>
    past === undefined ? dcs.deletedKeys(...args) : Promise.resolve(past);
  const ask: FakeCluster['status'] = ({ apiUrl }) => {
    asked.push(apiUrl);
    return Promise.resolve(UNREACHABLE);
  };
  const cluster = { keys, dcs: { ...dcs, deletedKeys }, status: ask };
  const { out } = await runFake(cluster, ['status']);
  return { out, asked };
}

const pg9 = {
  key: '/service/demo/members/pg9',
  lastValue: '{"api_url":"http://127.0.0.9:8008/patroni","conn_url":"postgres://127.0.0.9:5432/"}',
  deletedRevision: '7',
};

describe('a leader without a member key', () => {
  it('is named when a history too long to search says nothing of it', async () => {
    const { out } = await status({ keys: [], complete: false });
    expect(out).toContain(TOO_LONG);
  });

  it('is no problem of the history that was searched to its beginning', async () => {
    expect((await status()).out).not.toContain('too long');
  });

  it('is asked at its last address, however long the history is', async () => {
    const { out, asked } = await status({ keys: [pg9], complete: false });
    expect(out).not.toContain('too long');
    expect(asked).toContain('http://127.0.0.9:8008/patroni');
  });
});

describe('a former leader that nothing names', () => {
  const deleted = (name: string, role: string) => ({
    key: `/service/demo/members/${name}`,
    lastValue: JSON.stringify({ role, api_url: `http://${name}:8008/patroni` }),
    deletedRevision: '7',
  });
  const past = { keys: [deleted('pg8', 'replica'), deleted('pg9', 'primary')], complete: false };

  /** Which of them were asked, and how often etcd's history was. */
  async function look(history: unknown[] | null): Promise<{ asked: string[]; searches: number }> {
    const keys = { ...recorded('off').keys };
    delete keys['/service/demo/history'];
    if (history) keys['/service/demo/history'] = JSON.stringify(history);
    const asked: string[] = [];
    let searches = 0;
    const deletedKeys: Dcs['deletedKeys'] = (_prefix, _limitMs, enough) => {
      searches += 1;
      // A replica that went away later does not end the search.
      expect(enough?.(past.keys.slice(0, 1))).toBe(false);
      expect(enough?.(past.keys)).toBe(true);
      return Promise.resolve(past);
    };
    const status: FakeCluster['status'] = ({ name }) => {
      asked.push(name);
      return Promise.resolve(UNREACHABLE);
    };
    const dcs = { ...memoryDcs(keys), deletedKeys };
    const { out } = await runFake({ keys, dcs, status }, ['status']);
    expect(out).not.toContain('too long');
    return { asked: asked.filter((name) => ['pg8', 'pg9'].includes(name)), searches };
  }

  const line = (timeline: number, ...newLeader: string[]) => [
    timeline,
    83886080,
    'no recovery target specified',
    '2026-11-21T08:00:00+00:00',
    ...newLeader,
  ];

  it('is looked for after the first promotion, which names only who came', async () => {
    expect(await look([line(1, 'pg2')])).toEqual({ asked: ['pg9'], searches: 1 });
  });

  it('is looked for when /history tells no names', async () => {
    const history = [line(1), line(2), line(3)];
    expect(await look(history)).toEqual({ asked: ['pg9'], searches: 1 });
  });

  it('is not looked for when the recent leaders are all there', async () => {
    const history = [line(1, 'pg1'), line(2, 'pg2'), line(3, 'pg1')];
    expect(await look(history)).toEqual({ asked: [], searches: 0 });
  });

  it('is looked for without /history only on a later timeline than the first', async () => {
    const { asked } = await look(null);
    const timelines = Object.entries(recorded('off').keys).flatMap(([key, value]) =>
      key.includes('/members/') ? [(JSON.parse(value) as { timeline?: number }).timeline ?? 1] : [],
    );
    expect(asked).toEqual(Math.max(...timelines) > 1 ? ['pg9'] : []);
  });
});
