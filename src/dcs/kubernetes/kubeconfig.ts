/** A kubeconfig as kubectl reads it: several files, contexts, certificates, tokens, exec plugins and proxies. */
import { dirname, isAbsolute, join } from 'node:path';
import { noAccess, readText, type AccessWanted, type KubeAccess } from './kube-credentials.js';
import type { Env } from '../../config/environment.js';
import { execCredential, type ExecPlugin } from './exec-plugin.js';

interface Named<K extends string, T> {
  entry: { name?: string } & Partial<Record<K, T | null>>;
  /** Relative paths in it are relative to this. */
  folder: string;
}

interface ClusterPart {
  server?: string;
  'certificate-authority'?: string;
  'certificate-authority-data'?: string;
  'insecure-skip-tls-verify'?: boolean;
  'tls-server-name'?: string;
  'proxy-url'?: string;
}

interface UserPart {
  token?: string;
  tokenFile?: string;
  username?: string;
  password?: string;
  'client-certificate'?: string;
  'client-certificate-data'?: string;
  'client-key'?: string;
  'client-key-data'?: string;
  exec?: ExecPlugin;
  'auth-provider'?: { name?: string };
}

interface ContextPart {
  cluster?: string;
  user?: string;
  namespace?: string;
}

interface Merged {
  current: string | null;
  contexts: Named<'context', ContextPart>[];
  clusters: Named<'cluster', ClusterPart>[];
  users: Named<'user', UserPart>[];
  files: string[];
}

const FILE_TOKEN_READ_MS = 60_000;

/** The access that a context gives. ToolError names the file, the context and what is missing. */
export async function kubeconfigAccess(wanted: AccessWanted): Promise<KubeAccess> {
  const { env } = wanted;
  const all = await readAll(wanted);
  const name = wanted.context ?? all.current;
  if (name === null) throw noAccess('the kubeconfig names no current context', contextsHint(all));
  const context = find(all.contexts, 'context', name);
  if (!context) throw noAccess(`the kubeconfig has no context "${name}"`, contextsHint(all));
  const lacks = (what: string, which: string | undefined) =>
    noAccess(
      `context "${name}": ${what} "${which ?? ''}" is not in the kubeconfig`,
      filesHint(all),
    );
  const cluster = find(all.clusters, 'cluster', context.part.cluster);
  if (!cluster) throw lacks('cluster', context.part.cluster);
  const user = find(all.users, 'user', context.part.user);
  if (!user && context.part.user) throw lacks('user', context.part.user);
  const server = urlOf(cluster.part.server);
  if (!server)
    throw noAccess(`context "${name}": its cluster has no usable server`, filesHint(all));
  const isTls = server.protocol === 'https:';
  const ca = await dataOrFile(cluster, 'certificate-authority');
  const own = user ? identity(user, name, server, ca, wanted) : anonymous;
  return {
    server,
    ca,
    cert: isTls && user ? await dataOrFile(user, 'client-certificate') : null,
    key: isTls && user ? await dataOrFile(user, 'client-key') : null,
    serverName: cluster.part['tls-server-name'] ?? null,
    insecure: cluster.part['insecure-skip-tls-verify'] === true,
    proxy: urlOf(cluster.part['proxy-url']) ?? proxyFor(server, env),
    namespace: context.part.namespace ?? null,
    who: `context ${name}`,
    headers: own,
  };
}

const anonymous: KubeAccess['headers'] = () => Promise.resolve({ headers: {} });

// ---------------------------------------------------------------- files

/** As kubectl: of two entries with one name the first counts, and so does the first current context. */
async function readAll({ env, home }: AccessWanted): Promise<Merged> {
  const named = (env['KUBECONFIG'] ?? '').split(':').filter((file) => file !== '');
  const files = (named.length > 0 ? named : [join(home, '.kube', 'config')]).map((file) =>
    file.startsWith('~/') ? join(home, file.slice(2)) : file,
  );
  const merged: Merged = { current: null, contexts: [], clusters: [], users: [], files: [] };
  const { parse } = await import('yaml');
  for (const file of files) {
    const text = await readText(file);
    if (text === null) continue;
    merged.files.push(file);
    let read: Record<string, unknown> | null;
    try {
      read = parse(text) as Record<string, unknown> | null;
    } catch (error) {
      // The parser's message may quote a line with a secret: only its position is reported.
      const at = (error as { linePos?: { line: number }[] }).linePos?.[0]?.line;
      const where = at === undefined ? file : `${file}:${at}`;
      throw noAccess(`${where} is not valid YAML`, 'this is the kubeconfig (KUBECONFIG)');
    }
    merged.current ??= (read?.['current-context'] as string | undefined) || null;
    const folder = dirname(file);
    const take = <K extends string, T>(list: unknown, into: Named<K, T>[]): void => {
      if (!Array.isArray(list)) return;
      for (const entry of list as Named<K, T>['entry'][]) into.push({ entry, folder });
    };
    take(read?.['contexts'], merged.contexts);
    take(read?.['clusters'], merged.clusters);
    take(read?.['users'], merged.users);
  }
  if (merged.files.length > 0) return merged;
  throw noAccess(
    'the address of Kubernetes is unknown: this is not a Pod with a service account, and there is no kubeconfig',
    `looked for ${files.join(', ')}; set KUBECONFIG`,
  );
}

