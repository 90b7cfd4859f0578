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

/** The other site as the command line leads to it, which may not tell even its name. */
export interface UnheardSite extends Pick<MeantSite, 'context' | 'group' | 'way'> {
  /** Asked again at each call: it may answer by then. The error that it does not; any other is thrown. */
  readonly name: () => Promise<string | ToolError>;
}

const HEARD = { silent: null, refuses: false };

/** Its name where it was not given. */
const UNNAMED = 'the primary site';

/**
 * The other site by its own DCS and members where it was named, and PostgreSQL at the address from which this one
 * streams; with the name that this site has beside it. ToolError `usage` only: the command line leads nowhere.
 */
export async function readOtherSite(
  context: Context,
  here: View,
  named: UnheardSite | null,
): Promise<{ label: string; other: OtherSite }> {
  const [{ scope, ...site }, sources] = await Promise.all([
    named === null ? { ...HEARD, scope: null, view: null } : read(named),
    askSources(context, here),
  ]);
  const mine = here.snapshot.cluster;
  const labels =
    scope === null ? { here: mine.scope, there: UNNAMED } : siteLabels(mine, { scope });
  const way = named?.way ?? null;
  return { label: labels.here, other: { label: labels.there, way, ...site, sources } };
}

interface Heard extends Pick<OtherSite, 'view' | 'silent' | 'refuses'> {
  scope: string | null;
}

async function read({ name, ...site }: UnheardSite): Promise<Heard> {
  const scope = await name();
  if (typeof scope !== 'string') return { scope: null, ...unread(scope) };
  try {
    return { scope, view: await readView({ ...site, scope }, 'there'), ...HEARD };
  } catch (error) {
    if (!(error instanceof ToolError) || error.ending === 'usage') throw error;
    if (error.ending === 'interrupted') throw error;
    return { scope, ...unread(error) };
  }
}

function unread(error: ToolError) {
  return { view: null, silent: silenceOf(error), refuses: error.code === 'rest_refused' };
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
