/** Waiting with a limit: until something is so, or until the operator has had enough; what is awaited is said. */
import { monotonicMs } from '../../clock.js';
import { ToolError } from '../../errors.js';
import type { Context } from '../../context.js';

/** The longest wait without a progress line. */
export const TELL_MS = 10_000;

/** Which member must do what, and its state, after `waiting for`. */
type Awaits = () => string | Promise<string>;

/** It is still waited for this, for so long by now. */
export interface Waiting {
  kind: 'waiting';
  what: string;
  sinceMs: number;
}

type TellWaiting = (event: Waiting) => void;

interface Limit {
  atMs: number;
  everyMs: number;
  /** What was started before and continues without us. */
  goesOn: string;
  awaits: Awaits;
  tell: TellWaiting;
}

/** What `look` found, or null at the limit. ToolError `interrupted` with `goesOn` at SIGINT. */
export async function until<T>(
  context: Pick<Context, 'clock' | 'signal'>,
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
      limit.tell({ kind: 'waiting', what: await limit.awaits(), sinceMs: nowMs - startedMs });
      toldMs = nowMs;
    }
    await context.clock.wait(Math.min(limit.everyMs, leftMs), context.signal);
  }
}

/** As `untilAborted`; while it waits for the answer, it says so. */
export async function answerAwaited<T>(
  context: Pick<Context, 'signal'>,
  answer: Promise<T>,
  { awaits, tell, everyMs = TELL_MS }: Pick<Limit, 'awaits' | 'tell'> & { everyMs?: number },
): Promise<T | null> {
  const startedMs = monotonicMs();
  let isOver = false;
  const sayWaiting = async (): Promise<void> => {
    const what = await awaits();
    if (!isOver) tell({ kind: 'waiting', what, sinceMs: monotonicMs() - startedMs });
  };
  const timer = setInterval(() => void sayWaiting().catch(() => undefined), everyMs);
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
