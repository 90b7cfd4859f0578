/** The kinds of trouble, each brought about on a live cluster, with what takes it away again. */
import { readFileSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { eventually } from '../eventually.js';
import { endProcess, startClient } from '../lab/clients.js';
import type { Dice } from './dice.js';
import type { Facts } from './facts.js';
import type { Gate } from './gate.js';
import type { Site } from './shapes.js';
import type { Truth } from './truths.js';

/** The roles when a fault begins. */
export interface Cast {
  site: Site;
  dice: Dice;
  leader: string;
  /** A replica, by chance. */
  replica: string;
  /** One that commits wait for where there is such a one, else a replica. */
  standby: string;
}

export interface Trouble {
  /** The member that it was done to; null: the whole cluster. */
  member: string | null;
  /** What cannot be seen by SQL, and has to be found anyway. */
  truths?: Truth[];
  /** Takes away what the general repair does not know of. */
  undo?: () => Promise<void>;
}

export interface Fault {
  kind: string;
  begin(cast: Cast): Promise<Trouble>;
  /** Default: everywhere. */
  fits?: (site: Site) => boolean;
  /** How long it lasts at least, ms; default 12 s. */
  holdMs?: number;
  /** The leader's host is lost: what `quorum` said of that is put to the proof. */
  losesLeader?: true;
}

/** ttl of the lab's clusters and what Patroni needs after it. */
const HOST_LOST_MS = 30_000;
const isSync = ({ shape }: Site): boolean => shape.options.sync !== 'off';
const leads = ({ shape }: Site): boolean => shape.isStandby !== true;
const hasRestGates = ({ restGates }: Site): boolean => restGates.size > 0;

/** A truth that only the fault's author knows. */
function truth(what: string, member: string | null, codes: string[], graceMs = 4_000): Truth {
  return { what, member, codes, graceMs };
}

// ---------------------------------------------------------------- processes

const killPatroni =
  (who: 'leader' | 'replica') =>
  async (cast: Cast): Promise<Trouble> => {
    await cast.site.lab.kill(cast[who]);
    return { member: cast[who] };
  };

const killPostgres =
  (who: 'leader' | 'replica') =>
  async (cast: Cast): Promise<Trouble> => {
    await cast.site.lab.kill(cast[who], { postgres: true });
    return { member: cast[who] };
  };

const freeze =
  (who: 'leader' | 'replica', postgres: boolean) =>
  (cast: Cast): Promise<Trouble> => {
    cast.site.lab.freeze(cast[who], { postgres });
    return Promise.resolve({ member: cast[who] });
  };

const loseHost =
  (who: 'leader' | 'replica') =>
  async ({ site: { lab }, ...cast }: Cast): Promise<Trouble> => {
    await lab.kill(cast[who]);
    await lab.kill(cast[who], { postgres: true });
    return { member: cast[who] };
  };

const freezeHost =
  (who: 'leader' | 'replica') =>
  ({ site: { lab }, ...cast }: Cast): Promise<Trouble> => {
    const postmaster = lab.postmasterPid(cast[who]);
    const backends = postmaster === null ? [] : childrenOf(postmaster);
    lab.freeze(cast[who]);
    lab.freeze(cast[who], { postgres: true });
    for (const pid of backends) lab.freezePid(pid);
    return Promise.resolve({ member: cast[who] });
  };

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
      } catch {
        return false;
      }
    });
}

async function freezeReceiver({ site: { lab }, leader, standby }: Cast): Promise<Trouble> {
  const pid = await lab.walreceiverPid(standby);
  if (pid === null) throw new Error(`${standby} does not stream`);
  lab.freezePid(pid);
  await burst(lab, leader, standby);
  return { member: standby };
}

async function freezeSender({ site: { lab }, leader, standby }: Cast): Promise<Trouble> {
  const sql = `SELECT pid FROM pg_stat_replication WHERE application_name = '${standby}'`;
  const pid = Number(await lab.psql(leader, sql));
  if (!(pid > 0)) throw new Error(`nothing streams to ${standby}`);
  lab.freezePid(pid);
  await burst(lab, leader, standby);
  return { member: standby };
}

