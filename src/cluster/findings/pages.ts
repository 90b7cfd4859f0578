/** A page for every finding: what it means, why it matters, how it was provoked, what to do. docs/findings.md is made of these. */
import { CATALOGUE } from './catalogue.js';

/** Meaning, why it matters, how it was provoked, what to do. */
type Page = readonly [means: string, why: string, provoked: string, todo: string];

const PAGES: Readonly<Record<string, Page>> = {
  two_primaries: [
    'Two servers of one cluster accept writes. What is written to the one without the key exists nowhere else.',
    'The list shows a healthy cluster with one member fewer: the second primary has lost its member key with its lease.',
    "SIGKILL of the leader's Patroni, its PostgreSQL left alone; after ttl another member is promoted (`provoke two-primaries`).",
    'Fence or stop the one that does not hold the leader key, save what only it has, then reinit it.',
  ],
  primary_without_lock: [
    "A member is out of recovery and the leader key is absent or another's. Info while failsafe mode keeps it alive and it is alone.",
    'patronictl prints it as a Replica, since it only looks at the key.',
    'Deleting the leader key by hand, and killing Patroni.',
    'See whether Patroni runs there; stop that PostgreSQL if another member leads.',
  ],
  no_leader: [
    'Nobody holds the leader key and nobody is seen to be a primary: nothing can be written. Unknown where a member was not asked, or let nobody ask: it may be a primary without the key.',
    'Either nobody may win the vote, or nobody runs.',
    'All members stopped but one that may not win.',
    '`patctl quorum` says who could win and why not the others; `patctl failover --candidate` promotes by hand.',
  ],
  lock_without_primary: [
    'The owner of the leader key is in recovery or does not run PostgreSQL, for longer than settling takes.',
    "Patroni's own checks answer 200 while the old leader is stopping and nobody is writable.",
    'A demotion that hangs on a logical client that never confirms.',
    'Look at its state: `stopping` means that a walsender holds the shutdown, and only a signal on the host ends it.',
  ],
  leader_unreachable: [
    'The owner of the leader key answers neither over REST nor over SQL. A warning while its replicas still stream from it.',
    'What we cannot reach may still work; what nobody reaches will lose its key within ttl.',
    "SIGSTOP of the leader's Patroni and PostgreSQL.",
    'Look at that host and at the network in between.',
  ],
  timeline_fork: [
    "A member's WAL is not a part of the leader's history: it went on beyond the point at which the leader's timeline began.",
    'It can never follow without a rewind, and what it has beyond that point is lost with one.',
    'A former primary started as a standby without pg_rewind.',
    'Save what only it has if it matters, then reinit.',
  ],
  timeline_behind: [
    'A member is still on an older timeline than the leader after settling.',
    'It does not follow: it has nothing that was written since the promotion.',
    'A standby whose Patroni was frozen while another was promoted.',
    'See its log; reinit if it does not follow.',
  ],
  failsafe_active: [
    'Patroni lost the DCS and keeps the primary by asking the other members.',
    'No failover is possible meanwhile, and the leader key may be missing although all is well.',
    'etcd stopped with failsafe_mode on.',
    'Bring the DCS back.',
  ],
  sync_role_mismatch: [
    '/sync lists a member as synchronous, `pg_stat_replication` of the primary says async, potential, or has no row for it.',
    'Patroni promotes by /sync: a commit that was acknowledged may be missing there.',
    "/sync written by hand with the leader's Patroni frozen (`provoke sync-mismatch`); a walsender that was ended (`provoke walsender-killed`); Patroni 3.2.2 with a standby cluster (`provoke stale-sync`).",
    'Do not count on that member; find out who set synchronous_standby_names or /sync.',
  ],
  sync_leader_stale: [
    '/sync was written for a leader that is not the leader now.',
    'patronictl does not look at it and shows its standbys as Sync Standby.',
    'demote-cluster, and /sync written by hand.',
    "See why the leader's Patroni does not write /sync.",
  ],
  sync_names_overridden: [
    "synchronous_standby_names in force comes from ALTER SYSTEM or another file than Patroni's (critical), or stands in the dynamic configuration (warning).",
    'Patroni gives up, /sync loses its standbys, and nobody takes over when the leader dies.',
    "`ALTER SYSTEM SET synchronous_standby_names = '*'` with synchronous_mode on (`provoke sync-overridden`).",
    '`ALTER SYSTEM RESET synchronous_standby_names`, and reload.',
  ],
  sync_empty: [
    'synchronous_mode is on, replicas stream that may be synchronous, and /sync lists none for longer than settling.',
    'Without a name in /sync nobody may take over automatically.',
    'As sync_names_overridden.',
    "See what keeps the leader's Patroni from choosing one: an override, nosync tags, maximum_lag_on_syncnode.",
  ],
  sync_unclaimed: [
    'PostgreSQL waits for a standby that /sync does not list.',
    'Commits depend on it, and Patroni will not prefer it in a failover.',
    "`'*'` in the dynamic configuration with synchronous_mode off.",
    'Use synchronous_mode instead of a setting by hand.',
  ],
  sync_names_differ: [
    'The number, the method or the names in synchronous_standby_names are not what /sync promises.',
    'The arithmetic of the quorum holds only when both agree.',
    "/sync written by hand with the leader's Patroni frozen.",
    "See whether the leader's Patroni runs its loop.",
  ],
  commits_blocked: [
    'Fewer standbys of synchronous_standby_names answer than it wants (FIRST n, ANY n): one is not connected, has not replied when it had to, or has not confirmed WAL for a second. Or the same transaction waits on SyncRep in two readings, whoever answers. One that is silent where enough others answer is no finding. Without a login only a standby that is behind and stands still is seen.',
    'Clients hang while every list is green; `/primary` and `/health` answer 200.',
    "SIGSTOP of the synchronous standby's walreceiver; strict mode without a standby.",
    'wal_sender_timeout ends a silent walsender; otherwise bring the standby back, or take it out of the names.',
  ],
  quorum_lost: [
    "In quorum mode no member could win the vote if the leader were lost now. The evidence has each candidate's count.",
    'The list shows a healthy leader; its loss would end all writing.',
    'Both quorum standbys stopped.',
    'Bring voters back; Patroni lowers the quorum once they are gone for good.',
  ],
  standby_cluster_cannot_elect: [
    'A standby cluster with synchronous_mode quorum still has the /sync of its time as a primary cluster, and too few of the voters in it are there. Without that /sync a member could take over.',
    'Patroni counts the votes that /sync asks for in a standby cluster too, but never updates /sync there: a voter that leaves is never taken out. If the standby leader is lost, no member takes over; a switchover without a candidate is refused with 503.',
    '`demote-cluster` in quorum mode, then one of the voters stopped.',
    '`edit-config --set synchronous_mode=on`: a standby cluster then counts no votes, and nothing else changes. Set it back to quorum after promote-cluster. Or bring the missing voters back. A switchover to a named candidate needs no votes.',
  ],
  quorum_at_risk: [
    'One more voter lost would leave nobody able to win, although /sync allows for more.',
    'A warning before quorum_lost.',
    'Five members, synchronous_node_count 2, one voter stopped.',
    'Bring the voter back.',
  ],
  duplicate_application_name: [
    'Two walsenders on the leader bear the name of one member.',
    'Patroni takes one for the other: /sync is not maintained.',
    "pg_receivewal with a member's application_name.",
    'Give the other client another name.',
  ],
  sync_in_standby_cluster: [
    'synchronous_mode is on in a standby cluster.',
    'No commit waits for a standby there; Patroni before 3.3.1 shows Sync Standby all the same. In mode quorum a /sync that is left still decides how many votes a new standby leader needs (see standby_cluster_cannot_elect).',
    '`lab up --standby-of` with synchronous_mode.',
    'Nothing, but do not count on it.',
  ],
  slot_lost: [
    'A member that nobody feeds has a slot that begins beyond what it has received, or whose wal_status is lost. One that has just started is not judged before it has asked for WAL: what it has on disk comes first.',
    'It can never catch up, and Patroni recreates the slot within a loop so that it looks well.',
    'A stopped replica, member_slots_ttl 0, WAL written and recycled, the replica started again (`provoke lost-slot`).',
    '`patctl reinit`, unless an archive has the WAL.',
  ],
  wal_gone: [
    'A member that nobody feeds needs WAL from before what the last checkpoint of its upstream kept, and has no restore_command.',
    "Its log says so, Patroni's does not.",
    'As slot_lost, with use_slots off.',
    '`patctl reinit`.',
  ],
  not_streaming: [
    'No walsender feeds a running replica, or the leader of a standby cluster with a host or port does not stream from it (where restore_command is set as well, a warning: the archive may do). A warning within a minute of its start or of a promotion.',
    'Patroni shows it `running` and its health checks answer 200.',
    'As slot_lost; a primary_conninfo set by hand; the replication role of the remote cluster with nologin.',
    "See PostgreSQL's log there.",
  ],
  slot_missing: [
    'use_slots is on and the upstream has no slot for a member, after settling.',
    'The WAL it needs may be recycled whenever it is down for a moment.',
    "pg_drop_replication_slot with the leader's Patroni frozen.",
    "See Patroni's log on the upstream.",
  ],
  wrong_upstream: [
    'A replica streams from another member than the leader or its replicatefrom.',
    "The other's load and lag are not what was planned.",
    'primary_conninfo set by hand.',
    'See primary_conninfo there.',
  ],
  catching_up: [
    "A replica is further behind the leader's current position than --max-lag (default maximum_lag_on_failover). The evidence has both positions; a second reading gives the rate and the time left.",
    'Streaming is not caught up: its readers see the past, and it may not take over.',
    'A replica restored from a base backup under write load (`provoke not-ready`); a frozen walreceiver (`provoke frozen-receiver`).',
    'Wait: `patctl wait --for caught-up=MEMBER`.',
  ],
  replay_paused: [
    'A replica receives WAL and does not replay it.',
    'Its readers see the past; Patroni resumes a hand-paused replay within a loop, so where this stays, Patroni does not act.',
    "pg_wal_replay_pause() with that member's Patroni frozen.",
    '`SELECT pg_wal_replay_resume()`.',
  ],
  replay_behind: [
    'A replica has received far more than it has replayed, with no recovery_min_apply_delay.',
    'A promotion has to replay it first.',
    'A long query on a standby with max_standby_streaming_delay -1.',
    'Look for long queries and slow disks there.',
  ],
  slot_unreserved: [
    "A member's slot exists and keeps no WAL: restart_lsn is null or wal_status unreserved.",
    'It is a slot in name only.',
    'max_slot_wal_keep_size small and a frozen standby.',
    'Let the replica catch up before the next checkpoint.',
  ],
  slot_inactive_retains_wal: [
    'A slot that nobody uses keeps more WAL than --max-slot-retain (default half of max_slot_wal_keep_size, or 1 GiB).',
    'The disk fills. An inactive slot by itself is normal since Patroni 4.0.',
    'An abandoned logical slot under write load.',
    'Bring its consumer back or drop the slot.',
  ],
  archiving_failing: [
    'The last failure in pg_stat_archiver is newer than the last success, or files wait in archive_status (three, or one for a minute) and none was archived since the oldest of them came. The files are seen from PostgreSQL 12 on, with the rights of pg_monitor.',
    'WAL piles up, and point-in-time recovery has a gap.',
    "archive_command = 'false'; one that does not exist, of which PostgreSQL counts no failure.",
    "See PostgreSQL's log.",
  ],
  walsenders_exhausted: [
    'max_wal_senders has no room for every member, or for all that are connected, and one more.',
    'A base backup, or a member that comes back, is refused.',
    'max_wal_senders 3 in a cluster of three.',
    'Raise it, standbys first.',
  ],
  slots_exhausted: [
    'max_replication_slots has no room for every member, or for all slots there are, and one more.',
    'Patroni cannot create a slot.',
    'max_replication_slots 3 in a cluster of three.',
    'Raise it, standbys first.',
  ],
  failover_slot_not_synced: [
    'A logical slot of the leader has `failover` (PostgreSQL 17), and a standby that may be promoted has no copy of it, one that is temporary (not synchronized yet), invalid, or not a synchronized copy.',
    'If that standby led, the subscriber would find no slot and stop, or miss changes.',
    'sync_replication_slots off on a cluster of PostgreSQL 17 with a subscription WITH (failover = true).',
    'Set sync_replication_slots and hot_standby_feedback to on; until then name another candidate.',
  ],
  permanent_slot_missing: [
    'A logical slot in the `slots` of the dynamic configuration does not exist, or cannot be used, on a standby that may be promoted.',
    'If that standby led, Patroni would make the slot anew, and its consumer would miss what was written in between.',
    "SIGSTOP of a replica's Patroni, and a permanent logical slot added.",
    "See that member's Patroni log; hot_standby_feedback has to be on.",
  ],
  synchronized_slot_inactive: [
    'synchronized_standby_slots on the leader (PostgreSQL 17) names a slot that does not exist there, is inactive, invalid or logical. Critical while a consumer of a failover slot is connected.',
    'Every consumer of a failover slot waits until all slots named there have its change: they stand still. A static list of all members always names the slot that the leader itself does not have.',
    'synchronized_standby_slots = pg1,pg2,pg3 in a cluster led by pg1.',
    'Bring the standby back, or take its slot out of synchronized_standby_slots.',
  ],
  reinit_needed: [
    'Sums up slot_lost and wal_gone: this member cannot return by itself.',
    'Waiting is of no use.',
    'As slot_lost.',
    '`patctl reinit MEMBER --wait`.',
  ],
  logical_walsender_stuck: [
    'A logical client confirms nothing: it never has, its confirmed position stands for 12 s while WAL is open, or it has not replied for half of wal_sender_timeout. A warning where synchronous_mode and primary_stop_timeout end it by force.',
    'A clean shutdown waits for it: a switchover hangs with nobody writable, and once it hangs no SQL connection is accepted any more.',
    'A logical client that answers keepalives and never confirms (`provoke logical-blocker`).',
    'Stop that client, or pg_terminate_backend, before any switchover.',
  ],
  no_failover_candidate: [
    "Every other member is excluded from taking over; the message has each one's reasons.",
    'The loss of the leader would end all writing.',
    'Every replica tagged nofailover, or stopped.',
    'Remove one of the reasons.',
  ],
  stale_failover_key: [
    '/failover holds an unscheduled request after settling.',
    'Nobody carries it out, and it may be carried out when nobody expects it.',
    "A failover asked for while the leader's REST was dead: patronictl writes the key and exits 0.",
    '`patctl flush CLUSTER switchover`.',
  ],
  patroni_bug_quorum_switchover: [
    'Quorum mode, and a member runs Patroni 4.0.5.',
    'It refuses every switchover to a named candidate (patroni#3307).',
    '`lab up --patroni 4.0.5 --sync quorum` (`provoke quorum-switchover`).',
    'Do not name a candidate, set synchronous_mode to on for the moment, or upgrade.',
  ],
  scheduled_action: [
    'A switchover or a restart is scheduled; a warning when its time has passed by more than a loop and a half.',
    'Patroni silently drops what is late.',
    '`switchover --scheduled` with the candidate down when it is due.',
    '`patctl flush` takes it back.',
  ],
  logical_walsender_present: [
    'Logical clients are connected to the leader.',
    'A clean shutdown waits for each of them.',
    'pg_recvlogical.',
    'Nothing, as long as they confirm.',
  ],
  stop_timeout_unset: [
    'primary_stop_timeout is unset in synchronous mode while the leader has logical slots, or it is set without synchronous mode, where it has no effect.',
    'It is what ends a demotion that hangs, and only in synchronous mode.',
    'The defaults, and a logical slot.',
    'Consider setting it.',
  ],
  paused_too_long: [
    "Maintenance mode is on for longer than --max-pause. etcd does not say when a key was written. Two things prove a least age: a change older than the last line of /history is at least as old as that line, and a `patroni.dynamic.json` in a member's data directory that says pause has said so since it was last written (a later change of the configuration writes it again). Where neither can be read, the finding is `unknown`.",
    'A forgotten pause means no failover.',
    '`patctl pause`, and `check --max-pause` with a superuser login and without one.',
    '`patctl resume`. To have the age known: a login that may call pg_stat_file and pg_read_file.',
  ],
  paused: [
    'Maintenance mode is on.',
    'There is no automatic failover.',
    '`patctl pause`.',
    '`patctl resume` when done.',
  ],
  member_misidentified: [
    "A member's api_url is answered by another member or cluster.",
    'What is asked of it is asked of somebody else.',
    'restapi.connect_address 127.0.0.1 on two hosts.',
    'Set an address that only it has.',
  ],
  member_missing: [
    'A member named by --expect has no key in the DCS.',
    'Patroni there has stopped, or cannot reach the DCS; after ttl the list just shows one member fewer.',
    'A member stopped for longer than ttl.',
    'See that host.',
  ],
  member_state: [
    'A member is stopped, crashed, failed to start or restart, or is created for longer than --max-creating: as long as a base backup to its address runs, from whomever, or as its key has stood unchanged between two readings. Where neither tells, it is among what could not be looked for.',
    'Patroni gives up quietly after a failed bootstrap.',
    'A failing create_replica_method.',
    'See the logs there.',
  ],
  member_unreachable: [
    "A member's key is there and its REST API does not answer. Critical when fewer than --min-members answer.",
    'A dead node stays listed up to ttl; a frozen Patroni has its key until then.',
    "SIGSTOP of a replica's Patroni.",
    'See whether Patroni runs there.',
  ],
  dcs_unreadable: [
    'A key of the cluster is no JSON, or a value in it has the wrong type; a warning where Patroni goes by its default.',
    'What hangs on the key is not known: with an unreadable /sync nobody knows who is synchronous.',
    "/sync written as `{` while the leader's Patroni was frozen; ttl and synchronous_mode of the wrong type.",
    'See who wrote it; Patroni writes its own keys again, the configuration is corrected with `patctl edit-config`.',
  ],
  member_refuses: [
    'Neither its REST API nor its PostgreSQL lets us in: a CA, a client certificate or a login is wrong.',
    'Nothing that the DCS says of it is checked, and nothing found is no sign of health then.',
    "ctl.cacert and sslrootcert that are not the servers' on a cluster with TLS.",
    'Correct what the refusal names: the CA, our certificate, or the login.',
  ],
  pending_restart: [
    'A changed setting waits for a restart; the old and new values are shown.',
    'What is configured is not in force.',
    'max_connections changed in the dynamic configuration.',
    '`patctl restart CLUSTER --pending`.',
  ],
  config_timing: [
    'ttl is less than loop_wait + 2 * retry_timeout.',
    'Patroni adjusts it quietly where it can; elsewhere a hiccup of the DCS demotes the primary.',
    'edit-config -s ttl=5.',
    'Raise ttl.',
  ],
  config_unknown_key: [
    'The dynamic configuration has a key that Patroni does not know; the nearest known one is named.',
    'Patroni ignores it without a word.',
    '`use_slot`, or `parameters` at the top.',
    'Correct it with edit-config.',
  ],
  cert_expiring: [
    'A certificate met on the way (etcd, REST, PostgreSQL) ends within 21 days; critical within 3.',
    'All members usually expire at once.',
    'A certificate of two days.',
    'Renew and reload.',
  ],
  version_mixed: [
    'Members run different versions of Patroni or PostgreSQL; a warning when the major ones differ.',
    'Fixes and defaults of one do not hold on the other.',
    'A member started with another Patroni.',
    'Finish the upgrade.',
  ],
  config_drift: [
    "A parameter of the dynamic configuration is not in force on a member, and no restart is pending for it: one of those that decide about replication, wherever its value comes from; any other number, switch, word or harmless text when pg_settings names ALTER SYSTEM's file, or the one from before Patroni. In Patroni's own file a member's local configuration may lawfully have its own.",
    'A local file, ALTER SYSTEM or a least value of Patroni overrides it.',
    'wal_keep_size 0, of which Patroni makes 128MB; ALTER SYSTEM SET work_mem on one member.',
    'Look for what overrides it.',
  ],
  rewind_impossible: [
    'use_pg_rewind is off, or neither wal_log_hints nor checksums are on.',
    'A former primary with WAL of its own needs a new base backup.',
    'use_pg_rewind off.',
    'Turn it on if base backups take long.',
  ],
  rest_unprotected: [
    'The REST API lets requests through that change things, without credentials or a client certificate. Only tried with --probe-rest: a PATCH of /config without content, which Patroni refuses with 401 or 403 where it is protected and with 400 or 411, changing nothing, where it is not.',
    'Whoever reaches the port can switch over, restart and reconfigure.',
    'The defaults.',
    'Set restapi.authentication or verify_client.',
  ],
  expectation_failed: [
    'Something is not as --expect FILE says; wanted and seen are in the evidence.',
    'Made for CI: what a deployment must come to.',
    'A cluster paused after --write-expect.',
    'Change the cluster, or the file if the change was meant.',
  ],
};

