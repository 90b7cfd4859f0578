/** Synchronous replication: what /sync promises against what pg_stat_replication does. */
import { commandLine } from '../model/command-line.js';
import { isListed, sameName, sendersOf } from '../model/member-names.js';
import type { Cluster, Finding } from '../model/model.js';
import { type MemberView, type View } from '../roles/view.js';
import { parseSyncNames } from '../model/sync-standby-names.js';
import { readTags } from '../model/tags.js';
import { isObject } from '../model/patroni-values.js';
import { list, rowSeen, rowText, syncKeySays } from './evidence.js';

/** Patroni before 3.3.1 shows /sync of a standby cluster although it has no effect there. */
function showsSyncInStandbyCluster(cluster: Cluster): boolean {
  return cluster.members.some(({ version }) => {
    const [major = 0, minor = 0, patch = 0] = (version ?? '').split('.').map(Number);
    return major > 0 && (major < 3 || (major === 3 && (minor < 3 || (minor === 3 && patch < 1))));
  });
}

function inSyncKey(cluster: Cluster, name: string): boolean {
  return cluster.sync !== null && isListed(cluster.sync.standbys, name);
}

/** Whether a member is shown as synchronous because of /sync. */
function syncIsClaimed(cluster: Cluster): boolean {
  const { config } = cluster;
  if (!config || config.syncMode === 'off') return false;
  return config.standbyCluster === null || showsSyncInStandbyCluster(cluster);
}

function syncIsActive(cluster: Cluster): boolean {
  const { config } = cluster;
  return config !== null && config.syncMode !== 'off' && config.standbyCluster === null;
}

export function syncRoleMismatch(view: View): Finding[] {
  const { cluster } = view.snapshot;
  if (!syncIsClaimed(cluster)) return [];
  return view.members
    .filter(({ name, member }) => member !== null && name !== cluster.leaderName)
    .filter(({ name }) => inSyncKey(cluster, name))
    .filter(({ syncState }) => ['async', 'potential', 'absent'].includes(syncState))
    .map((one) => ({
      code: 'sync_role_mismatch',
      severity: 'critical',
      members: [one.name],
      message: `the DCS says ${one.name} is synchronous, PostgreSQL on ${one.row?.upstream ?? view.leader?.name ?? 'the leader'} says ${one.syncState}`,
      evidence: [syncKeySays(cluster), rowSeen(one, view)],
      next: `do not assume that ${one.name} has every commit; check synchronous_standby_names on the primary`,
    }));
}

export function syncUnclaimed(view: View): Finding[] {
  const { cluster } = view.snapshot;
  // What cannot be read may well know it.
  if (cluster.sync?.unreadable || cluster.config?.unreadable) return [];
  return view.members
    .filter(({ member }) => member !== null)
    .filter(({ syncState }) => syncState === 'sync' || syncState === 'quorum')
    .filter(({ name }) => !(syncIsActive(cluster) && inSyncKey(cluster, name)))
    .map((one) => ({
      code: 'sync_unclaimed',
      severity: 'warning',
      members: [one.name],
      message: `PostgreSQL on ${one.row?.upstream ?? 'the leader'} says ${one.name} is ${one.syncState}, but the DCS does not list it`,
      evidence: [syncKeySays(cluster), rowSeen(one, view)],
      next: whereNamesComeFrom(view),
    }));
}

export function syncEmpty(view: View): Finding[] {
  const { cluster } = view.snapshot;
  if (!syncIsActive(cluster) || cluster.sync?.unreadable) return [];
  if ((cluster.sync?.standbys.length ?? 0) > 0) return [];
  const streaming = (view.leaderRows ?? []).filter(
    (row) => row.state === 'streaming' && canBeSync(view, row.applicationName),
  );
  if (streaming.length === 0) return [];
  return [
    {
      code: 'sync_empty',
      severity: 'critical',
      members: [],
      message: `synchronous_mode is on and /sync lists no standby, although replicas stream (${streaming.length}): no member can take over if the leader is lost`,
      evidence: [
        syncKeySays(cluster),
        ...streaming.map((row) => ({
          witness: row.witness,
          subject: `${row.upstream} pg_stat_replication`,
          said: rowText(row),
        })),
      ],
      next: 'check whether synchronous_standby_names is overridden (ALTER SYSTEM, another file); until then Patroni cannot manage it',
    },
  ];
}

