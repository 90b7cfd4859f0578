/** The folder in which the lab keeps what it has downloaded or built, and how a part of it is made. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { withLock } from '../lab/lock.js';
import { SetupError } from './errors.js';

/** Another program may be at the same part: building etcd takes two minutes of processor time. */
const LIMIT_MS = 20 * 60_000;

export const log = (line: string): void => void process.stderr.write(`setup: ${line}\n`);

/** Root's home is closed to the unprivileged user that runs what is kept here. */
export function cacheFolder(): string {
  const named = process.env['PATCTL_LAB_CACHE'];
  if (named !== undefined && named !== '') return named;
  return process.getuid?.() === 0 ? '/var/cache/patctl-lab' : join(homedir(), '.cache/patctl-lab');
}

/**
 * The folder of one part, e.g. `patroni-4.1.5`, made when it is missing. A virtual environment cannot be
 * moved, so a part is made under a name of its own and a link is renamed to it when it is whole.
 */
export async function ensurePart(
  name: string,
  make: (folder: string) => void | Promise<void>,
): Promise<string> {
  const cache = cacheFolder();
  const link = join(cache, name);
  if (existsSync(link)) return link;
  mkdirSync(cache, { recursive: true, mode: 0o755 });
  await withLock(join(cache, `.${name}.lock`), LIMIT_MS, async () => {
    if (existsSync(link)) return;
    sweep(cache, name, link);
    const folder = mkdtempSync(join(cache, `.${name}-`));
    try {
      run('chmod', ['755', folder]);
      await make(folder);
      symlinkSync(basename(folder), `${folder}.link`);
      renameSync(`${folder}.link`, link);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  });
  return link;
}

/** What an interrupted making left. The caller holds the lock, so no other process works on it. */
function sweep(cache: string, name: string, link: string): void {
  const isLink = lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  const current = isLink ? basename(readlinkSync(link)) : '';
  for (const entry of readdirSync(cache)) {
    const isOld = entry.startsWith(`.${name}-`) && entry !== current;
    if (isOld) rmSync(join(cache, entry), { recursive: true, force: true });
  }
}

/** Runs a program to its end and returns what it printed; throws what it said when it fails. */
export function run(
  command: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): string {
  const done = spawnSync(command, args, {
    cwd: options.cwd,
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: '', ...options.env },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (done.status === 0) return done.stdout;
  const why = done.error?.message ?? `${done.stdout}${done.stderr}`.trim().slice(-2000);
  throw new SetupError(`${command} ${args.join(' ')} failed: ${why}`);
}
