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

/**
 * The main script of a run that records: it begins with what the runs before have compiled, and leaves that and its
 * own. Meanwhile V8 neither forgets code that has not run for a while nor marks functions that it has compiled once
 * more because they ran often: both depend on time. The flags are set back before the code is kept, with them.
 */
function recording(script: string): string {
  return script
    .replace(
      /^const word = .*$/m,
      `require('node:v8').setFlagsFromString('--no-flush-bytecode');
require('node:v8').setFlagsFromString('--no-sparkplug');
const fs = require('node:fs');
const recorded = (name) => process.env.RECORD_INTO + '/' + name;
const setBack = () => {
  require('node:v8').setFlagsFromString('--flush-bytecode');
  require('node:v8').setFlagsFromString('--sparkplug');
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
      return `  setBack();\n${made}\n  require('node:v8').setFlagsFromString('--no-flush-bytecode');
  require('node:v8').setFlagsFromString('--no-sparkplug');
  if (script.cachedDataRejected) throw new Error('V8 rejects the code of ' + name);`;
    })
    .replace(
      /^ {2}return module\.exports;$/m,
      `  process.once('exit', () => {
    setBack();
    fs.writeFileSync(recorded(name), script.createCachedData());
  });
  return module.exports;`,
    );
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

/** So many runs in a row have to compile nothing new; no more than so many are made. */
const QUIET_RUNS = 6;
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
      for (const [name, content] of await recordedAll(file, line, join(aside, 'recorded'))) {
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
 * All that runs of a command compile. In which order answers arrive decides what one of them compiles: it is run until
 * nothing new comes, so that two builds are the same bytes.
 */
async function recordedAll(file: string, line: readonly string[], into: string): Promise<Recorded> {
  mkdirSync(into);
  let before: Recorded = new Map<string, Buffer>();
  for (let runs = 0, quiet = 0; quiet < QUIET_RUNS; runs += 1) {
    if (runs === MOST_RUNS) throw new Error(`${line.join(' ')} compiles more in each run`);
    const now = await recordedOnce(file, line, into);
    quiet = isSame(before, now) ? quiet + 1 : 0;
    before = now;
  }
  rmSync(into, { recursive: true });
  return before;
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
  if (names.length === 0 || said.includes('V8 rejects')) {
    throw new Error(`${line.join(' ')} left nothing: ${said}`);
  }
  return new Map(names.map((name) => [name, readFileSync(join(into, name))]));
}
