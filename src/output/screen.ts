/** Where a result is shown: how wide it is, in which colours, and how the next command is to be typed. */
import { shellWord } from '../cluster/model/command-line.js';
import type { Io } from './io.js';
import { withoutOwn } from './door.js';
import { displayWidth } from './width.js';

export interface Screen {
  /** Longest line, in columns; null: unlimited (no terminal, or --wide). */
  width: number | null;
  color: boolean;
  /** How patctl was called, with the way to the cluster: `patctl -c /etc/patroni/demo.yml`. */
  command: string;
}

/** What of a run decides how its result is shown. */
export interface Shown {
  readonly io: Io;
  readonly flags: {
    readonly compat: boolean;
    readonly program: string;
    readonly wayIn: readonly string[];
  };
}

/** A terminal that does not know its size. */
const USUAL_COLUMNS = 80;
/** Narrower than this nothing can be read. */
const LEAST_COLUMNS = 20;

/** How the next command begins: `patctl -c /etc/patroni/demo.yml`. */
export function commandOf({ flags }: Pick<Shown, 'flags'>): string {
  return [flags.program, ...flags.wayIn.map(shellWord)].join(' ');
}

/** The screen behind stdout; `wide`: nothing is fitted. */
export function screenOf({ io, flags }: Shown, wide = false): Screen {
  const isFitted = io.stdoutIsTty && !flags.compat && !wide;
  return {
    width: isFitted ? columnsOf(io.columns) : null,
    color: io.outColor,
    command: commandOf({ flags }),
  };
}

/** The same for what is said on stderr. */
export function errorScreen({ io, flags }: Shown): Screen {
  const isFitted = io.stderrIsTty && !flags.compat;
  return {
    width: isFitted ? columnsOf(io.columns) : null,
    color: io.errColor,
    command: commandOf({ flags }),
  };
}

function columnsOf(columns: number | undefined): number {
  return Math.max(columns || USUAL_COLUMNS, LEAST_COLUMNS);
}

// ---------------------------------------------------------------- lines

/** Every line no longer than the screen; text that fits already, as tables do, stays as it is. */
export function fitted(text: string, screen: Pick<Screen, 'width' | 'command'>): string {
  const { width } = screen;
  if (width === null) return text;
  return text
    .split('\n')
    .flatMap((line) => fold(line, { ...screen, width }))
    .join('\n');
}

/** Cells that a line takes, without patctl's own colours. */
export function cells(line: string): number {
  return displayWidth(withoutOwn(line));
}

/**
 * One line as several of at most `width` cells: broken at blanks, and inside a word that is longer; what follows the
 * first is indented. A command stands on lines of its own then, with a backslash where it goes on, so that it can be
 * copied as it is.
 */
export function fold(
  line: string,
  { width, command }: { width: number; command: string },
): string[] {
  if (cells(line) <= width) return [line];
  const indent = indentOf(line, width);
  const parts = split(line, command);
  return parts.flatMap(({ text, isCommand }, at) => {
    const begin = at === 0 ? '' : ' '.repeat(indent);
    return isCommand
      ? commandLines(text, { begin, width })
      : wordLines(begin + text.replace(at === 0 ? /\s+$/ : /^\s+|\s+$/g, ''), { indent, width });
  });
}

/** For texts that are folded at blanks only: no command in them is to be copied. */
export const NO_COMMAND = '\0';

/** Below a label, or two behind where the line begins; never beyond the middle. */
function indentOf(line: string, width: number): number {
  const plainLine = withoutOwn(line);
  const label = /^ *(?:[A-Z][A-Za-z]* {2,}|(?:SQL|DCS) {2}|REST )/.exec(plainLine)?.[0].length;
  const leading = /^ */.exec(plainLine)?.[0].length ?? 0;
  const indent = label ?? leading + 2;
  return indent <= width / 2 ? indent : Math.min(leading + 2, Math.floor(width / 4));
}

