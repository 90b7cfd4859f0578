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
