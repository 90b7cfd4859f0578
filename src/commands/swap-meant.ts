/** What every way of a swap takes from the command line: its options, the other site, and how it is carried out. */
import { ofOtherSite } from '../actions/swap/other-site-error.js';
import type { UnheardSite } from '../actions/swap/lost-site.js';
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

/** The other site while `work` runs; it must answer. */
export async function withOtherSite<T>(
  meant: SwapMeant,
  work: (there: MeantSite) => Promise<T>,
): Promise<T> {
  return withUnheardSite(meant, async ({ name, ...there }) => {
    const scope = await name();
    if (typeof scope !== 'string') throw scope;
    return work({ ...there, scope });
  });
}

/** The same, which may be silent: `work` asks its name as often as it reads it. */
export async function withUnheardSite<T>(
  { here, way, options }: SwapMeant,
  work: (there: UnheardSite) => Promise<T>,
): Promise<T> {
  const { otherSite, wayOf } = await import('../cli/other-site.js');
  const { context } = here;
  const other = otherSite(context, way);
  try {
    return await work({
      ...{ context: other.context, group: here.group, way: wayOf(context, way) },
      name: () => scopeOf(other.context, options.toCluster),
    });
  } finally {
    await other.close();
  }
}

/** What answered did not tell it. */
const NO_NAME: ReadonlySet<string> = new Set(['rest_refused', 'rest_no_member']);

/** The name of the cluster there; or, by REST only, why no member told it. Every other error is thrown. */
async function scopeOf(context: Context, given: string | undefined): Promise<string | ToolError> {
  try {
    return await scopeOrDefault(context, given);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const told = ofOtherSite(error);
    const isSilent = error.ending === 'unreachable' || NO_NAME.has(error.code);
    if (isSilent) return told;
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
