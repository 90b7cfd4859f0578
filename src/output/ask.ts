/**
 * Questions: whether the user may be asked, where answers come from, where questions go.
 *
 * As patronictl, whatever stands in stdin answers, and `Aborted!` comes at its end. Otherwise only a person at
 * a terminal is asked; a "y" that happens to be in a pipe is not consent.
 */
import { ToolError } from '../errors.js';
import type { Door } from './door.js';
import type { Io } from './io.js';
import { fold, NO_COMMAND } from './screen.js';
import { answeredByKey, interrupted, openMenu, type Menu, type Streams } from './menu.js';

/** Where questions are asked, and what ends them. */
export interface Terminal {
  readonly io: Door;
  /** Aborts at SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  readonly env?: { readonly TERM?: string | undefined };
}

/** Whether a user can answer a question. */
export function canAsk({ answers, stdinIsTty }: Pick<Door, 'answers' | 'stdinIsTty'>): boolean {
  return answers !== 'none' && (answers === 'stdin' || stdinIsTty);
}

/** ToolError `usage` if no user can be asked: `what` is missing, `instead` are the options that answer. */
export function needAnswers({ io }: Terminal, what: string, instead: string): void {
  if (canAsk(io)) return;
  const why = io.answers === 'none' ? '--no-input was given' : 'stdin is not a terminal';
  throw new ToolError('usage', `${what}, but ${why}`, { code: 'no_terminal', hint: instead });
}

/** The same check before anything is read, for what has to be confirmed. */
export function needConsent(terminal: Terminal, what: string, instead: string): void {
  needAnswers(terminal, `${what} must be confirmed`, instead);
}

/** Questions as patronictl asks them, so that what was written for its prompts goes on working. */
export interface Asker {
  /** `text [fallback]: `; an empty answer is the fallback, without one the question comes again. */
  text(question: string, fallback: string | null): Promise<string>;
  /** `question [y/N]: ` */
  confirm(question: string): Promise<boolean>;
  /** What stands between two questions, where they stand. */
  say(words: string): void;
  /** For choices and for texts that are checked; null as patronictl, which asks for a text and takes what it gets. */
  readonly menu: Menu | null;
  close(): void;
}

/** Plain lines: prompt toolkits redraw what they print, and an `expect` script waits for the very text. */
export function openAsker(terminal: Terminal): Asker {
  const say = whereSeen(terminal.io);
  let lines: LineSource | null = null;
  const ask = async (prompt: string): Promise<string> => {
    const what = `"${prompt.trim()}" must be answered`;
    needAnswers(terminal, what, 'answer it with an option, or give --force');
    lines ??= lineSource(terminal.io.stdin, terminal.signal);
    say(onLines(terminal.io, prompt));
    terminal.io.asked = true;
    return answered(terminal, await lines.next());
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
        say('Error: invalid input\n');
      }
    },
    say,
    menu:
      terminal.io.answers === 'person'
        ? openMenu({ ...terminal, env: terminal.env ?? {}, ask, say })
        : null,
    close: () => lines?.close(),
  };
}

/** A question of our own is broken at blanks where the terminal is too narrow for it; the answer has room behind it. */
function onLines(io: Door, prompt: string): string {
  if (io.answers !== 'person' || !(io.stderrIsTty || io.stdoutIsTty)) return prompt;
  const width = Math.max((io.columns || 80) - ROOM_TO_ANSWER, 20);
  // What is to be typed word for word stays on one line.
  const whole = prompt.trimEnd().replace(/"[^"]*"/g, (text) => text.replaceAll(' ', NO_BREAK));
  const lines = fold(whole, { width, command: NO_COMMAND });
  return `${lines.join('\n').replaceAll(NO_BREAK, ' ')} `;
}

const ROOM_TO_ANSWER = 5;
const NO_BREAK = '\u00a0';

/** Runs `work` with a user to ask, and releases stdin afterwards. */
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

/** The line, or the ToolError for a question that was not answered. */
function answered({ io, signal }: Terminal, line: string | null): string {
  if (line !== null && !signal.aborted) return line;
  // The user has not pressed Enter: the next output would follow the question on its line.
  const asPatronictl = io.answers === 'stdin';
  if (signal.aborted || !asPatronictl) io.must('\n');
  if (signal.aborted) throw interrupted();
  const words = asPatronictl ? '' : ' The input ended at a question; nothing was sent';
  throw new ToolError('error', `Aborted!${words}`, { code: 'aborted' });
}

/**
 * Where a question is written. As patronictl to stdout, and to stderr too where a person at the terminal would
 * not see it there. Otherwise to stderr, or to whatever leads to the person: stdout is a result where it is read
 * by a program.
 */
