/** Tables for people. Large listings use pretty.ts. */
import type Table from 'cli-table3';
import { openTable, type Narrowing } from './fit.js';
import type { Screen } from './screen.js';
import { oneLine } from './text.js';
import { displayWidth } from './width.js';

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

/** cli-table3 takes time quadratic in the rows, and much for each cell: a table of more rows is drawn here. */
const MOST_ROWS = 50;

/** How a table becomes narrower on a screen that has no room for it. */
export interface Fit {
  screen: Screen;
  narrowings: readonly Narrowing[];
}

/** Rows below a head, columns aligned, no rules. Cells are made harmless here. */
export async function grid(
  head: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
  rightAligned: readonly string[] = [],
  fit?: Fit,
): Promise<string> {
  const width = fit?.screen.width ?? null;
  if (fit && width !== null) {
    const columns = head.map((header, x) => ({
      header,
      align: rightAligned.includes(header) ? ('r' as const) : ('l' as const),
      texts: rows.map((row) => oneLine(String(row[x] ?? ''))),
    }));
    return openTable(columns, fit.narrowings, { ...fit.screen, width });
  }
  const clean = rows.map((row) => row.map((cell) => (cell === null ? '' : oneLine(String(cell)))));
  const isRight = head.map((name) => rightAligned.includes(name));
  const lines =
    clean.length > MOST_ROWS
      ? drawnLines([[...head], ...clean], isRight)
      : await libraryLines(head, clean, isRight);
  return lines.map((line) => `  ${line.trimEnd()}\n`).join('');
}

async function libraryLines(
  head: readonly string[],
  rows: readonly string[][],
  isRight: readonly boolean[],
): Promise<string[]> {
  const { default: TableOf } = await import('cli-table3');
  const table: Table.Table = new TableOf({
    head: [...head],
    chars: LINES,
    // Otherwise cli-table3 colours pipes too.
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: isRight.map((right) => (right ? 'right' : 'left')),
  });
  table.push(...rows);
  return table.toString().split('\n');
}

function drawnLines(rows: readonly string[][], isRight: readonly boolean[]): string[] {
  const widths = isRight.map((_, column) =>
    rows.reduce((most, row) => Math.max(most, displayWidth(row[column] ?? '')), 0),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const blank = ' '.repeat((widths[column] ?? 0) - displayWidth(cell));
        return isRight[column] === true ? blank + cell : cell + blank;
      })
      .join(LINES.middle),
  );
}
