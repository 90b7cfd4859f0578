/** A lag over any length of time in a fixed number of bins: each keeps its least and its most. */
import type { LagBin } from './report-model.js';

export interface LagBins {
  add(ms: number, bytes: number): void;
  /** It stayed so. */
  hold(fromMs: number, toMs: number, bytes: number): void;
  /** In the order of time; a bin in which nothing was seen is not there. */
  bins(): LagBin[];
}

const FIRST_WIDTH_MS = 1000;

/** When the time that is covered exceeds `most` bins, bins become twice as wide, and pairs of them one. */
export function openBins(most: number): LagBins {
  let widthMs = FIRST_WIDTH_MS;
  let originMs: number | null = null;
  let kept = new Map<number, { least: number; most: number }>();
  const put = (into: typeof kept, at: number, least: number, largest: number): void => {
    const bin = into.get(at);
    if (bin === undefined) into.set(at, { least, most: largest });
    else {
      bin.least = Math.min(bin.least, least);
      bin.most = Math.max(bin.most, largest);
    }
  };
  const widen = (): void => {
    widthMs *= 2;
    const wider: typeof kept = new Map();
    for (const [at, bin] of kept) put(wider, Math.floor(at / 2), bin.least, bin.most);
    kept = wider;
  };
  const binOf = (ms: number): number => {
    originMs ??= ms;
    while (Math.floor((ms - originMs) / widthMs) >= most) widen();
    // A clock that was set back puts what it says into the first bin.
    return Math.max(0, Math.floor((ms - originMs) / widthMs));
  };
  return {
    add: (ms, bytes) => {
      // Before `kept` is read: another one may take its place.
      const at = binOf(ms);
      put(kept, at, bytes, bytes);
    },
    hold: (fromMs, toMs, bytes) => {
      originMs ??= fromMs;
      const last = binOf(toMs);
      for (let at = binOf(fromMs); at <= last; at += 1) put(kept, at, bytes, bytes);
    },
    bins: () =>
      [...kept]
        .sort(([a], [b]) => a - b)
        .map(([at, bin]) => {
          const fromMs = (originMs ?? 0) + at * widthMs;
          return { fromMs, toMs: fromMs + widthMs, ...bin };
        }),
  };
}
