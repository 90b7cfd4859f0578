/** The forecast of a loss: its inputs and its results. */
import type { Loss } from './data-loss.js';
import type { Outcome, VoteInput } from './vote-rules.js';

/** The vote facts, and what else decides what happens after a loss. Times in seconds, as in /config. */
export interface ForecastFacts {
  input: VoteInput;
  strict: boolean;
  ttlSeconds: number;
  loopWaitSeconds: number;
  /** Members that Patroni never makes synchronous (nosync, nostream, replicatefrom). */
  neverSync: string[];
}

export interface Heir {
  name: string;
  /** May it take the lock? */
  mayWin: Outcome;
  /** Sure votes, its own among them; 0 of 0 if no votes are needed. */
  counted: number;
  needed: number;
  reasons: string[];
}

export interface Forecast {
  /** In the order of the DCS. */
  lost: string[];
  /** The holder of the lock, or a primary that lives on without it, is lost. */
  leaderLost: boolean;
  /** stays: the leader stays; moves: a member takes the lock; none: no member does. */
  leadership: 'stays' | 'moves' | 'none' | 'unknown';
  /** Every member that is left, and its chances; empty when the leader stays. */
  heirs: Heir[];
  /**
   * pause: commits wait until Patroni has changed the names of the standbys; wait: until a standby is back; stop:
   * there is no primary; none: a standby cluster takes no writes.
   */
  writes: 'continue' | 'pause' | 'wait' | 'stop' | 'none' | 'unknown';
  writesBecause: string;
  dataLoss: { verdict: Loss; words: string; because: string };
  /** What Patroni does, in its order. */
  steps: LossStep[];
}

export type LossOutcome = Pick<Forecast, 'lost' | 'leaderLost' | 'leadership' | 'heirs'>;

/** A forecast without what Patroni does. */
export type Outlook = Omit<Forecast, 'steps'>;

export interface LossStep {
  where: 'lock' | 'members' | 'race' | '/sync' | 'standby names' | 'commits' | '/failsafe';
  what: string;
  /** After the loss; null: for as long as nothing else changes. */
  fromSeconds: number;
  toSeconds: number | null;
}
