/** Tables that fit the terminal: what a column does when there is no room for it, and how what is left is drawn. */
import { prettyTable, tableFor } from './pretty.js';
import { cells as widthOf, fitted, fold, type Screen } from './screen.js';
import { displayWidth } from './width.js';

export interface FitColumn {
  header: string;
  align?: 'l' | 'r';
  /** One text a row; a text may have several lines. */
  texts: readonly string[];
}

/** One thing that makes a table narrower, tried in their order until it fits. */
export type Narrowing =
  /** Columns that are left out. */
  | { drop: readonly string[] }
  /** Columns that go to lines of their own below each row. */
  | { below: readonly string[] }
  /** Headers of two words take two lines. */
  | 'headers';

/** What is drawn: these columns side by side, those below each row; or every column on a line of its own. */
export interface Layout {
  kind: 'table' | 'cards';
  shown: FitColumn[];
  below: FitColumn[];
  /** Headers in lines: 1 or 2. */
  headerLines: 1 | 2;
}

/** Cells between two columns, and at the two ends together. */
interface Frame {
  between: number;
  ends: number;
}

const RULED: Frame = { between: 3, ends: 4 };
const OPEN: Frame = { between: 2, ends: 2 };

/** The widest layout that fits: columns as they are, then narrowed step by step, then a card for each row. */
export function layoutOf(
  columns: readonly FitColumn[],
  narrowings: readonly Narrowing[],
  width: number | null,
  frame: Frame,
): Layout {
  let layout: Layout = { kind: 'table', shown: [...columns], below: [], headerLines: 1 };
  for (const narrowing of [null, ...narrowings]) {
    if (narrowing !== null) layout = narrowed(layout, narrowing);
    if (width === null || widthOfTable(layout, frame) <= width) return layout;
  }
  return { ...layout, kind: 'cards' };
}

function narrowed(layout: Layout, narrowing: Narrowing): Layout {
  if (narrowing === 'headers') return { ...layout, headerLines: 2 };
  const names = 'drop' in narrowing ? narrowing.drop : narrowing.below;
  const shown = layout.shown.filter(({ header }) => !names.includes(header));
  if ('drop' in narrowing) return { ...layout, shown };
  const moved = layout.shown.filter(({ header }) => names.includes(header));
  return { ...layout, shown, below: [...layout.below, ...moved] };
}

function widthOfTable({ shown, headerLines }: Layout, { between, ends }: Frame): number {
  const widths = shown.map(({ header, texts }) =>
    Math.max(
      ...headerOf(header, headerLines).map(displayWidth),
      ...texts.flatMap((text) => text.split('\n').map(displayWidth)),
    ),
  );
  return widths.reduce((sum, each) => sum + each, 0) + between * (widths.length - 1) + ends;
}

/** `Receive Lag` in two lines; more words share the second one. */
function headerOf(header: string, headerLines: 1 | 2): string[] {
  const at = header.indexOf(' ');
  return headerLines === 1 || at < 0 ? [header] : [header.slice(0, at), header.slice(at + 1)];
}

// ---------------------------------------------------------------- with rules

/** The table that `list` prints, its title in the first rule, or above where the rule is too short for it. */
export function ruledTable(
  title: string,
  columns: readonly FitColumn[],
  narrowings: readonly Narrowing[],
  screen: Screen,
): string {
  const { width } = screen;
  const layout = layoutOf(columns, narrowings, width, RULED);
  if (width === null) {
    return `${prettyTable(columns, rowsOf(columns), { title })}\n`;
  }
  if (layout.kind === 'cards') return fitted(`${title.trim()}\n`, screen) + cards(layout, screen);
  const heads = layout.shown.map(({ header, align = 'l' }) => ({
    header: '',
    align,
    lines: headerOf(header, layout.headerLines),
  }));
  const height = Math.max(...heads.map(({ lines }) => lines.length));
  // The rows of headers are measured with the others.
  const headRows = Array.from({ length: height }, (_, y) =>
    heads.map(({ lines }) => lines[y] ?? ''),
  );
  const rows = rowsOf(layout.shown);
  const drawn = tableFor(heads, [...headRows, ...rows]);
  const rule = drawn.top('').split('\n')[0] ?? '';
  const inner = rule.length - RULED.ends;
  const isRuled = drawn.bottom.length === 0;
  const body = rows.flatMap((row, at) => {
    const lines = drawn.row(row).split('\n');
    const under = belowLines(layout.below, at, { width: inner, command: screen.command }).map(
      (line) => `| ${line}${' '.repeat(Math.max(inner - widthOf(line), 0))} |`,
    );
    return isRuled ? [...lines.slice(0, -1), ...under, rule] : [...lines, ...under];
  });
  const hasRoom = displayWidth(title) <= rule.length - 2;
  const head = hasRoom
    ? [titled(rule, title)]
    : [...fitted(title.trim(), screen).split('\n'), rule];
  const heading = headRows.map((cells) => drawn.row(cells).split('\n')[0] ?? '');
  return [...head, ...heading, rule, ...body, ...(isRuled ? [] : [rule])]
    .map((line) => `${line}\n`)
    .join('');
}

