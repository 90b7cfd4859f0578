/**
 * Whether a commit can be lost, from the invariant alone and by trying every hidden world; nothing is shared with
 * src. Commits are the positions 1, 2, … on the leader's timeline. One may have been acknowledged when the
 * leader and N - quorum of the N voters had it (all N in mode on; none if no commit waits for a standby).
 */
import type { JsonObject } from '../../src/cluster/model/model.js';
import { chance, type ClusterSpec } from './clusters.js';

/** A member besides the leader; what is `hidden` is not shown to patctl, and a dead one shows nothing. */
export interface Standby {
  name: string;
  state: 'alive' | 'hidden' | 'dead';
  /** Its WAL position, 0 to 6. */
  position: number;
  /** It is on the leader's timeline; otherwise it has none of the leader's commits. */
  onTimeline: boolean;
  /** It streams from a live leader, whose shutdown waits for it. */
  streams: boolean;
  nofailover: boolean;
  primary: boolean;
}

export interface LossCluster {
  mode: 'off' | 'on' | 'quorum';
  /** alive: it will be shut down cleanly; dead: it holds the lock; gone: no member holds the lock. */
  leader: 'alive' | 'dead' | 'gone';
  others: Standby[];
  voters: string[];
  quorum: number;
  syncLeader: string | null;
  version: string;
  checkTimeline: boolean;
  standbyCluster: boolean;
  waitsForNobody: boolean;
}

export const LEADER = 'lead';
/** Where the leader was seen, and where it may have got to: its clean shutdown ends there. */
const WRITTEN = 4;
const FINAL = 5;

export function someLossCluster(seed: number, plain: boolean): LossCluster {
  const by = chance(seed);
  const odd = (odds: number): boolean => !plain && by.yes(odds);
  const names = ['a', 'b', 'c', 'd'].slice(0, 1 + by.below(4));
  const leader = by.one<LossCluster['leader']>('alive', 'alive', 'dead', 'gone');
  const others = names.map((name): Standby => {
    const onTimeline = !odd(4);
    const state = by.mostly<Standby['state']>(4, 'alive', 'dead', odd(1) ? 'hidden' : 'dead');
    const primary = state !== 'dead' && odd(20);
    const streams = leader === 'alive' && onTimeline && state !== 'dead' && !primary && !by.yes(4);
    return {
      name,
      state,
      position: onTimeline ? by.one(1, 2, 3, WRITTEN) : by.one(1, WRITTEN, 6),
      ...{ onTimeline, streams, primary, nofailover: odd(6) },
    };
  });
  const voters = names.filter(() => !by.yes(4));
  if (odd(8)) voters.push('ghost');
  const syncLeader = odd(6) ? by.one(null, ...names, LEADER.toUpperCase()) : LEADER;
  return {
    mode: by.one<LossCluster['mode']>('quorum', 'quorum', 'quorum', 'on', 'off'),
    ...{ leader, others, voters, syncLeader },
    quorum: by.below(voters.length + (odd(8) ? 2 : 0) || 1),
    version: odd(10) ? '3.3.11' : '4.1.5',
    checkTimeline: odd(3),
    standbyCluster: odd(12),
    waitsForNobody: odd(15),
  };
}

