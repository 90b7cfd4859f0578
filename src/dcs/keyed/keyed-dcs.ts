/** The port over a store that has Patroni's keys as keys: etcd v3, and the memory of tests. */
import type { Cluster, LastWord, Member } from '../../cluster/model/model.js';
import {
  clusterNames,
  clusterPrefix,
  fleetReader,
  parseCluster,
  parseScope,
  RETIRED,
} from '../../cluster/model/parse-keys.js';
import type {
  ClusterName,
  Dcs,
  FailoverRequest,
  Followable,
  GoneMembers,
  PastLimit,
  Retired,
  Written,
} from '../dcs.js';
import { namedInSync, syncModeActive } from '../../cluster/roles/dcs-roles.js';
import { ToolError } from '../../errors.js';
import type { DeletedKey, KeyStore, KeyValue, PastKey, RangeRead, WriteOp } from './key-store.js';
import { keyPast } from './key-past.js';
import { leaderChanges } from './past-leaders.js';
import { keyedRemoval } from './remove-keys.js';

/** Clusters below `namespace` (as in the configuration: `/service`). */
export function keyedDcs(store: KeyStore, namespace: string): Dcs {
  const prefixOf = ({ scope, group }: ClusterName): string =>
    clusterPrefix(namespace, scope, group);
  const whole = clusterPrefix(namespace, '', null);
  return {
    name: 'etcd',
    where: namespace,
    read: async (name, options) =>
      parseScope(await store.range(prefixOf(name), options), namespace, name.scope),
    readAll: async (options) => {
      let isLarge = false;
      const begin = () => {
        const { take, all } = fleetReader(namespace);
        const takeOne = (page: RangeRead): void => {
          if (!isLarge) options?.large?.();
          isLarge = true;
          take(page);
        };
        return { take: takeOne, all };
      };
      return await store.rangeInto(whole, begin, options);
    },
    scopes: async () => clusterNames(await store.range(whole), namespace),
    follow: async (name) => followed(store, name, prefixOf(name)),
    goneMembers: (cluster, limit, enough) =>
      goneMembers(store, cluster, `${prefixOf(cluster)}members/`, limit, enough),
    lastWord: (cluster, member) => lastWord(store, cluster, prefixOf(cluster), member),
    leaderChanges: (cluster, limit) => leaderChanges(store, cluster, prefixOf(cluster), limit),
    keyPast: (name, limit, fold) => keyPast(store, prefixOf(name), limit, fold),
    writeConfig: async (cluster, text) => {
      const modRevision = cluster.config?.modRevision ?? '0';
      return write(store, `${prefixOf(cluster)}config`, modRevision, text);
    },
    writeFailover: async (cluster, request) => {
      const text = request === null ? '{}' : JSON.stringify(failoverValue(request));
      return write(store, `${prefixOf(cluster)}failover`, cluster.failoverRevision, text);
    },
    retireMember: (cluster, name) => retireMember(store, cluster, prefixOf(cluster), name),
    removal: (name) => keyedRemoval(store, name, prefixOf(name), namespace),
    close: () => store.close(),
  };
}

/** Patroni's own words, without those that say nothing. */
function failoverValue({ leader, candidate, scheduledAt }: FailoverRequest): object {
  return {
    ...(leader === null ? {} : { leader }),
    ...(scheduledAt === null ? {} : { scheduled_at: scheduledAt }),
    ...(candidate === null ? {} : { member: candidate }),
  };
}

async function write(
  store: KeyStore,
  key: string,
  modRevision: string,
  value: string,
): Promise<Written> {
  const outcome = await store.txn([{ key, modRevision }], [{ op: 'put', key, value }]);
  if (outcome.done) return { done: true };
  return { done: false, current: outcome.current.find((kv) => kv.key === key)?.value ?? null };
}

/** The key and the note go in one transaction: no reader sees one without the other. */
async function retireMember(
  store: KeyStore,
  { members }: Cluster,
  prefix: string,
  name: string,
): Promise<Retired> {
  const key = `${prefix}members/${name}`;
  const { kvs } = await store.range(prefix);
  const now = kvs.find((kv) => kv.key === key) ?? null;
  if (now !== null && now.lease !== null) return 'leased';
  const modRevision = members.find((member) => member.name === name)?.modRevision ?? '0';
  const ops: WriteOp[] = [
    { op: 'put', key: `${prefix}${RETIRED}/${name}`, value: JSON.stringify({ retired: name }) },
    ...(now === null ? [] : [{ op: 'delete' as const, key }]),
  ];
  const { done } = await store.txn([{ key, modRevision }], ops);
  return done ? 'noted' : 'changed';
}

