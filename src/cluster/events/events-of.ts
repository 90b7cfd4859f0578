/** eventsOf: what happened between two looks at one cluster. Pure; the order of the events is always the same. */
import type { Snapshot } from '../model/model.js';
import type { ClusterEvent } from './event-model.js';
import { lookedAt, type Looking, type NewEvent } from './event-kit.js';
import { claimEvents } from './claim-events.js';
import { configEvents } from './config-events.js';
import { findingEvents } from './finding-events.js';
import { memberEvents } from './member-events.js';

/**
 * Every change from one snapshot to the next of the same cluster, by the clock of `at` (ISO 8601 UTC); none without
 * an earlier one. Where a witness is silent in one of them nothing is made of its silence but `member_silent`: a
 * role, a state or a finding has changed only if both snapshots tell it.
 */
export function eventsOf(before: Snapshot | null, now: Snapshot, at: string): ClusterEvent[] {
  if (before === null) return [];
  const [a, b] = [lookedAt(before), lookedAt(now)];
  return [claimEvents, memberEvents, configEvents, findingEvents]
    .flatMap((part: (a: Looking, b: Looking) => NewEvent[]) => part(a, b))
    .map(({ code, severity, ...rest }) => ({ code, at, severity, ...rest }));
}

/** The DCS could not be read; `reason` is the message of the error. */
export function dcsSilent(reason: string, at: string): ClusterEvent {
  return {
    code: 'dcs_silent',
    at,
    severity: 'critical',
    revision: null,
    members: [],
    message: `the DCS does not answer: ${reason}`,
    evidence: [{ witness: 'DCS', subject: 'the DCS', said: reason }],
  };
}

/** The DCS could be read again. */
export function dcsAnswers({ cluster }: Snapshot, at: string): ClusterEvent {
  const { revision } = cluster;
  return {
    code: 'dcs_answers',
    at,
    severity: 'info',
    revision,
    members: [],
    message: 'the DCS answers again',
    evidence: [{ witness: 'DCS', subject: 'the DCS', said: `revision ${revision}` }],
  };
}
