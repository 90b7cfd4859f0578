/** Turns what a cluster shows into lines of a recording: a full snapshot first, then changes and events. */
import { dcsAnswers, dcsSilent, eventsOf } from '../../cluster/events/events-of.js';
import type { ClusterEvent } from '../../cluster/events/event-model.js';
import type { Snapshot } from '../../cluster/model/model.js';
import type { ToolError } from '../../errors.js';
import { VERSION } from '../../build-info.js';
import { changesBetween } from './record-changes.js';
import { ALIVE_MS, type Change, type OfCluster, type RecordLine } from './record-lines.js';
import { changeLine, lineText, snapshotLine } from './record-text.js';

/** What is known of one cluster. */
interface Kept {
  of: Pick<OfCluster, 'scope' | 'group'>;
  /** What was seen last. */
  last: Snapshot | null;
  /** What the last line tells, from which the next changes are counted; null: no line yet. */
  written: Snapshot | null;
  /** When the last line with a state was made, ms since 1970. */
  writtenMs: number;
  isSilent: boolean;
  /** Events that are in no line yet that was written. */
  events: RecordLine[];
}

/** The recorder of one file or stream. */
export interface RecordKeeper {
  /** Lines for what was seen; '' when nothing is worth a line. */
  seen(
    of: Kept['of'],
    now: { at: string; snapshot: Snapshot; isStale: boolean } | { at: string; error: ToolError },
  ): string;
  /** What a file begins with: the start, every cluster as it is, and the events that were not written yet. */
  begin(at: string, isRotated: boolean): string;
  /** All that was given out so far is written. */
  wrote(): void;
  end(at: string, reason: string): string;
}

/** `aliveMs`: at rest there is a line so often. */
export function keepRecord(intervalMs: number, aliveMs = ALIVE_MS): RecordKeeper {
  const all = new Map<string, Kept>();
  const kept = (of: Kept['of']): Kept => {
    const id = JSON.stringify([of.scope, of.group]);
    let one = all.get(id);
    if (one === undefined) {
      one = { of, last: null, written: null, writtenMs: 0, isSilent: false, events: [] };
      all.set(id, one);
    }
    return one;
  };
  return {
    seen(of, now) {
      const one = kept(of);
      const lines = 'error' in now ? silent(one, now) : taken(one, now, aliveMs);
      return lines.map(lineText).join('');
    },
    begin(at, isRotated) {
      const lines: RecordLine[] = [startLine(at, intervalMs, isRotated)];
      for (const one of all.values()) {
        if (one.last !== null) {
          lines.push(snapshotLine(one.last, at));
          one.written = one.last;
          one.writtenMs = Date.parse(at);
        }
        lines.push(...one.events);
      }
      return lines.map(lineText).join('');
    },
    wrote() {
      for (const one of all.values()) one.events = [];
    },
    end: (at, reason) => lineText({ kind: 'end', at, reason }),
  };
}

function startLine(at: string, intervalMs: number, rotated: boolean): RecordLine {
  return { kind: 'start', at, schemaVersion: 1, patctl: VERSION, intervalMs, rotated };
}

function silent(one: Kept, { at, error }: { at: string; error: ToolError }): RecordLine[] {
  one.isSilent = true;
  one.events = [eventLine(one, dcsSilent(error.message, at))];
  return one.events;
}

function taken(
  one: Kept,
  { at, snapshot, isStale }: { at: string; snapshot: Snapshot; isStale: boolean },
  aliveMs: number,
): RecordLine[] {
  const answers = one.isSilent && !isStale ? [dcsAnswers(snapshot, at)] : [];
  const events = [...answers, ...eventsOf(one.last, snapshot, at)];
  one.isSilent = isStale;
  one.last = snapshot;
  one.events = events.map((event) => eventLine(one, event));
  const isDue = events.length > 0 || Date.parse(at) - one.writtenMs >= aliveMs;
  return [...stateLines(one, snapshot, at, isDue), ...one.events];
}

/** The snapshot, what changed in it, or nothing. */
function stateLines(one: Kept, snapshot: Snapshot, at: string, isDue: boolean): RecordLine[] {
  const { written } = one;
  if (written === null) {
    one.written = snapshot;
    one.writtenMs = Date.parse(at);
    return [snapshotLine(snapshot, at)];
  }
  const changes = changesBetween(alone(written), alone(snapshot));
  if (!isDue && changes.every(isNoise)) return [];
  one.written = snapshot;
  one.writtenMs = Date.parse(at);
  return changes.length === 0 ? [] : [changeLine(snapshot, changes, at)];
}

function alone(snapshot: Snapshot): Snapshot {
  return { ...snapshot, previous: null };
}

function eventLine({ of }: Kept, event: ClusterEvent): RecordLine {
  return { kind: 'event', at: event.at, ...of, event };
}

/** Ages, durations and clocks: they are written along with the next change of something else. */
const NOISE =
  /(?:AgeMs|\/tookMs|\/takenAt|\/asOf|\/revision|\/dcsLastSeen|\/dcs_last_seen|\/ageMs|LagMs)$/;

function isNoise({ path }: Change): boolean {
  return NOISE.test(path);
}
