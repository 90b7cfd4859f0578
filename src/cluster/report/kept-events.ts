/** Events for a table that stays readable: the last ones of each severity. */
import { SEVERITIES } from '../findings/find.js';
import type { ClusterEvent } from '../events/event-model.js';
import type { Severity } from '../model/model.js';
import type { LeftOutEvents } from './report-model.js';

export interface KeptEvents {
  add(event: ClusterEvent): void;
  /** In the order in which they were added. */
  events(): ClusterEvent[];
  leftOut(): LeftOutEvents[];
}

/** The last `most` of each severity are kept. */
export function keepEvents(most: number): KeptEvents {
  const kept = new Map<Severity, { event: ClusterEvent; order: number }[]>();
  const out = new Map<Severity, LeftOutEvents>();
  let order = 0;
  return {
    add: (event) => {
      // A recording comes from outside.
      const severity = SEVERITIES.includes(event.severity) ? event.severity : 'unknown';
      const all = kept.get(severity) ?? [];
      kept.set(severity, all);
      all.push({ event: { ...event, severity }, order: (order += 1) });
      const first = all.length > most ? all.shift() : undefined;
      if (first === undefined) return;
      const count = (out.get(severity)?.count ?? 0) + 1;
      out.set(severity, { severity, count, untilMs: Date.parse(first.event.at) });
    },
    events: () =>
      [...kept.values()]
        .flat()
        .sort((a, b) => a.order - b.order)
        .map(({ event }) => event),
    leftOut: () => [...out.values()],
  };
}
