/** The two sites of a swap while it runs: how each is reached, read and told of. */
import { siteLabels, type Site, type SiteSide } from '../../cluster/preflight/swap-model.js';
import { viewOf, type View } from '../../cluster/roles/view.js';
import type {
  Cluster,
  Member,
  MemberReadings,
  RestStatus,
  SqlStatus,
} from '../../cluster/model/model.js';
import { farther, type Lsn } from '../../cluster/model/lsn.js';
import type { Context } from '../../context.js';
import { ToolError, type Evidence } from '../../errors.js';
import { PLAIN_ASKING, readSnapshotSettled } from '../../observe/read-snapshot.js';
import { readWitnesses } from '../../observe/read-witnesses.js';
import { ofOtherSite } from './other-site-error.js';

/** One site as the command line names it. */
export interface MeantSite {
  readonly context: Context;
  readonly scope: string;
  /** Citus group. */
  readonly group: number | null;
  /** The options that lead to it, where they are not those of this run. */
  readonly way: readonly string[];
}

export interface Pair {
  readonly here: MeantSite;
  readonly there: MeantSite;
}

/** The same with what was read of it. */
export interface LiveSite extends Site {
  readonly context: Context;
}

export interface LivePair {
  readonly here: LiveSite;
  readonly there: LiveSite;
}

/** Both at one time. ToolError names the site that could not be read. */
export async function readSites({ here, there }: Pair): Promise<LivePair> {
  const asked = [readView(here, 'here'), readView(there, 'there')] as const;
  // Of two that fail the one here is told.
  asked[1].catch(() => undefined);
  const [a, b] = [await asked[0], await asked[1]];
  const labels = siteLabels(a.snapshot.cluster, b.snapshot.cluster);
  return {
    here: { ...here, side: 'here', label: labels.here, view: a },
    there: { ...there, side: 'there', label: labels.there, view: b },
  };
}

/** One of them; errors of the other site say so. */
export async function readView(
  { context, scope, group }: MeantSite,
  side: SiteSide,
): Promise<View> {
  try {
    return viewOf(await readSnapshotSettled(context, { scope, group, ...PLAIN_ASKING }));
  } catch (error) {
    if (!(error instanceof ToolError) || side === 'here') throw error;
    throw ofOtherSite(error);
  }
}

export function siteCluster({ view }: Pick<Site, 'view'>): Cluster {
  return view.snapshot.cluster;
}

/** Whether standby_cluster is set; null: the configuration was not read. */
export function isStandby(cluster: Pick<Cluster, 'config'> | null): boolean | null {
  const config = cluster?.config ?? null;
  return config === null || config.unreadable ? null : config.standbyCluster !== null;
}

/** The member that leads, as the snapshot has it. ToolError is not expected: the plan refuses a site without one. */
export function leaderOf(site: Site): Member {
  const { leaderName, members } = siteCluster(site);
  const found = members.find(({ name }) => name === leaderName);
  if (found === undefined) throw new ToolError('error', `${site.label} has no leader`);
  return found;
}

export async function lookAt({ context, view }: LiveSite, member: Member): Promise<MemberReadings> {
  return readWitnesses(context, { ...member, scope: view.snapshot.cluster.scope }, 'auto');
}

/** What a member is now: SQL before REST. */
export interface Standing {
  /** null: neither witness says. */
  role: 'primary' | 'standby' | null;
  /** It has a WAL receiver that streams: then all of its own WAL is replayed. */
  streams: boolean;
  timeline: number | null;
  received: Lsn | null;
  replayed: Lsn | null;
  witness: 'SQL' | 'REST' | null;
  /** In words, also why nothing is known. */
  said: string;
}

const UNKNOWN = { role: null, streams: false, timeline: null, received: null, replayed: null };

export function standingOf({ rest, sql }: MemberReadings): Standing {
  if (sql.ok) return bySql(sql.value, rest.ok ? rest.value : null);
  if (rest.ok) return byRest(rest.value);
  const silent = [sql, rest].filter(({ kind }) => kind !== 'off');
  const said = silent.map(({ reason }) => reason).join('; ') || 'not asked';
  return { ...UNKNOWN, witness: null, said };
}

function bySql(sql: SqlStatus, rest: RestStatus | null): Standing {
  const { inRecovery, walReceiver, receiveLsn, replayLsn, timeline, currentLsn } = sql;
  if (!inRecovery) {
    const at = { received: currentLsn, replayed: currentLsn };
    return { role: 'primary', streams: false, timeline, ...at, witness: 'SQL', said: 'a primary' };
  }
  const streams = walReceiver?.status === 'streaming';
  const onTimeline = walReceiver?.receivedTimeline ?? rest?.timeline ?? timeline;
  return {
    ...{ role: 'standby', streams, timeline: onTimeline, witness: 'SQL' },
    ...{ received: farther(receiveLsn, replayLsn), replayed: replayLsn },
    said: streams
      ? `a standby that streams from ${walReceiver.senderHost ?? '?'}:${walReceiver.senderPort ?? '?'}`
      : 'a standby without a WAL receiver that streams',
  };
}

function byRest(rest: RestStatus): Standing {
  const { location, receivedLocation, replayedLocation, timeline, replicationState } = rest;
  if (location !== null) {
    const at = { received: location, replayed: location };
    return { role: 'primary', streams: false, timeline, ...at, witness: 'REST', said: 'a primary' };
  }
  if (replayedLocation === null && receivedLocation === null)
    return { ...UNKNOWN, witness: 'REST', said: `PostgreSQL is ${rest.state}` };
  return {
    ...{ role: 'standby', streams: replicationState === 'streaming', timeline, witness: 'REST' },
    ...{ received: farther(receivedLocation, replayedLocation), replayed: replayedLocation },
    said: `a standby, ${replicationState ?? 'which does not stream'}`,
  };
}

export function standingSaid(subject: string, { witness, said }: Standing): Evidence {
  return { witness: witness ?? 'REST', subject, said };
}
