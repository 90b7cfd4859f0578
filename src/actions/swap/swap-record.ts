/** What happened in a swap, as it happens: lines of progress, and the report for the document. */
import type { Context } from '../../context.js';
import type { Tell } from '../kit/report.js';
import { NOTHING_SWAPPED, type SwapStepName, type SwapReport } from '../kit/swap-report.js';

export interface SwapRecord {
  readonly tell: Tell;
  swap(known: Partial<Omit<SwapReport, 'steps'>>): void;
  step(name: SwapStepName, member: string, said: string): void;
  /** The same, where it was not told before. */
  once(name: SwapStepName, member: string, said: string): void;
  now(): SwapReport;
}

export function swapRecord({ clock }: Context, tell: Tell): SwapRecord {
  let known = NOTHING_SWAPPED;
  const startedMs = clock.nowMs();
  const swap = (more: Partial<SwapReport>): void => {
    known = { ...known, ...more };
    tell({ kind: 'swap', swap: known });
  };
  const step = (name: SwapStepName, member: string, said: string): void => {
    const atMs = clock.nowMs();
    const at = new Date(atMs).toISOString();
    swap({ steps: [...known.steps, { step: name, at, member, said }] });
    tell({ kind: 'step', startedMs, step: name, atMs, member, said });
  };
  return {
    tell,
    swap,
    step,
    once: (name, member, said) => {
      if (!known.steps.some((one) => one.step === name)) step(name, member, said);
    },
    now: () => known,
  };
}
