/** Ends of a leader's term, made on purpose on a live cluster: each with what is true of it. */
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Gate } from '../chaos/gate.js';
import { eventually } from '../eventually.js';
import type { Lab } from '../lab/cluster.js';
import { runPatctl } from '../run.js';

export interface Site {
  lab: Lab;
  /** Before etcd, by member. */
  gates: Map<string, Gate>;
}

export interface Story {
  name: string;
  /** Codes of causes of which one is true; anything else than these, or a list that has one of them, is wrong. */
  truth: readonly string[];
  /** Of the dynamic configuration, for this story alone. */
  config?: object;
  /** Begins it, and returns when it is over; the leader before is given. */
  run(site: Site, leader: string): Promise<void>;
  /** Puts right what was broken. */
  repair?(site: Site, leader: string): Promise<void>;
}

const LIMIT_MS = 90_000;

async function anotherLeads({ lab }: Site, leader: string): Promise<void> {
  await eventually('another member leads and accepts writes', LIMIT_MS, async () => {
    const now = await lab.leader();
    if (now === null || now === leader) return false;
    return (await lab.psql(now, 'SELECT pg_is_in_recovery()')) === 'f';
  });
}

async function patctl({ lab }: Site, ...args: string[]): Promise<void> {
  const done = await runPatctl(['-c', lab.config, ...args], { timeoutMs: 120_000 });
  if (done.code !== 0) throw new Error(`patctl ${args.join(' ')}: ${done.code} ${done.err}`);
}

/** A member that does not lead. */
const another = ({ lab }: Site, leader: string): string =>
  lab.members.map(({ name }) => name).find((name) => name !== leader) ?? '';

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

async function relaunch({ lab }: Site, leader: string): Promise<void> {
  lab.thaw(leader);
  await lab.launch(leader);
}

function freezeNode({ lab }: Site, leader: string): void {
  const postmaster = lab.postmasterPid(leader);
  const backends = postmaster === null ? [] : childrenOf(postmaster);
  lab.freeze(leader);
  lab.freeze(leader, { postgres: true });
  for (const pid of backends) lab.freezePid(pid);
}

function thawNode({ lab }: Site, leader: string): Promise<void> {
  const postmaster = lab.postmasterPid(leader);
  for (const pid of postmaster === null ? [] : childrenOf(postmaster)) lab.thawPid(pid);
  lab.thaw(leader);
  return Promise.resolve();
}

/** PostgreSQL is frozen, and Patroni is not. */
function freezePostgres({ lab }: Site, leader: string): void {
  const postmaster = lab.postmasterPid(leader);
  const backends = postmaster === null ? [] : childrenOf(postmaster);
  lab.freeze(leader, { postgres: true });
  for (const pid of backends) lab.freezePid(pid);
}

function checkpointerOf({ lab }: Site, leader: string): number {
  const children = childrenOf(lab.postmasterPid(leader) ?? 0);
  const found = children.find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('checkpointer'),
  );
  if (found === undefined) throw new Error(`no checkpointer of ${leader}`);
  return found;
}

const SMALL_MEMORY = '/sys/fs/cgroup/memory/patctl-stories';

/** Moves PostgreSQL into a memory cgroup that is nearly full, so that the kernel ends a process of it. */
function boxed({ lab }: Site, leader: string, moreBytes: number): number {
  const postmaster = lab.postmasterPid(leader) ?? 0;
  mkdirSync(SMALL_MEMORY, { recursive: true });
  writeFileSync(`${SMALL_MEMORY}/memory.limit_in_bytes`, String(moreBytes));
  for (const pid of [postmaster, ...childrenOf(postmaster)]) {
    writeFileSync(`${SMALL_MEMORY}/cgroup.procs`, String(pid));
  }
  return postmaster;
}

async function unbox(): Promise<void> {
  await eventually('nothing is left in the small memory', 10_000, () => {
    for (const pid of readFileSync(`${SMALL_MEMORY}/cgroup.procs`, 'utf8').split('\n')) {
      if (pid !== '') writeFileSync('/sys/fs/cgroup/memory/cgroup.procs', pid);
    }
    rmdirSync(SMALL_MEMORY);
    return true;
  });
}

