// Builds dist/bundle/: patctl.cjs, and one file for each heavy package, loaded when first used. Separate
// files keep start-up small: what a run does not need is neither read nor deserialised.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

/** import name -> file beside patctl.cjs */
const HEAVY = {
  'etcd3/lib/connection-pool.js': 'etcd3.cjs',
  cockatiel: 'cockatiel.cjs',
  pg: 'pg.cjs',
  inquirer: 'inquirer.cjs',
  yaml: 'yaml.cjs',
};

const apart = {
  name: 'heavy packages apart',
  setup({ onResolve }) {
    onResolve({ filter: /^[a-z]/ }, ({ path: name }) =>
      name in HEAVY ? { path: `./${HEAVY[name]}`, external: true } : undefined,
    );
  },
};

// Built aside and put in place at the end: a test may be running the one that is there.
const building = path.join(root, `dist/building-${process.pid}`);
const common = {
  absWorkingDir: root,
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
};
const main = build({
  ...common,
  entryPoints: ['src/run.ts'],
  outfile: path.join(building, 'bundle/patctl.cjs'),
  plugins: [apart],
});
const heavy = Object.entries(HEAVY).map(([name, file]) =>
  build({
    ...common,
    entryPoints: [{ in: name, out: file.replace(/\.cjs$/, '') }],
    outdir: path.join(building, 'bundle'),
    outExtension: { '.js': '.cjs' },
  }),
);
const metas = (await Promise.all([main, ...heavy])).map(({ metafile }) => metafile);
const inputs = Object.assign({}, ...metas.map((meta) => meta.inputs));
writeFileSync(
  path.join(building, 'meta.json'),
  JSON.stringify({ main: metas[0], packages: packagesOf(inputs) }),
);

// The code cache is keyed by this.
const hash = createHash('sha256');
for (const file of readdirSync(path.join(building, 'bundle')).sort()) {
  hash.update(readFileSync(path.join(building, 'bundle', file)));
}
writeFileSync(path.join(building, 'bundle/build-id'), hash.digest('hex'));

// etcd3 reads its protocol description from ../proto beside the code at run time.
cpSync(path.join(root, 'node_modules/etcd3/proto'), path.join(building, 'proto'), {
  recursive: true,
});

// The bundle contains other people's work: their licences go with it.
const notices = packagesOf(inputs).map((name) => {
  const folder = path.join(root, 'node_modules', name);
  const licence = readdirSync(folder).find((file) => /^(licen[cs]e|copying)/i.test(file));
  const about = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const text = licence ? readFileSync(path.join(folder, licence), 'utf8') : String(about.license);
  return `${name} ${about.version}\n\n${text.trim()}\n`;
});
writeFileSync(path.join(building, 'THIRD-PARTY.txt'), notices.join(`\n${'-'.repeat(72)}\n\n`));

mkdirSync(path.join(root, 'dist'), { recursive: true });
for (const name of ['bundle', 'proto', 'meta.json', 'THIRD-PARTY.txt']) {
  rmSync(path.join(root, 'dist', name), { recursive: true, force: true });
  renameSync(path.join(building, name), path.join(root, 'dist', name));
}
rmSync(building, { recursive: true });

function packagesOf(files) {
  const names = Object.keys(files).map(
    (file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1],
  );
  return [...new Set(names.filter(Boolean))].sort();
}
