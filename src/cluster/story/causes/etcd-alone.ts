/** What follows from etcd's past alone. */
import type { StoryEvidence } from '../story-evidence.js';
import type { StoryFact } from '../story-model.js';
import {
  deletedKey,
  MISSING_ALL,
  oldLeader,
  POSTGRES_LOST,
  type CauseFound,
} from './cause-found.js';
import { isLeaseOfNextLost, leasesOfOthers } from './dcs-lost.js';

export function released(evidence: StoryEvidence): CauseFound | null {
  const { change } = evidence;
  if (change.end?.what !== 'leader_key_released') return null;
  const name = oldLeader(evidence);
  const at = change.etcd.indexOf(change.end);
  const own = ({ what, member }: StoryFact): boolean =>
    what === 'member_state' && member === change.from;
  const states = change.etcd.slice(0, at).filter(own);
  const after = change.etcd
    .slice(at + 1)
    .find(
      (fact) => own(fact) || (fact.what === 'member_key_expired' && fact.member === change.from),
    );
  if (isDemotedSince(change.etcd.slice(0, at), change.from)) {
    return {
      fits: ['demoted_to_standby_cluster'],
      sure: 'inferred',
      message: 'The cluster was demoted to a standby cluster.',
    };
  }
  const wellAt = states.findLastIndex(({ data }) => data?.state === 'running');
  const near = [...states.slice(wellAt + 1), after];
  if (near.some((fact) => /crash|fail/.test(fact?.data?.state ?? ''))) {
    return {
      fits: [...POSTGRES_LOST, 'postgres_start_failed'],
      sure: 'inferred',
      message: `PostgreSQL of ${name} crashed or could not be started, and Patroni there gave up the lock.`,
      missing: "PostgreSQL's log of the old leader",
    };
  }
  return afterRelease(evidence, after) ?? deletedKey(name);
}

/** The configuration made it a standby cluster, and its leader was not yet one of that. */
function isDemotedSince(etcd: readonly StoryFact[], leader: string | null): boolean {
  const configAt = etcd.findLastIndex(({ what }) => what === 'config_changed');
  if (etcd[configAt]?.data?.mode !== 'standby_cluster') return false;
  return !etcd
    .slice(configAt)
    .some(({ member, data }) => member === leader && data?.role === 'standby_leader');
}

/** Patroni writes its member key as soon as it has given up the lock. */
function afterRelease(evidence: StoryEvidence, after: StoryFact | undefined): CauseFound | null {
  const { change } = evidence;
  const name = oldLeader(evidence);
  const taken = change.taken === null ? Infinity : change.etcd.indexOf(change.taken);
  if (after?.what !== 'member_state' || change.etcd.indexOf(after) >= taken) return null;
  const { state = '', role = '' } = after.data ?? {};
  if (state === 'stopped' && isPrimary(role)) {
    return {
      fits: ['patroni_stopped'],
      sure: 'inferred',
      message: `Patroni on ${name} was stopped (its service or its host was shut down): it stopped PostgreSQL and deleted the leader key itself.`,
    };
  }
  if (role === 'demoted') {
    return {
      fits: [...POSTGRES_LOST, 'postgres_start_failed', 'postgres_start_timeout', 'watchdog'],
      sure: 'inferred',
      message: `Patroni on ${name} demoted itself and deleted the leader key; no request for it was recorded.`,
      missing: MISSING_ALL,
    };
  }
  return null;
}

const isPrimary = (role: string): boolean =>
  role === 'primary' || role === 'master' || role === 'promoted';

export function expired(evidence: StoryEvidence): CauseFound | null {
  const { change } = evidence;
  if (change.end?.what !== 'leader_key_expired' && change.end?.what !== 'leader_key_lost')
    return null;
  const name = oldLeader(evidence);
  if (isLeaseOfNextLost(change)) {
    return {
      fits: ['dcs_unreachable'],
      sure: 'inferred',
      message: `The keys of ${name} and of other members ended at the same time: the DCS did not serve them within ttl.`,
    };
  }
  const others = leasesOfOthers(change.etcd, change.end);
  const names = [...new Set(others.map(({ member }) => member ?? ''))].sort();
  const also = names.length > 0 ? `, as ${names.join(' and ')} at the same time,` : '';
  return {
    fits: [
      'patroni_killed',
      'node_lost',
      'patroni_frozen',
      'leader_cut_off',
      'postgres_hung',
      'shutdown_too_slow',
      ...(others.length > 0 ? (['dcs_unreachable'] as const) : []),
    ],
    sure: 'inferred',
    message: `${name}${also} did not renew its lease within ttl; the DCS does not show why.`,
    missing: MISSING_ALL,
  };
}
