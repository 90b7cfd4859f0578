/** Troubles of a leader that did not change it: PostgreSQL crashed and was started again, failsafe mode held. */
import type { FactIndex } from './fact-index.js';
import { adviceFor } from './story-advice.js';
import { beginsLater } from './story-evidence.js';
import { placeOf } from './terms.js';
import { lossNone, gapOf } from './trouble-gap.js';
import { msOf, type TermChange } from './term-changes.js';
import type { CauseCode, FactCode, LeaderStory, StoryFact } from './story-model.js';

/** So near to a change of leader it belongs to that story. */
const NEAR_CHANGE_MS = 90_000;
/** Facts of one trouble are not farther apart. */
const TOGETHER_MS = 60_000;

/** A leader that led again for so long was well, whatever came next. */
const WELL_MS = 10_000;

/** PostgreSQL ended, and the source does not say why. */
const ENDED: readonly CauseCode[] = ['postgres_crashed', 'disk_full', 'out_of_memory'];

const TROUBLES: ReadonlyMap<FactCode, readonly CauseCode[]> = new Map<
  FactCode,
  readonly CauseCode[]
>([
  ['disk_full', ['disk_full']],
  ['oom_killed', ['out_of_memory']],
  ['postgres_child_killed', ['postgres_crashed']],
  ['postgres_panic', ['postgres_crashed']],
  ['postgres_not_running', ENDED],
  ['failsafe_holds', ['dcs_unreachable']],
]);

/** The causes that the fact alone leaves open; null: it is not a trouble. */
function causesOf({ what, source, data }: StoryFact): readonly CauseCode[] | null {
  if (source === 'recording' && what === 'member_answers' && isPrimary(data?.role ?? '')) {
    return /crash|start failed/.test(data?.state ?? '') ? ENDED : null;
  }
  // The kernel may have ended something else.
  if (what === 'oom_killed' && !/^post/.test(data?.mode ?? '')) return null;
  return TROUBLES.get(what) ?? null;
}

export function troubles(
  facts: readonly StoryFact[],
  index: FactIndex,
  changes: readonly TermChange[],
  { fromMs, toMs }: { fromMs: number; toMs: number },
): LeaderStory[] {
  const found: StoryFact[][] = [];
  const open = new Map<string, StoryFact[]>();
  const isLeading = leading(facts, changes);
  const next = timesOf(changes);
  for (const fact of facts) {
    const at = msOf(fact.at);
    const causes = causesOf(fact);
    if (causes === null || at === null || at < fromMs || at > toMs) continue;
    if (!isLeading(fact, at) || isNearChange(fact, at, next, index)) continue;
    const key = JSON.stringify([fact.member, causes.includes('dcs_unreachable'), fact.source]);
    const last = open.get(key);
    if (last && Math.abs((msOf(last[0]?.at) ?? 0) - at) <= TOGETHER_MS) last.push(fact);
    else {
      const group = sameTrouble(found, fact, at, causes) ?? [];
      if (group.length === 0) found.push(group);
      group.push(fact);
      open.set(key, group);
    }
  }
  return found.filter((group) => group.some(isSerious)).map((group) => storyOf(group, index));
}

/** Less than a PANIC for a full disk ends a session: alone it does not end PostgreSQL. */
const isSerious = ({ what, data }: StoryFact): boolean =>
  what !== 'disk_full' || data?.mode === 'PANIC';

/** Another source told the same trouble before. */
function sameTrouble(
  found: readonly StoryFact[][],
  { member }: StoryFact,
  at: number,
  causes: readonly CauseCode[],
): StoryFact[] | undefined {
  const isDcs = causes.includes('dcs_unreachable');
  return found.find(
    ([one]) =>
      one?.member === member &&
      Math.abs((msOf(one.at) ?? 0) - at) <= TOGETHER_MS &&
      (causesOf(one)?.includes('dcs_unreachable') ?? false) === isDcs,
  );
}

/** When leaders changed, the oldest first. */
const timesOf = (changes: readonly TermChange[]): number[] =>
  changes.flatMap(({ atMs }) => atMs ?? []).sort((a, b) => a - b);

/** A change follows, and the leader was not well again before it. */
function isNearChange(
  { member }: StoryFact,
  at: number,
  times: readonly number[],
  index: FactIndex,
): boolean {
  const next = times[placeOf(times, (ms) => ms < at - CLOCK_MS)];
  if (next === undefined || next - at > NEAR_CHANGE_MS) return false;
  return !index.during(at, next).some((fact) => {
    if (fact.what !== 'patroni_leads' || fact.member !== member) return false;
    const [from, until] = [msOf(fact.at) ?? 0, msOf(fact.until) ?? msOf(fact.at) ?? 0];
    return until > at + WELL_MS && from < next;
  });
}

