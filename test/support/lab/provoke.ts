/** The troubles that `check` was made for, each brought about on a live cluster and taken away again. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { eventually } from '../eventually.js';
import { findPgBin } from '../setup.js';
import type { Lab } from './cluster.js';
import { cleanEnv, unprivilegedUser, type RunAs } from './process.js';
import type { ClusterOptions } from './state.js';

export interface Provoked {
  /** The member that it is about. */
  member: string;
  /** Takes the trouble away again. */
  undo: () => Promise<void>;
}

export interface Story {
  /** What happens, in one line. */
  about: string;
  /** What a cluster needs for it. */
  options: Partial<Omit<ClusterOptions, 'scope'>>;
  /** Brings the trouble about. */
  provoke(lab: Lab): Promise<Provoked>;
}

/** The cluster that the standby cluster of stale-sync follows; it has to be there. */
const STALE_SYNC_SOURCE = 'stale-source';

export const STORIES = {
  'sync-mismatch': {
    about: '/sync claims a standby that PostgreSQL calls async, the leader being frozen',
    options: { sync: 'on' },
    provoke: syncMismatch,
  },
  'sync-overridden': {
    about: "ALTER SYSTEM SET synchronous_standby_names = '*' under synchronous_mode",
    options: { sync: 'on' },
    provoke: syncOverridden,
  },
  'quorum-switchover': {
    about: 'Patroni 4.0.5 in quorum mode refuses a switchover to a named candidate',
    options: { sync: 'quorum', patroni: '4.0.5' },
    provoke: quorumSwitchover,
  },
  'stale-sync': {
    about: 'a /sync left in a standby cluster: patronictl 3.2.2 calls its replica a Sync Standby',
    options: { sync: 'on', members: 2, patroni: '3.2.2', standbyOf: STALE_SYNC_SOURCE },
    provoke: staleSync,
  },
  'logical-blocker': {
    about: 'a logical client that never confirms would hold a demotion for ever',
    options: { parameters: { wal_level: 'logical' } },
    provoke: logicalBlocker,
  },
  'lost-slot': {
    about: 'a replica whose slot and WAL are gone cannot return, and the list is calm',
    options: { dcs: { member_slots_ttl: 0 } },
    provoke: lostSlot,
  },
  'not-ready': {
    about: 'a replica far behind that is shown as streaming',
    options: {},
    provoke: notReady,
  },
  'two-primaries': {
    about: "the leader's Patroni killed, its PostgreSQL left alone",
    options: {},
    provoke: twoPrimaries,
  },
} satisfies Record<string, Story>;

async function leaderOf(lab: Lab): Promise<string> {
  const leader = await lab.leader();
  if (leader === null) throw new Error(`${lab.scope} has no leader`);
  return leader;
}

/** The last member that does not lead and is in no /sync. */
async function asyncReplica(lab: Lab): Promise<string> {
  const leader = await leaderOf(lab);
  const sync = (await lab.dcsGet('sync')) ?? '';
  const others = lab.members.map(({ name }) => name).filter((name) => name !== leader);
  const found = others.findLast((name) => !sync.includes(`"sync_standby":"${name}"`));
  if (found === undefined) throw new Error(`${lab.scope} has no asynchronous replica`);
  return found;
}

/** Asks for what this Patroni refuses; nothing is changed by that. */
async function quorumSwitchover(lab: Lab): Promise<Provoked> {
  const leader = await leaderOf(lab);
  const candidate = lab.members.find(({ name }) => name !== leader)?.name;
  const body = { leader, candidate };
  const { status } = await lab.rest(leader, '/switchover', { method: 'POST', body });
  if (status !== 503) throw new Error(`the switchover was answered with ${status}, not with 503`);
  await lab.waitHealthy();
  return { member: leader, undo: () => Promise.resolve() };
}

/** What a demoted cluster leaves behind: a standby leader does not clean /sync up. */
async function staleSync(lab: Lab): Promise<Provoked> {
  const leader = await leaderOf(lab);
  const replica = await asyncReplica(lab);
  await lab.dcsPut('sync', JSON.stringify({ leader, sync_standby: replica }));
  const undo = async () => {
    await lab.dcsPut('sync', JSON.stringify({ leader: null, sync_standby: null }));
    await lab.waitHealthy();
  };
  return { member: replica, undo };
}

async function syncMismatch(lab: Lab): Promise<Provoked> {
  const leader = await leaderOf(lab);
  const replica = await asyncReplica(lab);
  const before = (await lab.dcsGet('sync')) ?? '{}';
  lab.freeze(leader);
  await lab.dcsPut('sync', JSON.stringify({ leader, sync_standby: replica, quorum: 0 }));
  const undo = async () => {
    await lab.dcsPut('sync', before);
    lab.thaw(leader);
    await lab.waitHealthy();
  };
  return { member: replica, undo };
}

