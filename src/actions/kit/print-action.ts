/** What people see of an action: its lines, its tables and plans, and how far it is. */
import type { Context } from '../../context.js';
import { asCalled } from '../../output/as-called.js';
import { progressReporter, type ProgressStyle } from '../../output/progress.js';
import { isTable, type Format } from '../../output/render.js';
import { withStreams } from '../../output/door.js';
import { commandOf, errorScreen, screenOf, type Screen } from '../../output/screen.js';
import { oneLine } from '../../output/text.js';
import type { Said, Show, Display, Tell, Telling } from './report.js';
import { waitingLine } from './waiting-line.js';

/** How it is shown; what is absent is as people read it at a terminal. */
export interface ActionLook {
  /** Null: lines for people, and without those of COMMAND where stdout is a document. */
  readonly progress?: ProgressStyle | null | undefined;
  /** Of the table of members. */
  readonly format?: Format | undefined;
}

/** Prints on the streams of `context`. */
export function actionPrinter(context: Context, look: ActionLook = {}): Telling {
  return {
    tell: tellOn(context, look),
    show: showOn(context, look),
    changeTalk: async () => {
      const { changePrinter } = await import('../switchover/print-change.js');
      const { progress = null } = look;
      return changePrinter(context, { format: 'pretty', dryRun: false, progress });
    },
  };
}

/** The same where stdout is a command's own: all of it goes to stderr. */
export function stderrPrinter(context: Context): Telling {
  return actionPrinter(withStreams(context, { out: (text) => context.io.err(text) }));
}

function tellOn(context: Context, look: ActionLook): Tell {
  const { io, flags } = context;
  return (event) => {
    if (event.kind === 'line') io.out(`${event.text}\n`);
    if (event.kind === 'note' && !isLeftOut(context, event))
      io.err(`${oneLine(noteText(context, event))}\n`);
    if (event.kind === 'waiting' && !flags.compat)
      io.err(asCalled(waitingLine(event), commandOf(context)));
    if (event.kind === 'step')
      progressReporter(io, look.progress ?? 'text', event.startedMs)(event);
    if (event.kind === 'output') printOutput(context, look, event);
    if (event.kind === 'removed' && !flags.compat && isTable(look.format ?? 'pretty'))
      io.out(`Success: ${event.keys} keys of ${event.scope} removed\n`);
  };
}

function noteText(context: Context, { text, quotes }: Extract<Said, { kind: 'note' }>): string {
  return quotes ? text : asCalled(text, commandOf(context));
}

function isLeftOut({ flags }: Context, { notWith }: Extract<Said, { kind: 'note' }>): boolean {
  if (notWith === 'compat') return flags.compat;
  return notWith === 'json' && flags.asJson;
}

function printOutput(
  { io, flags }: Context,
  { progress = null }: ActionLook,
  { startedMs, atMs, member, text }: Extract<Said, { kind: 'output' }>,
): void {
  if (progress === 'none' || (flags.asJson && progress === null)) return;
  if (progress !== 'json') return io.err(`${oneLine(member)} | ${text}\n`);
  progressReporter(io, 'json', startedMs)({ step: 'output', atMs, member, said: text });
}

// ---------------------------------------------------------------- tables and plans

function showOn(context: Context, { format = 'pretty' }: ActionLook): Show {
  return async (shown) => {
    if (shown.kind === 'members') return context.io.out(await membersTable(context, shown, format));
    if (shown.kind === 'difference') return context.io.out(await differenceText(context, shown));
    // With -f json a plan is in the document; that of a rolling restart is among its notes too.
    if (context.flags.asJson && !shown.dryRun && shown.kind !== 'rolling') return;
    const [screen, print] = shown.dryRun
      ? [screenOf(context), (text: string) => context.io.out(text)]
      : [errorScreen(context), (text: string) => context.io.err(text)];
    print(await planTextOf(shown, screen));
  };
}

/** patronictl's table of members; it fits a terminal unless --compat is given. */
async function membersTable(
  context: Context,
  { scope, clusters, group }: Extract<Display, { kind: 'members' }>,
  format: Format,
): Promise<string> {
  const { membersOnScreen } = await import('../../output/members-on-screen.js');
  const config = await context.config();
  const citus =
    group !== null ||
    config.group !== null ||
    (!context.flags.compat && clusters.some((cluster) => cluster.group !== null));
  return membersOnScreen({ scope, clusters }, { format, citus, group }, screenOf(context));
}

async function differenceText(
  { io }: Context,
  { before, after }: Extract<Display, { kind: 'difference' }>,
): Promise<string> {
  const { diffText } = await import('../../output/unified.js');
  return diffText(before, after, io.outColor);
}

async function planTextOf(
  shown: Extract<Display, { dryRun: boolean }>,
  screen: Screen,
): Promise<string> {
  if (shown.kind === 'rolling') {
    const { rollingText } = await import('../restart/rolling-text.js');
    return rollingText(shown.plan);
  }
  if (shown.kind === 'roll') {
    const { rollText } = await import('../roll/roll-text.js');
    return rollText(shown, screen);
  }
  if (shown.kind === 'checks') {
    const { checksText } = await import('../../output/plan-table.js');
    return checksText(shown.checks, shown.verdict, { screen, all: shown.dryRun });
  }
  if (shown.kind === 'swap') {
    const { swapText } = await import('../swap/swap-text.js');
    return swapText(shown, screen);
  }
  const { retirementText } = await import('../retire/retirement-text.js');
  return retirementText(shown, screen);
}
