/** Patroni's REST API over node:http. Connecting and asking are two steps, so that "was it sent?" has a sure answer. */
import type * as Http from 'node:http';
import type * as Net from 'node:net';
import type { Socket } from 'node:net';
import type * as Tls from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import type { RestSettings } from '../config/effective.js';
import type { Reading, RestStatus, SilenceKind } from '../cluster/model/model.js';
import type { CallOutcome, Patroni, RestTarget } from './patroni.js';
import { parseJson, parseRestStatus } from './parse-status.js';
import { monotonicMs } from '../clock.js';
import { errorCode, errorMessage } from '../errors.js';

/** More than any answer of Patroni's; a larger one is not Patroni's. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

export type ReadFile = (path: string) => Promise<Buffer>;

interface Request {
  method: string;
  origin: URL;
  path: string;
  body: string | null;
}

type Failure = { ok: false; sent: boolean; kind: SilenceKind; reason: string; unasked?: true };
type Exchange = { ok: true; status: number; body: string } | Failure;
const HUNG_UP: Failure = {
  ok: false,
  sent: false,
  kind: 'unreachable',
  reason: 'hung up while connecting',
};
type Connected = { ok: true; socket: Socket } | Failure;

/** Patroni's API with the TLS files and the login of `rest`. Nothing is read or connected before the first call. */
export function openPatroni(rest: RestSettings, readFile: ReadFile = readFromDisk): Patroni {
  let files: Promise<ConnectionOptions> | undefined;
  const tlsOptions = () => (files ??= readTlsFiles(rest, readFile));
  const authorization = basicAuth(rest);

  async function exchange(request: Request, timeoutMs: number): Promise<Exchange> {
    const deadline = startDeadline(timeoutMs);
    try {
      const [http, connected] = await Promise.all([
        loadHttp(),
        connect(request.origin, tlsOptions, deadline),
      ]);
      if (!connected.ok) return connected;
      // http would wait for an answer on a socket that died in the meantime.
      if (connected.socket.destroyed) return HUNG_UP;
      return await ask(http, connected.socket, request, authorization, deadline);
    } finally {
      deadline.stop();
    }
  }

  async function status(target: RestTarget, timeoutMs: number): Promise<Reading<RestStatus>> {
    const startedMs = monotonicMs();
    const origin = originOf(target.apiUrl);
    if (!origin) return silent('no_address', 'its api_url is not an http or https URL');
    const request = { method: 'GET', origin, path: '/patroni', body: null };
    const result = await exchange(request, timeoutMs);
    if (!result.ok) {
      const { kind, reason, unasked } = result;
      return { ok: false, kind, reason, ...(unasked && { unasked }) };
    }
    return readStatus(target, result, monotonicMs() - startedMs);
  }

  const call: Patroni['call'] = async (method, apiUrl, path, body, timeoutMs) => {
    const origin = originOf(apiUrl);
    if (!origin) return { kind: 'not_sent', reason: 'the api_url is not an http or https URL' };
    const text = body === null ? null : JSON.stringify(body);
    return toOutcome(await exchange({ method, origin, path, body: text }, timeoutMs));
  };

  return { status, call };
}

function toOutcome(result: Exchange): CallOutcome {
  if (!result.ok) {
    const { sent, reason, kind, unasked } = result;
    if (sent) return { kind: 'lost', reason };
    return { kind: 'not_sent', reason, why: kind, ...(unasked && { unasked }) };
  }
  const { status, body } = result;
  return { kind: 'answered', answer: { status, body, json: parseJson(body) } };
}

/** An answer counts only if it comes from the member that was asked for. */
export function readStatus(
  target: RestTarget,
  answer: { status: number; body: string },
  tookMs: number,
): Reading<RestStatus> {
  const value = parseRestStatus(answer.status, parseJson(answer.body));
  if (answer.status === 401 || answer.status === 403) {
    return silent('denied', `refused with HTTP ${answer.status}`);
  }
  if (!value) {
    return silent('invalid', `HTTP ${answer.status}, and the answer is not Patroni's status`);
  }
  // An old Patroni tells only its scope: then that has to do.
  const sameName = value.name === '' || value.name === target.name;
  if (sameName && value.scope === target.scope) {
    // Patroni answers this question with 200 whatever its state is.
    if (answer.status === 200) return { ok: true, value, tookMs };
    return silent('invalid', `HTTP ${answer.status}, which Patroni never answers to GET /patroni`);
  }
  const wanted = `${target.name} of ${target.scope}`;
  const found = `${value.name === '' ? 'a member' : value.name} of ${value.scope}`;
  return silent('misidentified', `asked for ${wanted}, answered by ${found}`);
}

