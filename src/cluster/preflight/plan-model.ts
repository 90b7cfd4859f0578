/** What a plan of a switchover or failover consists of. */
import type { Witnessed } from '../model/model.js';

/** What the operator asked for. */
export interface ChangeRequest {
  kind: 'switchover' | 'failover';
  /** --leader as given; null: not given. */
  leader: string | null;
  /** --candidate as given; `auto` chooses; null: none named. */
  candidate: string | null;
  /** --avoid MEMBER: move the leadership off this member, nothing when it does not lead. */
  avoid: string | null;
  /** ISO 8601 UTC; null: now. */
  scheduledAt: string | null;
  allowDataLoss: boolean;
  /** Names of checks to skip (--skip-check). */
  skipChecks: readonly string[];
  /** --terminate-logical: stuck logical walsenders will be ended before the request. */
  terminateLogical: boolean;
  /** As patronictl: what Patroni takes is a warning. Absent: it is not. */
  asPatronictl?: boolean;
}

/** skipped: it would have been refused or unknown, and --skip-check named it. */
export type CheckResult = 'ok' | 'warning' | 'refused' | 'unknown' | 'skipped';

export interface PlanCheck {
  /** Stable and greppable, as taken by --skip-check, e.g. `candidate_lag`. */
  name: string;
  result: CheckResult;
  /** One line: what was found. */
  said: string;
  evidence: Witnessed[];
  /** What to do about it; null when ok. */
  next: string | null;
}

export interface LogicalHolder {
  pid: number;
  applicationName: string;
  clientAddr: string | null;
  slotName: string | null;
  /** Sent or written by the leader and not confirmed, bytes; null when unknown. */
  unconfirmedBytes: number | null;
  /** Its confirmed position stood still over two readings while there was something to confirm. */
  stuck: boolean;
}

export interface Plan {
  kind: ChangeRequest['kind'];
  cluster: string;
  group: number | null;
  /** The leader that steps down; null when there is none. */
  leader: string | null;
  /** To be named in the request; null: Patroni chooses. */
  candidate: string | null;
  /** Why `auto` chose it; null if it was named or no member was chosen. */
  chosenBecause: string | null;
  scheduledAt: string | null;
  checks: PlanCheck[];
  /** Some check is `refused`. `unknown` refuses too where the check guards acknowledged commits. */
  refused: boolean;
  /** Nothing has to be done: --avoid names a member that does not lead. */
  nothingToDo: boolean;
  dataLoss: { verdict: 'none' | 'possible' | 'unknown'; words: string };
  logical: LogicalHolder[];
}
