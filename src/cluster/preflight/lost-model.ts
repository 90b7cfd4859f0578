/** What `swap --from-lost` is planned from, and what the plan consists of. */
import type { Reading, SqlStatus } from '../model/model.js';
import type { View } from '../roles/view.js';
import type { PlanCheck } from './plan-model.js';
import type { PlannedSite } from './swap-model.js';

/** PostgreSQL at an address from which this site streams. */
export interface AskedSource {
  host: string;
  port: number;
  reading: Reading<SqlStatus>;
}

/** What could be learnt of the site that is said to be lost. */
export interface OtherSite {
  label: string;
  /** The options that lead to it; null: it was not named. */
  way: readonly string[] | null;
  /** null: not named, or neither its DCS nor a member answered. */
  view: View | null;
  /** Why it could not be read, as a clause; null: it was read, or not named. */
  silent: string | null;
  /** Something answered there, and refused to tell what it is. */
  refuses: boolean;
  sources: readonly AskedSource[];
}

export interface LostRequest {
  acceptDataLoss: boolean;
  skipChecks: readonly string[];
}

/** What is known of the loss; what is null is unknown. */
export interface KnownLoss {
  /** The member that has most. */
  member: string | null;
  timeline: number | null;
  received: string | null;
  replayed: string | null;
  /** Since the standby leader's WAL receiver heard from the primary, ms. */
  lastMessageAgeMs: number | null;
  /** Since the last commit that was replayed, by the clocks of both sites, ms. */
  lastCommitAgeMs: number | null;
  /** Up to where the primary surely wrote, by the DCS of its site. */
  primaryWrote: string | null;
  /** What of that was not received, bytes. */
  lostAtLeastBytes: number | null;
}

export interface LostPlan {
  /** The standby site. */
  here: PlannedSite;
  /** The lost site, as every text names it. */
  other: string;
  known: KnownLoss;
  checks: PlanCheck[];
  refusedBy: string[];
}
