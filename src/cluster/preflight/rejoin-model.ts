/** What `swap --rejoin` is planned from, and what the plan consists of. */
import type { JsonObject } from '../model/model.js';
import type { PlanCheck } from './plan-model.js';
import type { PlannedSite, SwapRequest } from './swap-model.js';

export interface RejoinRequest extends Pick<SwapRequest, 'host' | 'port' | 'primarySlotName'> {
  acceptDataLoss: boolean;
  skipChecks: readonly string[];
}

export interface MemberReturn {
  member: string;
  /** nothing: it streams on as it is; unknown: it could not be asked. */
  needs: 'nothing' | 'pg_rewind' | 'reinit' | 'unknown';
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
  standbyCluster: JsonObject | null;
  /** It says so already. */
  isWritten: boolean;
  members: MemberReturn[];
}
