/** The list of everything `check` looks for: one row a finding. A new one is a function, a row here, and its page. */
import type { Claim, Finding, Severity } from '../model/model.js';
import type { View } from '../roles/view.js';
import * as commits from './commits.js';
import * as failoverSlots from './failover-slots.js';
import * as kube from './kubernetes-claims.js';
import * as leadership from './leadership.js';
import * as left from './left.js';
import type { Limits } from './limits.js';
import * as operations from './operations.js';
import * as rejected from './configuration-rejected.js';
import * as quorum from './quorum-risk.js';
import { routeFindings } from './route-findings.js';
import * as replication from './streaming.js';
import * as views from './member-views.js';
import * as settings from './configuration.js';
import * as slots from './replication-slots.js';
import * as states from './states.js';
import * as switchover from './switchover-readiness.js';
import * as sync from './synchronous.js';
import * as witnesses from './witnesses.js';

export type Group =
  | 'Leadership'
  | 'Synchronous replication'
  | 'Replication'
  | 'Switchover'
  | 'Operations'
  | 'Routes'
  | 'Kubernetes'
  | 'Expectations';

/** Whose word a finding needs: without it the finding is unknown, not absent. */
export type Need =
  | 'DCS'
  | 'REST or SQL'
  | 'REST'
  | 'SQL on the leader'
  | 'SQL on every member'
  | 'TLS'
  | '--probe-rest'
  | '--route';

export interface Check {
  code: string;
  group: Group;
  /** Default severities, worst first. */
  severity: readonly Severity[];
  needs: Need;
  title: string;
  /** Keys of the DCS without which it cannot be told: some ways to a cluster do not have them. */
  claims?: readonly Claim[];
  /** Codes of which it is a consequence: where one of them is found, this one is reported as part of it. */
  follows?: readonly string[];
  /** Also looked for by list and status: it makes a claim false. */
  claim?: true;
  /** Absent: everywhere. Where it says no there is nothing to look for. */
  applies?: (view: View) => boolean;
  find(view: View, limits: Limits): Finding[];
  /** Members of which it could not be told although the witness spoke, and why. */
  untold?: { reason: string; members(view: View, limits: Limits): string[] };
}

const LEADERSHIP: Check[] = [
  {
    code: 'two_primaries',
    group: 'Leadership',
    severity: ['critical', 'unknown'],
    needs: 'REST or SQL',
    title: 'two PostgreSQL servers are out of recovery',
    claim: true,
    find: leadership.twoPrimaries,
  },
  {
    code: 'primary_without_lock',
    group: 'Leadership',
    severity: ['critical', 'info'],
    needs: 'REST or SQL',
    title: 'a primary does not hold the leader key',
    follows: ['two_primaries'],
    claim: true,
    find: leadership.primaryWithoutLock,
  },
  {
    code: 'no_leader',
    group: 'Leadership',
    severity: ['critical', 'unknown'],
    needs: 'REST or SQL',
    title: 'no leader key and no primary',
    claim: true,
    find: leadership.noLeader,
  },
  {
    code: 'lock_without_primary',
    group: 'Leadership',
    severity: ['critical'],
    needs: 'REST or SQL',
    title: 'the leader key belongs to a member that is not a primary',
    claim: true,
    find: leadership.lockWithoutPrimary,
  },
  {
    code: 'leader_unreachable',
    group: 'Leadership',
    severity: ['critical', 'warning'],
    needs: 'REST or SQL',
    title: 'the owner of the leader key does not answer',
    claim: true,
    find: leadership.leaderUnreachable,
  },
  {
    code: 'timeline_fork',
    group: 'Leadership',
    severity: ['critical'],
    needs: 'REST or SQL',
    title: "a member has WAL that is not in the leader's history",
    find: replication.timelineFork,
  },
  {
    code: 'timeline_behind',
    group: 'Leadership',
    severity: ['warning'],
    needs: 'REST or SQL',
    title: 'a member is on an older timeline than the leader',
    follows: ['timeline_fork', 'slot_lost', 'wal_gone'],
    find: replication.timelineBehind,
  },
  {
    code: 'failsafe_active',
    group: 'Leadership',
    severity: ['warning'],
    needs: 'REST',
    title: 'failsafe mode keeps a primary alive without the DCS',
    claim: true,
    find: leadership.failsafeActive,
  },
];

