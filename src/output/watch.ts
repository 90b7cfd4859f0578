/** A screen that is drawn again and again, for -W and -w. */
import type { Tool } from '../tool.js';
import { ToolError } from '../errors.js';
import { untilNobodyReads } from './io.js';

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR_SCREEN = '\x1b[2J';
const HOME = '\x1b[H';
const CLEAR_LINE_END = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
const CHANGED = ' <';

/**
 * Draws what `read` returns every `everyMs` until the signal aborts. On a terminal it overwrites in place
 * and marks changed lines; elsewhere it prints one text after the other. A round that fails is shown and
 * tried again: a watch is there to see the cluster through an outage.
 */
export async function watchScreen(
  tool: Pick<Tool, 'io' | 'clock' | 'signal'>,
  everyMs: number,
  read: () => Promise<string>,
): Promise<void> {
  const { io, clock } = tool;
  const signal = untilNobodyReads(tool);
  let before: string[] | null = null;
  if (io.stdoutIsTty) io.out(HIDE_CURSOR + CLEAR_SCREEN);
  try {
    while (!signal.aborted) {
      const startedMs = clock.nowMs();
      const text = await orError(read, signal);
      // Ctrl-C in the middle of a round is how a watch ends; what was half read is not drawn.
      if (text === null) break;
      const lines = text.replace(/\n+$/, '').split('\n');
      if (io.stdoutIsTty) io.out(frame(lines, before));
      else io.out(`${lines.join('\n')}\n`);
      before = lines;
      await clock.wait(Math.max(0, everyMs - (clock.nowMs() - startedMs)), signal);
    }
  } finally {
    if (io.stdoutIsTty) io.out(SHOW_CURSOR);
  }
}

/** One screen: home, every line over the old one, the rest cleared. No clearing first, so no flicker. */
export function frame(lines: readonly string[], before: readonly string[] | null): string {
  const drawn = lines.map((line, at) => {
    const changed = before !== null && line !== before[at];
    return `${line}${changed ? CHANGED : ''}${CLEAR_LINE_END}\n`;
  });
  return HOME + drawn.join('') + CLEAR_BELOW;
}

async function orError(read: () => Promise<string>, signal: AbortSignal): Promise<string | null> {
  try {
    const text = await read();
    return signal.aborted ? null : text;
  } catch (error) {
    if (signal.aborted) return null;
    if (error instanceof ToolError && error.ending === 'unreachable')
      return `Error: ${error.message}\n`;
    throw error;
  }
}
