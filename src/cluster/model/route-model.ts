/** Routes: the addresses by which clients reach the cluster, and what answers there. Data only. */
import type { Reading } from './reading.js';

/** rw: clients that write, it has to lead to the primary; ro: clients that only read, to replicas that stream. */
export type RouteKind = 'rw' | 'ro';

/** What libpq demands of a server before it stays there. */
export const TARGET_SESSION_ATTRS = [
  'any',
  'read-write',
  'read-only',
  'primary',
  'standby',
  'prefer-standby',
] as const;
export type TargetSessionAttrs = (typeof TARGET_SESSION_ATTRS)[number];

export interface RouteHost {
  /** A name, an address, or the folder of a Unix socket. */
  host: string;
  /** `hostaddr` of libpq: the name is not looked up. */
  hostaddr: string | null;
  port: number;
}

/** A route without its login: this much is recorded and printed. */
export interface Route {
  kind: RouteKind;
  /** Hosts and what is demanded of them, e.g. `db1:5432,db2:5432?target_session_attrs=read-write`; no login. */
  text: string;
  /** In the order in which a client tries them; at least one. */
  hosts: RouteHost[];
  targetSessionAttrs: TargetSessionAttrs;
  /** load_balance_hosts=random: the hosts are tried in any order. */
  random: boolean;
}

/** The server that answered one connection. */
export interface RouteAnswer {
  systemId: string | null;
  inRecovery: boolean;
  /** As SqlStatus.startedAt: tells two servers of one database apart. */
  startedAt: string | null;
  /** Where that server was reached; null through a Unix socket. */
  address: string | null;
  port: number | null;
  /** null: our login may not see the WAL receiver of a standby. */
  timeline: number | null;
  /** Its WAL receiver streams; null: a primary, or our login may not see it. */
  streams: boolean | null;
  /** default_transaction_read_only, for target_session_attrs. */
  defaultReadOnly: boolean;
}

/** One address of one host of a route, and the connections that were made to it. */
export interface RouteAddress {
  /** Index in Route.hosts. */
  host: number;
  /** null: the name leads to no address. */
  address: string | null;
  /** At least one. A proxy may lead each to another server. */
  connections: Reading<RouteAnswer>[];
}

export interface RouteReading {
  route: Route;
  addresses: RouteAddress[];
}

/** `rw db1:5432`, as messages and evidence name a route. */
export function routeName({ kind, text }: Pick<Route, 'kind' | 'text'>): string {
  return `${kind} ${text}`;
}