const CLOCK_MS = 1500;

/** A source said before that it led, and not since that it follows, or gives the lock up. */
function leading(
  facts: readonly StoryFact[],
  changes: readonly TermChange[],
): (fact: StoryFact, atMs: number) => boolean {
  const taken = changes
    .flatMap(({ to, atMs }) => (atMs === null ? [] : [{ to, atMs }]))
    .sort((a, b) => a.atMs - b.atMs);
  const roles = new Map<string, StoryFact[]>();
  for (const fact of facts) {
    if (fact.member === null || fact.at === null || !ROLES.has(fact.what)) continue;
    const own = roles.get(fact.member) ?? [];
    own.push(fact);
    roles.set(fact.member, own);
  }
  for (const own of roles.values()) own.sort((a, b) => (msOf(a.at) ?? 0) - (msOf(b.at) ?? 0));
  return ({ member }, atMs) => {
    const own = roles.get(member ?? '') ?? [];
    const role = own[placeOf(own, ({ at }) => (msOf(at) ?? Infinity) <= atMs) - 1];
    if (role?.what !== 'patroni_leads' && role?.what !== 'patroni_promotes') return false;
    const last = taken[placeOf(taken, (one) => one.atMs <= atMs) - 1];
    const untilMs = msOf(role.until ?? role.at) ?? 0;
    return last === undefined || last.to === member || last.atMs < untilMs;
  };
}

const ROLES: ReadonlySet<FactCode> = new Set<FactCode>([
  'patroni_leads',
  'patroni_follows',
  'patroni_promotes',
  'patroni_started',
  'patroni_demotes',
  'patroni_released',
]);

const isPrimary = (role: string): boolean => role === 'primary' || role === 'master';

function storyOf(group: StoryFact[], index: FactIndex): LeaderStory {
  const [first] = group;
  const at = msOf(first?.at) ?? 0;
  const name = first?.member ?? 'the leader';
  const lines = index
    .during(at - TOGETHER_MS, at + TOGETHER_MS)
    .filter((fact) => (msOf(fact.at) ?? 0) >= at - TOGETHER_MS);
  // A full disk would be in its log; that the kernel killed it is not, and is a kind of being killed.
  const mine = lines.filter(({ source, member }) => source === 'postgresql log' && member === name);
  const hasLog = mine.length > 0 && !beginsLater(mine, first?.at ?? null);
  const left = causeOf(group);
  const causes: readonly CauseCode[] = hasLog && left.length > 1 ? ['postgres_crashed'] : left;
  const [cause] = causes;
  const isSettled = causes.length === 1 && cause !== undefined;
  return {
    timeline: null,
    from: name,
    to: name,
    at: first?.at ?? null,
    lines: [...lines].sort((a, b) => (msOf(a.at) ?? 0) - (msOf(b.at) ?? 0)),
    verdict: {
      cause: isSettled ? cause : null,
      fits: isSettled ? [] : [...causes],
      sure: group.some(({ sure }) => sure === 'said') ? 'said' : 'seen',
      message: textOf(causes, name),
      missing: isSettled ? null : "PostgreSQL's log of the leader",
      advice: isSettled ? adviceFor(cause, name) : [],
    },
    writes: gapOf(name, at, lines),
    loss: lossNone(),
  };
}

/** What one fact says in words goes before what another leaves open. */
function causeOf(group: readonly StoryFact[]): readonly CauseCode[] {
  const all = group.map((fact) => causesOf(fact) ?? []);
  const said = [...new Set(all.filter((causes) => causes.length === 1).flat())];
  const [most = 'postgres_crashed'] = [...ENDED.slice(1), ...said].filter((cause) =>
    said.includes(cause),
  );
  return said.length > 0 ? [most] : (all[0] ?? ENDED);
}

function textOf(causes: readonly CauseCode[], name: string): string {
  const [cause] = causes;
  if (cause === 'dcs_unreachable')
    return `The DCS could not be reached; ${name} stayed the leader by failsafe mode.`;
  if (causes.length > 1)
    return `PostgreSQL of the leader ${name} ended without being stopped, and was started again; the leader did not change.`;
  const why = WHY[cause ?? 'postgres_crashed'] ?? 'it crashed or was killed';
  return `PostgreSQL of the leader ${name} ended (${why}); the leader did not change.`;
}

const WHY: Readonly<Partial<Record<CauseCode, string>>> = {
  disk_full: 'its disk was full',
  out_of_memory: 'the kernel killed it, because memory ran out',
};
