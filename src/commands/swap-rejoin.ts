/** `patctl swap --rejoin`: its options as the request. */
import type { AskAndTell } from '../actions/kit/report.js';
import { rejoinSite } from '../actions/swap/rejoin.js';
import type { Ending } from '../errors.js';
import { withOtherSite, workOf, type SwapMeant } from './swap-meant.js';

export async function rejoin(asking: AskAndTell, meant: SwapMeant): Promise<Ending> {
  const { here, options } = meant;
  return withOtherSite(meant, (there) =>
    rejoinSite(asking, {
      pair: { here, there },
      request: {
        host: options.host ?? null,
        port: options.port ?? null,
        primarySlotName: options.primarySlotName ?? null,
        acceptDataLoss: options.acceptDataLoss === true,
        skipChecks: options.skipCheck ?? [],
      },
      ...workOf(options),
    }),
  );
}
