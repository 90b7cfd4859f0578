/** A program on a terminal of its own, in which single keys are pressed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually, GiveUp } from './eventually.js';
import { cleanEnv } from './lab/process.js';
import { quoted, type Dialogue } from './terminal.js';

export const KEY = {
  enter: '\r',
  up: '\x1b[A',
  down: '\x1b[B',
  escape: '\x1b',
  tab: '\t',
  backspace: '\x7f',
  ctrlC: '\x03',
  ctrlD: '\x04',
} as const;

/** What is to be seen since the last keys, and the keys that are pressed then. */
export type Step = readonly [seen: RegExp, ...keys: string[]];

export interface KeysOptions {
  env?: Record<string, string>;
  columns?: number;
  rows?: number;
}

export interface KeysDialogue extends Dialogue {
  /** What the terminal does with keys after the program has ended: `icanon echo`, or `-icanon -echo` where it was left raw. */
  modes: string;
  /** All that was written, with what moves the cursor and colours. */
  raw: string;
}

const LIMIT_MS = 60_000;

/** Presses the keys of each step once its text is to be seen; the program must end by itself after the last one. */
export async function pressKeys(
  command: readonly string[],
  steps: readonly Step[],
  { env = {}, columns = 80, rows = 24 }: KeysOptions = {},
): Promise<KeysDialogue> {
  const size = `stty rows ${rows} cols ${columns}`;
  // Not exec: the shell is asked afterwards how the terminal was left, and must survive Ctrl-C itself.
  const program = command.map(quoted).join(' ');
  const line = `trap : INT; ${size}; ${program}; echo "<ended $? $(stty -a | grep -oE -- '-?(icanon|echo)\\b' | tr '\\n' ' ')>"`;
  const terminal = spawn('script', ['-qec', line, '/dev/null'], {
    env: cleanEnv('/nonexistent', { TERM: 'xterm-256color', SHELL: '/bin/sh', ...env }),
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  const closed = once(terminal, 'close');
  terminal.stdin.on('error', () => undefined);
  let raw = '';
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => (raw += text));
  let from = 0;
  for (const [seen, ...keys] of steps) {
    await eventually(`${seen.source} is on the terminal`, LIMIT_MS, () => {
      if (seen.test(plainText(raw.slice(from)))) return true;
      if (ENDED.test(raw)) throw new GiveUp(`ended before ${seen.source}:\n${plainText(raw)}`);
      return false;
    });
    from = raw.length;
    for (const key of keys) terminal.stdin.write(key);
  }
  await closed;
  const [, code = '', modes = ''] = ENDED.exec(raw) ?? [];
  const screen = plainText(raw).replace(/<ended [^>]*>\n?/, '');
  return { screen, raw, code: code === '' ? null : Number(code), modes: modes.trim() };
}

const ENDED = /<ended (\d+) ([^>]*)>/;

function plainText(text: string): string {
  return text.replace(/\x1b\[[\d;?]*[A-Za-z]/g, '').replaceAll('\r\n', '\n');
}
