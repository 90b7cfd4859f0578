/** Why a cluster changed its leader: what the sources say of it (facts), and what follows (a story). */
import type { Lsn } from '../model/lsn.js';

export type StorySource =
  'recording' | 'etcd' | 'history' | 'patroni log' | 'postgresql log' | 'kernel log';

/** said: the source says it in words. seen: two looks of the source differ so. inferred: it follows from that. */
export type Sure = 'said' | 'seen' | 'inferred';

/** What can happen, as far as a story needs it. Never changes its meaning. */
export type FactCode =
  // The leader key.
  | 'leader_key_released' // deleted on its own
  | 'leader_key_expired' // ended with its lease, together with the member key of its holder
  | 'leader_key_removed' // deleted together with other keys, or while its holder's Patroni did not do it
  | 'leader_key_lost' // gone, and the source does not say how
  | 'leader_key_taken'
  // Requests and configuration.
  | 'failover_requested'
  | 'failover_request_gone'
  | 'config_changed'
  | 'paused'
  | 'resumed'
  | 'sync_changed'
  | 'history_written'
  // A member, by what it or another says of it.
  | 'member_state'
  | 'member_key_expired'
  | 'member_key_came'
  | 'member_silent'
  | 'member_answers'
  | 'dcs_unseen' // its Patroni answers, and has not reached the DCS for longer than a loop
  // Patroni.
  | 'patroni_leads'
  | 'patroni_follows'
  | 'patroni_started'
  | 'patroni_reloaded'
  | 'patroni_silent' // its log has nothing between these two lines
  | 'patroni_log_ends'
  | 'postgres_log_covers' // its log has messages from and to this time
  | 'patroni_demotes'
  | 'patroni_promotes'
  | 'patroni_released'
  | 'patroni_shutdown'
  | 'dcs_unreachable'
  | 'lock_not_updated'
  | 'demoted_without_dcs'
  | 'demoted_without_lock'
  | 'failsafe_holds'
  | 'failsafe_refused'
  | 'postgres_not_running'
  | 'postgres_start_failed'
  | 'postgres_start_timeout'
  | 'failover_after_crash'
  | 'data_directory_gone'
  | 'watchdog_failed'
  | 'pre_promote_failed'
  | 'rewound'
  | 'postgres_stop_forced' // it did not stop in time, and Patroni ended it
  | 'wal_end' // where its own WAL ended, before it followed the new leader
  // PostgreSQL.
  | 'postgres_stops'
  | 'postgres_shutting_down' // its shutdown checkpoint begins
  | 'postgres_stopped'
  | 'postgres_starts'
  | 'postgres_interrupted'
  | 'postgres_child_killed'
  | 'postgres_panic'
  | 'disk_full'
  | 'out_of_memory'
  | 'postgres_accepts_writes'
  | 'postgres_promoted'
  | 'replica_lost_primary'
  | 'replica_saw_end'
  // The kernel of a member's host.
  | 'oom_killed'
  | 'watchdog_reset'
  | 'host_started'
  // The DCS, by who looked at it.
  | 'dcs_silent'
  | 'dcs_answers'
  | 'finding';

export interface StoryFact {
  /** ISO 8601 UTC, by the clock of the source; null: the source has no time for it. */
  at: string | null;
  /** The DCS's revision; null where none tells it. */
  revision: string | null;
  source: StorySource;
  /** The member it is about; null: the cluster. */
  member: string | null;
  what: FactCode;
  /** One line in plain words, without time and without secrets. */
  message: string;
  sure: Sure;
  /** The same was said so often in a row, last at `until`. */
  times?: number;
  until?: string;
  data?: FactData;
}

