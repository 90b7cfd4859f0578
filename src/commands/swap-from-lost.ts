/** `patctl swap --from-lost`: its options as the request. */
import type { AskAndTell } from '../actions/kit/report.js';
import type { UnheardSite } from '../actions/swap/lost-site.js';
import type { MeantSite } from '../actions/swap/pair.js';
import { swapFromLost } from '../actions/swap/from-lost.js';
import type { OtherWay } from '../cli/other-site.js';
import type { Ending } from '../errors.js';
import { withUnheardSite, workOf, type SwapOptions } from './swap-meant.js';

export async function fromLost(
  asking: AskAndTell,
  { here, way, options }: { here: MeantSite; way: OtherWay | null; options: SwapOptions },
): Promise<Ending> {
  const work = (other: UnheardSite | null) =>
    swapFromLost(asking, {
      ...{ here: { ...here, way: [] }, other, confirmName: options.confirmName ?? null },
      request: {
        acceptDataLoss: options.acceptDataLoss === true,
        skipChecks: options.skipCheck ?? [],
      },
      ...workOf(options),
    });
  return way === null ? work(null) : withUnheardSite({ here, way, options }, work);
}
