/** The old leader could not reach the DCS: it alone, or others too. */
import { CLOCKS_MS, oldSaid, oldSaidLast, type StoryEvidence } from '../story-evidence.js';
import type { StoryFact } from '../story-model.js';
import { msOf, type TermChange } from '../term-changes.js';
import { oldLeader, saidCause, type CauseFound } from './cause-found.js';

export function heldByFailsafe(evidence: StoryEvidence): CauseFound | null {
  const { change } = evidence;
  if (change.from === null || change.from !== change.to) return null;
  if (!oldSaidLast(evidence, 'failsafe_holds')) return null;
  return saidCause(
    'dcs_unreachable',
    `The DCS could not be reached; ${change.from} stayed the leader by failsafe mode and took the lock again.`,
  );
}

export function lostDcs(evidence: StoryEvidence): CauseFound | null {
  const { change } = evidence;
  const name = oldLeader(evidence);
  const trouble = oldSaidLast(evidence, 'demoted_without_dcs', 'dcs_unreachable', 'dcs_unseen');
  if (!trouble) return null;
  const began = Math.min(msOf(trouble.at) ?? Infinity, change.atMs ?? Infinity);
  const scope = whoElse(evidence, began);
  const demoted = oldSaid(evidence, 'demoted_without_dcs') ? ' and demoted itself' : '';
  if (scope === 'all') {
    return saidCause(
      'dcs_unreachable',
      `The DCS could not be reached by ${name} and other members${demoted === '' ? '' : `; ${name} demoted itself`}.`,
    );
  }
  if (scope === 'old only') {
    return saidCause(
      'leader_cut_off',
      `${name} could not reach the DCS${demoted}, while others could.`,
    );
  }
  return {
    fits: ['leader_cut_off', 'dcs_unreachable'],
    sure: 'said',
    message: `${name} could not reach the DCS${demoted}; whether others could is not recorded.`,
    missing: "the log of another member's Patroni, or a recording",
  };
}

/** Whether others could not reach the DCS either while the old leader could not. */
function whoElse({ facts, change }: StoryEvidence, beganMs: number): 'all' | 'old only' | null {
  const endMs = change.atMs ?? Infinity;
  const during = ({ at, until }: StoryFact): boolean =>
    (msOf(until) ?? msOf(at) ?? 0) >= beganMs - CLOCKS_MS &&
    (msOf(at) ?? Infinity) <= endMs + CLOCKS_MS;
  const others = facts.filter(({ member }) => member !== change.from);
  if (isLeaseOfNextLost(change)) return 'all';
  const lost = others.filter((fact) => NO_DCS.has(fact.what) && during(fact));
  const ends = lossesAfter(lost, beganMs);
  const seen = others.filter((fact) => isReaching(fact, change.from, beganMs));
  const reaching = seen.filter((fact) => ends(fact) === null);
  // A replica that follows in a loop has read the DCS in it; that it answers a recorder says less.
  if (reaching.some(({ what }) => what === 'patroni_follows')) return 'old only';
  if (lost.some((fact) => (msOf(fact.at) ?? Infinity) <= beganMs + noticedMs(others, fact)))
    return 'all';
  // What others lost only later may be another occasion.
  if (seen.some((fact) => ends(fact) === 'soon')) return 'all';
  return reaching.length > 0 ? 'old only' : null;
}

/**
 * Each notices it in its own loop, up to loop_wait and retry_timeout after the others ('soon'). One that followed
 * for longer reached the DCS (null), whatever came later. What is between them tells nothing ('late'), and one
 * that only answered a recorder tells nothing either.
 */
function lossesAfter(lost: readonly StoryFact[], beganMs: number) {
  return (fact: StoryFact): 'soon' | 'late' | null => {
    const lastMs = msOf(fact.until ?? fact.at) ?? 0;
    const untilMs = beganMs + Math.max(NOTICED_MS, NOTICED_LOOPS * loopMs(fact));
    const after = lost.filter((one) => one.member === fact.member && (msOf(one.at) ?? 0) >= lastMs);
    if (after.some((one) => (msOf(one.at) ?? 0) <= untilMs)) return 'soon';
    const isLate = fact.source === 'recording' || lastMs <= untilMs;
    return after.length > 0 && isLate ? 'late' : null;
  };
}

/** By the loops of that member before its loss; long ones are a fact each, with a silence between them. */
function noticedMs(others: readonly StoryFact[], { member, at }: StoryFact): number {
  const loops = others.filter(
    (one) =>
      one.what === 'patroni_follows' &&
      one.member === member &&
      (msOf(one.until ?? one.at) ?? Infinity) <= (msOf(at) ?? 0),
  );
  const [first, last] = [loops[0], loops.at(-1)];
  if (!first || !last) return NOTICED_MS;
  const times = loops.reduce((sum, one) => sum + (one.times ?? 1), 0);
  const all = { ...first, until: last.until ?? last.at ?? '', times };
  return Math.max(NOTICED_MS, NOTICED_LOOPS * loopMs(all));
}

const loopMs = ({ at, until, times = 1 }: StoryFact): number =>
  times > 1 ? ((msOf(until ?? at) ?? 0) - (msOf(at) ?? 0)) / (times - 1) : 0;

/** loop_wait and retry_timeout are 10 s by default; with a longer loop_wait retry_timeout is longer as well. */
const NOTICED_MS = 25_000;
const NOTICED_LOOPS = 2.5;

/** It began before the old leader could not reach the DCS, and went on longer. */
function isReaching(fact: StoryFact, leader: string | null, beganMs: number): boolean {
  const { what, source, data, times = 1, at, until } = fact;
  const isFollowing = what === 'patroni_follows' && times > 1 && data?.leader === leader;
  // One that did not reach the DCS, or did not answer, is told as that.
  const isWatched = source === 'recording' && what === 'member_answers' && times > 1;
  const lasts = (msOf(at) ?? Infinity) <= beganMs && (msOf(until ?? at) ?? 0) > beganMs + CLOCKS_MS;
  return lasts && (isFollowing || isWatched);
}

const NO_DCS: ReadonlySet<StoryFact['what']> = new Set<StoryFact['what']>([
  'dcs_unreachable',
  'dcs_unseen',
  'dcs_silent',
  'failsafe_holds',
]);

/**
 * The key of the next leader ended with its lease too, just before or after the old leader's: etcd served neither. Where
 * only keys of others ended, nodes may have been lost together.
 */
export function isLeaseOfNextLost({ etcd, end, from, to }: TermChange): boolean {
  const others = leasesOfOthers(etcd, end);
  return others.some(({ member }) => to === null || to === from || member === to);
}

/** Keys of other members that ended with their leases just before or after the leader's. */
export function leasesOfOthers(etcd: readonly StoryFact[], end: StoryFact | null): StoryFact[] {
  if (end?.what !== 'leader_key_expired') return [];
  const at = etcd.indexOf(end);
  const near = etcd.slice(Math.max(0, at - NEAR_FACTS), at + NEAR_FACTS);
  return near.filter(
    ({ what, revision, data }) =>
      what === 'member_key_expired' &&
      data?.state !== 'stopped' &&
      Math.abs(Number(BigInt(revision ?? 0) - BigInt(end.revision ?? 0))) <= NEAR_REVISIONS,
  );
}

const NEAR_FACTS = 8;
const NEAR_REVISIONS = 8;
