/** Which member an address leads to, by name or by any address that the names stand for. */
import type { Cluster, Member } from './model.js';

export type Addresses = ReadonlyMap<string, readonly string[]>;

/** This machine under one name: localhost may be either of its addresses. */
export function loopback(address: string): string {
  return ['127.0.0.1', '::1', '::ffff:127.0.0.1'].includes(address) ? 'localhost' : address;
}

/** The member behind one of these hosts at this port. */
export function memberAt(
  { members }: Pick<Cluster, 'members'>,
  addresses: Addresses,
  hosts: readonly string[],
  port: number,
): Member | undefined {
  const all = (host: string) => [host.toLowerCase(), ...(addresses.get(host) ?? [])].map(loopback);
  const wanted = hosts.flatMap(all);
  return members.find(
    (one) =>
      one.host !== null && one.port === port && all(one.host).some((at) => wanted.includes(at)),
  );
}
