/** A command that a key of `top` opens: the same command, in the same code, on the same terminal. */
import { Command, CommanderError } from 'commander';
import { atPlace } from '../cli/at-place.js';
import type { MakeCommand, Run } from '../cli/run-command.js';
import { monotonicMs } from '../clock.js';
import type { Context } from '../context.js';
import { ENDINGS, exitCode, ToolError, type Ending } from '../errors.js';
import { asCalled } from '../output/as-called.js';
import { commandOf, errorScreen, fitted } from '../output/screen.js';
import { oneLine, plain } from '../output/text.js';
import type { OpenedCommand } from '../output/top/actions.js';

const MAKERS: Readonly<Record<string, () => Promise<MakeCommand>>> = {
  switchover: async () => (await import('./switchover.js')).switchoverCommand,
  failover: async () => (await import('./failover.js')).failoverCommand,
  restart: async () => (await import('./restart.js')).restartCommand,
  reinit: async () => (await import('./reinit.js')).reinitCommand,
  pause: async () => (await import('./pause.js')).pauseCommand,
  resume: async () => (await import('./pause.js')).resumeCommand,
  'edit-config': async () => (await import('./edit-config.js')).editConfigCommand,
};

/** Runs it to its end, says how it ended, and waits for Enter unless Ctrl-C or a signal has ended it. */
export async function runOpened(
  context: Context,
  { args, line, place }: OpenedCommand,
): Promise<Ending | number> {
  const { io, signal } = context;
  if (args === null) return 'error';
  io.out(`\n$ ${oneLine(line)}\n`);
  const ending = await endingOf(place === undefined ? context : atPlace(context, place), args);
  if (signal.aborted || ending === 'interrupted') return ending;
  io.out(`\n${endText(ending)}\nPress Enter to return to top.\n`);
  await enterPressed(context);
  // The terminal shows ^C on the last line.
  if (isAborted(signal)) io.out('\n');
  return ending;
}

/** Asked for again after a wait: the compiler takes the earlier answer for the present one. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function endingOf(context: Context, args: readonly string[]): Promise<Ending | number> {
  const { io } = context;
  const [name = ''] = args;
  const make = await MAKERS[name]?.();
  if (make === undefined) throw new Error(`no command ${name}`);
  let ending: Ending | number = 'ok';
  const run: Run = async (work) => {
    ending = await work({ ...context, flags: { ...context.flags, command: name } });
  };
  const program = new Command(context.flags.program)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) });
  const command = make(run);
  program.addCommand(command.copyInheritedSettings(program).allowExcessArguments(false));
  try {
    await program.parseAsync(args, { from: 'user' });
    return ending;
  } catch (error) {
    if (error instanceof CommanderError) return 'usage';
    if (!(error instanceof ToolError)) throw error;
    io.must(fitted(errorLines(context, error), errorScreen(context)));
    return error.ending;
  }
}

function errorLines(context: Context, { message, evidence, hint }: ToolError): string {
  const facts = evidence.map(
    ({ witness, subject, said }) => `  ${oneLine(`${witness} ${subject}: ${said}`)}\n`,
  );
  const step = hint === undefined ? '' : `${plain(asCalled(hint, commandOf(context)))}\n`;
  return `Error: ${plain(message)}\n${facts.join('')}${step}`;
}

function endText(ending: Ending | number): string {
  if (typeof ending === 'number') return `exit ${ending}`;
  return `exit ${exitCode(ending)}: ${ENDINGS[ending].meaning}`;
}

/** What was typed while the command ran is there at once: it is not the answer. */
const TYPED_AHEAD_MS = 100;

function enterPressed({ io, signal }: Context): Promise<void> {
  const { stdin } = io;
  const askedMs = monotonicMs();
  // Ctrl-D at a question of the command was the end of it: no key comes any more.
  if (!stdin.readable) return Promise.resolve();
  return new Promise((resolve) => {
    const pressed = (): void => {
      if (monotonicMs() - askedMs > TYPED_AHEAD_MS) done();
    };
    const done = (): void => {
      stdin.off('data', pressed);
      stdin.off('end', done);
      stdin.off('error', done);
      signal.removeEventListener('abort', done);
      stdin.pause();
      resolve();
    };
    stdin.on('data', pressed);
    stdin.on('end', done);
    stdin.on('error', done);
    signal.addEventListener('abort', done);
    stdin.resume();
  });
}
