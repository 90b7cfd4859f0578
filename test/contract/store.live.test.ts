/** The key store contract against real etcd: as commands use it, and over gRPC alone. */
import { afterAll, beforeAll } from 'vitest';
import type { KeyStore } from '../../src/dcs/keyed/key-store.js';
import type { EtcdConnection } from '../../src/dcs/etcd3/etcd-connection.js';
import { openEtcd3 } from '../../src/dcs/etcd3/etcd3.js';
import { openEtcd } from '../../src/dcs/etcd3/open-etcd.js';
import { describeStore } from './store-contract.js';
import type { StoreUnderTest } from './store-contract.js';
import { settingsFor, startEtcd } from './etcd-process.js';
import type { EtcdCluster } from './etcd-process.js';

let etcd: EtcdCluster;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

async function under(open: (settings: EtcdConnection) => KeyStore): Promise<StoreUnderTest> {
  await etcd.ctl('del', '--prefix', '/service/');
  // Earlier tests' deletions do not belong to this test's history.
  const now = JSON.parse(await etcd.ctl('get', 'x', '-w', 'json')) as {
    header: { revision: number };
  };
  await etcd.ctl('put', 'x', 'y');
  await etcd.ctl('compact', String(now.header.revision + 1));
  const dcs = open(settingsFor(etcd.endpoints));
  return {
    dcs,
    put: (key, value) => etcd.put(key, value),
    remove: (key) => etcd.remove(key),
    compact: async (revision) => {
      await etcd.ctl('compact', revision);
    },
    end: () => dcs.close(),
  };
}

describeStore('etcd, gateway and gRPC', () => under(openEtcd));
describeStore('etcd, gRPC alone', () => under(openEtcd3));
