/** Calls to the API server over HTTPS: one deadline each, reads retried within it, writes sent once. */
import type http from 'node:http';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { ToolError } from '../../errors.js';
import { oneLine } from '../../output/text.js';
import type { KubeAccess } from './kube-credentials.js';

export interface KubeAnswer {
  status: number;
  /** The body as JSON; null when it is none. */
  json: unknown;
  text: string;
  /** The API server's clock, ms since 1970, from the Date header; null without one. */
  dateMs: number | null;
}

export interface KubeRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE' | 'OPTIONS' | 'HEAD';
  /** Path and query, below the server's own path. */
  path: string;
  body?: string;
  /** Default application/json. */
  contentType?: string;
  headers?: Record<string, string>;
  timeoutMs: number;
}

/** How a call ended. `not_sent`: surely nothing reached the API server. `lost`: it may have been carried out. */
export type KubeOutcome =
  | { kind: 'answered'; answer: KubeAnswer }
  | { kind: 'not_sent'; reason: string }
  | { kind: 'lost'; reason: string };

export interface KubeClient {
  readonly access: KubeAccess;
  /** One call, never retried except after a 401, when we authenticate again: the server has done nothing. */
  call(request: KubeRequest): Promise<KubeOutcome>;
  /** GET of a JSON document; a busy API server is asked again within the deadline. ToolError when it is not one. */
  get(path: string, what: string): Promise<{ json: unknown; dateMs: number | null }>;
  /** Lines of a watch, as they come. Throws when the connection is lost; returns at its regular end. */
  watch(path: string, signal: AbortSignal): AsyncIterable<unknown>;
  close(): void;
}

/** Answers that Patroni tries again too. */
const BUSY = [429, 500, 502, 503, 504];
const RETRY_PAUSE_MS = 200;
/** The API server sends a bookmark about every minute; a watch that is silent for longer is dead. */
const WATCH_SILENCE_MS = 90_000;
/** An answer longer than this is not read to its end. */
const MAX_BODY_BYTES = 256 * 1024 * 1024;

type Protocol = typeof http;

/** The API server, and how it is connected to. */
interface Server {
  readonly access: KubeAccess;
  readonly isTls: boolean;
  readonly protocol: Protocol;
  readonly agent: http.Agent;
  /** In words. */
  readonly where: string;
}

/** `timeoutMs`: of one `get`, whatever is asked again within it. */
export async function openClient(access: KubeAccess, timeoutMs: number): Promise<KubeClient> {
  const isTls = access.server.protocol === 'https:';
  const protocol = await (isTls
    ? (import('node:https') as unknown as Promise<Protocol>)
    : import('node:http'));
  const agent = new protocol.Agent({ keepAlive: true, maxSockets: 8 });
  const where = `the Kubernetes API at ${access.server.host}`;
  const server: Server = { access, isTls, protocol, agent, where };
  return {
    access,
    call: (request) => call(server, request),
    get: (path, what) => get(server, path, what, timeoutMs),
    watch: (path, signal) => watch(server, { method: 'GET', path, timeoutMs }, signal),
    close: () => agent.destroy(),
  };
}

async function call(server: Server, request: KubeRequest): Promise<KubeOutcome> {
  const outcome = await once(server, request, false);
  const isRefused = outcome.kind === 'answered' && outcome.answer.status === 401;
  return isRefused ? once(server, request, true) : outcome;
}

async function get(
  server: Server,
  path: string,
  what: string,
  timeoutMs: number,
): Promise<{ json: unknown; dateMs: number | null }> {
  const { access, where } = server;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const leftMs = Math.max(1, deadline - Date.now());
    const outcome = await call(server, { method: 'GET', path, timeoutMs: leftMs });
    if (outcome.kind !== 'answered') throw unreachable(where, outcome.reason);
    const { answer } = outcome;
    if (answer.status === 200 && answer.json !== null) {
      return { json: answer.json, dateMs: answer.dateMs };
    }
    if (!BUSY.includes(answer.status) || Date.now() + RETRY_PAUSE_MS >= deadline) {
      throw kubeRefusal(where, access, answer, what);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
  }
}

async function* watch(server: Server, request: KubeRequest, signal: AbortSignal): AsyncGenerator {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  let silence = setTimeout(() => over.abort(), WATCH_SILENCE_MS);
  try {
    let response = await (await send(server, request, false, both)).answer;
    if (response.statusCode === 401) {
      response.resume();
      response = await (await send(server, request, true, both)).answer;
    }
    if (response.statusCode !== 200) {
      const answer = answerOf(response, await bodyOf(response));
      throw kubeRefusal(server.where, server.access, answer, 'watch');
    }
    let rest = '';
    response.setEncoding('utf8');
    for await (const chunk of response as AsyncIterable<string>) {
      clearTimeout(silence);
      silence = setTimeout(() => over.abort(), WATCH_SILENCE_MS);
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as unknown;
    }
  } finally {
    clearTimeout(silence);
    over.abort();
  }
}