/** The same as keys and REST answers. */
export function bytesOf(cluster: LossCluster): ClusterSpec {
  const { mode, leader, others, voters, quorum, syncLeader, version } = cluster;
  const patroni = (name: string): JsonObject => ({ version, scope: 'demo', name });
  const synchronous = { off: false, on: true, quorum: 'quorum' }[mode];
  const config: JsonObject = {
    synchronous_mode: synchronous,
    check_timeline: cluster.checkTimeline,
  };
  if (cluster.standbyCluster) config['standby_cluster'] = { host: '10.0.0.1' };
  if (cluster.waitsForNobody)
    config['postgresql'] = { parameters: { synchronous_commit: 'local' } };
  const rows = others
    .filter(({ streams }) => streams)
    .map(({ name }) => ({ application_name: name, state: 'streaming', sync_state: 'quorum' }));
  const key = { apiUrl: true, tags: null };
  const leads = {
    ...{ name: LEADER, version, key, hidden: false },
    body:
      leader === 'alive'
        ? {
            ...{ state: 'running', timeline: 3, replication: rows, patroni: patroni(LEADER) },
            role: cluster.standbyCluster ? 'standby_leader' : 'primary',
            xlog: cluster.standbyCluster
              ? { received_location: WRITTEN, replayed_location: WRITTEN }
              : { location: WRITTEN },
          }
        : null,
  };
  const nodes = others.map((one) => ({
    name: one.name,
    version,
    key: { apiUrl: true, tags: one.nofailover ? { nofailover: true } : null },
    hidden: one.state === 'hidden',
    body: one.state === 'dead' ? null : bodyOf(one, patroni(one.name)),
  }));
  return {
    nodes: leader === 'gone' ? nodes : [leads, ...nodes],
    keys: {
      config: JSON.stringify(config),
      history: JSON.stringify([[2, 0, 'no recovery target', '2026-11-20T10:00:00+00:00', LEADER]]),
      status: JSON.stringify({ optime: WRITTEN }),
      ...(leader !== 'gone' && { leader: LEADER }),
      ...(syncLeader !== null && {
        sync: JSON.stringify({ leader: syncLeader, sync_standby: voters.join(','), quorum }),
      }),
    },
  };
}

function bodyOf(one: Standby, patroni: JsonObject): JsonObject {
  const { position: at, primary, onTimeline, nofailover, streams } = one;
  return {
    state: 'running',
    role: primary ? 'primary' : 'replica',
    xlog: primary ? { location: at } : { received_location: at, replayed_location: at },
    timeline: onTimeline ? 3 : 2,
    ...(streams && { replication_state: 'streaming' }),
    ...(nofailover && { tags: { nofailover: true } }),
    patroni,
  };
}

/** What the world may hold of a member: how much of the leader's WAL, and its position as others compare it. */
interface Holding {
  wal: number;
  position: number;
  primary: boolean;
}
type World = Map<string, Holding>;

/** Every way in which this cluster can be made a little plainer. */
export function* plainerLossCluster(cluster: LossCluster): Generator<LossCluster> {
  const { others, voters, quorum } = cluster;
  for (const one of others) yield { ...cluster, others: others.filter((other) => other !== one) };
  for (const one of voters) yield { ...cluster, voters: voters.filter((name) => name !== one) };
  if (quorum > 0) yield { ...cluster, quorum: quorum - 1 };
  for (const flag of ['checkTimeline', 'standbyCluster', 'waitsForNobody'] as const)
    if (cluster[flag]) yield { ...cluster, [flag]: false };
  for (const [at, one] of others.entries()) {
    const change = (facts: Partial<Standby>): LossCluster => ({
      ...cluster,
      others: others.map((other, i) => (i === at ? { ...one, ...facts } : other)),
    });
    if (one.nofailover) yield change({ nofailover: false });
    if (one.primary) yield change({ primary: false });
    if (!one.onTimeline) yield change({ onTimeline: true });
    if (one.state !== 'alive') yield change({ state: 'alive' });
  }
}

/** Some commit that was acknowledged in some world is missing on the candidate, or on a possible winner if null. */
export function losesACommit(cluster: LossCluster, candidate: string | null): boolean {
  for (const world of worlds(cluster)) {
    const promoted = candidate === null ? winners(cluster, world) : [candidate];
    // Without a leader, a primary that leads again is not a second one.
    const rightful = cluster.leader === 'gone' && promoted.length === 1 ? promoted[0] : LEADER;
    const primaries = [...world].filter(([, { primary }]) => primary).map(([name]) => name);
    if (primaries.some((name) => cluster.standbyCluster || name !== rightful)) return true;
    if (cluster.standbyCluster) continue;
    const acknowledged = lastAcknowledged(cluster, world);
    if (promoted.some((name) => (world.get(name)?.wal ?? 0) < acknowledged)) return true;
  }
  return false;
}

