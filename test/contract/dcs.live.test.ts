/** The DCS contract against real etcd: as commands use it, and over gRPC alone. */
import { afterAll, beforeAll } from 'vitest';
import type { Dcs, DcsSettings } from '../../src/dcs/dcs.js';
import { openEtcd3 } from '../../src/dcs/etcd3.js';
import { openDcs } from '../../src/dcs/open.js';
import { describeDcs } from './dcs-contract.js';
import type { DcsUnderTest } from './dcs-contract.js';
import { settingsFor, startEtcd } from './etcd-process.js';
import type { EtcdCluster } from './etcd-process.js';

let etcd: EtcdCluster;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

async function under(open: (settings: DcsSettings) => Dcs): Promise<DcsUnderTest> {
  await etcd.ctl('del', '--prefix', '/service/');
  // Earlier tests' deletions are no part of this one's history.
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

describeDcs('etcd, gateway and gRPC', () => under(openDcs));
describeDcs('etcd, gRPC alone', () => under(openEtcd3));
