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
import { openRecordedCluster, RECORDED_PASSWORD } from './recorded-cluster.js';
import { OWN_ARCH } from './tools.js';

/** V8 forgets compiled code that has not run for a while; the flag is set back before the code is kept, with it. */
const AFTER_LOAD = `
  require('node:v8').setFlagsFromString('--no-flush-bytecode');
  process.once('exit', () => {
    require('node:v8').setFlagsFromString('--flush-bytecode');
    require('node:fs').writeFileSync(process.env.RECORD_INTO + '/' + name, script.createCachedData());
  });`;

/** Our own files, of which each command compiles other parts. */
const OURS = ['patctl.cjs', 'commands.cjs'];

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

/** Recordings that may differ before two in a row are the same. */
const TRIES = 10;

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
      afterLoad: AFTER_LOAD,
      // Compiled code holds the hashes of strings, whose seed is a random number of each run.
      options: ['--random-seed=1'],
    });
    mkdirSync(folder, { recursive: true });
    const settings = join(aside, 'patroni.yml');
    writeFileSync(settings, configurationOf(cluster.etcdPort));
    for (const [word, args] of Object.entries(RUNS)) {
      const line = word === 'none' ? args : ['-c', settings, ...args];
      for (const [name, content] of await recordedTwice(file, line, join(aside, 'recorded'))) {
        const kept = join(folder, OURS.includes(name) ? `${word}.${name}` : name);
        if (!existsSync(kept)) writeFileSync(kept, content);
      }
    }
  } finally {
    cluster.close();
    rmSync(aside, { recursive: true });
  }
}

type Recorded = Map<string, Buffer>;

/**
 * What two runs in a row leave alike. In which order answers arrive decides what is compiled; the same order has to
 * come twice, so that two builds are the same bytes.
 */
async function recordedTwice(
  file: string,
  line: readonly string[],
  into: string,
): Promise<Recorded> {
  let before: Recorded | null = null;
  for (let left = TRIES; left > 0; left -= 1) {
    const now = await recordedOnce(file, line, into);
    if (before && isSame(before, now)) return now;
    before = now;
  }
  process.stderr.write(
    `package: ${line.join(' ')} compiles other code each time: not reproducible\n`,
  );
  return before ?? new Map<string, Buffer>();
}

function isSame(a: Recorded, b: Recorded): boolean {
  return a.size === b.size && [...a].every(([name, content]) => b.get(name)?.equals(content));
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
): Promise<Recorded> {
  mkdirSync(into);
  // Not spawnSync: the servers are in this process.
  const child = spawn(file, line, {
    env: { RECORD_INTO: into, TZ: 'UTC' },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 60_000,
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(child, 'close');
  const names = readdirSync(into).sort();
  if (names.length === 0) throw new Error(`${line.join(' ')} left nothing: ${said}`);
  const recorded = new Map(names.map((name) => [name, readFileSync(join(into, name))]));
  rmSync(into, { recursive: true });
  return recorded;
}