/** Enough WAL that a member without replication is far behind; none if the leader is a standby itself. */
async function burst(lab: Site['lab'], leader: string, without: string): Promise<void> {
  if (lab.state.source !== null) return;
  await lab.psql(
    leader,
    `SET client_min_messages = error; SET synchronous_commit = local;
     CREATE TABLE IF NOT EXISTS burst (line text); TRUNCATE burst;
     INSERT INTO burst SELECT repeat('${without}', 300) FROM generate_series(1, 10000);`,
  );
}

async function stopMember({ site: { lab }, replica }: Cast): Promise<Trouble> {
  await lab.stop(replica);
  return { member: replica };
}

// ---------------------------------------------------------------- etcd

async function stopEtcd({ site: { lab } }: Cast): Promise<Trouble> {
  for (const { name } of lab.etcd) await lab.kill(name);
  return { member: null };
}

function freezeEtcd({ site: { lab } }: Cast): Promise<Trouble> {
  for (const { name } of lab.etcd) lab.freeze(name);
  return Promise.resolve({ member: null });
}

async function stopOneEtcd({ site: { lab } }: Cast): Promise<Trouble> {
  await lab.kill(lab.etcd[0]?.name ?? '');
  return { member: null };
}

const cutOff =
  (who: 'leader' | 'replica', state: 'refused' | 'swallowed') =>
  (cast: Cast): Promise<Trouble> => {
    gateOf(cast.site.etcdGates, cast[who]).set(state);
    return Promise.resolve({ member: cast[who] });
  };

function gateOf(gates: Map<string, Gate>, name: string): Gate {
  const gate = gates.get(name);
  if (gate === undefined) throw new Error(`there is no gate before ${name}`);
  return gate;
}

async function deleteLeaderKey({ site: { lab }, leader }: Cast): Promise<Trouble> {
  lab.freeze(leader);
  await lab.etcdctl('del', `/service/${lab.scope}/leader`);
  return { member: leader };
}

// ---------------------------------------------------------------- keys and configuration

const writeSync =
  (value: (cast: Cast) => string) =>
  async (cast: Cast): Promise<Trouble> => {
    const { lab } = cast.site;
    lab.freeze(cast.leader);
    await lab.dcsPut('sync', value(cast));
    return { member: cast.leader };
  };

/** The leader is frozen, so that no member carries the request out. */
async function leaveRequest({ site: { lab }, leader, replica }: Cast): Promise<Trouble> {
  lab.freeze(leader);
  await lab.dcsPut('failover', JSON.stringify({ leader, member: replica }));
  return { member: leader };
}

const writeConfig =
  (change: (config: Record<string, unknown>) => unknown, about: string, codes: string[]) =>
  async ({ site: { lab } }: Cast): Promise<Trouble> => {
    const config = JSON.parse((await lab.dcsGet('config')) ?? '{}') as Record<string, unknown>;
    const changed = change(config);
    await lab.dcsPut('config', typeof changed === 'string' ? changed : JSON.stringify(changed));
    return { member: null, truths: [truth(about, null, codes)] };
  };

export function isRestartPending({ members }: Facts): boolean {
  return [...members.values()].some((one) => (one?.pending ?? 0) > 0);
}

async function restartPending({ site: { lab } }: Cast): Promise<Trouble> {
  const config = JSON.parse((await lab.dcsGet('config')) ?? '{}') as {
    postgresql?: { parameters?: Record<string, unknown> };
  };
  Object.assign(config.postgresql?.parameters ?? {}, { max_worker_processes: 11 });
  await lab.dcsPut('config', JSON.stringify(config));
  const pending = truth('a restart is pending', null, ['pending_restart'], 9_000);
  // A restart that is asked for meanwhile ends it.
  return { member: null, truths: [{ ...pending, holds: isRestartPending }] };
}

