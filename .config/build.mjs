// Builds dist/bundle/: patctl.cjs is what every run needs, LATER has the files of our own code behind it, and each
// heavy package is a file of its own. Separate files keep start-up small: what a run does not need is neither read
// nor deserialised.
import { build, transform } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const requireFromEtcd3 = createRequire(path.join(root, 'node_modules/etcd3/package.json'));
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

/** import name -> file beside patctl.cjs */
const HEAVY = {
  'etcd3/lib/connection-pool.js': 'etcd3.cjs',
  cockatiel: 'cockatiel.cjs',
  pg: 'pg.cjs',
  inquirer: 'inquirer.cjs',
  '@inquirer/core': 'inquirer-core.cjs',
  yaml: 'yaml.cjs',
  rfc6902: 'rfc6902.cjs',
  '@observablehq/plot': 'plot.cjs',
};

/** Of these packages only what src imports goes into the file: the rest is two thirds of it. */
const NAMED = {
  '@observablehq/plot': 'src/output/report/pictures.ts',
};

/**
 * Files of our own code behind patctl.cjs, in this order: each begins with what these modules import that is not in a
 * file before. A list of the DCS alone loads the first, a list with its witnesses the second too.
 */
const LATER = {
  'read.cjs': [
    'src/commands/list.ts',
    'src/config/load.ts',
    'src/config/pem.ts',
    'src/dcs/dcs-registry.ts',
    'src/dcs/etcd3/connect-etcd.ts',
    'src/dcs/etcd3/open-etcd.ts',
    'src/observe/read-snapshot.ts',
    'src/output/listing.ts',
  ],
  'witnesses.cjs': [
    'src/patroni/rest.ts',
    'src/postgres/connect.ts',
    'src/config/read-limited.ts',
    'src/cluster/findings/find.ts',
    'src/cluster/findings/commits.ts',
  ],
};
/** Where everything else is. */
const REST = 'commands.cjs';

const apart = {
  name: 'heavy packages apart',
  setup({ onResolve }) {
    onResolve({ filter: /^[@a-z]/ }, ({ path: name }) =>
      name in HEAVY ? { path: `./${HEAVY[name]}`, external: true } : undefined,
    );
  },
};

/** commander runs no programs for us; loading the module that could takes a tenth of its start-up. */
const noPrograms = {
  name: 'commander without child_process',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      /[\\/]commander[\\/]/.test(importer)
        ? { path: 'child_process', namespace: 'none' }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'none' }, () => ({ contents: 'module.exports = {}' }));
  },
};

/** pg's own cryptography goes through Web Crypto; src/postgres/pg-crypto.ts says why not. */
const plainCrypto = {
  name: 'pg with node:crypto',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/(crypto\/)?utils$/ }, ({ importer, path: name }) =>
      /[\\/]pg[\\/]lib[\\/](crypto[\\/]|client\.js)/.test(importer) &&
      (name === './crypto/utils' || /[\\/]crypto[\\/]/.test(importer))
        ? { path: path.join(root, 'src/postgres/pg-crypto.ts') }
        : undefined,
    );
  },
};

/** What pg needs of two modules of Node.js only now and then; each costs more to load than all of pg. */
const rarelyNeeded = {
  name: 'pg without util and dns',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(util|dns)$/ }, ({ importer, path: name }) =>
      /[\\/]pg[\\/]lib[\\/]/.test(importer) ? { path: name, namespace: 'rare' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'rare' }, ({ path: name }) => ({
      // No deprecation is reported to an operator: run.ts.
      contents: `module.exports = new Proxy({}, {
        get: (_, key) => (key === 'deprecate' ? (it) => it : require('node:${name}')[key]),
      })`,
    }));
  },
};

/** etcd3 would read its protocol description from .proto files; here it stands in the code. */
const protocolInside = {
  name: 'etcd3 with its protocol description',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]etcd3[\\/]lib[\\/]connection-pool\.js$/ }, ({ path: file }) => {
      const text = readFileSync(file, 'utf8');
      const call = /\.loadSync\)\(`\$\{__dirname\}\/(.*?)`, (\{.*?\})\)/s.exec(text);
      if (!call) throw new Error('etcd3 loads its protocol description in another way');
      const [whole, proto, options] = call;
      const { Root } = requireFromEtcd3('protobufjs');
      const keepCase = options.includes('keepCase: true');
      const read = new Root().loadSync(path.join(path.dirname(file), proto), { keepCase });
      const description = JSON.stringify(read.resolveAll().toJSON());
      const contents = text.replace(whole, () => `.fromJSON)(${description}, ${options})`);
      return { contents };
    });
  },
};

