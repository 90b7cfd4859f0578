/** Which server of a cluster answered a connection through a route. */
import type { RestStatus } from '../model/model.js';
import type { RouteAnswer } from '../model/route-model.js';
import type { MemberView, View } from '../roles/view.js';

export interface Who {
  /** leader: the primary of this cluster; primary: another server out of recovery. */
  what: 'leader' | 'primary' | 'replica' | 'other cluster' | 'unknown';
  /** null: it is not a member that is known. */
  member: MemberView | null;
}

/** Joins an answer to the members: by when its postmaster was started, else by its address. */
export function whoAnswers(view: View, answer: RouteAnswer): Who {
  const member = memberOf(view, answer);
  const known = systemIdsOf(view);
  if (answer.systemId !== null && known.length > 0 && !known.includes(answer.systemId)) {
    return { what: 'other cluster', member: null };
  }
  if (answer.systemId === null && member === null) return { what: 'unknown', member };
  if (answer.inRecovery) return { what: 'replica', member };
  return { what: isPrimaryMeant(view, answer, member) ? 'leader' : 'primary', member };
}

/** The primary that clients have to reach: the leader, else the only server that is out of recovery. */
export function primaryOf({ leader, primaries }: View): MemberView | null {
  if (leader?.observed === 'primary') return leader;
  return primaries.length === 1 ? (primaries[0] ?? null) : leader;
}

function isPrimaryMeant(view: View, answer: RouteAnswer, member: MemberView | null): boolean {
  const meant = primaryOf(view);
  if (meant === null) return false;
  if (member !== null) return member === meant;
  // It could not be recognized as a member: the leader unless something speaks against it.
  if (answer.startedAt !== null && startedOf(meant) !== null) return false;
  const timeline = meant.timeline ?? meant.member?.timeline ?? null;
  return answer.timeline === null || timeline === null || answer.timeline >= timeline;
}

function memberOf({ members }: View, answer: RouteAnswer): MemberView | null {
  const { startedAt, address, port } = answer;
  const bySame = members.find((one) => startedAt !== null && startedOf(one) === startedAt);
  if (bySame !== undefined) return bySame;
  const byAddress = members.find((one) => {
    const place = one.member ?? one.departed;
    const isThere = place !== null && place.host === address && place.port === port;
    return isThere && (startedAt === null || startedOf(one) === null);
  });
  return byAddress ?? null;
}

/** The identifiers of this cluster; empty: no witness told one. */
function systemIdsOf({ snapshot, members }: View): string[] {
  const { systemId } = snapshot.cluster;
  if (systemId !== null) return [systemId];
  const told = members.map(({ sql, rest }) =>
    sql.ok ? sql.value.systemId : rest.ok ? rest.value.systemId : null,
  );
  return told.filter((id) => id !== null);
}

/** When its postmaster was started, microseconds since 1970; null: no witness told it. */
function startedOf({ sql, rest }: MemberView): string | null {
  if (sql.ok && sql.value.startedAt) return sql.value.startedAt;
  return rest.ok ? startedByRest(rest.value) : null;
}

/** `2026-11-21 08:00:00.123456+00:00`, as Patroni writes it. */
function startedByRest({ raw }: RestStatus): string | null {
  const text = raw['postmaster_start_time'];
  const match =
    typeof text === 'string'
      ? /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?([+-]\d\d:\d\d)$/.exec(text)
      : null;
  if (!match) return null;
  const [, day = '', time = '', fraction = '', zone = ''] = match;
  const ms = Date.parse(`${day}T${time}${zone}`);
  return Number.isNaN(ms) ? null : String(ms * 1000 + Number(fraction.padEnd(6, '0')));
}