const UNSURE_VOTES = 'it is unknown whether a member could take over: its REST API cannot be asked';

const SYNC: Check[] = [
  {
    code: 'sync_role_mismatch',
    group: 'Synchronous replication',
    severity: ['critical'],
    needs: 'REST or SQL',
    title: '/sync claims a standby that PostgreSQL does not wait for',
    follows: ['sync_names_overridden'],
    claim: true,
    find: sync.syncRoleMismatch,
  },
  {
    code: 'sync_leader_stale',
    group: 'Synchronous replication',
    severity: ['critical'],
    needs: 'DCS',
    claims: ['sync'],
    title: '/sync was written for another leader',
    claim: true,
    find: sync.syncLeaderStale,
  },
  {
    code: 'sync_names_overridden',
    group: 'Synchronous replication',
    severity: ['critical', 'warning'],
    needs: 'SQL on the leader',
    title: 'synchronous_standby_names is not set by Patroni',
    claim: true,
    find: sync.syncNamesOverridden,
  },
  {
    code: 'sync_empty',
    group: 'Synchronous replication',
    severity: ['critical'],
    needs: 'REST or SQL',
    claims: ['sync'],
    title: 'synchronous_mode is on, replicas stream, and /sync lists none',
    follows: ['sync_names_overridden'],
    claim: true,
    find: sync.syncEmpty,
  },
  {
    code: 'sync_unclaimed',
    group: 'Synchronous replication',
    severity: ['warning'],
    needs: 'REST or SQL',
    claims: ['sync'],
    title: 'PostgreSQL waits for a standby that /sync does not list',
    follows: ['sync_names_overridden'],
    claim: true,
    find: sync.syncUnclaimed,
  },
  {
    code: 'sync_names_differ',
    group: 'Synchronous replication',
    severity: ['warning'],
    needs: 'SQL on the leader',
    claims: ['sync'],
    title: 'synchronous_standby_names is not what /sync promises',
    follows: ['sync_names_overridden', 'sync_role_mismatch', 'sync_leader_stale'],
    find: sync.syncNamesDiffer,
  },
  {
    code: 'commits_blocked',
    group: 'Synchronous replication',
    severity: ['critical', 'unknown'],
    needs: 'SQL on the leader',
    title: 'commits wait: fewer synchronous standbys answer than PostgreSQL waits for',
    claim: true,
    find: (view) => {
      const bySql = commits.commitsBlocked(view);
      return bySql.length > 0 ? bySql : commits.commitsBlockedOverRest(view);
    },
  },
  {
    code: 'quorum_lost',
    group: 'Synchronous replication',
    severity: ['critical'],
    needs: 'REST or SQL',
    claims: ['sync'],
    title: 'no member could win the vote if the leader were lost',
    follows: ['sync_leader_stale', 'sync_names_overridden', 'two_primaries'],
    find: quorum.quorumLost,
    untold: { reason: UNSURE_VOTES, members: quorum.votesUntold },
  },
  {
    code: 'standby_cluster_cannot_elect',
    group: 'Synchronous replication',
    severity: ['critical'],
    needs: 'REST or SQL',
    title: 'a standby cluster in which no member can take over because of an old /sync',
    follows: ['two_primaries'],
    find: quorum.standbyClusterCannotElect,
  },
  {
    code: 'quorum_at_risk',
    group: 'Synchronous replication',
    severity: ['warning'],
    needs: 'REST or SQL',
    claims: ['sync'],
    title: 'if one more voter is lost, no member can win the vote',
    find: quorum.quorumAtRisk,
  },
  {
    code: 'duplicate_application_name',
    group: 'Synchronous replication',
    severity: ['warning'],
    needs: 'REST or SQL',
    title: 'two walsenders use the same application_name',
    claim: true,
    find: sync.duplicateApplicationName,
  },
  {
    code: 'sync_in_standby_cluster',
    group: 'Synchronous replication',
    severity: ['info'],
    needs: 'DCS',
    title: 'synchronous_mode is on in a standby cluster, where no commit waits for it',
    claim: true,
    find: sync.syncInStandbyCluster,
  },
];

