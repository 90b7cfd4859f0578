/** Addresses of etcd, as people write them, to host and port. */
import { isIPv6 } from 'node:net';

/** Where one etcd server listens. */
export interface Endpoint {
  protocol: 'http' | 'https';
  host: string;
  port: number;
}

export type Protocol = Endpoint['protocol'];

export interface Address {
  /** null when the text names none. */
  protocol: Protocol | null;
  host: string;
  port: number;
  username: string | null;
  password: string | null;
}

/** The problem in words that quote nothing of the text, which may hold a password. */
export interface BadAddress {
  problem: string;
}

const DEFAULT_PORT = 2379;

const NO_HOST = 'is not a host name or address';

const BARE_LOGIN = 'has a login: write it as http://user:password@host';

/** `@` after the first slash: the login was probably meant to hold that slash. */
export const UNCLEAR_LOGIN = 'has an @ after a slash: write a slash inside a login as %2F';

/** `[http[s]://][user:password@]host[:port][/…]`; brackets around IPv6 may be missing. */
export function parseAddress(text: string, defaultPort = DEFAULT_PORT): Address | BadAddress {
  const trimmed = text.trim();
  const url = /^(?:([^/]*):)?\/\/([^]*)$/.exec(trimmed);
  const protocol = url?.[1]?.toLowerCase() ?? null;
  if (protocol !== null && protocol !== 'http' && protocol !== 'https') {
    return { problem: 'must begin with http:// or https://, or name a host' };
  }
  const rest = url?.[2] ?? trimmed;
  const authority = rest.split(/[/?#]/, 1)[0] ?? '';
  // Half a password must not become a port that is shown.
  if (rest.slice(authority.length).includes('@')) return { problem: UNCLEAR_LOGIN };
  const { login, host } = splitLogin(authority);
  // In a list between commas this is the second half of a password with a comma.
  if (host !== authority && !protocol) return { problem: BARE_LOGIN };
  const place = parseHostPort(host, defaultPort);
  return 'problem' in place ? place : { protocol, ...place, ...login };
}

/** `user:password@host` apart; Patroni does not decode the login, so neither does this. */
export function splitLogin(authority: string): {
  login: { username: string | null; password: string | null };
  host: string;
} {
  const end = authority.lastIndexOf('@');
  if (end < 0) return { login: { username: null, password: null }, host: authority };
  const [username = '', ...password] = authority.slice(0, end).split(':');
  return {
    login: { username: username || null, password: password.join(':') || null },
    host: authority.slice(end + 1),
  };
}

/** `host`, `host:port`, `[v6]`, `[v6]:port`, `v6`; a host without brackets is cut as Patroni does. */
export function parseHostPort(
  text: string,
  defaultPort = DEFAULT_PORT,
): { host: string; port: number } | BadAddress {
  const trimmed = text.trim();
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(trimmed);
  if (bracketed && !isIPv6(bracketed[1] ?? '')) return { problem: NO_HOST };
  if (bracketed) return place(bracketed[1] ?? '', bracketed[2], defaultPort);
  const cut = trimmed.lastIndexOf(':');
  if (cut < 0) return place(trimmed, undefined, defaultPort);
  const [host, port] = [trimmed.slice(0, cut), trimmed.slice(cut + 1)];
  if (!host.includes(':') || isIPv6(host)) return place(host, port, defaultPort);
  return place(trimmed, undefined, defaultPort);
}

// Not \p{Cc}: the first property of Unicode that a run asks for costs 3 ms.
const HOST_NAME = /^[^\s@[\]/?#\\\x00-\x1f\x7f-\x9f]+$/;

function place(
  host: string,
  portText: string | undefined,
  defaultPort: number,
): { host: string; port: number } | BadAddress {
  if (host === '') return { problem: 'names no host' };
  if (host.includes(':') ? !isIPv6(host) : !HOST_NAME.test(host)) {
    return { problem: NO_HOST };
  }
  const port = portText === undefined ? defaultPort : parsePort(portText);
  return port === null ? { problem: 'has no port between 1 and 65535' } : { host, port };
}

/** null if it is not a port. */
export function parsePort(text: string): number | null {
  if (!/^\d{1,5}$/.test(text)) return null;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : null;
}

/** `http://[::1]:2379`; without a login, so it may be shown. */
export function showEndpoint({ protocol, host, port }: Endpoint): string {
  return `${protocol}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
