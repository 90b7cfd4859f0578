/** A password that is typed on a terminal: what stops the program, and what ends the question. */
import { PassThrough } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import { askPassword, type Terminal } from '../../src/output/ask.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const SOON = { interval: 5, timeout: 10_000 };

/** A terminal on which the password is asked for; the question is on the screen. */
async function asked() {
  const told: string[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => told.push(isRaw ? 'raw' : 'lines'),
  });
  const screen = new PassThrough();
  screen.setEncoding('utf8').on('data', (text: string) => told.push(text));
  const stop = new AbortController();
  const io = {
    ...{ stdin, stderr: screen, stdinIsTty: true, stderrIsTty: true, answers: 'person' },
    onContinue: (listener: () => void) => {
      process.on('SIGCONT', listener);
      return () => process.off('SIGCONT', listener);
    },
  };
  const terminal = { io, signal: stop.signal } as unknown as Terminal;
  const answer = askPassword(terminal, 'Password', 'give it otherwise');
  // A question may end before the test awaits it.
  answer.catch(() => undefined);
  const shows = (): boolean => told.join('').includes('Password:');
  await vi.waitFor(() => expect(shows()).toBe(true), SOON);
  return { stdin, stop, answer, told, shows };
}

/** As Ctrl-Z does, and fg afterwards: the process itself must not stop. */
async function stopAndContinue({ stdin, told, shows }: Awaited<ReturnType<typeof asked>>) {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  stdin.write('\x1a');
  await vi.waitFor(() => expect(kill).toHaveBeenCalledWith(process.pid, 'SIGTSTP'), SOON);
  const before = told.splice(0).join('');
  expect(before.endsWith('lines')).toBe(true);
  expect(before.lastIndexOf('\x1b[?25h')).toBeGreaterThan(before.lastIndexOf('\x1b[?25l'));
  process.emit('SIGCONT', 'SIGCONT');
  await vi.waitFor(() => expect(shows()).toBe(true), SOON);
  expect(told[0]).toBe('raw');
  kill.mockRestore();
}

test('after Ctrl-Z and fg, also twice, the question is shown again and takes the rest of the password', async () => {
  const question = await asked();
  for (const part of ['bu', 'cu']) {
    question.stdin.write(part);
    await stopAndContinue(question);
  }
  question.stdin.write('my\r');
  expect(await question.answer).toBe('bucumy');
  expect(question.told.join('')).not.toMatch(/bu|cu|my/);
});

test('Ctrl-D and the end of the terminal end the question with exit 1, Ctrl-C and a signal with 130', async () => {
  const aborted = { ending: 'error', code: 'aborted' };
  for (const end of ['\x04', null]) {
    const { stdin, answer } = await asked();
    if (end === null) stdin.end();
    else stdin.write(end);
    await expect(answer).rejects.toMatchObject(aborted);
  }
  for (const end of ['\x03', null]) {
    const { stdin, stop, answer } = await asked();
    if (end === null) stop.abort();
    else stdin.write(end);
    await expect(answer).rejects.toMatchObject({ ending: 'interrupted' });
  }
});
