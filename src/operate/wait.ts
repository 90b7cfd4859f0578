/** Waiting with a limit: until something is so, or until the operator has had enough. */
import { ToolError } from '../errors.js';
import type { Tool } from '../tool.js';

/** What `look` found, or null at the limit. ToolError `interrupted` with `goesOn` at SIGINT. */
export async function until<T>(
  tool: Tool,
  limit: { atMs: number; everyMs: number; goesOn: string },
  look: () => Promise<T | null>,
): Promise<T | null> {
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (tool.signal.aborted) throw new ToolError('interrupted', `interrupted: ${limit.goesOn}`);
    const leftMs = limit.atMs - tool.clock.nowMs();
    if (leftMs <= 0) return null;
    await tool.clock.wait(Math.min(limit.everyMs, leftMs), tool.signal);
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
