/** The whole screen of `top`: a state and a size in, as many lines as the screen has out, none too long. Pure. */
import { cutTo, cells } from '../screen.js';
import { actionPage } from './action-page.js';
import { clusterPage } from './cluster-page.js';
import { fleetPage } from './fleet-page.js';
import { rowName } from './fleet-row.js';
import { helpPage } from './help-page.js';
import { memberPage } from './member-page.js';
import { footer } from './footer.js';
import type { Paint } from './paint.js';
import { utcTimeText, type Sheet } from './sheet.js';
import { shownPane, type TopState } from './state.js';
import { oneLine } from '../text.js';

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

const LEAST = { columns: 20, rows: 3 };

/** `most` is told how far a page that scrolls can be moved up. */
export function draw(
  state: TopState,
  size: ScreenSize,
  paint: Paint,
  nowMs: number,
  most?: Sheet['most'],
): string[] {
  const columns = Math.max(size.columns, LEAST.columns);
  const rows = Math.max(size.rows, LEAST.rows);
  const sheet: Sheet = { width: columns, height: rows - 2, paint, nowMs, ...(most && { most }) };
  const body = PAGES[state.page](state, sheet).slice(0, sheet.height);
  const blank = Array.from({ length: sheet.height - body.length }, () => '');
  return [titleLine(state, sheet), ...body, ...blank, footer(state, sheet)]
    .map((line) => cutTo(line, size.columns))
    .slice(0, size.rows);
}

const PAGES: Record<TopState['page'], (state: TopState, sheet: Sheet) => string[]> = {
  fleet: fleetPage,
  cluster: clusterPage,
  member: memberPage,
  action: actionPage,
  help: helpPage,
};

/** The clusters that Tab leads through, and the time. */
function titleLine(state: TopState, { width, paint, nowMs }: Sheet): string {
  const clock = `${utcTimeText(nowMs)} every ${state.everyMs / 1000} s`;
  const names = state.panes.map((pane) => oneLine(rowName(pane)));
  const shown = shownPane(state);
  const tabs = names.map((name, at) =>
    at === state.at ? paint('head', name) : paint('dim', name),
  );
  const title =
    shown === undefined
      ? paint('head', `All clusters (${state.fleet?.rows.length ?? 0})`)
      : names.length === 1
        ? paint('head', names[0] ?? '')
        : `${tabs.map((tab, at) => (at === state.at ? `[${tab}]` : ` ${tab} `)).join('')} ${state.at + 1} of ${names.length}`;
  const room = width - clock.length - 1;
  const begin = cutTo(title, room);
  return begin + ' '.repeat(Math.max(width - clock.length - cells(begin), 1)) + clock;
}
