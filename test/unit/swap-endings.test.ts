/** Every ending of a swap is in the tables of docs/how-to.md: what is so then, and the way on. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const FOLDER = 'src/actions/swap';

/** Why a swap goes back: its ending is that of the way back. */
const REASONS = ['step_failed'];
/** What is compared, not thrown. */
const NOT_CODES = ['error', 'rest_refused'];

function codesThrown(): string[] {
  const texts = readdirSync(FOLDER).map((name) => readFileSync(`${FOLDER}/${name}`, 'utf8'));
  const found = texts.flatMap((text) => [
    ...[...text.matchAll(/\bcode: ([^,\n]*)/g)].flatMap(
      ([, code = '']) => code.match(/'\w+'/g) ?? [],
    ),
    ...(text.match(/'\w+_refused'/g) ?? []),
  ]);
  return [...new Set(found.map((code) => code.slice(1, -1)))].sort();
}

test('each code that is thrown has a row, and each row a code', () => {
  const guide = readFileSync('docs/how-to.md', 'utf8');
  const [section = ''] = guide.split('## A standby cluster')[1]?.split('\n## ') ?? [];
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  const codes = rows.flatMap((row) => row.split('|')[1]?.match(/\w+/g) ?? []);
  const thrown = codesThrown().filter((code) => ![...REASONS, ...NOT_CODES].includes(code));
  expect(thrown.length).toBeGreaterThan(20);
  expect(thrown.filter((code) => !codes.includes(code))).toEqual([]);
  // Of the DCS.
  const others = ['unreachable'];
  expect(codes.filter((code) => !thrown.includes(code) && !others.includes(code))).toEqual([]);
});
