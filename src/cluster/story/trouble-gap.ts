/** The outage of a leader that stayed the leader. */
import { msOf } from './term-changes.js';
import type { LossKnown, StoryFact, WriteGap } from './story-model.js';

/** From the last sign before it to PostgreSQL's own word that it accepts connections again. */
export function gapOf(name: string, atMs: number, facts: readonly StoryFact[]): WriteGap {
  const mine = facts.filter(({ member }) => member === name);
  const again = mine.find(
    ({ what, at }) => what === 'postgres_accepts_writes' && (msOf(at) ?? 0) >= atMs,
  );
  const lead = mine.findLast(
    ({ what, at }) => what === 'patroni_leads' && (msOf(at) ?? Infinity) <= atMs,
  );
  const last = msOf(lead?.until ?? lead?.at);
  const from = last !== null && last <= atMs ? last : null;
  const to = msOf(again?.at);
  const iso = (ms: number | null): string | null =>
    ms === null ? null : new Date(ms).toISOString();
  return {
    atLeastMs: to === null ? null : Math.max(0, to - atMs),
    atMostMs: to === null || from === null ? null : to - from,
    lastWrite: { from: iso(from), to: iso(atMs) },
    firstWrite: { from: null, to: iso(to) },
    oldLeaderWentOn: false,
  };
}

/** No timeline ended: nothing was lost by a change of leader. */
export const lossNone = (): LossKnown | null => null;
