/** Node of another version than the one that runs this. */
import { join } from 'node:path';
import { ensurePart, log, run } from './cache.js';
import { NODE, type NodeMajor } from './catalogue.js';
import { unpackDownload } from './download.js';

/** The node program: downloaded when it is first asked for. */
export async function ensureNode(major: NodeMajor): Promise<string> {
  const what = NODE[major];
  if (process.versions.node === what.release) return process.execPath;
  const folder = await ensurePart(`node-${what.release}`, (part) => {
    log(`downloading Node ${what.release} (${what.package})`);
    // npm's client needs no Python.
    unpackDownload(what, part, '');
    run(join(part, 'bin/node'), ['--version']);
  });
  return join(folder, 'bin/node');
}
