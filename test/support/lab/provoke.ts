/** The troubles that `check` was made for, each brought about on a live cluster and taken away again. */
import type { ChildProcess } from 'node:child_process';
import { eventually } from '../eventually.js';
import { endProcess, startBeside, startClient } from './clients.js';
import type { Lab } from './cluster.js';
import type { ClusterOptions } from './state.js';

export interface Provoked {
  /** The member that it is about. */
  member: string;
  /** Takes the trouble away again. */
  undo: () => Promise<void>;
  /** What takes it away manually, for people; null: nothing has to be. */
  undoBy: string | null;
}

export interface Story {
  /** What happens, in one line. */
  about: string;
  /** What a cluster needs for it. */
  options: Partial<Omit<ClusterOptions, 'scope'>>;
  /** What shows it, besides `patctl check`; MEMBER and URL stand for the one that it is about. */
  look: readonly string[];
  /** Brings the trouble about. */
  provoke(lab: Lab): Promise<Provoked>;
}

/** The cluster that the standby cluster of stale-sync follows; it has to be there. */
const STALE_SYNC_SOURCE = 'stale-source';

export const STORIES = {
  'sync-mismatch': {
    about: '/sync claims a standby that PostgreSQL calls async, the leader being frozen',
    options: { sync: 'on' },
    look: ['patronictl list', 'patctl list', 'patctl check --explain sync_role_mismatch'],
    provoke: syncMismatch,
  },
  'walsender-killed': {
    about:
      "the synchronous standby's walsender is ended and does not come back, the leader being frozen",
    options: { sync: 'on' },
    look: ['patronictl list', 'patctl list', 'patctl check --explain sync_role_mismatch'],
    provoke: walsenderKilled,
  },
  'sync-overridden': {
    about: "ALTER SYSTEM SET synchronous_standby_names = '*' under synchronous_mode",
    options: { sync: 'on' },
    look: ['patronictl list', 'patctl status', 'patctl check --explain sync_names_overridden'],
    provoke: syncOverridden,
  },
  'quorum-switchover': {
    about: 'Patroni 4.0.5 in quorum mode refuses a switchover to a named candidate',
    options: { sync: 'quorum', patroni: '4.0.5' },
    look: [
      'patctl switchover --candidate MEMBER --dry-run',
      'patronictl switchover --candidate MEMBER --force',
    ],
    provoke: quorumSwitchover,
  },
  'stale-sync': {
    about: 'a /sync left in a standby cluster: patronictl 3.2.2 calls its replica a Sync Standby',
    options: { sync: 'on', members: 2, patroni: '3.2.2', standbyOf: STALE_SYNC_SOURCE },
    look: ['patronictl list', 'patctl list', 'patctl check --explain sync_role_mismatch'],
    provoke: staleSync,
  },
  'logical-blocker': {
    about: 'a logical client that never confirms would hold a demotion for ever',
    options: { parameters: { wal_level: 'logical' } },
    look: ['patctl switchover --dry-run', 'patctl check --explain logical_walsender_stuck'],
    provoke: logicalBlocker,
  },
  'lost-slot': {
    about: 'a replica whose slot and WAL are gone cannot return, and the list is calm',
    options: { dcs: { member_slots_ttl: 0 } },
    look: ['patronictl list', 'patctl list', 'patctl check --explain slot_lost'],
    provoke: lostSlot,
  },
  'not-ready': {
    about: 'a replica restored from a base backup under write load, catching up over a slow line',
    options: {},
    look: [
      'curl -so /dev/null -w "%{http_code}\\n" "URL/replica"',
      'curl -so /dev/null -w "%{http_code}\\n" "URL/replica?lag=0MB"',
      'curl -so /dev/null -w "%{http_code}\\n" "URL/readiness"',
      'patctl ready MEMBER --max-lag 1MiB',
      'patctl wait --for caught-up=MEMBER --max-lag 1MiB',
    ],
    provoke: notReady,
  },
  'frozen-receiver': {
    about: 'a replica that receives nothing any more and is shown as streaming',
    options: {},
    look: ['patronictl list', 'patctl list', 'patctl ready MEMBER --max-lag 1MiB'],
    provoke: frozenReceiver,
  },
  'two-primaries': {
    about: "the leader's Patroni killed, its PostgreSQL left alone",
    options: {},
    look: [
      'patronictl list',
      'patctl list',
      'patctl leader',
      'patctl check --explain two_primaries',
    ],
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
  return { member: candidate ?? '', undo: () => Promise.resolve(), undoBy: null };
}

/** What a demoted cluster leaves behind: a standby leader does not clean /sync up. */
async function staleSync(lab: Lab): Promise<Provoked> {
  const leader = await leaderOf(lab);
  const replica = lab.members.find(({ name }) => name !== leader)?.name ?? '';
  await lab.dcsPut('sync', JSON.stringify({ leader, sync_standby: replica }));
  const undo = async () => {
    await lab.dcsPut('sync', JSON.stringify({ leader: null, sync_standby: null }));
    await lab.waitHealthy();
  };
  const url = lab.etcd[0]?.url ?? '';
  const undoBy = `ETCDCTL_API=3 etcdctl --endpoints ${url} del /service/${lab.scope}/sync`;
  return { member: replica, undo, undoBy };
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
  return { member: replica, undo, undoBy: `lab thaw ${leader}` };
}

/** The frozen receiver does not request WAL again, and Patroni does not take it out of /sync. */
async function walsenderKilled(lab: Lab): Promise<Provoked> {
  const leader = await leaderOf(lab);
  const { sync_standby: standby = '' } = JSON.parse((await lab.dcsGet('sync')) ?? '{}') as {
    sync_standby?: string;
  };
  const pid = await lab.walreceiverPid(standby);
  if (pid === null) throw new Error(`${standby} does not stream`);
  const undo = async () => {
    lab.thawPid(pid);
    lab.thaw(leader);
    await lab.waitHealthy();
  };
  lab.freeze(leader);
  lab.freezePid(pid);
  const mine = `FROM pg_stat_replication WHERE application_name = '${standby}'`;
  await lab.psql(leader, `SELECT pg_terminate_backend(pid) ${mine}`);
  await eventually('the walsender is gone', 10_000, async () =>
    /^0$/m.test(await lab.psql(leader, `SELECT count(*) ${mine}`)),
  );
  return { member: standby, undo, undoBy: `kill -CONT ${pid}; lab thaw ${leader}` };
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
  const reset = 'ALTER SYSTEM RESET synchronous_standby_names';
  const undoBy = `lab psql ${leader} -c '${reset}' && lab psql ${leader} -c 'SELECT pg_reload_conf()'`;
  return { member: leader, undo, undoBy };
}

/** pg_recvlogical that neither flushes nor reports: it answers keepalives and confirms nothing. */
async function logicalBlocker(lab: Lab): Promise<Provoked> {
  const leader = await leaderOf(lab);
  await lab.psql(leader, "SELECT pg_create_logical_replication_slot('outbox', 'test_decoding')");
  const how = [
    '-d',
    'postgres',
    '-S',
    'outbox',
    '--start',
    '-f',
    '/dev/null',
    '-s',
    '0',
    '-F',
    '0',
  ];
  const client = startClient(lab, leader, 'pg_recvlogical', how);
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
    await endProcess(client);
    await eventually('the slot can be dropped', 70_000, async () => {
      await lab.psql(leader, "SELECT pg_drop_replication_slot('outbox')");
      return true;
    });
    await lab.waitHealthy();
  };
  const end = `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active_pid IS NOT NULL AND slot_type = $$logical$$`;
  return {
    member: leader,
    undo,
    undoBy: `kill ${client.pid ?? ''}   # or: lab psql ${leader} -c '${end}'`,
  };
}

