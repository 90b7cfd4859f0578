/** Where etcd is, out of the DNS: the service records that Patroni asks for, in its order. */
import type { SrvDomain } from '../../config/effective.js';
import { ToolError, type Evidence } from '../../errors.js';
import type { Endpoint } from '../../config/endpoints.js';
import { askPeer } from './peers.js';

/** One record; node:dns has the same names. */
export interface SrvRecord {
  name: string;
  port: number;
  priority: number;
}

/** Rejects if there are none, or if no server answered, with the reason in `code`. */
export type ResolveSrv = (name: string) => Promise<SrvRecord[]>;

/** The first one that leads to an address counts. */
const SERVICES = ['-client-ssl', '-client', '-ssl', '', '-server-ssl', '-server'];

interface Found {
  /** The full name that was asked for. */
  name: string;
  protocol: Endpoint['protocol'];
  /** The records name peers of etcd, which know the addresses for clients. */
  peers: boolean;
  records: SrvRecord[];
  /** Why there are none. */
  reason: string;
}

/** The addresses, or ToolError `unreachable` when no record leads to one within `timeoutMs`. */
export async function discoverEtcd(
  srv: SrvDomain,
  timeoutMs: number,
  resolveSrv?: ResolveSrv,
): Promise<Endpoint[]> {
  const resolver = resolveSrv ? { ask: resolveSrv, stop: () => undefined } : await systemDns();
  const late = AbortSignal.timeout(timeoutMs);
  try {
    // Side by side: a DNS server that is silent costs one deadline, not six.
    const all = await Promise.all(
      SERVICES.map((service) => look(nameOf(srv, service), resolver.ask, late)),
    );
    for (const found of all) {
      const endpoints = found.peers ? await fromPeers(found, late) : endpointsOf(found);
      if (endpoints.length > 0) return endpoints;
    }
    throw notFound(srv, all);
  } finally {
    resolver.stop();
  }
}

async function systemDns(): Promise<{ ask: ResolveSrv; stop: () => void }> {
  const { promises } = await import('node:dns');
  const resolver = new promises.Resolver();
  return { ask: (name) => resolver.resolveSrv(name), stop: () => resolver.cancel() };
}

/** Patroni looks for -ssl and -server in the whole label, the suffix included. */
function nameOf({ domain, suffix }: SrvDomain, service: string): Omit<Found, 'records' | 'reason'> {
  const label = suffix === null ? service : `${service}-${suffix}`;
  return {
    name: `_etcd${label}._tcp.${domain}`,
    protocol: label.includes('-ssl') ? 'https' : 'http',
    peers: label.includes('-server'),
  };
}

async function look(
  service: Omit<Found, 'records' | 'reason'>,
  ask: ResolveSrv,
  late: AbortSignal,
): Promise<Found> {
  try {
    const records = await unlessLate(ask(service.name), late);
    records.sort((a, b) => a.priority - b.priority);
    return { ...service, records, reason: 'no record' };
  } catch (error) {
    return { ...service, records: [], reason: reasonOf(error) };
  }
}

function unlessLate<T>(answer: Promise<T>, late: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const timeout = (): void => reject(Object.assign(new Error(), { code: 'ETIMEOUT' }));
    late.addEventListener('abort', timeout, { once: true });
    answer.then(resolve, reject);
  });
}

const REASONS: Record<string, string> = {
  ENOTFOUND: 'no such name',
  ENODATA: 'no record',
  ETIMEOUT: 'no answer in time',
  ECONNREFUSED: 'no DNS server answers',
  ESERVFAIL: 'the DNS server failed',
  EREFUSED: 'the DNS server refused',
};

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? 'failed';
  return REASONS[code] ?? code;
}

function endpointsOf({ records, protocol }: Found): Endpoint[] {
  return records.map(({ name, port }) => ({ protocol, host: name, port }));
}

/** Any one peer knows all: the first that answers is believed, as Patroni believes it. */
async function fromPeers(found: Found, late: AbortSignal): Promise<Endpoint[]> {
  for (const peer of endpointsOf(found)) {
    const answer = await askPeer(peer, late);
    if (Array.isArray(answer)) return answer;
    found.reason = answer;
  }
  return [];
}

function notFound({ domain }: SrvDomain, all: Found[]): ToolError {
  const evidence = all.map(({ name, reason }): Evidence => ({
    witness: 'DNS',
    subject: name,
    said: reason,
  }));
  return new ToolError('unreachable', `DNS has no usable record for etcd: etcd3.srv ${domain}`, {
    code: 'srv_not_found',
    evidence,
    hint: 'check the records and the DNS server of this machine, or list the hosts in etcd3.hosts',
  });
}
