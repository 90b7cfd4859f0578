/** Where a client of a route ends, by what answered at each of its addresses: libpq's own order, without a network. */
import type {
  RouteAddress,
  RouteAnswer,
  RouteReading,
  TargetSessionAttrs,
} from '../model/route-model.js';

/** One connection that was made, and to which address. */
export interface Connected {
  at: RouteAddress;
  answer: RouteAnswer;
}

export interface Landing {
  /** Servers at which a client may end, a row for each connection. */
  ends: Connected[];
  /** Servers that answered and are not what target_session_attrs demands. */
  passed: Connected[];
  /** Connections that led to no server. */
  dead: { at: RouteAddress; reason: string }[];
  /** Something answered and did not take our login: a client with another one may end there. */
  refused: { at: RouteAddress; reason: string }[];
}

/** Whether a client with this demand stays at the server. `prefer-standby` in its first pass is `standby`. */
export function isDemanded(attrs: TargetSessionAttrs, answer: RouteAnswer): boolean {
  const { inRecovery, defaultReadOnly } = answer;
  const isReadOnly = inRecovery || defaultReadOnly;
  switch (attrs) {
    case 'any':
      return true;
    case 'read-write':
      return !isReadOnly;
    case 'read-only':
      return isReadOnly;
    case 'primary':
      return !inRecovery;
    case 'standby':
    case 'prefer-standby':
      return inRecovery;
  }
}

/**
 * Every place where a client of the route may end. Hosts are tried in their order, or in any with load_balance_hosts;
 * any address of a host may be the first. An address that does not answer is passed over, and so is a host whose
 * server is not what is demanded. A host where every answer fits is the last one that is tried.
 */
export function landingOf({ route, addresses }: RouteReading): Landing {
  const { targetSessionAttrs: attrs, random } = route;
  const landing: Landing = { ends: [], passed: [], dead: [], refused: [] };
  const second: Connected[] = [];
  let isOver = false;
  for (const host of route.hosts.keys()) {
    const here = addresses.filter((one) => one.host === host);
    const { connected, refused, dead } = sorted(here);
    landing.dead.push(...dead);
    if (isOver) continue;
    landing.refused.push(...refused);
    const fitting = connected.filter(({ answer }) => isDemanded(attrs, answer));
    const others = connected.filter(({ answer }) => !isDemanded(attrs, answer));
    landing.ends.push(...fitting);
    landing.passed.push(...others);
    second.push(...others);
    const staysHere = connected.length > 0 && others.length === 0 && refused.length === 0;
    if (staysHere && !random) isOver = true;
  }
  if (attrs !== 'prefer-standby' || landing.ends.length > 0) return landing;
  // Without a standby the hosts are tried again, and the first that answers is taken.
  return { ...landing, ends: random ? second : firstHost(second), passed: [] };
}

function firstHost(connected: readonly Connected[]): Connected[] {
  return connected.filter(({ at }) => at.host === connected[0]?.at.host);
}

function sorted(
  addresses: readonly RouteAddress[],
): Pick<Landing, 'dead' | 'refused'> & { connected: Connected[] } {
  const found: ReturnType<typeof sorted> = { connected: [], dead: [], refused: [] };
  for (const at of addresses) {
    for (const reading of at.connections) {
      if (reading.ok) found.connected.push({ at, answer: reading.value });
      else if (reading.kind === 'unreachable') found.dead.push({ at, reason: reading.reason });
      else found.refused.push({ at, reason: reading.reason });
    }
  }
  return found;
}
