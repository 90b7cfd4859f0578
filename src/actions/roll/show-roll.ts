/** The plan of a roll for people: the steps in their order, and the gates as they are now. */
import { plural } from '../../cluster/model/words.js';
import type { Cluster } from '../../cluster/model/model.js';
import { rollStepWords, type RollPlan } from '../../cluster/preflight/roll-order.js';
import type { Context } from '../../context.js';
import { checksText } from '../../output/plan-table.js';
import { errorScreen, fitted, screenOf, type Screen } from '../../output/screen.js';
import { oneLine } from '../../output/text.js';
import type { RollReport } from '../kit/report.js';
import { closedGates } from '../../cluster/preflight/roll-gates.js';

interface ShownRoll {
  plan: RollPlan;
  gates: RollReport['gates'];
  cluster: Cluster;
}

/** On stdout where it is all that was asked for. */
export async function showRoll(context: Context, shown: ShownRoll, dryRun: boolean): Promise<void> {
  if (dryRun) context.io.out(await rollText(shown, screenOf(context), true));
  else if (!context.flags.asJson)
    context.io.err(await rollText(shown, errorScreen(context), false));
}

async function rollText(
  { plan, gates, cluster }: ShownRoll,
  screen: Screen,
  all: boolean,
): Promise<string> {
  const { steps, warnings, refused } = plan;
  const lines = steps.map((step, at) => `${at + 1}. ${rollStepWords(step)} (${step.why})`);
  lines.push(...warnings.map((warning) => `warning: ${warning}`));
  const head = fitted(lines.map((line) => `${oneLine(line)}\n`).join(''), screen);
  const tables: string[] = [];
  for (const { member, gates: checks } of gates) {
    const closed = closedGates(checks);
    if (!all && closed.length === 0) continue;
    const verdict =
      closed.length === 0
        ? `The gates for ${member} are open now`
        : `The gates for ${member} are closed now: ${closed.map(({ name }) => name).join(', ')}`;
    tables.push(await checksText(checks, verdict, { screen, all }));
  }
  const end = refused === null ? verdictOf(cluster, plan) : `Refused: ${refused}`;
  return `${head}${tables.join('')}${fitted(`${oneLine(end)}\n`, screen)}`;
}

function verdictOf({ scope }: Cluster, { steps }: RollPlan): string {
  const count = steps.filter(({ kind }) => kind === 'command').length;
  return `Would run COMMAND for ${plural(count, 'member')} of ${scope}`;
}
