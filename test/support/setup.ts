/**
 * Puts on this machine what the lab needs and nothing more: etcd, PostgreSQL, Python and shells from the
 * distribution, Patroni from PyPI, other versions of PostgreSQL and etcd from where programs/catalogue.ts says.
 * Quick when nothing is missing: it only looks for files then.
 * Run it as `tsx test/support/setup.ts [PATRONI-VERSION…]`; the lab calls it too.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lab/lock.js';
import { log } from './programs/cache.js';
import { SetupError } from './programs/errors.js';
import { ensureEtcd } from './programs/etcd.js';
import { ensurePatroni } from './programs/patroni.js';
import { ensurePostgres } from './programs/postgres.js';

/** The version whose output patctl promises to match. */
export const DEFAULT_PATRONI = '4.1.5';

/** Versions the tests know how to use; `setup.ts all` installs every one. */
export const KNOWN_PATRONI = ['4.1.5', '4.0.11', '4.0.5', '3.3.11', '3.2.2', '3.0.4'];

export interface LabPrograms {
  etcd: string;
  etcdctl: string;
  /** Folder of initdb, postgres, psql. */
  pgBin: string;
  /** The virtual environment's bin folder: python, patroni, patronictl. */
  patroniBin: string;
}

export { SetupError } from './programs/errors.js';
export { cacheFolder } from './programs/cache.js';

/** What a cluster runs; null: the version that this machine has. */
export interface Versions {
  patroni: string;
  pg: string | null;
  etcd: string | null;
}

/** Makes sure that everything is installed and says where it is. */
export async function ensureSetup(wanted: Partial<Versions> = {}): Promise<LabPrograms> {
  if (missingPackages().length > 0) await installPackages(missingPackages);
  const patroniBin = await ensurePatroni(wanted.patroni ?? DEFAULT_PATRONI);
  const pgBin = findPgBin();
  const etcd = findProgram('etcd');
  const etcdctl = findProgram('etcdctl');
  if (pgBin === null || etcd === null || etcdctl === null)
    throw new SetupError(howToInstall(missingPackages()));
  const python = join(patroniBin, 'python');
  return {
    etcd: wanted.etcd ? await ensureEtcd(wanted.etcd, etcd, python) : etcd,
    etcdctl,
    pgBin: wanted.pg ? await ensurePostgres(wanted.pg, python) : pgBin,
    patroniBin,
  };
}

/** Makes sure that the shells are there whose completion is tested. No cluster needs them. */
export async function ensureShells(): Promise<void> {
  if (missingShells().length > 0) await installPackages(missingShells);
}

/** Makes sure that tmux is there, the terminal of captures. */
export async function ensureTmux(): Promise<void> {
  const missing = (): string[] => (findProgram('tmux') === null ? ['tmux'] : []);
  if (missing().length > 0) await installPackages(missing);
}

/** Makes sure that HAProxy is there, and says where: a load balancer in front of members. */
export async function ensureHaproxy(): Promise<string> {
  return await ensureProgram('haproxy');
}

/** Makes sure that pgbouncer is there, and says where: a pooler in front of PostgreSQL. */
export async function ensurePgbouncer(): Promise<string> {
  return await ensureProgram('pgbouncer');
}

/** Makes sure that Chromium is there, and says where: the browser of reports. */
export async function ensureChromium(): Promise<string> {
  return await ensureProgram('chromium');
}

/** A program by the package of the same name. */
async function ensureProgram(name: string): Promise<string> {
  const missing = (): string[] => (findProgram(name) === null ? [name] : []);
  if (missing().length > 0) await installPackages(missing);
  const program = findProgram(name);
  if (program === null) throw new SetupError(howToInstall([name]));
  return program;
}

function missingShells(): string[] {
  return ['bash', 'zsh', 'fish'].filter((shell) => findProgram(shell) === null);
}

/** Programs that people's scripts use, by the package of the same name or what stands here. */
export async function ensureTools(names: readonly string[]): Promise<void> {
  const missing = () =>
    names.filter((name) => findProgram(name) === null).map((name) => TOOL_PACKAGES[name] ?? name);
  if (missing().length > 0) await installPackages(missing);
}

const TOOL_PACKAGES: Record<string, string> = { setsid: 'util-linux', script: 'bsdutils' };

/** PostgreSQL's programs: version 15 where it is installed, else the newest. */
export function findPgBin(base = '/usr/lib/postgresql'): string | null {
  const versions = (existsSync(base) ? readdirSync(base) : [])
    .filter((version) => existsSync(join(base, version, 'bin', 'postgres')))
    .sort((a, b) => Number(b) - Number(a));
  const chosen = versions.includes('15') ? '15' : versions[0];
  return chosen === undefined ? null : join(base, chosen, 'bin');
}