/** Patroni reads its own file again on SIGHUP. */
async function forbidFailover({ site: { lab } }: Cast): Promise<Trouble> {
  const files = lab.members.map(({ name }) => lab.memberConfig(name));
  const before = files.map((file) => readFileSync(file, 'utf8'));
  const reload = (): void => {
    for (const { name } of lab.members) {
      const pid = lab.patroniPid(name);
      if (pid !== null) process.kill(pid, 'SIGHUP');
    }
  };
  files.forEach((file, at) =>
    writeFileSync(file, `${before[at] ?? ''}\ntags: {nofailover: true}\n`),
  );
  reload();
  const undo = (): Promise<void> => {
    files.forEach((file, at) => writeFileSync(file, before[at] ?? ''));
    reload();
    return Promise.resolve();
  };
  const codes = ['no_failover_candidate', 'quorum_lost', 'sync_empty'];
  await eventually('the tags are in the DCS', 15_000, async () =>
    ((await lab.dcsGet(`members/${lab.members[1]?.name ?? ''}`)) ?? '').includes('nofailover'),
  );
  return { member: null, undo, truths: [truth('no member may take over', null, codes, 6_000)] };
}

// ---------------------------------------------------------------- PostgreSQL

async function alterSyncNames({ site: { lab }, leader, dice }: Cast): Promise<Trouble> {
  const names = dice.pick(['*', 'nobody', 'ANY 1 (nobody, somebody)']);
  await lab.psql(leader, `ALTER SYSTEM SET synchronous_standby_names = '${names}'`);
  await lab.psql(leader, 'SELECT pg_reload_conf()');
  return { member: leader };
}

/** Patroni would make it again within a loop. */
async function dropSlot({ site: { lab }, leader, replica }: Cast): Promise<Trouble> {
  lab.freeze(leader);
  // Its walreceiver comes back within seconds: each attempt ends the session that came last.
  await eventually('the slot can be dropped', 10_000, async () => {
    await lab.psql(
      leader,
      `SELECT pg_terminate_backend(active_pid, 2000) FROM pg_replication_slots
       WHERE slot_name = '${replica}' AND active`,
    );
    await lab.psql(leader, `SELECT pg_drop_replication_slot('${replica}')`);
    return true;
  });
  return { member: replica };
}

/** Everything but what PostgreSQL keeps for superusers. */
async function fillConnections({ site: { lab }, ...cast }: Cast): Promise<Trouble> {
  const member = cast.dice.percent(50) ? cast.leader : cast.replica;
  const { port } = lab.member(member);
  const clients: pg.Client[] = [];
  for (let number = 0; number < 40; number += 1) {
    const user = 'patctl_monitor';
    const host = join(lab.root, 'run');
    const client = new pg.Client({ host, port, user, database: 'postgres' });
    client.on('error', () => undefined);
    try {
      await client.connect();
    } catch {
      break;
    }
    clients.push(client);
  }
  const undo = async (): Promise<void> => {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  };
  return { member, undo };
}

/** Patroni would resume it within a loop. */
async function pauseReplay({ site: { lab }, replica }: Cast): Promise<Trouble> {
  lab.freeze(replica);
  await lab.psql(replica, 'SELECT pg_wal_replay_pause()');
  const undo = async (): Promise<void> => {
    await lab.psql(replica, 'SELECT pg_wal_replay_resume()');
  };
  return { member: replica, undo };
}

/** It answers keepalives and confirms nothing: a demotion would wait for it. */
async function blockDemotion({ site: { lab }, leader }: Cast): Promise<Trouble> {
  await lab.psql(leader, "SELECT pg_create_logical_replication_slot('chaos', 'test_decoding')");
  const what = ['-d', 'postgres', '-S', 'chaos', '--start', '-f', '/dev/null'];
  const client = startClient(lab, leader, 'pg_recvlogical', [...what, '-s', '0', '-F', '0']);
  await burst(lab, leader, 'x');
  const undo = async (): Promise<void> => {
    await endProcess(client);
    for (const { name } of lab.members) {
      await lab
        .psql(
          name,
          `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
           WHERE slot_name = 'chaos' AND NOT active`,
        )
        .catch(() => undefined);
    }
  };
  return { member: leader, undo };
}

