/** What takes longer to settle than the rest. */
import type { Finding } from '../model/model.js';
import type { View } from '../roles/view.js';
import { isSettling } from './streaming.js';

/**
 * Patroni takes one step per loop with a former synchronous standby: it streams, PostgreSQL waits for it, /sync lists
 * it.
 */
const BY_STEPS = new Set(['sync_empty', 'quorum_lost', 'no_failover_candidate']);

/** Whether all that is critical may only be a primary that has just started or was just promoted. */
export function comesBackBySteps(found: readonly Finding[], view: View): boolean {
  const critical = found.filter(({ severity }) => severity === 'critical');
  if (critical.length === 0 || view.leader === null) return false;
  return critical.every(({ code }) => BY_STEPS.has(code)) && isSettling(view.leader, view);
}
