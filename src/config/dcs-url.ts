/** `--dcs-url`: where etcd is, and perhaps a namespace. TLS and login come from file and environment. */
import { ToolError } from '../errors.js';
import { parseHostPort, splitLogin, UNCLEAR_LOGIN } from './endpoints.js';

export interface DcsUrl {
  places: { host: string; port: number }[];
  /** null when the URL names none. */
  namespace: string | null;
  username: string | null;
  password: string | null;
  /** False: the scheme was left out. */
  scheme: boolean;
  from: string;
}

/** DCSs that Patroni knows and patctl does not speak yet. */
const UNSUPPORTED = ['etcd', 'consul', 'zookeeper', 'exhibitor', 'raft'];

/** What patronictl takes a URL without a scheme for when it has one of these ports. */
const TELLING_PORTS: Record<string, string> = {
  '2181': 'zookeeper',
  '8181': 'exhibitor',
  '8500': 'consul',
};

/** Throws `usage` for a malformed flag, `error` for a malformed DCS_URL and for other DCSs. */
export function parseDcsUrl(url: string, from: string): DcsUrl {
  const text = url.trim();
  const bad = (problem: string): ToolError =>
    new ToolError(from.startsWith('flag') ? 'usage' : 'error', `${from}: ${problem}`, {
      code: 'bad_dcs_url',
      hint: 'write etcd3://host:port[,host:port][/namespace]',
    });
  const [, scheme, rest = text] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?\/\/([^]*)$/.exec(text) ?? [];
  if (scheme !== undefined) checkScheme(scheme.toLowerCase(), from, bad);
  if (/[?#]/.test(rest)) throw bad('a query or fragment is not allowed');
  const slash = rest.indexOf('/');
  if (slash >= 0 && rest.slice(slash).includes('@')) throw bad(`the address ${UNCLEAR_LOGIN}`);
  const { login, host } = splitLogin(slash < 0 ? rest : rest.slice(0, slash));
  const places = host.split(',').map((item) => {
    const place = parseHostPort(/^\s*(?::|$)/.test(item) ? `localhost${item.trim()}` : item);
    if ('problem' in place) throw bad(`the address ${place.problem}`);
    return place;
  });
  const guess = scheme === undefined ? TELLING_PORTS[String(places[0]?.port)] : undefined;
  if (guess !== undefined) throw notSupported(guess, from);
  const path = slash < 0 ? '' : rest.slice(slash).trim();
  return {
    places,
    namespace: /^\/*$/.test(path) ? null : path,
    username: decode(login.username),
    password: decode(login.password),
    scheme: scheme !== undefined,
    from,
  };
}

/** The answer to every DCS but etcd v3 and Kubernetes. */
export function notSupported(dcs: string, from: string): ToolError {
  const name = dcs === 'etcd' ? 'etcd (v2)' : dcs;
  return new ToolError(
    'error',
    `${from}: ${name} is not supported yet, supported: etcd3, kubernetes`,
    {
      code: 'dcs_not_supported',
      hint: 'if the cluster is in etcd v3, write etcd3: in the file or give --dcs-url etcd3://host:port',
    },
  );
}

function checkScheme(scheme: string, from: string, bad: (problem: string) => ToolError): void {
  if (scheme === 'etcd3') return;
  if (scheme === 'kubernetes') {
    throw new ToolError(
      'error',
      `${from}: Kubernetes is not named by a URL: give --kube-context NAME or a kubernetes section`,
      { code: 'bad_dcs_url' },
    );
  }
  if (UNSUPPORTED.includes(scheme)) throw notSupported(scheme, from);
  throw bad(`unknown scheme ${scheme}, supported: etcd3`);
}

/** Percent escapes resolved, or the text itself when they are invalid. */
function decode(text: string | null): string | null {
  if (text === null) return null;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
