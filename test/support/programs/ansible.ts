/** ansible-core with what its expect module needs, in a virtual environment of its own. */
import { join } from 'node:path';
import { ensurePart, log, run } from './cache.js';

const VERSION = '2.19.14';

/** The environment's bin folder: ansible, ansible-playbook, python. */
export async function ensureAnsible(): Promise<string> {
  const folder = await ensurePart(`ansible-core-${VERSION}`, (part) => {
    log(`installing ansible-core ${VERSION} from PyPI`);
    run('/usr/bin/python3', ['-m', 'venv', part]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    run(join(part, 'bin/python'), [...pip, `ansible-core==${VERSION}`, 'pexpect>=4.9,<5']);
    run(join(part, 'bin/ansible-playbook'), ['--version']);
  });
  return join(folder, 'bin');
}
