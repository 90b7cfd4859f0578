// `npm test -- matrix [NAME…]`: the core on every named combination of versions (without a name: on all),
// and a table of how it went. The whole table is kept in docs/compatibility.md.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { bin, root, step } from './steps.mjs';

const PAGE = path.join(root, 'docs/compatibility.md');
const BEGIN = '<!-- the table, written by npm test -- matrix -->';
const END = '<!-- the end of the table -->';

/** Runs the combinations and returns how many tests passed and failed. */
export function matrix(names) {
  const report = path.join(root, 'dist/tests-matrix.json');
  rmSync(report, { force: true });
  const wanted = names.length > 0 ? names.join(',') : 'all';
  // A failure is a row of the table: the table is printed all the same.
  spawnSync(
    process.execPath,
    [
      path.join(root, 'node_modules/vitest/vitest.mjs'),
      ...['run', '-c', '.config/vitest.config.ts', '--project', 'live'],
      'test/cluster/matrix.live.test.ts',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    { cwd: root, stdio: 'inherit', env: { ...process.env, PATCTL_MATRIX: wanted } },
  );
  const result = JSON.parse(readFileSync(report, 'utf8'));
  const rows = rowsOf(result.testResults.flatMap(({ assertionResults }) => assertionResults));
  console.log(`\n${table(rows)}\n`);
  if (wanted === 'all') keep(rows);
  return { passed: result.numPassedTests, failed: result.numFailedTests };
}

/** One row for each combination, in the order in which they ran. */
function rowsOf(tests) {
  const rows = new Map();
  for (const { ancestorTitles, title, status, duration } of tests) {
    const name = ancestorTitles[0];
    const row = rows.get(name) ?? { name, passed: 0, failed: 0, ms: 0, failures: [] };
    rows.set(name, row);
    row.ms += duration ?? 0;
    if (status === 'passed') row.passed += 1;
    if (status === 'failed') {
      row.failed += 1;
      row.failures.push(title);
    }
  }
  return [...rows.values()];
}

function table(rows) {
  const lines = rows.map(({ name, passed, failed, ms, failures }) => [
    name,
    String(passed),
    failed === 0 ? '0' : `${failed}: ${failures.join('; ')}`,
    (ms / 1000).toFixed(0),
  ]);
  const all = [['combination', 'passed', 'failed', 'seconds'], ...lines];
  const widths = [0, 1, 2, 3].map((at) => Math.max(...all.map((cells) => cells[at].length)));
  const line = (cells) => `| ${cells.map((cell, at) => cell.padEnd(widths[at])).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(all[0]), rule, ...lines.map(line)].join('\n');
}

function keep(rows) {
  const page = readFileSync(PAGE, 'utf8');
  const before = page.slice(0, page.indexOf(BEGIN) + BEGIN.length);
  const after = page.slice(page.indexOf(END));
  const date = new Date().toISOString().slice(0, 10);
  const seconds = rows.reduce((sum, { ms }) => sum + ms / 1000, 0).toFixed(0);
  const about = `Run on ${date}, ${rows.length} combinations, ${seconds} s in all.`;
  writeFileSync(PAGE, `${before}\n\n${about}\n\n${table(rows)}\n\n${after}`);
  step('format', bin('prettier'), ['-w', '--log-level', 'warn', PAGE]);
}