const REPLICATION: Check[] = [
  {
    code: 'slot_lost',
    group: 'Replication',
    severity: ['critical'],
    needs: 'REST or SQL',
    title: "a member's slot no longer keeps the WAL that the member needs",
    claim: true,
    find: slots.slotLost,
  },
  {
    code: 'wal_gone',
    group: 'Replication',
    severity: ['critical'],
    needs: 'SQL on the leader',
    title: 'a member needs WAL that its upstream has recycled',
    follows: ['slot_lost'],
    find: slots.walGone,
  },
  {
    code: 'not_streaming',
    group: 'Replication',
    severity: ['critical', 'warning'],
    needs: 'REST or SQL',
    title: 'a replica (or a standby cluster) receives no WAL',
    follows: ['slot_lost', 'wal_gone', 'timeline_fork'],
    claim: true,
    find: replication.notStreaming,
    untold: {
      reason:
        'Patroni before 3.0.4 does not say whether a standby leader streams, and SQL was not read',
      members: replication.standbyLeaderUntold,
    },
  },
  {
    code: 'slot_missing',
    group: 'Replication',
    severity: ['critical'],
    needs: 'SQL on the leader',
    title: "a member's replication slot does not exist",
    follows: ['slot_lost'],
    find: slots.slotMissing,
  },
  {
    code: 'wrong_upstream',
    group: 'Replication',
    severity: ['warning'],
    needs: 'REST or SQL',
    title: 'a replica streams from the wrong member',
    claim: true,
    find: replication.wrongUpstream,
  },
  {
    code: 'catching_up',
    group: 'Replication',
    severity: ['warning'],
    needs: 'REST or SQL',
    title: 'a replica is further behind than --max-lag',
    find: replication.catchingUp,
  },
  {
    code: 'replay_paused',
    group: 'Replication',
    severity: ['warning'],
    needs: 'REST or SQL',
    title: 'a replica receives WAL but does not replay it',
    find: replication.replayPaused,
  },
  {
    code: 'replay_behind',
    group: 'Replication',
    severity: ['warning'],
    needs: 'REST or SQL',
    title: 'a replica has received far more than it has replayed',
    follows: ['replay_paused'],
    find: replication.replayBehind,
  },
  {
    code: 'slot_unreserved',
    group: 'Replication',
    severity: ['warning'],
    needs: 'SQL on the leader',
    title: "a member's slot exists but keeps no WAL",
    follows: ['slot_lost'],
    find: slots.slotUnreserved,
  },
  {
    code: 'slot_inactive_retains_wal',
    group: 'Replication',
    severity: ['warning'],
    needs: 'SQL on every member',
    title: 'an inactive slot retains too much WAL',
    find: slots.slotInactiveRetainsWal,
  },
  {
    code: 'archiving_failing',
    group: 'Replication',
    severity: ['warning'],
    needs: 'SQL on the leader',
    title: 'WAL is not archived: the last attempt failed, or files accumulate',
    find: slots.archivingFailing,
  },
  {
    code: 'walsenders_exhausted',
    group: 'Replication',
    severity: ['warning'],
    needs: 'SQL on the leader',
    title: 'max_wal_senders has no free walsender for one more member',
    find: slots.walsendersExhausted,
  },
  {
    code: 'slots_exhausted',
    group: 'Replication',
    severity: ['warning'],
    needs: 'SQL on the leader',
    title: 'max_replication_slots has no free slot for one more member',
    find: slots.slotsExhausted,
  },
  {
    code: 'failover_slot_not_synced',
    group: 'Switchover',
    severity: ['warning'],
    needs: 'SQL on every member',
    title:
      'a logical slot made to survive a failover is not synchronized on a member that may be promoted',
    find: failoverSlots.failoverSlotNotSynced,
  },
  {
    code: 'permanent_slot_missing',
    group: 'Switchover',
    severity: ['warning'],
    needs: 'SQL on every member',
    title: "Patroni's permanent logical slot is missing on a member that may be promoted",
    find: failoverSlots.permanentSlotMissing,
  },
  {
    code: 'synchronized_slot_inactive',
    group: 'Replication',
    severity: ['critical', 'warning'],
    needs: 'SQL on the leader',
    title: 'synchronized_standby_slots names a slot that does not exist or is inactive',
    find: failoverSlots.synchronizedSlotInactive,
  },
  {
    code: 'reinit_needed',
    group: 'Replication',
    severity: ['info'],
    needs: 'REST or SQL',
    title: 'a member cannot recover without a reinitialization',
    find: slots.reinitNeeded,
  },
];

