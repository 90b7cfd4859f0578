/** What an action tells while it works, and what is known of it after each event: an ending in the middle loses nothing. */
import type { Retirement } from '../../cluster/preflight/retirement.js';
import type { PlanCheck } from '../../cluster/preflight/plan-model.js';
import type { RollPlan } from '../../cluster/preflight/roll-order.js';
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
  /** Null: it was chosen but not asked yet. */
  ending: MemberOutcome['ending'] | null;
}

/** Told as it happens. Later events of the same thing stand for the earlier ones. */
export type ActionEvent =
  /** The cluster that is meant where none was named. */
  | { kind: 'cluster'; scope: string }
  /** The members that are to be asked, none of which has been asked so far. */
  | { kind: 'chosen'; members: readonly Selected[] }
  /** What became of one member. */
  | { kind: 'member'; group: number | null; outcome: MemberOutcome }
  /** The cluster as a whole was changed, was not changed, or this is unknown. */
  | { kind: 'changed'; changed: boolean | null }
  /** Facts about the cluster as a whole, beside those of the members. */
  | { kind: 'seen'; evidence: readonly Evidence[] }
  /** When the restart was scheduled for, epoch ms. */
  | { kind: 'scheduled'; atMs: number }
  | { kind: 'rolling'; plan: RollingPlan }
  /** The switchover of a rolling restart, as `switchover -f json` has it. */
  | { kind: 'switchover'; document: object }
  | { kind: 'configuration'; configuration: ConfigurationChange }
  | { kind: 'retirement'; plan: Retirement }
  | { kind: 'roll'; roll: RollReport }
  /** A line of the result for people, in patronictl's words where it has some; the document has the facts. */
  | { kind: 'line'; text: string };

/** What roll is about to do, and where it is written down. */
export interface RollReport {
  plan: RollPlan;
  /** The gates of each member as they are before the first step. */
  gates: { member: string; gates: PlanCheck[] }[];
  /** Members on which it was done in an earlier run. */
  done: string[];
  /** The files. */
  log: string;
  state: string;
}

export type Tell = (event: ActionEvent) => void;

/** What an action that asks is given beside its request. */
export interface AskAndTell {
  readonly asker: Asker;
  readonly tell: Tell;
}

/** What is known of an action. */
export interface Report {
  readonly scope: string | null;
  readonly members: readonly ReportedMember[];
  readonly evidence: readonly Evidence[];
  /** Of the cluster as a whole. Undefined: only the members say what was changed. */
  readonly changed?: boolean | null;
  /** Epoch ms. */
  readonly scheduledMs: number | null;
  readonly rolling: RollingPlan | null;
  readonly switchover: object | null;
  readonly configuration: ConfigurationChange | null;
  readonly retirement: Retirement | null;
  readonly roll: RollReport | null;
}

export const NOTHING_TOLD: Report = {
  scope: null,
  members: [],
  evidence: [],
  scheduledMs: null,
  rolling: null,
  switchover: null,
  configuration: null,
  retirement: null,
  roll: null,
};

/** The report with one event more. Pure. */
export function withEvent(report: Report, event: ActionEvent): Report {
  switch (event.kind) {
    case 'cluster':
      return { ...report, scope: event.scope };
    case 'chosen':
      return { ...report, members: event.members.map(notAsked) };
    case 'member':
      return { ...report, members: withMember(report.members, event) };
    case 'changed':
      return { ...report, changed: event.changed };
    case 'seen':
      return { ...report, evidence: [...report.evidence, ...event.evidence] };
    case 'scheduled':
      return { ...report, scheduledMs: event.atMs };
    case 'rolling':
      return { ...report, rolling: event.plan };
    case 'switchover':
      return { ...report, switchover: event.document };
    case 'configuration':
      return { ...report, configuration: event.configuration };
    case 'retirement':
      return { ...report, retirement: event.plan };
    case 'roll':
      return { ...report, roll: event.roll };
    case 'line':
      return report;
  }
}

function notAsked({ cluster, member }: Selected): ReportedMember {
  return { member: member.name, group: cluster.group, ending: null, said: 'was not asked' };
}

/** In the place of what was told of this member before. */
function withMember(
  members: readonly ReportedMember[],
  { group, outcome }: Extract<ActionEvent, { kind: 'member' }>,
): ReportedMember[] {
  const told = { ...outcome, group };
  const isIt = (one: ReportedMember) => one.member === outcome.member && one.group === group;
  if (!members.some(isIt)) return [...members, told];
  return members.map((one) => (isIt(one) ? told : one));
}
