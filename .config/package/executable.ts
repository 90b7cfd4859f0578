/** The single executable: a Node binary, patctl's bundle, and the code that V8 has compiled of it. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MACHINES, readElf, withNote } from './elf.js';
import { ensureNode, OWN_ARCH, run, type Arch } from './tools.js';

const HERE = import.meta.dirname;
const BUNDLE = join(HERE, '../../dist/bundle');

/** The main script, in the folder where the blob is made: its path becomes part of the blob. */
const MAIN = 'start.cjs';

/** The name by which Node looks for its blob, and the mark that tells it to look. */
export const NOTE = 'NODE_SEA_BLOB';
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:';

export interface Executable {
  arch: Arch;
  file: string;
  /** Folder of compiled code; null: none, where the target cannot be run here. */
  compiled: string | null;
  /** Only for recording: what becomes of the main script, and options of Node. */
  change?: (script: string) => string;
  options?: string[];
}

export async function makeExecutable(wanted: Executable): Promise<void> {
  const { arch, file, compiled } = wanted;
  const folder = mkdtempSync(join(tmpdir(), 'patctl-executable-'));
  try {
    const names = compiled === null ? [] : readdirSync(compiled).sort();
    writeFileSync(join(folder, MAIN), (wanted.change ?? String)(mainScript(names)));
    const assets = Object.fromEntries([
      ...bundleFiles().map((name) => [name, join(BUNDLE, name)]),
      ...names.map((name) => [`compiled/${name}`, join(compiled ?? '', name)]),
    ]) as Record<string, string>;
    const blob = await blobOf({ main: MAIN, assets, execArgv: wanted.options ?? [] }, folder);
    const node = readFileSync(join(await ensureNode(arch), 'bin/node'));
    if (readElf(node).machine !== MACHINES[arch]) throw new Error(`Node is not for ${arch}`);
    const made = withNote(node, NOTE, blob);
    made.write('1', made.indexOf(`${FUSE}0`) + FUSE.length, 'latin1');
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, made, { mode: 0o755 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function bundleFiles(): string[] {
  return readdirSync(BUNDLE)
    .filter((name) => name.endsWith('.cjs'))
    .sort();
}

function mainScript(compiled: readonly string[]): string {
  const script = readFileSync(join(HERE, 'start.cjs'), 'utf8');
  return script.replace('new Set([])', `new Set(${JSON.stringify(compiled)})`);
}

/** What Node puts together of main script and assets; the same on every architecture. */
async function blobOf(
  content: { main: string; assets: Record<string, string>; execArgv: string[] },
  folder: string,
): Promise<Buffer> {
  const output = join(folder, 'blob');
  const description = {
    ...content,
    output,
    disableExperimentalSEAWarning: true,
    // NODE_OPTIONS is meant for another Node than the one in here.
    execArgvExtension: 'none',
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(description));
  const node = join(await ensureNode(OWN_ARCH), 'bin/node');
  run(node, ['--experimental-sea-config', 'config.json'], { cwd: folder });
  return readFileSync(output);
}
