/** Whether a member went away during the work on it, or its PostgreSQL was restarted, and whether it is back. */
import type { Reading, RestStatus } from '../model/model.js';
import { readTags } from '../model/tags.js';
import { startTimeOf } from './restart-order.js';

/** What was seen of a member from just before the work until now. */
export interface NodeTrack {
  /** postmaster_start_time before the work; null: it did not say. */
  startedBefore: string | null;
  /** It did not run before the work, so there is nothing that could go away. */
  wasDown: boolean;
  /** How it was seen to be gone; null: it was not. */
  gone: string | null;
  /** postmaster_start_time as last seen. */
  started: string | null;
}

export function newTrack(before: Reading<RestStatus>): NodeTrack {
  const startedBefore = before.ok ? startTimeOf(before.value) : null;
  const wasDown = before.ok ? !isRunning(before.value) : REFUSED.test(before.reason);
  return { startedBefore, wasDown, gone: null, started: startedBefore };
}

/** No process listens there, or no host is there. */
const REFUSED = /ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ECONNRESET/;

/** The track with one reading more. A call that times out proves nothing: a busy member answers late too. */
export function withReading(track: NodeTrack, reading: Reading<RestStatus>): NodeTrack {
  if (!reading.ok) {
    if (!REFUSED.test(reading.reason)) return track;
    return { ...track, gone: track.gone ?? `Patroni: ${reading.reason}` };
  }
  const { value } = reading;
  const gone = track.gone ?? (isRunning(value) ? null : `PostgreSQL was ${value.state}`);
  return { ...track, gone, started: startTimeOf(value) ?? track.started };
}

/** It was gone, or another postmaster runs than before. */
export function hasLeft({ startedBefore, wasDown, gone, started }: NodeTrack): boolean {
  if (wasDown || gone !== null) return true;
  return startedBefore !== null && started !== null && started !== startedBefore;
}

/** What shows that it was away, in words. */
export function leftWords(track: NodeTrack): string {
  const { startedBefore, started, wasDown, gone } = track;
  if (startedBefore !== null && started !== null && started !== startedBefore)
    return `PostgreSQL runs since ${started}, before since ${startedBefore}`;
  if (gone !== null) return `it was gone (${gone}); PostgreSQL runs since ${started ?? '?'}`;
  if (wasDown) return 'it did not run before';
  return `PostgreSQL runs since ${started ?? 'an unknown time'}, unchanged, and Patroni was not seen to be gone`;
}

/** Why the member itself is not back yet; null: its Patroni answers, and its PostgreSQL runs and streams. */
export function notYetBack(reading: Reading<RestStatus>, leads: boolean): string | null {
  if (!reading.ok) return `does not answer: ${reading.reason}`;
  const now = reading.value;
  if (!isRunning(now)) return `is ${now.state}`;
  const streams = now.replicationState === 'streaming' || readTags(now.tags).nostream;
  // Patroni before 3.0.4 does not say it: the walsender on the leader is looked for anyway.
  const isSilent = now.replicationState === null;
  return leads || streams || isSilent ? null : (now.replicationState ?? 'does not stream');
}

function isRunning({ state }: RestStatus): boolean {
  return state === 'running' || state === 'streaming';
}
