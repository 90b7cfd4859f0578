/** Brings up a real cluster, runs patctl's main job on it, and takes it down whatever happens. */
import { startCluster } from './lab/cluster.js';
import { ownerOf } from './lab/lock.js';
import { runPatctl } from './run.js';

const lab = await startCluster(
  { scope: `demo-${process.pid}`, sync: 'quorum' },
  { owner: ownerOf(process.pid), progress: (line) => console.error(`lab: ${line}`) },
);
try {
  const commands = [
    ['list'],
    ['status'],
    ['topology'],
    ['quorum'],
    ['switchover', '--candidate', 'pg2', '--force'],
    ['check'],
  ];
  for (const args of commands) {
    console.log(`\n$ patctl ${args.join(' ')}`);
    const { code, out, err } = await runPatctl(['-c', lab.config, ...args]);
    process.stdout.write(out + err);
    if (code !== 0) throw new Error(`patctl ${args.join(' ')} ended with ${code}`);
  }
} finally {
  await lab.down();
}
