/** Where names of hosts lead, to check whether two of them are one place. */
import { loopback } from '../cluster/model/member-address.js';
import type { Context } from '../context.js';

/** Where a server listens; null where its key does not say. */
interface Place {
  host: string | null;
  port: number | null;
}

/** The candidates whose address is new: not a known one, and not that of an earlier candidate. */
export async function elsewhere<T extends Place>(
  context: Context,
  candidates: readonly T[],
  known: readonly Place[],
): Promise<T[]> {
  const hosts = [...known, ...candidates].flatMap(({ host }) => host ?? []);
  const addresses = await addressesOf(context, hosts);
  const taken = new Set<string>();
  const places = ({ host, port }: Place): string[] =>
    host === null || port === null
      ? []
      : [host, ...(addresses.get(host) ?? [])].map((at) => `${loopback(at.toLowerCase())} ${port}`);
  for (const one of known) places(one).forEach((place) => taken.add(place));
  return candidates.filter((one) => {
    const at = places(one);
    const isNew = !at.some((place) => taken.has(place));
    at.forEach((place) => taken.add(place));
    return isNew;
  });
}

/** Every address of every host; a name that leads nowhere in time has none. */
export async function addressesOf(
  context: Context,
  hosts: readonly string[],
): Promise<Map<string, string[]>> {
  const [{ isIP }, { lookup }] = await Promise.all([
    import('node:net'),
    import('node:dns/promises'),
  ]);
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, context.signal]);
  const late = context.clock.wait(context.flags.timeoutMs, signal).then(() => []);
  const find = async (host: string): Promise<[string, string[]]> => {
    if (isIP(host) !== 0) return [host, [host]];
    const found = lookup(host, { all: true }).then(
      (all) => all.map(({ address }) => address),
      () => [],
    );
    return [host, await Promise.race([found, late])];
  };
  const all = await Promise.all([...new Set(hosts)].map(find));
  done.abort();
  return new Map(all);
}
