/** Versions that patctl was never tried on: what it does not know there is kept, and said with --debug. */
import type { Snapshot } from '../cluster/model/model.js';
import { NEWEST_PATRONI, NEWEST_POSTGRES } from '../build-info.js';

/** One line for each version that is newer than the newest known, naming the members that run it. */
export function newerVersions(snapshots: readonly Snapshot[]): string[] {
  const members = new Map<string, string[]>();
  const note = (what: string, name: string) =>
    members.set(what, [...(members.get(what) ?? []), name]);
  for (const { cluster, members: readings } of snapshots) {
    for (const { name, version } of cluster.members) {
      if (version !== null && isNewer(version, NEWEST_PATRONI))
        note(`Patroni ${version}, newer than ${NEWEST_PATRONI}`, name);
    }
    for (const { name, rest, sql } of readings) {
      const number = sql.ok ? sql.value.serverVersion : rest.ok ? rest.value.serverVersion : null;
      const major = Math.trunc((number ?? 0) / 10_000);
      if (major > NEWEST_POSTGRES) note(`PostgreSQL ${major}, newer than ${NEWEST_POSTGRES}`, name);
    }
  }
  return [...members].map(
    ([what, names]) => `${names.join(', ')}: ${what}, the newest that patctl was tested with`,
  );
}

function isNewer(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split('.').map((part) => parseInt(part, 10)));
  for (const at of [0, 1, 2]) {
    const difference = (a?.[at] ?? 0) - (b?.[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
