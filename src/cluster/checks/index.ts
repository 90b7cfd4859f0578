/** Every finding of a snapshot. A new check is a function and a row here. */
import type { Finding, Severity } from '../model.js';
import type { View } from '../roles.js';
import {
  failsafeActive,
  leaderUnreachable,
  lockWithoutPrimary,
  memberSilent,
  noLeader,
  primaryWithoutLock,
  twoPrimaries,
} from './leadership.js';
import { notStreaming, wrongUpstream } from './replication.js';
import {
  commitsBlocked,
  commitsBlockedOverRest,
  duplicateApplicationName,
  syncEmpty,
  syncInStandbyCluster,
  syncLeaderStale,
  syncNamesOverridden,
  syncRoleMismatch,
  syncUnclaimed,
} from './sync.js';

const CHECKS: ((view: View) => Finding[])[] = [
  twoPrimaries,
  primaryWithoutLock,
  noLeader,
  lockWithoutPrimary,
  leaderUnreachable,
  memberSilent,
  failsafeActive,
  syncRoleMismatch,
  syncLeaderStale,
  syncNamesOverridden,
  syncEmpty,
  syncUnclaimed,
  commitsBlocked,
  commitsBlockedOverRest,
  duplicateApplicationName,
  syncInStandbyCluster,
  notStreaming,
  wrongUpstream,
];

const ORDER: Severity[] = ['critical', 'unknown', 'warning', 'info'];

/** Worst first; none when --verify off left nothing to compare. */
export function findings(view: View): Finding[] {
  if (view.snapshot.verify === 'off') return [];
  return CHECKS.flatMap((check) => check(view)).sort(
    (a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity),
  );
}
