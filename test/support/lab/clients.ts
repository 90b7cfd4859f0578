/** Programs beside a cluster: clients of PostgreSQL that go on by themselves and end with the cluster at the latest. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { findPgBin } from '../setup.js';
import type { Lab } from './controller.js';
import { cleanEnv, unprivilegedUser, type RunAs } from './process.js';

/** A client of PostgreSQL that outlives this process, and ends with the cluster at the latest. */
export function startClient(
  lab: Lab,
  member: string,
  program: string,
  args: string[],
): ChildProcess {
  const pgBin = findPgBin();
  if (pgBin === null) throw new Error('PostgreSQL is not installed');
  return startBeside(lab, join(pgBin, program), [...loginArgs(lab, member), ...args]);
}

/** Its working directory makes it a process of the cluster's, so that `down` finds it. */
export function startBeside(lab: Lab, command: string, args: string[]): ChildProcess {
  const folder = join(lab.root, 'run');
  const user: RunAs | null = unprivilegedUser();
  const env = cleanEnv(folder);
  const client = spawn(command, args, {
    stdio: 'ignore',
    detached: true,
    cwd: folder,
    env,
    ...user,
  });
  client.unref();
  return client;
}

function loginArgs(lab: Lab, member: string): string[] {
  const where = ['-h', join(lab.root, 'run'), '-p', String(lab.member(member).port)];
  return [...where, '-U', 'postgres'];
}

/** SIGKILL, and not back before it is gone. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  // Nothing waits for a process that was let go of.
  child.ref();
  child.kill('SIGKILL');
  await exit;
}
