/**
 * The terminal as one screen that a program owns: nothing else writes there meanwhile, and however the program ends or
 * stops, the terminal is as it was before: its own lines, the cursor, keys as lines.
 */
import { StringDecoder } from 'node:string_decoder';
import { own } from '../door.js';
import type { Io } from '../io.js';
import { keysOf, type Key } from './keys.js';

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[2J';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const CLEAR_SCREEN = '\x1b[2J';
const CLEAR_LINE_END = '\x1b[K';
/** After ESC alone: the rest of a sequence comes sooner than this, even over a slow line. */
const ESCAPE_MS = 60;

export interface FullScreen {
  /** Draws these lines over what is there; only lines that have changed are written. */
  show(lines: readonly string[]): void;
  /** Gives the terminal back while `work` runs, and takes it again. */
  apart<T>(work: () => Promise<T>): Promise<T>;
  /** Stops the process as Ctrl-Z does; comes back when it is continued. */
  suspend(): void;
  /** The next frame is drawn whole. */
  again(): void;
  /** Gives the terminal back for good. Idempotent. */
  close(): void;
}

interface Listener {
  key: (key: Key) => void;
  /** It is to be drawn again: another size, or the process was continued. */
  redraw: () => void;
  /** Nothing more comes: the terminal is gone. */
  gone: () => void;
}

type RawInput = NodeJS.ReadableStream & { setRawMode?: (raw: boolean) => unknown };

/** Takes the terminal of stdin and stdout. */
export function openFullScreen(io: Io, listener: Listener): FullScreen {
  const { stdin } = io;
  const frames = frameWriter(io);
  const terminal = heldTerminal(io, keyReader(listener), frames.forget);
  const again = (): void => {
    frames.forget();
    if (terminal.isOwned()) io.out(own(CLEAR_SCREEN));
    listener.redraw();
  };
  const takenAgain = (): void => {
    terminal.take();
    listener.redraw();
  };
  stdin.on('end', listener.gone);
  stdin.on('error', listener.gone);
  const forgets = [
    io.onResize?.(again),
    io.whileOwned?.({ give: terminal.give, take: takenAgain }),
  ];
  terminal.take();
  return {
    show: (lines) => {
      if (terminal.isOwned()) frames.show(lines);
    },
    apart: terminal.lend,
    suspend: () => io.suspend?.(),
    again,
    close: () => {
      for (const forget of forgets) forget?.();
      terminal.give();
      stdin.off('end', listener.gone);
      stdin.off('error', listener.gone);
    },
  };
}

interface HeldTerminal {
  isOwned(): boolean;
  /** Keys one by one, a screen apart from the lines of the shell. Idempotent. */
  take(): void;
  /** As it was before. Idempotent. */
  give: () => void;
  /** Gives it to `work`, and takes it again. */
  lend: <T>(work: () => Promise<T>) => Promise<T>;
}

/** `taken`: what was on the screen is no longer there. */
function heldTerminal(
  io: Io,
  keys: (data: Buffer | string) => void,
  taken: () => void,
): HeldTerminal {
  const input = io.stdin as RawInput;
  let isOwned = false;
  /** What runs apart has the terminal: it is not taken from it, whatever stops and continues the process. */
  let isLent = false;
  const take = (): void => {
    if (isOwned || isLent) return;
    isOwned = true;
    taken();
    input.setRawMode?.(true);
    input.on('data', keys);
    input.resume();
    io.out(own(ENTER));
  };
  const give = (): void => {
    if (!isOwned) return;
    isOwned = false;
    io.out(own(LEAVE));
    input.off('data', keys);
    input.pause();
    input.setRawMode?.(false);
  };
  return {
    isOwned: () => isOwned,
    take,
    give,
    lend: async (work) => {
      give();
      isLent = true;
      try {
        return await work();
      } finally {
        isLent = false;
        take();
      }
    },
  };
}

/** Writes the lines that differ from those of the frame before. */
function frameWriter(io: Io): { show(lines: readonly string[]): void; forget: () => void } {
  let shown: readonly string[] = [];
  return {
    show: (lines) => {
      const changed = lines.flatMap((line, y) =>
        line === shown[y] ? [] : [`${own(`\x1b[${y + 1};1H${CLEAR_LINE_END}`)}${line}`],
      );
      shown = [...lines];
      if (changed.length > 0) io.out(changed.join(''));
    },
    forget: () => {
      shown = [];
    },
  };
}

/** Bytes to keys; a lone ESC is a key once nothing follows it. */
function keyReader(listener: Listener): (data: Buffer | string) => void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let timer: NodeJS.Timeout | undefined;
  return (data) => {
    clearTimeout(timer);
    const come = keysOf(rest + (typeof data === 'string' ? data : decoder.write(data)));
    rest = come.rest;
    if (rest !== '') {
      timer = setTimeout(() => {
        const isEscape = rest.startsWith('\x1b');
        rest = '';
        if (isEscape) listener.key('esc');
      }, ESCAPE_MS);
    }
    for (const key of come.keys) listener.key(key);
  };
}