const WAL_TURNS = 12;

async function lostSlot(lab: Lab): Promise<Provoked> {
  const leader = await leaderOf(lab);
  const replica = await asyncReplica(lab);
  await lab.stop(replica);
  const stoppedAt = await lab.psql(leader, 'SELECT pg_current_wal_lsn()');
  // A stopped member keeps its key, and its slot, until ttl.
  await eventually('its slot is gone', 120_000, async () => {
    const slots = await lab.psql(leader, 'SELECT slot_name FROM pg_replication_slots');
    return !slots.split('\n').includes(replica);
  });
  await lab.psql(leader, 'CREATE TABLE IF NOT EXISTS filler (line text)');
  for (let turn = 0; turn < WAL_TURNS; turn++) {
    await lab.psql(leader, "INSERT INTO filler VALUES ('x'); SELECT pg_switch_wal();");
  }
  // The slots of the other standbys keep WAL as well, for as long as those are behind.
  await eventually('the WAL that it needs is gone', 60_000, async () => {
    await lab.psql(leader, 'CHECKPOINT');
    const oldest = "SELECT min(substr(name, 9)) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'";
    const needed = `substr(pg_walfile_name('${stoppedAt}'), 9)`;
    return (await lab.psql(leader, `SELECT (${oldest}) > ${needed}`)) === 't';
  });
  await lab.start(replica);
  await eventually('its slot is back', 30_000, async () => {
    const slots = await lab.psql(leader, 'SELECT slot_name FROM pg_replication_slots');
    return slots.split('\n').includes(replica);
  });
  const undo = async () => {
    await lab.rest(replica, '/reinitialize', { method: 'POST', body: { force: true } });
    await lab.waitHealthy();
  };
  return { member: replica, undo, undoBy: `patctl reinit ${lab.scope} ${replica} --force --wait` };
}