async function syncOverridden(lab: Lab): Promise<Provoked> {
  const leader = await leaderOf(lab);
  await lab.psql(leader, "ALTER SYSTEM SET synchronous_standby_names = '*'");
  await lab.psql(leader, 'SELECT pg_reload_conf()');
  await eventually('/sync has lost its standbys', 30_000, async () =>
    /"sync_standby":\s*(null|"")/.test((await lab.dcsGet('sync')) ?? ''),
  );
  const undo = async () => {
    await lab.psql(leader, 'ALTER SYSTEM RESET synchronous_standby_names');
    await lab.psql(leader, 'SELECT pg_reload_conf()');
    await lab.waitHealthy();
  };
  return { member: leader, undo };
}

/** pg_recvlogical that neither flushes nor reports: it answers keepalives and confirms nothing. */
async function logicalBlocker(lab: Lab): Promise<Provoked> {
  const leader = await leaderOf(lab);
  const pgBin = findPgBin();
  if (pgBin === null) throw new Error('PostgreSQL is not installed');
  await lab.psql(leader, "SELECT pg_create_logical_replication_slot('outbox', 'test_decoding')");
  const where = ['-h', join(lab.root, 'run'), '-p', String(lab.member(leader).port)];
  const how = ['-U', 'postgres', '-d', 'postgres', '-S', 'outbox', '--start', '-f', '/dev/null'];
  const user: RunAs | null = unprivilegedUser();
  const client = spawn(join(pgBin, 'pg_recvlogical'), [...where, ...how, '-s', '0', '-F', '0'], {
    stdio: 'ignore',
    detached: true,
    cwd: join(lab.root, 'run'),
    env: cleanEnv(join(lab.root, 'run')),
    ...user,
  });
  client.unref();
  await eventually('the client is connected', 10_000, async () =>
    (
      await lab.psql(leader, "SELECT active FROM pg_replication_slots WHERE slot_name = 'outbox'")
    ).includes('t'),
  );
  await lab.psql(
    leader,
    'CREATE TABLE IF NOT EXISTS outbox AS SELECT generate_series(1, 1000) AS id',
  );
  await lab.psql(leader, 'INSERT INTO outbox SELECT generate_series(1, 1000)');
  const undo = async () => {
    client.kill('SIGKILL');
    await eventually('the slot can be dropped', 70_000, async () => {
      await lab.psql(leader, "SELECT pg_drop_replication_slot('outbox')");
      return true;
    });
    await lab.waitHealthy();
  };
  return { member: leader, undo };
}

const WAL_TURNS = 12;

async function lostSlot(lab: Lab): Promise<Provoked> {
  const leader = await leaderOf(lab);
  const replica = await asyncReplica(lab);
  await lab.stop(replica);
  await eventually('its slot is gone', 40_000, async () => {
    const slots = await lab.psql(leader, 'SELECT slot_name FROM pg_replication_slots');
    return !slots.split('\n').includes(replica);
  });
  await lab.psql(leader, 'CREATE TABLE IF NOT EXISTS filler (line text)');
  for (let turn = 0; turn < WAL_TURNS; turn++) {
    await lab.psql(leader, "INSERT INTO filler VALUES ('x'); SELECT pg_switch_wal();");
  }
  await lab.psql(leader, 'CHECKPOINT');
  await lab.psql(leader, 'CHECKPOINT');
  await lab.start(replica);
  await eventually('its slot is back', 30_000, async () => {
    const slots = await lab.psql(leader, 'SELECT slot_name FROM pg_replication_slots');
    return slots.split('\n').includes(replica);
  });
  const undo = async () => {
    await lab.rest(replica, '/reinitialize', { method: 'POST', body: { force: true } });
    await lab.waitHealthy();
  };
  return { member: replica, undo };
}

async function notReady(lab: Lab): Promise<Provoked> {
  const leader = await leaderOf(lab);
  const replica = await asyncReplica(lab);
  const pid = await lab.walreceiverPid(replica);
  if (pid === null) throw new Error(`${replica} does not stream`);
  lab.freezePid(pid);
  await lab.psql(
    leader,
    `CREATE TABLE IF NOT EXISTS load (line text);
     SET synchronous_commit = local;
     INSERT INTO load SELECT repeat('x', 1000) FROM generate_series(1, 20000);`,
  );
  const undo = async () => {
    lab.thawPid(pid);
    await lab.waitHealthy();
  };
  return { member: replica, undo };
}

async function twoPrimaries(lab: Lab): Promise<Provoked> {
  const leader = await leaderOf(lab);
  await lab.kill(leader);
  await eventually('another member leads, and the others follow', 60_000, async () => {
    const now = await lab.leader();
    if (now === null || now === leader) return false;
    const rows = await lab.psql(
      now,
      "SELECT state FROM pg_stat_replication WHERE state = 'streaming'",
    );
    return rows.split('\n').filter((row) => row !== '').length === lab.members.length - 2;
  });
  const undo = async () => {
    await lab.start(leader);
    await lab.waitHealthy();
  };
  return { member: leader, undo };
}

export async function provoke(lab: Lab, name: string): Promise<Provoked> {
  const story = Object.entries(STORIES).find(([story]) => story === name)?.[1];
  if (!story) throw new Error(`no story ${name}; there are: ${Object.keys(STORIES).join(', ')}`);
  return await story.provoke(lab);
}