const SWITCHOVER: Check[] = [
  {
    code: 'logical_walsender_stuck',
    group: 'Switchover',
    severity: ['critical', 'warning'],
    needs: 'SQL on the leader',
    title: 'a logical walsender confirms nothing: it would block a demotion',
    find: switchover.logicalWalsenderStuck,
  },
  {
    code: 'no_failover_candidate',
    group: 'Switchover',
    severity: ['critical'],
    needs: 'REST or SQL',
    claims: ['sync'],
    title: 'every other member is excluded from taking over',
    follows: ['sync_empty', 'sync_names_overridden', 'sync_leader_stale', 'two_primaries'],
    find: quorum.noFailoverCandidate,
    untold: { reason: UNSURE_VOTES, members: quorum.candidatesUntold },
  },
  {
    code: 'stale_failover_key',
    group: 'Switchover',
    severity: ['warning'],
    needs: 'DCS',
    claims: ['failover'],
    title: 'a switchover request in the DCS is not carried out',
    find: switchover.staleFailoverKey,
  },
  {
    code: 'patroni_bug_quorum_switchover',
    group: 'Switchover',
    severity: ['warning'],
    needs: 'DCS',
    title: 'Patroni 4.0.5 in quorum mode refuses a named candidate',
    find: switchover.patroniBugQuorumSwitchover,
  },
  {
    code: 'scheduled_action',
    group: 'Switchover',
    severity: ['warning', 'info'],
    needs: 'DCS',
    title: 'a switchover or restart is scheduled, or its time has passed',
    find: switchover.scheduledAction,
  },
  {
    code: 'logical_walsender_present',
    group: 'Switchover',
    severity: ['info'],
    needs: 'SQL on the leader',
    title: 'a clean shutdown waits for logical walsenders',
    find: switchover.logicalWalsenderPresent,
  },
  {
    code: 'stop_timeout_unset',
    group: 'Switchover',
    severity: ['info'],
    needs: 'SQL on the leader',
    title:
      'primary_stop_timeout is unset although logical walsenders are connected, or has no effect',
    find: switchover.stopTimeoutUnset,
  },
];

