/** One order for facts with a time and facts that only have a revision. */
import { msOf, type TermChange } from './term-changes.js';
import type { StoryFact } from './story-model.js';

/**
 * Facts of etcd keep their order. Where one of them is told with a time by another source as well, it stands beside
 * that; the others stand between such anchors. A line of /history has its own time.
 */
export function etcdOrder(
  etcd: readonly StoryFact[],
  timed: readonly StoryFact[],
  { end, taken, atMs }: Pick<TermChange, 'end' | 'taken' | 'atMs'>,
): StoryFact[] {
  const anchored = (fact: StoryFact): number | null => {
    if (fact.what === 'history_written') return msOf(fact.data?.timestamp);
    const same = timed.filter((other) => isSame(fact, other, { end, taken }));
    const distance = ({ at }: StoryFact): number => Math.abs((msOf(at) ?? 0) - (atMs ?? 0));
    return msOf(same.sort((a, b) => distance(a) - distance(b))[0]?.at);
  };
  const times = etcd.map(anchored);
  const placed = etcd.map((fact, at) => ({ fact, ms: between(times, at), rank: 0 }));
  const others = timed.map((fact) => ({ fact, ms: msOf(fact.at) ?? 0, rank: 1 }));
  return [...placed, ...others]
    .sort((a, b) => a.ms - b.ms || a.rank - b.rank)
    .map(({ fact }) => fact);
}

/** Only of this change: a member takes the key more than once. */
function isSame(
  fact: StoryFact,
  other: StoryFact,
  { end, taken }: Pick<TermChange, 'end' | 'taken'>,
): boolean {
  if (fact === taken) {
    const takes = other.what === 'patroni_promotes' || other.what === 'leader_key_taken';
    return takes && other.member === fact.member;
  }
  if (fact === end) return other.what === 'patroni_released' && other.member === fact.member;
  return (
    fact.what === 'failover_requested' &&
    other.what === fact.what &&
    other.data?.candidate === fact.data?.candidate
  );
}

/** Never before one that is earlier in etcd's order, nor after one that is later. */
function between(times: readonly (number | null)[], at: number): number {
  const next = times.slice(at).findIndex((ms) => ms !== null);
  const before = times.slice(0, at + 1).filter((ms): ms is number => ms !== null);
  const earlier = before.length === 0 ? -Infinity : Math.max(...before);
  if (next === 0) return Math.max(earlier, times[at] ?? earlier);
  const later = next < 0 ? null : (times[at + next] ?? null);
  // Just before the next known moment: what led to it is near it.
  return later === null ? earlier : Math.max(earlier, later - 1);
}
