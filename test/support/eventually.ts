import { setTimeout as sleep } from 'node:timers/promises';

type Falsy = false | null | undefined | 0 | '';

/** Thrown by a check that knows that waiting longer is of no use. */
export class GiveUp extends Error {}

/**
 * Looks again until `check` gives something true, and returns it. What it throws is a "not yet".
 * At the limit the error names what was awaited and why it was not so the last time.
 */
export async function eventually<T>(
  what: string,
  limitMs: number,
  check: () => T | Promise<T>,
  intervalMs = 100,
): Promise<Exclude<T, Falsy>> {
  const deadline = Date.now() + limitMs;
  let last: string;
  for (;;) {
    try {
      const value = await check();
      if (value) return value as Exclude<T, Falsy>;
      last = `it was ${JSON.stringify(value)}`;
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      last = error instanceof Error ? error.message : String(error);
    }
    if (Date.now() + intervalMs > deadline) {
      throw new Error(`not within ${limitMs} ms: ${what} (last: ${last})`);
    }
    await sleep(intervalMs);
  }
}
