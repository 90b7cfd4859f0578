/** A plan as a table for people and as a document for programs. */
import type { ChalkInstance } from 'chalk';
import { refusals } from '../cluster/preflight/plan.js';
import type { CheckResult, Plan, PlanCheck } from '../cluster/preflight/plan-model.js';
import { styled } from './door.js';
import { grid } from './grid.js';
import { asCalled } from './as-called.js';
import { fitted, type Screen } from './screen.js';
import { oneLine } from './text.js';

export interface PlanDocument extends Plan {
  schemaVersion: 1;
  /** Names of the checks for which it is refused. */
  refusedBy: string[];
}

export function planDocument(plan: Plan): PlanDocument {
  return { schemaVersion: 1, ...plan, refusedBy: refusals(plan).map(({ name }) => name) };
}

/** Checks that a plan shows although they are ok: they are what the decision rests on. */
const ALWAYS_SHOWN = ['votes', 'data_loss'];

/**
 * The checks with what they found, then the verdict, then what to do about what is not ok. Without `all`
 * the checks that are ok are only counted.
 */
export async function planText(
  plan: Plan,
  { screen, all }: { screen: Screen; all: boolean },
): Promise<string> {
  if (plan.nothingToDo) return fitted(`${oneLine(verdictLine(plan))}\n`, screen);
  return checksText(plan.checks, verdictLine(plan), { screen, all });
}

/** The same for the checks of any plan, with its verdict. */
export async function checksText(
  checks: readonly PlanCheck[],
  verdict: string,
  { screen, all }: { screen: Screen; all: boolean },
): Promise<string> {
  const shown = checks.filter(
    ({ name, result }) => all || result !== 'ok' || ALWAYS_SHOWN.includes(name),
  );
  const rows = shown.map(({ name, result, said }) => [name, result, said]);
  const table = await grid(['Check', 'Result', 'Found'], rows, [], {
    screen,
    narrowings: [{ below: ['Found'] }],
  });
  const others = checks.length - shown.length;
  const lines = [
    ...(others > 0 ? [`  and ${others} more, all ok (--dry-run shows them)`] : []),
    verdict,
    ...nextLines(checks),
  ];
  const painted = screen.color ? await paint(table) : table;
  const below = lines.map((line) => `${oneLine(asCalled(line, screen.command))}\n`).join('');
  return painted + fitted(below, screen);
}

/** The plan in one sentence: what would be done, or why it is refused, and what may be lost. */
export function verdictLine(plan: Plan): string {
  if (plan.nothingToDo)
    return `Nothing to do: the leader of ${plan.cluster} is ${plan.leader ?? 'no member'}`;
  const loss =
    plan.dataLoss.verdict === 'unknown'
      ? `data loss is ${plan.dataLoss.words}`
      : plan.dataLoss.words;
  if (plan.refused) {
    const names = refusals(plan).map(({ name }) => name);
    return `Refused by ${names.join(', ')}; ${loss}`;
  }
  return `Would ${subject(plan)}; ${loss}`;
}

function subject(plan: Plan): string {
  const verb = plan.kind === 'switchover' ? 'switch over' : 'fail over';
  const from = plan.leader === null ? '' : ` from ${plan.leader}`;
  const to =
    plan.candidate === null ? ' to the replica that Patroni chooses' : ` to ${plan.candidate}`;
  const why = plan.chosenBecause === null ? '' : ` (${plan.chosenBecause})`;
  const at = plan.scheduledAt === null ? '' : ` at ${plan.scheduledAt}`;
  const group = plan.group === null ? '' : ` group ${plan.group}`;
  return `${verb} ${plan.cluster}${group}${from}${to}${why}${at}`;
}

/** One line for every next step, with the checks that it serves. */
function nextLines(checks: readonly PlanCheck[]): string[] {
  const names = new Map<string, string[]>();
  for (const { name, result, next } of checks) {
    if (result === 'ok' || next === null) continue;
    names.set(next, [...(names.get(next) ?? []), name]);
  }
  return [...names].map(([next, served]) => `  ${served.join(', ')}: ${next}`);
}

/** The result is the second word of a row; what stands in the cells was stripped of escapes. */
const ROW = /^( {2}[a-z0-9_]+ +)(ok|warning|refused|unknown|skipped)(?= |$)/;

async function paint(table: string): Promise<string> {
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  const colors: Record<CheckResult, ChalkInstance> = {
    ok: chalk.green,
    warning: chalk.yellow,
    refused: chalk.red.bold,
    unknown: chalk.magenta,
    skipped: chalk.cyan,
  };
  const row = (line: string) =>
    line.replace(
      ROW,
      (_, head: string, word: CheckResult) => `${head}${styled(colors[word], word)}`,
    );
  return table.split('\n').map(row).join('\n');
}