/** Another client under the name of a member. */
async function takeName({ site: { lab }, leader, replica }: Cast): Promise<Trouble> {
  const to = ['-d', `dbname=postgres application_name=${replica}`, '-D', join(lab.root, 'run')];
  const client = startClient(lab, leader, 'pg_receivewal', [...to, '--no-loop']);
  await eventually('two walsenders have one name', 10_000, async () => {
    const sql = `SELECT count(*) > 1 FROM pg_stat_replication WHERE application_name = '${replica}'`;
    return (await lab.psql(leader, sql)) === 't';
  });
  const undo = async (): Promise<void> => {
    await endProcess(client);
    for (const name of readdirSync(join(lab.root, 'run'))) {
      if (/^[0-9A-F]{24}(\.partial)?$/.test(name)) rmSync(join(lab.root, 'run', name));
    }
  };
  const codes = ['duplicate_application_name'];
  return { member: replica, undo, truths: [truth('two have one name', null, codes)] };
}

/** A replica that has lost its way to its primary. */
async function breakConninfo({ site: { lab }, replica }: Cast): Promise<Trouble> {
  lab.freeze(replica);
  await lab.psql(replica, "ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'");
  await lab.psql(replica, 'SELECT pg_reload_conf()');
  return { member: replica };
}

/** WAL is what is written there next. */
async function fillDisk({ site, leader }: Cast): Promise<Trouble> {
  const member = site.smallDisk ?? '';
  const folder = dirname(site.lab.member(member).dataDir);
  const filler = join(folder, 'filler');
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(filler, Buffer.alloc(bavail * bsize));
  for (const line of ['x', 'y']) await burst(site.lab, leader, line).catch(() => undefined);
  const undo = (): Promise<void> => {
    rmSync(filler, { force: true });
    return Promise.resolve();
  };
  return { member, undo };
}

// ---------------------------------------------------------------- a REST API that is not Patroni's

const PAGE = (status: string, body: string): string =>
  `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;

const REST_ANSWERS = [
  PAGE('500 Internal Server Error', '<html>oops</html>'),
  PAGE('503 Service Unavailable', '<html>no backend</html>'),
  PAGE('401 Unauthorized', 'no'),
  PAGE('200 OK', '[]'),
  PAGE('200 OK', '{"version":"8.1","status":"green"}'),
];

function answerForPatroni({ site, dice, ...cast }: Cast): Promise<Trouble> {
  const member = dice.percent(50) ? cast.leader : cast.replica;
  gateOf(site.restGates, member).set({ answers: dice.pick(REST_ANSWERS) });
  const truths = [truth(`${member}: its REST API is not Patroni's`, member, [])];
  return Promise.resolve({ member, truths });
}

function closeRest({ site, dice, ...cast }: Cast): Promise<Trouble> {
  const member = dice.percent(50) ? cast.leader : cast.replica;
  gateOf(site.restGates, member).set(dice.pick(['refused', 'swallowed'] as const));
  const truths = [truth(`${member}: its REST API cannot be reached`, member, [])];
  return Promise.resolve({ member, truths });
}

const CONFIG_CODES = [
  ...['dcs_unreadable', 'config_rejected', 'config_ignored', 'config_unknown_key', 'config_timing'],
];

