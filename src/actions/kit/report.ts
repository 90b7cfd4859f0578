/** What an action tells while it works, and what is known of it after each event: an ending in the middle loses nothing. */
import type { Retirement } from '../../cluster/preflight/retirement.js';
import type { PlanCheck } from '../../cluster/preflight/plan-model.js';
import type { SwapPlan } from '../../cluster/preflight/swap-model.js';
import type { RollPlan } from '../../cluster/preflight/roll-order.js';
import type { RollingPlan } from '../../cluster/preflight/restart-order.js';
import type { Selected } from '../../cluster/select-members.js';
import type { Cluster, JsonValue } from '../../cluster/model/model.js';
import type { Evidence } from '../../errors.js';
import type { Asker } from '../../output/ask.js';
import type { ProgressEvent } from '../../output/progress.js';
import type { ChangeTalk } from '../switchover/change.js';
import type { MemberOutcome } from './results.js';
import type { SwapReport } from './swap-report.js';
import type { Waiting } from './until.js';

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

/** Told as it happens. */
export type ActionEvent = Fact | Said;

/** What the document has of it. Later events of the same thing stand for the earlier ones. */
export type Fact =
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
  | { kind: 'swap'; swap: SwapReport };

/** What people read of it; what goes to stderr is among the notes of the document too. */
export type Said =
  /** A line of the result, on stdout, in patronictl's words where it has some. */
  | { kind: 'line'; text: string }
  /**
   * A line beside the result, on stderr. `notWith`: left out with --compat, because patronictl says nothing there, or
   * with -f json, because the document has it as a fact. `quotes`: a command of the user's, which stays as it was typed.
   */
  | { kind: 'note'; text: string; notWith?: 'compat' | 'json'; quotes?: true }
  | Waiting
  /** A step of a rolling change that began at `startedMs`. */
  | ({ kind: 'step'; startedMs: number } & ProgressEvent)
  /** A line that COMMAND wrote for this member in a roll that began at `startedMs`. */
  | { kind: 'output'; startedMs: number; atMs: number; member: string; text: string }
  /** The keys of a cluster were removed. */
  | { kind: 'removed'; scope: string; keys: number };

/** What must stand on the screen before the next question. `dryRun`: it is all that was asked for. */
export type Display =
  /** The members as they are, `group`: the one that was named. */
  | { kind: 'members'; scope: string; clusters: readonly Cluster[]; group: number | null }
  | { kind: 'retirement'; plan: Retirement; dryRun: boolean }
  | { kind: 'swap'; plan: SwapPlan; dryRun: boolean }
  /** The checks of a plan, and what would be done in one sentence. */
  | { kind: 'checks'; checks: readonly PlanCheck[]; verdict: string; dryRun: boolean }
  | { kind: 'rolling'; plan: RollingPlan; dryRun: boolean }
  | ({ kind: 'roll'; cluster: Cluster; dryRun: boolean } & Pick<RollReport, 'plan' | 'gates'>)
  /** Of two texts of the dynamic configuration, without the values of secrets. */
  | { kind: 'difference'; before: string; after: string };

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

/** Resolves when it is on the screen. */
export type Show = (shown: Display) => Promise<void>;

/** Where an action says what happens: it prints nothing itself. */
export interface Telling {
  readonly tell: Tell;
  readonly show: Show;
  /** For a switchover that is a step of the action. */
  readonly changeTalk: () => Promise<ChangeTalk>;
}

/** What an action that asks is given beside its request. */
export interface AskAndTell extends Telling {
  readonly asker: Asker;
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
  readonly swap: SwapReport | null;
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
  swap: null,
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
    case 'swap':
      return { ...report, swap: event.swap };
    case 'line':
    case 'note':
    case 'waiting':
    case 'step':
    case 'output':
    case 'removed':
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
