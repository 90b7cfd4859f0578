/** What has changed for the worse between two plans of one request. */
import type { CheckResult, Plan } from './plan-model.js';

const RANK: Record<CheckResult, number> = { ok: 0, warning: 1, skipped: 2, unknown: 3, refused: 4 };

/**
 * One line a difference that makes the later plan differ from the shown one: another member leads or would
 * lead, or something speaks against it that did not. Improvements and warnings do not stop it.
 */
export function planDifferences(shown: Plan, now: Plan): string[] {
  const differences: string[] = [];
  const changed = (what: string, before: string | null, after: string | null): void => {
    if (before === after) return;
    differences.push(`${what}: was ${before ?? 'no member'}, is ${after ?? 'no member'}`);
  };
  changed('leader', shown.leader, now.leader);
  changed('candidate', shown.candidate, now.candidate);
  if (shown.dataLoss.verdict !== now.dataLoss.verdict && now.dataLoss.verdict !== 'none') {
    differences.push(`acknowledged commits: ${now.dataLoss.words}`);
  }
  for (const check of now.checks) {
    const before = shown.checks.find(({ name }) => name === check.name)?.result ?? 'ok';
    if (RANK[check.result] <= Math.max(RANK[before], RANK.warning)) continue;
    differences.push(`${check.name}: was ${before}, is ${check.result}: ${check.said}`);
  }
  const known = new Set(shown.logical.filter(({ stuck }) => stuck).map(({ slotName }) => slotName));
  for (const { stuck, slotName, pid } of now.logical) {
    if (!stuck || known.has(slotName)) continue;
    differences.push(`a logical walsender is now stuck: slot ${slotName ?? '?'}, pid ${pid}`);
  }
  return differences;
}