/** `again`: with a new login. */
async function once(server: Server, request: KubeRequest, again: boolean): Promise<KubeOutcome> {
  // What is left of a limit may be a fraction, which a timer refuses.
  const limitMs = Math.max(1, Math.ceil(request.timeoutMs));
  const limit = AbortSignal.timeout(limitMs);
  const { isTls } = server;
  let connected = false;
  try {
    const { outgoing, answer } = await send(server, request, again, limit);
    outgoing.once('socket', (socket) => {
      // A connection that is used again tells no more that it is there.
      if (outgoing.reusedSocket || (!socket.connecting && !isTls)) connected = true;
      else socket.once(isTls ? 'secureConnect' : 'connect', () => (connected = true));
    });
    const response = await answer;
    connected = true;
    const text = await bodyOf(response);
    return { kind: 'answered', answer: answerOf(response, text) };
  } catch (error) {
    if (error instanceof ToolError) throw error;
    const reason = limit.aborted ? `no answer within ${limitMs / 1000} s` : reasonOf(error);
    return { kind: connected ? 'lost' : 'not_sent', reason };
  }
}

async function send(
  { access, isTls, protocol, agent }: Server,
  request: KubeRequest,
  again: boolean,
  signal: AbortSignal,
): Promise<{ outgoing: ClientRequest; answer: Promise<IncomingMessage> }> {
  const login = await access.headers(again);
  const options: RequestOptions & Record<string, unknown> = {
    agent,
    method: request.method,
    host: access.server.hostname.replace(/^\[|\]$/g, ''),
    port: access.server.port || (isTls ? 443 : 80),
    path: `${access.server.pathname.replace(/\/$/, '')}${request.path}`,
    headers: headersOf(request, login.headers),
    signal,
    ...(isTls ? tlsOptions(access, login) : {}),
  };
  if (access.proxy !== null) {
    const { connectThrough } = await import('./kube-tunnel.js');
    options.agent = false;
    options['createConnection'] = await connectThrough(access.proxy, options, isTls, signal);
  }
  const outgoing = protocol.request(options);
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
  });
  outgoing.end(request.body);
  return { outgoing, answer };
}

function headersOf(
  { body, contentType = 'application/json', headers }: KubeRequest,
  login: Record<string, string>,
): Record<string, string> {
  const ofBody = body !== undefined && {
    'content-type': contentType,
    'content-length': String(Buffer.byteLength(body)),
  };
  return { accept: 'application/json', 'user-agent': 'patctl', ...ofBody, ...login, ...headers };
}

function tlsOptions(access: KubeAccess, login: { cert?: string; key?: string }): object {
  const cert = login.cert ?? access.cert;
  const key = login.key ?? access.key;
  return {
    ...(access.ca === null ? {} : { ca: access.ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    ...(access.serverName === null ? {} : { servername: access.serverName }),
    rejectUnauthorized: !access.insecure,
  };
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function answerOf({ statusCode, headers }: IncomingMessage, text: string): KubeAnswer {
  const dateMs = Date.parse(headers.date ?? '');
  let json: unknown = null;
  try {
    json = JSON.parse(text);
  } catch {
    // The page of a proxy, or no body at all.
  }
  return { status: statusCode ?? 0, json, text, dateMs: Number.isNaN(dateMs) ? null : dateMs };
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const words: Record<string, string> = {
    ECONNREFUSED: 'connection refused',
    ENOTFOUND: 'its name is unknown',
    EAI_AGAIN: 'its name could not be looked up',
    ECONNRESET: 'connection reset',
    ETIMEDOUT: 'connection timed out',
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not signed by the CA that is configured',
    SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not signed by the CA that is configured',
    DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not signed by the CA that is configured',
    CERT_HAS_EXPIRED: 'its certificate has expired',
    ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  };
  return oneLine(words[code ?? ''] ?? message);
}

export function unreachable(where: string, reason: string): ToolError {
  return new ToolError('unreachable', `${where} does not answer: ${reason}`, {
    code: 'dcs_unreachable',
  });
}

/** The API server's `Status`, as far as it tells what is wrong. */
function statusWords({ json, text, status }: KubeAnswer): string {
  const message = (json as { message?: unknown } | null)?.message;
  if (typeof message === 'string' && message !== '') return oneLine(message);
  const page = oneLine(text).trim().slice(0, 200);
  return page === '' ? `HTTP ${status}` : `HTTP ${status}: ${page}`;
}

/** What an unexpected answer means, in words; a missing permission is named. */
export function kubeRefusal(
  where: string,
  { who }: KubeAccess,
  answer: KubeAnswer,
  what: string,
): ToolError {
  const said = statusWords(answer);
  const evidence = [{ witness: 'DCS', subject: what, said }];
  const make = (ending: 'error' | 'unreachable', message: string, code: string, hint?: string) =>
    new ToolError(ending, message, { code, evidence, ...(hint === undefined ? {} : { hint }) });
  switch (answer.status) {
    case 401:
      return make(
        'error',
        `${where} does not accept our identity (${who}): the token or certificate is not valid, or has expired`,
        'kubernetes_unauthorized',
        'log in again: kubectl auth whoami with the same context says whether it worked',
      );
    case 403:
      return make(
        'error',
        `Kubernetes refuses it: ${said}`,
        'kubernetes_forbidden',
        'docs/kubernetes.md has the roles that reading and acting need',
      );
    default:
      return make(
        BUSY.includes(answer.status) ? 'unreachable' : 'error',
        `${where} answered ${answer.status}: ${said}`,
        BUSY.includes(answer.status) ? 'dcs_unreachable' : 'kubernetes_refused',
      );
  }
}
