/** Waiting with a limit: until something is so, or until the operator has had enough. */
import { ToolError } from '../../errors.js';
import type { Context } from '../../context.js';

/** What `look` found, or null at the limit. ToolError `interrupted` with `goesOn` at SIGINT. */
export async function until<T>(
  context: Context,
  limit: { atMs: number; everyMs: number; goesOn: string },
  look: () => Promise<T | null>,
): Promise<T | null> {
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (context.signal.aborted) throw new ToolError('interrupted', `interrupted: ${limit.goesOn}`);
    const leftMs = limit.atMs - context.clock.nowMs();
    if (leftMs <= 0) return null;
    await context.clock.wait(Math.min(limit.everyMs, leftMs), context.signal);
  }
}

/** Null when the signal comes first; the promise goes on unheard. */
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
