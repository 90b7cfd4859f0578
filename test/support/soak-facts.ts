/** What the soak asks PostgreSQL itself, and what each finding of `check` is worth in that light. */
import type { Finding } from '../../src/cluster/model/model.js';
import type { Lab } from './lab/cluster.js';

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

/** One member's own words; null: its PostgreSQL answered nobody. */
interface MemberFacts {
  recovery: boolean;
  /** Written by a primary, received or replayed by a standby. */
  lsn: number;
  replayed: number | null;
  timeline: number;
  rows: Row[];
  slots: Slot[];
  names: string;
  namesFile: string | null;
  waiters: number;
  pending: number;
  /** Where the oldest WAL file begins that it still has. */
  oldest: number;
}

export interface Facts {
  leader: string | null;
  /** Names in /sync. */
  standbys: string[];
  syncLeader: string | null;
  failover: string | null;
  paused: boolean;
  keys: string[];
  members: Map<string, MemberFacts | null>;
  /** Members whose Patroni answered. */
  patroni: Map<string, string | null>;
}

const SQL = `SELECT json_build_object(
  'recovery', pg_is_in_recovery(),
  'lsn', CASE WHEN pg_is_in_recovery()
    THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'
    ELSE pg_current_wal_lsn() - '0/0' END,
  'replayed', pg_last_wal_replay_lsn() - '0/0',
  'timeline', (SELECT timeline_id FROM pg_control_checkpoint()),
  'rows', (SELECT coalesce(json_agg(json_build_object('name', application_name, 'state', state,
    'sync', sync_state)), '[]') FROM pg_stat_replication),
  'slots', (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'restart',
    restart_lsn - '0/0', 'status', wal_status)), '[]') FROM pg_replication_slots),
  'names', current_setting('synchronous_standby_names'),
  'namesFile', (SELECT sourcefile FROM pg_settings WHERE name = 'synchronous_standby_names'),
  'waiters', (SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'),
  'pending', (SELECT count(*) FROM pg_settings WHERE pending_restart),
  'oldest', (SELECT min(('x' || substr(name, 9, 8))::bit(32)::bigint * 4294967296
    + ('x' || substr(name, 17, 8))::bit(32)::bigint * 16777216)
    FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'))`;

const ASK_LIMIT_MS = 3_000;

/** All members over their sockets, and the keys, side by side. */
export async function askMembers(lab: Lab): Promise<Facts> {
  const names = lab.members.map(({ name }) => name);
  const key = (name: string) => lab.dcsGet(name).catch(() => null);
  const [leader, sync, failover, config, keys, members, patroni] = await Promise.all([
    key('leader'),
    key('sync'),
    key('failover'),
    key('config'),
    Promise.all(names.map((name) => key(`members/${name}`))),
    Promise.all(names.map((name) => askOne(lab, name))),
    Promise.all(names.map((name) => askPatroni(lab, name))),
  ]);
  const said = JSON.parse(sync ?? '{}') as { leader?: string | null; sync_standby?: string | null };
  return {
    leader,
    standbys: (said.sync_standby ?? '').split(',').filter((name) => name !== ''),
    syncLeader: said.leader ?? null,
    failover,
    paused: (JSON.parse(config ?? '{}') as { pause?: boolean }).pause === true,
    keys: names.filter((_, at) => (keys[at] ?? null) !== null),
    members: new Map(names.map((name, at) => [name, members[at] ?? null])),
    patroni: new Map(names.map((name, at) => [name, patroni[at] ?? null])),
  };
}

async function askOne(lab: Lab, name: string): Promise<MemberFacts | null> {
  try {
    return JSON.parse(await lab.psql(name, SQL, { timeoutMs: ASK_LIMIT_MS })) as MemberFacts;
  } catch {
    return null;
  }
}

