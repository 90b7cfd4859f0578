/** Small tables for people, drawn by cli-table3. Large listings use pretty.ts, which is linear. */
import type Table from 'cli-table3';
import { oneLine } from './text.js';

const LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** Rows below a head, columns aligned, no rules. Cells are made harmless here. */
export async function grid(
  head: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
  rightAligned: readonly string[] = [],
): Promise<string> {
  const { default: TableOf } = await import('cli-table3');
  const table: Table.Table = new TableOf({
    head: [...head],
    chars: LINES,
    // Otherwise cli-table3 colours pipes too.
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((name) => (rightAligned.includes(name) ? 'right' : 'left')),
  });
  for (const row of rows)
    table.push(row.map((cell) => (cell === null ? '' : oneLine(String(cell)))));
  return table
    .toString()
    .split('\n')
    .map((line) => `  ${line.trimEnd()}\n`)
    .join('');
}
