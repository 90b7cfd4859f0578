/**
 * The one place that runs the etcd3 package. It is used for its protocol and its connections only: its
 * retries, circuit breakers, logins and watch manager are replaced, because they send writes twice, forget
 * the cause of a failure and outlive their deadlines.
 */
import { createPrivateKey } from 'node:crypto';
import { noop } from 'cockatiel';
import type { IOptions, IWatchResponse } from 'etcd3';
import { ConnectionPool } from 'etcd3/lib/connection-pool.js';
import { ToolError } from '../../errors.js';
import { oneLine } from '../../output/text.js';
import type { EtcdConnection } from './etcd-connection.js';
import type { Endpoint } from '../../config/endpoints.js';
import {
  CODE,
  NO_ETCD,
  isAuthOff,
  isStaleToken,
  etcdRefusal,
  tlsWords,
  type EtcdError,
} from './refusal.js';
import { hostPort } from './walk.js';

/** What etcd answered, or gRPC's code and words when it did not. */
export type CallAnswer<T> = { ok: true; value: T } | { ok: false; error: EtcdError };

type Service = 'KV' | 'Auth' | 'Watch';

export interface Call {
  service: Service;
  method: string;
  request: object;
  timeoutMs: number;
  signal?: AbortSignal;
}

/** One watch stream: messages in order, then exactly one `ended`. */
export interface WatchStream {
  send(request: object): void;
  cancel(): void;
}

export interface WatchListener {
  message(message: IWatchResponse): void;
  ended(error: EtcdError): void;
}

export interface Grpc {
  /** Sends once, logged in where a login is configured. Rejects only when the client key is unusable. */
  call<T>(endpoint: Endpoint, call: Call): Promise<CallAnswer<T>>;
  /** Like `call`, and logs in once more when etcd does not know the token. For reads only. */
  read<T>(endpoint: Endpoint, call: Call): Promise<CallAnswer<T>>;
  watch(endpoint: Endpoint, listener: WatchListener): Promise<WatchStream>;
  close(): void;
}

/** Methods that protobuf gives grpc-js's client. */
interface RawClient {
  [method: string]: unknown;
}

interface RawCall {
  cancel(): void;
}

