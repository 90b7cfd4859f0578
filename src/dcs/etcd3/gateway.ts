/** One-shot reads through etcd's HTTP/JSON gateway: no gRPC to load, so a command starts quickly. */
import http from 'node:http';
import type { RequestOptions } from 'node:https';
import { ToolError } from '../../errors.js';
import { oneLine } from '../../output/text.js';
import {
  allPages,
  type KeyStore,
  type KeyValue,
  type PageReader,
  type PastKey,
  type RangeOptions,
} from '../keyed/key-store.js';
import type { EtcdConnection } from './etcd-connection.js';
import type { Endpoint } from '../../config/endpoints.js';
import { PARALLEL, findDeleted } from './deleted.js';
import { LOOKS_TOGETHER, lookTogether, type Look } from './look-together.js';
import {
  FIRST_PAGE_KEYS,
  PAGE_KEYS,
  checkPrefix,
  endOfPrefix,
  keyAfter,
} from '../keyed/prefixes.js';
import {
  isAuthOff,
  isCompacted,
  isLoginMissing,
  isStaleToken,
  etcdRefusal,
  CODE,
  NO_ETCD,
  tlsWords,
  type EtcdError,
} from './refusal.js';
import { EndpointFailure, bareHost, walkEndpoints, type Walk } from './walk.js';

/** As in KeyStore, but throws GatewayRefused when only gRPC can answer. */
export type Gateway = Pick<KeyStore, 'range' | 'rangeInto' | 'deletedKeys' | 'rangeAt'>;

/** etcd lives, but its gateway does not serve us: it is switched off, or cannot see our certificate. */
export class GatewayRefused extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'GatewayRefused';
  }
}

/** What is remembered of one gateway between calls. */
interface Session {
  settings: EtcdConnection;
  token: string | null;
  authOff: boolean;
  /** /v3 from etcd 3.4 on, /v3beta before. */
  version: '/v3' | '/v3beta';
}

/** POSTs one JSON document to one endpoint. */
type Post = (path: string, body: object) => Promise<Answer>;

type Json = Record<string, unknown>;
type Answer = { ok: true; json: Json } | { ok: false; error: EtcdError };

/** Reads from any of the endpoints within `settings.timeoutMs`; holds no connection between calls. */
export function openGateway(
  settings: EtcdConnection,
  walk: Walk = walkEndpoints(settings.endpoints),
): Gateway {
  const session: Session = { settings, token: null, authOff: false, version: '/v3' };
  async function rangeInto<T>(
    prefix: string,
    begin: () => PageReader<T>,
    options: RangeOptions = {},
  ): Promise<T> {
    checkPrefix(prefix);
    const { value } = await walk.first(settings.timeoutMs, (endpoint, signal) =>
      withConnections(session, endpoint, signal, (post) =>
        readAll(session, post, { prefix, begin, options }),
      ),
    );
    return value;
  }

  return {
    range: (prefix, options) => rangeInto(prefix, allPages, options),
    rangeInto,
    async rangeAt(prefix, revision) {
      checkPrefix(prefix);
      const { value } = await walk.first(settings.timeoutMs, (endpoint, signal) =>
        withConnections(session, endpoint, signal, (post) =>
          readPast(session, post, prefix, revision),
        ),
      );
      return value;
    },
    async deletedKeys(prefix, { ms, looks }, enough) {
      checkPrefix(prefix);
      const over = AbortSignal.timeout(ms);
      const { endpoint, value: now } = await walk.first(
        Math.min(ms, settings.timeoutMs),
        (endpoint, signal) =>
          withConnections(session, endpoint, signal, (post) =>
            readAll(session, post, { prefix, begin: allPages, options: {} }),
          ),
      );
      return withConnections(session, endpoint, over, (post) => {
        const at = lookTogether((looks) => lookBack(session, post, prefix, looks));
        const teller = { endpoint, now, together: LOOKS_TOGETHER, at };
        const subject = { username: settings.username, key: prefix };
        return findDeleted(teller, subject, { over, looks }, enough);
      });
    },
  };
}

