/** etcd over gRPC: everything KeyStore promises. Importing this file loads gRPC, so import it when first needed. */
import { setMaxListeners } from 'node:events';
import type { IRangeRequest, IRangeResponse } from 'etcd3';
import {
  allPages,
  type KeyStore,
  type PageReader,
  type PastKey,
  type RangeOptions,
  type RangeRead,
} from '../keyed/key-store.js';
import type { EtcdConnection } from './etcd-connection.js';
import type { Endpoint } from '../../config/endpoints.js';
import { findDeleted, PARALLEL, type Teller } from './deleted.js';
import { openGrpc, unwrap } from './grpc.js';
import { PAGE_KEYS, checkPrefix, endOfPrefix, keyAfter } from '../keyed/prefixes.js';
import { toKeyValue, type Etcd } from './live.js';
import { isCompacted } from './refusal.js';
import { write } from './txn.js';
import { walkEndpoints, type Walk } from './walk.js';
import { followPrefix } from './follow-prefix.js';

/** Connects at the first call. */
export function openEtcd3(
  settings: EtcdConnection,
  walk: Walk = walkEndpoints(settings.endpoints),
): KeyStore {
  const closing = new AbortController();
  // Every call in flight listens, and there may be many: this is not a leak.
  setMaxListeners(0, closing.signal);
  const etcd: Etcd = { settings, walk, grpc: openGrpc(settings), closing: closing.signal };
  async function rangeInto<T>(
    prefix: string,
    begin: () => PageReader<T>,
    options: RangeOptions = {},
  ): Promise<T> {
    checkPrefix(prefix);
    const { value } = await walk.first(
      settings.timeoutMs,
      (endpoint, signal) => readAll(etcd, { endpoint, prefix, begin, options }, signal),
      closing.signal,
    );
    return value;
  }

  return {
    range: (prefix, options) => rangeInto(prefix, allPages, options),
    rangeInto,
    txn: (compares, ops) => write(etcd, compares, ops),
    watch(prefix, afterRevision, signal) {
      checkPrefix(prefix);
      return followPrefix(etcd, prefix, afterRevision, AbortSignal.any([signal, closing.signal]));
    },
    async rangeAt(prefix, revision) {
      checkPrefix(prefix);
      const { value } = await walk.first(
        settings.timeoutMs,
        (endpoint, signal) => readPast(etcd, endpoint, prefix, revision, signal),
        closing.signal,
      );
      return value;
    },
    async deletedKeys(prefix, { ms, looks }, enough) {
      checkPrefix(prefix);
      const over = AbortSignal.timeout(ms);
      const timeoutMs = Math.min(ms, settings.timeoutMs);
      const { endpoint, value: now } = await walk.first(
        timeoutMs,
        (endpoint, signal) =>
          readAll(etcd, { endpoint, prefix, begin: allPages, options: {} }, signal),
        closing.signal,
      );
      const teller = tellerAt(etcd, endpoint, prefix, now, over);
      const subject = { username: settings.username, key: prefix };
      return findDeleted(teller, subject, { over, looks }, enough);
    },
    close() {
      closing.abort();
      etcd.grpc.close();
      return Promise.resolve();
    },
  };
}

interface Reading<T> {
  endpoint: Endpoint;
  prefix: string;
  begin: () => PageReader<T>;
  options: RangeOptions;
}

async function readAll<T>(
  { grpc, settings }: Etcd,
  { endpoint, prefix, begin, options }: Reading<T>,
  signal: AbortSignal,
): Promise<T> {
  let reader = begin();
  let revision = '0';
  let key = prefix;
  let restarts = 0;
  for (;;) {
    const answer = await grpc.read<IRangeResponse>(endpoint, {
      service: 'KV',
      method: 'range',
      request: {
        key: Buffer.from(key),
        range_end: Buffer.from(endOfPrefix(prefix)),
        limit: PAGE_KEYS,
        revision,
        serializable: options.serializable ?? false,
      } satisfies IRangeRequest,
      timeoutMs: settings.timeoutMs,
      signal,
    });
    if (!answer.ok && isCompacted(answer.error) && ++restarts <= 3) {
      reader = begin();
      revision = '0';
      key = prefix;
      continue;
    }
    const page = unwrap(answer, settings, prefix);
    if (revision === '0') revision = page.header.revision;
    const kvs = page.kvs.map(toKeyValue);
    const last = kvs.at(-1);
    if (!page.more || last === undefined) return reader.all({ revision, kvs });
    reader.take({ revision, kvs });
    key = keyAfter(last.key);
  }
}

async function readPast(
  { grpc, settings }: Etcd,
  endpoint: Endpoint,
  prefix: string,
  revision: string,
  signal: AbortSignal,
): Promise<PastKey[] | null> {
  const range_end = Buffer.from(endOfPrefix(prefix));
  const answer = await grpc.read<IRangeResponse>(endpoint, {
    service: 'KV',
    method: 'range',
    request: { key: Buffer.from(prefix), range_end, revision } satisfies IRangeRequest,
    timeoutMs: settings.timeoutMs,
    signal,
  });
  if (!answer.ok && isCompacted(answer.error)) return null;
  const { kvs } = unwrap(answer, settings, prefix);
  return kvs.map((raw) => ({ ...toKeyValue(raw), version: Number(raw.version) }));
}

function tellerAt(
  { grpc, settings }: Etcd,
  endpoint: Endpoint,
  prefix: string,
  now: RangeRead,
  signal: AbortSignal,
): Teller {
  const whole = { key: Buffer.from(prefix), range_end: Buffer.from(endOfPrefix(prefix)) };
  return {
    endpoint,
    now,
    together: PARALLEL,
    async at(revision, key) {
      const answer = await grpc.read<IRangeResponse>(endpoint, {
        service: 'KV',
        method: 'range',
        request: {
          ...(key === undefined ? whole : { key: Buffer.from(key) }),
          revision: revision.toString(),
          // This endpoint has been at the head already, and its past is the cluster's.
          serializable: true,
        } satisfies IRangeRequest,
        timeoutMs: settings.timeoutMs,
        signal,
      });
      return answer.ok ? answer.value.kvs.map(toKeyValue) : answer.error;
    },
  };
}