/** The sentence in pieces: its commands, each up to the semicolon that ends it, and the words between them. */
function split(line: string, command: string): { text: string; isCommand: boolean }[] {
  const parts: { text: string; isCommand: boolean }[] = [];
  let at = 0;
  for (const found of line.matchAll(commandPattern(command))) {
    const text = found[0].trimEnd();
    if (line.slice(at, found.index).trim() !== '')
      parts.push({ text: line.slice(at, found.index), isCommand: false });
    const rest = line.slice(found.index + text.length);
    // The semicolon belongs to the sentence; a shell would take it too.
    const isEnded = rest.startsWith(';');
    parts.push({ text, isCommand: true });
    at = found.index + text.length + (isEnded ? 1 : 0);
  }
  if (line.slice(at).trim() !== '') parts.push({ text: line.slice(at), isCommand: false });
  return parts;
}

function commandPattern(command: string): RegExp {
  const literal = command.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`(?<=^|[ :;])${literal}(?= [a-z])(?: (?:'[^']*'|\\\\'|[^\\s';])+)+`, 'g');
}

function wordLines(text: string, { indent, width }: { indent: number; width: number }): string[] {
  const lines: string[] = [];
  const leading = /^ */.exec(text)?.[0] ?? '';
  let line = leading;
  let isEmpty = true;
  const next = () => {
    lines.push(line.trimEnd());
    line = ' '.repeat(indent);
    isEmpty = true;
  };
  // Blanks in the middle of a line are kept: labels are aligned by them.
  for (const [, blanks = '', word = ''] of text.slice(leading.length).matchAll(/( *)([^ ]+)/g)) {
    const gap = isEmpty ? '' : blanks;
    if (cells(line + gap + word) <= width) {
      line += gap + word;
      isEmpty = false;
      continue;
    }
    if (!isEmpty) next();
    let rest = word;
    while (cells(line + rest) > width) {
      const taken = upTo(rest, width - cells(line));
      line += taken;
      rest = rest.slice(taken.length);
      next();
    }
    line += rest;
    isEmpty = rest === '';
  }
  if (!isEmpty || lines.length === 0) lines.push(line.trimEnd());
  return lines;
}

/** The longest beginning that takes no more cells; at least one character. */
export function upTo(text: string, width: number): string {
  let taken = '';
  for (const char of text) {
    if (taken !== '' && displayWidth(taken + char) > width) break;
    taken += char;
  }
  return taken;
}

/** One line in at most `width` cells: what is cut off is an ellipsis, and patctl's colours go with it. */
export function cutTo(line: string, width: number): string {
  if (width < 1) return '';
  if (cells(line) <= width) return line;
  const taken = upTo(withoutOwn(line), width - 1);
  return cells(taken) < width ? `${taken}…` : '…';
}

/** The words of a command, a quoted one whole. */
const SHELL_WORDS = /(?:'[^']*'|\\'|[^\s'])+/g;

/** Lines that a shell joins again. A word that no line can hold is broken without indentation, which it ignores. */
function commandLines(text: string, { begin, width }: { begin: string; width: number }): string[] {
  const lines: string[] = [];
  let line = begin;
  let isEmpty = true;
  for (const [word] of text.matchAll(SHELL_WORDS)) {
    const gap = isEmpty ? '' : ' ';
    // Room for the backslash behind.
    if (cells(line + gap + word) <= width - 2) {
      line += gap + word;
      isEmpty = false;
      continue;
    }
    if (!isEmpty) {
      lines.push(`${line} \\`);
      line = `${begin}  `;
    }
    const pieces = cells(line + word) <= width - 2 ? [word] : inPieces(word, width, cells(line));
    for (const piece of pieces.slice(0, -1)) {
      lines.push(`${line}${piece}\\`);
      line = '';
    }
    line += pieces.at(-1) ?? '';
    isEmpty = false;
  }
  lines.push(line);
  return lines;
}

/** A word of a command in pieces that a shell puts together: a quoted one is quoted piece by piece. */
function inPieces(word: string, width: number, usedCells: number): string[] {
  const quoted = /^'([^']*)'$/.exec(word)?.[1];
  if (quoted === undefined && word.includes("'")) return [word];
  const room = width - (quoted === undefined ? 2 : 4);
  const pieces: string[] = [];
  for (let rest = quoted ?? word; rest !== '';) {
    const piece = upTo(rest, Math.max(1, pieces.length === 0 ? room - usedCells : room));
    pieces.push(quoted === undefined ? piece : `'${piece}'`);
    rest = rest.slice(piece.length);
  }
  return pieces;
}