/** Patroni looks for the member's name as it is, not as PostgreSQL changes it. */
function canBeSync(view: View, applicationName: string): boolean {
  const one = view.members.find(({ name }) => sameName(name, applicationName));
  if (!one?.member) return false;
  const { nosync, nostream } = readTags(one.member.tags);
  return !nosync && !nostream;
}

export function syncLeaderStale(view: View): Finding[] {
  const { cluster } = view.snapshot;
  const { sync, leaderName } = cluster;
  if (!syncIsActive(cluster) || !sync?.leader || leaderName === null) return [];
  if (sameName(sync.leader, leaderName)) return [];
  return [
    {
      code: 'sync_leader_stale',
      severity: 'critical',
      members: [sync.leader],
      message: `/sync was written for ${sync.leader}, but ${leaderName} is the leader: do not rely on its standbys`,
      evidence: [
        syncKeySays(cluster),
        { witness: 'DCS', subject: '/leader', said: `held by ${leaderName}` },
      ],
      next: `find out why Patroni on ${leaderName} does not write /sync (frozen, or cannot reach the DCS)`,
    },
  ];
}

/** The setting in force on the leader comes from elsewhere than the file that Patroni writes. */
function overridingFile({ leader }: View): { value: string; file: string } | null {
  if (!leader?.sql.ok) return null;
  const setting = leader.sql.value.settings['synchronous_standby_names'];
  const file = setting?.sourcefile ?? null;
  if (!setting || file === null || /(^|\/)postgresql\.conf$/.test(file)) return null;
  return { value: setting.value, file };
}

/** How a setting that stands in a file of PostgreSQL's is taken out of it. */
function takenBack(file: string, name: string): string {
  return file.endsWith('postgresql.auto.conf')
    ? `on ${name}: ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf();`
    : `remove synchronous_standby_names from ${file} on ${name}, and reload PostgreSQL there`;
}

/** While synchronous mode is active Patroni sets the names, and writes /sync beside; otherwise a person does. */
function whereNamesComeFrom(view: View): string {
  const { leader, snapshot } = view;
  const name = leader?.name ?? 'the leader';
  const override = overridingFile(view);
  if (override !== null) return takenBack(override.file, name);
  return syncIsActive(snapshot.cluster)
    ? `check whether Patroni on ${name} runs its loop and writes /sync`
    : `Patroni does not set synchronous_standby_names here; see where it comes from, on ${name}: SELECT setting, sourcefile FROM pg_settings WHERE name = 'synchronous_standby_names';`;
}

export function syncNamesOverridden(view: View): Finding[] {
  const { cluster } = view.snapshot;
  const override = overridingFile(view);
  if (!syncIsActive(cluster) || !view.leader || !override) return namesInConfig(view);
  const { value, file } = override;
  const how = file.endsWith('postgresql.auto.conf') ? 'ALTER SYSTEM' : file;
  return [
    {
      code: 'sync_names_overridden',
      severity: 'critical',
      members: [view.leader.name],
      message: `synchronous_standby_names is set by ${how} on ${view.leader.name}, overriding Patroni: synchronous_mode does not work`,
      evidence: [
        {
          witness: 'SQL',
          subject: `${view.leader.name} pg_settings`,
          said: `synchronous_standby_names = '${value}' from ${file}`,
        },
        syncKeySays(cluster),
      ],
      next: takenBack(file, view.leader.name),
    },
  ];
}

