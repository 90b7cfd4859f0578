/** After a cluster has changed its role: which member must stream, from which server, and which does not yet. */
import { addressesOf } from '../../observe/addresses.js';
import { memberAt } from '../../cluster/model/member-address.js';
import type { Cluster, JsonObject, Member, Reading, SqlStatus } from '../../cluster/model/model.js';
import { startTimeOf } from '../../cluster/preflight/restart-order.js';
import { ToolError } from '../../errors.js';
import { oneLine } from '../../output/text.js';
import type { Tell } from '../kit/report.js';
import type { Context } from '../../context.js';

/** Where a standby cluster's leader streams from, as it was asked for. */
export interface Source {
  /** Empty: not given, it is found over a socket. */
  hosts: string[];
  port: number;
}

/** What one member must do; null in `source`: the current leader. */
export interface WantedStreams {
  member: Member;
  does: 'accepts writes' | 'streams';
  source: Source | null;
}

export interface Lacking {
  name: string;
  /** `does not stream from far:5432` */
  what: string;
  /** What it does instead. */
  said: string;
}

const POSTGRES_PORT = 5432;

/** null: WAL comes from an archive only. */
export function sourceOf(standby: JsonObject): Source | null {
  const { host, port } = standby;
  if (host === undefined && port === undefined) return null;
  return {
    hosts: typeof host === 'string' ? host.split(',').map((one) => one.trim()) : [],
    port: typeof port === 'number' ? port : POSTGRES_PORT,
  };
}

export function sourceWords({ hosts, port }: Source): string {
  return oneLine(`${hosts.join(',')}:${port}`);
}

/** Members that stream now. */
export async function streamingNow(context: Context, cluster: Cluster): Promise<string[]> {
  const all = await Promise.all(cluster.members.map((one) => roleSeen(context, cluster, one)));
  return cluster.members.filter((_, at) => all[at] === 'streaming').map(({ name }) => name);
}

/** `primary`, `streaming`, another state, or why it does not answer: PostgreSQL as its Patroni sees it. */
async function roleSeen(context: Context, { scope }: Cluster, member: Member): Promise<string> {
  const { apiUrl, name } = member;
  if (apiUrl === null) return 'has no api_url';
  const patroni = await context.patroni();
  const reading = await patroni.status({ apiUrl, name, scope }, context.flags.timeoutMs);
  if (!reading.ok) return reading.reason;
  const { location, replicationState, state } = reading.value;
  if (location !== null) return 'primary';
  return replicationState ?? (state === 'running' ? 'it runs but receives no WAL' : `is ${state}`);
}

/** What this member still lacks, or null and what was seen, in words. */
export async function lookAtStreams(
  context: Context,
  cluster: Cluster,
  { member, does, source }: WantedStreams,
): Promise<{ lacking: Lacking | null; done: string }> {
  const { name } = member;
  const from = source === null ? '' : ` from ${sourceWords(source)}`;
  const what = does === 'streams' ? `does not stream${from}` : 'does not accept writes';
  const lacks = (said: string) => ({ lacking: { name, what, said }, done: '' });
  const seen = await roleSeen(context, cluster, member);
  if (seen !== (does === 'streams' ? 'streaming' : 'primary')) return lacks(seen);
  const done = `${name} ${does}${from}`;
  if (source === null) return { lacking: null, done };
  // A replica that has just become the standby leader may still stream from the former leader.
  const sql = await sqlStatus(context, member);
  if (!sql?.ok) {
    const unseen = `${name} streams; its upstream is unknown without an SQL login`;
    return { lacking: null, done: unseen };
  }
  const other = otherSender(sql.value, source);
  return other === null ? { lacking: null, done } : lacks(other);
}

async function sqlStatus(context: Context, member: Member): Promise<Reading<SqlStatus> | null> {
  const postgres = await context.postgres();
  const { host, port } = member;
  if (!postgres.hasLogin || host === null || port === null) return null;
  return postgres.status({ host, port }, context.flags.timeoutMs);
}