function silent(
  kind: SilenceKind,
  reason: string,
): { ok: false; kind: SilenceKind; reason: string } {
  return { ok: false, kind, reason };
}

/** Scheme, host and port of an api_url; a login or a path in it is left behind. */
function originOf(apiUrl: string): URL | null {
  if (!URL.canParse(apiUrl)) return null;
  const url = new URL(apiUrl);
  if ((url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') return null;
  return new URL(url.origin);
}

function basicAuth(rest: RestSettings): string | null {
  if (rest.username === null) return null;
  return `Basic ${Buffer.from(`${rest.username}:${rest.password ?? ''}`).toString('base64')}`;
}

// ---------------------------------------------------------------- the deadline

interface Deadline {
  readonly timeoutMs: number;
  /** Runs at the deadline; one action at a time, the last one given counts. */
  onExpiry(action: () => void): void;
  stop(): void;
}

/** A timer that fires so late shows that this process stood still: its machine is busy, or it loaded code. */
const STOOD_STILL_MS = 100;

/**
 * One limit over name lookup, connecting, TLS, headers and body together. Where it ran out while this process
 * stood still, the answer may lie here unread: the limit is granted once more.
 */
function startDeadline(timeoutMs: number): Deadline {
  let expired = false;
  let isExtended = false;
  let action: () => void = () => undefined;
  let dueMs = monotonicMs() + timeoutMs;
  const expire = (): void => {
    if (!isExtended && monotonicMs() - dueMs > STOOD_STILL_MS) {
      isExtended = true;
      dueMs = monotonicMs() + timeoutMs;
      timer = setTimeout(expire, timeoutMs);
      return;
    }
    expired = true;
    action();
  };
  let timer = setTimeout(expire, timeoutMs);
  return {
    timeoutMs,
    onExpiry(next) {
      action = next;
      if (expired) next();
    },
    stop: () => clearTimeout(timer),
  };
}

// ---------------------------------------------------------------- first step: a connection

/** A connected (and, for https, verified) socket. No byte of the request is written before it is there. */
async function connect(
  origin: URL,
  tlsOptions: () => Promise<ConnectionOptions>,
  deadline: Deadline,
): Promise<Connected> {
  const host = origin.hostname.replace(/^\[|\]$/g, '');
  const port = Number(origin.port || (origin.protocol === 'https:' ? 443 : 80));
  try {
    if (origin.protocol === 'http:') {
      const net = await loadNet();
      return await settled(net.connect({ host, port }), 'connect', deadline);
    }
    const [net, tls, options] = await Promise.all([loadNet(), loadTls(), tlsOptions()]);
    const servername = net.isIP(host) === 0 ? { servername: host } : {};
    const socket = tls.connect({ ...options, ...servername, host, port });
    return await settled(socket, 'secureConnect', deadline);
  } catch (error) {
    // A CA, certificate or key file that cannot be used.
    return {
      ok: false,
      sent: false,
      kind: 'denied',
      reason: `TLS settings: ${errorMessage(error)}`,
      unasked: true,
    };
  }
}

function settled(socket: Socket, event: string, deadline: Deadline): Promise<Connected> {
  return new Promise((resolve) => {
    // Stays on the socket for good: an error without a listener would end the process.
    socket.on('error', (error) => {
      resolve({ ok: false, sent: false, ...connectFailure(error) });
    });
    // A server may hang up in the middle of the handshake without an error of its own.
    socket.on('close', () => resolve(HUNG_UP));
    socket.once(event, () => resolve({ ok: true, socket }));
    deadline.onExpiry(() => {
      const reason = `no connection within ${deadline.timeoutMs} ms`;
      resolve({ ok: false, sent: false, kind: 'unreachable', reason });
      socket.destroy();
    });
  });
}

function connectFailure(error: Error): { kind: SilenceKind; reason: string } {
  const code = errorCode(error);
  // TLS 1.2 reports a missing certificate only as a handshake failure.
  if (isCertificateAlert(code) || code.endsWith('_ALERT_HANDSHAKE_FAILURE')) {
    return { kind: 'denied', reason: `the server refused our certificate (${code})` };
  }
  if (code.includes('CERT') || code.includes('SIGNATURE') || code.includes('CHAIN')) {
    return { kind: 'denied', reason: `its certificate is not trusted (${errorMessage(error)})` };
  }
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') {
    return { kind: 'invalid', reason: `no TLS there (${code})` };
  }
  return { kind: 'unreachable', reason: errorMessage(error) };
}

/** TLS alerts that say: I do not take your certificate. With TLS 1.3 they arrive after our side of the handshake. */
function isCertificateAlert(code: string): boolean {
  return /^ERR_SSL_(SSL|TLS)V\d+_ALERT_(.*CERTIFICATE.*|UNKNOWN_CA)$/.test(code);
}

// ---------------------------------------------------------------- second step: the request

/** Writes the request once and reads the whole answer. Whatever goes wrong in here, it may have been sent. */
function ask(
  http: typeof Http,
  socket: Socket,
  request: Request,
  authorization: string | null,
  deadline: Deadline,
): Promise<Exchange> {
  const headers: Record<string, string | number> = {
    host: request.origin.host,
    accept: 'application/json',
  };
  if (authorization !== null) headers['authorization'] = authorization;
  if (request.body !== null) {
    headers['content-type'] = 'application/json';
    headers['content-length'] = Buffer.byteLength(request.body);
  }
  return new Promise((resolve) => {
    let httpStatus: number | null = null;
    const finish = (result: Exchange): void => {
      resolve(result);
      socket.destroy();
    };
    const fail = (kind: SilenceKind, what: string): void => {
      const got = httpStatus === null ? '' : `HTTP ${httpStatus}, then `;
      finish({ ok: false, sent: true, kind, reason: got + what });
    };
    const failed = (error: Error): void => {
      const refused = httpStatus === null && isCertificateAlert(errorCode(error));
      // Such an alert ends the handshake: the server reads no request behind it.
      if (refused) finish({ ok: false, sent: false, ...connectFailure(error) });
      else if (errorCode(error).startsWith('HPE_')) fail('invalid', 'not an HTTP answer');
      else fail('unreachable', errorMessage(error));
    };
    deadline.onExpiry(() => fail('unreachable', `no whole answer within ${deadline.timeoutMs} ms`));
    const { method, path } = request;
    // Never a proxy, never an agent that would keep the connection: the socket is ours.
    const outgoing = http.request({ method, path, headers, createConnection: () => socket });
    outgoing.on('error', failed);
    outgoing.on('response', (response) => {
      httpStatus = response.statusCode ?? 0;
      const status = httpStatus;
      response.on('error', failed);
      readBody(response, (body) => {
        if (body !== null) finish({ ok: true, status, body });
        else fail('invalid', `more than ${MAX_BODY_BYTES} bytes of answer`);
      });
    });
    outgoing.end(request.body ?? undefined);
  });
}

/** The whole body, or null as soon as it is too large. */
function readBody(response: Http.IncomingMessage, done: (body: string | null) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
    else done(null);
  });
  response.on('end', () => done(Buffer.concat(chunks).toString('utf8')));
}