/** Full path of a program, looked up as a shell would; sbin too, which not every user has. */
function findProgram(name: string): string | null {
  const path = `${process.env['PATH'] ?? ''}${delimiter}/usr/bin${delimiter}/usr/sbin${delimiter}/usr/local/bin`;
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name);
    if (folder === '') continue;
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** Debian's and Ubuntu's names of what is not there yet. */
function missingPackages(): string[] {
  const missing: string[] = [];
  if (findProgram('etcd') === null) missing.push('etcd-server');
  if (findProgram('etcdctl') === null) missing.push('etcd-client');
  if (findPgBin() === null) missing.push('postgresql');
  if (findProgram('openssl') === null) missing.push('openssl');
  if (!existsSync('/usr/bin/python3')) missing.push('python3');
  if (!hasVenv()) missing.push('python3-venv');
  return missing;
}

/** `ensurepip` is what Debian takes out of Python and puts into python3-venv. Files only: it is quick. */
function hasVenv(): boolean {
  if (!existsSync('/usr/bin/python3')) return false;
  return readdirSync('/usr/lib').some(
    (folder) =>
      folder.startsWith('python3.') &&
      existsSync(join('/usr/lib', folder, 'ensurepip/__init__.py')),
  );
}

function howToInstall(packages: readonly string[]): string {
  return (
    `the lab and its tests need packages that are not installed, and this user may not install them. ` +
    `Run as root:\n  apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}`
  );
}

// Run by root. Nothing may start by itself: the lab runs its own servers on its own ports.
const INSTALL_SCRIPT = String.raw`
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
conf=/etc/postgresql-common/createcluster.conf
changed=
restore() {
  rm -f $policy
  if [ -e $policy.before-patctl-lab ]; then mv $policy.before-patctl-lab $policy; fi
  if [ -n "$changed" ]; then mv $conf.before-patctl-lab $conf; fi
}
trap restore EXIT
trap 'exit 130' INT TERM HUP
if [ -e $policy ] && ! grep -q patctl-lab $policy; then mv $policy $policy.before-patctl-lab; fi
printf '#!/bin/sh\n# patctl-lab: start nothing while it installs\nexit 101\n' > $policy
chmod 755 $policy
install() { apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends "$@"; }
install_with_update() {
  install "$@" || { apt-get -o DPkg::Lock::Timeout=300 update -q && install "$@"; }
}
case " $* " in *" postgresql "*)
  install_with_update postgresql-common
  if ! grep -Eq '^ *create_main_cluster *= *false' $conf; then
    cp -p $conf $conf.before-patctl-lab
    changed=yes
    sed -ri 's/^#? *create_main_cluster .*/create_main_cluster = false/' $conf
  fi ;;
esac
install_with_update "$@"
if [ -d /run/systemd/system ]; then
  case " $* " in *" etcd-server "*) systemctl disable --quiet etcd || true ;; esac
  case " $* " in *" pgbouncer "*) systemctl disable --quiet pgbouncer || true ;; esac
fi
`;

/** Installs what is missing, and looks again for it when it is its turn. */
async function installPackages(missing: () => string[]): Promise<void> {
  const asRoot = rootCommand();
  if (asRoot === null || findProgram('apt-get') === null) {
    throw new SetupError(howToInstall(missing()));
  }
  await withLock(join('/tmp', 'patctl-lab-setup.lock'), 600_000, () => {
    const packages = missing();
    if (packages.length === 0) return;
    log(`installing ${packages.join(' ')}`);
    const [command, ...before] = [...asRoot, 'sh', '-c', INSTALL_SCRIPT, 'setup', ...packages];
    // apt's own talk goes to stderr: stdout belongs to the caller.
    const run = spawnSync(command ?? 'sh', before, { stdio: ['inherit', 2, 2] });
    if (run.status !== 0) {
      throw new SetupError(`apt-get could not install ${packages.join(' ')} (see above)`);
    }
  });
}

/** How to become root: not at all, by sudo, or null when there is no way. */
function rootCommand(): string[] | null {
  if (process.getuid?.() === 0) return [];
  if (findProgram('sudo') === null) return null;
  const quiet = spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
  return quiet || process.stdin.isTTY ? ['sudo'] : null;
}

async function main(args: string[]): Promise<void> {
  const wanted = args.includes('all') ? KNOWN_PATRONI : args.length > 0 ? args : [DEFAULT_PATRONI];
  try {
    for (const patroni of wanted) await ensureSetup({ patroni });
    if (args.includes('all')) {
      await ensureShells();
      await ensureHaproxy();
      await ensurePgbouncer();
      await ensureChromium();
    }
    log(`ready: Patroni ${wanted.join(', ')}`);
  } catch (error) {
    log(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
