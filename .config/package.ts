/**
 * `npm run package`: everything a person may install, into dist/package. `--only x64` makes the executable of one
 * architecture and nothing else, `--quick` compresses less.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { recordCompiled } from './package/compiled.js';
import { makeAlternative, makePackages, type Release } from './package/distribution.js';
import { makeExecutable } from './package/executable.js';
import { sbomOf } from './package/sbom.js';
import { OWN_ARCH, run, type Arch } from './package/tools.js';

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'dist/package');
const ARCHES: readonly Arch[] = ['x64', 'arm64'];

const log = (line: string): void => void process.stderr.write(`package: ${line}\n`);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, quick: { type: 'boolean', default: false } },
  });
  const only = ARCHES.find((arch) => arch === values.only);
  if (values.only !== undefined && !only) throw new Error(`--only ${ARCHES.join(' or ')}`);
  run(process.execPath, [join(ROOT, '.config/build.mjs')]);
  const aside = mkdtempSync(join(tmpdir(), 'patctl-package-'));
  try {
    rmSync(OUT, { recursive: true, force: true });
    mkdirSync(OUT, { recursive: true });
    const executables = await makeExecutables(only ? [only] : ARCHES, aside);
    if (!only) await makeEverything(executables, releaseOf(values.quick), aside);
  } finally {
    rmSync(aside, { recursive: true });
  }
}

async function makeExecutables(arches: readonly Arch[], aside: string): Promise<Map<Arch, string>> {
  const compiled = join(aside, 'compiled');
  if (arches.includes(OWN_ARCH)) {
    log('recording compiled code');
    await recordCompiled(compiled);
  }
  const executables = new Map<Arch, string>();
  for (const arch of arches) {
    const file = join(OUT, `patctl-linux-${arch}`);
    log(`patctl-linux-${arch}`);
    await makeExecutable({ arch, file, compiled: arch === OWN_ARCH ? compiled : null });
    executables.set(arch, file);
  }
  return executables;
}

async function makeEverything(
  executables: Map<Arch, string>,
  release: Release,
  aside: string,
): Promise<void> {
  for (const [arch, executable] of executables) {
    log(`.deb, .rpm and .tar.gz for ${arch}`);
    await makePackages(arch, executable, release, join(aside, arch), OUT);
  }
  await makeAlternative(release, aside, OUT);
  log('npm tarball, SBOM, SHA256SUMS');
  makeNpmTarball(release, aside);
  const sbom = await sbomOf(release.version, new Date(release.epoch * 1000));
  writeFileSync(join(OUT, `patctl-${release.version}.cdx.json`), sbom);
  writeFileSync(join(OUT, 'SHA256SUMS'), sums());
}

/** Built already; npm dates every file in a tarball 26 October 1985. */
function makeNpmTarball({ version }: Release, aside: string): void {
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', aside, ROOT], {
    cwd: aside,
  });
  copyFileSync(join(aside, `patctl-${version}.tgz`), join(OUT, `patctl-${version}.tgz`));
}

function releaseOf(quick: boolean): Release {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  const given = process.env['SOURCE_DATE_EPOCH'];
  const epoch = given ?? run('git', ['-C', ROOT, 'log', '-1', '--format=%ct']);
  return { version, epoch: Number(epoch), quick };
}

function sums(): string {
  return readdirSync(OUT)
    .sort()
    .map((name) => {
      const digest = createHash('sha256').update(readFileSync(join(OUT, name)));
      return `${digest.digest('hex')}  ${name}\n`;
    })
    .join('');
}

try {
  await main();
} catch (error) {
  log(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
