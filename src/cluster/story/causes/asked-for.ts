/** The change was asked for: the keys of the cluster were deleted, a switchover, a manual failover. */
import { CLOCKS_MS, isAfterLeading, type StoryEvidence } from '../story-evidence.js';
import type { StoryFact } from '../story-model.js';
import { endsTerm, msOf } from '../term-changes.js';
import { oldLeader, type CauseFound } from './cause-found.js';

export function removed({ change }: StoryEvidence): CauseFound | null {
  if (change.end?.what !== 'leader_key_removed') return null;
  return {
    fits: ['cluster_removed'],
    sure: 'said',
    message: 'The keys of the whole cluster were deleted from the DCS.',
  };
}

export function requested(evidence: StoryEvidence): CauseFound | null {
  const { change, before } = evidence;
  const request = requestFor(evidence);
  const demotes = before.findLast(
    ({ what, data, member }) =>
      what === 'patroni_demotes' && data?.mode === 'requested' && member === change.from,
  );
  const own = demotes && isAfterLeading(evidence, demotes) ? demotes : null;
  const isByLease = change.end?.what === 'leader_key_expired';
  if (request && !isByLease) {
    const { leader = null, candidate = null } = request.data ?? {};
    const isLogged = request.source === 'patroni log';
    if (own || (!isLogged && (change.end || isDemotedOnRequest(evidence)))) {
      return planned(
        evidence,
        leader,
        candidate,
        isRequestFirst(change.end, request) ? null : change.end,
      );
    }
  }
  if (request && isByLease && !isRequestFirst(change.end, request)) {
    return planned(
      evidence,
      request.data?.leader ?? null,
      request.data?.candidate ?? null,
      change.end,
    );
  }
  if (!own) return null;
  if (own.message.startsWith('switchover')) return planned(evidence, change.from, null, null);
  return {
    // Patroni before 3.2 writes the same words for both.
    fits: ['switchover', 'manual_failover'],
    sure: 'said',
    message: `${oldLeader(evidence)} gave up the lock on request, by a switchover or a manual failover.`,
    missing: 'the request itself: in the log of the Patroni that took it, or in a recording',
  };
}

function planned(
  evidence: StoryEvidence,
  leader: string | null,
  candidate: string | null,
  endBefore: StoryFact | null,
): CauseFound {
  const { change } = evidence;
  const to = candidate ?? change.to ?? 'another member';
  if (leader !== null) {
    const named = candidate === null ? ', without a named candidate' : '';
    return {
      fits: ['switchover'],
      sure: 'said',
      message: `A planned switchover from ${leader} to ${to}${named}.`,
    };
  }
  const after = endBefore ? `, after ${oldLeader(evidence)} had lost the lock` : '';
  return {
    fits: ['manual_failover'],
    sure: 'said',
    message: `A manual failover to ${to}${after}.`,
  };
}

/** A request that explains this change: made for this leader and candidate, and due. */
function requestFor(evidence: StoryEvidence): StoryFact | null {
  const all = evidence.before.filter(({ what }) => what === 'failover_requested');
  // A log tells only that it was asked for: what stood in the DCS was taken up. A later one replaces an earlier one.
  const last = [
    all.findLast(({ source }) => source !== 'patroni log'),
    all.findLast(({ source }) => source === 'patroni log'),
  ];
  return last.find((one) => one !== undefined && isFor(evidence, one)) ?? null;
}

function isFor(evidence: StoryEvidence, request: StoryFact): boolean {
  const { change } = evidence;
  if (isWithdrawn(evidence, request)) return false;
  const { leader = null, candidate = null, scheduledAt = null } = request.data ?? {};
  if (candidate !== null && candidate !== change.to) return false;
  if (leader !== null && leader !== change.from) return false;
  if (leader === null && candidate === null) return false;
  const due = msOf(scheduledAt);
  return due === null || change.atMs === null || due <= change.atMs + CLOCKS_MS;
}

/** It was gone before the term ended: the new leader deletes the one that it follows after it took the key. */
function isWithdrawn({ before, change }: StoryEvidence, request: StoryFact): boolean {
  const own = before.filter(({ source }) => source === request.source);
  const after = own.slice(own.indexOf(request) + 1);
  const gone = after.findIndex(({ what }) => what === 'failover_request_gone');
  const ended = after.findIndex((fact) => endsTerm(fact) && fact.member === change.from);
  return gone !== -1 && ended > gone;
}

/** By etcd's order; a request that only a log knows came first, because its member obeyed it. */
function isRequestFirst(end: StoryFact | null, request: StoryFact): boolean {
  if (!end?.revision || request.revision === null) return true;
  return BigInt(request.revision) < BigInt(end.revision);
}

/** Ends of a term that a request can have: a recording does not always see which of them it was. */
const GIVEN_UP: ReadonlySet<StoryFact['what']> = new Set<StoryFact['what']>([
  'leader_key_lost',
  'leader_key_released',
]);

/** A recording shows how the old leader went. */
function isDemotedOnRequest(evidence: StoryEvidence): boolean {
  return evidence.before.some(
    ({ what, data, member }) =>
      (what === 'patroni_demotes' &&
        data?.mode === 'graceful' &&
        member === evidence.change.from) ||
      (GIVEN_UP.has(what) && member === evidence.change.from),
  );
}
