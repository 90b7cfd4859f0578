// `npm test -- matrix [NAME…]`: the core on every named combination of versions (without a name: on all),
// and a table of how it went. Every row that ran replaces its own in docs/compatibility.md.
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
  // A failure is a row of the table: the table is printed anyway.
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
  keep(rows);
  return { passed: result.numPassedTests, failed: result.numFailedTests };
}

/** One row for each combination, in the order in which they ran. */
function rowsOf(tests) {
  const rows = new Map();
  for (const { ancestorTitles, title, status, duration } of tests) {
    // vitest puts a text that it fills in into quotation marks.
    const name = ancestorTitles[0].replaceAll("'", '');
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

const HEAD = ['combination', 'passed', 'failed', 'seconds', 'run on'];

function table(rows) {
  const all = [HEAD, ...rows.map(cellsOf)];
  const widths = HEAD.map((_, at) => Math.max(...all.map((cells) => cells[at].length)));
  const line = (cells) => `| ${cells.map((cell, at) => cell.padEnd(widths[at])).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(HEAD), rule, ...all.slice(1).map(line)].join('\n');
}

function cellsOf({ name, passed, failed, ms, failures, date = today() }) {
  const failing = failed === 0 ? '0' : `${failed}: ${failures.join('; ')}`;
  return [name, String(passed), failing, (ms / 1000).toFixed(0), date];
}

const today = () => new Date().toISOString().slice(0, 10);

/** Puts rows into the page, each in the place of the one with its name; the others stay as they are. */
function keep(rows) {
  const page = readFileSync(PAGE, 'utf8');
  const begin = page.indexOf(BEGIN) + BEGIN.length;
  const end = page.indexOf(END);
  const kept = rowsOnPage(page.slice(begin, end));
  for (const row of rows) kept.set(row.name, row);
  const written = table([...kept.values()]);
  writeFileSync(PAGE, `${page.slice(0, begin)}\n\n${written}\n\n${page.slice(end)}`);
  step('format', bin('prettier'), ['-w', '--log-level', 'warn', PAGE]);
}

function rowsOnPage(text) {
  const lines = text.split('\n').filter((line) => line.startsWith('| '));
  const cells = lines.slice(2).map((line) => line.split('|').map((cell) => cell.trim()));
  return new Map(
    cells.map(([, name, passed, failing, seconds, date]) => {
      const [failed, failures] = failing.split(': ');
      const names = failures === undefined ? [] : failures.split('; ');
      const ms = Number(seconds) * 1000;
      return [name, { name, passed, failed: Number(failed), failures: names, ms, date }];
    }),
  );
}
