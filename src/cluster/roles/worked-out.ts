/** What a REST API does not show and other witnesses do: Patroni's versions, and the synchronous standbys. */
import type {
  Claim,
  Cluster,
  MemberReadings,
  RestStatus,
  Snapshot,
  SyncKey,
} from '../model/model.js';
import { isSenderOf, sameName } from '../model/member-names.js';
import { parseSyncNames } from '../model/sync-standby-names.js';

/** The snapshot with what follows from all its readings together; the same one where the DCS itself was read. */
export function withWorkedOut(snapshot: Snapshot): Snapshot {
  if (!snapshot.cluster.memberAnswers) return snapshot;
  const { sync, ...cluster } = withVersions(snapshot);
  if (!sync?.fromRoles) return { ...snapshot, cluster: { ...cluster, sync } };
  const leader = snapshot.members.find(({ name }) => name === cluster.leaderName) ?? null;
  const found = workOutSync({ ...cluster, sync }, sync, leader);
  if ('why' in found) {
    const said = [cluster.cannotTell?.sync, found.why].filter(Boolean).join('; ');
    const cannotTell = { ...cluster.cannotTell, sync: said };
    return { ...snapshot, cluster: { ...cluster, sync, cannotTell } };
  }
  const cannotTell: Partial<Record<Claim, string>> = { ...cluster.cannotTell };
  delete cannotTell.sync;
  const workedOut = { ...cluster.workedOut, sync: found.from };
  return { ...snapshot, cluster: { ...cluster, sync: found.sync, cannotTell, workedOut } };
}

/** Every member reports its own version, which its key would have. */
function withVersions({ cluster, members: readings }: Snapshot): Cluster {
  const restOf = (name: string): RestStatus | null => {
    const rest = readings.find((one) => one.name === name)?.rest;
    return rest?.ok ? rest.value : null;
  };
  const members = cluster.members.map((member) => {
    const rest = restOf(member.name);
    return { ...member, version: rest?.patroniVersion ?? member.version };
  });
  return { ...cluster, members };
}

type WorkedOut = { sync: SyncKey; from: string } | { why: string };

/**
 * `/sync` by the rule that Patroni keeps in the steady state (vote-rules.ts): PostgreSQL on the leader waits for
 * exactly the standbys of /sync, and the quorum is their number less those that a commit waits for.
 * If they differ, a change is under way or Patroni did not write it, and /sync stays unknown.
 */
function workOutSync(cluster: Cluster, sync: SyncKey, leader: MemberReadings | null): WorkedOut {
  const { leaderName, config } = cluster;
  if (leaderName === null || leader === null) return { why: 'there is no leader to ask' };
  const { standbys } = sync;
  if (standbys.length === 0) return { why: 'no member has the role of a synchronous standby' };
  const known = { leader: leaderName, standbys, modRevision: sync.modRevision };
  const isQuorum = config?.syncMode === 'quorum';
  if (!leader.sql.ok) {
    if (!isQuorum && isSyncByRows(leader, standbys)) {
      const from = `roles in GET /cluster, and sync_state in GET /patroni of ${leaderName}`;
      return { sync: { ...known, quorum: 0 }, from };
    }
    return { why: `synchronous_standby_names of ${leaderName} was not read (SQL)` };
  }
  const value = leader.sql.value.settings['synchronous_standby_names']?.value ?? '';
  const names = parseSyncNames(value);
  const isSame =
    names !== null &&
    names.names.length === standbys.length &&
    names.method === (isQuorum ? 'any' : 'first') &&
    standbys.every((name) => names.names.some((other) => sameName(other, name)));
  if (!isSame) {
    return {
      why: `synchronous_standby_names of ${leaderName} is '${value}', the roles name ${standbys.join(', ')}`,
    };
  }
  const quorum = isQuorum ? standbys.length - names.num : 0;
  const from = `roles in GET /cluster, and synchronous_standby_names of ${leaderName}: '${value}'`;
  return { sync: { ...known, quorum }, from };
}

/** Exactly the standbys of /sync have a walsender that a commit waits for. */
function isSyncByRows({ rest }: MemberReadings, standbys: readonly string[]): boolean {
  if (!rest.ok) return false;
  const rows = (rest.value.replication ?? []).filter(({ syncState }) => syncState === 'sync');
  return (
    rows.length === standbys.length &&
    standbys.every((name) => rows.some((row) => isSenderOf(row.applicationName, name)))
  );
}
