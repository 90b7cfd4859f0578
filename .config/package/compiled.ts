/**
 * The code that V8 compiles in a run of each command, kept for the executable: it starts in half the time. Only for
 * the architecture of this machine, because the executable itself has to be run.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeExecutable } from './executable.js';
import {
  openRecordedCluster,
  RECORDED_PASSWORD,
  type RecordedCluster,
} from './recorded-cluster.js';
import { OWN_ARCH } from './tools.js';

/**
 * The main script of a run that records: it begins with what the runs before have compiled, and leaves that and its
 * own. Two builds have to compile the same, on a busy machine too, so nothing in it may depend on time. Meanwhile V8
 * neither forgets code that has not run for a while nor marks functions that it has compiled once more because they
 * ran often; the flags are set back before the code is kept, with them. Limits of time are far away. The process ends
 * when everything is closed, not when it has said what it had to say. Where gRPC begins the code is kept at once: what
 * follows is retried until a limit, because the recorded cluster does not speak it.
 */
function recording(script: string): string {
  return script
    .replace(
      /^const word = .*$/m,
      `const v8 = require('node:v8');
const FLAGS = ['flush-bytecode', 'sparkplug'];
const withoutFlags = () => FLAGS.forEach((flag) => v8.setFlagsFromString('--no-' + flag));
const setBack = () => FLAGS.forEach((flag) => v8.setFlagsFromString('--' + flag));
withoutFlags();
const fs = require('node:fs');
const recorded = (name) => process.env.RECORD_INTO + '/' + name;
let kept = [];
const keepAll = () => {
  setBack();
  for (const keep of kept) keep();
  kept = [];
  withoutFlags();
};
process.once('exit', keepAll);
const { setTimeout, AbortSignal } = globalThis;
const { timeout } = AbortSignal;
globalThis.setTimeout = (act, ms, ...rest) => setTimeout(act, ms < 50 ? ms : 50 * ms, ...rest);
AbortSignal.timeout = (ms) => timeout.call(AbortSignal, 50 * ms);
const { exit } = process;
process.exit = (code) => {
  process.exitCode = code ?? process.exitCode;
  setTimeout(exit, 2000).unref();
};`,
    )
    .replace(
      /^function compiledFor[^]*?^}$/m,
      `function compiledFor(name) {
  return fs.existsSync(recorded(name)) ? fs.readFileSync(recorded(name)) : undefined;
}`,
    )
    .replace(/^ {2}const script = new vm\.Script[^]*?;$/m, (made) => {
      // Code is taken only under the flags with which it was kept.
      return `  setBack();\n${made}\n  withoutFlags();
  if (script.cachedDataRejected) throw new Error('V8 rejects the code of ' + name);
  kept.push(() => fs.writeFileSync(recorded(name), script.createCachedData()));
  if (process.env.RECORD_ONLY_AGAIN) return {};`;
    })
    .replace(
      /^ {2}return module\.exports;$/m,
      `  if (name === 'etcd3.cjs') process.nextTick(keepAll);
  return module.exports;`,
    )
    .replace(/^load\('patctl\.cjs'\);$/m, (first) => {
      return `const again = process.env.RECORD_ONLY_AGAIN;\nif (again) again.split(' ').forEach(load);\nelse ${first}`;
    });
}

/** The main script that does not run without the code that was kept: V8 would compile everything, and say nothing. */
function demanding(script: string): string {
  return script.replace(/^ {2}const script = new vm\.Script[^]*?;$/m, (made) => {
    return `${made}\n  if (script.cachedDataRejected) throw new Error('V8 rejects the code of ' + name);`;
  });
}

/** Our own files, of which each command compiles other parts. */
const OURS = ['patctl.cjs', 'read.cjs', 'witnesses.cjs', 'commands.cjs'];

/** Command lines whose code is kept: under their own word, those of `other` for every command without one. */
const RUNS: Record<string, string[]> = {
  none: ['--help'],
  list: ['list'],
  topology: ['topology'],
  status: ['status'],
  check: ['check', '--settle', '0'],
  ready: ['ready', 'pg2'],
  history: ['history'],
  'show-config': ['show-config'],
  version: ['version', 'demo'],
  dsn: ['dsn'],
  completion: ['completion', 'bash', 'list', ''],
  other: ['quorum'],
  // Only gRPC writes; the recorded cluster does not speak it, and the command ends when that is seen.
  'edit-config': ['edit-config', '-s', 'ttl=30', '--force'],
};

