/** Taking clusters away, so that nothing is left: no process, no folder, no key in another program's etcd. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { dcsForget } from './health.js';
import { isOwnerAlive, withLock, type Owner } from './lock.js';
import { labProcesses, signal, waitGone } from './process.js';
import {
  etcdHome,
  listScopes,
  readState,
  removeLabFolderIfEmpty,
  rootOf,
  scopeLock,
  type ClusterState,
} from './state.js';

/** Takes one cluster down, and before it those that live in its etcd: standby clusters, Citus groups. */
export async function down(scope: string): Promise<void> {
  for (const other of listScopes()) {
    const state = readState(other);
    if (other !== scope && state !== null && etcdHome(state.options) === scope) await down(other);
  }
  await withLock(scopeLock(scope), 120_000, () => takeDown(scope));
  removeLabFolderIfEmpty();
}

/** Takes down every cluster that `which` chooses. Returns their scopes. */
export async function downWhere(which: (state: ClusterState | null) => boolean): Promise<string[]> {
  const scopes = listScopes().filter((scope) => which(readState(scope)));
  for (const scope of scopes) await down(scope);
  return scopes;
}

/** Clusters whose owner is gone, as after a test run that was killed. */
export async function downOrphans(): Promise<string[]> {
  return await downWhere((state) => {
    const owner = state?.owner ?? null;
    return owner !== null && !isOwnerAlive(owner);
  });
}

export async function downOwnedBy(owner: Owner): Promise<string[]> {
  return await downWhere(
    (state) => state?.owner?.pid === owner.pid && state.owner.startTime === owner.startTime,
  );
}

/** The work itself; the caller holds the scope's lock. The data is given up, so nothing is asked politely. */
export async function takeDown(scope: string): Promise<void> {
  const root = rootOf(scope);
  const state = readState(scope);
  const memoryIds = (state?.members ?? []).map((member) => sharedMemoryOf(member.dataDir));
  // Patroni first: it would start PostgreSQL again.
  signalAll(root, (kind) => kind === 'patroni', 'SIGKILL');
  signalAll(root, () => true, 'SIGCONT');
  // An immediate shutdown, which frees shared memory; SIGKILL would leave it.
  signalAll(root, (kind) => kind === 'postmaster', 'SIGQUIT');
  if (state !== null && etcdHome(state.options) !== scope) {
    await dcsForget(state).catch(() => undefined);
  }
  signalAll(root, (kind) => kind === 'etcd' || kind === 'apiserver', 'SIGKILL');
  const servers = () => labProcesses(root).filter(({ kind }) => kind === 'postmaster');
  await waitGone(servers, 8_000);
  const gone = await waitGone(() => {
    signalAll(root, () => true, 'SIGKILL');
    return labProcesses(root);
  }, 10_000);
  for (const id of memoryIds) if (id !== null) spawnSync('ipcrm', ['-m', id], { stdio: 'ignore' });
  unmountBelow(root);
  rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  if (!gone) throw new Error(`processes of ${root} do not end`);
}

/** Small disks of members. */
function unmountBelow(root: string): void {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  for (const folder of mounts.map((line) => line.split(' ')[1] ?? '')) {
    if (folder.startsWith(`${root}/`)) spawnSync('umount', ['-l', folder], { stdio: 'ignore' });
  }
}

function signalAll(root: string, which: (kind: string) => boolean, name: NodeJS.Signals): void {
  for (const found of labProcesses(root)) if (which(found.kind)) signal(found.pid, name);
}

/** The System V segment of a postmaster that was SIGKILLed would outlive its folder. */
function sharedMemoryOf(dataDir: string): string | null {
  try {
    const lines = readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n');
    return /^\s*\d+\s+(\d+)\s*$/.exec(lines[6] ?? '')?.[1] ?? null;
  } catch {
    return null;
  }
}
