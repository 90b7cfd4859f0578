/** Questions on a terminal. Without one nothing is ever asked. */
import { ToolError } from '../errors.js';
import type { Io } from './io.js';

/** Where questions are asked, and what ends them. */
export interface Terminal {
  readonly io: Io;
  /** Aborts at SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

/** A password, typed unseen after `message: `. ToolError `usage` names `instead` when there is no terminal. */
export async function askPassword(
  terminal: Terminal,
  message: string,
  instead: string,
): Promise<string> {
  needTerminal(terminal, message, instead);
  const { default: inquirer } = await import('inquirer');
  const prompt = inquirer.createPromptModule(streams(terminal));
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
export function openAsker(terminal: Terminal): Asker {
  let lines: LineSource | null = null;
  const ask = async (prompt: string): Promise<string> => {
    needTerminal(terminal, `"${prompt.trim()}"`, 'answer it with an option, or give --force');
    lines ??= await readLines(terminal);
    terminal.io.err(prompt);
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
        terminal.io.err('Error: invalid input\n');
      }
    },
    close: () => lines?.close(),
  };
}

interface LineSource {
  next(): Promise<string>;
  close(): void;
}

async function readLines(terminal: Terminal): Promise<LineSource> {
  const { createInterface } = await import('node:readline');
  const reader = createInterface({ input: terminal.io.stdin, terminal: false });
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
  terminal.signal.addEventListener('abort', end, { once: true });
  return {
    next: async () => {
      while (typed.length === 0 && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const line = typed.shift();
      if (line !== undefined && !terminal.signal.aborted) return line;
      terminal.io.err('\n');
      if (terminal.signal.aborted) throw interrupted();
      throw new ToolError('error', 'Aborted! The input ended at a question; nothing was sent');
    },
    close: () => {
      terminal.signal.removeEventListener('abort', end);
      reader.close();
    },
  };
}

function interrupted(): ToolError {
  return new ToolError('interrupted', 'interrupted at a question; nothing was sent');
}

function needTerminal({ io }: Terminal, what: string, instead: string): void {
  if (canAsk(io)) return;
  throw noTerminal(`${what} must be entered, but stdin is not a terminal`, instead);
}

/** Whether somebody can be asked: stdin and stderr are a terminal. */
export function canAsk(io: Io): boolean {
  return io.stdinIsTty && io.stderrIsTty;
}

/** For a question that nobody can be asked; the hint names the option that answers it. */
export function noTerminal(message: string, hint: string): ToolError {
  return new ToolError('usage', message, { code: 'no_terminal', hint });
}

/** ToolError `usage` where `what` must be confirmed and nobody can be asked: before anything is read. */
export function needConsent({ io }: Terminal, what: string, hint: string): void {
  if (!canAsk(io)) throw noTerminal(`${what} must be confirmed, and stdin is not a terminal`, hint);
}

/** Runs `work` with somebody to ask, and lets go of stdin afterwards. */
export async function withAsker<T>(
  terminal: Terminal,
  work: (asker: Asker) => Promise<T>,
): Promise<T> {
  const asker = openAsker(terminal);
  try {
    return await work(asker);
  } finally {
    asker.close();
  }
}

/** Prompts go to stderr: stdout is the result and nothing else. */
function streams(terminal: Terminal): {
  input: NodeJS.ReadableStream;
  output: NodeJS.WritableStream;
} {
  return { input: terminal.io.stdin, output: terminal.io.stderr };
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
