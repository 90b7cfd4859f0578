/** The changes of leader that are known so far, found by who became the leader and when. */
import type { StoryFact } from './story-model.js';

export interface TermChange {
  timeline: number | null;
  from: string | null;
  to: string | null;
  /** When the new leader was promoted, ms; null: no source has a time. */
  atMs: number | null;
  /** Not before this: later than `atMs` says only where only a member that follows another leader shows it. */
  sinceMs: number | null;
  /** In etcd's past: how the term before ended, and who took the key. */
  end: StoryFact | null;
  taken: StoryFact | null;
  /** The facts of etcd from the change before on; empty without etcd's past. */
  etcd: StoryFact[];
}

export interface Terms {
  all(): TermChange[];
  add(change: TermChange): void;
  /** Gives one that had none its time, ms. */
  date(change: TermChange, atMs: number): void;
  of(leader: string | null): TermsOf;
}

/** Of one leader. */
export interface TermsOf {
  /** From and to this time, ms, the oldest first. */
  near(fromMs: number, toMs: number): TermChange[];
  untimed(): TermChange[];
}

interface Kept {
  /** By time. */
  timed: TermChange[];
  untimed: Set<TermChange>;
}

export function termsOf(changes: readonly TermChange[]): Terms {
  const all: TermChange[] = [];
  const kept = new Map<string | null, Kept>();
  const keptOf = (leader: string | null): Kept => {
    const own = kept.get(leader) ?? { timed: [], untimed: new Set<TermChange>() };
    kept.set(leader, own);
    return own;
  };
  const file = (change: TermChange): void => {
    const { timed, untimed } = keptOf(change.to);
    const ms = change.atMs;
    if (ms === null) untimed.add(change);
    else
      timed.splice(
        placeOf(timed, ({ atMs }) => (atMs ?? 0) <= ms),
        0,
        change,
      );
  };
  const add = (change: TermChange): void => {
    all.push(change);
    file(change);
  };
  for (const change of changes) add(change);
  return {
    all: () => all,
    add,
    date: (change, atMs) => {
      keptOf(change.to).untimed.delete(change);
      change.atMs = atMs;
      file(change);
    },
    of: (leader) => {
      const { timed, untimed } = keptOf(leader);
      return {
        near: (fromMs, toMs) =>
          timed.slice(
            placeOf(timed, ({ atMs }) => (atMs ?? 0) < fromMs),
            placeOf(timed, ({ atMs }) => (atMs ?? 0) <= toMs),
          ),
        untimed: () => [...untimed],
      };
    },
  };
}

/** How many stand before the first that is not so; those that are so come first. */
export function placeOf<T>(sorted: readonly T[], isSo: (one: T) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const one = sorted[middle];
    if (one !== undefined && isSo(one)) low = middle + 1;
    else high = middle;
  }
  return low;
}
