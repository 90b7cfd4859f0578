/**
 * A route as it is written: `HOST:PORT`, or a connection string of libpq as a URI or as `key=value` words. Problems
 * never quote the text because it may hold a password.
 */
import {
  TARGET_SESSION_ATTRS,
  type Route,
  type RouteHost,
  type RouteKind,
} from '../model/route-model.js';

/** What the connection string says of the login; null where it is silent. */
export interface RouteLogin {
  user: string | null;
  password: string | null;
  dbname: string | null;
  sslmode: string | null;
  sslrootcert: string | null;
  sslcert: string | null;
  sslkey: string | null;
  sslpassword: string | null;
}

export type ParsedRoute =
  { ok: true; route: Route; login: RouteLogin } | { ok: false; problem: string };

type Words = Map<string, string>;
type Read = { words: Words } | { problem: string };

const DEFAULT_PORT = 5432;
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];

/** Keywords of libpq 18. Those that do not decide where a connection leads are read and have no effect. */
const KEYWORDS: ReadonlySet<string> = new Set(
  `host hostaddr port dbname user password passfile require_auth channel_binding connect_timeout client_encoding
  options application_name fallback_application_name keepalives keepalives_idle keepalives_interval keepalives_count
  tcp_user_timeout replication gssencmode sslmode requiressl sslnegotiation sslcompression sslcert sslkey
  sslkeylogfile sslpassword sslcertmode sslrootcert sslcrl sslcrldir sslsni requirepeer ssl_min_protocol_version
  ssl_max_protocol_version min_protocol_version max_protocol_version krbsrvname gsslib gssdelegation
  scram_client_key scram_server_key service servicefile target_session_attrs load_balance_hosts
  oauth_issuer oauth_client_id oauth_client_secret oauth_scope`.split(/\s+/),
);

/** `rw=HOST:PORT`, as --route takes it. */
export function parseRouteFlag(text: string): ParsedRoute {
  const [, kind, where] = /^(rw|ro)=([^]*)$/.exec(text) ?? [];
  if (where === undefined) return wrong('expected rw=HOST:PORT or ro=HOST:PORT');
  return parseRoute(kind === 'rw' ? 'rw' : 'ro', where);
}

/** `HOST:PORT[,HOST:PORT…][/DBNAME][?KEY=VALUE…]`, the same with postgresql:// before it, or `host=… port=…`. */
export function parseRoute(kind: RouteKind, text: string): ParsedRoute {
  const read = wordsOf(text.trim());
  if ('problem' in read) return wrong(read.problem);
  const { words } = read;
  if (words.has('service')) return wrong('service is not read here: give the hosts');
  const hosts = hostsOf(words);
  if ('problem' in hosts) return wrong(hosts.problem);
  const attrs = words.get('target_session_attrs') ?? 'any';
  const targetSessionAttrs = TARGET_SESSION_ATTRS.find((one) => one === attrs);
  if (targetSessionAttrs === undefined) {
    return wrong(`target_session_attrs must be one of ${TARGET_SESSION_ATTRS.join(', ')}`);
  }
  const balance = words.get('load_balance_hosts') ?? 'disable';
  if (balance !== 'disable' && balance !== 'random') {
    return wrong('load_balance_hosts must be disable or random');
  }
  const sslmode = words.get('sslmode') ?? null;
  if (sslmode !== null && !SSL_MODES.includes(sslmode)) {
    return wrong(`sslmode must be one of ${SSL_MODES.join(', ')}`);
  }
  const random = balance === 'random';
  const facts = { hosts: hosts.hosts, targetSessionAttrs, random };
  return { ok: true, route: { kind, text: textOf(facts), ...facts }, login: loginOf(words) };
}

function wrong(problem: string): ParsedRoute {
  return { ok: false, problem };
}

function loginOf(words: Words): RouteLogin {
  const word = (name: string): string | null => words.get(name) ?? null;
  return {
    user: word('user'),
    password: word('password'),
    dbname: word('dbname'),
    sslmode: word('sslmode'),
    sslrootcert: word('sslrootcert'),
    sslcert: word('sslcert'),
    sslkey: word('sslkey'),
    sslpassword: word('sslpassword'),
  };
}

function textOf({ hosts, targetSessionAttrs, random }: Omit<Route, 'kind' | 'text'>): string {
  const names = hosts.map(({ host, port }) =>
    host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
  );
  const options = [
    ...(targetSessionAttrs === 'any' ? [] : [`target_session_attrs=${targetSessionAttrs}`]),
    ...(random ? ['load_balance_hosts=random'] : []),
  ];
  return `${names.join(',')}${options.length === 0 ? '' : `?${options.join('&')}`}`;
}

// ---------------------------------------------------------------- hosts

