/** What the logs of other members say of the old leader. */
import type { StoryEvidence } from '../story-evidence.js';
import type { StoryFact } from '../story-model.js';
import { msOf } from '../term-changes.js';
import { MISSING_ALL, oldLeader, POSTGRES_LOST, type CauseFound } from './cause-found.js';
import { isLeaseOfNextLost } from './dcs-lost.js';

export function silentToOthers(evidence: StoryEvidence): CauseFound | null {
  const { change, before } = evidence;
  const name = oldLeader(evidence);
  const told = before.findLast(
    ({ what, member, source }) =>
      (what === 'member_silent' || what === 'member_answers') &&
      member === change.from &&
      source !== 'etcd',
  );
  if (!told || change.end?.what === 'leader_key_released') return null;
  const toldMs = msOf(told.until ?? told.at) ?? 0;
  if (toldMs < (change.sinceMs ?? change.atMs ?? 0) - RACE_MS) return null;
  if (told.what === 'member_answers') return ranUntilTheEnd(evidence, told);
  if (told.data?.how === 'refused') {
    return {
      fits: change.end
        ? ['patroni_killed', 'node_lost']
        : ['patroni_killed', 'node_lost', 'patroni_stopped'],
      sure: 'inferred',
      message: `Patroni on ${name} did not run any more: its port was closed when another member took the lock.`,
      missing: MISSING_ALL,
    };
  }
  return {
    fits: [
      'patroni_frozen',
      'node_lost',
      'leader_cut_off',
      'postgres_hung',
      'shutdown_too_slow',
      ...(change.end ? [] : (['key_deleted'] as const)),
    ],
    sure: 'inferred',
    message: `Patroni on ${name} did not answer when another member took the lock.`,
    missing: MISSING_ALL,
  };
}

/** A replica asks the old leader just before it takes the lock; what it heard earlier was on another occasion. */
const RACE_MS = 30_000;

/** Without the end of its key nearly everything fits a Patroni that runs: then no cause is named. */
function ranUntilTheEnd(evidence: StoryEvidence, { data }: StoryFact): CauseFound {
  const { change } = evidence;
  const name = oldLeader(evidence);
  const ran = `Patroni on ${name} still answered when another member took the lock`;
  if (isLeaseOfNextLost(change)) {
    return {
      fits: ['dcs_unreachable'],
      sure: 'inferred',
      message: `${ran}: it ran, and the DCS did not keep the keys.`,
    };
  }
  if (change.end?.what === 'leader_key_expired') {
    return {
      fits: ['leader_cut_off', 'dcs_unreachable'],
      sure: 'inferred',
      message: `${ran}: it ran, and did not renew its lease.`,
      missing: MISSING_ALL,
    };
  }
  if (/crash|start failed/.test(data?.state ?? '')) {
    return {
      fits: [...POSTGRES_LOST, 'postgres_start_failed'],
      sure: 'inferred',
      message: `PostgreSQL of ${name} had crashed or could not be started, by what Patroni there answered.`,
      missing: "PostgreSQL's log of the old leader",
    };
  }
  const isDemoted = data?.role === 'demoted';
  return {
    fits: [],
    sure: 'said',
    message: `${ran}${isDemoted ? ', and had demoted itself' : ''}; why it gave up the lock is not recorded.`,
    missing: MISSING_ALL,
  };
}
