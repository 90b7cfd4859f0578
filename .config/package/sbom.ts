/** CycloneDX: what other people's work is in the executable, from esbuild's account of the bundle. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureNode, NODE_VERSION, OWN_ARCH, run } from './tools.js';

const ROOT = join(import.meta.dirname, '../..');

interface Locked {
  version: string;
  integrity?: string;
  license?: string;
}

/** A document for the commit that was made at this time; the same input gives the same bytes. */
export async function sbomOf(version: string, madeAt: Date): Promise<string> {
  const { packages } = read('dist/meta.json') as { packages: string[] };
  const lock = read('package-lock.json') as { packages: Record<string, Locked> };
  const components = packages.map((name) => {
    const locked = lock.packages[`node_modules/${name}`];
    if (!locked) throw new Error(`${name} is not in package-lock.json`);
    return packageOf(name, locked);
  });
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: madeAt.toISOString(),
      component: {
        type: 'application',
        'bom-ref': `pkg:npm/patctl@${version}`,
        name: 'patctl',
        version,
        purl: `pkg:npm/patctl@${version}`,
        licenses: [{ license: { id: 'MIT' } }],
      },
    },
    components: [...components, await nodeComponent()],
    dependencies: [],
  };
  const digest = createHash('sha256').update(JSON.stringify(document)).digest('hex');
  const serialNumber = `urn:uuid:${uuidOf(digest)}`;
  return `${JSON.stringify({ ...document, serialNumber }, null, 2)}\n`;
}

function packageOf(name: string, { version, integrity, license }: Locked): object {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const [, sha512] = /^sha512-(.*)$/.exec(integrity ?? '') ?? [];
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    purl,
    licenses: license === undefined ? [] : [{ license: { id: license } }],
    hashes:
      sha512 === undefined
        ? []
        : [{ alg: 'SHA-512', content: Buffer.from(sha512, 'base64').toString('hex') }],
  };
}

/** Node itself, and the libraries that it says it is made of. */
async function nodeComponent(): Promise<object> {
  const node = join(await ensureNode(OWN_ARCH), 'bin/node');
  const parts = JSON.parse(run(node, ['-p', 'JSON.stringify(process.versions)'])) as Record<
    string,
    string
  >;
  const components = Object.entries(parts)
    .filter(([name]) => !['node', 'modules', 'napi'].includes(name))
    .map(([name, version]) => ({ type: 'library', 'bom-ref': `node/${name}`, name, version }));
  return {
    type: 'platform',
    'bom-ref': `pkg:generic/nodejs@${NODE_VERSION}`,
    name: 'Node.js',
    version: NODE_VERSION,
    purl: `pkg:generic/nodejs@${NODE_VERSION}`,
    licenses: [{ license: { id: 'MIT' } }],
    components,
  };
}

function uuidOf(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(join(ROOT, name), 'utf8'));
}
