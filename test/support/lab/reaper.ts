/** Waits for its input to end, which is its starter's end, and takes down the clusters the starter owned. */
import { setTimeout as sleep } from 'node:timers/promises';
import { downOwnedBy } from './down.js';

const [pid, startTime] = process.argv.slice(2);
const owner = { pid: Number(pid), startTime: startTime ?? '' };

// A Ctrl-C is for the starter; this program's work begins then.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);

async function reap(): Promise<void> {
  await downOwnedBy(owner);
  // One of the starter's children may have been about to start another.
  await sleep(2_000);
  await downOwnedBy(owner);
}

process.stdin.resume();
process.stdin.on('end', () => {
  void reap();
});
