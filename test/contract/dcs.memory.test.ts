import { keyedDcs } from '../../src/dcs/keyed/keyed-dcs.js';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import { describeDcs } from './dcs-contract.js';

describeDcs('memory', () => {
  const store = memoryStore();
  return Promise.resolve({
    dcs: keyedDcs(store, '/service'),
    patroni: (keys: Record<string, string | null>, scope = 'demo', group?: number) => {
      const prefix = `/service/${scope}/${group === undefined ? '' : `${group}/`}`;
      for (const [key, value] of Object.entries(keys)) {
        if (value === null) store.remove(`${prefix}${key}`);
        else store.put(`${prefix}${key}`, value);
      }
      return Promise.resolve();
    },
    end: () => store.close(),
  });
});
