/** The terminal as one screen: taken, lent and given back, whatever stops the process or ends its input. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { withoutOwn } from '../../src/output/door.js';
import type { Io, TerminalOwner } from '../../src/output/io.js';
import { openFullScreen } from '../../src/output/top/full-screen.js';

/** What the terminal was told, in order: raw or lines, and what was drawn. */
function opened() {
  const told: string[] = [];
  const stdin = Object.assign(new PassThrough(), {
    setRawMode: (isRaw: boolean) => told.push(isRaw ? 'raw' : 'lines'),
  });
  let owner: TerminalOwner | null = null;
  let gone = 0;
  const io: Partial<Io> = {
    stdin,
    out: (text) => {
      const drawn = withoutOwn(text);
      if (drawn !== '') told.push(drawn);
    },
    whileOwned: (given) => {
      owner = given;
      return () => (owner = null);
    },
  };
  const screen = openFullScreen(io as Io, {
    key: (key) => told.push(`key ${key}`),
    redraw: () => screen.show(['frame']),
    gone: () => (gone += 1),
  });
  return {
    screen,
    stdin,
    told: () => told.splice(0),
    /** As Ctrl-Z and fg do. */
    stopAndContinue: () => {
      owner?.give();
      owner?.take();
    },
    gone: () => gone,
  };
}

test('it is taken again, and drawn again, when the process continues', () => {
  const { screen, told, stopAndContinue } = opened();
  screen.show(['frame']);
  screen.show(['frame']);
  expect(told()).toEqual(['raw', 'frame']);
  stopAndContinue();
  expect(told()).toEqual(['lines', 'raw', 'frame']);
  screen.close();
  screen.close();
  expect(told()).toEqual(['lines']);
});

test('a command that has it keeps it when the process is stopped and continues', async () => {
  const { screen, told, stopAndContinue } = opened();
  await screen.apart(async () => {
    expect(told()).toEqual(['raw', 'lines']);
    await Promise.resolve();
    stopAndContinue();
    screen.again();
    expect(told()).toEqual([]);
  });
  expect(told()).toEqual(['raw']);
  await expect(screen.apart(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(told()).toEqual(['lines', 'raw']);
});

test('the end of its input is told once, and does not keep it', async () => {
  const { screen, stdin, told, gone } = opened();
  const ended = new Promise((resolve) => stdin.on('end', resolve));
  stdin.end('q');
  await ended;
  expect([told(), gone()]).toEqual([['raw', 'key q'], 1]);
  screen.close();
  expect(told()).toEqual(['lines']);
});
