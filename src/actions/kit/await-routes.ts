/** Whether clients arrive once an action is done: its routes are asked until they lead where they should. */
import { routeProof } from '../../cluster/progress/route-proof.js';
import { routeStates } from '../../cluster/routes/route-state.js';
import { viewOf } from '../../cluster/roles/view.js';
import { routesMeant, withRoutes } from '../../observe/ask-routes.js';
import { PLAIN_ASKING, readSnapshotSettled } from '../../observe/read-snapshot.js';
import { ToolError } from '../../errors.js';
import type { Context } from '../../context.js';
import type { Tell } from './report.js';
import { until } from './until.js';

/** A proxy looks every few seconds. */
const ROUTES_MS = 120_000;
const LOOK_MS = 500;

export interface RoutesOfAction {
  scope: string;
  group: number | null;
  /** --route, as given; none: those of the configuration. */
  routes: readonly string[];
}

/**
 * Says where every route leads, and tells it as evidence. ToolError `failed` (routes_wrong) when one still has a
 * critical finding after two minutes, `unconfirmed` (routes_unknown) when one takes no login of ours. Only for
 * callers that know of a route.
 */
export async function awaitRoutes(
  context: Context,
  { scope, group, routes: flags }: RoutesOfAction,
  tell: Tell,
): Promise<void> {
  const meant = await routesMeant(context, flags, group);
  const look = async () => {
    const read = await readSnapshotSettled(context, { scope, group, ...PLAIN_ASKING });
    const snapshot = await withRoutes(context, read, meant);
    const states = routeStates(viewOf(snapshot));
    const hasReplica = snapshot.cluster.members.length > 1;
    // Reads that arrive at the primary are a warning, which need not be of this action's making.
    const { wrong, ...proof } = routeProof(states, { before: [], hasReplica });
    return { ...proof, wrong: wrong.filter(({ severity }) => severity === 'critical') };
  };
  let last = await look();
  const isRight = async () => {
    last = await look();
    return last.wrong.length === 0 ? last : null;
  };
  const limit = {
    atMs: context.clock.nowMs() + ROUTES_MS,
    everyMs: LOOK_MS,
    goesOn: 'only the routes are not proven yet',
    awaits: () => `the routes: ${last.wrong[0]?.message ?? ''}`,
    tell,
  };
  if (last.wrong.length > 0) await until(context, limit, isRight);
  const { wrong, unasked, said } = last;
  const [first] = [...wrong, ...unasked];
  if (first === undefined) {
    if (said === '') return;
    tell({ kind: 'seen', evidence: [{ witness: 'route', subject: scope, said }] });
    return tell({ kind: 'note', text: `every route is proven: ${said}` });
  }
  const [ending, code] =
    wrong.length > 0
      ? (['failed', 'routes_wrong'] as const)
      : (['unconfirmed', 'routes_unknown'] as const);
  const evidence = first.evidence.map((one) => ({ ...one }));
  throw new ToolError(ending, `the work is done, but ${first.message}`, {
    code,
    evidence,
    hint: first.next,
  });
}

/** Refuses a --route that cannot be read before anything is done. */
export async function checkRoutes(
  context: Context,
  { routes, group }: RoutesOfAction,
): Promise<void> {
  await routesMeant(context, routes, group);
}
