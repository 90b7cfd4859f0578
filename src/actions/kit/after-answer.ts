/** After the one request: what its answer alone decides, and what the DCS has to show for the rest. */
import { loopTimes } from '../../cluster/model/loop-times.js';
import type { Cluster } from '../../cluster/model/model.js';
import type { CallOutcome } from '../../patroni/patroni.js';
import type { Context } from '../../context.js';
import { clusterNow } from '../../observe/read-keys.js';
import { until, type Waiting } from './until.js';

/** unreadable: etcd did not answer us until the limit. */
export type Seen = 'written' | 'not written' | 'unreadable';

const LOOK_MS = 300;
/** How long an etcd that does not answer is waited for, beyond what Patroni may still write. */
const UNREADABLE_MS = 5000;

/** Statuses that say: nothing was done. 408 and 409 may come after the write, 5xx may come from any server. */
export function isRefusal(status: number): boolean {
  return status === 501 || (status >= 400 && status < 500 && status !== 408 && status !== 409);
}

/** A proxy's word on a Patroni that may still be at work. */
export function isGateway(status: number): boolean {
  return status === 502 || status === 504;
}

/** Whether the answer is Patroni's own that it was not done, where the DCS shows nothing of it. */
export function saysNo(outcome: CallOutcome): boolean {
  return (
    outcome.kind === 'answered' &&
    outcome.answer.status >= 400 &&
    outcome.answer.status !== 408 &&
    !isGateway(outcome.answer.status)
  );
}

export interface LookAfter {
  isWritten: (now: Cluster) => boolean;
  /** What was sent before and continues without us. */
  goesOn: string;
  tell: (event: Waiting) => void;
}

/**
 * Looks until the DCS shows what was asked for, or until Patroni cannot write it any more: it reads and writes
 * within retry_timeout each, and has written before it answers. The request is not sent again.
 */
export async function lookAfter(
  context: Context,
  cluster: Cluster,
  outcome: CallOutcome,
  { isWritten, goesOn, tell }: LookAfter,
): Promise<Seen> {
  const answeredMs = context.clock.nowMs();
  const enoughMs = mayWriteForMs(cluster, outcome);
  let isRead = false;
  const limit = {
    atMs: answeredMs + enoughMs + UNREADABLE_MS,
    everyMs: LOOK_MS,
    goesOn,
    tell,
    awaits: () => `the DCS to show it (it ${isRead ? 'does not yet' : 'could not be read'})`,
  };
  const seen = await until<Seen>(context, limit, async () => {
    const askedMs = context.clock.nowMs();
    const now = await clusterNow(context, cluster);
    isRead = now !== null;
    if (now === null) return null;
    if (isWritten(now)) return 'written';
    return askedMs - answeredMs >= enoughMs ? 'not written' : null;
  });
  return seen ?? 'unreadable';
}

/** How long after this answer the write may still come, ms. */
export function mayWriteForMs({ config }: Cluster, outcome: CallOutcome): number {
  const retryMs = 1000 * loopTimes(config).retryTimeoutSeconds;
  if (outcome.kind !== 'answered') return 2 * retryMs;
  const { status } = outcome.answer;
  // Patroni says 409 when its write is over: an etcd that answers us has it or never will.
  if (status === 409) return 0;
  return isGateway(status) ? 2 * retryMs : retryMs;
}
