/** What the chaos asks PostgreSQL, etcd and Patroni itself: the judge of whatever patctl says. */
import { Socket } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import type { Lab } from '../lab/cluster.js';
import { dcsAll } from '../lab/health.js';

interface Row {
  name: string;
  state: string;
  sync: string;
}

interface Slot {
  name: string;
  restart: number | null;
  status: string | null;
}

/** One member's own words. */
export interface MemberFacts {
  recovery: boolean;
  /** Microseconds since 1970 at which this postmaster was started. */
  started: string;
  /** Written by a primary, received or replayed by a standby. */
  lsn: number;
  replayed: number | null;
  replayPaused: boolean;
  timeline: number;
  rows: Row[];
  slots: Slot[];
  names: string;
  namesFile: string | null;
  waiters: number;
  /** How long the oldest commit has waited for a standby, ms; 0 when none waits. */
  waitedMs: number;
  pending: number;
  /** Logical clients that have not confirmed what they were sent: pid and the position they confirmed. */
  unconfirmed: string[];
  /** Where the oldest WAL file begins that it still has. */
  oldest: number;
  /** Only superusers are let in. */
  isFull: boolean;
}

export interface Facts {
  /** Milliseconds since 1970. */
  at: number;
  /** etcd answered. */
  dcs: boolean;
  leader: string | null;
  syncMode: 'off' | 'on' | 'quorum';
  /** Names in /sync. */
  standbys: string[];
  syncLeader: string | null;
  /** Votes that a new leader needs of the standbys; 0 where it is not a number. */
  syncQuorum: number;
  /** A key of the cluster is not JSON object, by name. */
  unreadable: string[];
  failover: string | null;
  paused: boolean;
  standbyCluster: boolean;
  config: string | null;
  keys: string[];
  /** Members that may not be promoted, by their own keys. */
  nofailover: string[];
  /** State that the member's own key tells, or told last. */
  told: Map<string, string>;
  /** null: its PostgreSQL did not answer. */
  members: Map<string, MemberFacts | null>;
  /** The state that a member's Patroni tells; null: no answer. */
  patroni: Map<string, string | null>;
  /** Members whose SQL or REST answer took the judge itself so long that patctl may have missed it. */
  slow: Set<string>;
}

const SQL = `SELECT json_build_object(
  'recovery', pg_is_in_recovery(),
  'started', (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text,
  'lsn', CASE WHEN pg_is_in_recovery()
    THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'
    ELSE pg_current_wal_lsn() - '0/0' END,
  'replayed', pg_last_wal_replay_lsn() - '0/0',
  'replayPaused', CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END,
  'timeline', (SELECT timeline_id FROM pg_control_checkpoint()),
  'rows', (SELECT coalesce(json_agg(json_build_object('name', application_name, 'state', state,
    'sync', sync_state)), '[]') FROM pg_stat_replication),
  'slots', (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'restart',
    restart_lsn - '0/0', 'status', wal_status)), '[]') FROM pg_replication_slots),
  'names', current_setting('synchronous_standby_names'),
  'namesFile', (SELECT sourcefile FROM pg_settings WHERE name = 'synchronous_standby_names'),
  'waiters', (SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'),
  'waitedMs', (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start)) * 1000, 0)
    FROM pg_stat_activity WHERE wait_event = 'SyncRep'),
  'unconfirmed', (SELECT coalesce(json_agg(r.pid || ' at ' || coalesce(r.flush_lsn::text, 'nothing')),
    '[]') FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid
    WHERE s.slot_type = 'logical' AND (r.flush_lsn IS NULL OR r.flush_lsn < r.sent_lsn)),
  'pending', (SELECT count(*) FROM pg_settings WHERE pending_restart),
  'isFull', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
    > current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
  'oldest', (SELECT min(('x' || substr(name, 9, 8))::bit(32)::bigint * 4294967296
    + ('x' || substr(name, 17, 8))::bit(32)::bigint * 16777216)
    FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$')) AS facts`;

const ASK_LIMIT_MS = 2_000;
/** On a machine that is not too busy an answer takes a twentieth of it. */
export const SLOW_MS = 800;

/** A session of one statement over the member's socket; null when there was no answer within 2 s. */
export async function askMember(lab: Lab, name: string): Promise<MemberFacts | null> {
  const socket = new Socket();
  const limit = setTimeout(() => socket.destroy(new Error('no answer')), ASK_LIMIT_MS);
  const client = new pg.Client({
    host: join(lab.root, 'run'),
    port: lab.member(name).port,
    user: 'postgres',
    database: 'postgres',
    stream: () => socket,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ facts: MemberFacts }>(SQL);
    return rows[0]?.facts ?? null;
  } catch {
    return null;
  } finally {
    clearTimeout(limit);
    socket.destroy();
  }
}

/** The state that it tells. */
export async function askPatroni(lab: Lab, name: string): Promise<string | null> {
  try {
    const { json } = await lab.rest(name, '/patroni', { timeoutMs: ASK_LIMIT_MS });
    return (json as { state?: string } | undefined)?.state ?? null;
  } catch {
    return null;
  }
}

/** What the keys say; `dcs` is false where etcd did not answer. */
export type KeyFacts = Omit<Facts, 'at' | 'members' | 'patroni' | 'slow'>;

export async function askKeys(lab: Lab): Promise<KeyFacts> {
  const names = lab.members.map(({ name }) => name);
  const keys = await dcsAll(lab.state).catch(() => null);
  const unreadable: string[] = [];
  const object = (key: string): Record<string, unknown> => {
    const text = keys?.get(key);
    if (text === undefined) return {};
    const value = parsed(text);
    if (value === null) unreadable.push(key);
    return value ?? {};
  };
  const sync = object('sync');
  const config = object('config');
  const mode = config['synchronous_mode'];
  const told = names.flatMap((name): [string, string][] => {
    const { state } = object(`members/${name}`);
    return typeof state === 'string' ? [[name, state]] : [];
  });
  const tagged = (name: string): boolean =>
    /"nofailover":\s*true/.test(keys?.get(`members/${name}`) ?? '');
  return {
    dcs: keys !== null,
    leader: keys?.get('leader') ?? null,
    syncMode: mode === 'quorum' ? 'quorum' : mode === true ? 'on' : 'off',
    standbys: text(sync['sync_standby'])
      .split(',')
      .filter((name) => name !== ''),
    syncLeader: text(sync['leader']) || null,
    syncQuorum: Number(sync['quorum']) || 0,
    unreadable,
    failover: keys?.get('failover') ?? null,
    paused: config['pause'] === true,
    standbyCluster: typeof config['standby_cluster'] === 'object',
    config: keys?.get('config') ?? null,
    keys: names.filter((name) => keys?.has(`members/${name}`)),
    nofailover: names.filter(tagged),
    told: new Map(told),
  };
}

function parsed(from: string): Record<string, unknown> | null {
  try {
    const value = JSON.parse(from) as unknown;
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
