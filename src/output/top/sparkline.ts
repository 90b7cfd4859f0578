/** A lag over the last minutes in one line. Pure. */

/** A lag as one look has it; null: not known. */
export interface Sample {
  atMs: number;
  lagBytes: number | null;
}

/** How far back a sparkline goes. */
export const WINDOW_MS = 5 * 60_000;

const BARS = '▁▂▃▄▅▆▇█';
const KIB = 1024;
/** From here on a bar is one higher: the scale is the same for every member, so that they can be compared. */
const STEPS_BYTES = [
  64 * KIB,
  KIB ** 2,
  8 * KIB ** 2,
  64 * KIB ** 2,
  512 * KIB ** 2,
  4 * KIB ** 3,
  32 * KIB ** 3,
];
const UNKNOWN = '?';

/** The samples with one more, without those that are too old to be drawn. */
export function withSample(samples: readonly Sample[], added: Sample): Sample[] {
  return [...samples.filter(({ atMs }) => atMs > added.atMs - WINDOW_MS), added];
}

/** `cells` characters, the newest last; each is the worst of its time, ? where the last of them is not known, blank where nothing was read. */
export function sparkline(samples: readonly Sample[], nowMs: number, cells: number): string {
  const cellMs = WINDOW_MS / cells;
  // Cells begin at whole multiples of their time: a bar moves, and does not change while it does.
  const last = Math.floor(nowMs / cellMs);
  const worst = new Map<number, { bytes: number; isUnknown: boolean }>();
  for (const { atMs, lagBytes } of samples) {
    const cell = Math.floor(atMs / cellMs);
    const bytes = Math.max(worst.get(cell)?.bytes ?? 0, lagBytes ?? 0);
    // A member that does not answer any more is not shown as calm.
    worst.set(cell, { bytes, isUnknown: lagBytes === null });
  }
  return Array.from({ length: cells }, (_, at) => barOf(worst.get(last - cells + 1 + at))).join('');
}

function barOf(cell: { bytes: number; isUnknown: boolean } | undefined): string {
  if (cell === undefined) return ' ';
  if (cell.isUnknown) return UNKNOWN;
  return BARS[STEPS_BYTES.filter((step) => cell.bytes >= step).length] ?? '█';
}
