/** Where etcd is and how to log in there, out of the merged configuration. */
import { ToolError } from '../errors.js';
import type { EtcdSettings } from './effective.js';
import { notSupported, type DcsUrl } from './dcs-url.js';
import { parseAddress, showEndpoint, type Address, type Protocol } from './endpoints.js';
import { LOCATIONS, SRV_KEYS } from './known-keys.js';
import type { Reader } from './typed-values.js';
import { wrongValue, type Sourced } from './tree.js';

export interface FoundEtcd {
  settings: EtcdSettings | null;
  /** Printable, without logins; null when nothing tells where etcd is. */
  hosts: Sourced<string> | null;
  /** The domain that the DNS is asked about, and the suffix. */
  srv: Sourced<string> | null;
  srvSuffix: Sourced<string> | null;
  username: Sourced<string> | null;
  password: Sourced<string> | null;
}

interface Located {
  addresses: Address[];
  from: string;
}

/** Sections that Patroni takes before and after etcd3 when a file has several. */
const BEFORE_ETCD3 = ['consul', 'etcd'];
const AFTER_ETCD3 = ['exhibitor', 'kubernetes', 'raft', 'zookeeper'];
const AFTER_KUBERNETES = ['raft', 'zookeeper'];

/** Settings for etcd v3; throws when the configuration means a DCS that is not supported. */
export function findEtcd(
  reader: Reader,
  url: DcsUrl | null,
  warnings: string[],
  isKubeMeant: boolean,
): FoundEtcd {
  if (isKubeMeant) return NO_ETCD;
  if (!url) checkOtherDcs(reader, warnings);
  const inSection = locate(reader, url !== null);
  const located = url ? { addresses: url.places.map(asAddress), from: url.from } : inSection;
  const { srv, srvSuffix } = url ? NO_SRV : readSrv(reader);
  const fallback = protocolOf(reader, url !== null, inSection);
  const endpoints = (located?.addresses ?? []).map(({ protocol, host, port }) => ({
    protocol: protocol ?? fallback,
    host,
    port,
  }));
  const login = findLogin(reader, url, located);
  const text = (key: string): string | null => reader.text(`etcd3.${key}`)?.value ?? null;
  const isKnown = located !== null || srv !== null;
  return {
    ...login,
    hosts: located && {
      value: endpoints.map(showEndpoint).join(','),
      from: located.from,
    },
    srv,
    srvSuffix,
    settings: isKnown
      ? {
          endpoints,
          srv: srv && { domain: srv.value, suffix: srvSuffix?.value ?? null },
          username: login.username?.value ?? null,
          password: login.password?.value ?? null,
          cacert: text('cacert'),
          cert: text('cert'),
          key: text('key'),
          keyPassword: text('key_password'),
        }
      : null,
  };
}

const NO_ETCD: FoundEtcd = {
  settings: null,
  hosts: null,
  srv: null,
  srvSuffix: null,
  username: null,
  password: null,
};
const NO_SRV = { srv: null, srvSuffix: null };

/** A proxy is used as given; service records override everything else. */
function readSrv(reader: Reader): Pick<FoundEtcd, 'srv' | 'srvSuffix'> {
  if (reader.text('etcd3.proxy')) return NO_SRV;
  const given = SRV_KEYS.map((name) => [name, reader.text(`etcd3.${name}`)] as const);
  const [key, srv = null] = given.find(([, found]) => found !== null) ?? [];
  if (key === undefined || srv === null) return NO_SRV;
  const srvSuffix = reader.text('etcd3.srv_suffix');
  for (const [name, found] of [
    [key, srv],
    ['srv_suffix', srvSuffix],
  ] as const) {
    if (found && !/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$/.test(found.value)) {
      throw wrongValue(`etcd3.${name}`, found.from, 'is not a valid DNS name');
    }
  }
  return { srv, srvSuffix };
}

function asAddress(place: { host: string; port: number }): Address {
  return { ...place, protocol: null, username: null, password: null };
}

function checkOtherDcs(reader: Reader, warnings: string[]): void {
  const { entries } = reader.tree;
  const isKube = !entries.has('etcd3') && entries.has('kubernetes');
  const ignored = isKube ? AFTER_KUBERNETES : AFTER_ETCD3;
  const others = [...BEFORE_ETCD3, ...AFTER_ETCD3].filter((dcs) => dcs !== 'kubernetes');
  const blocking = entries.has('etcd3')
    ? BEFORE_ETCD3
    : others.filter((dcs) => !isKube || !ignored.includes(dcs));
  for (const dcs of blocking) {
    const section = entries.get(dcs);
    if (section) throw notSupported(dcs, section.from);
  }
  const used = isKube ? 'kubernetes' : 'etcd3';
  for (const dcs of ignored) {
    const section = entries.get(dcs);
    if (section) warnings.push(`${section.from}: ${dcs} is ignored because ${used} is also given`);
  }
}

/** With `overruled`, nothing here decides where etcd is, so an invalid address is not an error. */
function locate(reader: Reader, overruled: boolean): Located | null {
  try {
    return readLocation(reader);
  } catch (error) {
    if (overruled && error instanceof ToolError) return null;
    throw error;
  }
}

function readLocation(reader: Reader): Located | null {
  const port = readPort(reader);
  for (const name of LOCATIONS) {
    const key = `etcd3.${name}`;
    if (name === 'hosts') {
      const list = reader.list(key);
      if (!list) continue;
      if (list.items.length === 0) throw wrongValue(key, list.from, 'names no host');
      return {
        addresses: list.items.map((item) => addressOf(key, item, port?.value)),
        from: list.from,
      };
    }
    const item = reader.text(key);
    if (!item) continue;
    const address = addressOf(key, item, name === 'host' ? port?.value : undefined);
    // Patroni lets etcd3.port win over a port inside etcd3.host.
    if (name === 'host' && port) address.port = port.value;
    return { addresses: [address], from: item.from };
  }
  return null;
}

function readPort(reader: Reader): Sourced<number> | null {
  const port = reader.int('etcd3.port');
  if (port && (port.value < 1 || port.value > 65535)) {
    throw wrongValue('etcd3.port', port.from, 'must be between 1 and 65535');
  }
  return port;
}

function addressOf(key: string, item: Sourced<string>, defaultPort: number | undefined): Address {
  const address = parseAddress(item.value, defaultPort);
  if ('problem' in address) throw wrongValue(key, item.from, address.problem);
  return address;
}

/** The protocol of addresses that name none; with `overruled` they stand in for the section's own. */
function protocolOf(reader: Reader, overruled: boolean, located: Located | null): Protocol {
  const given = reader.text('etcd3.protocol');
  const word = given?.value.trim().toLowerCase();
  if (given) {
    if (word === 'http' || word === 'https') return word;
    throw wrongValue('etcd3.protocol', given.from, 'must be http or https');
  }
  const certificates = reader.text('etcd3.cacert') ?? reader.text('etcd3.cert');
  if (overruled && !located && certificates) return 'https';
  return (overruled && located?.addresses[0]?.protocol) || 'http';
}

function findLogin(
  reader: Reader,
  url: DcsUrl | null,
  located: Located | null,
): Pick<FoundEtcd, 'username' | 'password'> {
  const inAddress = url ?? located?.addresses.find(({ username }) => username !== null);
  const from = located?.from;
  if (inAddress?.username && from !== undefined) {
    const { username, password } = inAddress;
    return {
      username: { value: username, from },
      password: password ? { value: password, from } : null,
    };
  }
  return { username: reader.text('etcd3.username'), password: reader.text('etcd3.password') };
}
