/** Where clients arrive: the routes of --route and `patctl.routes`, judged by what the members say. */
import { routeStates } from '../routes/route-state.js';
import type { Finding } from '../model/model.js';
import { routeName, type RouteKind } from '../model/route-model.js';
import type { View } from '../roles/view.js';

/** The findings of one code; none where no route was asked. */
export function routeFindings(code: string): (view: View) => Finding[] {
  return (view) => {
    if (view.snapshot.routes === undefined) return [];
    const all = routeStates(view).flatMap(({ findings }) => findings);
    return all.filter((finding) => finding.code === code);
  };
}

/** Why a finding about routes could not be looked for; null: it could, on every route that it is about. */
export function routesUnlooked(code: string, view: View): string | null {
  const { routes } = view.snapshot;
  if (routes === undefined) return NEEDS_ROUTE;
  const kind = kindOf(code);
  const meant = routes.filter(({ route }) => kind === null || route.kind === kind);
  if (meant.length === 0) return `no ${kind ?? ''} route is given`;
  const states = routeStates(view).filter(({ reading }) => meant.includes(reading));
  const [unasked] = states.flatMap(({ findings }) =>
    findings.filter((finding) => finding.code === 'route_unasked'),
  );
  return code === 'route_unasked' ? null : (unasked?.message ?? null);
}

export const NEEDS_ROUTE = 'needs --route';

function kindOf(code: string): RouteKind | null {
  if (code.startsWith('write_')) return 'rw';
  return code.startsWith('read_') ? 'ro' : null;
}

export interface CheckedRoute {
  /** `rw HOST:PORT`, without a login. */
  route: string;
  /** Servers at which a client may end: names of members, or addresses; empty: at none that is known. */
  leadsTo: string[];
  /** Codes of what is wrong with it. */
  codes: string[];
}

/** Every route that was asked, and where it leads. */
export function checkedRoutes(view: View): CheckedRoute[] {
  if (view.snapshot.routes === undefined) return [];
  return routeStates(view).map(({ reading, leadsTo, findings }) => ({
    route: routeName(reading.route),
    leadsTo,
    codes: findings.map(({ code }) => code),
  }));
}
