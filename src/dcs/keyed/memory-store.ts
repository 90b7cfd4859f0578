/** A DCS in memory with etcd's semantics, for tests and for trying things out. Held to the same contract suite. */
import { ToolError } from '../../errors.js';
import type {
  Compare,
  KeyStore,
  DeletedKey,
  DeletedKeys,
  Enough,
  KeyValue,
  PastKey,
  RangeRead,
  WatchEvent,
  WriteOp,
} from './key-store.js';
import { checkCompares, checkPrefix } from './prefixes.js';

/**
 * How the next call fails. `lost`: a txn is written and `unconfirmed` is thrown; `dropped`: it is not
 * written and `unconfirmed` is thrown. Calls that only read see both as `unreachable`.
 */
export type MemoryFailure = 'unreachable' | 'refused' | 'lost' | 'dropped';

export type MemoryCall = 'range' | 'rangeAt' | 'txn' | 'watch' | 'deletedKeys';

export interface MemoryStore extends KeyStore {
  /** Writes one key as another client would; gives its revision. */
  put(key: string, value: string, lease?: string): string;
  /** Deletes one key as another client would. */
  remove(key: string): void;
  /** Forgets history up to and including this revision. */
  compact(revision: string): void;
  /** The next call (of this kind) fails so. Several are queued. */
  failNext(how: MemoryFailure, call?: MemoryCall): void;
  /** Every watch says `resync`, as after a lost connection. */
  disconnect(): void;
  /** Calls so far, for "asked once". */
  readonly calls: readonly MemoryCall[];
  readonly revision: string;
}

interface Change {
  revision: bigint;
  key: string;
  /** Null: deleted. */
  now: KeyValue | null;
  before: KeyValue | null;
}

interface Watcher {
  after: bigint;
  resync: boolean;
  wake: () => void;
}

interface Store {
  /** What stood at the compaction. */
  base: PastKey[];
  keys: Map<string, KeyValue>;
  history: Change[];
  revision: bigint;
  /** History up to and including this revision is gone. */
  compacted: bigint;
  watchers: Set<Watcher>;
  failures: { how: MemoryFailure; call: MemoryCall | undefined }[];
  calls: MemoryCall[];
}

/** Starts with `initial` keys, each written at a revision of its own. */
export function memoryStore(initial: Readonly<Record<string, string>> = {}): MemoryStore {
  const closing = new AbortController();
  const store: Store = {
    keys: new Map(),
    base: [],
    history: [],
    revision: 1n,
    compacted: 0n,
    watchers: new Set(),
    failures: [],
    calls: [],
  };
  const control = controlsOf(store);
  for (const [key, value] of Object.entries(initial)) control.put(key, value);
  const range = async (prefix: string): Promise<RangeRead> => {
    await enter(store, 'range');
    checkPrefix(prefix);
    return { revision: store.revision.toString(), kvs: below(store, prefix) };
  };
  return {
    ...control,
    calls: store.calls,
    get revision() {
      return store.revision.toString();
    },
    range,
    rangeInto: async (prefix, begin) => begin().all(await range(prefix)),
    txn: async (compares, ops) => {
      checkCompares(compares);
      const failure = await enter(store, 'txn');
      if (failure === 'dropped') throw unconfirmed(ops);
      const current = compares.flatMap(({ key }) => store.keys.get(key) ?? []);
      const holds = compares.every((compare) => isAt(store, compare));
      if (holds) apply(store, ops);
      if (failure === 'lost') throw unconfirmed(ops);
      return holds ? { done: true, revision: store.revision.toString() } : { done: false, current };
    },
    watch: (prefix, afterRevision, signal) => {
      checkPrefix(prefix);
      return follow(store, prefix, afterRevision, AbortSignal.any([signal, closing.signal]));
    },
    deletedKeys: async (prefix, _limit, enough) => {
      await enter(store, 'deletedKeys');
      checkPrefix(prefix);
      return deletedBelow(store, prefix, enough);
    },
    rangeAt: async (prefix, revision) => {
      await enter(store, 'rangeAt');
      checkPrefix(prefix);
      return BigInt(revision) < store.compacted ? null : pastBelow(store, prefix, BigInt(revision));
    },
    close: () => {
      closing.abort();
      return Promise.resolve();
    },
  };
}

/** What a test does to it as other clients and the network would. */
function controlsOf(
  store: Store,
): Pick<MemoryStore, 'put' | 'remove' | 'compact' | 'failNext' | 'disconnect'> {
  return {
    put: (key, value, lease) => {
      apply(store, [{ op: 'put', key, value }], lease);
      return store.revision.toString();
    },
    remove: (key) => apply(store, [{ op: 'delete', key }]),
    compact: (revision) => {
      store.base = pastBelow(store, '', BigInt(revision));
      store.compacted = BigInt(revision);
      store.history = store.history.filter((change) => change.revision > store.compacted);
    },
    failNext: (how, call) => void store.failures.push({ how, call }),
    disconnect: () => {
      for (const watcher of store.watchers) {
        watcher.resync = true;
        watcher.wake();
      }
    },
  };
}

