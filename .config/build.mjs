// Builds dist/bundle/patctl.cjs: one minified CommonJS file, packages included.
import { build } from 'esbuild';
import { cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

const result = await build({
  absWorkingDir: root,
  entryPoints: ['src/run.ts'],
  outfile: 'dist/bundle/patctl.cjs',
  bundle: true,
  minify: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  // import() of Node's own modules becomes require(): a vm.Script has no import callback.
  supported: { 'dynamic-import': false },
  external: ['pg-native'],
  define: {
    PATCTL_VERSION: JSON.stringify(version),
    // pg makes a Response to look for Cloudflare, which loads all of Node's fetch.
    Response: 'undefined',
  },
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
});
writeFileSync(path.join(root, 'dist/meta.json'), JSON.stringify(result.metafile));

// etcd3 reads its protocol description from ../proto beside the code at run time.
cpSync(path.join(root, 'node_modules/etcd3/proto'), path.join(root, 'dist/proto'), {
  recursive: true,
});

// The bundle contains other people's work: their licences go with it.
const packages = new Set(
  Object.keys(result.metafile.inputs)
    .map((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1])
    .filter(Boolean),
);
const notices = [...packages].sort().map((name) => {
  const folder = path.join(root, 'node_modules', name);
  const licence = readdirSync(folder).find((file) => /^(licen[cs]e|copying)/i.test(file));
  const about = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const text = licence ? readFileSync(path.join(folder, licence), 'utf8') : String(about.license);
  return `${name} ${about.version}\n\n${text.trim()}\n`;
});
writeFileSync(path.join(root, 'dist/THIRD-PARTY.txt'), notices.join(`\n${'-'.repeat(72)}\n\n`));