interface RawStream extends RawCall {
  write(message: object): void;
  on(event: 'data', listener: (message: IWatchResponse) => void): this;
  on(event: 'end', listener: () => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
}

type Unary = (
  request: object,
  metadata: object,
  options: { deadline: number },
  done: (error: Error | null, value: unknown) => void,
) => RawCall;
type Stream = (metadata: object, options: object) => RawStream;

const NET_MS = 500;

const CHANNEL = {
  // http_proxy is for the world outside, and would see the password.
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
};

/** Opens no connection yet. One pool per endpoint: which of them is asked is decided in walk.ts. */
export function openGrpc(settings: EtcdConnection): Grpc {
  const hasCertificate = settings.cert !== null;
  const pools = new Map<Endpoint, ConnectionPool>();
  const streams = new Set<WatchStream>();
  let token: string | null = null;
  let authOff = false;
  let closed = false;

  function client(endpoint: Endpoint, service: Service): Promise<Client> {
    const pool = pools.get(endpoint) ?? openPool(settings, endpoint);
    pools.set(endpoint, pool);
    return pool.withConnection(service, ({ client: raw, metadata }) => {
      if (token !== null) metadata.set('token', token);
      return { raw: raw as unknown as RawClient, metadata };
    });
  }

  async function call<T>(endpoint: Endpoint, wanted: Call): Promise<CallAnswer<T>> {
    // A call with a signal is stopped by its owner, who knows better why; the deadline is the net below.
    const until = Date.now() + wanted.timeoutMs + (wanted.signal === undefined ? 0 : NET_MS);
    if (closed) return { ok: false, error: { code: CODE.canceled, message: 'closed' } };
    const refused = wanted.service === 'Auth' ? null : await login(endpoint, wanted);
    if (refused !== null) return { ok: false, error: refused };
    return sendUnary(await client(endpoint, wanted.service), wanted, until, hasCertificate);
  }

  async function login(endpoint: Endpoint, wanted: Call): Promise<EtcdError | null> {
    const { username } = settings;
    if (username === null || token !== null || authOff) return null;
    const answer = await call<{ token: string }>(endpoint, loginCall(settings, wanted));
    if (answer.ok) token = answer.value.token;
    else if (isAuthOff(answer.error)) authOff = true;
    else return answer.error;
    return null;
  }

  return {
    call,
    async read<T>(endpoint: Endpoint, wanted: Call) {
      const answer = await call<T>(endpoint, wanted);
      if (answer.ok || token === null || !isStaleToken(answer.error)) return answer;
      token = null;
      return call<T>(endpoint, wanted);
    },
    async watch(endpoint, listener) {
      const { raw, metadata } = await client(endpoint, 'Watch');
      const open = (): RawStream => (raw['watch'] as Stream).call(raw, metadata, {});
      const stream = openStream(open, hasCertificate, listener, () => streams.delete(stream));
      streams.add(stream);
      return stream;
    },
    close() {
      closed = true;
      for (const stream of streams) stream.cancel();
      for (const pool of pools.values()) pool.close();
      pools.clear();
    },
  };
}

function loginCall({ username, password }: EtcdConnection, wanted: Call): Call {
  const request = { name: username, password: password ?? '' };
  return { ...wanted, service: 'Auth', method: 'authenticate', request };
}

interface Client {
  raw: RawClient;
  metadata: Metadata;
}

/** Once; `until`: its deadline, ms since 1970. */
function sendUnary<T>(
  { raw, metadata }: Client,
  wanted: Call,
  until: number,
  hasCertificate: boolean,
): Promise<CallAnswer<T>> {
  return new Promise((resolve) => {
    const method = (raw[wanted.method] as Unary).bind(raw);
    const sent = method(wanted.request, metadata, { deadline: until }, (error, value) => {
      wanted.signal?.removeEventListener('abort', stop);
      resolve(
        error
          ? { ok: false, error: words(error, hasCertificate) }
          : { ok: true, value: value as T },
      );
    });
    const stop = (): void => sent.cancel();
    wanted.signal?.addEventListener('abort', stop, { once: true });
  });
}

interface Metadata {
  set(key: string, value: string): void;
}

function openStream(
  open: () => RawStream,
  hasCertificate: boolean,
  listener: WatchListener,
  forget: () => void,
): WatchStream {
  const raw = open();
  let over = false;
  const end = (error: EtcdError): void => {
    if (over) return;
    over = true;
    forget();
    listener.ended(error);
  };
  raw.on('data', (message) => {
    if (!over) listener.message(message);
  });
  // An 'error' without a listener would end the process, also after a cancel.
  raw.on('error', (error) => end(words(error, hasCertificate)));
  raw.on('end', () => end({ code: 14, message: 'the watch was closed by etcd' }));
  return {
    send(request) {
      if (!over) raw.write(request);
    },
    cancel() {
      raw.cancel();
      end({ code: 1, message: 'cancelled' });
    },
  };
}

/** gRPC's code and etcd's words, without the code name that grpc-js puts before them. */
function words(error: Error, hasCertificate: boolean): EtcdError {
  const code = 'code' in error && typeof error.code === 'number' ? error.code : 2;
  const details = 'details' in error && typeof error.details === 'string' ? error.details : '';
  return { code, message: plain(details || error.message, hasCertificate) };
}

/** grpc-js tells a failed connection in a sentence for developers; the cause stands at its end. */
function plain(details: string, hasCertificate: boolean): string {
  if (/ECONNREFUSED/.test(details)) return 'connection refused';
  if (/ECONNRESET|Connection dropped|read ECONN/.test(details)) return 'connection closed';
  if (/Name resolution failed/.test(details)) return 'host name not found';
  if (/Deadline exceeded/i.test(details)) return 'no answer';
  if (/Protocol error|Received HTTP status code/.test(details)) return `it answers, ${NO_ETCD}`;
  const failed =
    /^No connection established\. Last error: ([^]*?)(?: \(\d{4}-[^)]*\))?\. Resolution note:/;
  const cause = failed.exec(details)?.[1];
  if (cause === undefined) return oneLine(details);
  return tlsWords(cause, hasCertificate) ?? oneLine(cause);
}

function openPool(settings: EtcdConnection, endpoint: Endpoint): ConnectionPool {
  const credentials = endpoint.protocol === 'https' ? tlsCredentials(settings) : undefined;
  const options: IOptions = {
    hosts: `${endpoint.protocol}://${hostPort(endpoint)}`,
    grpcOptions: CHANNEL,
    faultHandling: { host: () => noop, global: noop },
    // etcd3 takes any credentials as a request for TLS.
    ...(credentials === undefined ? {} : { credentials }),
  };
  return new ConnectionPool(options);
}

type Credentials = NonNullable<IOptions['credentials']>;

function tlsCredentials(settings: EtcdConnection): Credentials {
  const { ca, cert, key } = settings;
  // rootCertificate may be missing (the system's are used then), whatever the type says.
  return {
    ...(ca === null ? {} : { rootCertificate: Buffer.from(ca) }),
    ...(key === null || cert === null
      ? {}
      : { privateKey: plainKey(settings, key), certChain: Buffer.from(cert) }),
  } as Credentials;
}

/** grpc-js knows no passphrases: it gets the key decrypted. */
function plainKey({ keyPassword }: EtcdConnection, key: string): Buffer {
  if (keyPassword === null) return Buffer.from(key);
  try {
    const decrypted = createPrivateKey({ key, passphrase: keyPassword });
    return Buffer.from(decrypted.export({ type: 'pkcs8', format: 'pem' }));
  } catch {
    throw new ToolError('error', 'the client certificate for etcd or its key cannot be used', {
      hint: 'Check etcd3.cert, etcd3.key and etcd3.key_password.',
    });
  }
}

/** The value, or the error to throw. */
export function unwrap<T>(answer: CallAnswer<T>, settings: EtcdConnection, key: string): T {
  if (answer.ok) return answer.value;
  throw etcdRefusal(answer.error, { username: settings.username, key });
}
