/** One peer of etcd, asked for the addresses that its cluster has for clients. */
import type { RequestOptions } from 'node:https';
import type { Endpoint } from '../../config/endpoints.js';
import { hostPort } from './walk.js';

/** No list of members is longer. */
const MAX_BODY_BYTES = 1024 * 1024;

/** The clients' addresses of all members, or why there are none. */
export async function askPeer(peer: Endpoint, late: AbortSignal): Promise<Endpoint[] | string> {
  try {
    const answer = await get(peer, late);
    if (answer.status >= 400) return `its peer answers ${answer.status}`;
    const found = clientAddresses(JSON.parse(answer.body));
    return found.length > 0 ? found : 'its peer lists no client addresses';
  } catch (error) {
    return `its peer ${hostPort(peer)}: ${late.aborted ? 'no answer in time' : reasonOf(error)}`;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError) return 'the answer is not a list of members';
  return (error as NodeJS.ErrnoException).code ?? 'no answer';
}

async function get(peer: Endpoint, signal: AbortSignal): Promise<{ status: number; body: string }> {
  const { request } =
    peer.protocol === 'https' ? await import('node:https') : await import('node:http');
  // As Patroni: peers have certificates of their own. Only addresses are learnt, and those are verified.
  const options: RequestOptions = { signal, rejectUnauthorized: false };
  return new Promise((resolve, reject) => {
    const call = request(`${peer.protocol}://${hostPort(peer)}/members`, options, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text;
        if (body.length > MAX_BODY_BYTES) call.destroy(new SyntaxError('too long'));
      });
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
    });
    call.on('error', reject);
    call.end();
  });
}

/** Entries that are not in etcd's format are left out. */
function clientAddresses(members: unknown): Endpoint[] {
  if (!Array.isArray(members)) return [];
  const urls = members.flatMap((member: unknown): unknown[] => {
    const { clientURLs } = (member ?? {}) as { clientURLs?: unknown };
    return Array.isArray(clientURLs) ? (clientURLs as unknown[]) : [];
  });
  return urls.flatMap((url: unknown): Endpoint[] => {
    if (typeof url !== 'string' || !URL.canParse(url)) return [];
    const { protocol, hostname, port } = new URL(url);
    const word = protocol.slice(0, -1);
    if (word !== 'http' && word !== 'https') return [];
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    return [{ protocol: word, host, port: Number(port) || 2379 }];
  });
}
