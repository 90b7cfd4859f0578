/** etcd over gRPC: everything KeyStore promises. Importing this file loads gRPC, so import it when first needed. */
import { setMaxListeners } from 'node:events';
import type { IRangeRequest, IRangeResponse } from 'etcd3';
import {
  pagesOf,
  type KeyStore,
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
  return {
    async range(prefix, options = {}) {
      checkPrefix(prefix);
      const { value } = await walk.first(
        settings.timeoutMs,
        (endpoint, signal) => readAll(etcd, endpoint, prefix, options, signal),
        closing.signal,
      );
      return value;
    },
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
        (endpoint, signal) => readAll(etcd, endpoint, prefix, {}, signal),
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

async function readAll(
  { grpc, settings }: Etcd,
  endpoint: Endpoint,
  prefix: string,
  options: RangeOptions,
  signal: AbortSignal,
): Promise<RangeRead> {
  let { take, kept } = pagesOf(options);
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
      ({ take, kept } = pagesOf(options));
      revision = '0';
      key = prefix;
      continue;
    }
    const page = unwrap(answer, settings, prefix);
    if (revision === '0') revision = page.header.revision;
    const kvs = page.kvs.map(toKeyValue);
    const last = kvs.at(-1);
    if (!page.more || last === undefined) return { revision, kvs: kept.concat(kvs) };
    take({ revision, kvs });
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
