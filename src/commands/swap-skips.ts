/** --skip-check of swap: each way of it has checks of its own; and options that belong to one way only. */
import { LOST_CHECKS } from '../cluster/preflight/lost-plan.js';
import { REJOIN_CHECKS } from '../cluster/preflight/rejoin-plan.js';
import { swapSkipProblem } from '../cluster/preflight/swap-skipped.js';
import { SWAP_CHECKS } from '../cluster/preflight/swap-plan.js';
import { ToolError } from '../errors.js';
import type { SwapOptions } from './swap-meant.js';

export function collectText(text: string, before: string[] = []): string[] {
  return [...before, text];
}

/** ToolError `usage` names what does not fit. */
export function checkSkips(options: SwapOptions): void {
  const problem = stray(options) ?? swapSkipProblem(options.skipCheck ?? [], skippable(options));
  if (problem !== null) throw new ToolError('usage', problem, { code: 'wrong_options' });
}

/** Of the way that is meant. */
function skippable({ fromLost, rejoin }: SwapOptions): readonly string[] {
  if (fromLost === true) return LOST_CHECKS;
  return rejoin === true ? REJOIN_CHECKS : SWAP_CHECKS;
}

/** An option that would be ignored is probably a mistake. */
function stray({ fromLost, confirmName, acceptDataLoss, ...rest }: SwapOptions): string | null {
  const { host, port, primarySlotName, rejoin, route } = rest;
  if (fromLost !== true) {
    if (confirmName !== undefined) return '--confirm-name belongs to --from-lost';
    if (acceptDataLoss === true && rejoin !== true)
      return '--accept-data-loss belongs to --from-lost and --rejoin';
    return rejoin === true && route !== undefined
      ? '--route does not belong to --rejoin: clients go to the other site'
      : null;
  }
  if (host === undefined && port === undefined && primarySlotName === undefined) return null;
  return '--host, --port and --primary-slot-name do not belong to --from-lost: no site becomes a standby cluster';
}
