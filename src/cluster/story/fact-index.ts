/** Facts by their time, so that a change of leader looks only at those around it, and a year of changes is told quickly. */
import { msOf } from './term-changes.js';
import { placeOf } from './terms.js';
import type { StoryFact } from './story-model.js';

export interface FactIndex {
  /** Those with a time that last into the period or are in it, in the order in which they were given. */
  during(fromMs: number, toMs: number): StoryFact[];
}

interface Placed {
  fact: StoryFact;
  beginMs: number;
  endMs: number;
  order: number;
}

/** What lasts longer is kept apart: all of it is looked at each time, and there is little of it. */
const LONG_MS = 5 * 60_000;

export function factIndex(facts: readonly StoryFact[]): FactIndex {
  const placed = facts.flatMap((fact, order): Placed[] => {
    const beginMs = msOf(fact.at);
    return beginMs === null ? [] : [{ fact, beginMs, endMs: msOf(fact.until) ?? beginMs, order }];
  });
  const isLong = ({ beginMs, endMs }: Placed): boolean => endMs - beginMs > LONG_MS;
  const long = placed.filter(isLong);
  const short = placed.filter((one) => !isLong(one)).sort((a, b) => a.beginMs - b.beginMs);
  return {
    during: (fromMs, toMs) => {
      const found: Placed[] = long.filter(
        ({ beginMs, endMs }) => endMs >= fromMs && beginMs <= toMs,
      );
      const first = placeOf(short, ({ beginMs }) => beginMs < fromMs - LONG_MS);
      for (let at = first; at < short.length; at += 1) {
        const one = short[at];
        if (one === undefined || one.beginMs > toMs) break;
        if (one.endMs >= fromMs) found.push(one);
      }
      return found.sort((a, b) => a.order - b.order).map(({ fact }) => fact);
    },
  };
}
