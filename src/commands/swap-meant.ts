/** What every way of a swap takes from the command line: its options, the other site, and how it is carried out. */
import { ofOtherSite, silenceOf } from '../actions/swap/other-site-error.js';
import type { SilentSite } from '../actions/swap/lost-site.js';
import type { MeantSite } from '../actions/swap/pair.js';
import { scopeOrDefault } from '../cli/options.js';
import type { OtherWay } from '../cli/other-site.js';
import type { Context } from '../context.js';
import { ToolError } from '../errors.js';
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
  maxLag?: number;
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

/** The other site while `work` runs. `whenSilent`: instead, where nothing that leads there answers. */
export async function withOtherSite<T>(
  { here, way, options }: SwapMeant,
  work: (there: MeantSite) => Promise<T>,
  whenSilent?: (there: SilentSite) => Promise<T>,
): Promise<T> {
  const { otherSite, wayOf } = await import('../cli/other-site.js');
  const { context } = here;
  const other = otherSite(context, way);
  try {
    const ways = wayOf(context, way);
    const scope = await scopeOf(other.context, options.toCluster);
    if (typeof scope === 'string')
      return await work({ scope, group: here.group, context: other.context, way: ways });
    if (whenSilent === undefined) throw scope;
    return await whenSilent({ way: ways, silent: silenceOf(scope) });
  } finally {
    await other.close();
  }
}

/** The name of the cluster there; or, by REST only, why no member told it. Every other error is thrown. */
async function scopeOf(context: Context, given: string | undefined): Promise<string | ToolError> {
  try {
    return await scopeOrDefault(context, given);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const told = ofOtherSite(error);
    if (error.ending === 'unreachable' || error.code === 'rest_refused') return told;
    throw told;
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
