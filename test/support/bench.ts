/**
 * `npm run bench`: what a run of patctl costs, beside bare node and the real patronictl, on one live
 * cluster. Rounds are interleaved, so that a busy moment of the machine hits every row alike.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openEtcd } from '../../src/dcs/etcd3/open-etcd.js';
import { startCluster, type Lab } from './lab/cluster.js';
import { ownerOf } from './lab/lock.js';
import { cleanEnv } from './lab/process.js';

const ROUNDS = Number(process.argv[2] ?? 15);
const FLEET_CLUSTERS = 1000;
const PATCTL = fileURLToPath(new URL('../../bin/patctl.cjs', import.meta.url));

/** Runs one command and prints wall s, CPU s, peak KiB and exit code of it alone. */
const METER = `
import json, os, sys, time
null = os.open(os.devnull, os.O_RDWR)
t = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ,
                      file_actions=[(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)])
_, status, usage = os.wait4(pid, 0)
wall = time.perf_counter() - t
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps([wall, cpu, usage.ru_maxrss, os.waitstatus_to_exitcode(status)]))
`;

interface Case {
  name: string;
  command: string[];
}

interface Cost {
  wallMs: number;
  cpuMs: number;
  peakMb: number;
}

function measure({ name, command }: Case, env: Record<string, string>): Cost {
  const said = execFileSync('python3', ['-c', METER, ...command], { env, encoding: 'utf8' });
  const [wall = 0, cpu = 0, peak = 0, code = -1] = JSON.parse(said) as number[];
  if (code !== 0) throw new Error(`${name} ended with ${code}`);
  return { wallMs: wall * 1000, cpuMs: cpu * 1000, peakMb: peak / 1024 };
}

function median(numbers: number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function series(cases: Case[], rounds: number, env: Record<string, string>): Map<string, Cost> {
  const costs = new Map<string, Cost[]>(cases.map(({ name }) => [name, []]));
  // The first round fills caches (the code cache, the page cache) and is not counted.
  for (let round = 0; round <= rounds; round += 1) {
    for (const one of cases) {
      const cost = measure(one, env);
      if (round > 0) costs.get(one.name)?.push(cost);
    }
  }
  const medians = [...costs].map(([name, list]): [string, Cost] => [
    name,
    {
      wallMs: median(list.map(({ wallMs }) => wallMs)),
      cpuMs: median(list.map(({ cpuMs }) => cpuMs)),
      peakMb: Math.max(...list.map(({ peakMb }) => peakMb)),
    },
  ]);
  return new Map(medians);
}

function table(title: string, costs: Map<string, Cost>, bases: string[]): void {
  console.log(`\n${title}`);
  const heads = ['', 'wall ms', 'CPU ms', 'peak MB', ...bases.map((base) => `x ${base}`)];
  console.log(heads.map((head, at) => (at === 0 ? head.padEnd(34) : head.padStart(16))).join(''));
  for (const [name, cost] of costs) {
    const ratios = bases.map((base) => (cost.wallMs / (costs.get(base)?.wallMs ?? NaN)).toFixed(2));
    const cells = [cost.wallMs, cost.cpuMs, cost.peakMb].map((value) => value.toFixed(1));
    console.log(name.padEnd(34) + [...cells, ...ratios].map((cell) => cell.padStart(16)).join(''));
  }
}

/** 1000 clusters of 6 keys below a namespace of their own. */
async function writeFleet({ etcd }: Lab): Promise<void> {
  const dcs = openEtcd({
    endpoints: etcd.map(({ host, port }) => ({ protocol: 'http', host, port })),
    username: null,
    password: null,
    ca: null,
    cert: null,
    key: null,
    keyPassword: null,
    timeoutMs: 5000,
  });
  const member = JSON.stringify({
    conn_url: 'postgres://10.0.0.1:5432/postgres',
    api_url: 'http://10.0.0.1:8008/patroni',
    state: 'running',
    role: 'replica',
    version: '4.1.4',
    timeline: 1,
    receive_lsn: 83886216,
    replay_lsn: 83886216,
  });
  for (let at = 0; at < FLEET_CLUSTERS; at += 1) {
    const base = `/fleet/c${String(at).padStart(4, '0')}`;
    const keys = {
      initialize: '7710410091562263061',
      leader: 'pg1',
      config: '{"ttl":20,"loop_wait":2,"retry_timeout":3}',
      status: '{"optime":83886216}',
      'members/pg1': member,
      'members/pg2': member,
    };
    const puts = Object.entries(keys).map(([key, value]) => ({
      op: 'put' as const,
      key: `${base}/${key}`,
      value,
    }));
    await dcs.txn([], puts);
  }
  await dcs.close();
}

async function main(): Promise<void> {
  const lab = await startCluster(
    { scope: `bench-${process.pid}`, sync: 'on' },
    { owner: ownerOf(process.pid), progress: (line) => console.error(`lab: ${line}`) },
  );
  // A home for the code cache, which is part of what is measured.
  const home = mkdtempSync(join(tmpdir(), 'patctl-bench-'));
  try {
    const env = cleanEnv(home);
    const node = process.execPath;
    const patctl = (...args: string[]) => [node, PATCTL, '-c', lab.config, ...args];
    const etcd = lab.etcd[0];
    if (!etcd) throw new Error('the lab has no etcd');
    const cases: Case[] = [
      { name: 'node -e 0', command: [node, '-e', '0'] },
      { name: 'patctl --help', command: [node, PATCTL, '--help'] },
      { name: 'list --verify off', command: patctl('list', '--verify', 'off') },
      { name: 'list --verify rest', command: patctl('list', '--verify', 'rest') },
      { name: 'list --verify sql', command: patctl('list', '--verify', 'sql') },
      { name: 'list (both witnesses)', command: patctl('list') },
      { name: 'patronictl list', command: [lab.patronictl, '-c', lab.config, 'list'] },
    ];
    table(`three members, ${ROUNDS} rounds`, series(cases, ROUNDS, env), [
      'node -e 0',
      'patronictl list',
    ]);

    await writeFleet(lab);
    const fleet: Case[] = [
      { name: 'node -e 0', command: [node, '-e', '0'] },
      {
        name: 'etcdctl get --prefix',
        command: ['etcdctl', '--endpoints', etcd.url, 'get', '--prefix', '/fleet/'],
      },
      {
        name: 'list --all -f json --verify off',
        command: [
          ...[node, PATCTL, '-d', `etcd3://${etcd.host}:${etcd.port}/fleet`],
          ...['list', '--all', '-f', 'json', '--verify', 'off'],
        ],
      },
    ];
    table(
      `${FLEET_CLUSTERS} clusters of 6 keys`,
      series(fleet, ROUNDS, { ...env, ETCDCTL_API: '3' }),
      ['node -e 0', 'etcdctl get --prefix'],
    );

    lab.freeze('pg3');
    const frozen: Case[] = [
      { name: 'list --verify rest', command: patctl('list', '--verify', 'rest') },
    ];
    table('one member of three frozen, deadline 3 s', series(frozen, 3, env), []);
    lab.thaw('pg3');
  } finally {
    await lab.down();
    rmSync(home, { recursive: true, force: true });
  }
}

await main();
