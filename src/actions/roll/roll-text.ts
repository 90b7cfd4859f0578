/** The plan of a roll for people: the steps in their order, and the gates as they are now. */
import { plural } from '../../cluster/model/words.js';
import type { Cluster } from '../../cluster/model/model.js';
import { rollStepWords, type RollPlan } from '../../cluster/preflight/roll-order.js';
import { checksText } from '../../output/plan-table.js';
import { fitted, type Screen } from '../../output/screen.js';
import { oneLine } from '../../output/text.js';
import type { Display } from '../kit/report.js';
import { closedGates } from '../../cluster/preflight/roll-gates.js';

/** `dryRun`: gates that are open too. */
export async function rollText(
  { plan, gates, cluster, dryRun }: Omit<Extract<Display, { kind: 'roll' }>, 'kind'>,
  screen: Screen,
): Promise<string> {
  const { steps, warnings, refused } = plan;
  const lines = steps.map((step, at) => `${at + 1}. ${rollStepWords(step)} (${step.why})`);
  lines.push(...warnings.map((warning) => `warning: ${warning}`));
  const head = fitted(lines.map((line) => `${oneLine(line)}\n`).join(''), screen);
  const tables: string[] = [];
  for (const { member, gates: checks } of gates) {
    const closed = closedGates(checks);
    if (!dryRun && closed.length === 0) continue;
    const verdict =
      closed.length === 0
        ? `The gates for ${member} are open now`
        : `The gates for ${member} are closed now: ${closed.map(({ name }) => name).join(', ')}`;
    tables.push(await checksText(checks, verdict, { screen, all: dryRun }));
  }
  const end = refused === null ? verdictOf(cluster, plan) : `Refused: ${refused}`;
  return `${head}${tables.join('')}${fitted(`${oneLine(end)}\n`, screen)}`;
}

function verdictOf({ scope }: Cluster, { steps }: RollPlan): string {
  const count = steps.filter(({ kind }) => kind === 'command').length;
  return `Would run COMMAND for ${plural(count, 'member')} of ${scope}`;
}
