import { describe, expect, test } from 'vitest';
import { ToolError } from '../../src/errors.js';
import type { Io } from '../../src/output/io.js';
import { leaving } from '../../src/output/door.js';
import { frame as drawnFrame, watchScreen } from '../../src/output/watch-screen.js';
import { quickClock } from '../support/fake-world.js';

test('a frame overwrites in place and marks the lines that changed', () => {
  const first = frame(['a', 'b'], null, LARGE);
  expect(first).toBe('\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J');
  expect(frame(['a', 'c', 'd'], ['a', 'b'], LARGE)).toBe(
    '\x1b[Ha\x1b[K\nc <\x1b[K\nd <\x1b[K\n\x1b[J',
  );
});

test('a line that moved, or whose columns became wider, has not changed', () => {
  expect(drawnLines(['new', 'a', 'b'], ['a', 'b'])).toEqual(['new <', 'a', 'b']);
  expect(drawnLines(['b'], ['a', 'b'])).toEqual(['b']);
  expect(drawnLines(['| pg1  | x |', '+------+---+'], ['| pg1 | x |', '+-----+---+'])).toEqual([
    '| pg1  | x |',
    '+------+---+',
  ]);
  // Twice now, once before: one of the two is new.
  expect(drawnLines(['a', 'a'], ['a'])).toEqual(['a', 'a <']);
});

test('what would scroll is cut, and how much is said', () => {
  const five = ['1', '2', '3', '4', '5'];
  expect(drawnLines(five, null, { columns: 80, rows: 6 })).toEqual(five);
  expect(drawnLines(five, null, { columns: 80, rows: 5 })).toEqual([
    '1',
    '2',
    '3',
    '(2 more lines: the screen is full)',
  ]);
  expect(drawnLines([...five, 'x'.repeat(81)], null, { columns: 80, rows: 8 })).toHaveLength(6);
  // Six rows of eighty columns: the long line takes two of them.
  expect(drawnLines([...five, 'x'.repeat(81)], null, { columns: 80, rows: 7 })).toEqual([
    ...five,
    '(1 more line: the screen is full)',
  ]);
});

/** As it reaches the terminal. */
const frame = (...args: Parameters<typeof drawnFrame>): string =>
  leaving(drawnFrame(...args), false);

const LARGE = { columns: 80, rows: 24 };

function drawnLines(
  lines: string[],
  before: string[] | null,
  screen: { columns: number; rows: number } = LARGE,
): string[] {
  const text = frame(lines, before, screen);
  return text.replace('\x1b[H', '').replace('\x1b[J', '').split('\x1b[K\n').slice(0, -1);
}

describe('a watch', () => {
  const rounds = async (read: (round: number, interrupt: AbortController) => Promise<string>) => {
    const interrupt = new AbortController();
    let screen = '';
    let round = 0;
    const io = {
      stdoutIsTty: true,
      ...LARGE,
      out: (text: string) => (screen += leaving(text, false)),
    } as unknown as Io;
    const context = { io, clock: quickClock(), signal: interrupt.signal };
    await watchScreen(context, 1000, () => read((round += 1), interrupt));
    return screen;
  };
  const drawn = (line: string, mark = '') => `\x1b[H${line}${mark}\x1b[K\n\x1b[J`;

  test('that is interrupted in the middle of a round ends, and gives the cursor back', async () => {
    for (const cut of [new Error('aborted'), new ToolError('unreachable', 'nobody answers')]) {
      const screen = await rounds((round, interrupt) => {
        if (round === 1) return Promise.resolve('one');
        interrupt.abort();
        return Promise.reject(cut);
      });
      expect(screen).toBe(`\x1b[?25l\x1b[2J${drawn('one')}\x1b[?25h`);
    }
  });

  test('shows what could not be read and goes on; what it does not know ends it', async () => {
    const screen = await rounds((round, interrupt) => {
      if (round === 1)
        return Promise.reject(new ToolError('unreachable', 'etcd is away', { hint: 'wait' }));
      if (round === 2) return Promise.resolve('back');
      interrupt.abort();
      return Promise.resolve('half');
    });
    expect(screen).toBe(
      `\x1b[?25l\x1b[2J${drawn('Error: etcd is away\x1b[K\nwait')}${drawn('back', ' <')}\x1b[?25h`,
    );
    await expect(rounds(() => Promise.reject(new Error('a bug')))).rejects.toThrow('a bug');
  });
});
