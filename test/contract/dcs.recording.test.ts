/** The port over a recording: what memory holds is recorded after every write, and read when it is first asked for. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cluster, Snapshot } from '../../src/cluster/model/model.js';
import { keyedDcs } from '../../src/dcs/keyed/keyed-dcs.js';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import { recordedDcs } from '../../src/dcs/recording/recorded-dcs.js';
import { recordingText } from '../../src/dcs/recording/recording-file.js';
import { describeDcs } from './dcs-contract.js';
import { putKeys } from './memory-keys.js';

const NOT_ASKED = { ok: false, kind: 'off', reason: 'not asked' } as const;

const snapshotOf = (cluster: Cluster): Snapshot => ({
  cluster,
  verify: 'off',
  takenAt: '2026-11-21T08:00:00.000Z',
  members: cluster.members.map(({ name }) => ({ name, rest: NOT_ASKED, sql: NOT_ASKED })),
  departed: [],
  serializable: false,
  previous: null,
});

describeDcs(
  'a recording',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'patctl-contract-'));
    const file = join(folder, 'recording.json');
    const store = memoryStore();
    const memory = keyedDcs(store, '/service');
    const dcs = recordedDcs(file);
    const record = async (): Promise<void> =>
      writeFile(file, recordingText((await memory.readAll()).map(snapshotOf)));
    await record();
    return {
      dcs,
      patroni: async (keys, scope, group) => {
        putKeys(store, keys, scope, group);
        await record();
      },
      end: async () => {
        await dcs.close();
        await memory.close();
        await rm(folder, { recursive: true });
      },
    };
  },
  'recording',
);
