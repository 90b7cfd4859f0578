/** The members of a cluster as rows of a menu. Pure. */
import type { Snapshot } from '../../cluster/model/model.js';
import { viewOf, type MemberView } from '../../cluster/roles/view.js';
import type { Selected } from '../../cluster/select-members.js';
import { bytes } from '../../output/bytes.js';
import type { MenuRow } from '../../output/menu-screen.js';

/** The value of the row that stands for all of them. */
export const ALL = 'all';

/** A row a member; its value is where it stands in `members`, because names of Citus groups may be the same. */
export function memberRows(
  members: readonly Selected[],
  snapshots: readonly Snapshot[],
): MenuRow[] {
  const views = new Map(
    snapshots.map((snapshot) => [snapshot.cluster.group, viewOf(snapshot).members]),
  );
  return members.map(({ cluster, member }, at) => {
    const { name, state, pendingRestart } = member;
    const view = views.get(cluster.group)?.find((one) => one.name === name && !one.departed);
    const isLeader = name === cluster.leaderName;
    const group = cluster.group === null ? [] : [`group ${cluster.group}`];
    const pending = pendingRestart ? ['restart pending'] : [];
    const lag = isLeader || view === undefined ? '' : lagWords(view);
    const sync = isLeader || view === undefined ? '' : syncWords(view);
    const cells = [...group, lag, sync, isLeader ? 'leader' : state || 'no state'];
    return { value: String(at), name, cells: [...cells, pending.join('')], details: [] };
  });
}

/** The row that stands for every member. */
export function allRow(members: readonly Selected[]): MenuRow {
  const { length } = members;
  const grouped = members.some(({ cluster }) => cluster.group !== null);
  const cells = [...(grouped ? [''] : []), '', '', `every member: ${length}`, ''];
  return { value: ALL, name: ALL, cells, details: [] };
}

/** Before Patroni 3 a replica that streams is "running". */
const GOES_WELL = new Set(['streaming', 'running']);

/** The first member that does not stream: that is why one is rebuilt. Null: all of them do. */
export function firstToRebuild(members: readonly Selected[]): string | null {
  const at = members.findIndex(({ member }) => !GOES_WELL.has(member.state));
  return at < 0 ? null : String(at);
}

/** What is seen of its lag by the witnesses, not what it says of itself. */
export function lagWords(view: MemberView | undefined): string {
  const lag = view?.lagBytes ?? null;
  return lag === null ? 'lag unknown' : `lag ${bytes(lag)}`;
}

export function syncWords(view: MemberView | undefined): string {
  return view === undefined || view.syncState === '' ? 'unknown' : view.syncState;
}
