/** Every ending of each way of a swap is in its table of docs/how-to.md: what is so then, and the way on. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const FOLDER = 'src/actions/swap';

/** Why a swap goes back: its ending is that of the way back. */
const REASONS = ['step_failed'];
/** What is compared, not thrown. */
const NOT_CODES = ['error', 'rest_refused', 'rest_no_member'];
/** Of the DCS. */
const OTHERS = ['unreachable'];

/** This file, and all that it imports from its folder. */
function filesOf(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  const imports = readFileSync(`${FOLDER}/${file}`, 'utf8').matchAll(/ from '\.\/([\w-]+)\.js'/g);
  for (const [, name = ''] of imports) filesOf(`${name}.ts`, found);
  return found;
}

function codesThrown(file: string): string[] {
  const texts = [...filesOf(file)].map((name) => readFileSync(`${FOLDER}/${name}`, 'utf8'));
  const found = texts.flatMap((text) => [
    ...[...text.matchAll(/\bcode: ([^,\n]*)/g)].flatMap(
      ([, code = '']) => code.match(/'\w+'/g) ?? [],
    ),
    ...(text.match(/'\w+_refused'/g) ?? []),
  ]);
  const codes = [...new Set(found.map((code) => code.slice(1, -1)))];
  return codes.filter((code) => ![...REASONS, ...NOT_CODES].includes(code));
}

/** Of the table whose first column is called so. */
function codesOf(head: string): string[] {
  const guide = readFileSync('docs/how-to.md', 'utf8');
  const [section = ''] = guide.split('## A standby cluster')[1]?.split('\n## ') ?? [];
  const tables = section.split('\n\n').filter((part) => part.startsWith('| '));
  const table = tables.find((part) => part.split('|')[1]?.trim() === head) ?? '';
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  return rows.flatMap((row) => row.split('|')[1]?.match(/\w+/g) ?? []);
}

test.each([
  ['code', 'swap-sites.ts', 15],
  ['code of `--from-lost`', 'from-lost.ts', 11],
  ['code of `--rejoin`', 'rejoin.ts', 10],
])('%s: each one that is thrown has a row, and each row one that is thrown', (head, file, many) => {
  const codes = codesOf(head);
  expect(codes.sort()).toEqual([...codesThrown(file), ...OTHERS].sort());
  expect(codes).toHaveLength(many);
});