/** Counts the call and fails it if a failure waits for it; for a txn `lost` and `dropped` are handed back. */
async function enter(store: Store, call: MemoryCall): Promise<MemoryFailure | null> {
  // Never in the same turn: callers must not rely on it.
  await Promise.resolve();
  store.calls.push(call);
  const index = store.failures.findIndex((failure) => (failure.call ?? call) === call);
  const failure = index < 0 ? undefined : store.failures.splice(index, 1)[0];
  if (failure === undefined) return null;
  if (failure.how === 'refused') throw new ToolError('error', 'etcd denied access');
  if (failure.how === 'unreachable' || call !== 'txn') {
    throw new ToolError('unreachable', 'etcd did not answer within 3 s');
  }
  return failure.how;
}

function unconfirmed(ops: readonly WriteOp[]): ToolError {
  const keys = ops.map(({ key }) => key).join(', ');
  return new ToolError('unconfirmed', `etcd's answer to the write of ${keys} was lost`);
}

function isAt(store: Store, { key, modRevision }: Compare): boolean {
  return (store.keys.get(key)?.modRevision ?? '0') === modRevision;
}

function apply(store: Store, ops: readonly WriteOp[], lease: string | null = null): void {
  const changing = ops.filter((op) => op.op === 'put' || store.keys.has(op.key));
  if (changing.length === 0) return;
  store.revision += 1n;
  const revision = store.revision.toString();
  for (const op of changing) {
    const before = store.keys.get(op.key) ?? null;
    const { key } = op;
    let now: KeyValue | null = null;
    if (op.op === 'put') {
      const createRevision = before?.createRevision ?? revision;
      now = { key, value: op.value, createRevision, modRevision: revision, lease };
      store.keys.set(key, now);
    } else {
      store.keys.delete(key);
    }
    store.history.push({ revision: store.revision, key, now, before });
  }
  for (const watcher of store.watchers) watcher.wake();
}

function below(store: Store, prefix: string): KeyValue[] {
  return [...store.keys.values()]
    .filter(({ key }) => key.startsWith(prefix))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map((kv) => ({ ...kv }));
}

function pastBelow(store: Store, prefix: string, revision: bigint): PastKey[] {
  const past = new Map(
    store.base.filter(({ key }) => key.startsWith(prefix)).map((kv) => [kv.key, kv]),
  );
  for (const { key, now, revision: at } of store.history) {
    if (at > revision || !key.startsWith(prefix)) continue;
    if (now === null) past.delete(key);
    else past.set(key, { ...now, version: (past.get(key)?.version ?? 0) + 1 });
  }
  return [...past.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function deletedBelow(store: Store, prefix: string, enough: Enough = () => false): DeletedKeys {
  const found = new Map<string, DeletedKey>();
  const result = (complete: boolean): DeletedKeys => ({
    keys: [...found.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
    complete,
  });
  for (const { key, now, before, revision } of [...store.history].reverse()) {
    if (!key.startsWith(prefix) || store.keys.has(key) || found.has(key)) continue;
    if (now !== null || before === null) continue;
    found.set(key, { key, lastValue: before.value, deletedRevision: revision.toString() });
    if (enough(result(false).keys)) return result(false);
  }
  return result(true);
}

async function* follow(
  store: Store,
  prefix: string,
  afterRevision: string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  await enter(store, 'watch');
  const nothing = (): void => undefined;
  const watcher: Watcher = { after: BigInt(afterRevision), resync: false, wake: nothing };
  store.watchers.add(watcher);
  const wake = (): void => watcher.wake();
  signal.addEventListener('abort', wake);
  try {
    while (!signal.aborted) {
      const events = arrived(store, watcher, prefix);
      for (const event of events) {
        yield event;
        if (isOver(signal)) return;
      }
      if (events.length === 0) await sleep(store, watcher, signal);
    }
  } finally {
    store.watchers.delete(watcher);
    signal.removeEventListener('abort', wake);
  }
}

/** What the watcher has not been told yet. */
function arrived(store: Store, watcher: Watcher, prefix: string): WatchEvent[] {
  const events: WatchEvent[] = [];
  if (watcher.resync || watcher.after < store.compacted) events.push({ type: 'resync' });
  watcher.resync = false;
  for (const change of store.history) {
    if (change.revision > watcher.after && change.key.startsWith(prefix)) {
      events.push(toEvent(change));
    }
  }
  watcher.after = store.revision;
  return events;
}

function toEvent({ revision, key, now, before }: Change): WatchEvent {
  if (now !== null) return { type: 'put', kv: { ...now }, revision: revision.toString() };
  return { type: 'delete', key, previous: before?.value ?? null, revision: revision.toString() };
}

function sleep(store: Store, watcher: Watcher, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    watcher.wake = resolve;
    // Something may have come while the reader was away.
    if (isOver(signal) || watcher.resync || watcher.after < store.revision) resolve();
  });
}

/** A function, because a check of `aborted` is not remembered across an await by the compiler's reading. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}
