/** What every way of a swap takes from the command line: its options, the other site, and how it is carried out. */
import type { MeantSite } from '../actions/swap/pair.js';
import { scopeOrDefault } from '../cli/options.js';
import type { OtherWay } from '../cli/other-site.js';
import type { ProgressStyle } from '../output/progress.js';

export interface SwapOptions {
  fromLost?: boolean;
  rejoin?: boolean;
  acceptDataLoss?: boolean;
  confirmName?: string;
  group?: number;
  to?: string;
  toRest?: string;
  toCluster?: string;
  host?: string;
  port?: number;
  primarySlotName?: string;
  maxLag: number;
  skipCheck?: string[];
  dryRun?: boolean;
  force?: boolean;
  yes?: boolean;
  deadline: number;
  progress?: ProgressStyle;
  route?: string[];
}

/** One site, and what leads to the other one. */
export interface SwapMeant {
  here: MeantSite;
  way: OtherWay;
  options: SwapOptions;
}

/** The other site while `work` runs. */
export async function withOtherSite<T>(
  { here, way, options }: SwapMeant,
  work: (there: MeantSite) => Promise<T>,
): Promise<T> {
  const { otherSite, wayOf } = await import('../cli/other-site.js');
  const { context } = here;
  const other = otherSite(context, way);
  try {
    const scope = await scopeOrDefault(other.context, options.toCluster);
    const ways = wayOf(context, way);
    return await work({ scope, group: here.group, context: other.context, way: ways });
  } finally {
    await other.close();
  }
}

/** What every way of a swap takes. */
export function workOf({ dryRun, force, yes, deadline, route }: SwapOptions) {
  return {
    dryRun: dryRun === true,
    force: force === true || yes === true,
    deadlineMs: deadline,
    routes: route ?? [],
  };
}
