/** What the DCS claims of one cluster, kept up to date by its watch and by reading; its absence is survived. */
import type { Claim, Cluster } from '../cluster/model/model.js';
import { parseCluster } from '../cluster/model/parse-keys.js';
import { sharedParts } from '../cluster/model/shared-parts.js';
import { pause } from '../clock.js';
import type { Context } from '../context.js';
import type { ClusterName } from '../dcs/dcs.js';
import { ToolError } from '../errors.js';

/** Other changes follow the first one at once. */
const GATHER_MS = 50;

export interface FollowedClaims {
  /** The cluster as last claimed; null: it was never read. */
  cluster: Cluster | null;
  /** Why the DCS could not be read the last time; null: it could. */
  error: ToolError | null;
}

export interface ClaimsFollower {
  readonly now: FollowedClaims;
  /** Reads the DCS, unless its watch told something since the last time. Rejects with NeverThere, and faults of ours. */
  refresh(): Promise<void>;
  /** Reads the DCS in any case. */
  readAgain(): Promise<void>;
  /** Resolves after `ms`, or soon after the watch told a change that matters: not a heartbeat. */
  change(ms: number): Promise<void>;
}

export interface ClaimsRequest extends ClusterName {
  serializable: boolean;
}

/** The DCS answers, and never had the cluster. */
export class NeverThere extends Error {}

/** Ends with the signal. */
export function followClaims(
  context: Context,
  request: ClaimsRequest,
  signal: AbortSignal,
): ClaimsFollower {
  const alarm = openAlarm(signal);
  const held = holdClaims(alarm.ring);
  const watch = watchClaims(context, request, held, signal);
  let reading: Promise<void> | null = null;
  /** What the watch had told when it was last asked for. */
  let seen = 0;
  const read = async (): Promise<void> => {
    const { heard } = held;
    try {
      const cluster = await readClaims(context, request, held.now.cluster);
      // What the watch told in the meantime is newer.
      if (held.heard === heard) held.take(cluster);
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      if (!signal.aborted) held.now.error = error;
    }
  };
  const readAgain = (): Promise<void> =>
    (reading ??= read().finally(() => {
      reading = null;
    }));
  return {
    now: held.now,
    readAgain,
    change: alarm.wait,
    async refresh() {
      watch.throwFault();
      const isFresh = held.heard > seen && held.now.error === null;
      seen = held.heard;
      if (!isFresh) await readAgain();
      watch.open();
    },
  };
}

interface HeldClaims {
  readonly now: FollowedClaims;
  /** How often the watch told something. */
  heard: number;
  take(read: Cluster): void;
}

/** `news`: a change that matters. */
function holdClaims(news: () => void): HeldClaims {
  const now: FollowedClaims = { cluster: null, error: null };
  return {
    now,
    heard: 0,
    take(read) {
      const cluster = sharedParts(now.cluster, read);
      const isNews = now.cluster === null || claimsIn(now.cluster) !== claimsIn(cluster);
      now.cluster = cluster;
      now.error = null;
      if (isNews) news();
    },
  };
}

interface ClaimsWatch {
  /** Opens it where it is not, and the DCS answers. */
  open(): void;
  /** A mistake of ours in it. */
  throwFault(): void;
}

function watchClaims(
  context: Context,
  request: ClusterName,
  held: HeldClaims,
  signal: AbortSignal,
): ClaimsWatch {
  let isOn = false;
  let fault: { error: unknown } | null = null;
  const told = (cluster: Cluster): void => {
    held.heard += 1;
    held.take(cluster);
  };
  return {
    open() {
      if (isOn || held.now.error !== null || held.now.cluster === null) return;
      isOn = true;
      listen(context, request, told, signal)
        .catch((error: unknown) => (fault = { error }))
        .finally(() => (isOn = false));
    },
    throwFault() {
      if (fault !== null) throw fault.error;
    },
  };
}

interface Alarm {
  ring: () => void;
  /** Resolves after `ms`, or soon after it rang. */
  wait: (ms: number) => Promise<void>;
}

function openAlarm(signal: AbortSignal): Alarm {
  let wake: () => void = () => undefined;
  signal.addEventListener('abort', () => wake());
  return {
    ring: () => wake(),
    async wait(ms) {
      if (signal.aborted) return;
      const quiet = new AbortController();
      wake = () => quiet.abort();
      const isRung = (): boolean => quiet.signal.aborted;
      await pause(ms, quiet.signal);
      if (isRung()) await pause(GATHER_MS, signal);
    },
  };
}

/** The one cluster; empty when it is gone. ToolError when the DCS does not answer, NeverThere when it never was. */
async function readClaims(
  context: Context,
  { scope, group, place, serializable }: ClaimsRequest,
  last: Cluster | null,
): Promise<Cluster> {
  const dcs = await context.dcs();
  const all = await dcs.read({ scope, group, place }, { serializable });
  const found = all.find((one) => one.group === group);
  if (found === undefined) {
    if (last === null) throw new NeverThere();
    return parseCluster(scope, group, { revision: last.revision, kvs: [] }, '/');
  }
  return (await dcs.compareViews?.(found)) ?? found;
}

/** A watch that cannot be opened, or that ends, is opened again after the next reading. */
async function listen(
  context: Context,
  { scope, group, place }: ClusterName,
  told: (cluster: Cluster) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    const dcs = await context.dcs();
    // The members' answers cannot be watched, and are compared with each other at every reading.
    if (dcs.compareViews) return;
    const { changes } = await dcs.follow({ scope, group, place });
    for await (const cluster of changes(signal)) told(cluster);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
  }
}

/** All that is worth a snapshot at once; heartbeats and positions are not in it. */
function claimsIn({
  leaderName,
  sync,
  config,
  failover,
  history,
  failsafe,
  members,
}: Cluster): string {
  return JSON.stringify([
    leaderName,
    sync?.modRevision,
    config?.modRevision,
    failover?.modRevision,
    history?.length,
    failsafe,
    members.map(({ name, role, state, pendingRestart, scheduledRestart }) => [
      name,
      role,
      state,
      pendingRestart,
      scheduledRestart,
    ]),
  ]);
}

const CLAIMS: readonly Claim[] = [
  'leader',
  'sync',
  'failover',
  'failsafe',
  'status',
  'config',
  'history',
  'initialize',
  'departed',
];

/** The last claims of a DCS that has fallen silent: each of them may be another one by now. */
export function staleClaims(cluster: Cluster, { message }: ToolError): Cluster {
  const why = `the DCS does not answer: ${message}`;
  const unknown = Object.fromEntries(CLAIMS.map((claim) => [claim, why]));
  return { ...cluster, cannotTell: { ...unknown, ...cluster.cannotTell } };
}
