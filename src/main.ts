/** main(argv, world) -> exit code; every error becomes an ending here. */
import { CommanderError } from 'commander';
import { ENDINGS, ToolError, exitCode } from './errors.js';
import type { Io } from './output/io.js';
import { oneLine, plain } from './output/text.js';
import { buildProgram } from './program.js';
import type { Tool } from './tool.js';
import { makeTool, type World } from './world.js';

/** One run. `witnesses` stands in for the real ones in tests. */
export async function main(
  argv: readonly string[],
  world: World,
  witnesses: Partial<Pick<Tool, 'dcs' | 'patroni' | 'postgres' | 'clock'>> = {},
): Promise<number> {
  const { tool: real, close } = makeTool(world);
  const tool: Tool = { ...real, ...witnesses };
  let exit = 0;
  try {
    const program = await buildProgram(
      tool,
      (how) => {
        exit = typeof how === 'number' ? how : exitCode(how);
      },
      argv,
    );
    await program.parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) {
      const { exitCode: exit } = error;
      // Commander's own code is 1; `check` has set another.
      return exit === 1 ? ENDINGS.usage.exit : exit;
    }
    if (world.signal.aborted && !(error instanceof ToolError)) {
      return report(tool.io, new ToolError('interrupted', 'interrupted'), tool.flags.jsonErrors);
    }
    return report(tool.io, asToolError(error, tool.flags.debug), tool.flags.jsonErrors);
  } finally {
    await close();
  }
}

function asToolError(error: unknown, debug: boolean): ToolError {
  if (error instanceof ToolError) return error;
  const what = error instanceof Error ? error : new Error(String(error));
  return new ToolError('error', `a fault in patctl itself: ${what.message}`, {
    code: 'internal',
    hint: debug ? (what.stack ?? '') : 'run it again with --debug and report what it prints',
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
