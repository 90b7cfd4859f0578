/** What a report shows of one cluster: worked out of looks at it, in memory that does not grow with their number. */
import type { ClusterEvent } from '../events/event-model.js';
import type { Severity, Snapshot } from '../model/model.js';

/** All times are ms since 1970. */
export interface Span<State> {
  fromMs: number;
  /** When it was first seen to be otherwise, or last seen at all. */
  toMs: number;
  state: State;
}

/**
 * What a member was: who led is the holder of the leader key that was seen to be a primary. A `claimed leader` holds
 * the key and was not asked (--verify off).
 */
export type LaneState =
  | 'leader'
  | 'standby leader'
  | 'claimed leader'
  | 'key holder, not a primary'
  | 'primary without the key'
  | 'replica'
  | 'not running'
  | 'no answer'
  | 'not asked';

export interface Lane {
  member: string;
  spans: Span<LaneState>[];
}

/** The lag of a member while a bin lasts; bytes. */
export interface LagBin {
  fromMs: number;
  toMs: number;
  least: number;
  most: number;
}

export interface MemberLag {
  member: string;
  /** WAL of the leader that it has not received. */
  received: LagBin[];
  /** WAL of the leader that it has not replayed. */
  replayed: LagBin[];
  /** Its largest replay lag, or its largest lag where only that is known, and when. */
  peak: { bytes: number; ms: number } | null;
  /** At the last look; null: unknown. */
  lastReceived: number | null;
  lastReplayed: number | null;
}

/** A time in which no member was seen to accept writes. */
export interface SeenOutage {
  /** The last look at which a member accepted writes; the first look of all where none did. */
  fromMs: number;
  /** The first look at which one did again; the last look where none did. */
  toMs: number;
  /** It ended: at toMs a member accepted writes. */
  isOver: boolean;
  atLeastMs: number;
  /** null: its begin or its end was not seen. */
  atMostMs: number | null;
  /** The primaries before and after it. */
  before: string[];
  after: string[];
  /** Members that could not be asked at some look of it: one of them may have accepted writes. */
  silent: string[];
}

export interface FindingBand {
  code: string;
  members: string[];
  /** The worst that it was. */
  severity: Severity;
  /** As it was last found. */
  message: string;
  spans: Span<Severity>[];
  /** It was still found at the last look. */
  isOpen: boolean;
}

export interface ConfigChange {
  ms: number;
  /** `postgresql.parameters.work_mem` */
  key: string;
  /** null: it was not set. */
  before: string | null;
  after: string | null;
}

/** A change of leader, and why, as far as what was recorded shows it. */
export interface SeenLeaderChange {
  /** null: not known. */
  ms: number | null;
  from: string | null;
  to: string | null;
  verdict: string;
  /** What would settle it; null: it is settled, or nothing would. */
  missing: string | null;
}

/** Events that had no room. */
export interface LeftOutEvents {
  severity: Severity;
  count: number;
  /** All of them were seen up to then. */
  untilMs: number;
}

export interface ClusterStory {
  scope: string;
  group: number | null;
  fromMs: number;
  toMs: number;
  looks: number;
  /** Between two runs of the recorder nothing was seen. */
  runs: Span<'recorded'>[];
  /** In the order in which the members were first seen. */
  lanes: Lane[];
  /** The last ones, in the order of time. */
  changes: SeenLeaderChange[];
  lags: MemberLag[];
  outages: SeenOutage[];
  bands: FindingBand[];
  events: ClusterEvent[];
  leftOutEvents: LeftOutEvents[];
  config: { key: string; value: string }[];
  configChanges: ConfigChange[];
  /** Sentences on what had no room. */
  leftOut: string[];
  last: Snapshot;
}