/** Made for each turn of the load; about 1 MB of WAL a second. */
const LOAD_ROWS = 50;
const LOAD_MS = 50;
const LOAD_NAME = 'lab-load';
/** A forgotten load ends after ten minutes, and never fills the disk. */
const LOAD_TURNS = 12_000;
/** Written while the restored replica receives nothing: this is what it has to catch up with. */
const BACKLOG_ROWS = 60_000;

/** Small local transactions without end: no standby holds them up. */
function startLoad(lab: Lab, leader: string): void {
  const load = `DO $$ BEGIN FOR turn IN 1..${LOAD_TURNS} LOOP
      INSERT INTO load SELECT repeat('x', 1000) FROM generate_series(1, ${LOAD_ROWS});
      IF turn % 200 = 0 THEN TRUNCATE load; END IF;
      COMMIT; PERFORM pg_sleep(${LOAD_MS / 1000});
    END LOOP; END $$`;
  const to = ['-d', `dbname=postgres application_name=${LOAD_NAME}`];
  const args = ['-Xqc', 'SET synchronous_commit = local', '-c', load];
  startClient(lab, leader, 'psql', [...to, ...args]);
}

/** Its backend would go on without its client. */
async function endLoadOn(lab: Lab, leader: string): Promise<void> {
  const mine = `FROM pg_stat_activity WHERE application_name = '${LOAD_NAME}'`;
  await eventually('the load has ended', 20_000, async () => {
    await lab.psql(leader, `SELECT pg_terminate_backend(pid) ${mine}`);
    return (await lab.psql(leader, `SELECT count(*) ${mine}`)) === '0';
  });
}

async function writeBurst(lab: Lab, leader: string, rows: number): Promise<void> {
  await lab.psql(
    leader,
    `SET client_min_messages = error; SET synchronous_commit = local;
     CREATE TABLE IF NOT EXISTS load (line text);
     INSERT INTO load SELECT repeat('x', 1000) FROM generate_series(1, ${rows});`,
  );
}

/** Lets a process run for 10 ms in every second: a slow line. Ends with that process. */
function throttle(lab: Lab, pid: number): ChildProcess {
  const turns = `while kill -CONT ${pid}; do sleep 0.01; kill -STOP ${pid}; sleep 1; done`;
  return startBeside(lab, '/bin/sh', ['-c', turns]);
}

/** The walreceiver of a PostgreSQL that was not there before, frozen as soon as it streams. */
async function freezeNewReceiver(lab: Lab, member: string, before: number | null): Promise<number> {
  return await eventually(
    `${member} streams from its new data`,
    60_000,
    async () => {
      if (lab.postmasterPid(member) === before) return null;
      // Once a message has come it streams; before, it may still be on its way to ask for WAL.
      const receiver = 'SELECT pid FROM pg_stat_wal_receiver WHERE latest_end_lsn IS NOT NULL';
      const pid = Number(await lab.psql(member, receiver));
      if (pid > 0) lab.freezePid(pid);
      return pid;
    },
    20,
  );
}

