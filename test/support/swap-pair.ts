/** Two sites on real Patroni as an operator has them, for swaps between them: each with its own etcd and names. */
import { startTcpHaproxy, type TcpHaproxy } from './haproxy.js';
import type { Lab } from './lab/cluster.js';
import type { ClusterOptions } from './lab/state.js';
import { privateCluster } from './shared.js';

const SLOTS = { slots: { swap: { type: 'physical' } } };

/** Synchronous modes on both (quorum where `east` has it), and one slot for either direction. */
export async function swapPair(
  options: Partial<ClusterOptions>,
  ofWest: Partial<ClusterOptions> = {},
): Promise<{ east: Lab; west: Lab }> {
  const hasQuorum = options.patroni === undefined || Number(options.patroni.split('.')[0]) >= 4;
  const sync = hasQuorum ? 'quorum' : 'on';
  const east = await privateCluster({ loopWait: 1, ...options, sync, dcs: SLOTS });
  const { host, port } = east.member((await east.leader()) ?? '');
  const standby_cluster = { host, port, primary_slot_name: 'swap' };
  const west = await privateCluster({
    ...{ loopWait: 1, ...options, sync: 'on', standbyOf: east.scope, ownEtcd: true },
    // Two walsenders of one name would keep Patroni from maintaining /sync.
    ...{ prefix: 'west', dcs: { ...SLOTS, standby_cluster }, ...ofWest },
  });
  return { east, west };
}

export interface PairRoutes {
  rw: number;
  ro: number;
  /** For a client that is to connect to `rw`. */
  through: Lab;
  haproxy: TcpHaproxy;
}

/** HAProxy before the members of both sites: whichever is the primary is behind `rw`. */
export async function pairRoutes(east: Lab, west: Lab): Promise<PairRoutes> {
  const named = (site: string, { members }: Lab) =>
    members.map((one) => ({ ...one, name: `${site}-${one.name}` }));
  const both = { ...east, members: [...named('east', east), ...named('west', west)] };
  const haproxy = await startTcpHaproxy(both, ['/primary', '/replica']);
  const [rw, ro] = [haproxy.ports['/primary'] ?? 0, haproxy.ports['/replica'] ?? 0];
  const [member] = east.members;
  if (member === undefined) throw new Error('a site without members');
  return { rw, ro, haproxy, through: { ...east, members: [{ ...member, port: rw }] } };
}
