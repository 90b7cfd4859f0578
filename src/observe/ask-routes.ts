/** Routes as clients use them: which ones are meant, and what answers at every address of each. */
import { isDemanded } from '../cluster/routes/landing.js';
import {
  parseRoute,
  parseRouteFlag,
  type ParsedRoute,
  type RouteLogin,
} from '../cluster/routes/conninfo.js';
import type { Cluster, Reading, Snapshot } from '../cluster/model/model.js';
import type {
  Route,
  RouteAddress,
  RouteAnswer,
  RouteReading,
} from '../cluster/model/route-model.js';
import { ToolError } from '../errors.js';
import type { Context } from '../context.js';
import { addressesOf } from './addresses.js';
import { isRecorded } from './read-snapshot.js';

/** A route and its login, which is never recorded nor printed. */
export interface MeantRoute {
  route: Route;
  login: RouteLogin;
}

export interface MeantRoutes {
  routes: MeantRoute[];
  /** The cluster to which they lead; null: the one that is asked about. */
  scope: string | null;
  /** The Citus group to which they lead, where the cluster has groups. */
  group: number;
}

/** Each address is asked so often, by the members of the cluster: a proxy may lead every connection elsewhere. */
const FEWEST_CONNECTIONS = 2;
const MOST_CONNECTIONS = 8;

/**
 * The routes of --route, else those of the configuration. ToolError `usage` for one that cannot be read; its text is
 * in no message.
 */
export async function routesMeant(
  context: Context,
  flags: readonly string[] | null,
  group: number | null,
): Promise<MeantRoutes> {
  const config = await context.config();
  const asked = group ?? config.group ?? 0;
  if (flags !== null && flags.length > 0) {
    if (await isRecorded(context)) throw recordedRoutes();
    const routes = flags.map((text, at) => orThrow(`--route ${at + 1}`, parseRouteFlag(text)));
    return { routes, scope: null, group: asked };
  }
  const routes = (config.routes ?? []).map(({ kind, value, from }) =>
    orThrow(`${from}: patctl.routes.${kind}`, parseRoute(kind, value)),
  );
  return { routes, scope: config.scope, group: asked };
}

function orThrow(where: string, parsed: ParsedRoute): MeantRoute {
  if (parsed.ok) return { route: parsed.route, login: parsed.login };
  throw new ToolError('usage', `${where} cannot be read: ${parsed.problem}`, {
    code: 'bad_route',
    hint: 'for example: --route rw=db.example.com:5000, or --route "rw=db1:5432,db2:5432?target_session_attrs=read-write"',
  });
}

function recordedRoutes(): ToolError {
  return new ToolError(
    'usage',
    '--route and --snapshot exclude each other: a recording has its own routes',
    {
      code: 'recording',
      hint: 'record them: patctl snapshot --route rw=HOST:PORT -o FILE',
    },
  );
}

/** Those of the routes that lead to this cluster. */
export function routesOf(
  { routes, scope, group }: MeantRoutes,
  cluster: Pick<Cluster, 'scope' | 'group'>,
): MeantRoute[] {
  const isIts = scope === null || scope === cluster.scope;
  return isIts && (cluster.group === null || cluster.group === group) ? routes : [];
}

/** With what answers through its routes; as it is where none leads to it, in a recording, and with --verify off. */
export async function withRoutes(
  context: Context,
  snapshot: Snapshot,
  meant: MeantRoutes,
): Promise<Snapshot> {
  const routes = routesOf(meant, snapshot.cluster);
  if (routes.length === 0 || snapshot.verify === 'off' || (await isRecorded(context))) {
    return snapshot;
  }
  const readings = await readRoutes(context, routes, snapshot.cluster.members.length);
  return { ...snapshot, routes: readings };
}