function whereSeen(io: Door): (text: string) => void {
  if (io.answers === 'stdin') {
    const unseen = io.stdinIsTty && io.stdoutIsStored === true;
    return (text) => {
      io.out(text);
      if (unseen && io.stderrIsTty) io.must(text);
    };
  }
  if (!io.stderrIsTty && io.stdoutIsTty) return (text) => io.out(text);
  if (io.stderrIsTty || io.stderrIsStored !== true) return (text) => io.must(text);
  return (text) => {
    if (io.onTerminal?.(text) !== true) io.must(text);
  };
}

// ---------------------------------------------------------------- lines

interface LineSource {
  /** Null: the input has ended. What stands before the end without a line feed is a line too. */
  next(): Promise<string | null>;
  close(): void;
}

/** Bytes are taken only while a question waits; what was typed ahead answers the next one. */
function lineSource(stdin: NodeJS.ReadableStream, signal: AbortSignal): LineSource {
  let read: Buffer = Buffer.alloc(0);
  let ended = false;
  const take = (): string | null => {
    const end = read.indexOf('\n');
    if (end < 0 && (!ended || read.length === 0)) return null;
    const line = read.subarray(0, end < 0 ? read.length : end).toString('utf8');
    read = read.subarray(end < 0 ? read.length : end + 1);
    return line;
  };
  const more = (): Promise<void> =>
    new Promise((resolve) => {
      const data = (chunk: Buffer | string): void => {
        read = Buffer.concat([read, Buffer.from(chunk)]);
        done();
      };
      const end = (): void => {
        ended = true;
        done();
      };
      const done = (): void => {
        stdin.pause();
        stdin.off('data', data).off('end', end).off('close', end).off('error', end);
        signal.removeEventListener('abort', done);
        resolve();
      };
      signal.addEventListener('abort', done, { once: true });
      stdin.on('data', data).on('end', end).on('close', end).on('error', end);
      stdin.resume();
    });
  return {
    next: async () => {
      for (;;) {
        if (signal.aborted) return null;
        const line = take();
        if (line !== null || ended) return line;
        // A stream that has already ended emits no further event.
        if ((stdin as { readableEnded?: boolean }).readableEnded === true) ended = true;
        else await more();
      }
    },
    close: () => stdin.pause(),
  };
}

// ---------------------------------------------------------------- passwords

/** A password, typed unseen after `message: `. ToolError `usage` names `instead` if no user can be asked. */
export async function askPassword(
  terminal: Terminal,
  message: string,
  instead: string,
): Promise<string> {
  const { io } = terminal;
  needAnswers(terminal, `${message} must be entered`, instead);
  io.asked = true;
  const streams = io.stdinIsTty && io.stderrIsTty ? io : (io.openTerminal?.() ?? null);
  if (streams === null) return passwordLine(terminal, message);
  return answeredByKey(streams, terminal.signal, async (kit) => {
    const { default: inquirer } = await import('inquirer');
    const end = keepAlive(io, kit, ` ${message}: `);
    const prompt = inquirer.createPromptModule(kit);
    try {
      const { answer } = await prompt<{ answer: string }>([
        { type: 'password', name: 'answer', message, toggleMask: false, theme: PLAIN },
      ]);
      return answer;
    } finally {
      end();
    }
  });
}

/** At Ctrl-Z the shell gets its cursor back; after fg readline has paused its input, and the question has moved up. */
function keepAlive(io: Io, { input, output }: Streams, question: string): () => void {
  let isOver = false;
  const goOn = (): void => {
    input.pause().resume();
    output.write(question);
  };
  // readline's own listener is added at Ctrl-Z and runs after this one.
  const continued = (): void => void setImmediate(() => (isOver ? undefined : goOn()));
  const pressed = (_: unknown, { name, ctrl }: { name?: string; ctrl?: boolean }): void => {
    if (name === 'z' && ctrl === true) output.write(SHOW_CURSOR);
  };
  input.on('keypress', pressed);
  const release = io.onContinue?.(continued);
  return () => {
    isOver = true;
    input.off('keypress', pressed);
    release?.();
  };
}

const SHOW_CURSOR = '\x1b[?25h';

/** Scripts written for patronictl's prompt wait for the colon, which the toolkit does not print. */
const PLAIN = {
  prefix: '',
  style: { message: (text: string) => `${text}:`, maskedText: '' },
};

/** Out of a pipe, where there is no terminal at all (ssh, kubectl exec -i, cron), with getpass's words. */
async function passwordLine(terminal: Terminal, message: string): Promise<string> {
  const { io, signal } = terminal;
  io.must(`Warning: Password input may be echoed.\n${message}: `);
  const lines = passwords.get(io) ?? lineSource(io.stdin, signal);
  passwords.set(io, lines);
  const line = await lines.next();
  if (line === null && !signal.aborted) io.out('\n');
  const password = answered(terminal, line);
  io.must('\n');
  return password;
}

/** The lines of a run, for a password that is asked for again. */
const passwords = new WeakMap<Io, LineSource>();
