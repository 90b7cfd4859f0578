/** The members as they are shown before and after a change: patronictl's table, fitted to a terminal. */
import { listCompat, type ListCompatOptions } from './compat.js';
import { ruledTable } from './fit.js';
import { MEMBER_NARROWINGS, memberTable, type ListEntry } from './member-table.js';
import { textColumns } from './render.js';
import { fitted, type Screen } from './screen.js';
import { oneLine } from './text.js';

/** To the byte what patronictl prints where nothing has to fit, and for other formats than tables. */
export function membersOnScreen(
  entry: ListEntry,
  options: ListCompatOptions,
  screen: Screen,
): string {
  const { format } = options;
  if (screen.width === null || format !== 'pretty') return listCompat([entry], options);
  const { title, columns, rows, notes } = memberTable(entry, { ...options, lost: 'keep' });
  // patronictl calls two columns Lag, which only their place beside the positions tells apart.
  const named = columns.map(({ key, header = key, ...column }) => ({
    ...column,
    key,
    header: header === 'Lag' ? key : header,
  }));
  const texts = textColumns(format, named, rows);
  const table = ruledTable(oneLine(title), texts, MEMBER_NARROWINGS, screen);
  return table + fitted(notes.map((note) => `${note}\n`).join(''), screen);
}
