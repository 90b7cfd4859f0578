/** What a question with a list, or with a text that is checked, looks like while it is answered. Pure. */
import { fold, NO_COMMAND, upTo } from './screen.js';
import { visible } from './text.js';
import { displayWidth } from './width.js';

/** Something that can be chosen. All texts may come from outside: they are shown on one line, without controls. */
export interface MenuRow {
  /** What is answered. */
  readonly value: string;
  /** What stands first in the row, and what is typed to find it. */
  readonly name: string;
  /** Columns behind the name. On a narrow terminal the first ones move below the list. */
  readonly cells: readonly string[];
  /** Sentences that stand below the list while this row is pointed at. */
  readonly details: readonly string[];
}

export interface MenuState {
  /** What was typed. */
  readonly typed: string;
  /** The row pointed at, of those that match what was typed. */
  readonly at: number;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** One line, and how it is to be painted. */
export interface PaintedLine {
  readonly kind: 'row' | 'pointed' | 'detail' | 'problem' | 'help';
  readonly text: string;
}

const POINTER = '> ';
const BETWEEN = '  ';
/** A name is not cut shorter than this for the sake of a column. */
const LEAST_NAME = 8;
const MOST_DETAIL_LINES = 4;

/** Rows that match what was typed: the very name first, then names that begin with it, then those that contain it. */
export function matching(rows: readonly MenuRow[], typed: string): MenuRow[] {
  const wanted = typed.trim().toLowerCase();
  if (wanted === '') return [...rows];
  const rank = ({ name }: MenuRow): number => {
    const shown = shownName(name).toLowerCase();
    if (shownName(name) === typed.trim()) return 0;
    if (shown === wanted) return 1;
    if (shown.startsWith(wanted)) return 2;
    return shown.includes(wanted) ? 3 : 4;
  };
  return rows
    .map((row) => ({ row, rank: rank(row) }))
    .filter((one) => one.rank < 4)
    .sort((a, b) => a.rank - b.rank)
    .map(({ row }) => row);
}

/** Where the pointer begins: at the row whose value is `first`, or at the first one. */
export function pointerAt(rows: readonly MenuRow[], first: string | null): number {
  return Math.max(
    rows.findIndex(({ value }) => value === first),
    0,
  );
}

/** The lines below the question. They and the question take no more lines than the terminal has. */
export function menuLines(
  question: string,
  rows: readonly MenuRow[],
  { typed, at }: MenuState,
  { columns, rows: height }: Size,
): PaintedLine[] {
  const found = matching(rows, typed);
  const width = Math.max(columns - 1, 1);
  const head = linesOf(`? ${question} ${typed}`, columns);
  const pointed = found[at];
  if (pointed === undefined) {
    const problem = noMatch(rows, typed);
    return indented(problem, 'problem', width, Math.max(height - head - 1, 1));
  }
  const table = rowTexts(rows, width - POINTER.length);
  const room = height - head - 1;
  const details = indented(
    [...(table.moved.get(pointed) ?? []), ...pointed.details].map(shownName).join('; '),
    'detail',
    width,
    Math.min(MOST_DETAIL_LINES, Math.max(room - 3, 0)),
  );
  const help: PaintedLine[] = room > 3 ? [{ kind: 'help', text: helpText(width) }] : [];
  const least = room - details.length - help.length;
  const isPaged = found.length > least;
  const page = Math.max(isPaged ? least - 1 : least, 1);
  const from = Math.min(Math.max(at - Math.floor(page / 2), 0), Math.max(found.length - page, 0));
  const lines = found.slice(from, from + page).map((row, index): PaintedLine => {
    const isPointed = from + index === at;
    const text = (isPointed ? POINTER : '  ') + (table.texts.get(row) ?? '');
    return { kind: isPointed ? 'pointed' : 'row', text };
  });
  const count = `  ${from + 1} to ${from + lines.length} of ${found.length}`;
  const more: PaintedLine[] = isPaged && least > 1 ? [{ kind: 'help', text: count }] : [];
  return [...lines, ...more, ...details, ...help];
}

/** The rows for a terminal that does not move its cursor, with all that is known of each. */
export function plainRows(rows: readonly MenuRow[], width: number): string[] {
  const { texts, moved } = rowTexts(rows, Math.max(width - 3, 1));
  return rows.flatMap((row) => {
    const below = [...(moved.get(row) ?? []), ...row.details].map(shownName).join('; ');
    const lines = below === '' ? [] : fold(`    ${below}`, { width, command: NO_COMMAND });
    return [`  ${texts.get(row) ?? ''}`, ...lines];
  });
}

/** Why what was typed is not an answer. */
export function noMatch(rows: readonly MenuRow[], typed: string): string {
  const names = rows.map(({ name }) => shownName(name)).join(', ');
  return `"${shownName(typed)}" is not one of: ${names}`;
}

/** A name as it is shown: whatever a terminal would obey is written out. */
export function shownName(text: string): string {
  return visible(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

/** What a text that was typed comes to. */
export type Checked = { readonly problem: string } | { readonly understood: string };

/** The lines below a text that is checked: what it means, or what is wrong once Enter was pressed. */
export function checkedLines(
  { typed, checked, entered, example }: CheckedState,
  { columns, rows }: Size,
): PaintedLine[] {
  const width = Math.max(columns - 1, 1);
  const most = Math.max(rows - 3, 1);
  if (typed === '' && !entered) return indented(example, 'help', width, most);
  if ('understood' in checked) return indented(checked.understood, 'detail', width, most);
  const words = entered ? checked.problem : `not understood yet; ${example}`;
  return indented(words, entered ? 'problem' : 'help', width, most);
}

export interface CheckedState {
  readonly typed: string;
  readonly checked: Checked;
  /** Enter was pressed at this very text. */
  readonly entered: boolean;
  /** What can be typed. */
  readonly example: string;
}

/** The name and the columns of each row; `moved`: the columns that have no room in any row. */
function rowTexts(
  rows: readonly MenuRow[],
  width: number,
): { texts: Map<MenuRow, string>; moved: Map<MenuRow, string[]> } {
  const names = rows.map(({ name }) => shownName(name));
  const longest = Math.max(0, ...names.map(displayWidth));
  const count = Math.max(0, ...rows.map(({ cells }) => cells.length));
  const columns = Array.from({ length: count }, (_, x) => {
    return rows.map(({ cells }) => shownName(cells[x] ?? ''));
  });
  const widths = columns.map((texts) => Math.max(0, ...texts.map(displayWidth)));
  const taken = (from: number) =>
    widths.slice(from).reduce((sum, each) => sum + each + (each > 0 ? BETWEEN.length : 0), 0);
  let from = 0;
  while (from < count && Math.min(longest, LEAST_NAME) + taken(from) > width) from += 1;
  while (from < count - 2 && longest + taken(from) > width) from += 1;
  const room = Math.max(Math.min(longest, width - taken(from)), 1);
  const texts = new Map<MenuRow, string>();
  const moved = new Map<MenuRow, string[]>();
  for (const [y, row] of rows.entries()) {
    const name = names[y] ?? '';
    const isCut = displayWidth(name) > room;
    const cells = columns.map((column) => column[y] ?? '');
    const shown = cells
      .slice(from)
      .map((text, x) => padded(text, widths[from + x] ?? 0))
      .filter((text) => text !== '');
    const begin = padded(isCut ? `${upTo(name, room - 1)}~` : name, room);
    texts.set(row, [begin, ...shown].join(BETWEEN).trimEnd());
    moved.set(row, [...(isCut ? [name] : []), ...cells.slice(0, from).filter(Boolean)]);
  }
  return { texts, moved };
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(width - displayWidth(text), 0));
}

/** Lines that a text takes on the terminal. */
function linesOf(text: string, columns: number): number {
  return Math.floor(displayWidth(text) / Math.max(columns, 1)) + 1;
}

/** At most `most` lines, two columns in. */
function indented(
  text: string,
  kind: PaintedLine['kind'],
  width: number,
  most: number,
): PaintedLine[] {
  if (text === '' || most < 1) return [];
  const lines = fold(`  ${text}`, { width: Math.max(width - 1, 8), command: NO_COMMAND });
  const kept = lines.slice(0, most);
  if (lines.length > most) kept[most - 1] = `${upTo(kept[most - 1] ?? '', width - 2)}~`;
  return kept.map((line) => ({ kind, text: line }));
}

function helpText(width: number): string {
  const long = '  Up and Down point, Enter chooses, letters search, Esc ends';
  return displayWidth(long) <= width ? long : upTo('  Up, Down, Enter; Esc ends', width);
}