/** Patroni ignores it under synchronous_mode and uses it without: operators do not expect this. */
function namesInConfig({ snapshot }: View): Finding[] {
  const postgresql = snapshot.cluster.config?.raw['postgresql'];
  const parameters = isObject(postgresql) ? postgresql['parameters'] : null;
  const value = isObject(parameters) ? parameters['synchronous_standby_names'] : undefined;
  if (typeof value !== 'string' || value.trim() === '') return [];
  const active = syncIsActive(snapshot.cluster);
  return [
    {
      code: 'sync_names_overridden',
      severity: 'warning',
      members: [],
      message:
        `the dynamic configuration sets synchronous_standby_names to '${value}': ` +
        (active
          ? 'Patroni ignores it while synchronous_mode is on'
          : 'PostgreSQL obeys it, but Patroni gives no guarantee with it'),
      evidence: [
        {
          witness: 'DCS',
          subject: '/config',
          said: `postgresql.parameters.synchronous_standby_names = '${value}'`,
        },
      ],
      next: `remove it, and set synchronous_mode if you want synchronous replication: ${commandLine(snapshot.cluster, 'edit-config')}`,
    },
  ];
}

export function syncNamesDiffer(view: View): Finding[] {
  const { cluster } = view.snapshot;
  const { leader } = view;
  const { sync } = cluster;
  if (!syncIsActive(cluster) || !sync?.leader || !leader?.sql.ok || overridingFile(view)) return [];
  const value = leader.sql.value.settings['synchronous_standby_names']?.value;
  const names = value === undefined ? null : parseSyncNames(value);
  // Without a standby, a placeholder or '*' is what strict mode waits on.
  if (value === undefined || names === null || sync.standbys.length === 0) return [];
  const quorum = cluster.config?.syncMode === 'quorum';
  const wanted = quorum ? sync.standbys.length - sync.quorum : null;
  const lower = (all: readonly string[]) => list(all.map((name) => name.toLowerCase()).sort());
  const sameNames = lower(names.names) === lower(sync.standbys);
  const sameNumber = wanted === null || names.num === wanted;
  const sameMethod = names.method === (quorum ? 'any' : 'first');
  if (sameNames && sameNumber && sameMethod) return [];
  return [
    {
      code: 'sync_names_differ',
      severity: 'warning',
      members: [leader.name],
      message: `PostgreSQL on ${leader.name} waits for '${value}', which is not what /sync promises`,
      evidence: [
        {
          witness: 'SQL',
          subject: `${leader.name} pg_settings`,
          said: `synchronous_standby_names = '${value}'`,
        },
        syncKeySays(cluster),
      ],
      next: `check whether Patroni on ${leader.name} runs its loop, and reload its configuration`,
    },
  ];
}

export function syncInStandbyCluster(view: View): Finding[] {
  const { cluster } = view.snapshot;
  const { config, sync } = cluster;
  if (!config?.standbyCluster || config.syncMode === 'off') return [];
  return [
    {
      code: 'sync_in_standby_cluster',
      severity: 'info',
      members: [],
      message:
        'no commit waits for synchronous_mode in a standby cluster' +
        (sync && sync.standbys.length > 0 ? `; /sync still lists ${list(sync.standbys)}` : ''),
      evidence: [syncKeySays(cluster)],
      next: 'no standby here is synchronous until the cluster is promoted',
    },
  ];
}

export function duplicateApplicationName(view: View): Finding[] {
  const rows = (view.leaderRows ?? []).filter(({ slotType }) => slotType !== 'logical');
  return view.members.flatMap((one: MemberView) => {
    const mine = sendersOf(rows, one.name);
    if (mine.length < 2) return [];
    return [
      {
        code: 'duplicate_application_name',
        severity: 'warning' as const,
        members: [one.name],
        message: `${mine.length} walsenders on ${view.leader?.name ?? 'the leader'} use the application_name ${one.name}: Patroni cannot tell which one is the member`,
        evidence: mine.map((row) => ({
          witness: row.witness,
          subject: `${row.upstream} pg_stat_replication`,
          said: rowText(row),
        })),
        next: 'give the other client another application_name',
      },
    ];
  });
}
