/** The port over a real etcd. */
import { afterAll, beforeAll } from 'vitest';
import { openEtcd } from '../../src/dcs/etcd3/open-etcd.js';
import { keyedDcs } from '../../src/dcs/keyed/keyed-dcs.js';
import { describeDcs } from './dcs-contract.js';
import { settingsFor, startEtcd, type EtcdCluster } from './etcd-process.js';

let etcd: EtcdCluster;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

describeDcs('etcd', async () => {
  await etcd.ctl('del', '--prefix', '/service/');
  const dcs = keyedDcs(openEtcd(settingsFor(etcd.endpoints)), '/service');
  return {
    dcs,
    patroni: async (keys: Record<string, string | null>, scope = 'demo', group?: number) => {
      const prefix = `/service/${scope}/${group === undefined ? '' : `${group}/`}`;
      for (const [key, value] of Object.entries(keys)) {
        if (value === null) await etcd.remove(`${prefix}${key}`);
        else await etcd.put(`${prefix}${key}`, value);
      }
    },
    end: () => dcs.close(),
  };
});
