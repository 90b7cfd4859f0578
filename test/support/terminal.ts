/** A program on a terminal of its own, answered as a person answers it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { eventually } from './eventually.js';
import { cleanEnv } from './lab/process.js';

export interface Dialogue {
  /** All that was to be seen, with what was typed. */
  screen: string;
  code: number | null;
}

export interface TerminalOptions {
  env?: Record<string, string>;
}

/** As answers: the key is pressed instead of a text and Enter. */
export const CTRL_C = '\x03';
export const CTRL_D = '\x04';

const LIMIT_MS = 60_000;
const ASLEEP_LIMIT_MS = 30_000;
/** A signal between a program's prompt and its read may be lost to it: a person presses again. */
const PRESS_AGAIN_MS = 3000;

/** Types the next answer whenever the program waits at a question. All answers must be used. */
export async function onTerminal(
  command: readonly string[],
  answers: readonly string[],
  { env = {} }: TerminalOptions = {},
): Promise<Dialogue> {
  // exec: a shell in between would die of Ctrl-C itself, and hide how the program ends.
  const line = ['exec', ...command.map(quoted)].join(' ');
  const terminal = spawn('script', ['-qec', line, '/dev/null'], {
    env: cleanEnv('/nonexistent', env),
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  const left = [...answers];
  let screen = '';
  let answered = 0;
  let pressed: Promise<void> = Promise.resolve();
  let again: NodeJS.Timeout | undefined;
  // The program may end while a key is on its way.
  terminal.stdin.on('error', () => undefined);
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
    const answer = left[0];
    if (answer === undefined || screen.length === answered || !isAtQuestion(screen)) return;
    left.shift();
    answered = screen.length;
    if (answer !== CTRL_C)
      return void terminal.stdin.write(answer + (answer === CTRL_D ? '' : '\n'));
    const press = () => terminal.stdin.write(CTRL_C);
    pressed = asleep(terminal.pid ?? 0).then(() => {
      press();
      again = setInterval(press, PRESS_AGAIN_MS);
    });
  });
  const [code] = (await once(terminal, 'close')) as [number | null];
  await pressed;
  clearInterval(again);
  if (left.length > 0) throw new Error(`not asked for: ${JSON.stringify(left)}\n${screen}`);
  return { screen: screen.replaceAll('\r\n', '\n'), code };
}

/** The program has shown its question: it sleeps once it really waits for the answer. */
async function asleep(scriptPid: number): Promise<void> {
  const read = (path: string) => readFileSync(`/proc/${path}`, 'utf8');
  const program = read(`${scriptPid}/task/${scriptPid}/children`).trim().split(' ')[0] ?? '';
  const state = () => read(`${program}/stat`).replace(/^.*\) /s, '')[0];
  await eventually('it waits for the answer', ASLEEP_LIMIT_MS, () => state() === 'S', 20);
}

/** Every question of patronictl ends like one of these, and nothing else that it prints does. */
const QUESTION_END = /(\]|"|group|remove|continue|Password): $/;

function isAtQuestion(screen: string): boolean {
  const line = screen.slice(screen.lastIndexOf('\n') + 1);
  return QUESTION_END.test(line.replace(/\x1b\[[\d;?]*[A-Za-z]/g, ''));
}

export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
