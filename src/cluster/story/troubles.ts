/** Troubles of a leader that did not change it: PostgreSQL crashed and was started again, failsafe mode held. */
import { lossNone, gapOf } from './trouble-gap.js';
import { msOf, type TermChange } from './term-changes.js';
import type { CauseCode, FactCode, LeaderStory, StoryFact } from './story-model.js';

/** So near to a change of leader it belongs to that story. */
const NEAR_CHANGE_MS = 90_000;
/** Facts of one trouble are not farther apart. */
const TOGETHER_MS = 60_000;

const TROUBLES: ReadonlyMap<FactCode, CauseCode> = new Map<FactCode, CauseCode>([
  ['disk_full', 'disk_full'],
  ['postgres_not_running', 'postgres_crashed'],
  ['postgres_child_killed', 'postgres_crashed'],
  ['postgres_panic', 'postgres_crashed'],
  ['failsafe_holds', 'dcs_unreachable'],
]);

export function troubles(
  facts: readonly StoryFact[],
  changes: readonly TermChange[],
  { fromMs, toMs }: { fromMs: number; toMs: number },
): LeaderStory[] {
  const found: StoryFact[][] = [];
  for (const fact of facts) {
    const at = msOf(fact.at);
    if (!TROUBLES.has(fact.what) || at === null || at < fromMs || at > toMs) continue;
    if (!isLeading(fact, facts) || isNearChange(fact, at, changes, facts)) continue;
    const last = found.find(
      ([one]) =>
        one !== undefined &&
        one.member === fact.member &&
        Math.abs((msOf(one.at) ?? 0) - at) <= TOGETHER_MS,
    );
    if (last) last.push(fact);
    else found.push([fact]);
  }
  return found.map((group) => storyOf(group, facts));
}

/** A change follows, and the leader was not well again before it. */
function isNearChange(
  { member }: StoryFact,
  at: number,
  changes: readonly TermChange[],
  facts: readonly StoryFact[],
): boolean {
  const next = changes.find(
    ({ atMs }) => atMs !== null && atMs >= at - CLOCK_MS && atMs - at <= NEAR_CHANGE_MS,
  );
  if (!next) return false;
  return !facts.some((fact) => {
    if (fact.what !== 'patroni_leads' || fact.member !== member) return false;
    const [from, until] = [msOf(fact.at) ?? 0, msOf(fact.until) ?? msOf(fact.at) ?? 0];
    return until > at && from < (next.atMs ?? 0);
  });
}

const CLOCK_MS = 1500;

/** Its own log said before that it led. */
function isLeading({ member, at }: StoryFact, facts: readonly StoryFact[]): boolean {
  const time = msOf(at) ?? 0;
  const role = facts.findLast(
    (one) => one.member === member && ROLES.has(one.what) && (msOf(one.at) ?? Infinity) <= time,
  );
  return role !== undefined && (role.what === 'patroni_leads' || role.what === 'patroni_promotes');
}

const ROLES: ReadonlySet<FactCode> = new Set<FactCode>([
  'patroni_leads',
  'patroni_follows',
  'patroni_promotes',
]);

function storyOf(group: StoryFact[], facts: readonly StoryFact[]): LeaderStory {
  const [first] = group;
  const at = msOf(first?.at) ?? 0;
  const name = first?.member ?? 'the leader';
  const lines = facts.filter((fact) => {
    const time = msOf(fact.at);
    return (
      time !== null &&
      time >= at - TOGETHER_MS &&
      time <= at + TOGETHER_MS &&
      fact.source !== 'history'
    );
  });
  const causes = group.map(({ what }) => TROUBLES.get(what));
  const cause = causes.includes('disk_full') ? 'disk_full' : (causes[0] ?? 'postgres_crashed');
  return {
    timeline: null,
    from: name,
    to: name,
    at: first?.at ?? null,
    lines: [...lines].sort((a, b) => (msOf(a.at) ?? 0) - (msOf(b.at) ?? 0)),
    verdict: {
      cause,
      fits: [],
      sure: 'said',
      message: textOf(cause, name),
      missing: null,
      advice: [],
    },
    writes: gapOf(name, at, facts),
    loss: lossNone(),
  };
}

function textOf(cause: CauseCode, name: string): string {
  if (cause === 'dcs_unreachable')
    return `The DCS could not be reached; ${name} stayed the leader by failsafe mode.`;
  const why = cause === 'disk_full' ? 'its disk was full' : 'it crashed or was killed';
  return `PostgreSQL of the leader ${name} ended (${why}); the leader did not change.`;
}
