/** The one door: everything written to stdout or stderr passes through here. */
import type { Io } from './io.js';
import { HIDDEN, isPrintable, visible } from './text.js';

/** The source of answers: a person at a terminal, any stdin (as patronictl), or nothing. */
export type WhoAnswers = 'person' | 'stdin' | 'none';

/** The streams of a command. Nothing that moves a cursor or hides itself gets past `out` and `err`. */
export interface Door extends Io {
  /** Rows of a query as they are, for a pipe or a file; never for a terminal. */
  data(text: string): void;
  /** stderr also with -q: errors and questions. */
  must(text: string): void;
  readonly answers: WhoAnswers;
  /** A question was asked. */
  asked: boolean;
  /** Something was written to stdout. */
  hasOutput: boolean;
}

/**
 * Stands for ESC in what patctl itself draws. Drawn again in every run, so that no text from outside, which was
 * written before, can hold it.
 */
const OWN_ESC = `\ufdd0${Math.random().toString(36).slice(2)}\ufdd1`;

/** A terminal sequence of patctl's own (it begins with ESC), which the door lets through. */
export function own(sequence: string): string {
  return sequence.replaceAll('\x1b', OWN_ESC);
}

/** The text between the sequences that a style puts around it; what is in the text stays a text. */
export function styled(style: (text: string) => string, text: string): string {
  const [before = '', after = ''] = style('\0').split('\0');
  return `${own(before)}${text}${own(after)}`;
}

/** The text without patctl's own sequences. */
export function withoutOwn(text: string): string {
  return text.replace(OWN_SEQUENCE, '');
}

const OWN_SEQUENCE = new RegExp(`${OWN_ESC}\\[[0-?]*[ -/]*[@-~]`, 'g');

/** What patronictl does not print either: PyYAML takes NEL for a line end and escapes the other ones. */
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f]/g;

/** The text as it leaves: what is hidden is written out (\u202e), which JSON reads as the very character. */
export function leaving(text: string, compat: boolean): string {
  if (isPrintable(text)) return text;
  const safe = HIDDEN.test(text) ? visible(text, compat ? CONTROLS : undefined) : text;
  return safe.includes(OWN_ESC) ? safe.replaceAll(OWN_ESC, '\x1b') : safe;
}

/** The same context with other streams in the place of its own. */
export function withStreams<C extends { io: Door }>(
  context: C,
  streams: Partial<Pick<Door, 'out' | 'err'>>,
): C {
  const { io } = context;
  // Not a copy: that would open stdin, which costs start-up.
  const own = Object.entries(streams).map(([name, value]) => [name, { value }] as const);
  return { ...context, io: Object.create(io, Object.fromEntries(own)) as Door };
}
