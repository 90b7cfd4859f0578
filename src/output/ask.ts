/** Questions on a terminal. Without one nothing is ever asked. */
import { ToolError } from '../errors.js';
import type { Context } from '../context.js';

/** A password, typed unseen after `message: `. ToolError `usage` names `instead` when there is no terminal. */
export async function askPassword(
  context: Context,
  message: string,
  instead: string,
): Promise<string> {
  needTerminal(context, message, instead);
  const { default: inquirer } = await import('inquirer');
  const prompt = inquirer.createPromptModule(streams(context));
  const { answer } = await orInterrupted(
    prompt<{ answer: string }>([
      { type: 'password', name: 'answer', message, toggleMask: false, theme: PLAIN },
    ]),
  );
  return answer;
}

/** What was written for patronictl's prompt waits for the colon, and the toolkit has other ideas. */
const PLAIN = {
  prefix: '',
  style: { message: (text: string) => `${text}:`, maskedText: '' },
};

/** Questions as patronictl asks them, so that what was written for its prompts goes on working. */
export interface Asker {
  /** `text [fallback]: `; an empty answer is the fallback, without one the question comes again. */
  text(question: string, fallback: string | null): Promise<string>;
  /** `question [y/N]: ` */
  confirm(question: string): Promise<boolean>;
  close(): void;
}

/**
 * Plain lines on the terminal as it is: prompt toolkits redraw what they print, and an `expect` script
 * waits for the very text. Nothing typed ahead is lost between two questions.
 */
export function openAsker(context: Context): Asker {
  let lines: LineSource | null = null;
  const ask = async (prompt: string): Promise<string> => {
    needTerminal(context, `"${prompt.trim()}"`, 'answer it with an option, or give --force');
    lines ??= await readLines(context);
    context.io.err(prompt);
    return lines.next();
  };
  return {
    text: async (question, fallback) => {
      for (;;) {
        const answer = await ask(`${question}${fallback === null ? '' : ` [${fallback}]`}: `);
        if (answer !== '') return answer;
        if (fallback !== null) return fallback;
      }
    },
    confirm: async (question) => {
      for (;;) {
        const answer = (await ask(`${question} [y/N]: `)).toLowerCase().trim();
        if (answer === 'y' || answer === 'yes') return true;
        if (answer === 'n' || answer === 'no' || answer === '') return false;
        context.io.err('Error: invalid input\n');
      }
    },
    close: () => lines?.close(),
  };
}

interface LineSource {
  next(): Promise<string>;
  close(): void;
}

async function readLines(context: Context): Promise<LineSource> {
  const { createInterface } = await import('node:readline');
  const reader = createInterface({ input: context.io.stdin, terminal: false });
  const typed: string[] = [];
  let ended = false;
  let wake: () => void = () => undefined;
  reader.on('line', (line) => {
    typed.push(line);
    wake();
  });
  const end = (): void => {
    ended = true;
    wake();
  };
  reader.on('close', end);
  context.signal.addEventListener('abort', end, { once: true });
  return {
    next: async () => {
      while (typed.length === 0 && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const line = typed.shift();
      if (line !== undefined && !context.signal.aborted) return line;
      context.io.err('\n');
      if (context.signal.aborted) throw interrupted();
      throw new ToolError('error', 'Aborted! The input ended at a question; nothing was sent');
    },
    close: () => {
      context.signal.removeEventListener('abort', end);
      reader.close();
    },
  };
}

function interrupted(): ToolError {
  return new ToolError('interrupted', 'interrupted at a question; nothing was sent');
}

function needTerminal(context: Context, what: string, instead: string): void {
  if (context.io.stdinIsTty && context.io.stderrIsTty) return;
  throw new ToolError('usage', `${what} must be entered, but stdin is not a terminal`, {
    code: 'no_terminal',
    hint: instead,
  });
}

/** Prompts go to stderr: stdout is the result and nothing else. */
function streams(context: Context): {
  input: NodeJS.ReadableStream;
  output: NodeJS.WritableStream;
} {
  return { input: context.io.stdin, output: context.io.stderr };
}

async function orInterrupted<T>(answer: PromiseLike<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Error && error.name === 'ExitPromptError') {
      throw interrupted();
    }
    throw error;
  }
}
