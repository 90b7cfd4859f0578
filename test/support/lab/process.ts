/**
 * Starting programs and finding them again. A lab process is recognised by its own command line,
 * which names a folder that belongs to one cluster only; no pid is kept in a file, so a pid that
 * was used again is never signalled, and nothing is lost when the starter dies too early.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The user that servers run as: PostgreSQL refuses to run as root. */
export interface RunAs {
  uid: number;
  gid: number;
}

/** null: the caller is unprivileged already. */
export function unprivilegedUser(): RunAs | null {
  if (process.getuid?.() !== 0) return null;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const user = users.find((fields) => fields[0] === name);
    if (user !== undefined) return { uid: Number(user[2]), gid: Number(user[3]) };
  }
  throw new Error('root has no unprivileged user (postgres or nobody) to run the lab as');
}

/** An environment with nothing of the caller's: no proxies, certificates, PG* or PATRONI_* variables. */
export function cleanEnv(home: string, extra: Record<string, string> = {}): Record<string, string> {
  const path = process.env['PATH'] ?? '';
  return {
    PATH: `${path}:/usr/local/bin:/usr/bin:/bin`,
    HOME: home,
    LANG: 'C.UTF-8',
    LC_ALL: 'C.UTF-8',
    ...extra,
  };
}

export interface DaemonOptions {
  command: string;
  args: string[];
  cwd: string;
  logFile: string;
  env: Record<string, string>;
  user: RunAs | null;
}

/** Starts a server in a session of its own, its output going to a file. Returns its pid. */
export async function startDaemon(options: DaemonOptions): Promise<number> {
  const log = openSync(options.logFile, 'a');
  try {
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      detached: true,
      env: options.env,
      stdio: ['ignore', log, log],
      ...options.user,
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    if (child.pid === undefined) throw new Error(`${options.command} has no pid`);
    return child.pid;
  } finally {
    closeSync(log);
  }
}

export interface ProgramOptions {
  env: Record<string, string>;
  cwd?: string;
  input?: string;
  user?: RunAs | null;
  timeoutMs?: number;
}

export interface ProgramResult {
  /** null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
  ms: number;
}

/** Runs a program to its end and keeps all that it said. Killed at the limit (default 60 s). */
export async function runProgram(
  command: string,
  args: string[],
  options: ProgramOptions,
): Promise<ProgramResult> {
  const started = performance.now();
  const child = spawn(command, args, {
    cwd: options.cwd ?? '/',
    env: options.env,
    stdio: 'pipe',
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
    ...options.user,
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  // A program that does not read its input closes it: this is not a failure.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) =>
      resolve({
        code,
        signal,
        out: Buffer.concat(out).toString('utf8'),
        err: Buffer.concat(err).toString('utf8'),
        ms: performance.now() - started,
      }),
    );
  });
}

export type LabProcessKind = 'etcd' | 'apiserver' | 'patroni' | 'postmaster' | 'other';

export interface LabProcess {
  pid: number;
  kind: LabProcessKind;
  /** Of the member or etcd node, `kube` for the kube-apiserver; empty for `other`. */
  name: string;
  /** SIGSTOPped. */
  frozen: boolean;
}

/** In the order of their numbers, which is mostly that in which they were started. */
function allPids(): number[] {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return pids.map(Number).sort((a, b) => a - b);
}

/** Every live process of the cluster whose folder this is. */
export function labProcesses(root: string): LabProcess[] {
  const found: LabProcess[] = [];
  for (const pid of allPids()) {
    const argv = readArgv(pid);
    const kind = argv === null ? null : classify(root, pid, argv);
    const state = kind === null ? null : readState(`${pid}`);
    if (kind === null || state === null) continue;
    found.push({ pid, ...kind, frozen: state === 'T' });
  }
  return found;
}

function readArgv(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return text === '' ? null : text.replace(/\0+$/, '').split('\0');
  } catch {
    return null;
  }
}

/** The state's letter, of a folder of /proc; null for none and for zombies, which are waiting for their parent only. */
function readState(folder: string): string | null {
  try {
    const stat = readFileSync(`/proc/${folder}/stat`, 'utf8');
    const letter = stat.charAt(stat.lastIndexOf(')') + 2);
    return letter === 'Z' || letter === 'X' ? null : letter;
  } catch {
    return null;
  }
}

/** What this command line is to the cluster; null: nothing. An editor on one of its files is nothing too. */
function classify(
  root: string,
  pid: number,
  argv: string[],
): { kind: LabProcessKind; name: string } | null {
  const program = basename(argv[0] ?? '');
  if (argv[0]?.startsWith('postgres: ') === true) {
    return isBackendOf(root, pid) ? { kind: 'other', name: '' } : null;
  }
  if (!/^(python[\d.]*|etcd|kube-apiserver[\w.-]*|postgres|initdb|pg_\w+|sh)$/.test(program))
    return null;
  if (!argv.some((arg) => arg.includes(`${root}/`))) return null;
  const last = argv.at(-1) ?? '';
  if (program.startsWith('python') && last.startsWith(`${root}/`) && last.endsWith('.yml')) {
    return { kind: 'patroni', name: basename(last, '.yml') };
  }
  if (program.startsWith('kube-apiserver')) return { kind: 'apiserver', name: 'kube' };
  if (program === 'etcd') {
    const folder = argv.find((arg) => arg.startsWith('--data-dir='));
    return { kind: 'etcd', name: basename(folder ?? '') };
  }
  const folder = argv[argv.indexOf('-D') + 1] ?? '';
  // A child that the postmaster has just forked still carries its command line.
  if (program === 'postgres' && postmasterPidOf(folder) === pid) {
    return { kind: 'postmaster', name: basename(folder) };
  }
  return { kind: 'other', name: '' };
}

/** PostgreSQL's children have a title for a command line; they work in the data directory. */
function isBackendOf(root: string, pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`).startsWith(`${root}/`);
  } catch {
    return false;
  }
}

/** The pid in postmaster.pid, dead or alive. */
export function postmasterPidOf(dataDir: string): number | null {
  try {
    const line = readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[0];
    return Number(line) > 0 ? Number(line) : null;
  } catch {
    return null;
  }
}

/** Sends a signal; false when the process is gone already. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

const FREEZE_LIMIT_MS = 5_000;

/**
 * SIGSTOP, and not back before every thread has stopped: the signal alone is only a wish, and on a busy machine
 * the other threads of etcd or Patroni answer on until the one that takes it has run.
 */
export function freezeProcess(pid: number): void {
  // 0 would be every process of the test run.
  if (!(pid > 0)) throw new Error(`process ${pid} cannot be frozen`);
  signal(pid, 'SIGSTOP');
  const deadline = Date.now() + FREEZE_LIMIT_MS;
  while (threadStates(pid).some((state) => state !== 'T')) {
    if (Date.now() > deadline) throw new Error(`process ${pid} cannot be frozen`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
}

/** Of every thread that lives. */
function threadStates(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((thread) => readState(`${pid}/task/${thread}`))
      .filter((state) => state !== null);
  } catch {
    return [];
  }
}

/** Waits until `look` finds nothing; false at the limit. */
export async function waitGone(look: () => unknown[], limitMs: number): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  while (look().length > 0) {
    if (Date.now() > deadline) return false;
    await sleep(50);
  }
  return true;
}