/** Runs `work` over kept-alive connections that end with it: one, where it asks for one thing at a time. */
async function withConnections<T>(
  session: Session,
  endpoint: Endpoint,
  signal: AbortSignal,
  work: (post: Post) => Promise<T>,
): Promise<T> {
  const { settings } = session;
  const secure = endpoint.protocol === 'https';
  // Loaded only for TLS: node:https costs start-up time.
  const transport = secure ? (await import('node:https')).default : http;
  const agent = new transport.Agent({ keepAlive: true, maxSockets: PARALLEL });
  const end = (): void => agent.destroy();
  signal.addEventListener('abort', end, { once: true });
  const base: RequestOptions = {
    host: bareHost(endpoint.host),
    port: endpoint.port,
    method: 'POST',
    agent,
    ...(secure ? tlsOptions(settings) : {}),
  };
  const open = {
    request: (options: RequestOptions) => transport.request(options),
    hasCertificate: settings.cert !== null,
  };
  const send = (path: string, text: string): Promise<Received> =>
    request(open, base, path, text, session.token);
  try {
    return await work((path, body) => post(session, send, path, JSON.stringify(body)));
  } finally {
    signal.removeEventListener('abort', end);
    end();
  }
}

function tlsOptions(settings: EtcdConnection): RequestOptions {
  return {
    ...(settings.ca === null ? {} : { ca: settings.ca }),
    ...(settings.cert === null ? {} : { cert: settings.cert }),
    ...(settings.key === null ? {} : { key: settings.key }),
    ...(settings.keyPassword === null ? {} : { passphrase: settings.keyPassword }),
  };
}

interface Received {
  status: number;
  text: string;
}

interface Opener {
  request(options: RequestOptions): http.ClientRequest;
  /** We have a client certificate to show. */
  hasCertificate: boolean;
}

function request(
  open: Opener,
  base: RequestOptions,
  path: string,
  text: string,
  token: string | null,
): Promise<Received> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(connectionError(error, open.hasCertificate));
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      ...(token === null ? {} : { authorization: token }),
    };
    let sent: http.ClientRequest;
    try {
      sent = open.request({ ...base, path, headers });
    } catch (error) {
      failed(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    sent.on('error', failed);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', failed);
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode ?? 0, text: body });
      });
    });
    sent.end(text);
  });
}

/** One endpoint's failure in words, or the reason why no endpoint can work. */
function connectionError(error: Error, hasCertificate: boolean): Error {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  // Not HTTP at all, e.g. a load balancer that speaks HTTP/2 only.
  if (code.startsWith('HPE_')) return new GatewayRefused(`no HTTP/1.1 answer (${code})`);
  if (code.startsWith('ERR_OSSL')) {
    return new ToolError('error', 'the client certificate for etcd or its key cannot be used', {
      hint: 'Check etcd3.cert, etcd3.key, etcd3.key_password and etcd3.cacert.',
      evidence: [{ witness: 'patctl', subject: 'client certificate', said: code }],
    });
  }
  const words = WORDS[code] ?? tlsWords(error.message, hasCertificate);
  return new EndpointFailure(words ?? oneLine(error.message || code));
}

const WORDS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection closed',
  EPIPE: 'connection closed',
  ENOTFOUND: 'host name not found',
  EAI_AGAIN: 'host name could not be looked up',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'no route to host',
  ETIMEDOUT: 'connection timed out',
};

async function post(
  session: Session,
  send: (path: string, text: string) => Promise<Received>,
  path: string,
  text: string,
): Promise<Answer> {
  let received = await send(session.version + path, text);
  if (received.status === 404 && session.version === '/v3') {
    received = await send(`/v3beta${path}`, text);
    if (received.status !== 404) session.version = '/v3beta';
  }
  const json = parseObject(received.text);
  if (json === null) throw notTheGateway(received);
  if (received.status === 200) return { ok: true, json };
  if (typeof json['code'] !== 'number' && received.status < 500) {
    throw new EndpointFailure(`it answers HTTP ${received.status}, ${NO_ETCD}`);
  }
  const code = typeof json['code'] === 'number' ? json['code'] : CODE.unknown;
  return { ok: false, error: { code, message: str(json['message']) || str(json['error']) } };
}

