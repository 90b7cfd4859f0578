/** A swap that is being carried out, and why it does not go on. */
import type { JsonObject } from '../../cluster/model/model.js';
import { errorMessage, ToolError, type Evidence } from '../../errors.js';
import type { LivePair } from './pair.js';
import type { SwapRecord } from './swap-record.js';
import type { SwapStops } from './swap-stops.js';

export interface SwapUnderway {
  readonly pair: LivePair;
  /** What standby_cluster becomes here. */
  readonly standby: JsonObject;
  /** When the whole must be done, ms. */
  readonly atMs: number;
  readonly stops: SwapStops;
  readonly record: SwapRecord;
}

/** Why a swap does not go on, before anything was asked of the other site. */
export function stepFailed(message: string, evidence: Evidence[] = []): ToolError {
  return new ToolError('failed', message, { code: 'step_failed', evidence });
}

/** What goes wrong in patctl itself must not leave both sites without a primary either. */
export function failureOf(error: unknown): ToolError {
  return error instanceof ToolError
    ? error
    : stepFailed(`an unexpected error: ${errorMessage(error)}`);
}
