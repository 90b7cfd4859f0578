/** `patctl top` on a terminal: readings and keys in, a screen out. */
import type { Context } from '../context.js';
import type { Ending } from '../errors.js';
import { draw } from '../output/top/draw.js';
import { openFullScreen } from '../output/top/full-screen.js';
import { colourPaint, noPaint, type Paint } from '../output/top/paint.js';
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
  const paint = context.io.outColor ? await colourPaint() : noPaint;
  const end = endOf(context);
  const view = openView(context, { first, reading, paint }, end);
  let ending: Ending | number;
  try {
    ending = await untilQuit(context, view, end.over);
  } finally {
    view.close();
  }
  end.throwFailure();
  return ending;
}

/** Does what the reader wishes until that is to quit. */
async function untilQuit(
  context: Context,
  view: View,
  over: AbortSignal,
): Promise<Ending | number> {
  const isOver = (): boolean => over.aborted;
  while (!isOver()) {
    view.render();
    const { wish } = view.state();
    if (wish?.kind === 'quit') break;
    if (wish?.kind === 'run') {
      const ended = await view.apart(() => runOpened(context, wish.action));
      // Ctrl-C is a signal, or a key where a menu reads keys.
      if (isOver() || ended === 'interrupted') return ended;
      view.take({ kind: 'granted' });
    } else await Promise.race([context.clock.wait(TICK_MS, over), view.wished()]);
  }
  return 'ok';
}

// ---------------------------------------------------------------- when it ends

interface EndOfTop {
  /** Aborts with the command, with the terminal, and at a failure. */
  over: AbortSignal;
  gone: () => void;
  /** Ends it because of an error; the first one counts. */
  fail: (error: unknown) => void;
  /** Timers and keys have no caller that an exception would reach. */
  guarded(work: () => void): void;
  throwFailure(): void;
}

function endOf({ io, signal }: Context): EndOfTop {
  const gone = new AbortController();
  let failure: { error: unknown } | null = null;
  const end: EndOfTop = {
    over: AbortSignal.any([signal, gone.signal, ...(io.outGone ? [io.outGone] : [])]),
    gone: () => gone.abort(),
    fail: (error) => {
      failure ??= { error };
      gone.abort();
    },
    guarded: (work) => {
      try {
        work();
      } catch (error) {
        end.fail(error);
      }
    },
    throwFailure: () => {
      if (failure !== null) throw failure.error;
    },
  };
  return end;
}

// ---------------------------------------------------------------- what is shown

interface View {
  state(): TopState;
  take(input: TopInput): void;
  render(): void;
  /** Resolves when the reader wishes something. */
  wished(): Promise<void>;
  /** Gives the terminal back while `work` runs. */
  apart<T>(work: () => Promise<T>): Promise<T>;
  close(): void;
}

interface ViewRequest {
  first: TopState;
  reading: TopRequest;
  paint: Paint;
}

function openView(context: Context, { first, reading, paint }: ViewRequest, end: EndOfTop): View {
  const { io, clock } = context;
  let state = first;
  let wake: () => void = () => undefined;
  let drawing: NodeJS.Timeout | undefined;
  const render = (): void =>
    end.guarded(() => {
      clearTimeout(drawing);
      drawing = undefined;
      const size = { columns: io.columns || 80, rows: io.rows || 24 };
      const most = (scroll: number): void => void (state = settled(state, scroll));
      screen.show(draw(state, size, paint, clock.nowMs(), most));
    });
  const take = (input: TopInput): void => {
    state = update(state, input);
    readings.follow(followedPanes(state));
    if (input.kind === 'key') render();
    else drawing ??= setTimeout(render, DRAW_MS);
    if (state.wish !== null) wake();
  };
  const readings = openReadings(context, reading, first.ignored, { take, fail: end.fail });
  const screen = openFullScreen(io, {
    key: (key) => {
      if (key === 'ctrl-z') screen.suspend();
      else if (key === 'ctrl-l') screen.again();
      else end.guarded(() => take({ kind: 'key', key }));
    },
    redraw: render,
    gone: end.gone,
  });
  readings.follow(followedPanes(state));
  return {
    state: () => state,
    take,
    render,
    wished: () => new Promise((resolve) => (wake = resolve)),
    apart: (work) => screen.apart(work),
    close: () => {
      readings.stop();
      clearTimeout(drawing);
      screen.close();
    },
  };
}
