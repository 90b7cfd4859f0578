/** One description of a result's columns, every format out of it. */
import { jsonDump } from './json.js';
import { prettyTable } from './pretty.js';
import { oneLine, plain } from './text.js';
import { tsv } from './tsv.js';
import { pythonText, type Value } from './value.js';
import { yamlDump } from './write-yaml.js';

export const FORMATS = ['pretty', 'tsv', 'json', 'yaml', 'yml'] as const;
/** topology is pretty with a tree; it is a command, not something to ask -f for. */
export type Format = (typeof FORMATS)[number] | 'topology';
/** Formats that show text instead of values. */
export type TextFormat = 'pretty' | 'topology' | 'tsv';

/** undefined: nothing to say; json and yaml leave the key out. null stays null there. */
export type Cell = Value | undefined;

export interface Column<Row> {
  /** The name in json, yaml and tsv. */
  key: string;
  /** Over the column of a table, when it is not the key. */
  header?: string;
  align?: 'l' | 'r' | 'c';
  value(row: Row): Cell;
  /** The text in tables and tsv, when it is not simply the value. */
  text?(row: Row, format: TextFormat): string;
  /** Formats without this column. */
  omit?: readonly Format[];
}

export function isTable(format: Format): format is 'pretty' | 'topology' {
  return format === 'pretty' || format === 'topology';
}

export function isText(format: Format): format is TextFormat {
  return isTable(format) || format === 'tsv';
}

export interface RenderOptions {
  /** To the byte: YAML prints what turns text around as it is. */
  asPatronictl?: boolean;
}

/** The whole text of a result in one format; `title` goes into the first rule of a table. */
export function render<Row>(
  format: Format,
  title: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { asPatronictl = false }: RenderOptions = {},
): string {
  const shown = columns.filter((column) => !column.omit?.includes(format));
  if (format === 'json') return `[${jsonRecords(shown, rows).join(', ')}]\n`;
  // patronictl adds a line feed to the one that YAML ends with.
  if (format === 'yaml' || format === 'yml')
    return `${yamlDump(records(shown, rows), { asPyYaml: asPatronictl })}\n`;
  const cells = rows.map((row) => shown.map((column) => cellText(column, row, format)));
  if (format === 'tsv') {
    const whole = asPatronictl ? cells : cells.map((texts) => texts.map(inOneCell));
    return tsv([shown.map(({ key }) => key), ...whole]);
  }
  const heads = shown.map(({ key, header = key, align = 'l' }) => ({ header, align }));
  return `${prettyTable(heads, cells, { title: oneLine(title) })}\n`;
}

/** A name with a tab or a line feed would begin another cell or row, of whatever it says; patronictl lets it. */
function inOneCell(text: string): string {
  return text.replace(/[\t\n]/g, (char) => (char === '\t' ? '\\t' : '\\n'));
}

/** Each row as jsonDump would write its record; a fleet has thousands of rows, and the names of columns are the same. */
function jsonRecords<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const named = columns.map((column) => ({ column, name: `${jsonDump(column.key)}: ` }));
  return rows.map((row) => {
    let members = '';
    for (const { column, name } of named) {
      const value = column.value(row);
      if (value !== undefined) members += `${members && ', '}${name}${jsonDump(value)}`;
    }
    return `{${members}}`;
  });
}

function records<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): Value[] {
  return rows.map((row) => {
    const record = new Map<string, Value>();
    for (const column of columns) {
      const value = column.value(row);
      if (value !== undefined) record.set(column.key, value);
    }
    return record;
  });
}

/** The columns of a table with the text of each row, for what draws it otherwise. */
export function textColumns<Row>(
  format: 'pretty' | 'topology',
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): { header: string; align: 'l' | 'r'; texts: string[] }[] {
  return columns
    .filter((column) => !column.omit?.includes(format))
    .map((column) => ({
      header: column.header ?? column.key,
      align: column.align === 'r' ? 'r' : 'l',
      texts: rows.map((row) => cellText(column, row, format)),
    }));
}

function cellText<Row>(column: Column<Row>, row: Row, format: TextFormat): string {
  const value = column.text ? column.text(row, format) : column.value(row);
  if (value === undefined || value === null) return '';
  return plain(pythonText(value)).replace(/\t/g, format === 'tsv' ? '\t' : ' ');
}
