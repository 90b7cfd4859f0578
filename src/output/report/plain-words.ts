/** Times, sizes and names as the page writes them. */
import { durationText } from '../../cluster/findings/evidence.js';
import type { SeenOutage } from '../../cluster/report/report-model.js';
import { displayWidth } from '../width.js';

/** `2026-11-28 15:14:12 UTC` */
export function timeText(ms: number): string {
  if (!(Math.abs(ms) <= MOST_MS)) return 'at an unknown time';
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** Of a Date. */
const MOST_MS = 8.64e15;

/** 43,200 */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Axis labels of a time: the date below it where a day begins, and at the first one. */
export function tickText(spanMs: number): (date: Date, at: number) => string {
  const seconds = spanMs < 5 * 60_000;
  return (date, at) => {
    const iso = date.toISOString();
    const time = iso.slice(11, seconds ? 19 : 16);
    const isNewDay = time.startsWith('00:00') && (!seconds || time.endsWith(':00'));
    return at === 0 || isNewDay ? `${time}\n${iso.slice(0, 10)}` : time;
  };
}

/** `between 1.2 s and 5.3 s` */
export function outageLength({ atLeastMs, atMostMs }: SeenOutage): string {
  if (atMostMs === null) return `at least ${shortTime(atLeastMs)}`;
  if (atLeastMs === 0) return `at most ${shortTime(atMostMs)}`;
  return `between ${shortTime(atLeastMs)} and ${shortTime(atMostMs)}`;
}

/** `4.2 s`, `2 min 10 s`, `3 h 5 min`; days as elsewhere. */
export function shortTime(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120 || seconds >= 172_800) return durationText(ms);
  const [large, small, size] = seconds < 7200 ? ['min', 's', 60] : ['h', 'min', 3600];
  const rest = Math.floor((seconds % size) / (size / 60));
  return `${Math.floor(seconds / size)} ${large}${rest === 0 ? '' : ` ${rest} ${small}`}`;
}

/** The text in at most so many columns, with its end cut off: also where it is marks without a width. */
export function shortened(text: string, columns: number): string {
  if (text.length <= columns && displayWidth(text) <= columns) return text;
  let kept = '';
  let width = 1;
  for (const char of text) {
    width += displayWidth(char);
    if (width > columns || kept.length > MOST_IN_COLUMN * columns) break;
    kept += char;
  }
  return `${kept}…`;
}

/** Letters with their marks and surrogates have fewer. */
const MOST_IN_COLUMN = 8;

/** Where a whole text has room, its length is limited anyway. */
export function limited(text: string): string {
  return text.length <= MOST_CHARACTERS
    ? text
    : `${shortened(text, MOST_CHARACTERS)} (${countText(text.length)} characters)`;
}

const MOST_CHARACTERS = 400;
