/** A page that may be longer than the screen. Pure. */
import type { Sheet } from './sheet.js';

/** The lines from `scroll` on, no farther than to the end; the last one says where in the page this is. */
export function scrolledLines(
  lines: readonly string[],
  scroll: number,
  { height, paint, most }: Sheet,
): string[] {
  const room = Math.max(height - 1, 1);
  most?.(lines.length <= height ? 0 : lines.length - room);
  if (lines.length <= height) return [...lines];
  const from = Math.min(scroll, lines.length - room);
  const shown = lines.slice(from, from + room);
  return [...shown, paint('dim', `lines ${from + 1} to ${from + shown.length} of ${lines.length}`)];
}

/** As many lines as there is room for, with the one at `at` among them. */
export function around(lines: readonly string[], at: number, most: number): readonly string[] {
  const from = Math.min(Math.max(at - Math.floor(most / 2), 0), Math.max(lines.length - most, 0));
  return lines.slice(from, from + Math.max(most, 1));
}
