/** What `swap --rejoin` is planned from, and what the plan consists of. */
import type { PlanCheck } from './plan-model.js';
import type { PlannedSite, StandbySource, SwapRequest } from './swap-model.js';

export interface RejoinRequest extends Pick<SwapRequest, 'host' | 'port' | 'primarySlotName'> {
  acceptDataLoss: boolean;
  skipChecks: readonly string[];
}

export interface MemberReturn {
  member: string;
  /**
   * nothing: it streams on as it is; new_site: it began a timeline of its own, so the whole site is to be made again;
   * unknown: it could not be asked.
   */
  needs: 'nothing' | 'pg_rewind' | 'reinit' | 'new_site' | 'unknown';
  /** WAL of its own that goes, bytes; null: unknown, or none. */
  aheadBytes: number | null;
  said: string;
}

export interface RejoinPlan {
  /** The old site. */
  here: PlannedSite;
  /** The site that has the primary now. */
  there: PlannedSite;
  checks: PlanCheck[];
  refusedBy: string[];
  /** What standby_cluster of the old site becomes; null: unknown. */
  standbyCluster: StandbySource | null;
  /** It says so already. */
  isWritten: boolean;
  members: MemberReturn[];
}
