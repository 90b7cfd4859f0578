/** A line on stderr that counts, on a terminal: `12 of 50 clusters read`. Elsewhere nothing. */
import type { Clock } from '../clock.js';
import { own } from './door.js';
import type { Io } from './io.js';

export interface Counter {
  /** One more. */
  readonly count: () => void;
  /** Takes the line away: before something else is written, and at the end. */
  readonly clear: () => void;
}

/** What is quicker than this needs no line. */
const QUIET_MS = 300;
/** The line changes no more often than this. */
const REDRAW_MS = 100;

const ERASE_LINE = own('\x1b[1G\x1b[K');

export function openCounter(
  { io, clock }: { io: Io; clock: Clock },
  total: number,
  what: string,
): Counter {
  let counted = 0;
  let isShown = false;
  let drawAtMs = clock.nowMs() + QUIET_MS;
  return {
    count: () => {
      counted += 1;
      if (!io.stderrIsTty || clock.nowMs() < drawAtMs) return;
      drawAtMs = clock.nowMs() + REDRAW_MS;
      isShown = true;
      io.err(`${ERASE_LINE}${counted} of ${total} ${what}`);
    },
    clear: () => {
      if (isShown) io.err(ERASE_LINE);
      isShown = false;
    },
  };
}
