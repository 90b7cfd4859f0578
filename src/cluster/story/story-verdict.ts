/**
 * Why a leader's term ended. The rules go from what a source says in words to what only follows; what the sources
 * leave open stays open: then the causes that fit are named, and none is chosen.
 */
import { removed, requested } from './causes/asked-for.js';
import { MISSING_ALL, type CauseFound, type CauseRule } from './causes/cause-found.js';
import { heldByFailsafe, lostDcs } from './causes/dcs-lost.js';
import { expired, released } from './causes/etcd-alone.js';
import {
  crashed,
  diskFull,
  refusedItself,
  stoppedCleanly,
  stoppedInPause,
  watchdogFired,
} from './causes/old-leader-says.js';
import { silentToOthers } from './causes/seen-by-others.js';
import { recorded } from './causes/seen-recorded.js';
import {
  endedInLog,
  killedByKernel,
  logIsShort,
  lostLock,
  stoodStill,
} from './causes/silent-log.js';
import { adviceFor } from './story-advice.js';
import type { StoryEvidence } from './story-evidence.js';
import type { StoryVerdict } from './story-model.js';

export function storyVerdict(evidence: StoryEvidence): StoryVerdict {
  for (const rule of RULES) {
    const found = rule(evidence);
    if (found) return asVerdict(evidence, found);
  }
  const from = evidence.change.from ?? 'the leader';
  return {
    cause: null,
    fits: [],
    sure: null,
    message: `The cause is unknown: no source recorded why ${from} lost the lock.`,
    missing: MISSING_ALL,
    advice: [],
  };
}

function asVerdict(
  { change }: StoryEvidence,
  { fits, sure, message, missing }: CauseFound,
): StoryVerdict {
  const [first] = fits;
  const isSettled = fits.length === 1 && first !== undefined;
  return {
    cause: isSettled ? first : null,
    fits: isSettled ? [] : fits,
    sure,
    message,
    missing: missing ?? null,
    // Advice against a cause that may not be the one leads astray.
    advice: isSettled ? adviceFor(first, change.from ?? 'the old leader') : [],
  };
}

/** The first that finds something is the answer. */
const RULES: readonly CauseRule[] = [
  removed,
  requested,
  watchdogFired,
  diskFull,
  refusedItself,
  stoppedInPause,
  stoppedCleanly,
  crashed,
  heldByFailsafe,
  recorded,
  lostDcs,
  stoodStill,
  killedByKernel,
  endedInLog,
  lostLock,
  silentToOthers,
  released,
  expired,
  logIsShort,
];
