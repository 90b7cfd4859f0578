/** A screen that is drawn again and again, for -W and -w. */
import type { Clock } from '../clock.js';
import { ToolError } from '../errors.js';
import { own, withoutOwn } from './door.js';
import { untilNobodyReads, type Io } from './io.js';
import { plain } from './text.js';
import { displayWidth } from './width.js';

const HIDE_CURSOR = own('\x1b[?25l');
const SHOW_CURSOR = own('\x1b[?25h');
const CLEAR_SCREEN = own('\x1b[2J');
const HOME = own('\x1b[H');
const CLEAR_LINE_END = own('\x1b[K');
const CLEAR_BELOW = own('\x1b[J');
const CHANGED = ' <';

/**
 * Draws what `read` returns every `everyMs` until the signal aborts. On a terminal it overwrites in place
 * and marks changed lines, and cuts what would scroll; elsewhere it prints one text after the other. A round that fails is shown and
 * tried again: a watch is there to see the cluster through an outage.
 */
export async function watchScreen(
  context: { io: Io; clock: Clock; signal: AbortSignal },
  everyMs: number,
  read: () => Promise<string>,
): Promise<void> {
  const { io, clock } = context;
  const signal = untilNobodyReads(context);
  let before: string[] | null = null;
  if (io.stdoutIsTty) io.out(HIDE_CURSOR + CLEAR_SCREEN);
  try {
    while (!signal.aborted) {
      const startedMs = clock.nowMs();
      const text = await orError(read, signal);
      // Ctrl-C in the middle of a round is how a watch ends; what was half read is not drawn.
      if (text === null) break;
      const lines = text.replace(/\n+$/, '').split('\n');
      if (io.stdoutIsTty) io.out(frame(lines, before, io));
      else io.out(`${lines.join('\n')}\n`);
      before = lines;
      await clock.wait(Math.max(0, everyMs - (clock.nowMs() - startedMs)), signal);
    }
  } finally {
    if (io.stdoutIsTty) io.out(SHOW_CURSOR);
  }
}

/** How large the screen is; rows absent: as many as there are lines. */
type Screen = Pick<Io, 'columns' | 'rows'>;

/**
 * One screen: home, every line over the old one, the rest cleared. No clearing first, so no flicker, and never
 * more than fits: what scrolls is gone from the top, and the next frame would begin below it.
 */
export function frame(
  lines: readonly string[],
  before: readonly string[] | null,
  screen: Screen,
): string {
  const marked = before === null ? lines : markChanged(lines, before);
  const drawn = fitting(marked, screen).map((line) => `${line}${CLEAR_LINE_END}\n`);
  return HOME + drawn.join('') + CLEAR_BELOW;
}

/** A line counts as new when the last screen had none of its content: one that moved has not changed. */
function markChanged(lines: readonly string[], before: readonly string[]): string[] {
  const had = new Map<string, number>();
  for (const line of before.map(content)) had.set(line, (had.get(line) ?? 0) + 1);
  return lines.map((line) => {
    const left = had.get(content(line)) ?? 0;
    had.set(content(line), left - 1);
    return left > 0 ? line : `${line}${CHANGED}`;
  });
}

/** What a line says, without what only the widths of the columns make of it. */
function content(line: string): string {
  return line.replace(/[-\s]+/g, ' ');
}

/** As many lines as the screen has room for; the last one says how many are left out. */
function fitting(lines: readonly string[], { columns, rows }: Screen): readonly string[] {
  // The cursor stands below the last line.
  // (A terminal that does not know its size says 0.)
  const room = (rows || Infinity) - 1;
  const heights = lines.map((line) =>
    Math.max(1, Math.ceil(displayWidth(plain(withoutOwn(line))) / (columns || 80))),
  );
  const total = heights.reduce((sum, height) => sum + height, 0);
  if (total <= room) return lines;
  let used = 1;
  const shown = lines.slice(
    0,
    heights.findIndex((height) => (used += height) > room),
  );
  const hidden = lines.length - shown.length;
  return [...shown, `(${hidden} more ${hidden === 1 ? 'line' : 'lines'}: the screen is full)`];
}

async function orError(read: () => Promise<string>, signal: AbortSignal): Promise<string | null> {
  try {
    const text = await read();
    return signal.aborted ? null : text;
  } catch (error) {
    if (signal.aborted) return null;
    if (error instanceof ToolError && error.ending === 'unreachable') return errorText(error);
    throw error;
  }
}

/** An error as a round shows it: what it is, and what to do. */
export function errorText({ message, hint }: ToolError): string {
  return plain(`Error: ${message}\n${hint === undefined ? '' : `${hint}\n`}`);
}
