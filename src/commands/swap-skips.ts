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
function stray(options: SwapOptions): string | null {
  const { fromLost, rejoin, host, port, primarySlotName } = options;
  const [isLost, isBack] = [fromLost === true, rejoin === true];
  const isAddress = (host ?? port ?? primarySlotName) !== undefined;
  const isUnnamed = (options.to ?? options.toRest) === undefined;
  const problems: readonly (readonly [boolean, string])[] = [
    [!isLost && options.confirmName !== undefined, '--confirm-name belongs to --from-lost'],
    [
      !isLost && !isBack && options.acceptDataLoss === true,
      '--accept-data-loss belongs to --from-lost and --rejoin',
    ],
    [
      isBack && options.route !== undefined,
      '--route does not belong to --rejoin: clients go to the other site',
    ],
    [
      isLost && isAddress,
      '--host, --port and --primary-slot-name do not belong to --from-lost: no site becomes a standby cluster',
    ],
    [
      (isLost || isBack) && options.maxLag !== undefined,
      '--max-lag does not belong to --from-lost and --rejoin: what the other site has is shown, without a limit',
    ],
    [
      isLost && isUnnamed && options.toCluster !== undefined,
      '--to-cluster needs --to or --to-rest',
    ],
  ];
  return problems.find(([isWrong]) => isWrong)?.[1] ?? null;
}
