/** Every cluster of the namespace, one row each, worst first. Pure. */
import { bytes } from '../bytes.js';
import { fold, NO_COMMAND } from '../screen.js';
import { oneLine } from '../text.js';
import { around } from './scroll.js';
import type { Sheet } from './sheet.js';
import type { FleetRow } from './fleet-row.js';
import { chosenRow, listedRows, type TopState } from './state.js';
import { tableLines, type TopColumn } from './table.js';

export function fleetPage({ fleet }: TopState, sheet: Sheet): string[] {
  if (fleet === null) return [];
  const { width, height, paint, nowMs } = sheet;
  const trouble =
    fleet.trouble === null
      ? []
      : fold(`CANNOT BE READ ${oneLine(fleet.trouble.reason)}`, { width, command: NO_COMMAND }).map(
          (line) => paint('critical', line),
        );
  if (fleet.rows.length === 0) {
    const none = fleet.count === 0 ? 'the DCS has no cluster' : 'reading …';
    return [...trouble, ...(fleet.trouble ? [] : [none])];
  }
  const listed = listedRows(fleet);
  const chosen = chosenRow(fleet);
  const at = listed.findIndex((row) => row === chosen);
  const room = Math.max(height - trouble.length - 2, 1);
  const from =
    around(
      listed.map((_, y) => String(y)),
      at,
      room,
    )[0] ?? '0';
  // Only what is to be seen is drawn: there may be thousands.
  const shown = listed.slice(Number(from), Number(from) + room);
  const { head, lines } = tableLines(columns(nowMs), shown, { width: width - 2, paint });
  const body = lines.map((line, y) => {
    const row = shown[y];
    return row === chosen ? paint('chosen', `> ${line}`) : `  ${line}`;
  });
  const nothing = listed.length === 0 ? [`  no cluster matches /${oneLine(fleet.filter)}`] : [];
  return [
    ...trouble,
    countLine(fleet.rows, listed.length),
    paint('head', `  ${head}`),
    ...body,
    ...nothing,
  ];
}

function countLine(rows: readonly FleetRow[], listed: number): string {
  const counts = new Map<string, number>();
  for (const { severity } of rows) counts.set(severity, (counts.get(severity) ?? 0) + 1);
  const words = [...counts].map(([severity, count]) => `${count} ${severity}`);
  return `${words.join(', ')}${listed === rows.length ? '' : `; ${listed} of ${rows.length} match`}`;
}

/** A row whose reading is older than this says so. */
const STALE_MS = 15_000;

function columns(nowMs: number): TopColumn<FleetRow>[] {
  return [
    { header: 'Cluster', text: ({ name }) => name, leave: 0 },
    {
      header: 'State',
      text: ({ severity }) => severity.toUpperCase(),
      tone: ({ severity }) => severity,
      leave: 0,
    },
    { header: 'Leader', text: ({ leader }) => leader ?? 'none', leave: 2 },
    { header: 'TL', align: 'r', text: ({ timeline }) => String(timeline ?? ''), leave: 6 },
    {
      header: 'Answer',
      align: 'r',
      text: ({ answered, members }) => `${answered}/${members}`,
      leave: 3,
    },
    {
      header: 'Stream',
      align: 'r',
      text: ({ streaming, replicas }) => `${streaming}/${replicas}`,
      leave: 4,
    },
    {
      header: 'Lag',
      align: 'r',
      text: ({ lagBytes, replicas }) => bytes(lagBytes) || (replicas === 0 ? '' : '?'),
      leave: 5,
    },
    {
      header: 'Pause',
      text: ({ paused }) => (paused === null ? '?' : paused ? 'paused' : ''),
      leave: 7,
    },
    {
      header: 'Read',
      align: 'r',
      text: ({ atMs }) =>
        nowMs - atMs > STALE_MS ? `${Math.round((nowMs - atMs) / 1000)} s ago` : '',
      leave: 8,
    },
    { header: 'Worst', text: ({ said }) => said, leave: 0, fills: true },
  ];
}
