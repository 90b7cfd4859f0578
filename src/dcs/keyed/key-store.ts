/** A store of Patroni's keys. Implementations: etcd3 (gRPC, and one-shot reads over HTTP), memory-store.ts. */

/** One key at one revision. Revisions and lease ids are decimal strings: they exceed 2^53. */
export interface KeyValue {
  key: string;
  value: string;
  createRevision: string;
  modRevision: string;
  /** Lease id, or null when the key has none. */
  lease: string | null;
}

/** All keys of a prefix at one revision, in key order. */
export interface RangeRead {
  revision: string;
  kvs: KeyValue[];
}

export interface RangeOptions {
  /** Answer from one server's own copy, without asking the etcd majority. Default false (linearizable). */
  serializable?: boolean;
}

/** Reads the pages of one revision in their order. */
export interface PageReader<T> {
  /** A page behind which there is another one, while that is on its way. */
  take(page: RangeRead): void;
  /** The last page: what all of them are together. */
  all(last: RangeRead): T;
}

/** A key as it stood at an old revision. */
export interface PastKey extends KeyValue {
  /** How often it had been written since it was created. */
  version: number;
}

/** The key is at this revision; '0' means it does not exist. */
export interface Compare {
  key: string;
  modRevision: string;
}

export type WriteOp = { op: 'put'; key: string; value: string } | { op: 'delete'; key: string };

/** `conflict`: a compare did not hold and nothing was written; `current` is what the compared keys are now. */
export type TxnOutcome = { done: true; revision: string } | { done: false; current: KeyValue[] };

export type WatchEvent =
  | { type: 'put'; kv: KeyValue; revision: string }
  | { type: 'delete'; key: string; previous: string | null; revision: string }
  /** The connection was lost and is back, or history was compacted: read again, events may be missing. */
  | { type: 'resync' };

/** A key that was deleted, with the last value it had. */
export interface DeletedKey {
  key: string;
  lastValue: string;
  deletedRevision: string;
  /** The limit was reached before its end was found: it may have had a later value, and be gone for longer. */
  approximate?: true;
}

/** In key order. */
export interface DeletedKeys {
  keys: DeletedKey[];
  /**
   * History was looked at back to its beginning; in a long one, all but what came and went between two
   * writes below the prefix. When false (a limit was reached, or it was enough), keys that existed for a
   * short while, long ago, may be missing, and one that came and went several times may have an earlier
   * value.
   */
  complete: boolean;
}

/** How much of etcd's history is looked at. */
export interface HistoryLimit {
  ms: number;
  /** Moments of the past; without it as many as the time allows. */
  looks?: number;
}

/** Whether what was found so far is enough. */
export type Enough = (found: readonly DeletedKey[]) => boolean;

/**
 * Errors of every call are ToolError: `unreachable` when no endpoint answered within the deadline,
 * `error` when etcd answered and refused (permission, wrong password), and, for txn only,
 * `unconfirmed` when the answer was lost and reading the keys back did not settle whether it was written.
 */
export interface KeyStore {
  /** Every key below `prefix`, which must end with '/'. */
  range(prefix: string, options?: RangeOptions): Promise<RangeRead>;
  /**
   * As `range`, read page by page. `begin` is called for each attempt: several endpoints may be read at the same time,
   * and one again from its beginning. What the reader of the one that ended first made is the result.
   */
  rangeInto<T>(prefix: string, begin: () => PageReader<T>, options?: RangeOptions): Promise<T>;
  /** Write all `ops` if every compare holds. Sent once, never retried. */
  txn(compares: Compare[], ops: WriteOp[]): Promise<TxnOutcome>;
  /** Events below `prefix` after `afterRevision`; ends when `signal` aborts. Survives lost connections. */
  watch(prefix: string, afterRevision: string, signal: AbortSignal): AsyncIterable<WatchEvent>;
  /**
   * Keys below `prefix` that were deleted, newest value of each, from etcd's own history, as far back as
   * the last compaction; bounded by `limit`, and by `enough`, which is asked now and then. Keys that exist
   * again are left out.
   */
  deletedKeys(prefix: string, limit: HistoryLimit, enough?: Enough): Promise<DeletedKeys>;
  /** What stood below `prefix` at an old revision; null when etcd no longer has that (compacted). */
  rangeAt(prefix: string, revision: string): Promise<PastKey[] | null>;
  /** Ends every connection and watch. Idempotent. */
  close(): Promise<void>;
}

/** All pages as one list. */
export function allPages(): PageReader<RangeRead> {
  const kept: KeyValue[] = [];
  return {
    take: ({ kvs }) => void kept.push(...kvs),
    all: ({ revision, kvs }) => ({ revision, kvs: kept.concat(kvs) }),
  };
}
