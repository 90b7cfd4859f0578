/** The plan of a swap for people. */
import type { SwapPlan } from '../../cluster/preflight/swap-model.js';
import { checksText } from '../../output/plan-table.js';
import type { Screen } from '../../output/screen.js';

/** `dryRun`: it is all that was asked for, and has every check. */
export async function swapText(
  { plan, dryRun }: { plan: SwapPlan; dryRun: boolean },
  screen: Screen,
): Promise<string> {
  return checksText(plan.checks, verdictOf(plan), { screen, all: dryRun });
}

function verdictOf({ here, there, standbyCluster, refusedBy }: SwapPlan): string {
  if (refusedBy.length > 0 || standbyCluster === null) return `Refused by ${refusedBy.join(', ')}`;
  const { host, port, primary_slot_name: slot } = standbyCluster;
  const from = `${host}:${port}${slot === undefined ? '' : `, slot ${slot}`}`;
  return (
    `Would make ${there.label} the primary (${there.leader ?? '?'}), and ${here.label} its standby ` +
    `cluster, which streams from ${from}`
  );
}