function find<K extends 'context' | 'cluster' | 'user', T>(
  list: readonly Named<K, T>[],
  kind: K,
  name: string | undefined,
): { part: T; folder: string } | null {
  const found = list.find(({ entry }) => entry.name === name && name !== undefined);
  const part = found?.entry[kind];
  return found && part ? { part, folder: found.folder } : null;
}

const contextsHint = ({ contexts, files }: Merged): string =>
  contexts.length === 0
    ? `read: ${files.join(', ')}`
    : `contexts: ${contexts.map(({ entry }) => entry.name ?? '').join(', ')}; choose one with --kube-context`;

const filesHint = ({ files }: Merged): string => `read: ${files.join(', ')}`;

async function dataOrFile(
  { part, folder }: { part: ClusterPart | UserPart; folder: string },
  key: 'certificate-authority' | 'client-certificate' | 'client-key',
): Promise<string | null> {
  const fields = part as Record<string, unknown>;
  const data = fields[`${key}-data`];
  if (typeof data === 'string' && data !== '') return Buffer.from(data, 'base64').toString('utf8');
  const file = fields[key];
  if (typeof file !== 'string' || file === '') return null;
  const path = isAbsolute(file) ? file : join(folder, file);
  const text = await readText(path);
  if (text !== null) return text;
  throw noAccess(`${path} cannot be read`, `it is the ${key} of the kubeconfig`);
}

function urlOf(text: string | undefined): URL | null {
  if (!text) return null;
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

// ---------------------------------------------------------------- our identity

function identity(
  user: { part: UserPart; folder: string },
  context: string,
  server: URL,
  ca: string | null,
  { env, timeoutMs }: AccessWanted,
): KubeAccess['headers'] {
  const { part, folder } = user;
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  if (part.tokenFile) {
    const path = isAbsolute(part.tokenFile) ? part.tokenFile : join(folder, part.tokenFile);
    let known: { token: string; readMs: number } | null = null;
    return async (again) => {
      if (again || known === null || Date.now() - known.readMs > FILE_TOKEN_READ_MS) {
        const token = await readText(path);
        if (token === null)
          throw noAccess(`${path} cannot be read`, `it is the tokenFile of context ${context}`);
        known = { token: token.trim(), readMs: Date.now() };
      }
      return bearer(known.token);
    };
  }
  const { token } = part;
  if (token) return () => Promise.resolve(bearer(token));
  if (part.username) {
    const login = Buffer.from(`${part.username}:${part.password ?? ''}`).toString('base64');
    return () => Promise.resolve({ headers: { authorization: `Basic ${login}` } });
  }
  const { exec } = part;
  if (exec) return execCredential(exec, { context, folder, server, ca, env, timeoutMs });
  const provider = part['auth-provider']?.name;
  if (provider !== undefined) {
    throw noAccess(
      `context "${context}" logs in by auth-provider ${provider}, which kubectl does not support any more either`,
      'use an exec plugin (kubelogin, gke-gcloud-auth-plugin, aws) in the kubeconfig',
    );
  }
  return anonymous;
}

// ---------------------------------------------------------------- proxies

/** The proxy of the environment for this server, as other programs read the variables; null: direct. */
export function proxyFor(server: URL, env: Env): URL | null {
  const read = (name: string): string => env[name.toLowerCase()] || env[name] || '';
  const proxy = urlOf(server.protocol === 'https:' ? read('HTTPS_PROXY') : read('HTTP_PROXY'));
  if (proxy === null) return null;
  const host = server.hostname.replace(/^\[|\]$/g, '');
  if (host === 'localhost' || /^127\./.test(host) || host === '::1') return null;
  const direct = read('NO_PROXY')
    .split(',')
    .map((part) => part.trim().toLowerCase())
    .filter((part) => part !== '');
  const isDirect = direct.some(
    (part) => part === '*' || isBelow(host.toLowerCase(), part, server.port),
  );
  return isDirect ? null : proxy;
}

function isBelow(host: string, pattern: string, port: string): boolean {
  if (pattern.includes('/')) return inNetwork(host, pattern);
  const [name = '', onlyPort] = pattern.split(':').length === 2 ? pattern.split(':') : [pattern];
  if (onlyPort !== undefined && onlyPort !== (port || '443')) return false;
  const bare = name.replace(/^\*?\./, '');
  return host === bare || host.endsWith(`.${bare}`);
}

/** IPv4 networks only, as 10.0.0.0/8. */
function inNetwork(host: string, network: string): boolean {
  const [base = '', bits = ''] = network.split('/');
  const number = (text: string): number | null => {
    const parts = text.split('.').map(Number);
    const isAddress = parts.length === 4 && parts.every((part) => part >= 0 && part <= 255);
    return isAddress ? parts.reduce((sum, part) => sum * 256 + part, 0) : null;
  };
  const [one, other] = [number(host), number(base)];
  if (one === null || other === null || !/^[0-9]+$/.test(bits)) return false;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(one / size) === Math.floor(other / size);
}
