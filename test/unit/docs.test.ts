/** The documents that repeat what the code says are kept equal to it. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ENDINGS } from '../../src/errors.js';
import { runFake } from '../support/fake-world.js';

const doc = (name: string): string =>
  readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

test('docs/exit-codes.md has the table of src/errors.ts', () => {
  const rows = doc('exit-codes.md')
    .split('\n')
    .filter((line) => /^\| \d/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  const documented = rows.map(([, exit, name, meaning, changed]) => [
    Number(exit),
    name,
    meaning,
    changed,
  ]);
  expect(documented).toEqual(
    Object.entries(ENDINGS).map(([name, { exit, meaning, changed }]) => [
      exit,
      name,
      meaning,
      changed,
    ]),
  );
});

test('--help prints the same table', async () => {
  const { out, code } = await runFake({ keys: {} }, ['--help']);
  expect(code).toBe(0);
  for (const [name, { exit, meaning }] of Object.entries(ENDINGS)) {
    expect(out).toContain(`${String(exit).padStart(3)}  ${name.padEnd(12)} ${meaning}`);
  }
});
