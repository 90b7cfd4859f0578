/** One etcd watch as an async sequence of messages. */
import type { IWatchResponse } from 'etcd3';
import type { Endpoint } from '../../config/endpoints.js';
import type { Grpc } from './grpc.js';
import { endOfPrefix } from '../keyed/prefixes.js';
import type { EtcdError } from './refusal.js';

/** What comes out of a stream; `ended` is the last. */
export type StreamItem =
  { kind: 'message'; message: IWatchResponse } | { kind: 'ended'; error: EtcdError };

export interface Messages {
  /** The next message. Only one reader at a time. */
  next(): Promise<StreamItem>;
  /** Ends the stream; what has arrived can still be read. */
  cancel(): void;
}

/** Watches `prefix` from `fromRevision` on, deletions with the value before. */
export async function openMessages(
  grpc: Grpc,
  endpoint: Endpoint,
  prefix: string,
  fromRevision: bigint,
): Promise<Messages> {
  const arrived: StreamItem[] = [];
  let wake: (() => void) | undefined;
  const push = (item: StreamItem): void => {
    arrived.push(item);
    wake?.();
  };
  const stream = await grpc.watch(endpoint, {
    message: (message) => push({ kind: 'message', message }),
    ended: (error) => push({ kind: 'ended', error }),
  });
  stream.send({
    create_request: {
      key: Buffer.from(prefix),
      range_end: Buffer.from(endOfPrefix(prefix)),
      start_revision: fromRevision.toString(),
      prev_kv: true,
      fragment: true,
    },
  });
  return {
    async next() {
      for (;;) {
        const item = arrived.shift();
        if (item !== undefined) return item;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    cancel: () => stream.cancel(),
  };
}

/** The watch begins before the oldest history that is left: its first revision, else null. */
export function compactedTo(message: IWatchResponse): bigint | null {
  const revision = BigInt(message.compact_revision);
  return message.canceled && revision > 0n ? revision : null;
}
