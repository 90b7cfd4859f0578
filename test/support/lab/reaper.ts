/** Waits for its input to end, which is its starter's end, and takes down the clusters the starter owned. */
import { downOwnedBy } from './down.js';

const [pid, startTime] = process.argv.slice(2);

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);

process.stdin.resume();
process.stdin.on('end', () => {
  void downOwnedBy({ pid: Number(pid), startTime: startTime ?? '' });
});
