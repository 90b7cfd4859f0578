/** Tables as PrettyTable 3.6 draws them for patronictl: the title woven into the first rule. */
import { displayWidth } from './width.js';

export interface TableColumn {
  header: string;
  align?: 'l' | 'r' | 'c';
}

type Cells = readonly string[];

/** The table without a line feed at its end. Cells of several lines get a rule below every row. */
export function prettyTable(
  columns: readonly TableColumn[],
  rows: readonly Cells[],
  options: { title?: string } = {},
): string {
  const { top, row, bottom } = tableFor(columns, rows);
  return [top(options.title ?? ''), ...rows.map(row), ...bottom].join('\n');
}

/** How a table is drawn: its first three lines, one row, and the last line where there is one of its own. */
export interface DrawnTable {
  top: (title: string) => string;
  row: (cells: Cells) => string;
  bottom: string[];
}

/** Columns as wide as these rows want them; wider cells of others stand out. */
export function tableFor(columns: readonly TableColumn[], rows: readonly Cells[]): DrawnTable {
  const widths = columns.map(({ header }) => displayWidth(header));
  let ruled = false;
  // A loop: so many rows do not fit into the arguments of a call.
  for (const cells of rows) {
    for (const at of columns.keys()) {
      const lines = cellLines(cells[at]);
      ruled ||= lines.length > 1;
      for (const text of lines) widths[at] = Math.max(widths[at] ?? 0, displayWidth(text));
    }
  }
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const line = (texts: Cells): string =>
    `|${columns
      .map(({ align = 'l' }, i) => ` ${justify(texts[i] ?? '', widths[i] ?? 0, align)} |`)
      .join('')}`;
  const head = line(columns.map(({ header }) => header));
  return {
    top: (title) => [withTitle(rule, title), head, rule].join('\n'),
    row: (cells) => {
      const parts = columns.map((_, at) => cellLines(cells[at]));
      const height = Math.max(1, ...parts.map((lines) => lines.length));
      const lines = Array.from({ length: height }, (_, y) =>
        line(parts.map((part) => part[y] ?? '')),
      );
      return [...lines, ...(ruled ? [rule] : [])].join('\n');
    },
    bottom: ruled ? [] : [rule],
  };
}

/** Tabs reach to the next eighth column of their line, as Python's expandtabs() has it. */
function cellLines(cell = ''): string[] {
  const lines = cell.split('\n');
  if (!cell.includes('\t')) return lines;
  return lines.map((line) =>
    line.split('\t').reduce((text, part) => {
      const used = Array.from(text).length;
      return text + ' '.repeat(8 - (used % 8)) + part;
    }),
  );
}

function withTitle(rule: string, title: string): string {
  const chars = Array.from(title).slice(0, rule.length - 2);
  return rule.slice(0, 1) + chars.join('') + rule.slice(1 + chars.length);
}

function justify(text: string, width: number, align: 'l' | 'r' | 'c'): string {
  const own = displayWidth(text);
  const excess = Math.max(width - own, 0);
  if (align === 'l') return text + ' '.repeat(excess);
  if (align === 'r') return ' '.repeat(excess) + text;
  // An odd blank goes right of odd texts and left of even ones, as in Python's center().
  const left = own % 2 === 0 ? Math.ceil(excess / 2) : Math.floor(excess / 2);
  return ' '.repeat(left) + text + ' '.repeat(excess - left);
}
