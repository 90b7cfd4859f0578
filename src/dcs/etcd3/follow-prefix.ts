/** Following a prefix through lost connections, frozen servers and compactions. */
import type { IWatchResponse } from 'etcd3';
import { pause } from '../../clock.js';
import { ToolError } from '../../errors.js';
import type { WatchEvent } from '../keyed/key-store.js';
import type { Endpoint } from '../../config/endpoints.js';
import { findLive, toKeyValue, type Etcd } from './live.js';
import { CODE, isUndecided, etcdRefusal, type EtcdError } from './refusal.js';
import { compactedTo, openMessages, type Messages } from './stream.js';

/** How often the server of a watch has to prove that it lives and is not cut off from the others. */
const HEARTBEAT_MS = 2000;
const RECONNECT_MS = 200;

/** How far a watch has read. */
interface Position {
  after: bigint;
  connectedBefore: boolean;
}

/** See KeyStore.watch. Throws when the first connection cannot be made; later ones are tried until `signal`. */
export async function* followPrefix(
  etcd: Etcd,
  prefix: string,
  afterRevision: string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  const position: Position = { after: BigInt(afterRevision), connectedBefore: false };
  while (!signal.aborted) {
    const endpoint = await reconnect(etcd, prefix, position, signal);
    if (endpoint === null) continue;
    const from = position.after + 1n;
    const messages = await openMessages(etcd.grpc, endpoint, prefix, from);
    const heartbeat = beat(etcd, endpoint, prefix, messages);
    // Also when the reader stops without notice.
    const stop = (): void => {
      clearInterval(heartbeat);
      messages.cancel();
    };
    onAbort(signal, stop);
    try {
      yield* events(etcd, prefix, messages, position, signal);
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
    etcd.walk.avoid(endpoint);
    await pause(RECONNECT_MS, signal);
  }
}

/** An endpoint that answers, or null after a pause if none does. */
async function reconnect(
  etcd: Etcd,
  prefix: string,
  position: Position,
  signal: AbortSignal,
): Promise<Endpoint | null> {
  try {
    return (await findLive(etcd, prefix, { signal })).endpoint;
  } catch (error) {
    if (signal.aborted) return null;
    const unreachable = error instanceof ToolError && error.ending === 'unreachable';
    if (!unreachable || !position.connectedBefore) throw error;
    await pause(RECONNECT_MS, signal);
    return null;
  }
}

/**
 * Ends the stream when its server stops answering a read that needs the majority: a frozen server and one
 * behind a network split keep a watch open for ever. (gRPC's keepalive would be refused: etcd ends
 * connections that ping more often than every 5 s.)
 */
function beat(etcd: Etcd, endpoint: Endpoint, prefix: string, messages: Messages): NodeJS.Timeout {
  const request = { key: Buffer.from(prefix), limit: 1, count_only: true };
  const timeoutMs = Math.min(etcd.settings.timeoutMs, HEARTBEAT_MS);
  return setInterval(() => {
    void etcd.grpc
      .read(endpoint, { service: 'KV', method: 'range', request, timeoutMs })
      .then((answer) => {
        if (!answer.ok) messages.cancel();
      });
  }, HEARTBEAT_MS);
}

/** The events of one stream until it ends. */
async function* events(
  etcd: Etcd,
  prefix: string,
  messages: Messages,
  position: Position,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  for (;;) {
    const item = await messages.next();
    if (signal.aborted) return;
    if (item.kind === 'ended') {
      if (!position.connectedBefore) throw neverConnected(item.error);
      return;
    }
    const { message } = item;
    if (message.canceled) {
      const oldest = compactedTo(message);
      if (oldest === null) refuseOrReturn(etcd, prefix, message.cancel_reason);
      else position.after = oldest - 1n;
      // Compacted: events are missing. The new stream reports it once it is open.
      position.connectedBefore = true;
      return;
    }
    if (message.created) {
      if (position.connectedBefore) yield { type: 'resync' };
      position.connectedBefore = true;
    }
    for (const event of message.events) {
      position.after = BigInt(event.kv.mod_revision);
      yield toEvent(event);
    }
  }
}

function neverConnected({ message }: EtcdError): ToolError {
  return new ToolError('unreachable', `etcd's watch could not be opened (${message})`);
}

/** etcd ended the watch: a refusal is thrown, anything else is a lost connection. */
function refuseOrReturn(etcd: Etcd, prefix: string, reason: string): void {
  const denied = /permission ?denied/i.test(reason);
  const error = { code: denied ? CODE.permissionDenied : CODE.unavailable, message: reason };
  if (!isUndecided(error))
    throw etcdRefusal(error, { username: etcd.settings.username, key: prefix });
}

function toEvent(event: IWatchResponse['events'][number]): WatchEvent {
  const revision = event.kv.mod_revision;
  if (isPut(event)) {
    return { type: 'put', kv: toKeyValue(event.kv), revision };
  }
  const previous = previousValue(event.prev_kv);
  return { type: 'delete', key: event.kv.key.toString('utf8'), previous, revision };
}

/** Enums come as protobuf's names, which etcd3's types spell otherwise. */
function isPut({ type }: IWatchResponse['events'][number]): boolean {
  return type.toUpperCase() === 'PUT';
}

/** The value before, or null when it was compacted. */
function previousValue(kv: { value: Buffer } | null | undefined): string | null {
  return kv?.value.toString('utf8') ?? null;
}

/** Runs `stop` when the signal aborts, also when it has already. */
function onAbort(signal: AbortSignal, stop: () => void): void {
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
}
