/** main(argv, world) -> exit code; every error becomes an ending here. */
import { CommanderError, type Command } from 'commander';
import { ENDINGS, ToolError, exitCode } from './errors.js';
import type { Io } from './output/io.js';
import { oneLine, plain } from './output/text.js';
import { buildProgram } from './program.js';
import type { Context } from './context.js';
import { makeContext, type Witnesses, type ProcessEnvironment } from './cli/make-context.js';
import { versionLine } from './version.js';

/** One run. `witnesses` stands in for the real ones in tests. */
export async function main(
  argv: readonly string[],
  world: ProcessEnvironment,
  witnesses: Witnesses = {},
): Promise<number> {
  const { context, close } = makeContext(world, witnesses);
  context.flags.jsonErrors = asksFor('json', argv);
  const mistake: { said?: string } = {};
  let exit = 0;
  try {
    const program = await buildProgram(
      context,
      (how) => {
        exit = typeof how === 'number' ? how : exitCode(how);
      },
      argv,
      versionLine(world),
    );
    catchMistakes(program, program, mistake);
    await program.parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander's own code is 1; `check` has set another.
      const exit = error.exitCode === 1 ? ENDINGS.usage.exit : error.exitCode;
      if (mistake.said !== undefined) {
        // Monitoring reads stdout, whatever is wrong.
        if (argv.includes('check') && asksFor('nagios', argv)) sayUnknown(context.io, mistake.said);
        reportMistake(context, mistake.said, exit);
      }
      return exit;
    }
    if (world.signal.aborted && !(error instanceof ToolError)) {
      return report(
        context.io,
        new ToolError('interrupted', 'interrupted'),
        context.flags.jsonErrors,
      );
    }
    return report(context.io, asToolError(error, context.flags.debug), context.flags.jsonErrors);
  } finally {
    await close();
  }
}

/** Whether the command line asks for a format, also where it is too wrong to be read. */
function asksFor(format: string, argv: readonly string[]): boolean {
  // query's -f is a file.
  const names = argv.includes('query') ? ['--format'] : ['--format', '-f'];
  return argv.some(
    (word, at) =>
      word === `--format=${format}` ||
      (word === `-f${format}` && names.includes('-f')) ||
      (names.includes(word) && argv[at + 1] === format),
  );
}

function sayUnknown(io: Io, said: string): void {
  io.out(`PATCTL UNKNOWN - ${oneLine(said.trim().replace(/^error: /, ''))}\n`);
}

/** Keeps what commander has against the command line, instead of having it printed. */
function catchMistakes(command: Command, program: Command, mistake: { said?: string }): void {
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
  if (head === undefined || !own || command === program) return null;
  return `${head}\n(Give it before the command: patctl ${own.flags} ${command.name()})\n`;
}

function reportMistake({ io, flags }: Context, said: string, exit: number): void {
  if (!flags.jsonErrors) return io.err(said);
  const [message = '', ...hints] = said
    .trim()
    .replace(/^error: /, '')
    .split('\n');
  const hint = hints.join(' ').replace(/^\((.*)\)$/, '$1') || undefined;
  const error = new ToolError('usage', message, hint === undefined ? {} : { hint });
  io.err(`${JSON.stringify({ error: jsonError(error, exit) })}\n`);
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

/** Says what went wrong on stderr, for people or, when json was asked for, as one JSON object. */
function report(io: Io, error: ToolError, asJson: boolean): number {
  const exit = exitCode(error.ending);
  if (asJson) {
    io.err(`${JSON.stringify({ error: jsonError(error, exit) })}\n`);
    return exit;
  }
  io.err(`Error: ${plain(error.message)}\n`);
  for (const { witness, subject, said } of error.evidence) {
    io.err(`  ${oneLine(`${witness} ${subject}: ${said}`)}\n`);
  }
  if (error.hint) io.err(`${plain(error.hint)}\n`);
  return exit;
}

/** The error for programs; control characters are as unwelcome in their logs. */
function jsonError({ code, message, hint, evidence }: ToolError, exit: number): object {
  return {
    code,
    exit,
    message: plain(message),
    hint: hint === undefined ? null : plain(hint),
    evidence: evidence.map(({ witness, subject, said }) => ({
      witness: plain(witness),
      subject: plain(subject),
      said: plain(said),
    })),
  };
}
