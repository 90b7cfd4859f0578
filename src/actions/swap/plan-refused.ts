/** A plan of named checks that refuses: the error with what each found, and what to do. */
import type { PlanCheck } from '../../cluster/preflight/plan-model.js';
import { ToolError } from '../../errors.js';

interface Refusing {
  readonly checks: readonly PlanCheck[];
  readonly refusedBy: readonly string[];
}

/** `what`: what was not done, as in `not swapped`. */
export function planRefused(
  what: string,
  code: string,
  { checks, refusedBy }: Refusing,
): ToolError {
  const bad = checks.filter(({ name }) => refusedBy.includes(name));
  const next = bad.flatMap((check) =>
    check.next === null ? [] : [`${check.name}: ${check.next}`],
  );
  return new ToolError('error', `${what}: ${bad.map(({ said }) => said).join('; ')}`, {
    code,
    evidence: bad.flatMap(({ evidence }) => evidence),
    ...(next.length > 0 && { hint: next.join('\n') }),
  });
}

/** The plan that was shown no longer holds; a line for each difference. */
export function changedMeanwhile(what: string, differences: readonly string[]): ToolError {
  return new ToolError('error', `${what}: ${differences.join('; ')}; nothing was sent`, {
    code: 'changed_meanwhile',
    hint: 'run the command again to see the current plan',
  });
}
