/**
 * Clusters for live tests, with nothing left behind. A cluster belongs to the test run (the process
 * named by PATCTL_LAB_OWNER, set in global-setup.ts): when that process is gone, so is the cluster.
 */
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { startCluster, type Lab } from './lab/cluster.js';
import { down } from './lab/down.js';
import { ownerOf, withLock, type Owner } from './lab/lock.js';
import { LAB_FOLDER, readState, type ClusterOptions } from './lab/state.js';

/** The process that test clusters live as long as. */
export function testOwner(): Owner {
  const named = Number(process.env['PATCTL_LAB_OWNER']);
  return ownerOf(named > 0 ? named : process.pid);
}

let counter = 0;

/** A cluster of one's own, to be broken at will. Take it down in afterAll; a crash does it too. */
export async function privateCluster(options: Partial<ClusterOptions> = {}): Promise<Lab> {
  counter += 1;
  const scope = options.scope ?? `t${process.pid}-${counter}`;
  return await startCluster({ ...options, scope }, { owner: testOwner() });
}

/** How long a file waits for another to be done with a shared cluster. */
const TURN_LIMIT_MS = 300_000;
const mine = new Map<string, Promise<void>>();

/** Files run side by side: the one that has the cluster keeps it until its process ends. */
function myTurn(scope: string): Promise<void> {
  const before = mine.get(scope);
  if (before) return before;
  const file = `${LAB_FOLDER}/${scope}.turn`;
  const turn = new Promise<void>((resolve, reject) => {
    const keep = () => {
      process.once('exit', () => rmSync(file, { force: true }));
      resolve();
      return new Promise<never>(() => undefined);
    };
    withLock(file, TURN_LIMIT_MS, keep).catch(reject);
  });
  mine.set(scope, turn);
  return turn;
}

/**
 * The one cluster of the run with these options, healthy. For tests that leave it as they found it:
 * the next file gets the same one, when this one is over. One that has been left broken is replaced.
 */
export async function sharedCluster(
  options: Partial<Omit<ClusterOptions, 'scope'>> = {},
): Promise<Lab> {
  const owner = testOwner();
  const key = JSON.stringify(Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1)));
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 8);
  const scope = `shared-${owner.pid}-${hash}`;
  await myTurn(scope);
  const before = readState(scope);
  const isStale = before !== null && before.owner?.startTime !== owner.startTime;
  if (isStale) await down(scope);
  try {
    return await startCluster({ ...options, scope }, { owner });
  } catch (error) {
    // startCluster has taken it down. A new one may fail for the same reason; an old one was broken.
    if (before === null || isStale) throw error;
    return await startCluster({ ...options, scope }, { owner });
  }
}
