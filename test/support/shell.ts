/** A shell on a terminal of its own, in which lines are typed and Tab is pressed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from './eventually.js';
import { cleanEnv } from './lab/process.js';

export interface Typing {
  /** Types it, presses Tab, and gives the words of the line that stands there then. */
  complete(typed: string): Promise<string[]>;
  end(): Promise<void>;
}

const BEGINNING_OF_LINE = '\x01';
const LIMIT_MS = 20_000;

/** Starts it and has it run `lines` first. */
export async function openShell(
  command: string,
  lines: readonly string[],
  env: Record<string, string>,
): Promise<Typing> {
  const terminal = spawn('script', ['-qfec', command, '/dev/null'], {
    env: cleanEnv('/nonexistent', { TERM: 'dumb', PS1: '> ', ...env }),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(terminal, 'close');
  terminal.stdin.on('error', () => undefined);
  let screen = '';
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => (screen += text));
  let lastNumber = 0;

  /** Puts a command before the line that stands there, and gives what it prints. */
  async function enter(line: string): Promise<string[]> {
    lastNumber += 1;
    // The line itself is on the screen too: only what is printed has the number as one word.
    const mark = `GOT${lastNumber}`;
    const print = `printf '<%s>' "GO""T${lastNumber}" `;
    terminal.stdin.write(`${line}${BEGINNING_OF_LINE}${print}\n`);
    const found = new RegExp(`<${mark}>((?:<[^>]*>)*)`);
    const got = await eventually(`the shell takes: ${line}`, LIMIT_MS, () => {
      const words = found.exec(screen)?.[1];
      if (words === undefined) throw new Error(`screen: ${JSON.stringify(screen.slice(-800))}`);
      return { words };
    });
    return [...got.words.matchAll(/<([^>]*)>/g)].map(([, word = '']) => word);
  }

  for (const line of lines) terminal.stdin.write(`${line}\n`);
  await enter('');
  return {
    complete: (typed) => enter(`${typed}\t`),
    end: async () => {
      terminal.stdin.end('exit\n');
      const hung = setTimeout(() => terminal.kill('SIGKILL'), 3000);
      await ended;
      clearTimeout(hung);
    },
  };
}
