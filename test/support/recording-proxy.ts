/** Proxies in front of the members' REST APIs: what is sent is written down, and some of it answered by the test. */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Call {
  member: string;
  method: string;
  /** With its query. */
  path: string;
  /** JSON where it is JSON; null without a body. */
  body: unknown;
  authenticated: boolean;
  /** patronictl and the members themselves name Patroni as their user agent, patctl names nothing. */
  by: 'patctl' | 'patroni';
}

/** A JSON object of the member's as the proxy passes it on. */
export type Change = (answer: Record<string, unknown>) => Record<string, unknown>;

/**
 * What the proxy does instead of passing the call on; `garbage` is what it writes in the place of HTTP, `change` asks
 * the member and changes what it answers.
 */
export type Instead =
  { status: number; body: string } | { garbage: string } | { change: Change } | 'hang up';

export interface RestProxies {
  /** `HOST:PORT` by member, for ClusterOptions.restProxies. */
  addresses: Record<string, string>;
  /** Every call since the beginning, GETs too. */
  calls: Call[];
  /** The members' own addresses, once they are known. */
  attach(members: readonly { name: string; restUrl: string }[]): void;
  /** Asked for each call from now on; null: the member answers. */
  instead: (call: Call) => Instead | null;
  /** From now on this member's address refuses connections. */
  stop(member: string): Promise<void>;
  close(): Promise<void>;
}

/** What a member shows after the n-th of these calls. */
const EFFECTS = new Map<string, (nth: number) => Change>([
  ['/restart', (nth) => (told) => ({ ...told, postmaster_start_time: `restart ${nth}` })],
  ['/reinitialize', () => (told) => ({ ...told, state: 'creating replica' })],
]);

/**
 * Answers every call that acts, and passes none on. After a 200 patctl looks at the member, and is shown the effect
 * of a restart or a reinit.
 */
export function asIfDone(answer: Instead): RestProxies['instead'] {
  const isDone = typeof answer === 'object' && 'status' in answer && answer.status === 200;
  const effects = new Map<string, Change>();
  let calls = 0;
  return ({ member, method, path, by }) => {
    if (method !== 'GET') {
      const effect = EFFECTS.get(path);
      calls += 1;
      if (isDone && by === 'patctl' && effect) effects.set(member, effect(calls));
      return answer;
    }
    const change = by === 'patctl' && path === '/patroni' ? effects.get(member) : undefined;
    return change ? { change } : null;
  };
}

/** Listens at once, so that the cluster can be configured with the addresses. */
export async function startRestProxies(names: readonly string[]): Promise<RestProxies> {
  const targets = new Map<string, string>();
  const servers = new Map(
    names.map((name) => {
      const server = createServer((incoming, answer) => void take(name, incoming, answer));
      return [name, server];
    }),
  );
  const proxies: RestProxies = {
    addresses: {},
    calls: [],
    attach: (members) => {
      for (const { name, restUrl } of members) targets.set(name, restUrl);
    },
    instead: () => null,
    stop: async (name) => {
      const server = servers.get(name);
      if (server?.listening !== true) return;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
    close: async () => {
      for (const name of names) await proxies.stop(name);
    },
  };

  async function take(name: string, incoming: IncomingMessage, answer: ServerResponse) {
    const body = await textOf(incoming).catch(() => null);
    if (body === null) return void answer.destroy();
    const call = callOf(name, incoming, body);
    proxies.calls.push(call);
    const instead = proxies.instead(call);
    const target = targets.get(name);
    if (instead === null) forward(target, incoming, body, answer);
    else if (typeof instead === 'object' && 'change' in instead)
      await changed(`${target ?? ''}${incoming.url ?? ''}`, instead.change, answer);
    else say(instead, answer);
  }

  for (const [name, server] of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    proxies.addresses[name] = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  return proxies;
}

function callOf(member: string, incoming: IncomingMessage, text: string): Call {
  const { method = '', url = '', headers } = incoming;
  return {
    member,
    method,
    path: url,
    body: text === '' ? null : jsonOr(text),
    authenticated: headers.authorization !== undefined,
    by: headers['user-agent']?.startsWith('Patroni/') === true ? 'patroni' : 'patctl',
  };
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** Only for what can be asked again: GET, without a login. */
async function changed(url: string, change: Change, answer: ServerResponse): Promise<void> {
  try {
    const reply = await fetch(url);
    const body = change((await reply.json()) as Record<string, unknown>);
    say({ status: reply.status, body: JSON.stringify(body) }, answer);
  } catch {
    answer.destroy();
  }
}

function say(instead: Exclude<Instead, { change: Change }>, answer: ServerResponse): void {
  if (instead === 'hang up') return void answer.destroy();
  if ('garbage' in instead) return void answer.socket?.end(instead.garbage);
  answer.writeHead(instead.status, { 'content-type': 'text/plain' });
  answer.end(instead.body);
}

/** A member that is not there looks as if it hung up. */
function forward(
  target: string | undefined,
  { method, url, headers }: IncomingMessage,
  body: string,
  answer: ServerResponse,
): void {
  if (target === undefined) return void answer.destroy();
  const onward = request(`${target}${url ?? ''}`, { method, headers, agent: false }, (reply) => {
    answer.writeHead(reply.statusCode ?? 502, reply.headers);
    reply.on('error', () => answer.destroy());
    reply.pipe(answer);
  });
  onward.on('error', () => answer.destroy());
  answer.on('close', () => onward.destroy());
  onward.end(body);
}