export interface NotReady extends Provoked {
  /** Lets the rest come over a slow line; nothing comes before. */
  flow: () => void;
  /** Ends the writing, so that the leader's position does not move. */
  endLoad: () => Promise<void>;
  /** Ends the slow line: everything comes at once. */
  release: () => Promise<void>;
}

async function notReady(lab: Lab): Promise<Provoked> {
  const story = await restoreUnderLoad(lab);
  story.flow();
  return story;
}

/** A new base backup under write load; the replica must still receive 60 MB. */
export async function restoreUnderLoad(lab: Lab): Promise<NotReady> {
  const leader = await leaderOf(lab);
  const member = await asyncReplica(lab);
  await writeBurst(lab, leader, LOAD_ROWS);
  startLoad(lab, leader);
  const before = lab.postmasterPid(member);
  const asked = await lab.rest(member, '/reinitialize', { method: 'POST', body: { force: true } });
  if (asked.status !== 200) throw new Error(`reinitialize was answered with ${asked.status}`);
  const pid = await freezeNewReceiver(lab, member, before);
  await writeBurst(lab, leader, BACKLOG_ROWS);
  let line: ChildProcess | null = null;
  const flow = () => {
    line = throttle(lab, pid);
  };
  const endLoad = () => endLoadOn(lab, leader);
  const release = async () => {
    if (line !== null) await endProcess(line);
    lab.thawPid(pid);
  };
  const undo = async () => {
    await endLoad();
    await release();
    await lab.psql(leader, 'SET synchronous_commit = local; DROP TABLE IF EXISTS load');
    await lab.waitHealthy();
  };
  const undoBy = `lab psql ${leader} -c 'DROP TABLE load'   # ends the load; the rest comes by itself in a minute`;
  return { member, undo, undoBy, flow, endLoad, release };
}

const FROZEN_ROWS = 5_000;

async function frozenReceiver(lab: Lab): Promise<Provoked> {
  const leader = await leaderOf(lab);
  const replica = await asyncReplica(lab);
  const pid = await lab.walreceiverPid(replica);
  if (pid === null) throw new Error(`${replica} does not stream`);
  lab.freezePid(pid);
  await writeBurst(lab, leader, FROZEN_ROWS);
  const undo = async () => {
    lab.thawPid(pid);
    await lab.waitHealthy();
  };
  return { member: replica, undo, undoBy: `kill -CONT ${pid}` };
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
  return { member: leader, undo, undoBy: `lab start ${leader}` };
}

export type StoryName = keyof typeof STORIES;

export function storyNames(): StoryName[] {
  return Object.keys(STORIES) as StoryName[];
}

export async function provoke(lab: Lab, name: StoryName): Promise<Provoked> {
  return await STORIES[name].provoke(lab);
}

/** What a person types next, as lines: how to see it, how to undo it, how to end all of it. */
export function whatToDo(
  lab: Pick<Lab, 'config' | 'patronictl' | 'scope' | 'member'>,
  name: StoryName,
  { member, undoBy }: Pick<Provoked, 'member' | 'undoBy'>,
  toEnd: string,
): string[] {
  const typed = (line: string): string =>
    line
      .replaceAll('MEMBER', member)
      .replaceAll('URL', lab.member(member).restUrl)
      .replaceAll(/^patctl /g, `bin/patctl.cjs -c ${lab.config} `)
      .replaceAll(/^patronictl /g, `${lab.patronictl} -c ${lab.config} `)
      .replaceAll(/\blab (?=psql|thaw|start)/g, `npm run -s lab -- --scope ${lab.scope} `);
  return [
    `it is about ${member}; look with:`,
    ...['patctl check', ...STORIES[name].look].map((line) => `  ${typed(line)}`),
    'take the trouble away with:',
    `  ${undoBy === null ? 'nothing: no harm was done' : typed(undoBy)}`,
    'end with:',
    `  npm run -s lab -- down --scope ${toEnd}`,
  ];
}
