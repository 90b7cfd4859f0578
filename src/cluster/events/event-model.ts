/** What happened in a cluster, as two looks at it one after the other show: made by eventsOf, kept by `record`. */
import type { Severity, Witnessed } from '../model/model.js';

/** Never changes its meaning. Each `…_lost`, `…_gone` and `…_silent` has its opposite. */
export type EventCode =
  /** The leader key is gone, is there again, or went from one member to another. */
  | 'leader_key_lost'
  | 'leader_key_taken'
  /** The observed role of a member: primary, standby leader, replica, none. */
  | 'role_changed'
  /** Patroni's or PostgreSQL's word for the member's state (running, starting, stopped, crashed …). */
  | 'state_changed'
  | 'member_left'
  | 'member_came'
  /** The REST API or the PostgreSQL of a member stopped answering, or answers again. */
  | 'member_silent'
  | 'member_answers'
  | 'streaming_stopped'
  | 'streaming_started'
  /** /sync: its leader, its standbys or its quorum. */
  | 'sync_changed'
  /** A key of the dynamic configuration; the message names the key, and both values without secrets. */
  | 'config_changed'
  | 'paused'
  | 'resumed'
  /** A request in /failover, and its end. */
  | 'failover_requested'
  | 'failover_request_gone'
  | 'restart_scheduled'
  | 'restart_unscheduled'
  | 'pending_restart'
  | 'pending_restart_gone'
  | 'timeline_changed'
  /** A line of /history that was not there. */
  | 'history_added'
  | 'failsafe_began'
  | 'failsafe_ended'
  | 'finding_appeared'
  | 'finding_gone'
  /** The DCS itself could not be read, or can be read again. */
  | 'dcs_silent'
  | 'dcs_answers';

export interface ClusterEvent {
  code: EventCode;
  /** When it was seen, by patctl's clock; ISO 8601 UTC. It happened between the look before and this one. */
  at: string;
  severity: Severity;
  /** The DCS's revision at which it is so; null where no key of the DCS tells it. */
  revision: string | null;
  /** Names of the members it is about; empty when it is about the cluster. */
  members: string[];
  /** One line, in plain words, without the time. */
  message: string;
  evidence: Witnessed[];
  /** Only with finding_appeared and finding_gone: the code of the finding. */
  finding?: string;
}