// ---------------------------------------------------------------- small things

// In the bundle each import() copies all that the module exports, and a fleet makes hundreds of requests a second.
const loaded: {
  http?: Promise<typeof Http>;
  net?: Promise<typeof Net>;
  tls?: Promise<typeof Tls>;
} = {};
const loadHttp = (): Promise<typeof Http> => (loaded.http ??= import('node:http'));
const loadNet = (): Promise<typeof Net> => (loaded.net ??= import('node:net'));
const loadTls = (): Promise<typeof Tls> => (loaded.tls ??= import('node:tls'));

async function readTlsFiles(rest: RestSettings, readFile: ReadFile): Promise<ConnectionOptions> {
  const options: ConnectionOptions = { rejectUnauthorized: !rest.insecure };
  if (rest.cacert !== null) {
    options.ca = await readFile(rest.cacert);
    if (!String(options.ca).includes('CERTIFICATE-----'))
      throw new Error(`there is no certificate in ${rest.cacert} (ctl.cacert or restapi.cafile)`);
  }
  if (rest.certfile !== null) {
    options.cert = await readFile(rest.certfile);
    // One file may hold both, as for Python's ssl module.
    options.key = rest.keyfile === null ? options.cert : await readFile(rest.keyfile);
    if (rest.keyfilePassword !== null) options.passphrase = rest.keyfilePassword;
  }
  return options;
}

async function readFromDisk(path: string): Promise<Buffer> {
  const { readLimited } = await import('../config/read-limited.js');
  return readLimited(path);
}
