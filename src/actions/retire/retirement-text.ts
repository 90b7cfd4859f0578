/** The plan of a retirement for people. */
import { refusedBy, type Retirement } from '../../cluster/preflight/retirement.js';
import { checksText } from '../../output/plan-table.js';
import type { Screen } from '../../output/screen.js';
import { oneLine } from '../../output/text.js';

/** The checks, the verdict, and what would be removed. `dryRun`: checks that are ok too. */
export async function retirementText(
  { plan, dryRun }: { plan: Retirement; dryRun: boolean },
  screen: Screen,
): Promise<string> {
  const removes = plan.refused ? [] : plan.removes.map((what) => `  removes ${oneLine(what)}\n`);
  const text = await checksText(plan.checks, verdictLine(plan), { screen, all: dryRun });
  return text + removes.join('');
}

function verdictLine(plan: Retirement): string {
  if (plan.refused) return `Refused by ${refusedBy(plan).join(', ')}`;
  const what = plan.hasLeft ? `remove what ${plan.member} leaves in` : `retire ${plan.member} from`;
  return `Would ${what} ${plan.cluster}`;
}