/** Every address of every route, side by side, each connection with the limit of --timeout. */
export async function readRoutes(
  context: Context,
  routes: readonly MeantRoute[],
  memberCount: number,
): Promise<RouteReading[]> {
  const hosts = routes.flatMap(({ route }) => route.hosts);
  const places = await addressesOf(context, hosts.map(nameOf).filter(isLookedUp));
  const count = Math.min(MOST_CONNECTIONS, Math.max(FEWEST_CONNECTIONS, memberCount));
  return Promise.all(
    routes.map(async (meant) => {
      const asked = meant.route.hosts.flatMap((host, at) => {
        const name = nameOf(host);
        const addresses = isLookedUp(name) ? (places.get(name) ?? []) : [name];
        if (addresses.length === 0) return [Promise.resolve(noAddress(at))];
        return addresses.map((address) => askAddress(context, meant, at, address, count));
      });
      return { route: meant.route, addresses: await Promise.all(asked) };
    }),
  );
}

function nameOf({ host, hostaddr }: Route['hosts'][number]): string {
  return hostaddr ?? host;
}

/** The folder of a Unix socket has no address. */
function isLookedUp(name: string): boolean {
  return !name.startsWith('/');
}

function noAddress(host: number): RouteAddress {
  const reason = 'the name leads to no address';
  return { host, address: null, connections: [{ ok: false, kind: 'unreachable', reason }] };
}

/** One connection, and the others at once, unless the first one says that no login of ours is accepted. */
async function askAddress(
  context: Context,
  meant: MeantRoute,
  host: number,
  address: string,
  count: number,
): Promise<RouteAddress> {
  const ask = () => askOnce(context, meant, host, address, context.flags.timeoutMs);
  const first = await ask();
  if (!first.ok && first.kind !== 'unreachable') return { host, address, connections: [first] };
  const others = await Promise.all(Array.from({ length: count - 1 }, ask));
  return { host, address, connections: [first, ...others] };
}

async function askOnce(
  context: Context,
  { route, login }: MeantRoute,
  at: number,
  address: string,
  limitMs: number,
): Promise<Reading<RouteAnswer>> {
  const host = route.hosts[at];
  if (host === undefined) return { ok: false, kind: 'no_address', reason: 'no such host' };
  const postgres = await context.postgres();
  const target = isLookedUp(address)
    ? { host: host.host, port: host.port, address }
    : { host: address, port: host.port };
  return postgres.whoAnswers(target, login, limitMs);
}

/** One connection as libpq makes it, host after host: where it ends, or why it ends nowhere. */
export async function connectAsClient(
  context: Context,
  meant: MeantRoute,
  limitMs: number,
): Promise<Reading<RouteAnswer>> {
  const { hosts, targetSessionAttrs: attrs, random } = meant.route;
  const order = [...hosts.keys()];
  if (random) order.sort(() => Math.random() - 0.5);
  const passes = attrs === 'prefer-standby' ? [attrs, 'any' as const] : [attrs];
  let last: Reading<RouteAnswer> = { ok: false, kind: 'unreachable', reason: 'no server fits' };
  for (const demand of passes) {
    for (const at of order) {
      const said = await connectToHost(context, meant, at, limitMs);
      if (said.ok && isDemanded(demand, said.value)) return said;
      if (said.ok) continue;
      if (said.kind !== 'unreachable') return said;
      last = said;
    }
  }
  return last;
}

/** The first address of a host that answers. */
async function connectToHost(
  context: Context,
  meant: MeantRoute,
  at: number,
  limitMs: number,
): Promise<Reading<RouteAnswer>> {
  const host = meant.route.hosts[at];
  const name = host === undefined ? '' : nameOf(host);
  const addresses = isLookedUp(name)
    ? ((await addressesOf(context, [name])).get(name) ?? [])
    : [name];
  let last = noAddress(at).connections[0] ?? null;
  for (const address of addresses) {
    last = await askOnce(context, meant, at, address, limitMs);
    if (last.ok || last.kind !== 'unreachable') return last;
  }
  return last ?? { ok: false, kind: 'unreachable', reason: 'no address' };
}