const OPERATIONS: Check[] = [
  {
    code: 'paused_too_long',
    group: 'Operations',
    severity: ['critical', 'unknown'],
    needs: 'DCS',
    title: 'maintenance mode has been on for longer than --max-pause',
    find: operations.pausedTooLong,
  },
  {
    code: 'paused',
    group: 'Operations',
    severity: ['warning'],
    needs: 'DCS',
    title: 'maintenance mode is on',
    follows: ['paused_too_long'],
    find: operations.paused,
  },
  {
    code: 'member_misidentified',
    group: 'Operations',
    severity: ['critical'],
    needs: 'REST',
    title: "another member answers at a member's api_url",
    claim: true,
    find: leadership.memberMisidentified,
  },
  {
    code: 'member_missing',
    group: 'Operations',
    severity: ['critical'],
    needs: 'DCS',
    title: 'an expected member has no key in the DCS',
    find: operations.memberMissing,
  },
  {
    code: 'member_left',
    group: 'Operations',
    severity: ['critical', 'warning', 'info'],
    needs: 'DCS',
    claims: ['departed'],
    title: 'a member is gone from the DCS, and Patroni has forgotten it',
    follows: ['two_primaries', 'member_missing', 'lock_without_primary'],
    claim: true,
    find: left.memberLeft,
  },
  {
    code: 'member_state',
    group: 'Operations',
    severity: ['critical', 'warning'],
    needs: 'DCS',
    title:
      'a member is stopped, crashed, failed to start, or takes too long to start, stop or be created',
    find: states.memberState,
    untold: {
      reason: 'a replica is being created for an unknown time: no base backup to it was seen',
      members: states.creatingUntold,
    },
  },
  {
    code: 'member_unreachable',
    group: 'Operations',
    severity: ['critical', 'warning'],
    needs: 'REST',
    title: 'a member does not answer',
    follows: ['leader_unreachable'],
    claim: true,
    find: leadership.memberUnreachable,
  },
  {
    code: 'dcs_unreadable',
    group: 'Operations',
    severity: ['unknown', 'warning'],
    needs: 'DCS',
    title: 'a DCS key has a value that Patroni does not write',
    find: operations.dcsUnreadable,
  },
  {
    code: 'member_views_differ',
    group: 'Operations',
    severity: ['warning'],
    needs: 'DCS',
    title: 'two members give different views of the cluster (GET /cluster)',
    claim: true,
    applies: views.isToldByMembers,
    find: views.memberViewsDiffer,
  },
  {
    code: 'rest_through_proxy',
    group: 'Operations',
    severity: ['info'],
    needs: 'DCS',
    title: 'the address given with --rest is answered by more than one member',
    applies: views.isToldByMembers,
    find: views.restThroughProxy,
  },
  {
    code: 'member_refuses',
    group: 'Operations',
    severity: ['unknown'],
    needs: 'DCS',
    title: 'a member is reachable but denies our requests',
    find: witnesses.memberRefuses,
  },
  {
    code: 'rest_unusable',
    group: 'Operations',
    severity: ['unknown'],
    needs: 'DCS',
    title: "a member's REST API cannot be asked, or gives an answer that Patroni never gives",
    follows: ['member_refuses'],
    claim: true,
    find: witnesses.restUnusable,
  },
  {
    code: 'login_refused',
    group: 'Operations',
    severity: ['unknown'],
    needs: 'DCS',
    title: 'the database login that was given is refused',
    follows: ['member_refuses'],
    find: witnesses.loginRefused,
  },
  {
    code: 'postgres_unreachable',
    group: 'Operations',
    severity: ['critical', 'warning'],
    needs: 'DCS',
    title:
      'PostgreSQL accepts no connection or answers only with errors, although Patroni says that it runs',
    claim: true,
    find: witnesses.postgresUnreachable,
  },
  {
    code: 'connections_exhausted',
    group: 'Operations',
    severity: ['critical', 'warning'],
    needs: 'SQL on every member',
    title: 'clients are refused: every connection is taken',
    find: witnesses.connectionsExhausted,
  },
  {
    code: 'pending_restart',
    group: 'Operations',
    severity: ['warning'],
    needs: 'DCS',
    title: 'a parameter change needs a restart',
    find: operations.pendingRestart,
  },
  {
    code: 'config_rejected',
    group: 'Operations',
    severity: ['critical'],
    needs: 'DCS',
    title: 'Patroni cannot use the dynamic configuration at all',
    find: rejected.configRejected,
  },
  {
    code: 'config_ignored',
    group: 'Operations',
    severity: ['critical', 'warning'],
    needs: 'DCS',
    title: 'a value of the dynamic configuration is not in force as it is written',
    find: rejected.configIgnored,
  },
  {
    code: 'slots_misconfigured',
    group: 'Operations',
    severity: ['warning'],
    needs: 'DCS',
    title: 'a configured replication slot is not created, or a slot to be ignored is dropped',
    find: rejected.slotsMisconfigured,
  },
  {
    code: 'config_timing',
    group: 'Operations',
    severity: ['warning'],
    needs: 'DCS',
    title: 'ttl is less than loop_wait + 2 * retry_timeout',
    follows: ['config_rejected'],
    find: settings.configTiming,
  },
  {
    code: 'config_unknown_key',
    group: 'Operations',
    severity: ['warning'],
    needs: 'DCS',
    title: 'the dynamic configuration has a key that Patroni does not know',
    find: rejected.configUnknownKey,
  },
  {
    code: 'cert_expiring',
    group: 'Operations',
    severity: ['critical', 'warning'],
    needs: 'TLS',
    title: 'a TLS certificate expires soon',
    find: operations.certExpiring,
  },
  {
    code: 'version_mixed',
    group: 'Operations',
    severity: ['warning', 'info'],
    needs: 'DCS',
    title: 'members run different versions',
    find: operations.versionMixed,
  },
  {
    code: 'config_drift',
    group: 'Operations',
    severity: ['info'],
    needs: 'SQL on every member',
    title: 'a parameter of the dynamic configuration is not in force',
    follows: ['config_rejected'],
    find: settings.configDrift,
  },
  {
    code: 'rewind_impossible',
    group: 'Operations',
    severity: ['warning'],
    needs: 'SQL on the leader',
    title: 'a former primary could not be rewound (pg_rewind)',
    find: settings.rewindImpossible,
  },
  {
    code: 'rest_unprotected',
    group: 'Operations',
    severity: ['info'],
    needs: '--probe-rest',
    title: 'the REST API accepts unauthenticated writes',
    find: settings.restUnprotected,
  },
];