function titled(rule: string, title: string): string {
  return rule.slice(0, 1) + title + rule.slice(1 + displayWidth(title));
}

function rowsOf(columns: readonly FitColumn[]): string[][] {
  const count = Math.max(0, ...columns.map(({ texts }) => texts.length));
  return Array.from({ length: count }, (_, at) => columns.map(({ texts }) => texts[at] ?? ''));
}

/** What stands below a row: `Header: text`, as many on a line as have room. */
function belowLines(
  below: readonly FitColumn[],
  at: number,
  space: { width: number; command: string },
): string[] {
  const said = below
    .map(({ header, texts }) => ({ header, text: (texts[at] ?? '').replaceAll('\n', ', ') }))
    .filter(({ text }) => text !== '')
    .map(({ header, text }) => `${header}: ${text}`);
  const lines: string[] = [];
  for (const each of said) {
    const last = lines.at(-1);
    const joined = `${last ?? ''}   ${each}`;
    if (last !== undefined && widthOf(joined) <= space.width) lines[lines.length - 1] = joined;
    else lines.push(`  ${each}`);
  }
  return lines.flatMap((line) => fold(line, space));
}

// ---------------------------------------------------------------- without rules

/** Rows below a head without rules, two columns in. */
export function openTable(
  columns: readonly FitColumn[],
  narrowings: readonly Narrowing[],
  screen: Screen & { width: number },
): string {
  const layout = layoutOf(columns, narrowings, screen.width, OPEN);
  if (layout.kind === 'cards') return cards(layout, screen);
  const heads = layout.shown.map(({ header }) => headerOf(header, layout.headerLines));
  const height = Math.max(...heads.map(({ length }) => length));
  const headRows = Array.from({ length: height }, (_, y) => heads.map((lines) => lines[y] ?? ''));
  const rows = rowsOf(layout.shown);
  const widths = layout.shown.map((_, x) =>
    Math.max(...[...headRows, ...rows].map((row) => displayWidth(row[x] ?? ''))),
  );
  const line = (row: readonly string[]) =>
    `  ${row
      .map((text, x) => {
        const blanks = ' '.repeat(Math.max((widths[x] ?? 0) - displayWidth(text), 0));
        return layout.shown[x]?.align === 'r' ? blanks + text : text + blanks;
      })
      .join('  ')}`.trimEnd();
  const space = { width: screen.width - 2, command: screen.command };
  const body = rows.flatMap((row, at) => [
    line(row),
    ...belowLines(layout.below, at, space).map((under) => `  ${under}`),
  ]);
  return [...headRows.map(line), ...body].map((each) => `${each}\n`).join('');
}

/** Where not even the least columns fit side by side: each row is its first text, and the others below it. */
function cards({ shown, below }: Layout, screen: Screen): string {
  const [first, ...others] = [...shown, ...below];
  if (first === undefined) return '';
  const lines = first.texts.flatMap((text, at) => [
    text,
    ...others
      .map(({ header, texts }) => ({ header, text: (texts[at] ?? '').replaceAll('\n', ', ') }))
      .filter((one) => one.text !== '')
      .map((one) => `  ${one.header}: ${one.text}`),
  ]);
  return fitted(lines.map((line) => `${line}\n`).join(''), screen);
}
