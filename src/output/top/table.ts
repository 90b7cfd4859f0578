/** Rows of a screen of fixed width: columns are left out, then the first one is cut, so that no line is too long. */
import { cutTo } from '../screen.js';
import { oneLine } from '../text.js';
import { displayWidth } from '../width.js';
import type { Paint, Tone } from './paint.js';

export interface TopColumn<Row> {
  header: string;
  align?: 'r';
  text: (row: Row) => string;
  tone?: (row: Row) => Tone | null;
  /** Where there is no room, columns go in this order, the highest first; 0: never. */
  leave: number;
  /** It takes the room that the others leave, and is cut there. */
  fills?: boolean;
}

const BETWEEN = '  ';
/** The first column is not cut shorter than this. */
const LEAST_FIRST = 8;
/** A column that fills the line has at least so many cells, if its texts need them. */
const LEAST_FILLING = 24;

/** The head and one line a row, each at most `width` cells, without the pointer. */
export function tableLines<Row>(
  columns: readonly TopColumn<Row>[],
  rows: readonly Row[],
  { width, paint }: { width: number; paint: Paint },
): { head: string; lines: string[] } {
  const all = columns.map((column) => {
    const texts = rows.map((row) => oneLine(column.text(row)));
    const whole = Math.max(displayWidth(column.header), ...texts.map(displayWidth));
    return {
      column,
      texts,
      whole,
      width: column.fills === true ? Math.min(whole, LEAST_FILLING) : whole,
    };
  });
  let shown = all;
  while (widthOf(shown) > width) {
    const least = Math.max(...shown.map(({ column }) => column.leave));
    if (least === 0) break;
    shown = shown.filter(({ column }) => column.leave !== least);
  }
  const left = width - widthOf(shown);
  shown = shown.map((one, x) => {
    if (left >= 0)
      return one.column.fills === true ? resized(one, Math.min(one.width + left, one.whole)) : one;
    return x === 0 ? resized(one, Math.max(one.width + left, LEAST_FIRST)) : one;
  });
  const line = (texts: readonly string[], tones: readonly (Tone | null)[]): string =>
    texts
      .map((text, x) => {
        const column = shown[x];
        const padded = pad(text, column?.width ?? 0, column?.column.align);
        const tone = tones[x] ?? null;
        return tone === null ? padded : paint(tone, padded);
      })
      .join(BETWEEN);
  return {
    head: line(
      shown.map(({ column }) => column.header),
      [],
    ),
    lines: rows.map((row, y) =>
      line(
        shown.map(({ texts }) => texts[y] ?? ''),
        shown.map(({ column }) => column.tone?.(row) ?? null),
      ),
    ),
  };
}

function resized<T extends { texts: string[]; width: number }>(one: T, width: number): T {
  return { ...one, width, texts: one.texts.map((text) => cutTo(text, width)) };
}

function widthOf(columns: readonly { width: number }[]): number {
  return columns.reduce((sum, { width }) => sum + width, BETWEEN.length * (columns.length - 1));
}

function pad(text: string, width: number, align?: 'r'): string {
  const blanks = ' '.repeat(Math.max(width - displayWidth(text), 0));
  return align === 'r' ? blanks + text : text + blanks;
}