export const FAULTS: readonly Fault[] = [
  { kind: 'Patroni of the leader killed', begin: killPatroni('leader'), holdMs: HOST_LOST_MS },
  { kind: 'Patroni of a replica killed', begin: killPatroni('replica'), holdMs: HOST_LOST_MS },
  { kind: 'PostgreSQL of the leader killed', begin: killPostgres('leader') },
  { kind: 'PostgreSQL of a replica killed', begin: killPostgres('replica') },
  { kind: 'Patroni of the leader frozen', begin: freeze('leader', false), holdMs: HOST_LOST_MS },
  { kind: 'Patroni of a replica frozen', begin: freeze('replica', false), holdMs: HOST_LOST_MS },
  { kind: 'postmaster of the leader frozen', begin: freeze('leader', true) },
  { kind: 'postmaster of a replica frozen', begin: freeze('replica', true) },
  {
    kind: 'host of the leader lost',
    begin: loseHost('leader'),
    holdMs: HOST_LOST_MS,
    losesLeader: true,
  },
  { kind: 'host of a replica lost', begin: loseHost('replica'), holdMs: HOST_LOST_MS },
  {
    kind: 'host of the leader frozen',
    begin: freezeHost('leader'),
    holdMs: HOST_LOST_MS,
    losesLeader: true,
  },
  { kind: 'host of a replica frozen', begin: freezeHost('replica'), holdMs: HOST_LOST_MS },
  { kind: 'walreceiver frozen', begin: freezeReceiver },
  { kind: 'walsender frozen', begin: freezeSender },
  { kind: 'replica stopped', begin: stopMember, holdMs: HOST_LOST_MS },
  { kind: 'etcd stopped', begin: stopEtcd },
  { kind: 'etcd frozen', begin: freezeEtcd },
  { kind: 'one etcd of three stopped', begin: stopOneEtcd, fits: ({ lab }) => lab.etcd.length > 1 },
  { kind: 'leader cut off from etcd', begin: cutOff('leader', 'refused') },
  { kind: 'leader gets no answer from etcd', begin: cutOff('leader', 'swallowed') },
  { kind: 'replica cut off from etcd', begin: cutOff('replica', 'refused'), holdMs: HOST_LOST_MS },
  { kind: 'replica gets no answer from etcd', begin: cutOff('replica', 'swallowed') },
  { kind: 'leader key deleted', begin: deleteLeaderKey },
  {
    kind: '/sync names another standby',
    begin: writeSync(({ leader, site }) => {
      const others = site.lab.members.map(({ name }) => name).filter((name) => name !== leader);
      return JSON.stringify({ leader, sync_standby: others.join(','), quorum: 0 });
    }),
    fits: isSync,
  },
  {
    kind: '/sync names another leader',
    begin: writeSync(({ leader, replica }) =>
      JSON.stringify({ leader: replica, sync_standby: leader, quorum: 0 }),
    ),
    fits: isSync,
  },
  { kind: '/sync unreadable', begin: writeSync(() => '{'), fits: isSync },
  { kind: '/failover left behind', begin: leaveRequest },
  {
    kind: '/config with ttl null',
    begin: writeConfig((config) => ({ ...config, ttl: null }), '/config: ttl null', CONFIG_CODES),
  },
  {
    kind: '/config with parameters a text',
    begin: writeConfig(
      (config) => ({ ...config, postgresql: { parameters: 'max_connections=10' } }),
      '/config: parameters a text',
      CONFIG_CODES,
    ),
  },
  {
    kind: '/config with an unknown key',
    begin: writeConfig(
      (config) => ({ ...config, use_slot: true }),
      '/config: use_slot',
      CONFIG_CODES,
    ),
  },
  { kind: 'restart pending', begin: restartPending },
  { kind: 'nofailover everywhere', begin: forbidFailover, fits: leads },
  { kind: 'synchronous_standby_names by ALTER SYSTEM', begin: alterSyncNames, fits: leads },
  { kind: 'slot dropped', begin: dropSlot },
  { kind: 'connections filled', begin: fillConnections },
  { kind: 'replay paused', begin: pauseReplay },
  { kind: 'logical client confirms nothing', begin: blockDemotion, fits: leads, holdMs: 40_000 },
  { kind: "walsender under a member's name", begin: takeName },
  { kind: 'replica without its primary', begin: breakConninfo },
  {
    kind: 'disk of a member full',
    begin: fillDisk,
    fits: ({ smallDisk }) => smallDisk !== null,
    holdMs: 24_000,
  },
  { kind: "REST answers that are not Patroni's", begin: answerForPatroni, fits: hasRestGates },
  { kind: 'REST that cannot be reached', begin: closeRest, fits: hasRestGates },
];
