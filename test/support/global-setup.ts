/**
 * For the live tier: clusters of dead runs go first, this run's clusters go last, whatever ends it.
 * The reaper is a program of its own that notices the end of this one by the end of its input.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { downOrphans, downOwnedBy } from './lab/down.js';
import { ownerOf } from './lab/lock.js';
import { LAB_FOLDER, removeLabFolderIfEmpty } from './lab/state.js';

export default async function setup(): Promise<() => Promise<void>> {
  await downOrphans();
  const owner = ownerOf(process.pid);
  process.env['PATCTL_LAB_OWNER'] = String(owner.pid);
  const reaper = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      fileURLToPath(new URL('./lab/reaper.ts', import.meta.url)),
      String(owner.pid),
      owner.startTime,
    ],
    { detached: true, stdio: ['pipe', 'ignore', 'ignore'] },
  );
  reaper.stdin.on('error', () => undefined);
  reaper.unref();
  return async () => {
    await downOwnedBy(owner);
    forgetTurns(owner.pid);
    reaper.stdin.end();
  };
}

/** Workers that were ended could not give back their turn at a shared cluster. */
function forgetTurns(pid: number): void {
  for (const name of existsSync(LAB_FOLDER) ? readdirSync(LAB_FOLDER) : []) {
    const isOurs = name.startsWith(`shared-${pid}-`) && name.endsWith('.turn');
    if (isOurs) rmSync(join(LAB_FOLDER, name), { force: true });
  }
  removeLabFolderIfEmpty();
}