function notTheGateway({ status, text }: Received): Error {
  if (text.includes('HTTP request to an HTTPS server')) {
    return new EndpointFailure('it requires TLS but is configured as http');
  }
  if (status === 501) return new EndpointFailure(`it answers HTTP ${status}, ${NO_ETCD}`);
  if (status >= 500) return new EndpointFailure(`HTTP ${status}`, true);
  return new GatewayRefused(`HTTP ${status} without a JSON answer`);
}

function parseObject(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The gateway leaves empty fields out. */
function str(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

interface Reading<T> {
  prefix: string;
  begin: () => PageReader<T>;
  options: RangeOptions;
}

async function readAll<T>(
  session: Session,
  post: Post,
  { prefix, begin, options }: Reading<T>,
): Promise<T> {
  const page: AskPage = async (key, revision, limit) =>
    pageOf(
      await authorized(session, post, '/kv/range', prefix, {
        key,
        range_end: toBase64(endOfPrefix(prefix)),
        limit,
        ...(options.serializable === true ? { serializable: true } : {}),
        ...(revision === '0' ? {} : { revision }),
      }),
    );
  for (let restarts = 0; ; restarts += 1) {
    const read = await readPages(page, toBase64(prefix), begin());
    if ('all' in read) return read.all;
    // Compaction overtook the pages: begin again at today's revision.
    if (!isCompacted(read) || restarts === 3) throw refused(session, read, prefix);
  }
}

interface Page {
  revision: string;
  raw: unknown[];
  /** Where the next page begins, in base64; null when this is the last one. */
  next: string | null;
}

type AskPage = (key: string, revision: string, limit: number) => Promise<Page | EtcdError>;

/** The pages of one revision, or why etcd refuses one. etcd makes the next while we read the one before. */
async function readPages<T>(
  page: AskPage,
  from: string,
  reader: PageReader<T>,
): Promise<{ all: T } | EtcdError> {
  const decode = decoder();
  let limit = FIRST_PAGE_KEYS;
  let read = await page(from, '0', limit);
  let revision = '0';
  while ('raw' in read) {
    const { raw, next } = read;
    if (revision === '0') revision = read.revision;
    limit = Math.min(2 * limit, PAGE_KEYS);
    const coming = next === null ? null : page(next, revision, limit);
    if (coming !== null) await sent(coming);
    const kvs = raw.map((one) => toKeyValue(one, decode));
    if (coming === null) return { all: reader.all({ revision, kvs }) };
    reader.take({ revision, kvs });
    read = await coming;
  }
  return read;
}

/** Lets a request go out; a later await gets its outcome. */
async function sent(request: Promise<unknown>): Promise<void> {
  request.catch(() => undefined);
  await new Promise((resolve) => setImmediate(resolve));
}

function pageOf(answer: Answer): Page | EtcdError {
  if (!answer.ok) return answer.error;
  const { json } = answer;
  const raw = rawOf(json);
  const last = raw.at(-1);
  const hasMore = json['more'] === true && isObject(last);
  const next = hasMore ? toBase64(keyAfter(decoder()(last['key']))) : null;
  return { revision: headerRevision(json), raw, next };
}

/** One call with a token where a login is configured; logs in again once when the token is no longer valid. */
async function authorized(
  session: Session,
  post: Post,
  path: string,
  prefix: string,
  body: object,
): Promise<Answer> {
  await login(session, post, prefix);
  const answer = await post(path, body);
  if (answer.ok || session.token === null || !isStaleToken(answer.error)) return answer;
  session.token = null;
  await login(session, post, prefix);
  return post(path, body);
}

async function login(session: Session, post: Post, prefix: string): Promise<void> {
  const { username, password } = session.settings;
  if (username === null || session.token !== null || session.authOff) return;
  const answer = await post('/auth/authenticate', { name: username, password: password ?? '' });
  if (answer.ok) session.token = str(answer.json['token']);
  // As Patroni does: a login that etcd does not need does not fail.
  else if (isAuthOff(answer.error)) session.authOff = true;
  else throw refused(session, answer.error, prefix);
}

function refused({ settings }: Session, error: EtcdError, prefix: string): Error {
  const certificateOnly = settings.cert !== null && settings.username === null;
  // The gateway does not pass the certificate's name on; gRPC does.
  if (certificateOnly && (isLoginMissing(error) || error.code === CODE.permissionDenied)) {
    return new GatewayRefused(error.message);
  }
  return etcdRefusal(error, { username: settings.username, key: prefix });
}

/** The keys at a revision: one range, or several in a read-only transaction. */
async function lookBack(
  session: Session,
  post: Post,
  prefix: string,
  looks: readonly Look[],
): Promise<KeyValue[][] | EtcdError> {
  const ranges = looks.map(({ revision, key }) => ({
    ...(key === undefined ? rangeOf(prefix) : { key: toBase64(key) }),
    revision: revision.toString(),
    // This endpoint has been at the head already, and its past is the cluster's.
    serializable: true,
  }));
  const [first] = ranges;
  const isOne = first !== undefined && ranges.length === 1;
  const answer = isOne
    ? await authorized(session, post, '/kv/range', prefix, first)
    : await authorized(session, post, '/kv/txn', prefix, {
        success: ranges.map((range) => ({ request_range: range })),
      });
  if (!answer.ok) return answer.error;
  const answers = isOne ? [answer.json] : rangesOf(answer.json);
  const complete = answers.length === looks.length;
  if (!complete) return { code: CODE.unknown, message: 'etcd answered only part of the request' };
  const decode = decoder();
  return answers.map((one) => rawOf(one).map((raw) => toKeyValue(raw, decode)));
}

/** The ranges that a transaction has read. */
function rangesOf({ responses }: Json): Json[] {
  return (Array.isArray(responses) ? responses : []).map((response: unknown) => {
    const range = isObject(response) ? response['response_range'] : null;
    return isObject(range) ? range : {};
  });
}

async function readPast(
  session: Session,
  post: Post,
  prefix: string,
  revision: string,
): Promise<PastKey[] | null> {
  const body = { ...rangeOf(prefix), revision };
  const answer = await authorized(session, post, '/kv/range', prefix, body);
  if (!answer.ok) {
    if (isCompacted(answer.error)) return null;
    throw refused(session, answer.error, prefix);
  }
  const decode = decoder();
  return rawOf(answer.json).map((raw) => ({
    ...toKeyValue(raw, decode),
    version: Number(isObject(raw) ? str(raw['version']) : 0),
  }));
}

/** Every key below a prefix. */
function rangeOf(prefix: string): { key: string; range_end: string } {
  return { key: toBase64(prefix), range_end: toBase64(endOfPrefix(prefix)) };
}

function rawOf(json: Json): unknown[] {
  return Array.isArray(json['kvs']) ? json['kvs'] : [];
}

function headerRevision(json: Json): string {
  const header = json['header'];
  return (isObject(header) ? str(header['revision']) : '') || '0';
}

function toKeyValue(raw: unknown, decode: Decode): KeyValue {
  const kv = isObject(raw) ? raw : {};
  return {
    key: decode(kv['key']),
    value: decode(kv['value']),
    createRevision: str(kv['create_revision']) || '0',
    modRevision: str(kv['mod_revision']) || '0',
    lease: str(kv['lease']) || null,
  };
}

function toBase64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** The text that base64 holds; '' for a field that is left out. */
type Decode = (base64: unknown) => string;

/** One buffer for all: a namespace has thousands of keys. */
function decoder(): Decode {
  let buffer = Buffer.alloc(4096);
  return (base64) => {
    if (typeof base64 !== 'string') return '';
    if (buffer.length < base64.length) buffer = Buffer.alloc(base64.length * 2);
    return buffer.toString('utf8', 0, buffer.write(base64, 'base64'));
  };
}
