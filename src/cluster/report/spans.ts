/** States that last: each look says what is so, and spans come of it. */
import type { Span } from './report-model.js';

export interface Spans<State> {
  /** What is so at this look; null: nothing. */
  see(key: string, state: State | null, ms: number): void;
  /** Nothing is seen any more after `ms`: what is open ends there. */
  close(ms: number): void;
  keys(): string[];
  spansOf(key: string): Span<State>[];
  /** Whether the last span of the key has not ended. */
  isOpen(key: string): boolean;
  /** Spans for which there was no room. */
  leftOut(): number;
}

interface Track<State> {
  spans: Span<State>[];
  open: Span<State> | null;
}

/** At most `mostKeys` keys are followed, and the last `mostSpans` spans of each are kept. */
export function openSpans<State>(mostKeys: number, mostSpans: number): Spans<State> {
  const tracks = new Map<string, Track<State>>();
  let leftOut = 0;
  const trackOf = (key: string): Track<State> | null => {
    const known = tracks.get(key);
    if (known) return known;
    if (tracks.size >= mostKeys) return null;
    const made: Track<State> = { spans: [], open: null };
    tracks.set(key, made);
    return made;
  };
  const begin = (track: Track<State>, state: State, ms: number): void => {
    track.open = { fromMs: ms, toMs: ms, state };
    track.spans.push(track.open);
    if (track.spans.length <= mostSpans) return;
    track.spans.shift();
    leftOut += 1;
  };
  return {
    see: (key, state, ms) => {
      if (state === null && !tracks.has(key)) return;
      const track = trackOf(key);
      if (track === null) {
        leftOut += 1;
        return;
      }
      if (track.open) track.open.toMs = Math.max(track.open.toMs, ms);
      if (state === (track.open?.state ?? null)) return;
      track.open = null;
      if (state !== null) begin(track, state, ms);
    },
    close: (ms) => {
      for (const track of tracks.values()) {
        if (track.open) track.open.toMs = Math.max(track.open.toMs, ms);
        track.open = null;
      }
    },
    keys: () => [...tracks.keys()],
    spansOf: (key) => tracks.get(key)?.spans ?? [],
    isOpen: (key) => (tracks.get(key)?.open ?? null) !== null,
    leftOut: () => leftOut,
  };
}
