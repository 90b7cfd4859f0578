/**
 * A member's REST API as Patroni 4.1 answers it, made of the keys that Patroni would read: for tests without Patroni.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RestSettings } from '../../src/config/effective.js';
import type { JsonObject, JsonValue } from '../../src/cluster/model/model.js';

/** Over HTTP, without a login. */
export const PLAIN_REST: RestSettings = {
  username: null,
  password: null,
  cacert: null,
  certfile: null,
  keyfile: null,
  keyfilePassword: null,
  insecure: false,
};

export interface MemberServer {
  url: string;
  /** `leader`, `config`, `members/pg1`, …; null deletes one. */
  keys: Map<string, string>;
  /** What GET /patroni says of itself, by turns where there are several. */
  names: string[];
  /** Instead of the answer to this path. */
  instead: Map<string, { status: number; body: string }>;
  /** Method and path of everything that came. */
  calls: string[];
  /** PATCH /config is answered and not written. */
  deaf: boolean;
  close(): Promise<void>;
}

interface MemberOptions {
  scope?: string;
  version?: string;
}

export async function startMember(
  names: string[],
  { scope = 'demo', version = '4.1.4' }: MemberOptions = {},
): Promise<MemberServer> {
  const keys = new Map<string, string>();
  const instead: MemberServer['instead'] = new Map();
  const calls: string[] = [];
  let turn = 0;
  const member: MemberServer = {
    url: '',
    keys,
    names,
    instead,
    calls,
    deaf: false,
    close: () => closed(server),
  };
  const answer = async (request: IncomingMessage): Promise<{ status: number; body: string }> => {
    const { method = '', url = '' } = request;
    calls.push(`${method} ${url}`);
    const given = instead.get(url);
    if (given) return given;
    if (method === 'PATCH' && member.deaf) return { status: 200, body: keys.get('config') ?? '' };
    if (method === 'PATCH') return patched(keys, JSON.parse(await bodyOf(request)) as JsonObject);
    if (url === '/patroni') {
      const name = names[turn++ % names.length] ?? '';
      const systemId = keys.get('initialize') ?? null;
      const patroni = { name, scope, version };
      return ok({
        state: 'running',
        role: 'replica',
        database_system_identifier: systemId,
        patroni,
      });
    }
    if (url === '/cluster') return ok({ ...clusterAsJson(keys), scope });
    const key = keys.get(url.slice(1));
    if (key !== undefined) return { status: 200, body: key };
    return url === '/history' ? ok([]) : { status: 502, body: '' };
  };
  const server = createServer((request, response) => {
    void answer(request).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  member.url = `http://127.0.0.1:${port}`;
  return member;
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function ok(json: JsonValue): { status: number; body: string } {
  return { status: 200, body: JSON.stringify(json) };
}

/** As do_PATCH_config: null takes a key out, objects are merged. */
function patched(keys: Map<string, string>, patch: JsonObject): { status: number; body: string } {
  const merge = (into: JsonObject, from: JsonObject): JsonObject => {
    for (const [key, value] of Object.entries(from)) {
      const old = into[key];
      if (value === null) Reflect.deleteProperty(into, key);
      else if (isObject(old) && isObject(value)) merge(old, value);
      else into[key] = value;
    }
    return into;
  };
  const config = merge(JSON.parse(keys.get('config') ?? '{}') as JsonObject, patch);
  keys.set('config', JSON.stringify(config));
  return ok(config);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** As utils.cluster_as_json of Patroni 4.1, without lags. */
function clusterAsJson(keys: Map<string, string>): JsonObject {
  const json = (key: string): JsonObject => JSON.parse(keys.get(key) ?? '{}') as JsonObject;
  const [config, sync, failover] = [json('config'), json('sync'), json('failover')];
  const mode = config['synchronous_mode'];
  const word = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '');
  const standbys = word(sync['sync_standby']).split(',');
  const roleOf = (name: string): string => {
    if (name === keys.get('leader'))
      return isObject(config['standby_cluster']) ? 'standby_leader' : 'leader';
    if (!mode || !standbys.includes(name)) return 'replica';
    return mode === 'quorum' ? 'quorum_standby' : 'sync_standby';
  };
  const members = [...keys.keys()]
    .filter((key) => key.startsWith('members/'))
    .map((key) => {
      const name = key.slice('members/'.length);
      const { conn_url: connUrl, api_url: apiUrl, state, timeline } = json(key);
      const { hostname, port } = new URL(word(connUrl).replace(/^postgres/, 'http'));
      const role = roleOf(name);
      const said = {
        name,
        role,
        state: state ?? '',
        api_url: apiUrl ?? null,
        timeline: timeline ?? 1,
      };
      return { ...said, host: hostname, port: Number(port || 5432) };
    });
  const { leader, member, scheduled_at: at } = failover;
  return {
    members,
    ...(config['pause'] === true && { pause: true }),
    ...(at !== undefined && {
      scheduled_switchover: { at, ...(leader && { from: leader }), ...(member && { to: member }) },
    }),
  };
}