function* worlds(cluster: LossCluster): Generator<World> {
  const names = [
    ...cluster.others.map(({ name }) => name),
    ...cluster.voters.filter((v) => v === 'ghost'),
  ];
  const choices = names.map((name) => holdings(cluster, name));
  const pick = function* (at: number, world: World): Generator<World> {
    const name = names[at];
    if (name === undefined) {
      yield world;
      return;
    }
    for (const holding of choices[at] ?? []) yield* pick(at + 1, new Map(world).set(name, holding));
  };
  yield* pick(0, new Map());
}

function holdings({ leader, others }: LossCluster, name: string): Holding[] {
  const one = others.find((other) => other.name === name);
  const hidden = [0, 1, 2, 3, WRITTEN, FINAL].map((wal) => ({
    wal,
    position: wal,
    primary: false,
  }));
  // Its timeline is unknown.
  const stray = { wal: 0, position: 6, primary: false };
  if (one === undefined || one.state === 'dead') return [...hidden, stray];
  const final = leader === 'alive' && one.streams ? FINAL : null;
  if (final !== null) return [{ wal: final, position: final, primary: false }];
  if (one.state === 'hidden') return [...hidden, stray, { ...stray, primary: true }];
  const { position, primary } = one;
  return [{ wal: one.onTimeline ? position : 0, position, primary }];
}

/** The last commit that a client may have been told is durable. */
function lastAcknowledged(cluster: LossCluster, world: World): number {
  const { mode, voters, quorum, syncLeader, version } = cluster;
  const counts = mode === 'on' || (mode === 'quorum' && !version.startsWith('3'));
  // A /sync that is not the leader's says nothing of what it waits for.
  if (!counts || cluster.waitsForNobody || syncLeader?.toLowerCase() !== LEADER) return FINAL;
  const numsync = mode === 'on' ? voters.length : voters.length - quorum;
  for (let commit = FINAL; commit > 0; commit--) {
    const holders = voters.filter((name) => (world.get(name)?.wal ?? 0) >= commit);
    if (holders.length >= numsync) return commit;
  }
  return 0;
}

/** The members that may take the lock after the leader has gone: the race on plain numbers. */
function winners(cluster: LossCluster, world: World): string[] {
  const { mode, quorum, syncLeader, voters, version, checkTimeline } = cluster;
  const active =
    syncLeader !== null && (mode === 'on' || (mode === 'quorum' && !version.startsWith('3')));
  const inSync = new Set([syncLeader, ...voters].map((name) => name?.toLowerCase()));
  const alive = cluster.others.filter(({ state }) => state !== 'dead');
  const racing = alive.filter(({ nofailover }) => !nofailover);
  const isPrimary = ({ name }: Standby): boolean => world.get(name)?.primary === true;
  return alive
    .filter((me) => !me.nofailover || isPrimary(me))
    .filter((me) => {
      const mine = world.get(me.name);
      if (mine === undefined) return false;
      const isOld = me.state === 'hidden' ? mine.position === 6 : !me.onTimeline;
      if (mine.primary) return !isOld;
      if (checkTimeline && isOld) return false;
      if (active && mode === 'on' && !inSync.has(me.name)) return false;
      const others = racing.filter(({ name }) => name !== me.name && (!active || inSync.has(name)));
      const ahead = others.filter(({ name }) => (world.get(name)?.position ?? 0) > mine.position);
      if (ahead.some(({ name }) => !active || name !== syncLeader.toLowerCase())) return false;
      if (others.some(isPrimary)) return false;
      const votes = others.length - ahead.length - (inSync.has(me.name) ? 0 : 1);
      return (
        !active ||
        mode === 'on' ||
        votes >= quorum ||
        (ahead.length === 0 && syncLeader === me.name)
      );
    })
    .map(({ name }) => name);
}
