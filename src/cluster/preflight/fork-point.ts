/** Where the WAL of a member leaves that of another site, by the histories of both. Pure. */
import type { Lsn } from '../model/lsn.js';
import type { HistoryLine } from '../model/model.js';

/** What one server, or one site, has written. */
export interface WalBranch {
  /** Where its earlier timelines ended; null: not known. */
  history: readonly HistoryLine[] | null;
  timeline: number | null;
  position: Lsn | null;
}

/**
 * follows: everything it has is a part of what the other has. diverged: it has WAL of its own from `lsn` on, and
 * `aheadBytes` of it, where that is known. `own`: it began a timeline of its own since, by leading again. Patroni and
 * pg_rewind take two timelines of one number for one, and a standby would stream WAL of the other; where its own number
 * is higher, Patroni 4.1.5 was seen not to rewind it, neither running nor at its next start.
 */
export type Fork =
  | { kind: 'follows'; timeline: number }
  | { kind: 'diverged'; timeline: number; lsn: Lsn; aheadBytes: number | null; own: boolean }
  | { kind: 'unknown'; because: string };

/**
 * `mine` is held against `main`, which goes on. The first timeline that ended elsewhere in `main` is where both part:
 * a timeline has one end only, and two sites may give the same number to their next one.
 */
export function forkOf(mine: WalBranch, main: WalBranch): Fork {
  const { timeline, position } = mine;
  if (timeline === null || position === null) return unknown('its timeline or position is unknown');
  if (main.timeline === null) return unknown('the timeline of the new primary is unknown');
  if (main.history === null) return unknown('/history of the new site is unknown');
  const first = firstKnown(main.history, main.timeline);
  for (let number = Math.min(first, timeline); number <= timeline; number += 1) {
    const end = endOf(main.history, number);
    if (number === timeline) return onTimeline(number, position, end, main);
    const own = endOf(mine.history ?? [], number);
    if (own !== null && own === end && isPromotedTwice(mine.history, main.history, number))
      return diverged(number, own, position, true);
    if (end === null && number < main.timeline)
      return unknown(`/history of the new site does not show where timeline ${number} ended`);
    if (own === null) return unknown(`its history does not show where timeline ${number} ended`);
    if (end === null) return diverged(number, own, position, true);
    // The next timelines of both have one number, and are two.
    if (own !== end) return diverged(number, own < end ? own : end, position, true);
  }
  return unknown('its history is unknown');
}

function onTimeline(number: number, position: Lsn, end: Lsn | null, main: WalBranch): Fork {
  if (end === null && number !== main.timeline)
    return number > (main.timeline ?? 0)
      ? unknown(`it is on timeline ${number}, which the new site has not`)
      : unknown(`/history of the new site does not show where timeline ${number} ended`);
  // Its own position was read earlier than that of a primary which writes on.
  if (end === null || position <= end) return { kind: 'follows', timeline: number };
  return diverged(number, end, position, false);
}

function diverged(timeline: number, lsn: Lsn, position: Lsn, own: boolean): Fork {
  const aheadBytes = position > lsn ? Number(position - lsn) : null;
  return { kind: 'diverged', timeline, lsn, aheadBytes, own };
}

const unknown = (because: string): Fork => ({ kind: 'unknown', because });

function endOf(history: readonly HistoryLine[], timeline: number): Lsn | null {
  return history.find((line) => line.timeline === timeline)?.lsn ?? null;
}

/**
 * Two promotions at one position, as after a clean stop or where everything was received. Patroni puts a time only into
 * the line of a promotion of its own site: a site that followed has none there, and a copy has the same.
 */
function isPromotedTwice(
  mine: readonly HistoryLine[] | null,
  main: readonly HistoryLine[],
  timeline: number,
): boolean {
  const timeIn = (lines: readonly HistoryLine[]): string | null =>
    lines.find((line) => line.timeline === timeline)?.timestamp ?? null;
  const [one, other] = [timeIn(mine ?? []), timeIn(main)];
  return one !== null && other !== null && one !== other;
}

/** Patroni cuts old lines off (max_timelines_history). */
function firstKnown(history: readonly HistoryLine[], current: number): number {
  return Math.min(current, ...history.map(({ timeline }) => timeline));
}
