/** --skip-check of a swap's plan: which checks an operator may skip by name, and what refuses in the end. */
import type { PlanCheck } from './plan-model.js';

export interface SkipRules {
  /** Names that --skip-check takes. */
  skippable: readonly string[];
  /** Of these, not knowing refuses too. */
  guards: readonly string[];
}

/** The checks as they count, and the names of those that refuse. `null`: a check that has no meaning here. */
export function countedChecks(
  all: readonly (PlanCheck | null)[],
  { skippable, guards }: SkipRules,
  skipChecks: readonly string[],
): { checks: PlanCheck[]; refusedBy: string[] } {
  const skips = skipChecks.filter((name) => skippable.includes(name));
  const checks = all
    .filter((one) => one !== null)
    .map((one): PlanCheck => {
      const isBad = one.result === 'refused' || one.result === 'unknown';
      return isBad && skips.includes(one.name) ? { ...one, result: 'skipped' } : one;
    });
  const against = checks.filter(
    ({ name, result }) => result === 'refused' || (result === 'unknown' && guards.includes(name)),
  );
  return { checks, refusedBy: against.map(({ name }) => name) };
}

/** What is wrong with the names given to --skip-check, as one sentence; null when nothing is. */
export function swapSkipProblem(
  names: readonly string[],
  skippable: readonly string[],
): string | null {
  const wrong = names.filter((name) => !skippable.includes(name));
  if (wrong.length === 0) return null;
  return `${wrong.join(', ')} cannot be skipped; known: ${skippable.join(', ')}`;
}
