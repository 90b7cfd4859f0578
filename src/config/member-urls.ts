/** `--rest`: addresses of members' REST APIs, of which any one leads to its cluster. */
import { ToolError } from '../errors.js';
import type { MemberUrls } from './effective.js';
import { parseAddress, showEndpoint } from './endpoints.js';
import type { Env } from './environment.js';
import { isKubeMeant, type KubeFlags } from './kubernetes-settings.js';
import type { Reader } from './typed-values.js';

const REST_PORT = 8008;
/** As URLs have them, where a scheme is written and no port. */
const PORTS = { http: 80, https: 443 } as const;
/** What an api_url of Patroni's, or a copied address, may end with. */
const PATHS = ['', '/', '/patroni', '/cluster'];

type Flags = KubeFlags & { rest?: string | undefined; dcsUrl?: string | undefined };

/** The addresses that are meant, by option, PATCTL_REST or `patctl.rest`; null: the DCS itself is asked. */
export function findMemberUrls(reader: Reader, flags: Flags, env: Env): MemberUrls | null {
  const dcsOption =
    flags.dcsUrl !== undefined ? '--dcs-url' : isKubeMeant(flags) ? '--kube-' : null;
  if (flags.rest !== undefined) {
    if (dcsOption !== null) throw twoWays(dcsOption);
    return memberUrls(flags.rest.split(','), 'flag --rest');
  }
  if (dcsOption !== null) return null;
  const variable = env['PATCTL_REST'];
  if (variable) return memberUrls(variable.split(','), 'environment PATCTL_REST');
  if (env['DCS_URL']) return null;
  const list = reader.list('patctl.rest');
  if (!list) return null;
  return memberUrls(
    list.items.map(({ value }) => value),
    list.from,
  );
}

function memberUrls(texts: readonly string[], from: string): MemberUrls {
  const given = texts.filter((text) => text.trim() !== '');
  // An empty list is a mistake, not a request to ask the DCS.
  return { urls: (given.length > 0 ? given : ['']).map((text) => urlOf(text, from)), from };
}

function urlOf(text: string, from: string): string {
  const bad = (problem: string): ToolError =>
    new ToolError(from.startsWith('flag') ? 'usage' : 'error', `${from}: ${problem}`, {
      code: 'bad_rest_url',
      hint: 'write http://host:port[,http://host:port]; without a scheme host[:8008] is read as http',
    });
  const url = /^\s*(https?):\/\/([^/?#]*)([^]*?)\s*$/i.exec(text);
  const scheme = url?.[1]?.toLowerCase() === 'https' ? 'https' : 'http';
  const address = parseAddress(text, url ? PORTS[scheme] : REST_PORT);
  if ('problem' in address) throw bad(`an address ${address.problem}`);
  if (address.username !== null) {
    throw bad('a login in the address is not read: put it into ctl.authentication');
  }
  if (!PATHS.includes(url?.[3] ?? '')) throw bad('an address has a path: only host and port count');
  const { host, port } = address;
  return showEndpoint({ protocol: scheme, host, port });
}

function twoWays(other: string): ToolError {
  const named = other === '--kube-' ? 'an option for Kubernetes' : other;
  return new ToolError('usage', `--rest and ${named} are two ways to a cluster: give one`, {
    code: 'two_ways',
  });
}
