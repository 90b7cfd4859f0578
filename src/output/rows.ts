/** Rows of a query in every format, written as they come. */
import { plain } from './text.js';
import { jsonDump } from './json.js';
import { tableFor, type DrawnTable, type TableColumn } from './pretty.js';
import { pythonText, type Value } from './value.js';
import { yamlDump } from './write-yaml.js';

export const ROW_FORMATS = ['tsv', 'pretty', 'json', 'yaml', 'yml', 'csv'] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

/**
 * Text for the head, each row and the end. Only `pretty` keeps rows, up to a limit: it has to know how wide they are.
 */
export interface RowWriter {
  start(columns: readonly string[]): string;
  row(values: readonly Value[], texts: readonly (string | null)[]): string;
  end(): string;
}

export interface RowOptions {
  delimiter: string;
  /** The text goes to a terminal: escapes are taken out. */
  harmless: boolean;
  /** YAML to the byte. */
  asPatronictl: boolean;
}

export function rowWriter(format: RowFormat, options: RowOptions): RowWriter {
  switch (format) {
    case 'tsv':
      return tsvWriter(options);
    case 'csv':
      return csvWriter(options);
    case 'json':
      return recordWriter('[', ', ', ']\n', '[]\n', jsonDump);
    case 'yaml':
    case 'yml':
      return recordWriter('', '', '\n', '[]\n\n', (record) =>
        yamlDump([record], { asPyYaml: options.asPatronictl }),
      );
    case 'pretty':
      return tableWriter(options);
  }
}

function tsvWriter({ delimiter, harmless }: RowOptions): RowWriter {
  const line = (cells: readonly string[]): string => `${clean(cells.join(delimiter), harmless)}\n`;
  // Rows of no columns are empty lines, as patronictl prints them; there is no line of headers above.
  const start = (names: readonly string[]): string => (names.length === 0 ? '' : line(names));
  return { start, row: (values) => line(values.map(pythonText)), end: () => '' };
}

/** As RFC 4180 has it; nothing between two commas is null, "" is the empty text. */
function csvWriter({ delimiter, harmless }: RowOptions): RowWriter {
  const cell = (text: string | null): string => {
    if (text === null) return '';
    const quote = text === '' || /["\r\n]/.test(text) || text.includes(delimiter);
    return quote ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const line = (cells: readonly (string | null)[]): string =>
    `${clean(cells.map(cell).join(delimiter), harmless)}\n`;
  return { start: line, row: (_, texts) => line(texts), end: () => '' };
}

function recordWriter(
  open: string,
  between: string,
  close: string,
  none: string,
  dump: (record: Value) => string,
): RowWriter {
  let columns: readonly string[] = [];
  let count = 0;
  return {
    start: (names) => {
      columns = names;
      return '';
    },
    row: (values) => {
      const record = new Map(columns.map((name, at) => [name, values[at] ?? null]));
      return (count++ === 0 ? open : between) + dump(record);
    },
    end: () => (count === 0 ? none : close),
  };
}

/** This much text is kept to measure columns; a longer table continues with the widths measured by then. */
const MEASURED_CHARS = 8 * 1024 * 1024;

function tableWriter({ harmless }: RowOptions): RowWriter {
  let columns: TableColumn[] = [];
  let kept: string[][] = [];
  let keptChars = 0;
  let table: DrawnTable | null = null;
  const begin = (): string => {
    table = tableFor(columns, kept);
    const text = [table.top(''), ...kept.map(table.row)].join('\n');
    kept = [];
    return `${text}\n`;
  };
  return {
    start: (names) => {
      columns = names.map((name) => ({ header: clean(name, harmless) }));
      return '';
    },
    row: (values) => {
      const cells = values.map((value) => clean(pythonText(value), harmless));
      if (table) return `${table.row(cells)}\n`;
      kept.push(cells);
      keptChars += cells.reduce((total, cell) => total + cell.length, 0);
      return keptChars < MEASURED_CHARS ? '' : begin();
    },
    end: () => {
      const rest = table ? '' : begin();
      return rest + (table?.bottom ?? []).map((line) => `${line}\n`).join('');
    },
  };
}

function clean(text: string, harmless: boolean): string {
  return harmless ? plain(text) : text;
}
