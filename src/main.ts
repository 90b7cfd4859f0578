/** main(argv, world) -> exit code; every error becomes an ending here. */
import { CommanderError, type Command } from 'commander';
import { ENDINGS, ToolError, exitCode } from './errors.js';
import type { Door } from './output/door.js';
import { asCalled } from './output/as-called.js';
import { oneLine, plain } from './output/text.js';
import { buildProgram, type Start, type ProcessTerminal } from './program.js';
import { hasDocument, refusalDocument } from './output/refusal-document.js';
import { formatAsked } from './cli/format-asked.js';
import { sectionFlags } from './cli/global-options.js';
import type { GlobalFlags } from './context.js';
import {
  calledAs,
  defaultFlags,
  doorOf,
  makeContext,
  type ProcessEnvironment,
  type Witnesses,
} from './cli/make-context.js';
import { versionLine } from './build-info.js';

/** One run. `witnesses` stands in for the real ones in tests. */
export async function main(
  argv: readonly string[],
  world: ProcessEnvironment,
  witnesses: Witnesses = {},
): Promise<number> {
  const flags = defaultFlags(world);
  const run: OneRun = {
    io: doorOf(world, flags),
    flags,
    program: null,
    said: null,
  };
  const close: (() => Promise<void>)[] = [];
  let exit = 0;
  const start: Start = async (given, work) => {
    const opened = await open(world, { ...flags, ...given }, given, witnesses);
    close.push(opened.close);
    run.io = opened.context.io;
    run.flags = opened.context.flags;
    const how = await work(opened.context);
    exit = typeof how === 'number' ? how : exitCode(how);
  };
  try {
    const terminal: ProcessTerminal = {
      env: world.env,
      calledAs: calledAs(world.programName),
      with: (given) => ({ io: doorOf(world, { ...flags, ...given }), signal: world.signal }),
    };
    const program = await buildProgram(terminal, start, argv, versionLine(world));
    run.program = program;
    catchMistakes(program, program, run);
    await program.parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    return await failed(run, argv, world.signal, error);
  } finally {
    await Promise.all(close.map((one) => one()));
  }
}

/** The context, with what `patctl:` in the file says where neither the command line nor the environment does. */
async function open(
  world: ProcessEnvironment,
  flags: GlobalFlags,
  given: Partial<GlobalFlags>,
  witnesses: Witnesses,
): Promise<ReturnType<typeof makeContext>> {
  const opened = makeContext(world, flags, witnesses);
  // Completion is silent, and a recording is read whatever the configuration.
  if (flags.command === 'completion' || flags.recording !== undefined) return opened;
  // A command that needs it reports what is wrong with it.
  const config = await opened.context.config().catch(() => null);
  if (config === null) return opened;
  let below: Partial<GlobalFlags>;
  try {
    below = sectionFlags(config.patctl);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return makeContext(world, flags, { ...witnesses, config: () => Promise.reject(error) });
  }
  const made =
    Object.keys(below).length === 0
      ? opened
      : makeContext(
          world,
          { ...flags, ...below, ...given },
          { ...witnesses, config: () => opened.context.config() },
        );
  const { found } = config.search;
  // With -f json stderr is one JSON object or nothing.
  if (found !== null && !flags.asJson) {
    made.context.io.err(
      `configuration: ${oneLine(found)} (the only one found; -c FILE names another)\n`,
    );
  }
  return made;
}

/** What is known of a run when it fails. */
interface OneRun {
  io: Door;
  flags: GlobalFlags;
  program: Command | null;
  /** Why commander refuses the command line. */
  said: string | null;
}

/** Reports what went wrong and returns the exit code. */
async function failed(
  { io, flags, program, said }: OneRun,
  argv: readonly string[],
  signal: AbortSignal,
  error: unknown,
): Promise<number> {
  const asked = program && formatAsked(program, argv);
  const asJson = asked?.format === 'json';
  const command = asked?.command ?? '';
  if (error instanceof CommanderError) {
    // Commander's own code is 1; `check` has set another.
    const exit = error.exitCode === 1 ? ENDINGS.usage.exit : error.exitCode;
    if (said === null) return exit;
    // Monitoring reads stdout, whatever is wrong.
    if (asked?.command === 'check' && asked.format === 'nagios') sayUnknown(io, said);
    if (!asJson) io.must(said);
    else reportJson(io, command, mistake(said), exit);
    return exit;
  }
  if (signal.aborted && !(error instanceof ToolError)) {
    return report({ io, flags }, command, new ToolError('interrupted', 'interrupted'), asJson);
  }
  const typed = await called(asToolError(error, flags.debug), flags);
  return report({ io, flags }, command, inTheirWords(io, typed), asJson);
}

