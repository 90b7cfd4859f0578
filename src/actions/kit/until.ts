/** Waiting with a limit: until something is so, or until the operator has had enough; what is awaited is said. */
import { monotonicMs } from '../../clock.js';
import { ToolError } from '../../errors.js';
import { seconds } from '../../output/progress.js';
import { oneLine } from '../../output/text.js';
import type { Context } from '../../context.js';

/** The longest wait without a progress line. */
export const TELL_MS = 10_000;

/** Which member must do what, and its state, after `waiting for`. */
type Awaits = () => string | Promise<string>;

interface Limit {
  atMs: number;
  everyMs: number;
  /** What was started before and continues without us. */
  goesOn: string;
  awaits: Awaits;
}

/** What `look` found, or null at the limit. ToolError `interrupted` with `goesOn` at SIGINT. */
export async function until<T>(
  context: Context,
  limit: Limit,
  look: () => Promise<T | null>,
): Promise<T | null> {
  const startedMs = context.clock.nowMs();
  let toldMs = startedMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (context.signal.aborted) throw new ToolError('interrupted', `interrupted: ${limit.goesOn}`);
    const nowMs = context.clock.nowMs();
    const leftMs = limit.atMs - nowMs;
    if (leftMs <= 0) return null;
    if (nowMs - toldMs >= TELL_MS) {
      tellWaiting(context, await limit.awaits(), nowMs - startedMs);
      toldMs = nowMs;
    }
    await context.clock.wait(Math.min(limit.everyMs, leftMs), context.signal);
  }
}

/** patronictl prints nothing while it waits. */
function tellWaiting(context: Context, what: string, sinceMs: number): void {
  if (context.flags.compat) return;
  context.io.err(`waiting for ${oneLine(what)}, ${seconds(sinceMs)} so far\n`);
}

/** As `untilAborted`; while it waits for the answer, it says so. */
export async function answerAwaited<T>(
  context: Context,
  answer: Promise<T>,
  awaits: Awaits,
  everyMs = TELL_MS,
): Promise<T | null> {
  const startedMs = monotonicMs();
  let isOver = false;
  const tell = async (): Promise<void> => {
    const what = await awaits();
    if (!isOver) tellWaiting(context, what, monotonicMs() - startedMs);
  };
  const timer = setInterval(() => void tell().catch(() => undefined), everyMs);
  try {
    return await untilAborted(answer, context.signal);
  } finally {
    isOver = true;
    clearInterval(timer);
  }
}

/** Null when the signal comes first; the outcome of the promise is then ignored. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<null>((resolve) => {
    stop = () => resolve(null);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
    promise.catch(() => undefined);
  }
}
