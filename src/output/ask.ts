/** Questions on a terminal. Without one nothing is ever asked. */
import { ToolError } from '../errors.js';
import type { Tool } from '../tool.js';

/** A password, typed unseen. ToolError `usage` names `instead` when there is no terminal. */
export async function askPassword(tool: Tool, message: string, instead: string): Promise<string> {
  needTerminal(tool, message, instead);
  const { default: inquirer } = await import('inquirer');
  const prompt = inquirer.createPromptModule(streams(tool));
  const { answer } = await orInterrupted(
    prompt<{ answer: string }>([{ type: 'password', name: 'answer', message }]),
  );
  return answer;
}

function needTerminal(tool: Tool, what: string, instead: string): void {
  if (tool.io.stdinIsTty && tool.io.stderrIsTty) return;
  throw new ToolError('usage', `${what} has to be asked for, and this is no terminal`, {
    code: 'no_terminal',
    hint: instead,
  });
}

/** Prompts go to stderr: stdout is the result and nothing else. */
function streams(tool: Tool): { input: NodeJS.ReadableStream; output: NodeJS.WritableStream } {
  return { input: tool.io.stdin, output: tool.io.stderr };
}

async function orInterrupted<T>(answer: PromiseLike<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Error && error.name === 'ExitPromptError') {
      throw new ToolError('interrupted', 'interrupted at a question; nothing was sent');
    }
    throw error;
  }
}
