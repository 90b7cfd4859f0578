// `npm test`: everything, with its own set-up. `npm test -- fast` stops before anything is installed
// on the machine or started; `npm test -- judge` lets Patroni's own code judge the votes, and does nothing else.
// `npm test -- matrix [NAME…]`: see matrix.mjs.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { matrix } from './matrix.mjs';
import { bin, installPackages, root, step } from './steps.mjs';

const [what, ...names] = process.argv.slice(2);
const onlyFast = what === 'fast';
const onlyJudge = what === 'judge';
const config = ['-c', '.config/vitest.config.ts'];
let passed = 0;
let failed = 0;

installPackages();
if (what === 'matrix') {
  step('build', process.execPath, ['.config/build.mjs']);
  const counted = matrix(names);
  console.log(`${counted.passed} passed, ${counted.failed} failed`);
  process.exit(counted.failed > 0 ? 1 : 0);
}
if (!onlyJudge) {
  step('build', process.execPath, ['.config/build.mjs']);
  step('format', bin('prettier'), ['--check', '--log-level', 'warn', '.']);
  step('types', bin('tsc'), ['-p', '.']);
  step('lint', bin('eslint'), ['-c', '.config/eslint.config.js', '.']);
  step('unused code', bin('knip'), ['-c', '.config/knip.json']);
  step('schemas', process.execPath, ['.config/schemas.mjs', '--check']);
  step('package', bin('publint'), ['--strict']);
  tier('fast');
}
if (!onlyFast) {
  if (process.env.CI && !onlyJudge) for (const major of [22, 24]) fastTierOn(major);
  step('lab set-up', bin('tsx'), ['test/support/setup.ts', 'all'], process.env);
  tier('judge');
  if (!onlyJudge) tier('live');
}
console.log(`\n${passed} passed, ${failed} failed`);

/** Runs one tier of vitest and adds up what it counted. */
function tier(name, node = process.execPath) {
  const report = path.join(root, `dist/tests-${name}.json`);
  rmSync(report, { force: true });
  step(`tests, ${name} tier${node === process.execPath ? '' : ` on ${node}`}`, node, [
    path.join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...config,
    '--project',
    name,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);
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
  tier('fast', binary);
}