const READINGS: Check[] = [
  {
    code: 'unstable',
    group: 'Operations',
    severity: ['critical', 'warning'],
    needs: 'DCS',
    title: 'trouble comes and goes from reading to reading',
    // Found by src/cluster/documents/check-document.ts, which compares the readings.
    find: () => [],
  },
];

const ROUTES: Check[] = [
  route('write_route_replica', ['critical'], 'a write route leads to a replica'),
  route(
    'write_route_old_primary',
    ['critical'],
    'a write route leads to a primary that is not the leader',
  ),
  route('route_other_cluster', ['critical'], 'a route leads to another cluster'),
  {
    ...route('write_route_down', ['critical'], 'a write route leads to no server'),
    follows: ['no_leader', 'lock_without_primary', 'leader_unreachable', 'postgres_unreachable'],
  },
  route(
    'route_partial',
    ['critical', 'warning'],
    'a route leads where it should on only some of its addresses',
  ),
  route('read_route_primary', ['warning'], 'a read route leads to the primary'),
  route('read_route_stale', ['critical'], 'a read route leads to a replica that does not stream'),
  route('read_route_empty', ['critical'], 'a read route leads to no server'),
  route('route_unasked', ['unknown'], 'a route answers but accepts none of our logins'),
];

function route(code: string, severity: Check['severity'], title: string): Check {
  return { code, group: 'Routes', severity, needs: '--route', title, find: routeFindings(code) };
}

const KUBERNETES: Check[] = [
  {
    code: 'leader_claim_expired',
    group: 'Kubernetes',
    severity: ['warning'],
    needs: 'DCS',
    title: 'the leader annotation was not renewed for its ttl',
    follows: ['no_leader'],
    claim: true,
    applies: kube.isOnKubernetes,
    find: kube.leaderClaimExpired,
  },
  {
    code: 'pod_ready_behind',
    group: 'Kubernetes',
    severity: ['critical'],
    needs: 'REST or SQL',
    title:
      'a Pod is Ready while its PostgreSQL does not stream, or is behind by more than --max-lag',
    claim: true,
    applies: kube.isOnKubernetes,
    find: kube.podReadyBehind,
  },
  {
    code: 'role_label_wrong',
    group: 'Kubernetes',
    severity: ['critical', 'warning'],
    needs: 'REST or SQL',
    title: "a Pod's role label is not what its PostgreSQL is",
    claim: true,
    applies: kube.isOnKubernetes,
    find: kube.roleLabelWrong,
  },
  {
    code: 'leader_endpoints_wrong',
    group: 'Kubernetes',
    severity: ['critical'],
    needs: 'REST or SQL',
    title: "the leader's Endpoints do not point to the primary",
    claim: true,
    applies: kube.isOnKubernetes,
    find: kube.leaderEndpointsWrong,
  },
];

const EXPECTATIONS: Check[] = [
  {
    code: 'expectation_failed',
    group: 'Expectations',
    severity: ['critical'],
    needs: 'DCS',
    title: 'the cluster does not match --expect FILE',
    // Found by src/cluster/findings/expectations.ts, which has the file.
    find: () => [],
  },
];

export const CATALOGUE: readonly Check[] = [
  ...LEADERSHIP,
  ...SYNC,
  ...REPLICATION,
  ...SWITCHOVER,
  ...OPERATIONS,
  ...READINGS,
  ...ROUTES,
  ...KUBERNETES,
  ...EXPECTATIONS,
];
