/** What is known of a swap: a part of the document. */
import type { LostPlan } from '../../cluster/preflight/lost-model.js';
import type { RejoinPlan } from '../../cluster/preflight/rejoin-model.js';
import type { SwapPlan } from '../../cluster/preflight/swap-model.js';

export type SwapStepName =
  | 'demoting'
  | 'demoted'
  | 'received'
  | 'promoting'
  | 'promoted'
  | 'follows'
  | 'streaming'
  | 'going_back'
  | 'went_back';

export interface SwapStep {
  step: SwapStepName;
  /** ISO 8601 UTC */
  at: string;
  /** `pg1 of sb` */
  member: string;
  said: string;
}

/** Of the document: `swap`. What is null is unknown, or did not happen. */
export interface SwapReport {
  plan: SwapPlan | null;
  /** The plan of --from-lost: this site is the standby cluster. */
  lost: LostPlan | null;
  /** The plan of --rejoin: this site is the old one. */
  rejoin: RejoinPlan | null;
  /** With --from-lost: what must be true of the lost site before it may come back, a sentence each. */
  beforeReturn: string[];
  /** Whether this site was told to become a standby cluster. */
  demoted: boolean | null;
  /** Where the WAL of the old primary ends; the other site was seen to have replayed it. */
  lastPosition: string | null;
  /** Whether the standby site was told to become a primary cluster. */
  promoted: boolean | null;
  /** It failed before the promotion, and this site is the primary again. */
  wentBack: boolean;
  /** How long no leader was seen to take writes, by connections made one after the other. */
  outage: { atLeastMs: number; atMostMs: number | null } | null;
  steps: SwapStep[];
}

export const NOTHING_SWAPPED: SwapReport = {
  plan: null,
  lost: null,
  rejoin: null,
  beforeReturn: [],
  demoted: false,
  lastPosition: null,
  promoted: false,
  wentBack: false,
  outage: null,
  steps: [],
};
