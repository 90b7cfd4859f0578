/** Patroni of any version, each in a virtual environment of its own. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensurePart, log, run } from './cache.js';
import { SetupError } from './errors.js';

/** The environment's bin folder: python, patroni, patronictl. */
export async function ensurePatroni(version: string): Promise<string> {
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new SetupError(`not a Patroni version: ${version}`);
  const folder = await ensurePart(`patroni-${version}`, (part) => {
    log(`installing Patroni ${version} from PyPI`);
    run('/usr/bin/python3', ['-m', 'venv', part]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    run(join(part, 'bin/python'), [...pip, ...requirements(version)]);
    // It imports what a newer release of some dependency may have taken away.
    run(join(part, 'bin/patronictl'), ['version']);
    run(join(part, 'bin/python'), ['-c', 'import psycopg2, etcd, patroni.dcs.etcd3']);
  });
  const bin = join(folder, 'bin');
  if (!existsSync(join(bin, 'patronictl'))) throw new SetupError(`${folder} has no patronictl`);
  return bin;
}

/** Named one by one: no version brings the driver with its extras, and each takes python-etcd for etcd v3 too. */
function requirements(version: string): string[] {
  const wanted = [`patroni[etcd3]==${version}`, 'psycopg2-binary', 'python-etcd>=0.4.3,<0.5'];
  // Patroni before 4 does not say that a later ydiff has lost what it imports.
  return Number(version.split('.')[0]) < 4 ? [...wanted, 'ydiff>=1.2,<1.3'] : wanted;
}
