import { describe, expect, test } from 'vitest';
import { ToolError } from '../../src/errors.js';
import type { Context } from '../../src/context.js';
import { leaving, type Door } from '../../src/output/door.js';
import { frame as drawnFrame, watchScreen, type Picture } from '../../src/output/watch-screen.js';
import { displayWidth } from '../../src/output/width.js';
import { quickClock } from '../support/fake-world.js';

const LARGE = { columns: 80, rows: 24 };

/** As it reaches the terminal. */
const frame = (
  lines: string[],
  before: string[] | null,
  size: { columns: number; rows: number } = LARGE,
): string => leaving(drawnFrame(['08:00:00'], lines, before, size), false);

const linesOf = (text: string): string[] =>
  text
    .replace('\x1b[H', '')
    .replace('\x1b[J', '')
    .replaceAll('\x1b[K', '')
    .split('\n')
    .slice(1, -1);

const drawnLines = (...args: Parameters<typeof frame>): string[] => linesOf(frame(...args));

test('a frame overwrites in place and marks the lines that changed', () => {
  expect(frame(['a', 'b'], null)).toBe('\x1b[H\x1b[K08:00:00\n\x1b[Ka\n\x1b[Kb\n\x1b[J');
  expect(drawnLines(['a', 'c', 'd'], ['a', 'b'])).toEqual(['a', 'c <', 'd <']);
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

test('what would scroll or wrap is cut, and how much is said', () => {
  const five = ['1', '2', '3', '4', '5'];
  expect(drawnLines(five, null, { columns: 80, rows: 7 })).toEqual(five);
  expect(drawnLines(five, null, { columns: 80, rows: 6 })).toEqual([
    '1',
    '2',
    '3',
    '(2 more lines: the screen is full)',
  ]);
  expect(drawnLines(['x'.repeat(81), '数'.repeat(41)], null)).toEqual([
    `${'x'.repeat(79)}…`,
    `${'数'.repeat(39)}…`,
  ]);
  for (const columns of [1, 2, 5, 20, 79]) {
    for (const rows of [1, 2, 3, 24]) {
      const lines = drawnLines([...five, 'x'.repeat(100)], ['1'], { columns, rows });
      expect(lines.length + 1, `${columns}x${rows}`).toBeLessThanOrEqual(Math.max(rows - 1, 1));
      for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
    }
  }
});

describe('a watch', () => {
  const rounds = async (
    read: (round: number, interrupt: AbortController) => Promise<string>,
    size: { columns: number; rows: number } = LARGE,
  ) => {
    const interrupt = new AbortController();
    const frames: string[] = [];
    let resized: () => void = () => undefined;
    let round = 0;
    const io = {
      stdoutIsTty: true,
      outColor: false,
      get columns() {
        return size.columns;
      },
      get rows() {
        return size.rows;
      },
      onResize: (listener: () => void) => {
        resized = listener;
        return () => (resized = () => undefined);
      },
      out: (text: string) => void frames.push(leaving(text, false)),
    } as unknown as Door;
    const flags = {
      compat: false,
      program: 'patctl',
      wayIn: [] as string[],
    } as unknown as Context['flags'];
    const context = { io, clock: quickClock(), signal: interrupt.signal, flags };
    await watchScreen(context, { everyMs: 2000, wide: false }, async (): Promise<Picture> => {
      const text = await read((round += 1), interrupt);
      return ({ width }) => Promise.resolve(`${text} at ${width}`);
    });
    return { frames, resize: () => resized() };
  };
  const clockless = (text: string) => linesOf(text).join('|');

  test('that is interrupted in the middle of a round ends, and gives the cursor back', async () => {
    for (const cut of [new Error('aborted'), new ToolError('unreachable', 'no answer')]) {
      const { frames } = await rounds((round, interrupt) => {
        if (round === 1) return Promise.resolve('one');
        interrupt.abort();
        return Promise.reject(cut);
      });
      expect(frames[0]).toBe('\x1b[?25l\x1b[2J');
      expect(new Set(frames.slice(1, -1).map(clockless))).toEqual(new Set(['one at 78']));
      expect(frames.at(-1)).toBe('\x1b[?25h');
    }
  });

  test('keeps the last picture while the DCS is away, and says how old it is', async () => {
    const { frames } = await rounds((round, interrupt) => {
      if (round === 2 || round === 3)
        return Promise.reject(new ToolError('unreachable', 'etcd is away', { hint: 'wait' }));
      if (round === 5) {
        interrupt.abort();
        return Promise.resolve('half');
      }
      return Promise.resolve(`round ${round}`);
    });
    const away = frames.filter((text) => text.includes('etcd is away'));
    expect(away.length).toBeGreaterThan(1);
    for (const text of away) {
      expect(text).toMatch(/\d\d:\d\d:\d\d; this was seen [1-6] s ago\n/);
      expect(clockless(text)).toBe('Error: etcd is away|wait|round 1 at 78');
    }
    const ages = away.map((text) => Number(/seen (\d+) s ago/.exec(text)?.[1]));
    expect(ages).toEqual([...ages].sort((a, b) => a - b));
    expect(ages.at(-1)).toBeGreaterThan(ages[0] ?? 0);
    expect(clockless(frames.at(-2) ?? '')).toContain('round 4 at 78');
    expect(frames.at(-2)).not.toContain('seen');
  });

  test('that has no picture yet shows the error; what it does not know ends it', async () => {
    const { frames } = await rounds((round, interrupt) => {
      if (round === 2) interrupt.abort();
      return Promise.reject(new ToolError('unreachable', 'etcd is away'));
    });
    expect(frames[1]).toMatch(/\d\d:\d\d:\d\d\n/);
    expect(clockless(frames[1] ?? '')).toContain('Error: etcd is away');
    await expect(rounds(() => Promise.reject(new Error('a bug')))).rejects.toThrow('a bug');
  });

  test('draws the same picture for the new width when the window is resized', async () => {
    const size = { columns: 80, rows: 24 };
    const { frames } = await rounds((round, interrupt) => {
      if (round === 1) return Promise.resolve('one');
      size.columns = 40;
      if (round === 3) interrupt.abort();
      return Promise.reject(new ToolError('unreachable', 'away'));
    }, size);
    expect(clockless(frames[1] ?? '')).toBe('one at 78');
    expect(clockless(frames.at(-2) ?? '')).toContain('one at 38');
  });
});
