/** Ctrl-C in a swap: before the promotion it goes back; after it, only the waiting ends. Twice: at once. */
import type { Context } from '../../context.js';
import type { Tell } from '../kit/report.js';
import type { LivePair } from './pair.js';

export interface SwapStops {
  isSoft(): boolean;
  /** The second Ctrl-C has come. */
  isHard(): boolean;
  /** The sites with a signal that only the second Ctrl-C aborts. */
  hard(pair: LivePair): LivePair;
  /** The sites with a signal that the first one aborts. */
  soft(pair: LivePair): LivePair;
  release(): void;
}

export function holdSwap(context: Context, tell: Tell): SwapStops {
  const [first, second] = [new AbortController(), new AbortController()];
  // One that came since the question was answered.
  if (context.signal.aborted) first.abort();
  const release = context.holdSignals(() => {
    if (first.signal.aborted) return second.abort();
    first.abort();
    const text =
      'stopping; before the promotion, the swap goes back first (a second Ctrl-C stops at once)';
    tell({ kind: 'note', text });
  });
  const withSignal = ({ here, there }: LivePair, signal: AbortSignal): LivePair => ({
    here: { ...here, context: { ...here.context, signal } },
    there: { ...there, context: { ...there.context, signal } },
  });
  return {
    isSoft: () => first.signal.aborted,
    isHard: () => second.signal.aborted,
    hard: (pair) => withSignal(pair, second.signal),
    soft: (pair) => withSignal(pair, first.signal),
    release,
  };
}