/** As libpq joins host, hostaddr and port: each list has as many entries as the hosts, or port has one for all. */
function hostsOf(words: Words): { hosts: RouteHost[] } | { problem: string } {
  const listed = (name: string): string[] => {
    const value = words.get(name) ?? '';
    return value === '' ? [] : value.split(',').map((item) => item.trim());
  };
  const [names, addresses, ports] = [listed('host'), listed('hostaddr'), listed('port')];
  const count = addresses.length > 0 ? addresses.length : names.length;
  if (count === 0) return { problem: 'it names no host' };
  if (names.length > 0 && names.length !== count) {
    return { problem: `${count} hostaddr values do not match ${names.length} hosts` };
  }
  if (ports.length > 1 && ports.length !== count) {
    return { problem: `${ports.length} ports do not match ${count} hosts` };
  }
  const hosts: RouteHost[] = [];
  for (let at = 0; at < count; at += 1) {
    const hostaddr = addresses[at] || null;
    const host = names[at] || hostaddr;
    const written = (ports.length === 1 ? ports[0] : ports[at]) || String(DEFAULT_PORT);
    const port = /^[0-9]{1,5}$/.test(written) ? Number(written) : 0;
    if (host === null) return { problem: `host ${at + 1} is empty` };
    if (port < 1 || port > 65535) return { problem: `the port of host ${at + 1} is not a port` };
    hosts.push({ host, hostaddr, port });
  }
  return { hosts };
}

// ---------------------------------------------------------------- the three ways to write it

function wordsOf(text: string): Read {
  if (/^postgres(ql)?:\/\//.test(text)) return uriWords(text.replace(/^postgres(ql)?:\/\//, ''));
  if (/^[a-z_]+\s*=/.test(text)) return keywordWords(text);
  return uriWords(text);
}

/** `key = value` words: blanks around `=`, values in single quotes, a backslash before any character. */
function keywordWords(text: string): Read {
  const words: Words = new Map();
  let at = 0;
  const blanks = (): void => {
    while (/\s/.test(text[at] ?? '')) at += 1;
  };
  for (blanks(); at < text.length; blanks()) {
    const start = at;
    while (at < text.length && !/[=\s]/.test(text[at] ?? '')) at += 1;
    const name = text.slice(start, at);
    blanks();
    if (text[at] !== '=') return { problem: `keyword ${words.size + 1} has no "=" after it` };
    at += 1;
    blanks();
    const quoted = text[at] === "'";
    if (quoted) at += 1;
    let value = '';
    while (at < text.length && !(quoted ? text[at] === "'" : /\s/.test(text[at] ?? ''))) {
      if (text[at] === '\\') at += 1;
      value += text[at] ?? '';
      at += 1;
    }
    if (quoted && text[at] !== "'") return { problem: 'a quoted value does not end' };
    if (quoted) at += 1;
    const problem = take(words, name, value);
    if (problem !== null) return { problem };
  }
  return { words };
}

/** Adds a word; a later one stands for an earlier one. */
function take(words: Words, name: string, value: string): string | null {
  // Not by its name: it may be a part of a password that was not quoted.
  if (!KEYWORDS.has(name)) return `keyword ${words.size + 1} is not one of libpq`;
  words.set(name, value);
  return null;
}

/** `[USER[:PASSWORD]@]HOST[:PORT][,…][/DBNAME][?KEY=VALUE&…]`; an @ before the first slash ends a login, as in libpq. */
function uriWords(text: string): Read {
  const words: Words = new Map();
  const sign = text.search(/[@/]/);
  const hasLogin = text[sign] === '@';
  const rest = hasLogin ? text.slice(sign + 1) : text;
  const [, list = '', dbname = '', query = ''] =
    /^([^/?]*)(?:\/([^?]*))?(?:\?([^]*))?$/.exec(rest) ?? [];
  try {
    if (hasLogin) takeUserinfo(words, text.slice(0, sign));
    const problem = takeHostList(words, list);
    if (problem !== null) return { problem };
    if (dbname !== '') words.set('dbname', decoded(dbname));
    const unread = takeQuery(words, query);
    if (unread !== null) return { problem: unread };
  } catch {
    return { problem: 'a percent sign is not followed by two hexadecimal digits' };
  }
  return { words };
}

function takeUserinfo(words: Words, userinfo: string): void {
  const colon = userinfo.indexOf(':');
  words.set('user', decoded(colon < 0 ? userinfo : userinfo.slice(0, colon)));
  if (colon >= 0) words.set('password', decoded(userinfo.slice(colon + 1)));
}

function takeHostList(words: Words, list: string): string | null {
  if (list === '') return null;
  const hosts: string[] = [];
  const ports: string[] = [];
  for (const [at, item] of list.split(',').entries()) {
    const [, address, name, port = ''] =
      /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]\s]*))(?::([^:]*))?$/.exec(item.trim()) ?? [];
    const host = address ?? name;
    if (host === undefined) return `host ${at + 1} is not HOST, HOST:PORT or [ADDRESS]:PORT`;
    hosts.push(decoded(host));
    ports.push(port);
  }
  words.set('host', hosts.join(','));
  words.set('port', ports.join(','));
  return null;
}

function takeQuery(words: Words, query: string): string | null {
  for (const [at, pair] of query.split('&').entries()) {
    if (pair === '') continue;
    const [name = '', value, ...rest] = pair.split('=');
    if (value === undefined || rest.length > 0) return `parameter ${at + 1} is not KEY=VALUE`;
    const key = decoded(name);
    const given = decoded(value);
    // As libpq has it, for URIs of JDBC.
    const [as, to] = key === 'ssl' && given === 'true' ? ['sslmode', 'require'] : [key, given];
    const problem = take(words, as, to);
    if (problem !== null) return `parameter ${at + 1} is not a keyword of libpq`;
  }
  return null;
}

/** Throws URIError. */
function decoded(text: string): string {
  return decodeURIComponent(text);
}
