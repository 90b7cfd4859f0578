/** From where on a quantity is a finding. */
import type { View } from '../roles/view.js';

export interface Limits {
  /** Behind the leader; null: the cluster's maximum_lag_on_failover. */
  maxLagBytes: number | null;
  /** Null: a pause is never too long. */
  maxPauseMs: number | null;
  /** Fewer answering members make `member_unreachable` critical. */
  minMembers: number;
  maxCreatingMs: number;
  /** A member that left longer ago is not missed any more. */
  maxAbsenceMs: number;
  /** WAL that an inactive slot may keep; null: half of max_slot_wal_keep_size, or 1 GiB. */
  maxSlotRetainBytes: number | null;
  certWarningDays: number;
  certCriticalDays: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxLagBytes: null,
  maxPauseMs: null,
  minMembers: 1,
  maxCreatingMs: 6 * 3_600_000,
  maxAbsenceMs: 24 * 3_600_000,
  maxSlotRetainBytes: null,
  certWarningDays: 21,
  certCriticalDays: 3,
};

const PATRONI_MAXIMUM_LAG = 1_048_576;

export function maxLagBytes({ snapshot }: View, limits: Limits): number {
  const { config } = snapshot.cluster;
  return limits.maxLagBytes ?? config?.maximumLagOnFailoverBytes ?? PATRONI_MAXIMUM_LAG;
}

/** Wall clock of the reading, ms since 1970. */
export function readAtMs({ snapshot }: View): number {
  return Date.parse(snapshot.takenAt);
}

/** Since the earlier reading; null when there is none. */
export function sincePreviousMs({ snapshot }: View): number | null {
  const { previous, takenAt } = snapshot;
  return previous === null ? null : Date.parse(takenAt) - Date.parse(previous.takenAt);
}

/** PostgreSQL's and Patroni's timestamps -> ms since 1970; null when unreadable. */
export function timestampMs(text: unknown): number | null {
  if (typeof text !== 'string') return null;
  const ms = Date.parse(
    text
      .trim()
      .replace(' ', 'T')
      .replace(/([+-]\d\d)$/, '$1:00'),
  );
  return Number.isNaN(ms) ? null : ms;
}
