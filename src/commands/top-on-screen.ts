/** `patctl top` on a terminal: readings and keys in, a screen out. */
import type { Context } from '../context.js';
import type { Ending } from '../errors.js';
import { draw } from '../output/top/draw.js';
import { openFullScreen } from '../output/top/full-screen.js';
import { colourPaint, noPaint } from '../output/top/paint.js';
import {
  followedPanes,
  settled,
  update,
  type TopInput,
  type TopState,
} from '../output/top/state.js';
import { runOpened } from './top-acting.js';
import { openReadings, type TopRequest } from './top-readings.js';

/** The clock on the screen, and the ages, move on so often. */
const TICK_MS = 1000;
/** TopReadings that come close together are drawn together. */
const DRAW_MS = 100;

/**
 * Shows it until q, Ctrl-C or a signal; one that comes while an opened command runs ends both, as that command ends.
 * Throws what the first reading of a cluster fails with.
 */
export async function topOnScreen(
  context: Context,
  first: TopState,
  reading: TopRequest,
): Promise<Ending | number> {
  const { io, clock, signal } = context;
  const paint = io.outColor ? await colourPaint() : noPaint;
  const gone = new AbortController();
  const over = AbortSignal.any([signal, gone.signal, ...(io.outGone ? [io.outGone] : [])]);
  const isOver = (): boolean => over.aborted;
  let failure: { error: unknown } | null = null;
  let state = first;
  let ending: Ending | number = 'ok';
  let wake: () => void = () => undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
    gone.abort();
  };
  // Timers and keys have no caller that an exception would reach.
  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      fail(error);
    }
  };
  const render = (): void =>
    guarded(() => {
      clearTimeout(drawing);
      drawing = undefined;
      const size = { columns: io.columns || 80, rows: io.rows || 24 };
      const most = (scroll: number): void => void (state = settled(state, scroll));
      screen.show(draw(state, size, paint, clock.nowMs(), most));
    });
  let drawing: NodeJS.Timeout | undefined;
  const drawSoon = (ms: number): void => {
    if (ms === 0) render();
    else drawing ??= setTimeout(render, ms);
  };
  const take = (input: TopInput): void => {
    state = update(state, input);
    readings.follow(followedPanes(state));
    drawSoon(input.kind === 'key' ? 0 : DRAW_MS);
    if (state.wish !== null) wake();
  };
  const readings = openReadings(context, reading, state.ignored, {
    take,
    fail,
  });
  const screen = openFullScreen(io, {
    key: (key) => {
      if (key === 'ctrl-z') screen.suspend();
      else if (key === 'ctrl-l') screen.again();
      else guarded(() => take({ kind: 'key', key }));
    },
    redraw: render,
    gone: () => gone.abort(),
  });
  try {
    readings.follow(followedPanes(state));
    while (!isOver() && state.wish?.kind !== 'quit') {
      render();
      const { wish } = state;
      if (wish?.kind === 'run') {
        const ended = await screen.apart(() => runOpened(context, wish.action));
        if (isOver()) ending = ended;
        take({ kind: 'granted' });
        continue;
      }
      await Promise.race([
        clock.wait(TICK_MS, over),
        new Promise<void>((resolve) => (wake = resolve)),
      ]);
    }
  } finally {
    readings.stop();
    clearTimeout(drawing);
    screen.close();
  }
  const failed = failure as { error: unknown } | null;
  if (failed) throw failed.error;
  return ending;
}
