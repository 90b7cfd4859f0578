/** The request for a change of leader, its events and its result. */
import type { Cluster, Finding } from '../../cluster/model/model.js';
import type { ChangeRequest, Plan, PlanCheck } from '../../cluster/preflight/plan-model.js';
import type { Progress, WaitFor } from '../../cluster/progress/change-outcome.js';
import type { Ending, Evidence } from '../../errors.js';
import { PLAIN_ASKING, type SnapshotRequest } from '../../observe/read-snapshot.js';
import type { ProgressEvent } from '../../output/progress.js';
import type { Asker } from '../../output/ask.js';
import type { Scheduled } from '../kit/schedule.js';
import type { Waiting } from '../kit/until.js';
import type { Sent } from './change-request.js';

/** The request: a switchover or failover of one cluster. What is null was not given. */
export interface LeaderChange {
  readonly kind: ChangeRequest['kind'];
  readonly scope: string;
  /** Citus group. */
  readonly group: number | null;
  /** Which witnesses are asked before the request, and how. */
  readonly asking: Omit<SnapshotRequest, 'scope' | 'group'>;
  readonly leader: string | null;
  readonly candidate: string | null;
  /** Move the leadership off this member; do nothing when it does not lead. */
  readonly avoid: string | null;
  /** As the operator wrote it: ISO 8601, `+30m`, `now`. */
  readonly scheduled: string | null;
  readonly dryRun: boolean;
  readonly allowDataLoss: boolean;
  readonly skipChecks: readonly string[];
  readonly terminateLogical: boolean;
  readonly via: 'rest' | 'dcs';
  /** Null: routes where some are known, else healthy. */
  readonly waitFor: WaitFor | null;
  /** --route, as given; none: those of the configuration. */
  readonly routes: readonly string[];
  /** Limit of the whole wait, ms. */
  readonly deadlineMs: number;
}

/** A switchover as it is when nothing was chosen: safe, over REST, until the cluster is healthy again. */
export const PLAIN_CHANGE = {
  asking: PLAIN_ASKING,
  leader: null,
  candidate: null,
  avoid: null,
  scheduled: null,
  dryRun: false,
  allowDataLoss: false,
  skipChecks: [],
  terminateLogical: false,
  via: 'rest',
  waitFor: null,
  routes: [],
  deadlineMs: 120_000,
} as const satisfies Partial<LeaderChange>;

/** Told in this order, and not every change comes to all of them. */
export type ChangeEvent =
  /** The members before anything is asked; of every Citus group where none was named. */
  | {
      kind: 'topology';
      scope: string;
      clusters: readonly Cluster[];
      group: number | null;
      citus: boolean;
    }
  /** What is wrong with routes before the request. */
  | { kind: 'routes before'; findings: readonly Pick<Finding, 'code' | 'message'>[] }
  /** As patronictl, these checks do not keep it from being sent. */
  | { kind: 'not heeded'; checks: readonly PlanCheck[] }
  | ({ kind: 'step' } & ProgressEvent)
  /** It is done, or the schedule is accepted. */
  | { kind: 'moved'; atMs: number; message: string }
  /** The cluster afterwards; null when it cannot be read. `progress`: null after scheduling. */
  | {
      kind: 'after';
      cluster: Cluster | null;
      group: number | null;
      citus: boolean;
      progress: Progress | null;
    }
  | { kind: 'ended'; result: ChangeResult }
  /** Between any two of the others. */
  | Waiting;

/** The receiver of the plan and of the events. */
export interface ChangeTalk {
  /** The plan, before it is decided on; `when`: null for at once. */
  readonly showPlan: (plan: Plan, when: Scheduled | null) => Promise<void>;
  readonly on: (event: ChangeEvent) => void;
}

/** The asker, and the receiver of the events. */
export interface Talk extends ChangeTalk {
  /** Null: nothing is asked, as with --force. */
  readonly asker: Asker | null;
}

export interface Conclusion {
  ending: Ending;
  /** Greppable. */
  code: string;
  message: string;
  hint?: string;
  evidence?: Evidence[];
}

/** What the request came to once it was about to be sent. */
export interface Carried {
  readonly conclusion: Conclusion;
  /** Null: nothing was sent. */
  readonly sent: Sent | null;
  /** Null: nothing was followed. */
  readonly progress: Progress | null;
  /** Why it failed, for patronictl's line; null when it has none. */
  readonly details: string | null;
}

/** The whole result: how it ended, and everything that the JSON document says. */
export interface ChangeResult extends Carried {
  /** The plan that was decided on last. */
  readonly plan: Plan;
  readonly dryRun: boolean;
  readonly startedMs: number;
}
