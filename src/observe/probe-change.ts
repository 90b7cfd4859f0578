/** Whether a Patroni would take a change from here, asked with one that it refuses for its content. */
import type { Context } from '../context.js';
import type { CallOutcome } from '../patroni/patroni.js';

/**
 * A PATCH of /config with an empty object: Patroni refuses its sender first (401, 403), and then its content, before
 * it reads the DCS. Without a body it would log an error with a traceback too.
 */
export async function probeChange(context: Context, apiUrl: string): Promise<CallOutcome> {
  const patroni = await context.patroni();
  return patroni.call('PATCH', apiUrl, '/config', {}, context.flags.timeoutMs);
}

/** Refused for its content: any sender with our login, address and certificate may change the cluster. */
export function isContentRefused(outcome: CallOutcome): boolean {
  return outcome.kind === 'answered' && [400, 411].includes(outcome.answer.status);
}
