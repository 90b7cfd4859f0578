/**
 * Choices out of a list, and texts that are checked while they are typed: for a person, never as patronictl.
 * On a terminal that can move its cursor they are answered key by key; on any other one line by line.
 */
import { ToolError } from '../errors.js';
import type { Door } from './door.js';
import { noMatch, plainRows, shownName, type Checked, type MenuRow } from './menu-screen.js';
import { upTo } from './screen.js';

export interface Menu {
  /** The value of the row that is chosen. The pointer begins at `first`; null: at the first row. */
  choose(question: string, rows: readonly MenuRow[], first: string | null): Promise<string>;
  /** A text that `check` has understood; a problem asks again. An empty answer is `fallback`. */
  checked(question: CheckedQuestion): Promise<string>;
}

export interface CheckedQuestion {
  readonly question: string;
  readonly fallback: string;
  /** What can be typed. */
  readonly example: string;
  readonly check: (typed: string) => Checked;
}

/** Where questions are asked, what ends them, and how a line is asked for and printed. */
export interface MenuTerminal {
  readonly io: Door;
  readonly signal: AbortSignal;
  readonly env: { readonly TERM?: string | undefined };
  readonly ask: (prompt: string) => Promise<string>;
  readonly say: (text: string) => void;
}

/** Whether single keys can be read, and the cursor moved to redraw what stands there. */
function hasKeys({ io, env }: MenuTerminal): boolean {
  const isTerminal = io.stdinIsTty && io.stderrIsTty;
  return isTerminal && env.TERM !== 'dumb' && 'setRawMode' in io.stdin;
}

export function openMenu(terminal: MenuTerminal): Menu {
  return hasKeys(terminal) ? byKeys(terminal) : byLines(terminal);
}

/** The list stands above the question; what is typed must be a name of it. */
function byLines({ io, ask, say }: MenuTerminal): Menu {
  return {
    choose: async (question, rows, first) => {
      const usual = rows.find(({ value }) => value === first);
      for (const line of plainRows(rows, io.columns || 80)) say(`${line}\n`);
      for (;;) {
        const shown = usual === undefined ? '' : ` [${shownName(usual.name)}]`;
        const typed = (await ask(`${question}${shown}: `)).trim();
        const found = typed === '' ? usual : rowNamed(rows, typed);
        if (found !== undefined) return found.value;
        if (typed !== '') say(`Error: ${noMatch(rows, typed)}\n`);
      }
    },
    checked: async ({ question, fallback, example, check }) => {
      for (;;) {
        const typed = (await ask(`${question} (${example}) [${fallback}]: `)).trim() || fallback;
        const found = check(typed);
        if ('understood' in found) return typed;
        say(`Error: ${found.problem}\n`);
      }
    },
  };
}

function rowNamed(rows: readonly MenuRow[], typed: string): MenuRow | undefined {
  return rows.find(({ name, value }) => value === typed || shownName(name) === typed);
}

function byKeys(terminal: MenuTerminal): Menu {
  const { io } = terminal;
  const byKey = (prompt: (streams: Streams) => Promise<string>): Promise<string> => {
    io.asked = true;
    return answeredByKey(io, terminal.signal, prompt);
  };
  const size = () => {
    const { columns, rows } = io.stderr as { columns?: number; rows?: number };
    return { columns: columns || 80, rows: rows || 24 };
  };
  // A question that is itself longer than a line leaves no room for the list.
  const short = (question: string) => upTo(shownName(question), 200);
  return {
    choose: (question, rows, first) =>
      byKey(async (streams) => {
        const { chooseByKeys } = await import('./menu-keys.js');
        const asked = { question: short(question), rows, first, size, color: io.errColor };
        return chooseByKeys(asked, streams);
      }),
    checked: (asked) =>
      byKey(async (streams) => {
        const { checkedText } = await import('./menu-keys.js');
        const { question } = asked;
        const shown = { ...asked, question: short(question), size, color: io.errColor };
        return checkedText(shown, streams);
      }),
  };
}

export interface Streams {
  input: NodeJS.ReadableStream;
  output: NodeJS.WritableStream;
  signal: AbortSignal;
}

type KeyPress = (text: string | undefined, key: { name?: string; ctrl?: boolean }) => void;

/** Escape, Ctrl-D and a lost terminal end a question as the end of the input does; Ctrl-C interrupts. */
export async function answeredByKey(
  { stdin, stderr }: Pick<Door, 'stdin' | 'stderr'>,
  signal: AbortSignal,
  prompt: (streams: Streams) => Promise<string>,
): Promise<string> {
  const left = new AbortController();
  const leave = () => left.abort();
  const pressed: KeyPress = (_, { name, ctrl }) => {
    if (name === 'escape' || (name === 'd' && ctrl === true)) leave();
  };
  stdin.on('keypress', pressed).on('end', leave).on('close', leave).on('error', leave);
  try {
    return await prompt({
      input: stdin,
      output: stderr,
      signal: AbortSignal.any([left.signal, signal]),
    });
  } catch (error) {
    if (left.signal.aborted) throw ended();
    const isLeft = error instanceof Error && /^(Exit|Abort)PromptError$/.test(error.name);
    if (isLeft || signal.aborted) throw interrupted();
    throw error;
  } finally {
    stdin.off('keypress', pressed).off('end', leave).off('close', leave).off('error', leave);
    stdin.pause();
  }
}

function ended(): ToolError {
  const words = 'Aborted! The input ended at a question; nothing was sent';
  return new ToolError('error', words, { code: 'aborted' });
}

export function interrupted(): ToolError {
  return new ToolError('interrupted', 'interrupted at a question; nothing was sent');
}
