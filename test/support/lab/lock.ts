/** One at a time across programs: a lock file that names its owner, so that a dead owner's lock does not count. */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that no other can be mistaken for, even when its pid is used again. */
export interface Owner {
  pid: number;
  /** Clock ticks since boot at which it started, from /proc. */
  startTime: string;
}

/** When the process started, in ticks since boot; null when there is no such process, or a zombie. */
export function processStartTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may hold anything; what follows the last bracket is regular.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

export function ownerOf(pid: number): Owner {
  return { pid, startTime: processStartTime(pid) ?? '' };
}

export function isOwnerAlive(owner: Owner): boolean {
  return processStartTime(owner.pid) === owner.startTime;
}

/** Runs `work` while holding the lock; waits for another owner at most `limitMs`. */
export async function withLock<T>(
  file: string,
  limitMs: number,
  work: () => T | Promise<T>,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  while (!take(file)) {
    if (Date.now() > deadline) throw new Error(`${file} is held by another program`);
    await sleep(100);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file: string): boolean {
  mkdirSync(dirname(file), { recursive: true });
  try {
    writeFileSync(file, JSON.stringify(ownerOf(process.pid)), { flag: 'wx' });
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return false;
    if (code !== 'EEXIST') throw error;
  }
  if (isAbandoned(file)) rmSync(file, { force: true });
  return false;
}

/** Its owner is dead, or died before it wrote its name. */
function isAbandoned(file: string): boolean {
  const owner = readOwner(file);
  if (owner !== null) return !isOwnerAlive(owner);
  const ageMs = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  return ageMs > 5_000;
}

/** null: gone, or not written out yet. */
function readOwner(file: string): Owner | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Owner;
  } catch {
    return null;
  }
}