/** The server it streams from instead of the requested one; null: the requested one. */
export function otherSender({ walReceiver }: SqlStatus, { hosts, port }: Source): string | null {
  if (walReceiver === null) return 'PostgreSQL has no WAL receiver';
  const { status, senderHost, senderPort } = walReceiver;
  if (status !== 'streaming') return `the WAL receiver is ${status ?? 'unknown'}`;
  const isHost = hosts.length === 0 || senderHost === null || hosts.includes(senderHost);
  if (isHost && (senderPort === null || senderPort === port)) return null;
  return `streams from ${senderHost ?? '?'}:${senderPort ?? '?'}`;
}

/**
 * Reads the remote before a member is demoted to follow it. ToolError `error` when it cannot be followed:
 * it is a member of this very cluster, under whatever name, or another database. One that does not answer us
 * is only a warning because the members may reach it.
 */
export async function checkSource(
  context: Context,
  cluster: Cluster,
  source: Source,
  tell: Tell,
): Promise<void> {
  const words = sourceWords(source);
  const refuse = (what: string, code: string) =>
    new ToolError('error', `${words} is ${what}; nothing was sent`, { code });
  const refuseOwn = (name: string) => refuse(`${name} of ${cluster.scope} itself`, 'remote_is_own');
  const addresses = await addressesOf(context, [
    ...source.hosts,
    ...cluster.members.flatMap(({ host }) => host ?? []),
  ]);
  const itself = memberAt(cluster, addresses, source.hosts, source.port);
  if (itself) throw refuseOwn(itself.name);
  const postgres = await context.postgres();
  if (context.flags.compat || !postgres.hasLogin) return;
  for (const host of source.hosts) {
    const seen = await postgres.status({ host, port: source.port }, context.flags.timeoutMs);
    if (!seen.ok) {
      const where = sourceWords({ hosts: [host], port: source.port });
      tell({ kind: 'note', text: `warning: ${where} could not be checked: ${seen.reason}` });
      continue;
    }
    const { systemId, walReceiver } = seen.value;
    const own = cluster.systemId;
    if (systemId !== null && own !== null && systemId !== own) {
      throw refuse(
        `another database (system identifier ${systemId}, not ${own})`,
        'remote_is_other',
      );
    }
    const same = await memberStartedAt(context, cluster, seen.value.startedAt ?? null);
    if (same) throw refuseOwn(same.name);
    const { senderHost, senderPort } = walReceiver ?? { senderHost: null, senderPort: null };
    if (senderHost === null || senderPort === null) continue;
    const more = await addressesOf(context, [senderHost]);
    const sender = memberAt(cluster, new Map([...addresses, ...more]), [senderHost], senderPort);
    // Two sites change places so, the old one first: it is a mistake only if no site is promoted.
    if (sender) {
      const text =
        `warning: ${words} is a standby that streams from ${sender.name} of ${cluster.scope}: ` +
        'no member accepts writes until it is promoted';
      tell({ kind: 'note', text });
    }
  }
}

/** The member whose PostgreSQL was started at this very microsecond: it is the same server. */
async function memberStartedAt(
  context: Context,
  cluster: Cluster,
  startedAt: string | null,
): Promise<Member | undefined> {
  if (startedAt === null) return undefined;
  const patroni = await context.patroni();
  const started = await Promise.all(
    cluster.members.map(async (member) => {
      const { apiUrl, name } = member;
      const target = { apiUrl: apiUrl ?? '', name, scope: cluster.scope };
      const rest = apiUrl === null ? null : await patroni.status(target, context.flags.timeoutMs);
      const said = rest?.ok ? startTimeOf(rest.value) : null;
      if (said !== null) return microsOf(said);
      const sql = await sqlStatus(context, member);
      return sql?.ok ? (sql.value.startedAt ?? null) : null;
    }),
  );
  return cluster.members.find((_, at) => started[at] === startedAt);
}

/** Microseconds since 1970 of Patroni's `2026-11-21 14:26:35.188775+00:00`; null: it is none. */
export function microsOf(text: string): string | null {
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[-+]\d\d:\d\d)$/.exec(
    text,
  );
  if (!match) return null;
  const [, day = '', time = '', fraction = '', zone = ''] = match;
  const seconds = Date.parse(`${day}T${time}${zone}`) / 1000;
  return Number.isFinite(seconds) ? `${seconds}${fraction.padEnd(6, '0')}` : null;
}
