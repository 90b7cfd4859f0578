/** Tables as PrettyTable 3.6 draws them for patronictl: the title woven into the first rule. */
import { displayWidth } from './width.js';

export interface TableColumn {
  header: string;
  align?: 'l' | 'r' | 'c';
}

/** The table without a line feed at its end. Cells of several lines get a rule below every row. */
export function prettyTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  options: { title?: string } = {},
): string {
  const cells = rows.map((row) => columns.map((_, i) => (row[i] ?? '').split('\n')));
  const widths = columns.map(({ header }, i) =>
    Math.max(displayWidth(header), ...cells.flatMap((row) => (row[i] ?? []).map(displayWidth))),
  );
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const line = (texts: readonly string[]): string =>
    `|${columns
      .map(({ align = 'l' }, i) => ` ${justify(texts[i] ?? '', widths[i] ?? 0, align)} |`)
      .join('')}`;

  const ruled = cells.some((row) => row.some((lines) => lines.length > 1));
  const body = cells.flatMap((row) => {
    const height = Math.max(1, ...row.map((lines) => lines.length));
    const lines = Array.from({ length: height }, (_, y) => line(row.map((cell) => cell[y] ?? '')));
    return ruled ? [...lines, rule] : lines;
  });
  return [
    withTitle(rule, options.title ?? ''),
    line(columns.map(({ header }) => header)),
    rule,
    ...body,
    ...(ruled ? [] : [rule]),
  ].join('\n');
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
