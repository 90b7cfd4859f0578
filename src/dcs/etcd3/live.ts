/** What the parts of the gRPC adapter share. */
import type { IKeyValue, IRangeResponse } from 'etcd3';
import type { KeyValue } from '../keyed/key-store.js';
import type { EtcdConnection } from './etcd-connection.js';
import type { Endpoint } from '../../config/endpoints.js';
import { unwrap, type Grpc } from './grpc.js';
import { endOfPrefix } from '../keyed/prefixes.js';
import type { Walk } from './walk.js';

export interface Etcd {
  settings: EtcdConnection;
  walk: Walk;
  grpc: Grpc;
  /** Aborts when the adapter is closed. */
  closing: AbortSignal;
}

export function toKeyValue(raw: IKeyValue): KeyValue {
  return {
    key: raw.key.toString('utf8'),
    value: raw.value.toString('utf8'),
    createRevision: raw.create_revision,
    modRevision: raw.mod_revision,
    lease: raw.lease === '0' ? null : raw.lease,
  };
}

/**
 * Asks for one key of a prefix and gives the endpoint that answered with today's revision: it lives, has
 * the majority behind it, knows our token and lets us read there.
 */
export async function findLive(
  { grpc, settings, walk, closing }: Etcd,
  prefix: string,
  options: { timeoutMs?: number; singleKey?: boolean; signal?: AbortSignal } = {},
): Promise<{ endpoint: Endpoint; revision: string }> {
  const timeoutMs = options.timeoutMs ?? settings.timeoutMs;
  const range = options.singleKey === true ? {} : { range_end: Buffer.from(endOfPrefix(prefix)) };
  const request = { key: Buffer.from(prefix), ...range, limit: 1, keys_only: true };
  const ask = async (asked: Endpoint, signal: AbortSignal): Promise<IRangeResponse> => {
    const call = { service: 'KV', method: 'range', request, timeoutMs, signal } as const;
    return unwrap(await grpc.read<IRangeResponse>(asked, call), settings, prefix);
  };
  const { endpoint, value } = await walk.first(timeoutMs, ask, options.signal ?? closing);
  return { endpoint, revision: value.header.revision };
}
