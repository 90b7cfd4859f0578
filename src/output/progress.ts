/** How far a change is, on stderr: lines for people, or JSON lines for programs. */
import type { Io } from './io.js';
import { oneLine } from './text.js';

export const PROGRESS_STYLES = ['text', 'json', 'none'] as const;
export type ProgressStyle = (typeof PROGRESS_STYLES)[number];

export interface ProgressEvent {
  /** A closed set of words: the steps of the change, `holding`, `waiting`, `terminated`. */
  step: string;
  atMs: number;
  member: string | null;
  said: string;
}

/** A reporter whose times count from `startedMs`. */
export function progressReporter(
  io: Io,
  style: ProgressStyle,
  startedMs: number,
): (event: ProgressEvent) => void {
  return ({ step, atMs, member, said }) => {
    const elapsedMs = Math.max(0, atMs - startedMs);
    if (style === 'none') return;
    if (style === 'text') {
      io.err(`${seconds(elapsedMs).padStart(8)}  ${oneLine(said)}\n`);
      return;
    }
    const at = new Date(atMs).toISOString();
    io.err(`${JSON.stringify({ at, elapsedMs, step, member, said })}\n`);
  };
}

/** 1234 -> `1.2 s` */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
