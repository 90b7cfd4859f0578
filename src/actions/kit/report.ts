/** What an action has done so far, noted as it happens, so that an ending in the middle loses nothing of it. */
import type { RollingPlan } from '../../cluster/preflight/restart-order.js';
import type { Selected } from '../../cluster/select-members.js';
import type { JsonValue } from '../../cluster/model/model.js';
import type { Evidence } from '../../errors.js';
import type { Asker } from '../../output/ask.js';
import type { MemberOutcome } from './results.js';

/** What became of the dynamic configuration; values of secrets are not in it. */
export interface ConfigurationChange {
  /** What differs, by its path from the top; what is absent is null. */
  changes: { path: string; before: JsonValue; after: JsonValue }[];
  problems: { level: string; code: string; key: string; message: string }[];
  /** Settings among them that take effect only at a restart of PostgreSQL. */
  needRestart: string[];
  written: boolean;
}

export interface ReportedMember extends Omit<MemberOutcome, 'ending'> {
  /** Citus group. */
  group: number | null;
  /** Null: it was chosen, and not asked yet. */
  ending: MemberOutcome['ending'] | null;
}

export interface Report {
  /** The cluster that is meant where none was named. */
  scope: string | null;
  readonly members: ReportedMember[];
  /** Facts about the cluster as a whole, beside those of the members. */
  readonly evidence: Evidence[];
  /** Set by actions that change the cluster and not its members; null: nothing is known of it. */
  changed: boolean | null;
  /** Whether `changed` speaks, or the members. */
  ofCluster: boolean;
  /** Epoch ms of what was scheduled. */
  scheduledMs: number | null;
  rolling: RollingPlan | null;
  /** The switchover of a rolling restart, as `switchover -f json` has it. */
  switchover: object | null;
  configuration: ConfigurationChange | null;
}

export function newReport(): Report {
  return {
    scope: null,
    members: [],
    evidence: [],
    changed: false,
    ofCluster: false,
    scheduledMs: null,
    rolling: null,
    switchover: null,
    configuration: null,
  };
}

/** The members to ask, and where results are stored. */
export interface AskAndReport {
  readonly asker: Asker;
  readonly report: Report;
}

/** Members that are to be asked, none of which has been asked so far. */
export function noteChosen(report: Report, chosen: readonly Selected[]): void {
  report.members.length = 0;
  for (const { cluster, member } of chosen) {
    const { group } = cluster;
    report.members.push({ member: member.name, group, ending: null, said: 'was not asked' });
  }
}

/** What became of one member, in the place of what was noted of it before. */
export function noteMember(report: Report, group: number | null, outcome: MemberOutcome): void {
  const noted = { ...outcome, group };
  const at = report.members.findIndex(
    (one) => one.member === outcome.member && one.group === group,
  );
  if (at < 0) report.members.push(noted);
  else report.members[at] = noted;
}

/** The cluster as a whole was changed, was not, or it is not known. */
export function noteChanged(report: Report, changed: boolean | null): void {
  report.ofCluster = true;
  report.changed = changed;
}
