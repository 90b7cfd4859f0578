/** What people see of a change of leader: patronictl's lines and tables, the plan and the steps on stderr. */
import type { Context } from '../../context.js';
import type { Cluster } from '../../cluster/model/model.js';
import { ToolError } from '../../errors.js';
import { planText } from '../../output/plan-table.js';
import { documentAsCalled } from '../../output/as-called.js';
import { commandOf, errorScreen, screenOf, type Screen } from '../../output/screen.js';
import { progressReporter, type ProgressStyle } from '../../output/progress.js';
import { oneLine } from '../../output/text.js';
import { waitingLine } from '../kit/waiting-line.js';
import { localText, utcText, type Scheduled } from '../kit/schedule.js';
import type { ChangeEvent, ChangeResult, ChangeTalk, LeaderChange } from './change.js';
import {
  changeDocument,
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
): ChangeTalk {
  const { io, clock, flags } = context;
  // With -f json stderr is one JSON object or nothing, unless progress is also requested.
  const quiet = flags.compat || format === 'json';
  const style = progress ?? (quiet ? 'none' : 'text');
  let report = progressReporter(io, style, clock.nowMs());
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
      else if (event.kind === 'ended' && format === 'json')
        printDocument(context, changeDocument(event.result));
      else if (format !== 'json' && !(dryRun && event.kind === 'topology'))
        printResult(context, event);
      printBeside(context, event);
    },
  };
}

function whenLine(when: Scheduled): string {
  const zone = when.zone ?? localZone();
  return `Scheduled for ${localText(when.atMs, zone)} (${zone}), that is ${utcText(when.atMs)}\n`;
}

/** patronictl's lines and tables, and ours below them. */
function printResult(context: Context, event: ChangeEvent): void {
  const { io, flags } = context;
  if (event.kind === 'moved') io.out(stampedLine(event.atMs, event.message));
  if (event.kind === 'topology')
    io.out(`Current cluster topology\n${topologyText(event, event, screenOf(context))}`);
  if (event.kind === 'after') {
    if (event.cluster) io.out(tableAfter(event.cluster, event, screenOf(context)));
    if (!flags.compat) io.out(resultLines(event.progress));
  }
  if (event.kind === 'ended') {
    const line = endLine(event.result, flags.compat);
    if (line !== '') io.out(line);
  }
}

function tableAfter(
  cluster: Cluster,
  { group, citus }: Extract<ChangeEvent, { kind: 'after' }>,
  screen: Screen,
): string {
  return topologyText({ scope: cluster.scope, clusters: [cluster] }, { group, citus }, screen);
}

/** Every other ending is an error, which main says. */
function endLine({ conclusion, plan, details }: ChangeResult, compat: boolean): string {
  if (conclusion.code === 'nothing_to_do') return `${conclusion.message}\n`;
  if (!compat || details === null) return '';
  const title = plan.kind === 'switchover' ? 'Switchover' : 'Failover';
  return `${title} failed, details: ${details}\n`;
}

/** Warnings, and what is waited for. */
function printBeside({ io, flags }: Context, event: ChangeEvent): void {
  const warn = (said: string, code: string): void =>
    io.err(`${oneLine(`warning: ${said} [${code}]`)}\n`);
  if (event.kind === 'routes before' && !flags.asJson)
    for (const { message, code } of event.findings) warn(message, code);
  if (event.kind === 'not heeded') for (const { said, name } of event.checks) warn(said, name);
  if (event.kind === 'waiting' && !flags.compat) io.err(waitingLine(event));
}

/** The document of a change that ended before it was planned; what is no ToolError has none. */
export function printUnplanned(context: Context, change: LeaderChange, error: unknown): void {
  if (error instanceof ToolError) printDocument(context, unplannedDocument(change, error));
}

function printDocument(context: Context, document: AnyChangeDocument): void {
  const called = documentAsCalled(document, commandOf(context));
  context.io.out(`${JSON.stringify(called, null, 2)}\n`);
}