/** The state that it tells. */
async function askPatroni(lab: Lab, name: string): Promise<string | null> {
  try {
    const { json } = await lab.rest(name, '/patroni', { timeoutMs: ASK_LIMIT_MS });
    return (json as { state?: string }).state ?? '';
  } catch {
    return null;
  }
}

export interface Verdict {
  held: boolean;
  sql: string;
}

const LAG_LIMIT = 1_048_576;

/** Whether a finding holds by these facts; one that no rule knows does not, so that somebody looks. */
export function holds({ code, members: about }: Finding, facts: Facts): Verdict {
  const { leader, members, standbys, syncLeader } = facts;
  const head = leader === null ? null : (members.get(leader) ?? null);
  const primaries = [...members].filter(([, one]) => one?.recovery === false).map(([name]) => name);
  const rowOf = (name: string) => head?.rows.find((row) => row.name === name);
  const slotOf = (name: string) => head?.slots.find((slot) => slot.name === name);
  const answering = [...members].filter(([, one]) => one !== null).map(([name]) => name);
  const replicas = [...members].filter(([name, one]) => one?.recovery === true && name !== leader);
  const isFed = (name: string) => ['streaming', 'catchup'].includes(rowOf(name)?.state ?? '');
  const behind = (name: string) => (head?.lsn ?? 0) - (members.get(name)?.lsn ?? 0);
  const every = (test: (name: string) => boolean) => about.length > 0 && about.every(test);
  const some = (test: (name: string) => boolean) => about.some(test);
  const rows = (head?.rows ?? [])
    .map(({ name, state, sync }) => `${name} ${state} ${sync}`)
    .join(', ');
  const who = `leader key ${leader ?? 'none'}, primaries ${primaries.join(',') || 'none'}, answering ${answering.join(',')}`;
  const synced = (head?.rows ?? []).filter(({ sync }) => sync === 'sync' || sync === 'quorum');
  const inSync = `/sync ${syncLeader ?? 'none'}: ${standbys.join(',') || 'none'}; rows ${rows || 'none'}; names '${head?.names ?? ''}'`;

  switch (code) {
    case 'no_leader':
      return { held: leader === null && primaries.length === 0, sql: who };
    case 'two_primaries':
      return { held: primaries.length > 1, sql: who };
    case 'primary_without_lock':
      return { held: some((name) => primaries.includes(name) && name !== leader), sql: who };
    case 'lock_without_primary':
      return { held: leader !== null && !primaries.includes(leader), sql: who };
    case 'leader_unreachable':
      return {
        held: head === null && (facts.patroni.get(leader ?? '') ?? null) === null,
        sql: who,
      };
    case 'member_unreachable':
      return { held: some((name) => facts.patroni.get(name) === null), sql: patroniText(facts) };
    case 'member_state':
      return {
        held: every((name) => (members.get(name) ?? null) === null),
        sql: `${who}; ${patroniText(facts)}`,
      };
    case 'not_streaming':
      return {
        held:
          every((name) => members.get(name)?.recovery === true && !isFed(name)) && head !== null,
        sql: `rows ${rows || 'none'}; ${who}`,
      };
    case 'wrong_upstream':
      return { held: some((name) => !isFed(name)), sql: rows };
    case 'catching_up':
      return { held: some((name) => behind(name) > LAG_LIMIT), sql: behindText(about, behind) };
    case 'replay_behind':
      return {
        held: some((name) => {
          const one = members.get(name);
          return one?.lsn !== undefined && one.lsn - (one.replayed ?? one.lsn) > LAG_LIMIT;
        }),
        sql: behindText(about, behind),
      };
    case 'timeline_behind':
    case 'timeline_fork':
      return {
        held: some((name) => !isFed(name) && members.get(name)?.timeline !== head?.timeline),
        sql: `${[...members].map(([name, one]) => `${name} ${one?.timeline ?? '-'}`).join(', ')}; rows ${rows}`,
      };
    case 'slot_missing':
      return {
        held: head !== null && some((name) => slotOf(name) === undefined),
        sql: slotText(head),
      };
    case 'slot_unreserved':
      return {
        held: some((name) => {
          const slot = slotOf(name);
          return slot !== undefined && (slot.restart === null || slot.status === 'unreserved');
        }),
        sql: slotText(head),
      };
    case 'slot_lost':
    case 'wal_gone':
      return {
        held:
          head !== null &&
          some((name) => !isFed(name) && (members.get(name)?.lsn ?? head.oldest) < head.oldest),
        sql: `oldest WAL at ${head?.oldest ?? '?'}; ${slotText(head)}; ${behindText(about, behind)}; rows ${rows}`,
      };
    case 'sync_role_mismatch':
      return {
        held:
          every((name) => standbys.includes(name) && !synced.some((row) => row.name === name)) &&
          head !== null,
        sql: inSync,
      };
    case 'sync_unclaimed':
      return {
        held: some((name) => !standbys.includes(name) && synced.some((row) => row.name === name)),
        sql: inSync,
      };
    case 'sync_empty':
      return {
        held:
          standbys.length === 0 && (head?.rows ?? []).some(({ state }) => state === 'streaming'),
        sql: inSync,
      };
    case 'sync_leader_stale':
      return { held: syncLeader !== null && leader !== null && syncLeader !== leader, sql: inSync };
    case 'sync_names_overridden':
      return {
        held: head?.namesFile?.endsWith('auto.conf') === true,
        sql: head?.namesFile ?? 'none',
      };
    case 'sync_names_differ':
      return {
        held: head !== null && standbys.length > 0 && !sameNames(head.names, standbys),
        sql: inSync,
      };
    case 'commits_blocked':
      return {
        held: head !== null && head.names !== '' && (synced.length === 0 || head.waiters > 0),
        sql: `${head?.waiters ?? 0} waiting; ${inSync}`,
      };
    case 'quorum_lost':
    case 'quorum_at_risk':
      return {
        held:
          standbys.length === 0 ||
          !standbys.every((name) => members.get(name)?.recovery === true && isFed(name)),
        sql: `${who}; ${inSync}`,
      };
    case 'no_failover_candidate':
      return {
        held: replicas.every(([name]) => behind(name) > LAG_LIMIT || !isFed(name)),
        sql: `${who}; rows ${rows}; ${behindText([...members.keys()], behind)}`,
      };
    case 'stale_failover_key':
      return {
        held: /leader|member/.test(facts.failover ?? ''),
        sql: `/failover ${facts.failover ?? 'none'}`,
      };
    case 'paused':
      return { held: facts.paused, sql: `pause ${facts.paused}` };
    case 'pending_restart':
      return { held: some((name) => (members.get(name)?.pending ?? 0) > 0), sql: who };
    case 'member_missing':
      return { held: some((name) => !facts.keys.includes(name)), sql: facts.keys.join(',') };
    default:
      return { held: false, sql: 'no rule for this finding' };
  }
}

/** The same names, wherever they stand in `ANY 1 (a,b)`. */
function sameNames(text: string, standbys: string[]): boolean {
  const inside = /\(([^)]*)\)/.exec(text)?.[1] ?? text;
  const names = inside.split(',').map((name) => name.trim().replaceAll('"', ''));
  return [...names].sort().join() === [...standbys].sort().join();
}

function patroniText({ patroni }: Facts): string {
  return [...patroni].map(([name, state]) => `${name} ${state ?? 'silent'}`).join(', ');
}

function slotText(head: MemberFacts | null): string {
  const slots = head?.slots.map(({ name, restart, status }) => `${name} ${restart} ${status}`);
  return `slots ${slots?.join(', ') ?? 'not read'}`;
}

function behindText(names: string[], behind: (name: string) => number): string {
  return names.map((name) => `${name} ${behind(name)} bytes behind`).join(', ');
}