/** Which witness answers last, in turns: each order of the answers makes the program run other functions. */
const SLOW = [null, 'rest', 'sql'] as const;
/** So many runs in a row, a few of each kind, have to compile nothing new; no more than so many are made. */
const QUIET_RUNS = 2 * SLOW.length;
const MOST_RUNS = 40;

/** Writes the files into a new folder: those of packages as the first run leaves them that needs them. */
export async function recordCompiled(folder: string): Promise<void> {
  const aside = mkdtempSync(join(tmpdir(), 'patctl-compiled-'));
  const cluster = await openRecordedCluster();
  try {
    const file = join(aside, 'patctl');
    await makeExecutable({
      arch: OWN_ARCH,
      file,
      compiled: null,
      change: recording,
      // Compiled code holds the hashes of strings, whose seed is a random number of each run.
      options: ['--random-seed=1'],
    });
    mkdirSync(folder, { recursive: true });
    const settings = join(aside, 'patroni.yml');
    writeFileSync(settings, configurationOf(cluster.etcdPort));
    for (const [word, args] of Object.entries(RUNS)) {
      const line = word === 'none' ? args : ['-c', settings, ...args];
      for (const [name, content] of await recordedAll(cluster, file, line, join(aside, 'code'))) {
        const kept = join(folder, OURS.includes(name) ? `${word}.${name}` : name);
        if (!existsSync(kept)) writeFileSync(kept, content);
      }
    }
    await makeExecutable({ arch: OWN_ARCH, file, compiled: folder, change: demanding });
    await ended(file, ['-c', settings, ...(RUNS['list'] ?? [])], {});
  } finally {
    cluster.close();
    rmSync(aside, { recursive: true });
  }
}

type Recorded = Map<string, Buffer>;

/**
 * All that runs of a command compile: it is run until nothing new comes. What is kept in the end is written by a
 * process that reads it and does nothing else: V8 numbers functions in the order in which a process gets them.
 */
async function recordedAll(
  cluster: RecordedCluster,
  file: string,
  line: readonly string[],
  into: string,
): Promise<Recorded> {
  mkdirSync(into);
  const run = (env: NodeJS.ProcessEnv = {}): Promise<Recorded> =>
    recordedOnce(file, line, into, env);
  let before: Recorded = new Map<string, Buffer>();
  for (let runs = 0, quiet = 0; quiet < QUIET_RUNS; runs += 1) {
    if (runs === MOST_RUNS) throw new Error(`${line.join(' ')} compiles more in each run`);
    cluster.slow = SLOW[runs % SLOW.length] ?? null;
    const now = await run();
    quiet = isSameCode(before, now) ? quiet + 1 : 0;
    before = now;
  }
  const numbered = await run({ RECORD_ONLY_AGAIN: [...before.keys()].join(' ') });
  rmSync(into, { recursive: true });
  return numbered;
}

/** One more function makes a file longer; other numbers of its functions do not. */
function isSameCode(a: Recorded, b: Recorded): boolean {
  return a.size === b.size && [...a].every(([name, code]) => b.get(name)?.length === code.length);
}

function configurationOf(etcdPort: number): string {
  return [
    'scope: demo',
    'namespace: /service/',
    `etcd3:\n  hosts:\n    - 127.0.0.1:${etcdPort}`,
    'postgresql:\n  authentication:\n    superuser:\n      username: postgres',
    `      password: ${RECORDED_PASSWORD}`,
    '',
  ].join('\n');
}

async function recordedOnce(
  file: string,
  line: readonly string[],
  into: string,
  env: NodeJS.ProcessEnv,
): Promise<Recorded> {
  const said = await ended(file, line, { RECORD_INTO: into, ...env });
  const names = readdirSync(into).sort();
  if (names.length === 0) throw new Error(`${line.join(' ')} left nothing: ${said}`);
  return new Map(names.map((name) => [name, readFileSync(join(into, name))]));
}

/** Runs a command to its end, whatever that is; gives what it said on stderr. */
async function ended(
  file: string,
  line: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<string> {
  // Not spawnSync: the servers are in this process.
  const child = spawn(file, line, {
    env: { TZ: 'UTC', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 60_000,
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(child, 'close');
  if (said.includes('V8 rejects')) throw new Error(`${line.join(' ')}: ${said}`);
  return said;
}
