/** Routes during a change: how long clients are without a primary, and whether all lead where they should in the end. */
import type { Progress, Sighting } from '../../cluster/progress/change-outcome.js';
import { leadsSince } from '../../cluster/progress/change-outcome.js';
import { warningsOf } from '../../cluster/progress/route-proof.js';
import { routeName, type RouteReading } from '../../cluster/model/route-model.js';
import type { Reading, Snapshot } from '../../cluster/model/model.js';
import { routeStates, type RouteState } from '../../cluster/routes/route-state.js';
import { viewOf } from '../../cluster/roles/view.js';
import {
  connectAsClient,
  readRoutes,
  routesMeant,
  routesOf,
  type MeantRoute,
} from '../../observe/ask-routes.js';
import { isRecorded } from '../../observe/read-snapshot.js';
import { ToolError } from '../../errors.js';
import type { Context } from '../../context.js';
import { untilAborted } from '../kit/until.js';
import type { LeaderChange } from './change.js';

/** The routes of a change, and the state of each before it. */
export interface ChangeRoutes {
  routes: readonly MeantRoute[];
  before: readonly RouteState[];
  /** `CODE NAME` of what only warns. */
  warned: readonly string[];
}

/** One connection of a client is awaited no longer than this. */
const CONNECT_MS = 1500;
/** A new connection so soon after the last one, until the new primary is met; then seldom. */
const PROBE_MS = 25;
const SETTLED_MS = 300;
const PROVE_MS = 300;

/**
 * The routes that this change proves: null where none is known, or none is waited for. ToolError `usage` when
 * --wait routes is given without any.
 */
export async function changeRoutes(
  context: Context,
  { routes: flags, waitFor }: Pick<LeaderChange, 'routes' | 'waitFor'>,
  snapshot: Snapshot,
): Promise<ChangeRoutes | null> {
  if (await isRecorded(context)) return null;
  const meant = await routesMeant(context, flags, snapshot.cluster.group);
  const routes = routesOf(meant, snapshot.cluster);
  if (routes.length === 0) {
    if (waitFor !== 'routes') return null;
    throw new ToolError('usage', '--wait routes needs a route', {
      code: 'no_route',
      hint: 'give --route rw=HOST:PORT, or patctl.routes in the configuration file',
    });
  }
  const readings = await readRoutes(context, routes, snapshot.cluster.members.length);
  const before = routeStates(viewOf({ ...snapshot, routes: readings }));
  return { routes, before, warned: warningsOf(before) };
}

type See = (sighting: Sighting) => void;

/** Connects through each write route again and again; `probed` is called once each has been tried. */
export async function probeRoutes(
  context: Context,
  routes: readonly MeantRoute[],
  current: () => Progress,
  signal: AbortSignal,
  see: See,
  probed: () => void,
): Promise<void> {
  const writing = routes.filter(({ route }) => route.kind === 'rw');
  const firsts: Promise<void>[] = [];
  const running = writing.map((meant) => {
    let first: () => void = () => undefined;
    firsts.push(new Promise((resolve) => (first = resolve)));
    return probeRoute(context, meant, current, signal, see, first).finally(first);
  });
  await Promise.all(firsts);
  probed();
  await Promise.all(running);
}

async function probeRoute(
  context: Context,
  meant: MeantRoute,
  current: () => Progress,
  signal: AbortSignal,
  see: See,
  first: () => void,
): Promise<void> {
  const route = routeName(meant.route);
  while (!signal.aborted) {
    const askedMs = context.clock.nowMs();
    const said = await untilAborted(connectAsClient(context, meant, CONNECT_MS), signal);
    if (said === null) return;
    const atMs = context.clock.nowMs();
    see({ type: 'route probe', atMs, probe: { route, askedMs, atMs, said } });
    first();
    // Another login will not be found meanwhile.
    if (!said.ok && said.kind !== 'unreachable') return;
    const isMet = current().routeTracks.get(route)?.firstNew ?? null;
    await context.clock.wait(isMet === null ? PROBE_MS : SETTLED_MS, signal);
  }
}

/** Asks every address of every route once the new leader leads, and again until the change is over. */
export async function proveRoutes(
  context: Context,
  routes: readonly MeantRoute[],
  current: () => Progress,
  signal: AbortSignal,
  see: See,
): Promise<void> {
  while (!signal.aborted) {
    const { newLeader: leader, goal } = current();
    if (leader !== null && leadsSince(current()) !== null) {
      const asking = readRoutes(context, routes, goal.members.length);
      const readings = await untilAborted(asking, signal);
      if (readings === null) return;
      const states = statesNow(current(), readings);
      see({ type: 'routes', atMs: context.clock.nowMs(), leader, states });
    }
    await context.clock.wait(PROVE_MS, signal);
  }
}

const NOT_SEEN: Reading<never> = { ok: false, kind: 'off', reason: 'not asked' };

/** Judged by what the members have said last. */
function statesNow({ cluster, seen }: Progress, routes: RouteReading[]): RouteState[] {
  if (cluster === null) return [];
  const members = cluster.members.map(({ name }) => {
    const { rest = NOT_SEEN, sql = NOT_SEEN } = seen.get(name) ?? {};
    return { name, rest, sql };
  });
  const about = { verify: 'auto', takenAt: '', serializable: false, previous: null } as const;
  return routeStates(viewOf({ cluster, members, departed: [], ...about, routes }));
}
