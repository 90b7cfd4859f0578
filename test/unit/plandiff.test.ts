import { expect, test } from 'vitest';
import type { CheckResult, Plan } from '../../src/cluster/preflight/plan-model.js';
import { planDifferences } from '../../src/cluster/preflight/plan-differences.js';

function plan(checks: Record<string, CheckResult>, more: Partial<Plan> = {}): Plan {
  return {
    kind: 'switchover',
    cluster: 'demo',
    group: null,
    leader: 'pg1',
    candidate: 'pg2',
    chosenBecause: null,
    scheduledAt: null,
    checks: Object.entries(checks).map(([name, result]) => ({
      name,
      result,
      said: `${name} said`,
      evidence: [],
      next: null,
    })),
    refused: false,
    nothingToDo: false,
    dataLoss: { verdict: 'none', words: 'nothing can be lost' },
    logical: [],
    ...more,
  };
}

const holder = (slotName: string, stuck: boolean) => ({
  pid: 7,
  applicationName: 'x',
  clientAddr: null,
  slotName,
  unconfirmedBytes: 1,
  stuck,
});

test('the same plan, a better one and a new warning do not stop it', () => {
  const shown = plan({ votes: 'ok', lag: 'warning', archiving: 'unknown' });
  expect(planDifferences(shown, shown)).toEqual([]);
  expect(planDifferences(shown, plan({ votes: 'warning', lag: 'ok', archiving: 'ok' }))).toEqual(
    [],
  );
});

test('what got worse is named with what it was', () => {
  const shown = plan({ votes: 'ok', lag: 'unknown' });
  expect(planDifferences(shown, plan({ votes: 'refused', lag: 'unknown' }))).toEqual([
    'votes: was ok, is refused: votes said',
  ]);
  expect(planDifferences(shown, plan({ votes: 'ok', lag: 'unknown', slots: 'unknown' }))).toEqual([
    'slots: was ok, is unknown: slots said',
  ]);
});

test('another leader, another candidate', () => {
  const shown = plan({});
  expect(planDifferences(shown, plan({}, { leader: null, candidate: 'pg3' }))).toEqual([
    'leader: was pg1, is no member',
    'candidate: was pg2, is pg3',
  ]);
});

test('acknowledged commits that may be lost now, and not those that are safe now', () => {
  const unsafe = plan({}, { dataLoss: { verdict: 'possible', words: 'may be lost' } });
  expect(planDifferences(plan({}), unsafe)).toEqual(['acknowledged commits: may be lost']);
  expect(planDifferences(unsafe, plan({}))).toEqual([]);
});

test('a logical client that got stuck in the meantime, not one that was shown', () => {
  const shown = plan({}, { logical: [holder('a', true), holder('b', false)] });
  const now = plan({}, { logical: [holder('a', true), holder('b', true)] });
  expect(planDifferences(shown, now)).toEqual(['a logical walsender is now stuck: slot b, pid 7']);
});
