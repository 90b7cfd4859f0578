/** What can be learnt of a site that is said to be lost: silence is data here. */
import type { AskedSource, OtherSite } from '../../cluster/preflight/lost-model.js';
import { siteLabels } from '../../cluster/preflight/swap-model.js';
import type { View } from '../../cluster/roles/view.js';
import type { Context } from '../../context.js';
import { ToolError } from '../../errors.js';
import { sourceOf } from '../standby-cluster/streams.js';
import { silenceOf } from './other-site-error.js';
import { readView, type LiveSite, type MeantSite } from './pair.js';

export interface LostPair {
  /** The standby site. */
  here: LiveSite;
  other: OtherSite;
}

/** The other site as it is named, where nothing that leads there told even its name. */
export interface SilentSite extends Pick<MeantSite, 'way'> {
  /** Why, as a clause. */
  readonly silent: string;
}

/** Its name where it was not given. */
const UNNAMED = 'the primary site';

/**
 * The other site by its own DCS and members where it was named, and PostgreSQL at the address from which this one
 * streams; with the name that this site has beside it. ToolError `usage` only: the command line leads nowhere.
 */
export async function readOtherSite(
  context: Context,
  here: View,
  named: MeantSite | SilentSite | null,
): Promise<{ label: string; other: OtherSite }> {
  const [site, sources] = await Promise.all([
    named === null ? { view: null, silent: null } : read(named),
    askSources(context, here),
  ]);
  const mine = here.snapshot.cluster;
  const labels =
    named === null || 'silent' in named
      ? { here: mine.scope, there: UNNAMED }
      : siteLabels(mine, { scope: named.scope });
  const way = named?.way ?? null;
  return { label: labels.here, other: { label: labels.there, way, ...site, sources } };
}

async function read(named: MeantSite | SilentSite): Promise<Pick<OtherSite, 'view' | 'silent'>> {
  if ('silent' in named) return { view: null, silent: named.silent };
  try {
    return { view: await readView(named, 'there'), silent: null };
  } catch (error) {
    if (!(error instanceof ToolError) || error.ending === 'usage') throw error;
    if (error.ending === 'interrupted') throw error;
    return { view: null, silent: silenceOf(error) };
  }
}

/** With the login of this site: the database is the same one. */
async function askSources(context: Context, { snapshot }: View): Promise<AskedSource[]> {
  const standby = snapshot.cluster.config?.standbyCluster ?? null;
  const source = standby === null ? null : sourceOf(standby);
  const postgres = await context.postgres();
  if (source === null || !postgres.hasLogin) return [];
  const { hosts, port } = source;
  const asked = hosts.map(async (host): Promise<AskedSource> => {
    const reading = await postgres.status({ host, port }, context.flags.timeoutMs);
    return { host, port, reading };
  });
  return Promise.all(asked);
}
