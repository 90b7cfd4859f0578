/** What an action prints with -f json: one document, however it ended. */
import type { Retirement } from '../../cluster/preflight/retirement.js';
import type { RollingPlan } from '../../cluster/preflight/restart-order.js';
import { ToolError, type Ending, type Evidence } from '../../errors.js';
import { documentAsCalled } from '../../output/as-called.js';
import { commandOf } from '../../output/screen.js';
import { withStreams } from '../../output/door.js';
import { endOf, plainEvidence, type EndOfRun } from '../../output/refusal-document.js';
import { plain } from '../../output/text.js';
import type { Context } from '../../context.js';
import { actionPrinter, type ActionLook } from './print-action.js';
import type { SwapReport } from './swap-report.js';
import {
  NOTHING_TOLD,
  withEvent,
  type AskAndTell,
  type ConfigurationChange,
  type Report,
  type RollReport,
  type Tell,
  type Telling,
} from './report.js';

export type ActionName =
  | 'pause'
  | 'resume'
  | 'restart'
  | 'reload'
  | 'reinit'
  | 'flush'
  | 'edit-config'
  | 'retire'
  | 'roll'
  | 'swap';

/** `-f json` of pause, resume, restart, reload, reinit, flush, edit-config, retire, roll and swap. */
export interface ActionDocument extends EndOfRun {
  schemaVersion: 1;
  command: ActionName;
  cluster: string | null;
  dryRun: boolean;
  /** Whether something changed; null: unknown. */
  changed: boolean | null;
  /** Every member that was chosen, in the order in which they are asked. */
  members: ActionMember[];
  /** When the restart was scheduled for, in UTC. */
  scheduledAt: string | null;
  /** The plan of restart --rolling. */
  rolling: RollingPlan | null;
  /** The last switchover of roll or restart --rolling --switchover, as `switchover -f json` has it. */
  switchover: object | null;
  /** Of edit-config. */
  configuration: ConfigurationChange | null;
  /** The plan of retire. */
  retirement: Retirement | null;
  roll: RollReport | null;
  swap: SwapReport | null;
  /** Progress and warnings, which stand on stderr too. */
  notes: string[];
}

export interface ActionMember {
  member: string;
  /** Citus group. */
  group: number | null;
  /** Null: it was chosen but not asked. */
  ending: Ending | null;
  /** Null: unknown. */
  changed: boolean | null;
  said: string;
  evidence: Evidence[];
}

/** Which command it is, on which cluster. */
export interface ActionHead {
  command: ActionName;
  /** As it was named. */
  cluster: string | undefined;
  dryRun?: boolean | undefined;
}

type Head = ActionHead & ActionLook;

/**
 * Does the work of an action. With -f json patronictl's lines stay away, questions go to stderr, and one document
 * is printed at the end, whether the work returns or throws; what it throws is thrown on.
 */
export async function reported(
  context: Context,
  head: Head,
  work: (context: Context, telling: Telling) => Promise<Ending>,
): Promise<Ending> {
  if (!context.flags.asJson) return work(context, actionPrinter(context, head));
  let report = NOTHING_TOLD;
  const notes: string[] = [];
  const inner = unprinted(context, notes);
  const printer = actionPrinter(inner, head);
  const tell: Tell = (event) => {
    report = withEvent(report, event);
    printer.tell(event);
  };
  const print = (error: unknown): void => {
    const document = actionDocument(head, report, notes, error);
    const called = documentAsCalled(document, commandOf(context));
    context.io.out(`${JSON.stringify(called, null, 2)}\n`);
  };
  try {
    const ending = await work(inner, { ...printer, tell });
    print(null);
    return ending;
  } catch (error) {
    if (error instanceof ToolError) print(error);
    throw error;
  }
}

/** The context without what people read on stdout; whatever goes to stderr is noted. */
function unprinted(context: Context, notes: string[]): Context {
  const { io } = context;
  const note = (text: string) => {
    notes.push(...text.split('\n').filter((line) => line.trim() !== ''));
    io.err(text);
  };
  return withStreams(context, { out: () => undefined, err: note });
}

/** The same for an action that asks. */
export async function reportedAsking(
  context: Context,
  head: Head,
  work: (context: Context, asking: AskAndTell) => Promise<Ending>,
): Promise<Ending> {
  const { withAsker } = await import('../../output/ask.js');
  return reported(context, head, (inner, telling) =>
    withAsker(questionsBeside(context), (asker) => work(inner, { asker, ...telling })),
  );
}

/** Where stdout is a document, questions go to stderr, also as patronictl. */
export function questionsBeside(context: Context): Context {
  const { io } = context;
  if (!context.flags.asJson) return context;
  return withStreams(context, { out: (text) => io.must(text) });
}

/** Pure. `error`: a ToolError, or null where it went well. */
export function actionDocument(
  { command, cluster, dryRun = false }: ActionHead,
  report: Report,
  notes: readonly string[],
  error: unknown,
): ActionDocument {
  const failure = error instanceof ToolError ? error : null;
  const members = membersOf(report);
  const changed = changedOf(report, members);
  return {
    schemaVersion: 1,
    command,
    cluster: report.scope ?? cluster ?? null,
    ...endOf({
      ending: failure?.ending ?? 'ok',
      code: failure?.code ?? (dryRun ? 'would_go' : changed === false ? 'nothing_to_do' : 'done'),
      message: failure?.message ?? doneWords(command, { dryRun, changed }),
      hint: failure?.hint,
      evidence: [...report.evidence, ...(failure?.evidence ?? [])],
    }),
    dryRun,
    changed,
    members,
    scheduledAt: report.scheduledMs === null ? null : new Date(report.scheduledMs).toISOString(),
    rolling: report.rolling,
    switchover: report.switchover,
    configuration: report.configuration,
    retirement: report.retirement,
    roll: report.roll,
    swap: report.swap,
    notes: notes.map(plain),
  };
}

function membersOf({ members }: Report): ActionMember[] {
  return members.map(({ member, group, ending, said, changed, evidence = [] }) => ({
    member,
    group,
    ending,
    changed: changed === undefined ? changedBy(ending) : changed,
    said: plain(said),
    evidence: evidence.map(plainEvidence),
  }));
}

/** What the ending alone says about it. */
function changedBy(ending: Ending | null): boolean | null {
  if (ending === 'unconfirmed' || ending === 'interrupted') return null;
  return ending === 'ok' || ending === 'failed' || ending === 'diverted';
}

function changedOf(report: Report, members: readonly ActionMember[]): boolean | null {
  const all =
    report.changed !== undefined ? [report.changed] : members.map(({ changed }) => changed);
  if (all.includes(true)) return true;
  return all.includes(null) ? null : false;
}

function doneWords(
  command: ActionName,
  { dryRun, changed }: Pick<ActionDocument, 'dryRun' | 'changed'>,
): string {
  if (dryRun) return 'dry run: nothing was changed';
  return changed === false ? 'nothing had to be changed' : `${command} is done`;
}
