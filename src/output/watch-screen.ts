/** A screen that is drawn again and again, for -W and -w. */
import type { Clock } from '../clock.js';
import { ToolError } from '../errors.js';
import { own } from './door.js';
import { untilNobodyReads, type Io } from './io.js';
import { cutTo, screenOf, type Screen, type Shown } from './screen.js';
import { plain } from './text.js';

const HIDE_CURSOR = own('\x1b[?25l');
const SHOW_CURSOR = own('\x1b[?25h');
const CLEAR_SCREEN = own('\x1b[2J');
const HOME = own('\x1b[H');
const CLEAR_LINE_END = own('\x1b[K');
const CLEAR_BELOW = own('\x1b[J');
const CHANGED = ' <';
/** The clock on the screen is moved on so often. */
const TICK_MS = 1000;

/** What a round has read, drawn as often as it is needed: a window changes its size. */
export type Picture = (screen: Screen) => Promise<string>;

interface Watch {
  now: Picture | null;
  /** Of the round before, for what has changed. */
  before: Picture | null;
  readAtMs: number;
  /** Why the last round has no picture; null: it has. */
  error: ToolError | null;
}

/**
 * Draws what `read` returns every `everyMs` until the signal aborts. On a terminal it overwrites in place, below a
 * clock, marks changed lines, and cuts what would wrap or scroll; elsewhere it prints one text after the other. A
 * round that fails leaves the last picture, with its age: a watch is there to see the cluster through an outage.
 */
export async function watchScreen(
  context: Shown & { clock: Clock; signal: AbortSignal },
  { everyMs, wide }: { everyMs: number; wide: boolean },
  read: () => Promise<Picture>,
): Promise<void> {
  const { io, clock } = context;
  const signal = untilNobodyReads(context);
  const isOver = (): boolean => signal.aborted;
  const watch: Watch = { now: null, before: null, readAtMs: 0, error: null };
  const draw = async (): Promise<void> => {
    const text = io.stdoutIsTty
      ? await screenText(watch, context, wide)
      : await printed(watch, screenOf(context, wide));
    if (!signal.aborted) io.out(text);
  };
  const redraw = (): void => void draw();
  if (io.stdoutIsTty) io.out(HIDE_CURSOR + CLEAR_SCREEN);
  const forget = io.stdoutIsTty ? io.onResize?.(redraw) : undefined;
  try {
    while (!signal.aborted) {
      const startedMs = clock.nowMs();
      const round = takeRound(watch, read, context);
      while (io.stdoutIsTty && !(await hasEnded(round, clock))) await draw();
      await round;
      // Ctrl-C in the middle of a round is how a watch ends; what was half read is not drawn.
      if (isOver()) break;
      await draw();
      for (let leftMs = everyMs; leftMs > 0 && !isOver();) {
        leftMs = everyMs - (clock.nowMs() - startedMs);
        await clock.wait(Math.max(0, Math.min(leftMs, TICK_MS)), signal);
        if (io.stdoutIsTty && leftMs > TICK_MS) await draw();
      }
    }
  } finally {
    forget?.();
    if (io.stdoutIsTty) io.out(SHOW_CURSOR);
  }
}

async function takeRound(
  watch: Watch,
  read: () => Promise<Picture>,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  const readAtMs = clock.nowMs();
  try {
    const now = await read();
    Object.assign(watch, { now, before: watch.now, readAtMs, error: null });
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof ToolError) || error.ending !== 'unreachable') throw error;
    watch.error = error;
  }
}

async function hasEnded(round: Promise<void>, clock: Clock): Promise<boolean> {
  return Promise.race([round.then(() => true), clock.wait(TICK_MS).then(() => false)]);
}

/** Without a terminal, a round that failed is shown as its error. */
async function printed({ now, error }: Watch, screen: Screen): Promise<string> {
  const text = error ? errorText(error) : ((await now?.(screen)) ?? '');
  return `${text.replace(/\n+$/, '')}\n`;
}

async function screenText(
  { now, before, readAtMs, error }: Watch,
  context: Shown & { clock: Clock },
  wide: boolean,
): Promise<string> {
  const whole = screenOf(context, wide);
  // Room for the mark of a changed line.
  const screen = { ...whole, width: whole.width === null ? null : whole.width - CHANGED.length };
  const linesOf = async (picture: Picture | null) =>
    picture === null ? null : (await picture(screen)).replace(/\n+$/, '').split('\n');
  const nowMs = context.clock.nowMs();
  const age = now === null ? '' : `; this was seen ${Math.round((nowMs - readAtMs) / 1000)} s ago`;
  const clock = `${timeText(nowMs)}${error === null ? '' : age}`;
  const trouble = error === null ? [] : errorText(error).trimEnd().split('\n');
  const lines = (await linesOf(now)) ?? [];
  return frame([clock, ...trouble], lines, await linesOf(before), context.io);
}

/** 08:00:02, local time. */
function timeText(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8);
}

/** How large the screen is; rows absent: as many as there are lines. */
type Size = Pick<Io, 'columns' | 'rows'>;

/**
 * One screen: home, the head, every line over the old one, the rest cleared. No clearing first, so no flicker, and
 * never more than fits: what scrolls is gone from the top, and the next frame would begin below it.
 */
export function frame(
  head: readonly string[],
  lines: readonly string[],
  before: readonly string[] | null,
  size: Size,
): string {
  const marked = before === null ? lines : markChanged(lines, before);
  // Cleared before it is written: at the end of a full line it would clear the last character.
  const drawn = fitting([...head, ...marked], size).map((line) => `${CLEAR_LINE_END}${line}\n`);
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

/** As many lines as the screen has room for, none longer than it; the last one says how many are left out. */
function fitting(lines: readonly string[], { columns, rows }: Size): readonly string[] {
  // The cursor stands below the last line.
  // (A terminal that does not know its size says 0.)
  const room = Math.max((rows || Infinity) - 1, 1);
  const cut = lines.map((line) => cutTo(line, columns || 80));
  if (cut.length <= room) return cut;
  const hidden = cut.length - room + 1;
  const note = `(${hidden} more ${hidden === 1 ? 'line' : 'lines'}: the screen is full)`;
  return [...cut.slice(0, room - 1), cutTo(note, columns || 80)];
}

/** An error as a round shows it: what it is, and what to do. */
export function errorText({ message, hint }: ToolError): string {
  return plain(`Error: ${message}\n${hint === undefined ? '' : `${hint}\n`}`);
}