/** Values that the rules need; each only where it applies. */
export interface FactData {
  leader?: string | null;
  candidate?: string | null;
  scheduledAt?: string | null;
  state?: string;
  role?: string;
  lsn?: Lsn;
  timeline?: number;
  /** For `history_written`: the line's own time. */
  timestamp?: string | null;
  /** For `patroni_silent`: how long, ms. For `dcs_unseen`: since when. */
  ms?: number;
  /** For `patroni_silent`: `in loop`, or `between loops`. For `oom_killed`: the program. */
  mode?: string;
  /** Members whose keys ended with their leases at about the same time. */
  others?: string[];
  /** A start of PostgreSQL with which its log begins: what came before stands in another file, if in any. */
  isFirst?: true;
  /** It answered nothing (timeout), or its port was closed (refused). */
  how?: 'timeout' | 'refused' | 'other';
}

/** Why a leader's term ended. Never changes its meaning. */
export type CauseCode =
  | 'switchover'
  | 'manual_failover'
  | 'patroni_stopped'
  | 'patroni_killed'
  | 'node_lost'
  | 'patroni_frozen'
  | 'node_frozen'
  | 'leader_cut_off'
  | 'dcs_unreachable'
  | 'lock_not_renewed'
  | 'shutdown_too_slow'
  | 'postgres_crashed'
  | 'postgres_hung'
  | 'postgres_stopped'
  | 'disk_full'
  | 'out_of_memory'
  | 'postgres_start_failed'
  | 'postgres_start_timeout'
  | 'postgres_stopped_in_pause'
  | 'data_directory_gone'
  | 'watchdog'
  | 'watchdog_fired'
  | 'key_deleted'
  | 'cluster_removed'
  | 'demoted_to_standby_cluster'
  | 'promotion_cancelled';

/** Facts by their place in `LeaderStory.lines`, so that a reader finds them. */
export interface StoryVerdict {
  /** null: the sources do not settle it, and `fits` has what they leave open. */
  cause: CauseCode | null;
  /** The causes that fit what is known, the likelier first; empty when nothing is known. */
  fits: CauseCode[];
  sure: Sure | null;
  /** One or two sentences. */
  message: string;
  /** What would settle it; null: it is settled, or nothing would. */
  missing: string | null;
  /** What to do so that it does not happen again, one sentence each. */
  advice: string[];
}

/** How long no member accepted writes; null bounds are not known. */
export interface WriteGap {
  atLeastMs: number | null;
  atMostMs: number | null;
  /** The last moment at which the old leader is known to have accepted them, and the first at which it did not. */
  lastWrite: { from: string | null; to: string | null };
  /** As above for the new leader: it did not yet, and it did. */
  firstWrite: { from: string | null; to: string | null };
  /** The old leader may have gone on accepting writes after the new one began: what was written there is lost. */
  oldLeaderWentOn: boolean;
}

/** What may have been lost. */
export interface LossKnown {
  /** Where the new timeline begins. */
  newTimelineStart: Lsn | null;
  /** The farthest position of the old leader that a source recorded, and which source. */
  lastKnown: Lsn | null;
  lastKnownSource: StorySource | null;
  /** The old leader had at least so many bytes that the new timeline does not have; null: not known. */
  lostBytes: number | null;
  message: string;
}

/** One change of leader, or a trouble that did not change it. */
export interface LeaderStory {
  /** The timeline that ended, as in `patctl history`; null: none ended, or it is not known. */
  timeline: number | null;
  from: string | null;
  /** The leader afterwards; null: not known. */
  to: string | null;
  /** When the new leader was promoted or the trouble began; ISO 8601 UTC, null: not known. */
  at: string | null;
  /** In the order in which it happened. */
  lines: StoryFact[];
  verdict: StoryVerdict;
  writes: WriteGap;
  loss: LossKnown | null;
}

/** Which of them to tell. */
export type StoryRequest =
  | { kind: 'last' }
  | { kind: 'since'; from: string }
  | { kind: 'at'; at: string }
  | { kind: 'timeline'; timeline: number };

/** How far a source reaches, or why it says nothing. */
export interface SourceRead {
  source: StorySource | 'logs';
  /** File, member or place. */
  name: string;
  member: string | null;
  facts: number;
  from: string | null;
  to: string | null;
  problem: string | null;
}
