/** What people see of a change of leader: patronictl's lines and tables, the plan and the steps on stderr. */
import type { Context } from '../../context.js';
import { ToolError, type Ending } from '../../errors.js';
import { planText } from '../../output/plan-table.js';
import { commandOf, documentAsCalled, errorScreen, screenOf } from '../../output/screen.js';
import { progressReporter, type ProgressStyle } from '../../output/progress.js';
import { localText, utcText, type Scheduled } from '../kit/schedule.js';
import type { ChangeEvent, ChangeResult, LeaderChange, Talk } from './change.js';
import {
  changeDocument,
  orThrow,
  resultLines,
  stampedLine,
  topologyText,
  unplannedDocument,
  type AnyChangeDocument,
} from './conclusion.js';
import { localZone } from './questions.js';

export interface ShownChange {
  readonly format: 'pretty' | 'json';
  readonly dryRun: boolean;
  /** Null: as the format has it. */
  readonly progress: ProgressStyle | null;
}

/** Prints the plan and every event as it comes. */
export function changePrinter(
  context: Context,
  { format, dryRun, progress }: ShownChange,
): Pick<Talk, 'showPlan' | 'on'> {
  const { io, clock, flags } = context;
  // With -f json stderr is one JSON object or nothing, unless progress is also requested.
  const quiet = flags.compat || format === 'json';
  const style = progress ?? (quiet ? 'none' : 'text');
  let report = progressReporter(io, style, clock.nowMs());
  const print = (event: Exclude<ChangeEvent, { kind: 'step' }>): void => {
    if (event.kind === 'moved') io.out(stampedLine(event.atMs, event.message));
    else if (event.kind === 'topology') {
      if (!dryRun) io.out(`Current cluster topology\n${event.table}`);
    } else {
      if (event.cluster) io.out(topologyText(event.cluster, event, screenOf(context)));
      if (!flags.compat) io.out(resultLines(event.progress));
    }
  };
  return {
    showPlan: async (plan, when) => {
      report = progressReporter(io, style, clock.nowMs());
      if (format === 'json') return;
      if (dryRun) return io.out(await planText(plan, { screen: screenOf(context), all: true }));
      if (flags.compat) return;
      io.err(await planText(plan, { screen: errorScreen(context), all: false }));
      if (when) io.err(whenLine(when));
    },
    on: (event) => {
      if (event.kind === 'step') report(event);
      else if (format !== 'json') print(event);
    },
  };
}

function whenLine(when: Scheduled): string {
  const zone = when.zone ?? localZone();
  return `Scheduled for ${localText(when.atMs, zone)} (${zone}), that is ${utcText(when.atMs)}\n`;
}

/** What it came to; every ending but ok is thrown, for main to say. */
export function finishChange(
  context: Context,
  format: ShownChange['format'],
  result: ChangeResult,
): Ending {
  const { io, flags } = context;
  const { conclusion, plan, details } = result;
  if (format === 'json') printDocument(context, changeDocument(result));
  else if (conclusion.code === 'nothing_to_do') io.out(`${conclusion.message}\n`);
  else if (flags.compat && details !== null) {
    const title = plan.kind === 'switchover' ? 'Switchover' : 'Failover';
    io.out(`${title} failed, details: ${details}\n`);
  }
  return orThrow(conclusion);
}

/** The document of a change that ended before it was planned; what is no ToolError has none. */
export function printUnplanned(context: Context, change: LeaderChange, error: unknown): void {
  if (error instanceof ToolError) printDocument(context, unplannedDocument(change, error));
}

function printDocument(context: Context, document: AnyChangeDocument): void {
  const called = documentAsCalled(document, commandOf(context));
  context.io.out(`${JSON.stringify(called, null, 2)}\n`);
}
