/** How far the new copy of a member is, by what it says of itself. */
import type { RestStatus } from '../model/model.js';
import { startTimeOf } from '../preflight/restart-order.js';
import { readTags } from '../model/tags.js';

export type ReinitPhase = 'asked' | 'creating' | 'starting' | 'done' | 'failed';

export interface Reinit {
  phase: ReinitPhase;
  /** For people. */
  said: string;
  startedBefore: string | null;
  /** Whether PostgreSQL ran before the request, and since when, is known. */
  isKnownBefore: boolean;
  /** Since when it has been in this phase and words, ms. */
  sinceMs: number;
}

/** A member is `stopped` for a moment before and after it is copied. */
const STOPPED_LIMIT_MS = 5000;

/** It is as it was when it was asked for a new copy. */
export const AS_REQUESTED = 'requested';

export function beginReinit(before: RestStatus | null, nowMs: number): Reinit {
  const startedBefore = before === null ? null : startTimeOf(before);
  const didRun = /^(running|streaming|unknown)$/.test(before?.state ?? 'unknown');
  const isKnownBefore = startedBefore !== null || !didRun;
  return { phase: 'asked', said: AS_REQUESTED, startedBefore, isKnownBefore, sinceMs: nowMs };
}

/** The state after one more look. `done` and `failed` are final. */
export function seeReinit(
  was: Reinit,
  now: RestStatus,
  nowMs: number,
  loopWaitSeconds: number,
): Reinit {
  if (was.phase === 'done' || was.phase === 'failed') return was;
  const at = (phase: ReinitPhase, said: string): Reinit => {
    const same = was.phase === phase && was.said === said;
    return { ...was, phase, said, sinceMs: same ? was.sinceMs : nowMs };
  };
  if (now.state === 'creating replica') {
    // Patroni removes what a failed copy left and begins another.
    if (was.phase === 'starting')
      return at('failed', 'the copy failed; Patroni starts another one');
    return at('creating', 'is being copied');
  }
  if (now.state === 'running' || now.state === 'streaming') {
    const another = startTimeOf(now) !== null && startTimeOf(now) !== was.startedBefore;
    if (!another && was.phase === 'asked') return was;
    if (now.replicationState === 'streaming' || readTags(now.tags).nostream) {
      if (was.phase !== 'asked') return at('done', 'streams');
      // A copy of little data is over between two looks. Patroni that has accepted the request stops PostgreSQL, and
      // either copies or removes the data directory: nothing else starts it again [Ha._do_reinitialize, Ha.clone].
      if (was.isKnownBefore) return at('done', 'streams; the copy was too short to be seen');
      return at('asked', 'streams, but was never seen to be copied');
    }
    return at(
      was.phase === 'asked' ? 'asked' : 'starting',
      now.replicationState ?? 'runs but does not stream yet',
    );
  }
  const next = at(was.phase === 'asked' ? 'asked' : 'starting', `is ${now.state}`);
  const isDown = /^(stopped|crashed|.* failed)$/.test(now.state);
  const limitMs = STOPPED_LIMIT_MS + 2000 * loopWaitSeconds;
  if (!isDown || nowMs - next.sinceMs < limitMs) return next;
  // Each attempt of Patroni's is over too soon to be seen: what stays is a member without data.
  const hasNoData = now.role === 'uninitialized';
  return at('failed', hasNoData ? 'has no data directory: the copy failed' : `stays ${now.state}`);
}
