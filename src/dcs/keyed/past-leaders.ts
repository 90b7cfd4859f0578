/**
 * How the leader lock changed hands, from the history of the keys: what was requested when it was released and taken.
 */
import type { PastLeaderChange } from '../../cluster/documents/history-cause.js';
import type { Cluster } from '../../cluster/model/model.js';
import { parseCluster } from '../../cluster/model/parse-keys.js';
import { ToolError } from '../../errors.js';
import type { PastLimit } from '../dcs.js';
import type { KeyStore, PastKey } from './key-store.js';

/** Looks that the search for the moment of release takes at most: 2^20 revisions. */
const MOST_HALVINGS = 20;

/**
 * The newest changes first, one a timeline, as far back as the store remembers and the limit allows; a change that
 * cannot be told apart from another is left out. Each version of /history was written by the leader of its last line.
 */
export async function leaderChanges(
  store: KeyStore,
  { scope, group, historyRevision = null }: Cluster,
  prefix: string,
  limit: PastLimit,
): Promise<PastLeaderChange[]> {
  const endMs = Date.now() + limit.ms;
  const at = async (revision: bigint): Promise<Past | null> => {
    if (Date.now() > endMs) return null;
    const keys = await store.rangeAt(prefix, revision.toString());
    if (keys === null) return null;
    const cluster = parseCluster(scope, group, { revision: '0', kvs: keys }, prefix);
    return { cluster, key: (name) => keys.find(({ key }) => key === `${prefix}${name}`) ?? null };
  };
  const found = new Map<number, PastLeaderChange>();
  try {
    let written = historyRevision === null ? null : BigInt(historyRevision);
    while (written !== null && found.size < (limit.looks ?? Infinity)) {
      const then = await at(written);
      const before = await at(written - 1n);
      if (then === null || before === null) break;
      const last = then.cluster.history?.at(-1);
      const since = modRevision(before.key('history'));
      const change = await changeOf(then, since, at);
      // The first version with this line is the one that its leader wrote.
      if (last) found.delete(last.timeline);
      if (last && change && last.newLeader === change.to)
        found.set(last.timeline, { timeline: last.timeline, ...change });
      written = since;
    }
  } catch (error) {
    // History that cannot be read explains nothing.
    if (!(error instanceof ToolError)) throw error;
  }
  return [...found.values()];
}

interface Past {
  cluster: Cluster;
  key(name: string): PastKey | null;
}

type At = (revision: bigint) => Promise<Past | null>;

function modRevision(key: PastKey | null): bigint | null {
  return key === null ? null : BigInt(key.modRevision);
}

/** How the leader that wrote this version of /history had taken the lock. */
async function changeOf(
  then: Past,
  since: bigint | null,
  at: At,
): Promise<Omit<PastLeaderChange, 'timeline'> | null> {
  const lock = then.key('leader');
  if (lock === null || then.cluster.leaderName === null) return null;
  const taken = BigInt(lock.createRevision);
  // Its lock is older than the line before: it did not change hands.
  if (since !== null && taken <= since) return null;
  const atTaking = await at(taken);
  // Before the first leader no member could lose the lock: that is a bootstrap.
  if (!atTaking || (atTaking.key('status') ?? atTaking.key('optime/leader')) === null) return null;
  const release = await lastHeld(taken, since, at);
  if (release === null) return null;
  return {
    from: release.cluster.leaderName,
    to: then.cluster.leaderName,
    atRelease: release.cluster.failover,
    atTaking: atTaking.cluster.failover,
  };
}

/** The last moment at which another member held the lock. */
async function lastHeld(taken: bigint, since: bigint | null, at: At): Promise<Past | null> {
  let [held, free] = [since, taken];
  let last: Past | null = null;
  if (held === null) {
    // Before the first line: looked for from its end, in growing steps.
    for (let step = 1n; last === null; step *= 2n) {
      if (taken - step < 1n) return null;
      const then = await at(taken - step);
      if (then === null) return null;
      if (then.key('leader') !== null) [held, last] = [taken - step, then];
      else free = taken - step;
    }
  } else {
    last = await at(held);
    if (!last || last.key('leader') === null) return null;
  }
  for (let turn = 0; held !== null && free - held > 1n; turn += 1) {
    const middle: bigint = (held + free) / 2n;
    const then = turn < MOST_HALVINGS ? await at(middle) : null;
    if (then === null) return null;
    if (then.key('leader') === null) free = middle;
    else [held, last] = [middle, then];
  }
  return last;
}
