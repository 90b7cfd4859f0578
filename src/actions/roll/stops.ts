/** Ctrl-C in a roll: once stops after the member at hand, twice at once. */
import type { Context } from '../../context.js';
import type { Tell } from '../kit/report.js';

export interface Stops {
  /** Aborts at the second signal; the first one aborts the context's own. */
  readonly hard: AbortSignal;
  isHard(): boolean;
  /** Calls back at the second signal; the returned function forgets it. */
  onHard(listener: () => void): () => void;
  /** Signals end the process again. */
  release(): void;
}

export function holdStops(context: Context, tell: Tell): Stops {
  const controller = new AbortController();
  const { signal: hard } = controller;
  let signals = 0;
  const release = context.holdSignals(() => {
    signals += 1;
    if (signals > 1) return controller.abort();
    const text =
      'stopping after the current member; a second Ctrl-C stops at once and ends COMMAND';
    tell({ kind: 'note', text });
  });
  return {
    hard,
    isHard: () => hard.aborted,
    onHard: (listener) => {
      if (hard.aborted) listener();
      hard.addEventListener('abort', listener, { once: true });
      return () => hard.removeEventListener('abort', listener);
    },
    release,
  };
}