function sayUnknown(io: Door, said: string): void {
  io.out(`PATCTL UNKNOWN - ${oneLine(said.trim().replace(/^error: /, ''))}\n`);
}

/** Keeps commander's refusal of the command line, instead of having it printed. */
function catchMistakes(command: Command, program: Command, mistake: { said: string | null }): void {
  command.configureOutput({
    outputError: (text) => {
      mistake.said = beforeTheCommand(text, command, program) ?? text;
    },
  });
  for (const sub of command.commands) catchMistakes(sub, program, mistake);
}

/** An option of patctl's own behind the command; commander guesses that another one is meant. */
function beforeTheCommand(text: string, command: Command, program: Command): string | null {
  const [head, flag] = /^error: unknown option '(--?[A-Za-z-]+)'/.exec(text) ?? [];
  const own = program.options.find(({ long, short }) => flag === long || flag === short);
  if (flag === '--master' && head !== undefined && command.name() === 'switchover') {
    return `${head}\n(Patroni 4 calls it --leader, or --primary)\n`;
  }
  if (head === undefined || !own || command === program) return null;
  return `${head}\n(Give it before the command: ${program.name()} ${own.flags} ${command.name()})\n`;
}

/** Commander's refusal of the command line, as an error of ours. */
function mistake(said: string): ToolError {
  const [message = '', ...hints] = said
    .trim()
    .replace(/^error: /, '')
    .split('\n');
  const hint = hints.join(' ').replace(/^\((.*)\)$/, '$1') || undefined;
  return new ToolError('usage', message, hint === undefined ? {} : { hint });
}

/** A command that has not printed its document yet prints the document of the refusal. */
function reportJson(io: Door, command: string, error: ToolError, exit: number): void {
  const document = refusalDocument(command, error, exit);
  if (!io.hasOutput && hasDocument(command)) io.out(`${JSON.stringify(document, null, 2)}\n`);
  const { code, message, hint, evidence } = document;
  io.must(`${JSON.stringify({ error: { code, exit, message, hint, evidence } })}\n`);
}

function asToolError(error: unknown, debug: boolean): ToolError {
  if (error instanceof ToolError) return error;
  const what = error instanceof Error ? error : new Error(String(error));
  return new ToolError('error', `internal error in patctl: ${what.message}`, {
    code: 'internal',
    hint: debug ? (what.stack ?? '') : 'run the command again with --debug and report the output',
    cause: error,
  });
}

/** The error with the commands of its hint as they have to be typed here. */
async function called(error: ToolError, flags: GlobalFlags): Promise<ToolError> {
  const { ending, message, code, evidence, hint, cause } = error;
  if (hint === undefined) return error;
  const { commandOf } = await import('./output/screen.js');
  const typed = asCalled(hint, commandOf({ flags }));
  return new ToolError(ending, message, { code, evidence, hint: typed, cause });
}

/** As patronictl, a refused answer gets patronictl's sentence and no other. */
function inTheirWords({ answers, asked }: Door, error: ToolError): ToolError {
  const { ending, message, code, evidence } = error;
  if (answers !== 'stdin' || !asked || ending !== 'error' || evidence.length > 0) return error;
  return new ToolError(ending, message, { code });
}

/** Says what went wrong on stderr, for people or, when json was asked for, as one JSON object. */
async function report(
  { io, flags }: Pick<OneRun, 'io' | 'flags'>,
  command: string,
  error: ToolError,
  asJson: boolean,
): Promise<number> {
  const exit = exitCode(error.ending);
  if (asJson) {
    reportJson(io, command, error, exit);
    return exit;
  }
  // `Aborted!` is patronictl's whole sentence.
  const sentence = `${error.code === 'aborted' ? '' : 'Error: '}${plain(error.message)}\n`;
  const more = error.evidence.map(({ witness, subject, said }) => {
    return `  ${oneLine(`${witness} ${subject}: ${said}`)}\n`;
  });
  if (error.hint) more.push(`${plain(error.hint)}\n`);
  // Scripts take patronictl's sentence from the last line.
  const isLast = flags.compat && !io.stderrIsTty;
  const lines = isLast ? [...more, sentence] : [sentence, ...more];
  if (!io.stderrIsTty || flags.compat) for (const line of lines) io.must(line);
  else {
    const { errorScreen, fitted } = await import('./output/screen.js');
    io.must(fitted(lines.join(''), errorScreen({ io, flags })));
  }
  return exit;
}
