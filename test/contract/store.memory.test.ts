import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import { describeStore } from './store-contract.js';

describeStore('memory', () => {
  const dcs = memoryStore();
  return Promise.resolve({
    dcs,
    put: (key: string, value: string) => Promise.resolve(void dcs.put(key, value)),
    remove: (key: string) => Promise.resolve(dcs.remove(key)),
    compact: (revision: string) => Promise.resolve(dcs.compact(revision)),
    end: () => dcs.close(),
  });
});

describe('failures of the memory DCS', () => {
  const key = '/service/demo/failover';
  const write = [{ op: 'put', key, value: 'x' }] as const;

  it('loses an answer after writing', async () => {
    const dcs = memoryStore();
    dcs.failNext('lost', 'txn');
    await expect(dcs.txn([], [...write])).rejects.toMatchObject({ ending: 'unconfirmed' });
    expect((await dcs.range('/service/demo/')).kvs).toHaveLength(1);
    expect(dcs.calls).toEqual(['txn', 'range']);
  });

  it('drops a request without writing', async () => {
    const dcs = memoryStore();
    dcs.failNext('dropped', 'txn');
    await expect(dcs.txn([], [...write])).rejects.toMatchObject({ ending: 'unconfirmed' });
    expect((await dcs.range('/service/demo/')).kvs).toEqual([]);
  });

  it('fails once, and only the kind of call that was meant', async () => {
    const dcs = memoryStore({ [key]: '{}' });
    dcs.failNext('unreachable', 'range');
    dcs.failNext('refused', 'txn');
    await expect(dcs.txn([], [...write])).rejects.toMatchObject({ ending: 'error' });
    await expect(dcs.range('/service/demo/')).rejects.toMatchObject({ ending: 'unreachable' });
    expect((await dcs.range('/service/demo/')).kvs).toHaveLength(1);
  });

  it('tells its watches that the connection was lost', async () => {
    const dcs = memoryStore({ [key]: '{}' });
    const iterator = dcs
      .watch('/service/demo/', dcs.revision, new AbortController().signal)
      [Symbol.asyncIterator]();
    const next = iterator.next();
    await dcs.range('/service/demo/');
    dcs.disconnect();
    expect((await next).value).toEqual({ type: 'resync' });
    await dcs.close();
  });
});
