/** Words that several checks share. */
import { DEFAULT_TIMES } from '../model/loop-times.js';
import { formatLsn } from '../model/lsn.js';
import type { Cluster, Reading, Witnessed } from '../model/model.js';
import type { MemberView, StreamRow, View } from '../roles/view.js';

export function leaderKeySays(cluster: Cluster): Witnessed {
  const { leaderName, leaderClaim: claim } = cluster;
  if (claim?.expired) {
    const age = durationText(claim.ageMs ?? 0);
    const said = `held by ${claim.name}, expired: renewed ${age} ago, ttl ${claim.ttlSeconds ?? DEFAULT_TIMES.ttlSeconds} s`;
    return { witness: 'DCS', subject: '/leader', said };
  }
  const said = leaderName === null ? 'no such key' : `held by ${leaderName}`;
  return { witness: 'DCS', subject: '/leader', said };
}

export function syncKeySays(cluster: Cluster): Witnessed {
  const { sync } = cluster;
  if (sync === null) return { witness: 'DCS', subject: '/sync', said: 'no such key' };
  if (sync.fromRoles && sync.unreadable) {
    const roles = sync.standbys.length > 0 ? list(sync.standbys) : 'no member';
    const said = `not read; GET /cluster shows ${roles} as synchronous`;
    return { witness: 'DCS', subject: '/sync', said };
  }
  if (sync.unreadable) return { witness: 'DCS', subject: '/sync', said: 'cannot be read' };
  const standbys = sync.standbys.length > 0 ? sync.standbys.join(',') : 'none';
  const said = `leader ${sync.leader ?? 'none'}, standbys ${standbys}, quorum ${sync.quorum}`;
  return { witness: 'DCS', subject: '/sync', said };
}

/** What was seen of a member's role, or why nothing was. */
export function roleSeen(view: MemberView): Witnessed {
  const { name, observed, witness } = view;
  if (witness === null) {
    return { witness: 'REST', subject: name, said: `${observed}: ${silence(view)}` };
  }
  const where = view.position === null ? '' : `, at ${formatLsn(view.position)}`;
  const timeline = view.timeline === null ? '' : `, timeline ${view.timeline}`;
  return { witness, subject: name, said: `${observed}${timeline}${where}` };
}

type Readings = Pick<MemberView, 'rest' | 'sql'>;

/** The witnesses that were asked and are silent, and why. */
export function silentWitnesses({
  rest,
  sql,
}: Readings): { witness: 'REST' | 'SQL'; reason: string }[] {
  const why = (witness: 'REST' | 'SQL', reading: Reading<unknown>) =>
    reading.ok || reading.kind === 'off' ? [] : [{ witness, reason: reading.reason }];
  return [...why('REST', rest), ...why('SQL', sql)];
}

/** Why no witness spoke of a member. */
export function silence(readings: Readings): string {
  const why = silentWitnesses(readings).map(({ witness, reason }) => `${witness} ${reason}`);
  return why.join('; ') || 'not asked';
}

/** What pg_stat_replication says of a member. */
export function rowSeen(view: MemberView, whole: View): Witnessed {
  const { row, name, syncState } = view;
  if (row) {
    const said = `${name} is ${row.state ?? 'in an unknown state'}, sync_state ${row.syncState ?? 'unknown'}`;
    return { witness: row.witness, subject: `${row.upstream} pg_stat_replication`, said };
  }
  const upstream = whole.leader?.name ?? 'leader';
  const witness = whole.leader?.witness ?? 'REST';
  const said = syncState === 'absent' ? `no row for ${name}` : 'not read';
  return { witness, subject: `${upstream} pg_stat_replication`, said };
}

export function rowText(row: StreamRow): string {
  return `${row.applicationName} from ${row.clientAddr ?? 'a local socket'} is ${row.syncState ?? 'unknown'}`;
}

export function list(names: readonly string[]): string {
  return names.join(', ');
}

/** Below this bytes are counted exactly. */
export const FEW_BYTES = 10_000;
const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Exact while few, then in binary units with one decimal. */
export function bytesText(count: number | null): string {
  if (count === null) return 'an unknown amount';
  if (count < FEW_BYTES) return `${count} bytes`;
  let size = count / 1024;
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

export function durationText(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 120) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3600)} h`
    : `${Math.round(seconds / 86_400)} days`;
}