// Built aside and put in place at the end: a test may be running the one that is there.
const building = path.join(root, `dist/building-${process.pid}`);
const commonJs = {
  format: 'cjs',
  target: 'node20.19',
  // import() becomes require(): a vm.Script has no import callback.
  supported: { 'dynamic-import': false },
};
const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  platform: 'node',
  ...commonJs,
  external: ['pg-native'],
  define: {
    PATCTL_VERSION: JSON.stringify(version),
    PATCTL_COMMIT: JSON.stringify(commitOf(root)),
    // pg looks for Cloudflare in a Response, which loads all of Node's fetch, and in navigator.
    Response: 'undefined',
    navigator: 'undefined',
  },
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
};
const main = build({
  ...common,
  // Only to ES modules does esbuild split; `partOf` makes them what the loader takes.
  format: 'esm',
  supported: {},
  splitting: true,
  entryPoints: { run: 'src/run.ts' },
  outdir: path.join(building, 'parts'),
  write: false,
  plugins: [apart, noPrograms],
});
const heavy = Object.entries(HEAVY).map(([name, file]) =>
  build({
    ...common,
    ...(name in NAMED
      ? { stdin: { contents: importedFrom(name), resolveDir: root } }
      : { entryPoints: [name] }),
    outfile: path.join(building, 'bundle', file),
    plugins: [protocolInside, plainCrypto, rarelyNeeded],
  }),
);
const built = await Promise.all([main, ...heavy]);
const metas = built.map(({ metafile }) => metafile);
await writeOwn(built[0]);
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
for (const name of ['bundle', 'meta.json', 'THIRD-PARTY.txt']) {
  rmSync(path.join(root, 'dist', name), { recursive: true, force: true });
  renameSync(path.join(building, name), path.join(root, 'dist', name));
}
rmSync(building, { recursive: true });

/**
 * Our own code is made of parts, each run when it is first required. Those that run.js imports are the whole of
 * a start-up. The name of a part begins with the file that it is in.
 */
async function writeOwn({ outputFiles, metafile }) {
  const outputs = new Map(
    Object.entries(metafile.outputs).map(([file, output]) => [path.basename(file), output]),
  );
  const partFor = new Map([...outputs].map(([name, { entryPoint }]) => [entryPoint, name]));
  const fileOf = new Map();
  const add = (file, name) => {
    if (fileOf.has(name) || !outputs.has(name)) return;
    fileOf.set(name, file);
    for (const { kind, path: imported } of outputs.get(name).imports) {
      if (kind === 'import-statement') add(file, path.basename(imported));
    }
  };
  const begin = (file, module) => {
    if (!partFor.has(module)) throw new Error(`${module} is not loaded with import()`);
    add(file, partFor.get(module));
  };
  begin('patctl.cjs', 'src/run.ts');
  for (const [file, modules] of Object.entries(LATER)) {
    for (const module of modules) begin(file, module);
  }
  for (const name of outputs.keys()) add(REST, name);
  const parts = await Promise.all(outputFiles.map((output) => partOf(output, fileOf)));
  const partsIn = (wanted) =>
    `{${parts.filter(({ file }) => file === wanted).map(({ text }) => text)}}`;
  const write = (name, text) => writeFileSync(path.join(building, 'bundle', name), text);
  const first = partsIn('patctl.cjs');
  write('patctl.cjs', `const first=${first},made={};${part}part('./patctl.cjs/run.js');`);
  for (const file of [...Object.keys(LATER), REST]) write(file, `module.exports=${partsIn(file)}`);
}

/** The names that our file imports of the package, exported again. */
function importedFrom(name) {
  const text = readFileSync(path.join(root, NAMED[name]), 'utf8');
  const [, names] = new RegExp(`import \\{([^}]*)\\} from '${name}'`).exec(text) ?? [];
  if (names === undefined) throw new Error(`${NAMED[name]} does not import ${name}`);
  const values = names.split(',').filter((one) => !/^\s*(type .*)?$/s.test(one));
  return `export { ${values.join(',')} } from '${name}'`;
}

/** The commit that is built, with a + where files differ from it; null outside a repository. */
function commitOf(folder) {
  const git = (...args) => spawnSync('git', ['-C', folder, ...args], { encoding: 'utf8' });
  const { status, stdout } = git('rev-parse', '--short=12', 'HEAD');
  if (status !== 0) return null;
  const changed = git('status', '--porcelain', '--untracked-files=no').stdout.trim() !== '';
  return `${stdout.trim()}${changed ? '+' : ''}`;
}

/**
 * A part as a function. What it exports becomes an object of plain values: parts import each other in no circle, and
 * no export changes later, so the getters that esbuild would make of them (two calls a use) are not needed.
 */
async function partOf({ path: output, text }, fileOf) {
  const name = path.basename(output);
  const file = fileOf.get(name);
  const named = text
    .replace(/"\.\/([\w-]+\.js)"/g, (whole, other) =>
      fileOf.has(other) ? `"./${fileOf.get(other)}/${other}"` : whole,
    )
    .replace(/\bimport\(("\.\/[\w./-]+\.js")\)/g, 'Promise.resolve().then(()=>require($1))')
    .replace(/\bexport\{([^}]*)\};\s*$/, (_, names) => {
      const pairs = names.split(',').map((one) => one.split(' as '));
      return `module.exports={${pairs.map(([own, as = own]) => `${as}:${own}`)}};`;
    })
    .replace(/\bexport default ([^;]*);\s*$/, 'module.exports={default:$1};');
  const { code } = await transform(named, { ...commonJs, platform: 'node', minify: true });
  if (/__esModule",|\w\(require\("\.\/[^"]*\.js"/.test(code)) {
    throw new Error(`${name} imports or exports in another way`);
  }
  return { file, text: `"./${file}/${name}"(exports,require,module){${code}}` };
}

/** require() of the parts; goes into patctl.cjs as it is written here. */
function part(id) {
  if (!id.endsWith('.js')) return require(id);
  if (!made[id]) {
    made[id] = { exports: {} };
    const make = first[id] ?? require(id.slice(0, id.lastIndexOf('/')))[id];
    make(made[id].exports, part, made[id]);
  }
  return made[id].exports;
}

function packagesOf(files) {
  const names = Object.keys(files).map(
    (file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1],
  );
  return [...new Set(names.filter(Boolean))].sort();
}
