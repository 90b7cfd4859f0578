/** The plan of a rolling restart for people. */
import type { RollingPlan, RollingStep } from '../../cluster/preflight/restart-order.js';

/** A numbered line a step. */
export function rollingText({ steps, lowered, raised, warnings, refused }: RollingPlan): string {
  const lines = steps.map((step, at) => `${at + 1}. ${stepWords(step)} (${step.why})`);
  if (raised.length > 0) lines.unshift(`Raised: ${raised.join(', ')}`);
  if (lowered.length > 0) lines.unshift(`Lowered: ${lowered.join(', ')}`);
  lines.push(...warnings.map((warning) => `warning: ${warning}`));
  if (refused !== null) lines.push(`refused: ${refused}`);
  return lines.map((line) => `${line}\n`).join('');
}

export function stepWords(step: RollingStep): string {
  if (step.kind === 'switchover') return `switch over from ${step.from}`;
  return `restart ${step.member}`;
}
