/** Every check of a plan, in the order in which they are shown. A new check is a function and a row here. */
import {
  candidateAnswers,
  candidateExists,
  candidateNofailover,
  candidateNotLeader,
  candidateWatchdog,
} from './candidate.js';
import { candidateWalsenders, oldLeaderRewind, slotsForOldLeader } from './afterwards.js';
import type { PreflightCheck } from './plan-facts.js';
import { dataLoss } from './data-loss-check.js';
import {
  dcsReadable,
  failoverPending,
  leaderAlive,
  leaderNamed,
  pausedNeedsCandidate,
  pausedNoSchedule,
  pausedStandbyCluster,
  remoteStreams,
  schedule,
} from './leader-state.js';
import { logicalWalsenders } from './logical-clients.js';
import { candidateLag, candidateStreams, candidateTimeline, candidateReplay } from './position.js';
import { bystandersFollow } from './bystanders.js';
import { archiving, baseBackup, longTransaction, physicalWalsenders } from './shutdown.js';
import { subscribers } from './subscribers.js';
import { bug405, candidateSync, votes } from './vote-check.js';

/** What decides whether one member may be the candidate; `auto` asks them of every member. */
export const CANDIDATE_CHECKS: Record<string, PreflightCheck> = {
  candidate_exists: candidateExists,
  candidate_not_leader: candidateNotLeader,
  candidate_answers: candidateAnswers,
  candidate_nofailover: candidateNofailover,
  candidate_watchdog: candidateWatchdog,
  candidate_streams: candidateStreams,
  candidate_lag: candidateLag,
  candidate_timeline: candidateTimeline,
  replay_paused: candidateReplay,
  candidate_sync: candidateSync,
  logical_slots: subscribers,
};

export const CHECKS: Record<string, PreflightCheck> = {
  dcs_readable: dcsReadable,
  leader_named: leaderNamed,
  leader_alive: leaderAlive,
  remote_streams: remoteStreams,
  failover_pending: failoverPending,
  paused_needs_candidate: pausedNeedsCandidate,
  paused_standby_cluster: pausedStandbyCluster,
  paused_no_schedule: pausedNoSchedule,
  schedule,
  ...CANDIDATE_CHECKS,
  patroni_405_quorum: bug405,
  votes,
  data_loss: dataLoss,
  logical_walsenders: logicalWalsenders,
  physical_walsenders: physicalWalsenders,
  archiving,
  long_transaction: longTransaction,
  base_backup: baseBackup,
  slots_for_old_leader: slotsForOldLeader,
  candidate_walsenders: candidateWalsenders,
  old_leader_rewind: oldLeaderRewind,
  bystanders_follow: bystandersFollow,
};
