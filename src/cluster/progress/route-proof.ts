/** Whether the routes of clients lead where they should after a change: pure, on what answered through each. */
import type { Finding } from '../model/model.js';
import type { RouteState } from '../routes/route-state.js';

/** The routes that a change has to prove. */
export interface RouteGoal {
  /** `CODE NAME` of warnings that were there before: they are not awaited. */
  before: readonly string[];
  /** No other member is expected to stream afterwards: then a read route has nowhere to lead. */
  hasReplica: boolean;
}

export interface RouteProof {
  /** What has to go away before the routes are right. */
  wrong: Finding[];
  /** Routes that answer and take no login of ours. */
  unasked: Finding[];
  /** Every route and where it leads. */
  said: string;
}

/** `CODE NAME` */
export function warningsOf(states: readonly RouteState[]): string[] {
  return states.flatMap(({ name, findings }) =>
    findings.filter(({ severity }) => severity === 'warning').map(({ code }) => `${code} ${name}`),
  );
}

/** Only what concerns clients is awaited: a critical finding, or reads that arrive at the primary since the change. */
export function routeProof(states: readonly RouteState[], goal: RouteGoal): RouteProof {
  const wrong = states.flatMap(({ name, reading, findings }) =>
    findings.filter(({ code, severity }) => {
      const isMoot = reading.route.kind === 'ro' && !goal.hasReplica && isAboutReplicas(code);
      if (isMoot) return false;
      if (severity === 'critical') return true;
      return code === 'read_route_primary' && !goal.before.includes(`${code} ${name}`);
    }),
  );
  const unasked = states.flatMap(({ findings }) =>
    findings.filter(({ code }) => code === 'route_unasked'),
  );
  const said = states.map(({ name, reading, leadsTo }) => {
    const isLeft = reading.route.kind === 'rw' || goal.hasReplica;
    const nowhere = isLeft ? 'no server' : 'no server, because no replica is left';
    return `${name} to ${leadsTo.join(', ') || nowhere}`;
  });
  return { wrong, unasked, said: said.join('; ') };
}

function isAboutReplicas(code: string): boolean {
  return code === 'read_route_empty' || code === 'read_route_primary';
}
