/** One order for facts with a time and facts that only have a revision. */
import { msOf } from './term-changes.js';
import type { StoryFact } from './story-model.js';

/**
 * Facts of etcd keep their order. Where one of them is told with a time by another source as well, it stands beside
 * that; the others stand between such anchors. A line of /history has its own time.
 */
export function etcdOrder(etcd: readonly StoryFact[], timed: readonly StoryFact[]): StoryFact[] {
  const times = etcd.map((fact) => anchor(fact, timed));
  const placed = etcd.map((fact, at) => ({ fact, ms: between(times, at), rank: 0 }));
  const others = timed.map((fact) => ({ fact, ms: msOf(fact.at) ?? 0, rank: 1 }));
  return [...placed, ...others]
    .sort((a, b) => a.ms - b.ms || a.rank - b.rank)
    .map(({ fact }) => fact);
}

function anchor({ what, member, data }: StoryFact, timed: readonly StoryFact[]): number | null {
  if (what === 'history_written') return msOf(data?.timestamp);
  const same = timed.find((other) => {
    if (what === 'leader_key_taken') {
      return (
        ['patroni_promotes', 'leader_key_taken'].includes(other.what) && other.member === member
      );
    }
    if (what === 'leader_key_released')
      return other.what === 'patroni_released' && other.member === member;
    return what === 'failover_requested' && other.what === what;
  });
  return same ? msOf(same.at) : null;
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
