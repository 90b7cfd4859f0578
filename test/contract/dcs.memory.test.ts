import { keyedDcs } from '../../src/dcs/keyed/keyed-dcs.js';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import { describeDcs } from './dcs-contract.js';
import { putKeys } from './memory-keys.js';

describeDcs('memory', () => {
  const store = memoryStore();
  return Promise.resolve({
    dcs: keyedDcs(store, '/service'),
    patroni: (keys, scope, group) => Promise.resolve(putKeys(store, keys, scope, group)),
    end: () => store.close(),
  });
});