/** The page of one finding as text; null for an unknown code. */
export function pageText(code: string): string | null {
  const check = CATALOGUE.find((one) => one.code === code);
  const page = PAGES[code];
  if (!check || !page) return null;
  const [means, why, provoked, todo] = page;
  const rows = [
    ['Severity', check.severity.join(', ')],
    ['Needs', check.needs],
    ['Means', means],
    ['Matters', why],
    ['Provoked', provoked],
    ['Do', todo],
  ];
  const lines = rows.map(([label = '', text = '']) => `  ${label.padEnd(9)} ${text}\n`);
  return `${code}: ${check.title}\n${lines.join('')}`;
}

const HEAD = `# Findings

What \`patctl check\` looks for. The list is kept equal to the program by a test; \`patctl check --list\` and
\`patctl check --explain CODE\` print it. Codes never change their meaning. A finding that needs a witness which did
not answer is unknown, never silently absent. Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown; the worst of
critical, unknown and warning counts, info does not. A healthy cluster has no finding at all.

A cluster in motion is no alarm: what is found is read again, twice, \`loop_wait\` apart, and reported when it is found
again each time, also when it began in a later reading; what is gone is \`transient\` in json. Where trouble follows
trouble there are two readings more at most, and what was seen before the last is reported. \`--settle N\` changes how
often, \`--settle 0\` reports what one reading says. For a minute after a primary started or was promoted, \`sync_empty\`,
\`quorum_lost\` and \`no_failover_candidate\` are read three times more, for Patroni takes its synchronous standbys back
in several loops.

Severities and limits are set by flags (\`--ignore\`, \`--warn\`, \`--critical\`, \`--max-lag\` and so on), or in the
configuration file, where a flag wins: \`patctl: {check: {ignore: [paused], warn: [sync_empty], max_lag: 16MiB}}\`.

\`npm run -s lab -- provoke STORY\` makes the troubles that are named below on a real cluster of its own, and says
how to look at them and how to end them. \`npm run chaos -- --minutes 60\` breaks clusters of every kind at random, with
every command of patctl beside it, and counts each finding that SQL does not confirm, and each state that no finding
names; with \`--planned\` nothing breaks: planned switchovers, restarts and reinits under load.
`;

/** docs/findings.md */
export function findingsMarkdown(): string {
  const groups = [...new Set(CATALOGUE.map(({ group }) => group))];
  const parts = groups.map((group) => {
    const checks = CATALOGUE.filter((check) => check.group === group);
    return `\n## ${group}\n${checks.map(({ code }) => markdownOf(code)).join('')}`;
  });
  return HEAD + parts.join('');
}

function markdownOf(code: string): string {
  const check = CATALOGUE.find((one) => one.code === code);
  const [means, why, provoked, todo] = PAGES[code] ?? ['', '', '', ''];
  const follows = check?.follows
    ? ` Not told apart where found: ${check.follows.map((of) => `\`${of}\``).join(', ')}.`
    : '';
  return `
### ${code}

**${check?.severity.join(', ') ?? ''}** – ${check?.title ?? ''}. Needs: ${check?.needs ?? ''}.${follows}

- Means: ${means}
- Why it matters: ${why}
- How it was provoked: ${provoked}
- What to do: ${todo}
`;
}