// ---------------------------------------------------------------- changes

async function followed(
  store: KeyStore,
  { scope, group }: ClusterName,
  prefix: string,
): Promise<Followable> {
  const base = await store.range(prefix);
  const parse = (read: RangeRead): Cluster => parseCluster(scope, group, read, prefix);
  return {
    cluster: parse(base),
    changes: (signal) => changesSince(store, base, prefix, parse, signal),
  };
}

async function* changesSince(
  store: KeyStore,
  base: RangeRead,
  prefix: string,
  parse: (read: RangeRead) => Cluster,
  signal: AbortSignal,
): AsyncGenerator<Cluster> {
  let keys = new Map(base.kvs.map((kv) => [kv.key, kv]));
  let revision = base.revision;
  for await (const event of store.watch(prefix, base.revision, signal)) {
    if (event.type === 'resync') {
      // A store that does not answer just now is read again at the next resync; the caller reads now and then too.
      const read = await unlessAborted(store.range(prefix), signal);
      if (read === null || BigInt(read.revision) < BigInt(revision)) continue;
      keys = new Map(read.kvs.map((kv) => [kv.key, kv]));
      revision = read.revision;
    } else {
      if (BigInt(event.revision) < BigInt(revision)) continue;
      revision = event.revision;
      if (event.type === 'put') keys.set(event.kv.key, event.kv);
      else keys.delete(event.key);
    }
    yield parse({ revision, kvs: [...keys.values()] });
  }
}

/** null: it failed, or the signal came first. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const over = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null);
    else signal.addEventListener('abort', () => resolve(null), { once: true });
  });
  return Promise.race([work.catch(() => null), over]);
}

// ---------------------------------------------------------------- the past

async function goneMembers(
  store: KeyStore,
  { scope, group }: Cluster,
  below: string,
  limit: PastLimit,
  enough?: (found: readonly Member[]) => boolean,
): Promise<GoneMembers> {
  const known = new Map<string, Member[]>();
  const prefix = below.slice(0, -'members/'.length);
  const memberOf = ({ key, lastValue, deletedRevision }: DeletedKey): Member[] => {
    const id = `${deletedRevision} ${key}`;
    const before = known.get(id);
    if (before) return before;
    const kv: Pick<KeyValue, 'key' | 'value' | 'modRevision'> = {
      key,
      value: lastValue,
      modRevision: deletedRevision,
    };
    const { members } = parseCluster(scope, group, { revision: '0', kvs: [kv] }, prefix);
    known.set(id, members);
    return members;
  };
  const { keys, complete } = await store.deletedKeys(
    below,
    limit,
    enough && ((found) => enough(found.flatMap(memberOf))),
  );
  return {
    members: keys.flatMap(memberOf),
    unsure: keys.flatMap((one) => (one.approximate ? memberOf(one).map(({ name }) => name) : [])),
    incomplete: complete ? null : "etcd's history is too long to search all of it",
  };
}

/** What the keys around it were when this member last wrote its own, and when that went. */
async function lastWord(
  store: KeyStore,
  { scope, group, revision }: Cluster,
  prefix: string,
  { name, role, state, modRevision: deletedRevision }: Member,
): Promise<LastWord> {
  const at = async (then: bigint): Promise<PastKey[] | null> => {
    try {
      return await store.rangeAt(prefix, then.toString());
    } catch (error) {
      if (error instanceof ToolError) return null;
      throw error;
    }
  };
  const named = (past: PastKey[] | null): boolean | null => {
    if (past === null) return null;
    const then = parseCluster(scope, group, { revision: '0', kvs: past }, prefix);
    return syncModeActive(then) && namedInSync(then, name);
  };
  const find = (past: PastKey[] | null, key: string): PastKey | null =>
    past?.find((one) => one.key === `${prefix}${key}`) ?? null;
  const [last, now] = await Promise.all([at(BigInt(deletedRevision) - 1n), at(BigInt(revision))]);
  const own = find(last, `members/${name}`);
  const first = own === null ? null : await at(BigInt(own.modRevision));
  const [before, after] = [find(last, 'status'), find(now, 'status')];
  const isSame = before?.createRevision === after?.createRevision;
  const known = before !== null && after !== null && isSame;
  return {
    role,
    state,
    deletedRevision,
    isSynchronous: named(first) === true ? true : (named(last) ?? named(first)),
    statusWrites: known ? after.version - before.version : null,
  };
}
