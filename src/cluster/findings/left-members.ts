/** Members that left unannounced, and the row of a list for each. */
import { absentMembers, type Absent } from '../roles/absent.js';
import type { Reading } from '../model/model.js';
import type { MemberView, View } from '../roles/view.js';
import { DEFAULT_LIMITS } from './limits.js';

/** Those that left within `maxAbsenceMs`, or whose PostgreSQL runs on. */
export function leftMembers(view: View, maxAbsenceMs: number): Absent[] {
  return absentMembers(view).filter(
    (one) => one.isAlive || (one.atLeastMs <= maxAbsenceMs && isTold(one, maxAbsenceMs)),
  );
}

/** A leader of long ago that nothing else speaks of has left at an unknown time. */
function isTold({ departed, evidence, atMostMs }: Absent, maxAbsenceMs: number): boolean {
  const isHistoryOnly =
    departed === null && evidence.every(({ subject }) => subject === '/history');
  return !isHistoryOnly || (atMostMs !== null && atMostMs <= maxAbsenceMs);
}

const NOT_ASKED: Reading<never> = {
  ok: false,
  kind: 'no_address',
  reason: 'its address is unknown',
};

/** A row each for those that left and give no sign of life; the others are in the view already. */
export function leftViews(view: View): MemberView[] {
  if (view.snapshot.verify === 'off') return [];
  return leftMembers(view, DEFAULT_LIMITS.maxAbsenceMs)
    .filter(({ view: own }) => own === null)
    .map(({ name, departed }): MemberView => ({
      name,
      member: null,
      departed,
      claimed: null,
      observed: departed === null ? 'unknown' : 'unreachable',
      witness: null,
      rest: departed?.rest ?? NOT_ASKED,
      sql: departed?.sql ?? NOT_ASKED,
      row: null,
      rows: [],
      streams: [],
      syncState: '',
      timeline: null,
      timelineIsLeast: false,
      position: null,
      replayed: null,
      lagBytes: null,
      replayLagBytes: null,
    }));
}