/** A query that needs more memory than there is. */
const GREEDY = `SET work_mem = '2GB'; SELECT length(string_agg(repeat('x', 1000000), '')) FROM generate_series(1, 900)`;
const SMALL_MEMORY_BYTES = 200 * 1024 * 1024;

const fillerOf = ({ lab }: Site, name: string): string =>
  join(dirname(lab.member(name).dataDir), 'filler');

export const STORIES: readonly Story[] = [
  {
    name: 'switchover',
    truth: ['switchover'],
    run: async (site, leader) => {
      await patctl(site, 'switchover', '--candidate', another(site, leader), '--yes');
    },
  },
  {
    name: 'failover-by-hand',
    truth: ['manual_failover'],
    run: async (site, leader) => {
      await patctl(site, 'failover', '--candidate', another(site, leader), '--yes');
    },
  },
  {
    name: 'patroni-stopped',
    truth: ['patroni_stopped'],
    run: async (site, leader) => {
      await site.lab.stop(leader);
      await anotherLeads(site, leader);
    },
    repair: relaunch,
  },
  {
    name: 'patroni-killed',
    truth: ['patroni_killed'],
    run: async (site, leader) => {
      await site.lab.kill(leader);
      await anotherLeads(site, leader);
    },
    repair: relaunch,
  },
  {
    name: 'node-lost',
    truth: ['node_lost'],
    run: async (site, leader) => {
      await site.lab.kill(leader);
      await site.lab.kill(leader, { postgres: true });
      await anotherLeads(site, leader);
    },
    repair: relaunch,
  },
  {
    name: 'patroni-frozen',
    truth: ['patroni_frozen'],
    run: async (site, leader) => {
      site.lab.freeze(leader);
      await anotherLeads(site, leader);
    },
    repair: relaunch,
  },
  {
    name: 'node-frozen',
    truth: ['node_frozen', 'patroni_frozen'],
    run: async (site, leader) => {
      freezeNode(site, leader);
      await anotherLeads(site, leader);
    },
    repair: thawNode,
  },
  {
    name: 'etcd-frozen',
    truth: ['dcs_unreachable'],
    run: async (site) => {
      site.lab.freeze('etcd1');
      await sleep(45_000);
      site.lab.thaw('etcd1');
      await site.lab.waitHealthy(LIMIT_MS);
    },
  },
  {
    name: 'etcd-frozen-failsafe',
    truth: ['failsafe', 'dcs_unreachable'],
    config: { failsafe_mode: true },
    run: async (site) => {
      await sleep(5_000);
      site.lab.freeze('etcd1');
      await sleep(45_000);
      site.lab.thaw('etcd1');
      await site.lab.waitHealthy(LIMIT_MS);
    },
  },
  {
    name: 'postgres-killed',
    truth: ['postgres_crashed'],
    run: async (site, leader) => {
      await site.lab.kill(leader, { postgres: true });
      await sleep(2_000);
      await site.lab.waitHealthy(LIMIT_MS);
    },
  },
  {
    name: 'postgres-killed-failover',
    truth: ['postgres_crashed'],
    config: { primary_start_timeout: 0 },
    run: async (site, leader) => {
      await site.lab.kill(leader, { postgres: true });
      await anotherLeads(site, leader);
    },
  },
  {
    name: 'cut-off',
    truth: ['leader_cut_off'],
    run: async (site, leader) => {
      site.gates.get(leader)?.set('refused');
      await anotherLeads(site, leader);
    },
    repair: (site, leader) => Promise.resolve(site.gates.get(leader)?.set('open')),
  },
  {
    name: 'cut-off-silent',
    truth: ['leader_cut_off'],
    run: async (site, leader) => {
      site.gates.get(leader)?.set('swallowed');
      await anotherLeads(site, leader);
    },
    repair: (site, leader) => Promise.resolve(site.gates.get(leader)?.set('open')),
  },
  {
    name: 'key-deleted',
    truth: ['key_deleted'],
    run: async (site, leader) => {
      site.lab.freeze(leader);
      await site.lab.etcdctl('del', `/service/${site.lab.scope}/leader`);
      await anotherLeads(site, leader);
    },
    repair: relaunch,
  },
  {
    name: 'disk-full',
    truth: ['disk_full'],
    run: async (site, leader) => {
      const folder = dirname(site.lab.member(leader).dataDir);
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(fillerOf(site, leader), Buffer.alloc(bavail * bsize));
      // Only a new WAL segment that finds no room ends PostgreSQL; a table that cannot grow is an error of its client.
      const fill = `SELECT pg_logical_emit_message(true, 'x', repeat('x', 1000000)), pg_switch_wal()`;
      for (let turn = 0; turn < 60 && (await site.lab.leader()) === leader; turn += 1) {
        const done = await site.lab.psql(leader, fill).catch(() => null);
        if (done === null) break;
      }
      await anotherLeads(site, leader);
    },
    repair: (site, leader) => {
      rmSync(fillerOf(site, leader), { force: true });
      return Promise.resolve();
    },
  },
  {
    // The shutdown checkpoint takes longer than ttl.
    name: 'shutdown-stuck',
    truth: ['shutdown_too_slow'],
    run: async (site, leader) => {
      const checkpointer = checkpointerOf(site, leader);
      site.lab.freezePid(checkpointer);
      process.kill(site.lab.patroniPid(leader) ?? 0, 'SIGTERM');
      await anotherLeads(site, leader);
      site.lab.thawPid(checkpointer);
      await site.lab.stop(leader);
    },
    repair: relaunch,
  },
  {
    name: 'switchover-stuck',
    truth: ['switchover'],
    run: async (site, leader) => {
      const checkpointer = checkpointerOf(site, leader);
      site.lab.freezePid(checkpointer);
      const asked = site.lab.rest(leader, '/switchover', {
        method: 'POST',
        body: { leader },
        timeoutMs: 60_000,
      });
      await sleep(15_000);
      site.lab.thawPid(checkpointer);
      await asked.catch(() => undefined);
      await anotherLeads(site, leader);
    },
  },
  {
    name: 'postgres-hung',
    truth: ['postgres_hung'],
    run: async (site, leader) => {
      freezePostgres(site, leader);
      await anotherLeads(site, leader);
    },
    repair: thawNode,
  },
  {
    // The kernel ends a backend; PostgreSQL starts itself again.
    name: 'oom-backend',
    truth: ['out_of_memory', 'postgres_crashed'],
    run: async (site, leader) => {
      boxed(site, leader, SMALL_MEMORY_BYTES);
      await site.lab.psql(leader, GREEDY).catch(() => undefined);
      await unbox();
      await sleep(2_000);
      await site.lab.waitHealthy(LIMIT_MS);
    },
  },
  {
    // The kernel ends the postmaster.
    name: 'oom-postmaster',
    truth: ['out_of_memory', 'postgres_crashed'],
    config: { primary_start_timeout: 0 },
    run: async (site, leader) => {
      const postmaster = boxed(site, leader, SMALL_MEMORY_BYTES);
      writeFileSync(`/proc/${postmaster}/oom_score_adj`, '1000');
      const greedy = site.lab.psql(leader, `SELECT pg_sleep(5); ${GREEDY}`).catch(() => undefined);
      const isSleeping = (pid: number): boolean =>
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('[local] SELECT');
      await eventually('the query runs', 10_000, () => childrenOf(postmaster).some(isSleeping));
      for (const pid of childrenOf(postmaster)) {
        writeFileSync(`/proc/${pid}/oom_score_adj`, '0');
      }
      await greedy;
      await unbox();
      await anotherLeads(site, leader);
    },
  },
  {
    name: 'watchdog-required',
    truth: ['watchdog'],
    run: async (site, leader) => {
      const file = site.lab.memberConfig(leader);
      const before = readFileSync(file, 'utf8');
      appendFileSync(file, '\nwatchdog: {mode: required, device: /dev/none}\n');
      process.kill(site.lab.patroniPid(leader) ?? 0, 'SIGHUP');
      await anotherLeads(site, leader);
      writeFileSync(file, before);
      process.kill(site.lab.patroniPid(leader) ?? 0, 'SIGHUP');
    },
  },
];
