/**
 * A page for every finding: what it means, why it matters, how it was provoked, what to do. docs/findings.md is made
 * of these.
 */
import { CATALOGUE } from './catalogue.js';

/** Meaning, why it matters, how it was provoked, what to do. */
type Page = readonly [means: string, why: string, provoked: string, todo: string];

const PAGES: Readonly<Record<string, Page>> = {
  leader_claim_expired: [
    "On Kubernetes: the leader's annotation was not renewed for its ttl, by the clock of the API server's answers. Members take the lock for free then.",
    'Nothing removes the annotation when the leader dies: patronictl shows a dead leader as Leader for ever.',
    "SIGKILL of the leader's Patroni and PostgreSQL where no other member may take over.",
    'Check whether Patroni runs on that member, and whether its clock is right; `patctl quorum` shows which member could take over.',
  ],
  pod_ready_behind: [
    "A Pod's condition Ready is true, so Services send clients to it, while its PostgreSQL does not run, does not stream, or is behind the leader's current position by more than --max-lag.",
    'Clients read old data, or only part of it, and Kubernetes does not show it.',
    'A replica made from a base backup under write load, its Pod Ready by a probe that only asks whether the process lives.',
    'Let the readiness probe ask Patroni (`GET /readiness`, with `lag` and `mode=apply`); look at why it does not stream.',
  ],
  role_label_wrong: [
    'The label by which Services choose the leader or the replicas does not match the role of PostgreSQL.',
    'Writes arrive at a replica, or nowhere.',
    'Setting the label of a replica to `primary` manually, with its Patroni frozen.',
    'Patroni writes the label in each of its loops: check whether it runs there, and whether it may patch Pods.',
  ],
  leader_endpoints_wrong: [
    'The addresses in the Endpoints of the leader are not those of the primary.',
    "Clients that connect through the leader's Service do not reach it.",
    "Patching the subsets of the leader's Endpoints manually.",
    'Check whether Patroni runs on the primary, may patch Endpoints, and has the right `kubernetes.pod_ip`.',
  ],
  member_views_differ: [
    'With --rest: GET /cluster of two members names another leader, other members or roles, or another pause or schedule, and still does a second later.',
    'One of them shows an old state of the DCS, and nothing in its answer says so.',
    'A stand-in member that serves the state before a switchover; a member without a connection to etcd that still answers from its cache.',
    'Trust the member that the evidence of SQL confirms; check whether Patroni on the other one reaches the DCS.',
  ],
  rest_through_proxy: [
    'With --rest: two answers from one address have different names (`patroni.name`), so a proxy in between chooses the member.',
    'Two readings may come from two members. Requests that change something go to each member itself.',
    'A real HAProxy in front of three members, round robin.',
    'Give addresses of members to --rest, several with commas between them.',
  ],
  two_primaries: [
    'Two servers of one cluster accept writes. Data written to the one without the leader key exists nowhere else.',
    'The list shows a healthy cluster with one member fewer: the second primary has lost its member key with its lease.',
    "SIGKILL of the leader's Patroni, its PostgreSQL left alone; after ttl another member is promoted (`provoke two-primaries`).",
    'Fence or stop the one that does not hold the leader key, save what only it has, then reinit it.',
  ],
  primary_without_lock: [
    'A member is out of recovery and the leader key is absent or belongs to another member. Info while failsafe mode keeps it alive and it is the only primary.',
    'patronictl prints it as a Replica because it only reads the key.',
    'Deleting the leader key manually, and killing Patroni.',
    'Check whether Patroni runs there; stop that PostgreSQL if another member is the leader.',
  ],
  no_leader: [
    'No member holds the leader key and no primary was seen: no member accepts writes. Unknown if a member was not asked or denied the request: it may be a primary without the key.',
    'Either no member can win the vote, or no member runs.',
    'All members stopped except one that cannot win.',
    '`patctl quorum` shows which members could win and why the others could not; `patctl failover --candidate` promotes manually.',
  ],
  lock_without_primary: [
    'The owner of the leader key is in recovery or does not run PostgreSQL, for longer than the settling time.',
    "Patroni's own checks answer 200 while the old leader is stopping and no member accepts writes.",
    'A demotion that waits for a logical client which never confirms.',
    'Check its state: `stopping` means that a walsender blocks the shutdown; only a signal on the host ends it.',
  ],
  leader_unreachable: [
    'The owner of the leader key answers neither over REST nor over SQL. A warning while its replicas still stream from it.',
    'A leader that only we cannot reach may still work; one that no client reaches loses its key within ttl.',
    "SIGSTOP of the leader's Patroni and PostgreSQL.",
    'Check that host and the network in between.',
  ],
  timeline_fork: [
    "A member's WAL is not a part of the leader's history: it continued beyond the point at which the leader's timeline began.",
    'It cannot follow without a rewind, and a rewind discards its WAL beyond that point.',
    'A former primary started as a standby without pg_rewind.',
    'Save its extra data if you need it, then reinit.',
  ],
  timeline_behind: [
    'A member is still on an older timeline than the leader after settling.',
    'It does not follow: it lacks everything written since the promotion.',
    'A standby whose Patroni was frozen while another was promoted.',
    'Check its log; reinit it if it does not follow.',
  ],
  failsafe_active: [
    'A primary lost the DCS and continues because every member in /failsafe answers it. The members that it asks report this too, for ttl after its last request.',
    'No failover is possible until then: while this primary answers, no member takes the lock, even if only the primary is cut off and its member key has expired. If it is lost too, the others take the lock within ttl, if they have the votes; `patctl quorum` counts them.',
    'etcd stopped with failsafe_mode on; the leader alone cut off from etcd.',
    'Restore the connection between the named member and the DCS, or the DCS itself.',
  ],
  sync_role_mismatch: [
    '/sync lists a member as synchronous, but `pg_stat_replication` on the primary says async or potential, or has no row for it.',
    'Patroni promotes by /sync: a commit that was acknowledged may be missing there.',
    "/sync written manually with the leader's Patroni frozen (`provoke sync-mismatch`); a walsender that was ended (`provoke walsender-killed`); Patroni 3.2.2 with a standby cluster (`provoke stale-sync`).",
    'Do not rely on that member; find out what set synchronous_standby_names or /sync.',
  ],
  sync_leader_stale: [
    '/sync was written for a member that is no longer the leader.',
    'patronictl ignores this and shows its standbys as Sync Standby.',
    'demote-cluster, and /sync written manually.',
    "Find out why the leader's Patroni does not write /sync.",
  ],
  sync_names_overridden: [
    "synchronous_standby_names in force comes from ALTER SYSTEM or another file than Patroni's (critical), or is set in the dynamic configuration (warning).",
    'Patroni cannot manage it, /sync loses its standbys, and no member takes over when the leader is lost.',
    "`ALTER SYSTEM SET synchronous_standby_names = '*'` with synchronous_mode on (`provoke sync-overridden`).",
    '`ALTER SYSTEM RESET synchronous_standby_names`, and reload.',
  ],
  sync_empty: [
    'synchronous_mode is on and replicas that can be synchronous stream, but /sync has listed none for longer than the settling time.',
    'Without a name in /sync no member can take over automatically.',
    'As sync_names_overridden.',
    "Find out why the leader's Patroni does not choose one: an override, nosync tags, maximum_lag_on_syncnode.",
  ],
  sync_unclaimed: [
    'PostgreSQL waits for a standby that /sync does not list.',
    'Commits depend on it, but Patroni does not prefer it in a failover.',
    "`'*'` in the dynamic configuration with synchronous_mode off.",
    'Use synchronous_mode instead of setting it manually.',
  ],
  sync_names_differ: [
    'The number, the method or the names in synchronous_standby_names are not what /sync promises.',
    'The quorum arithmetic is only valid when both agree.',
    "/sync written manually with the leader's Patroni frozen.",
    "Check whether the leader's Patroni runs its loop.",
  ],
  commits_blocked: [
    'Fewer standbys in synchronous_standby_names answer than it requires (FIRST n, ANY n): one is not connected, did not reply in time, or has not confirmed WAL for a second. Or the same transaction waits on SyncRep in two readings, even if enough standbys answer. A silent standby is not a finding while enough others answer. Without an SQL login only a standby that is behind and stalled is detected.',
    'Clients wait although every list looks healthy; `/primary` and `/health` answer 200.',
    "SIGSTOP of the synchronous standby's walreceiver; strict mode without a standby.",
    'wal_sender_timeout ends a silent walsender; otherwise bring the standby back, or remove it from the names.',
  ],
  quorum_lost: [
    "In quorum mode no member could win the vote if the leader were lost now. The evidence has each candidate's count.",
    'The list shows a healthy leader; if it is lost, no member accepts writes.',
    'Both quorum standbys stopped.',
    'Bring voters back; Patroni lowers the quorum when they are permanently gone.',
  ],
  standby_cluster_cannot_elect: [
    'A standby cluster with synchronous_mode quorum still has the /sync of its time as a primary cluster, and too few of the voters in it are there. Without that /sync a member could take over.',
    'Patroni counts the votes that /sync asks for in a standby cluster too, but never updates /sync there: a voter that leaves is never taken out. If the standby leader is lost, no member takes over; a switchover without a candidate is refused with 503.',
    '`demote-cluster` in quorum mode, then one of the voters stopped.',
    '`edit-config --set synchronous_mode=on`: a standby cluster then counts no votes, and nothing else changes. Set it back to quorum after promote-cluster. Or bring the missing voters back. A switchover to a named candidate needs no votes.',
  ],
  quorum_at_risk: [
    'If one more voter is lost, no member can win, although /sync allows for more losses.',
    'Warns before quorum_lost.',
    'Five members, synchronous_node_count 2, one voter stopped.',
    'Bring the voter back.',
  ],
  duplicate_application_name: [
    'Two walsenders on the leader use the application_name of one member.',
    'Patroni confuses them: /sync is not maintained.',
    "pg_receivewal with a member's application_name.",
    'Give the other client another application_name.',
  ],
  sync_in_standby_cluster: [
    'synchronous_mode is on in a standby cluster.',
    'No commit waits for a standby there; Patroni before 3.3.1 still shows Sync Standby. In mode quorum a /sync that is left still decides how many votes a new standby leader needs (see standby_cluster_cannot_elect).',
    '`lab up --standby-of` with synchronous_mode.',
    'No action needed, but do not rely on it.',
  ],
  slot_lost: [
    'A member that does not stream has a slot that begins beyond the WAL it has received, or whose wal_status is lost. A member that has just started is judged only after it has requested WAL: it replays the WAL on its disk first.',
    'It can never catch up, and Patroni recreates the slot within one loop, so that it looks healthy.',
    'A stopped replica, member_slots_ttl 0, WAL written and recycled, the replica started again (`provoke lost-slot`).',
    '`patctl reinit`, unless an archive has the WAL.',
  ],
  wal_gone: [
    'A member that does not stream needs WAL older than the oldest file in pg_wal of its upstream, or, where that is unknown, than what the upstream kept at its last checkpoint; and it has no restore_command, or without an SQL login that is unknown. A walsender may have moved its slot back to what the member has: then wal_status says reserved although the WAL is gone.',
    "PostgreSQL's log shows it; Patroni's log does not.",
    'As slot_lost, with use_slots off.',
    '`patctl reinit`.',
  ],
  not_streaming: [
    'No walsender sends to a running replica, or the leader of a standby cluster with a host or port does not stream from it (a warning if restore_command is also set: the archive may be enough). A warning within one minute of its start or of a promotion.',
    'Patroni shows it `running` and its health checks answer 200.',
    'As slot_lost; a primary_conninfo set manually; the replication role of the remote cluster with nologin.',
    "Check PostgreSQL's log there.",
  ],
  slot_missing: [
    'use_slots is on, but after the settling time the upstream has no slot for a member.',
    'The WAL it needs may be recycled whenever it is briefly down.',
    "pg_drop_replication_slot with the leader's Patroni frozen.",
    "Check Patroni's log on the upstream.",
  ],
  wrong_upstream: [
    'A replica streams neither from the leader nor from its replicatefrom.',
    'Load and lag are not as planned.',
    'primary_conninfo set manually.',
    'Check primary_conninfo there.',
  ],
  catching_up: [
    "A replica is further behind the leader's current position than --max-lag (default maximum_lag_on_failover). The evidence has both positions; a second reading gives the rate and the time left.",
    'Streaming does not mean caught up: its readers see old data, and it cannot take over.',
    'A replica restored from a base backup under write load (`provoke not-ready`); a frozen walreceiver (`provoke frozen-receiver`).',
    'Wait: `patctl wait --for caught-up=MEMBER`.',
  ],
  replay_paused: [
    'A replica receives WAL but does not replay it.',
    'Its readers see old data. Patroni resumes a manually paused replay within one loop, so if this persists, Patroni is not active there.',
    "pg_wal_replay_pause() with that member's Patroni frozen.",
    '`SELECT pg_wal_replay_resume()`.',
  ],
  replay_behind: [
    'A replica has received far more than it has replayed, with no recovery_min_apply_delay.',
    'A promotion must replay it first.',
    'A long query on a standby with max_standby_streaming_delay -1.',
    'Check for long queries and slow disks there.',
  ],
  slot_unreserved: [
    "A member's slot exists but keeps no WAL: restart_lsn is null or wal_status is unreserved.",
    'The slot does not protect the WAL that the member needs.',
    'max_slot_wal_keep_size small and a frozen standby.',
    'Let the replica catch up before the next checkpoint.',
  ],
  slot_inactive_retains_wal: [
    'An inactive slot retains more WAL than --max-slot-retain (default half of max_slot_wal_keep_size, or 1 GiB).',
    'The disk fills. An inactive slot by itself is normal since Patroni 4.0.',
    'An abandoned logical slot under write load.',
    'Bring its consumer back or drop the slot.',
  ],
  archiving_failing: [
    'The last failure in pg_stat_archiver is newer than the last success, or files wait in archive_status (three, or one for a minute) and none has been archived since the oldest of them. The files are seen from PostgreSQL 12 on, with the rights of pg_monitor.',
    'WAL accumulates, and point-in-time recovery has a gap.',
    "archive_command = 'false'; one that does not exist, for which PostgreSQL counts no failure.",
    "Check PostgreSQL's log.",
  ],
  walsenders_exhausted: [
    'max_wal_senders is too small for all members (or all connected walsenders) plus one.',
    'A base backup or a returning member is refused.',
    'max_wal_senders 3 in a cluster of three.',
    'Raise it, standbys first.',
  ],
  slots_exhausted: [
    'max_replication_slots is too small for all members (or all existing slots) plus one.',
    'Patroni cannot create a slot.',
    'max_replication_slots 3 in a cluster of three.',
    'Raise it, standbys first.',
  ],
  failover_slot_not_synced: [
    'A logical slot of the leader has `failover` (PostgreSQL 17), and a standby that may be promoted has no usable copy of it: none at all, or one that is temporary (not synchronized yet), invalid, or not synchronized.',
    'If that standby led, the subscriber would find no slot and stop, or miss changes.',
    'sync_replication_slots off on a cluster of PostgreSQL 17 with a subscription WITH (failover = true).',
    'Set sync_replication_slots and hot_standby_feedback to on; until then name another candidate.',
  ],
  permanent_slot_missing: [
    'A logical slot in the `slots` of the dynamic configuration does not exist, or cannot be used, on a standby that may be promoted.',
    'If that standby led, Patroni would create the slot again, and its consumer would miss what was written in between.',
    "SIGSTOP of a replica's Patroni, and a permanent logical slot added.",
    "See that member's Patroni log; hot_standby_feedback must be on.",
  ],
  synchronized_slot_inactive: [
    'synchronized_standby_slots on the leader (PostgreSQL 17) names a slot that does not exist there, is inactive, invalid or logical. Critical while a consumer of a failover slot is connected.',
    'Every consumer of a failover slot waits until all slots named there have its change: they are blocked. A static list of all members always names the slot that the leader itself does not have.',
    'synchronized_standby_slots = pg1,pg2,pg3 in a cluster led by pg1.',
    'Bring the standby back, or take its slot out of synchronized_standby_slots.',
  ],
  reinit_needed: [
    'Summary of slot_lost and wal_gone: this member cannot recover by itself.',
    'Waiting does not help.',
    'As slot_lost.',
    '`patctl reinit MEMBER --wait`.',
  ],
  logical_walsender_stuck: [
    'A logical client confirms nothing: it never has, its confirmed position has not moved for 12 s while WAL is unconfirmed, or it has not replied for half of wal_sender_timeout. A warning if synchronous_mode and primary_stop_timeout end it by force.',
    'A clean shutdown waits for it: a switchover hangs while no member accepts writes, and from then on no SQL connection is accepted.',
    'A logical client that answers keepalives and never confirms (`provoke logical-blocker`).',
    'Stop that client, or pg_terminate_backend, before any switchover.',
  ],
  no_failover_candidate: [
    "Every other member is excluded from taking over; the message has each one's reasons.",
    'If the leader is lost, no member accepts writes.',
    'Every replica tagged nofailover, or stopped.',
    'Remove one of the reasons.',
  ],
  stale_failover_key: [
    '/failover holds an unscheduled request after settling.',
    'It is not carried out now, but it may be carried out later, unexpectedly.',
    "A failover requested while the leader's REST API was down: patronictl writes the key and exits 0.",
    '`patctl flush CLUSTER switchover`.',
  ],
  patroni_bug_quorum_switchover: [
    'Quorum mode, and a member runs Patroni 4.0.5.',
    'It refuses every switchover to a named candidate (patroni#3307).',
    '`lab up --patroni 4.0.5 --sync quorum` (`provoke quorum-switchover`).',
    'Do not name a candidate, set synchronous_mode to on temporarily, or upgrade.',
  ],
  scheduled_action: [
    'A switchover or a restart is scheduled; a warning when it is more than 1.5 x loop_wait late.',
    'Patroni silently drops a late schedule.',
    '`switchover --scheduled` with the candidate down when it is due.',
    '`patctl flush` cancels it.',
  ],
  logical_walsender_present: [
    'Logical clients are connected to the leader.',
    'A clean shutdown waits for each of them.',
    'pg_recvlogical.',
    'No action needed while they confirm.',
  ],
  stop_timeout_unset: [
    'primary_stop_timeout is unset in synchronous mode while the leader has logical slots, or it is set without synchronous mode, where it has no effect.',
    'It ends a demotion that hangs, but only in synchronous mode.',
    'The defaults, and a logical slot.',
    'Consider setting it.',
  ],
  paused_too_long: [
    "Maintenance mode has been on for longer than --max-pause. etcd does not say when a key was written. Two things prove a minimum age: a change older than the last line of /history is at least as old as that line, and a `patroni.dynamic.json` in a member's data directory that says pause has said so since it was last written (a later change of the configuration writes it again). If neither can be read, the finding is `unknown`.",
    'A forgotten pause means no failover.',
    '`patctl pause`, and `check --max-pause` with a superuser login and without one.',
    '`patctl resume`. To know the age: an SQL login that may call pg_stat_file and pg_read_file.',
  ],
  paused: [
    'Maintenance mode is on.',
    'There is no automatic failover.',
    '`patctl pause`.',
    '`patctl resume` when done.',
  ],
  member_misidentified: [
    "Another member or cluster answers at a member's api_url.",
    'Requests to this member reach another one.',
    'restapi.connect_address 127.0.0.1 on two hosts.',
    'Set an address that belongs only to it.',
  ],
  member_missing: [
    'A member named by --expect has no key in the DCS.',
    'Patroni there has stopped, or cannot reach the DCS; after ttl the list just shows one member fewer.',
    'A member stopped for longer than ttl.',
    'Check that host.',
  ],
  member_left: [
    "A member's key expired with its lease, and another source still names it: etcd's history of deleted keys (its last value), /status, /history, /sync, /failsafe, a slot or a walsender with its name, its own PostgreSQL, or an earlier recording (--since FILE). Critical when it was synchronous or when no member could take over now; info when its last state was a clean shutdown (`stopped`). The finding ends when the member returns, with --ignore, or after --max-absence (default 24h) if the time is known: etcd counts revisions, not time, so the minimum age comes from /history and from how often /status was written since.",
    'Patroni forgets a member after ttl: the list shows a healthy cluster with one member fewer.',
    "SIGKILL of a replica's Patroni, with and without its PostgreSQL; of the leader's, after which another is promoted; SIGTERM of a replica.",
    'Bring it back, or stop its PostgreSQL if that still runs. If it was removed on purpose: --ignore member_left.',
  ],
  member_state: [
    'A member is stopped, crashed, failed to start or restart (critical); or it is starting, restarting, stopping, or does not answer Patroni, for longer than settling takes and 10 s at least (a warning, critical after 5 min); or Patroni reports another state and no WAL position, and SQL does not answer (a warning); or its creation takes longer than --max-creating, by the age of a running base backup to its address, from any member, or of a key that did not change between two readings. If neither is available, the check is skipped. The evidence has what it waits for, if that can be seen: the refusal of PostgreSQL, where recovery is and whether it moves, the restore_command, the walsenders a shutdown waits for.',
    'Patroni gives up quietly after a failed bootstrap; a recovery that hangs looks like a restart in every list.',
    'A failing create_replica_method; a restore_command that never ends; a walreceiver frozen while its upstream stops.',
    'Check the logs there.',
  ],
  member_unreachable: [
    "A member's key exists but its REST API does not answer. Critical when fewer than --min-members answer.",
    'A dead node stays listed up to ttl; a frozen Patroni has its key until then.',
    "SIGSTOP of a replica's Patroni.",
    'Check whether Patroni runs there.',
  ],
  dcs_unreadable: [
    'A key of the cluster other than /config is not JSON, or a value in it has the wrong type; a warning where Patroni uses its default.',
    'Everything that depends on the key is unknown: with an unreadable /sync the synchronous standbys are unknown.',
    "/sync written as `{` while the leader's Patroni was frozen; ttl and synchronous_mode of the wrong type.",
    'Find out which client wrote it; Patroni writes its own keys again.',
  ],
  member_refuses: [
    'Both its REST API and its PostgreSQL deny our requests: a CA, a client certificate or a login is wrong.',
    'None of the claims about it can be checked; a lack of findings does not mean that it is healthy.',
    "ctl.cacert and sslrootcert of another CA than the servers', on a cluster with TLS.",
    'Correct what the error names: the CA, our certificate, or the login.',
  ],
  rest_unusable: [
    "A member's REST API refuses us (401, 403, TLS), has no usable api_url, or answers something that Patroni never sends: a status other than 200, a page, another program's JSON. It is reported whatever SQL says.",
    'Restart, reinit and switchover need it, and only it shows failsafe mode, the watchdog and votes: the skipped checks are named.',
    'A proxy that answers 503 with a page in front of the API; ctl.cacert of another CA; an api_url without a host.',
    'Correct what the refusal names; see what answers at the api_url.',
  ],
  login_refused: [
    'The database login that was given by flag or variable (-U, PGUSER, PGPASSFILE) is refused by a member, or TLS with our CA, certificate or key fails. Another refusal of a login of the configuration is not a finding.',
    'The checks that need SQL were requested and are skipped.',
    'A wrong password; the wrong sslrootcert, sslkey and sslcert.',
    'Correct the login or its TLS files, or leave it out.',
  ],
  postgres_unreachable: [
    'Patroni says that PostgreSQL runs, and it says itself that it cannot serve (it starts or stops, it is out of memory or disk, its files are corrupted), or answers our queries with an error, or accepts no connection while another member answers SQL. Critical where the leader refuses or says so; a server that does not answer in time may only be slow.',
    'Patroni keeps its own connection: it does not notice a postmaster that accepts no connections.',
    'SIGSTOP of the postmaster alone.',
    'Try psql there; look at its log, the postmaster, the firewall and listen_addresses.',
  ],
  connections_exhausted: [
    'Every connection but those reserved for superusers is taken, or the server refused us with "too many clients". Critical on the leader.',
    'Clients are refused while Patroni, which has its connection, sees a healthy member.',
    'As many idle sessions as max_connections allows.',
    'End idle sessions, use a pooler, or raise max_connections.',
  ],
  unstable: [
    'In at least five readings of one run there was trouble that the reading before did not have: it comes and goes. Critical when at least five of them had something critical.',
    'Each trouble is gone when it is looked at again, but the cluster still serves no clients.',
    'Patroni killed and started again in turns, on all members.',
    'Run it again with --settle 10; look at what the logs of Patroni and etcd say in between.',
  ],
  pending_restart: [
    'A changed parameter needs a restart; the old and new values are shown.',
    'The configured value is not in force.',
    'max_connections changed in the dynamic configuration.',
    '`patctl restart CLUSTER --pending`.',
  ],
  config_rejected: [
    'Patroni cannot read the key at all, or throws the whole configuration away because of one value in it (ttl, loop_wait or retry_timeout that is not a whole number, `postgresql`, its `parameters` or `standby_cluster` that is not a mapping), or its loop fails on it (`slots`, `ignore_slots`).',
    'Every member keeps ttl, loop_wait, retry_timeout and everything below `postgresql` as it was, and a member that is new or rebuilt begins with defaults (max_connections 100). Switches such as pause and synchronous_mode are in force anyway. The evidence names each setting in force that is not the written one.',
    '`ttl: 60s`, `ttl: null`, `parameters: x`, `slots: x` written to the key of a live cluster.',
    'Correct the value that is named: `patctl edit-config`.',
  ],
  config_ignored: [
    'Patroni cannot read one value and uses its default, or changes it, or omits a setting of PostgreSQL. Critical when something that was asked for is not in force; a warning when Patroni takes another value, or when the key only has its effect in the file of a node.',
    'The configuration reads as if it were in force, and no one is warned.',
    '`synchronous_mode: quorun`, `maximum_lag_on_failover: 1MB`, `autovacuum: t`, `use_pg_rewind: "off"` (which is true).',
    'Write it as Patroni reads it: `patctl edit-config` refuses what it cannot read.',
  ],
  slots_misconfigured: [
    'An entry of `slots` has a name or a type that Patroni does not take, or a logical one lacks its database or plugin; or an entry of `ignore_slots` matches nothing, or more than is meant.',
    'The slot does not exist, so its client loses its place with the next failover, and Patroni logs an error in every loop; a slot that should be left alone is dropped.',
    '`slots: {type: logical, database: app, plugin: pgoutput}`, with the name left out.',
    'Correct the entry: `patctl edit-config`.',
  ],
  config_timing: [
    'ttl is less than loop_wait + 2 * retry_timeout.',
    'Patroni adjusts it quietly where it can; elsewhere a short outage of the DCS demotes the primary.',
    'edit-config -s ttl=5.',
    'Raise ttl.',
  ],
  config_unknown_key: [
    'The dynamic configuration has a key that Patroni does not know; the nearest known one is named.',
    'Patroni ignores it silently.',
    '`use_slot`, or `parameters` at the top.',
    'Correct it with edit-config.',
  ],
  cert_expiring: [
    'The certificate of etcd, of a REST API or of PostgreSQL expires within 21 days; critical within 3.',
    'All members usually expire at once.',
    'A certificate valid for two days.',
    'Renew and reload.',
  ],
  version_mixed: [
    'Members run different versions of Patroni or PostgreSQL; a warning when the major ones differ.',
    'Fixes and defaults differ between the members.',
    'A member started with another Patroni.',
    'Finish the upgrade.',
  ],
  config_drift: [
    "A parameter of the dynamic configuration is not in force on a member, and no restart is pending for it. Parameters that decide about replication are compared wherever their value comes from; any other number, switch, word or harmless text only when pg_settings names ALTER SYSTEM's file, or the file from before Patroni: in Patroni's own file a member's local configuration may have its own value.",
    'A local file, ALTER SYSTEM or a minimum of Patroni overrides it.',
    'wal_keep_size 0, which Patroni changes to 128MB; ALTER SYSTEM SET work_mem on one member.',
    'Find out what overrides it.',
  ],
  rewind_impossible: [
    'use_pg_rewind is off, or neither wal_log_hints nor checksums are on.',
    'A former primary with WAL of its own needs a new base backup.',
    'use_pg_rewind off.',
    'Turn it on if base backups take long.',
  ],
  rest_unprotected: [
    'The REST API accepts requests that change the cluster without credentials or a client certificate. Only checked with --probe-rest: a PATCH of /config with an empty object, which Patroni refuses with 401 or 403 where it is protected and with 400 or 411, changing nothing, where it is not.',
    'Every client that reaches the port can switch over, restart and reconfigure.',
    'The defaults.',
    'Set restapi.authentication or verify_client.',
  ],
  write_route_replica: [
    'Every server at which a client of a write route (--route rw=… or `patctl: {routes: {rw: …}}`) may end is in recovery. In a standby cluster write routes are not judged: they lead to the other site.',
    'Clients connect and every write fails: "cannot execute INSERT in a read-only transaction".',
    "HAProxy with GET /replica as the health check of its write port; a connection string with two hosts and without target_session_attrs; a virtual IP that stayed on the old leader's host.",
    'Let a proxy use GET /primary of Patroni as its health check, let the virtual IP or DNS record follow the leader, or add target_session_attrs=read-write to the connection string.',
  ],
  write_route_old_primary: [
    'A write route leads to a server that accepts writes and is not the leader: the old primary, isolated or kept alive, or one that was promoted manually.',
    'What clients write there is lost when that server rejoins.',
    "SIGKILL of the leader's Patroni, its PostgreSQL left alone, behind a proxy without health checks.",
    'Stop the clients or that server first, save what only it has, then let the route lead to the leader.',
  ],
  route_other_cluster: [
    'A server that answers through the route has another system identifier than this cluster.',
    'Clients read and write the data of another cluster, and nothing fails.',
    'A connection string with the port of another cluster on the same hosts.',
    'Correct the address, or the backends of the proxy.',
  ],
  write_route_down: [
    'No address of a write route leads to a server, or every server that answers is refused by target_session_attrs.',
    'Clients cannot connect, while the cluster itself may be healthy.',
    'HAProxy whose health checks find no primary; a pgbouncer whose backend is gone; target_session_attrs=primary over replicas only.',
    'Check whether the proxy or pooler runs, and whether its health checks reach the REST API of the members.',
  ],
  route_partial: [
    'A write route leads to the primary on some of its addresses or connections, and to a replica on others (critical); or some addresses of a route lead to no server (warning). Every address of a name is asked, and each several times, because a proxy may lead every connection to another server.',
    'Some clients work and some fail, depending on which address they got.',
    'HAProxy without health checks in front of three members; a connection string with the port of a member that is gone.',
    'Correct or remove the address that the evidence names.',
  ],
  read_route_primary: [
    'A client of a read route (--route ro=…) may end at the primary.',
    'Reads that should be kept away from the primary load it.',
    'HAProxy without health checks in front of all members; target_session_attrs=any.',
    'Let a proxy use GET /replica of Patroni as its health check, or use target_session_attrs=standby or prefer-standby.',
  ],
  read_route_stale: [
    'A client of a read route may end at a replica whose WAL receiver does not stream.',
    'It answers with old data, older with every minute, and nothing fails.',
    'A replica whose primary_conninfo leads nowhere, behind a proxy that only asks whether its port is open.',
    'Take it out of the route until it streams: GET /replica?lag=… of Patroni is false for it; `check` says why it does not stream.',
  ],
  read_route_empty: [
    'No address of a read route leads to a server, or every server that answers is refused by target_session_attrs.',
    'Clients that only read cannot connect.',
    'HAProxy with GET /replica as its health check when no replica runs.',
    'Check whether the proxy or pooler runs, whether any replica does, and whether its health checks reach the REST API of the members.',
  ],
  route_unasked: [
    'Something answers at the route and refuses every login that patctl has, so where it leads is unknown: typical for pgbouncer, which knows only the users and databases of its own files.',
    'A route that cannot be checked may lead anywhere; the findings about it are listed as skipped.',
    'pgbouncer whose auth_file has no user of ours, or whose list of databases has no `postgres`.',
    'Give a login that it accepts: -U and -d, ~/.pgpass, or `user=` and `dbname=` in the route. Any role will do.',
  ],
  expectation_failed: [
    'The cluster does not match --expect FILE; the expected and the actual value are in the evidence.',
    'For CI: the state that a deployment must reach.',
    'A cluster paused after --write-expect.',
    'Change the cluster, or the file if the change was intended.',
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

A cluster in motion is not an alarm: each finding is read again, twice, \`loop_wait\` apart, until each reading finds the
same; what is gone is \`transient\` in json, and what holds in the last reading is reported. Where one finding
follows another, two more readings are made, and two again while the last one has a critical finding that is new;
findings that began in five readings are \`unstable\`. \`--settle N\` changes how often, \`--settle 0\` reports what one reading
says. For a minute after a primary started or was promoted, \`sync_empty\`, \`quorum_lost\` and
\`no_failover_candidate\` are read three more times, because Patroni takes its synchronous standbys back in several loops.
A finding that is part of another one is still reported: it stands below its cause, and is \`not ok\` in tap, a
failure in junit, and counted in prometheus, with the code of its cause.

Severities and limits are set by flags (\`--ignore\`, \`--warn\`, \`--critical\`, \`--max-lag\` and so on), or in the
configuration file, where a flag wins: \`patctl: {check: {ignore: [paused], warn: [sync_empty], max_lag: 16MiB}}\`.

\`npm run -s lab -- provoke STORY\` reproduces the troubles below on a real cluster of its own, and prints how to
inspect and end them. \`npm run chaos -- --minutes 60\` breaks clusters of every kind at random, with
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
    ? ` Reported as part of ${check.follows.map((of) => `\`${of}\``).join(', ')}.`
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
