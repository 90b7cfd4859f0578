/** Takes a cluster's keys out of the DCS: these very keys, and only while it is the cluster that was shown. */
import { parseCluster, parseScope } from '../../cluster/model/parse-keys.js';
import { ToolError } from '../../errors.js';
import type { ClusterName, Removal } from '../dcs.js';
import type { Compare, KeyStore, KeyValue, WriteOp } from './key-store.js';

/** etcd takes no more operations in one transaction (--max-txn-ops). */
export const MAX_OPS = 128;

/** Keys that identify a cluster and its leader; heartbeats change all the time. */
const GUARDS = ['leader', 'initialize', 'config'];
const PLAIN = 'initialize config leader failover sync history status failsafe optime/leader'.split(
  ' ',
);

/** Of the keys below the prefix those that are Patroni's own or patctl's, and those of other programs. */
export function sortKeys(
  prefix: string,
  kvs: readonly KeyValue[],
): { own: string[]; foreign: string[] } {
  const isOwn = (key: string) => {
    const name = key.slice(prefix.length);
    return PLAIN.includes(name) || /^(members|patctl-retired)\/[^/]+$/.test(name);
  };
  const keys = kvs.map(({ key }) => key).filter((key) => key.startsWith(prefix));
  return { own: keys.filter(isOwn), foreign: keys.filter((key) => !isOwn(key)) };
}

/** What has to hold: these keys are as they were read; '0' is a key that was not there. */
export function guardsOf(prefix: string, kvs: readonly KeyValue[]): Compare[] {
  return GUARDS.map((name) => {
    const key = `${prefix}${name}`;
    return { key, modRevision: kvs.find((kv) => kv.key === key)?.modRevision ?? '0' };
  });
}

/** The keys by transaction: members first, so that the guards are there until the last one. */
export function chunks(prefix: string, own: readonly string[]): string[][] {
  const isGuard = (key: string) => GUARDS.includes(key.slice(prefix.length));
  const ordered = [...own.filter((key) => !isGuard(key)), ...own.filter(isGuard)];
  const parts: string[][] = [];
  for (let end = ordered.length; end > 0; end -= MAX_OPS) {
    parts.unshift(ordered.slice(Math.max(0, end - MAX_OPS), end));
  }
  return parts;
}

export async function keyedRemoval(
  store: KeyStore,
  name: ClusterName,
  prefix: string,
  namespace: string,
): Promise<Removal> {
  const read = await store.range(prefix);
  const { own, foreign } = sortKeys(prefix, read.kvs);
  return {
    clusters: parseScope(read, namespace, name.scope),
    cluster: parseCluster(name.scope, name.group, read, prefix),
    foreign,
    run: (progress) => removeKeys(store, prefix, own, guardsOf(prefix, read.kvs), progress),
  };
}

/** Deletes them. ToolError `error` when the cluster is another by now and nothing was deleted. */
async function removeKeys(
  store: KeyStore,
  prefix: string,
  own: readonly string[],
  guards: readonly Compare[],
  progress: (line: string) => void,
): Promise<number> {
  const parts = chunks(prefix, own);
  if (parts.length > 1) {
    progress(`${own.length} keys do not fit in one transaction: ${parts.length} are needed`);
  }
  let deleted = 0;
  for (const part of parts) {
    const ops = part.map((key): WriteOp => ({ op: 'delete', key }));
    const outcome = await store.txn([...guards], ops).catch((error: unknown) => {
      throw halfWay(error, deleted, own.length);
    });
    if (!outcome.done) throw changed(prefix, guards, outcome.current, deleted, own.length);
    deleted += part.length;
  }
  return deleted;
}

/** A later transaction that could not be sent: the ones before it were. */
function halfWay(error: unknown, deleted: number, total: number): unknown {
  if (!(error instanceof ToolError) || deleted === 0) return error;
  if (error.ending !== 'unreachable' && error.ending !== 'error') return error;
  return new ToolError('failed', `${deleted} of ${total} keys were removed; ${error.message}`, {
    code: 'removed_half_way',
    evidence: error.evidence,
    hint: 'run the command again to remove the rest',
    cause: error,
  });
}

function changed(
  prefix: string,
  guards: readonly Compare[],
  current: readonly KeyValue[],
  deleted: number,
  total: number,
): ToolError {
  const moved = guards.flatMap(({ key, modRevision }) => {
    const now = current.find((kv) => kv.key === key);
    if ((now?.modRevision ?? '0') === modRevision) return [];
    const name = key.slice(prefix.length);
    const said = name === 'leader' && now ? `is ${now.value} now` : now ? 'has changed' : 'is gone';
    return [{ witness: 'DCS', subject: key, said }];
  });
  const what = deleted === 0 ? 'nothing was removed' : `${deleted} of ${total} keys were removed`;
  return new ToolError(
    deleted === 0 ? 'error' : 'failed',
    `the cluster has changed since it was shown; ${what}`,
    {
      code: 'changed_meanwhile',
      evidence: moved,
      hint: 'run the command again to see the current state',
    },
  );
}
