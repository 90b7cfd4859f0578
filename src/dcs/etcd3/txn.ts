/** Guarded writes: sent once, and looked up when the answer was lost. */
import type { IRangeResponse, IRequestOp, ITxnRequest, ITxnResponse } from 'etcd3';
import { ToolError } from '../../errors.js';
import type { Compare, KeyValue, TxnOutcome, WriteOp } from '../keyed/key-store.js';
import type { Endpoint } from '../../config/endpoints.js';
import { findLive, toKeyValue, type Etcd } from './live.js';
import { unwrap, type CallAnswer } from './grpc.js';
import { checkCompares } from '../keyed/prefixes.js';
import { isUndecided } from './refusal.js';
import { EndpointFailure, endpointEvidence } from './walk.js';

/** Between two looks at what became of a write. */
const LOOK_MS = 200;

interface Write {
  compares: readonly Compare[];
  ops: readonly WriteOp[];
  /** The store's revision just before the write was sent. */
  before: string;
}

/** Writes all `ops` if every compare holds; see KeyStore.txn. */
export async function write(
  etcd: Etcd,
  compares: readonly Compare[],
  ops: readonly WriteOp[],
): Promise<TxnOutcome> {
  checkCompares(compares);
  const subject = (ops[0] ?? compares[0])?.key;
  if (subject === undefined) throw new TypeError('a transaction without keys');
  // Found by a read first: a write to an endpoint that is dead, frozen or without majority is never sent.
  const live = await findLive(etcd, subject, { singleKey: true });
  const wanted: Write = { compares, ops, before: live.revision };
  const answer = await send(etcd, live.endpoint, wanted);
  if (!answer.ok && isUndecided(answer.error)) {
    etcd.walk.avoid(live.endpoint);
    return settle(etcd, wanted, live.endpoint, answer.error.message);
  }
  return outcome(unwrapRefusal(etcd, answer, subject));
}

function send(
  { grpc, settings }: Etcd,
  endpoint: Endpoint,
  { compares, ops }: Write,
): Promise<CallAnswer<ITxnResponse>> {
  const keys = [...new Set(compares.map(({ key }) => key))];
  return grpc.call<ITxnResponse>(endpoint, {
    service: 'KV',
    method: 'txn',
    request: {
      compare: compares.map(({ key, modRevision }) => ({
        key: Buffer.from(key),
        target: 'Mod',
        result: 'Equal',
        mod_revision: modRevision,
      })),
      success: ops.map(requestOp),
      failure: keys.map((key) => ({ request_range: { key: Buffer.from(key) } })),
    } satisfies ITxnRequest,
    timeoutMs: settings.timeoutMs,
  });
}

function requestOp(op: WriteOp): IRequestOp {
  const key = Buffer.from(op.key);
  switch (op.op) {
    case 'put':
      return { request_put: { key, value: Buffer.from(op.value) } };
    case 'delete':
      return { request_delete_range: { key } };
  }
}

function outcome(answer: ITxnResponse): TxnOutcome {
  if (answer.succeeded) return { done: true, revision: answer.header.revision };
  return { done: false, current: found(answer) };
}

/** The keys that the range requests of a transaction found. */
function found(answer: ITxnResponse): KeyValue[] {
  const ranges = answer.responses as { response_range?: IRangeResponse }[];
  return ranges.flatMap(({ response_range }) => (response_range?.kvs ?? []).map(toKeyValue));
}

function unwrapRefusal<T>(etcd: Etcd, answer: CallAnswer<T>, key: string): T {
  try {
    return unwrap(answer, etcd.settings, key);
  } catch (error) {
    if (error instanceof EndpointFailure) throw new ToolError('error', error.message);
    throw error;
  }
}

/** Looks until the write is seen to be done or impossible, or a call's time is over. */
async function settle(
  etcd: Etcd,
  wanted: Write,
  endpoint: Endpoint,
  reason: string,
): Promise<TxnOutcome> {
  const until = Date.now() + etcd.settings.timeoutMs;
  for (;;) {
    const seen = await look(etcd, wanted, until - Date.now()).catch(() => null);
    if (seen !== null) return seen;
    if (Date.now() + LOOK_MS >= until) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const keys = wanted.ops.map(({ key }) => key).join(', ');
  throw new ToolError('unconfirmed', `etcd's answer to the write of ${keys} was lost`, {
    hint: 'It may have been written, or may still be written: check before you try again.',
    evidence: [endpointEvidence(endpoint, reason)],
  });
}

/** Null: the present keys do not show it. */
async function look(etcd: Etcd, wanted: Write, timeoutMs: number): Promise<TxnOutcome | null> {
  const { compares, ops } = wanted;
  const keys = [...new Set([...compares, ...ops].map(({ key }) => key))];
  const now = await readKeys(etcd, keys, timeoutMs);
  if (isWritten(wanted, now.kvs)) return { done: true, revision: writtenAt(wanted, now) };
  for (const { key, modRevision } of compares) {
    const current = now.kvs.find((kv) => kv.key === key);
    if (modRevision === '0' || current === undefined || current.modRevision === modRevision)
      continue;
    // If the key was as expected until just before its present revision, another writer was first.
    const previous = (BigInt(current.modRevision) - 1n).toString();
    const then = await readKeys(etcd, [key], timeoutMs, previous);
    if (then.kvs[0]?.modRevision !== modRevision) continue;
    const compared = new Set(compares.map((compare) => compare.key));
    return { done: false, current: now.kvs.filter((kv) => compared.has(kv.key)) };
  }
  return null;
}

/** All puts are present with our values at one revision newer than the write, and what was deleted is gone. */
function isWritten({ ops, before }: Write, kvs: readonly KeyValue[]): boolean {
  const revisions = new Set<string>();
  for (const op of ops) {
    const current = kvs.find((kv) => kv.key === op.key);
    if (op.op === 'delete') {
      if (current !== undefined) return false;
    } else {
      if (current?.value !== op.value) return false;
      if (BigInt(current.modRevision) <= BigInt(before)) return false;
      revisions.add(current.modRevision);
    }
  }
  return revisions.size <= 1;
}

function writtenAt({ ops }: Write, now: { kvs: KeyValue[]; revision: string }): string {
  const put = ops.find((op) => op.op === 'put');
  return now.kvs.find((kv) => kv.key === put?.key)?.modRevision ?? now.revision;
}

async function readKeys(
  { grpc, settings, walk, closing }: Etcd,
  keys: readonly string[],
  timeoutMs: number,
  revision = '0',
): Promise<{ kvs: KeyValue[]; revision: string }> {
  const success = keys.map((key) => ({ request_range: { key: Buffer.from(key), revision } }));
  const ask = async (endpoint: Endpoint, signal: AbortSignal): Promise<ITxnResponse> => {
    const request = { success } satisfies ITxnRequest;
    const call = { service: 'KV', method: 'txn', request, timeoutMs, signal } as const;
    return unwrap(await grpc.read<ITxnResponse>(endpoint, call), settings, keys.join(', '));
  };
  const { value } = await walk.first(Math.max(timeoutMs, 1), ask, closing);
  return { kvs: found(value), revision: value.header.revision };
}
