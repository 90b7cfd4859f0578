// `npm test`: everything, with its own set-up. `npm test -- fast` stops before anything is installed
// on the machine or started; `npm test -- judge` only has very many clusters judged by others;
// `npm test -- kubernetes` runs that tier alone, `npm test -- chaos` the five minutes of chaos;
// `npm test -- matrix [NAME…]`: see matrix.mjs.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { matrix } from './matrix.mjs';
import { staticChecks } from './checks.mjs';
import { bin, installPackages, root, sideBySide, step } from './steps.mjs';

const [what, ...names] = process.argv.slice(2);
const onlyFast = what === 'fast';
const onlyJudge = what === 'judge';
const onlyKubernetes = what === 'kubernetes';
const onlyChaos = what === 'chaos';
const config = ['-c', '.config/vitest.config.ts'];
/** Live tests that run on the executable alone: many runs of the program, of which bundling may break each. */
const ON_EXECUTABLE = ['differential', 'prompts', 'top'];
let passed = 0;
let failed = 0;

if (what !== undefined && !['fast', 'judge', 'kubernetes', 'chaos', 'matrix'].includes(what)) {
  console.error(
    `npm test -- ${what}: it knows fast, judge, kubernetes, chaos and matrix; without a word it runs all`,
  );
  process.exit(2);
}
installPackages();
if (what === 'matrix') {
  step('build', process.execPath, ['.config/build.mjs']);
  const counted = matrix(names);
  console.log(`${counted.passed} passed, ${counted.failed} failed`);
  process.exit(counted.failed > 0 ? 1 : 0);
}
if (onlyKubernetes) {
  step('build', process.execPath, ['.config/build.mjs']);
  kubernetesTier();
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exit(0);
}
if (onlyChaos) {
  step('build', process.execPath, ['.config/build.mjs']);
  step('lab set-up', bin('tsx'), ['test/support/setup.ts', 'all'], process.env);
  tier('chaos');
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exit(0);
}
if (!onlyJudge) {
  step('build', process.execPath, ['.config/build.mjs']);
  await sideBySide(staticChecks());
  tier('fast');
}
if (!onlyFast) {
  // The oldest Node is this one in CI; 22 is in the executable.
  if (process.env.CI && !onlyJudge) fastTierOn(24);
  step('lab set-up', bin('tsx'), ['test/support/setup.ts', 'all'], process.env);
  tier('judge');
  if (!onlyJudge) {
    tier('live', { except: ON_EXECUTABLE });
    // Alone on the machine: its judge has to be quicker than what it judges.
    tier('chaos');
    kubernetesTier();
    // The registries may want a certificate of NODE_EXTRA_CA_CERTS: here the environment stays as it is.
    step('packages', bin('tsx'), ['.config/package.ts', '--quick'], process.env);
    onExecutable();
  }
}
console.log(`\n${passed} passed, ${failed} failed`);

/**
 * The tier that needs a kube-apiserver. Without one, and without Go to build it, it is left out with a line; it must
 * run in CI and where it was asked for. Root gives it a network namespace in which Pods' addresses exist.
 */
function kubernetesTier() {
  const required = onlyKubernetes || process.env.CI;
  const how = required ? [] : ['--if-possible'];
  step('kube-apiserver', bin('tsx'), ['test/support/kube-apiserver.ts', ...how], process.env);
  const cache =
    process.env.PATCTL_LAB_CACHE ??
    (process.getuid() === 0
      ? '/var/cache/patctl-lab'
      : path.join(process.env.HOME ?? '/', '.cache/patctl-lab'));
  const built =
    existsSync(cache) && readdirSync(cache).some((name) => name.startsWith('kube-apiserver-'));
  if (!built)
    return console.log(
      '== tests, kubernetes tier: left out, neither kube-apiserver nor Go is here',
    );
  if (process.getuid() !== 0 || spawnSync('unshare', ['-n', 'true']).status !== 0)
    return tier('kubernetes');
  const addresses = Array.from(
    { length: 9 },
    (_, at) => `ip addr add 10.244.0.${at + 1}/32 dev lo`,
  );
  const script = ['ip link set lo up', ...addresses, 'exec "$@"'].join(' && ');
  tier('kubernetes', { before: ['unshare', '-n', 'sh', '-c', script, 'sh'] });
}

/** The single executable in the place of bin/patctl.cjs: the fast tier once more, and the live tests that use it. */
function onExecutable() {
  const program = path.join(root, `dist/package/patctl-linux-${process.arch}`);
  const env = { PATCTL_PROGRAM: program };
  tier('fast', { title: 'fast tier on the executable', env });
  const filters = [...ON_EXECUTABLE, 'pipes', 'packages'].map(liveFile);
  tier('live', { title: 'live differential suite on the executable', env, filters });
}

function liveFile(name) {
  return `test/cluster/${name}.live.test.ts`;
}

/** Runs one tier of vitest, or the files of it that are named, or all `except` some; adds up what it counted. */
function tier(
  name,
  {
    node = process.execPath,
    title = `${name} tier`,
    env = {},
    filters = [],
    except = [],
    before = [],
  } = {},
) {
  const report = path.join(root, `dist/tests-${name}.json`);
  rmSync(report, { force: true });
  const args = [
    path.join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...config,
    '--project',
    name,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...except.flatMap((file) => ['--exclude', liveFile(file)]),
    ...filters,
  ];
  const where = node === process.execPath ? '' : ` on ${node}`;
  const [command, ...words] = [...before, node, ...args];
  step(`tests, ${title}${where}`, command, words, { PATCTL_BUILT: '1', ...env });
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'));
  passed += numPassedTests;
  failed += numFailedTests;
}

/** The fast tier on another Node, whose binary the npm registry brings. */
function fastTierOn(major) {
  const folder = path.join(root, `node_modules/.cache/node-${major}`);
  const binary = path.join(
    folder,
    `node_modules/node-${process.platform}-${process.arch}/bin/node`,
  );
  if (!existsSync(binary)) {
    const name = `node-${process.platform}-${process.arch}@${major}`;
    step(`Node ${major}`, 'npm', ['install', '--no-save', '--prefix', folder, name], process.env);
  }
  tier('fast', { node: binary });
}
