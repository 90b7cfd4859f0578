/**
 * `npm run bench`: what a run of patctl costs, beside bare node and the real patronictl, on one live
 * cluster. Rounds are interleaved, so that a busy moment of the machine hits every row alike. PATCTL_PROGRAM names the
 * executable to measure; BENCH_GO_PATRONI another tool's command line, in which ETCD stands for etcd's URL and SCOPE
 * for the cluster.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureNode, OWN_ARCH } from '../../.config/package/tools.js';
import { scopeAt, startMember, writeFleet } from './bench-fleet.js';
import { startCluster, type Lab } from './lab/cluster.js';
import { ownerOf } from './lab/lock.js';
import { cleanEnv } from './lab/process.js';
import { PATCTL } from './run.js';

const ROUNDS = Number(process.argv[2] ?? 15);
const FLEETS = [1000, 5000];
/** So many clusters have members that answer: each after ANSWER_MS, one of all after SLOWEST_MS. */
const LIVE_CLUSTERS = 50;
const ANSWER_MS = 50;
const SLOWEST_MS = 1000;

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
  /** Exit codes that count as success; only 0 by default. */
  codes?: number[];
}

interface Cost {
  wallMs: number;
  cpuMs: number;
  peakMb: number;
}

async function measure(
  { name, command, codes = [0] }: Case,
  env: Record<string, string>,
): Promise<Cost> {
  const { stdout } = await promisify(execFile)('python3', ['-c', METER, ...command], { env });
  const [wall = 0, cpu = 0, peak = 0, code = -1] = JSON.parse(stdout) as number[];
  if (!codes.includes(code)) throw new Error(`${name} ended with ${code}`);
  return { wallMs: wall * 1000, cpuMs: cpu * 1000, peakMb: peak / 1024 };
}

function median(numbers: number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

async function series(
  cases: Case[],
  rounds: number,
  env: Record<string, string>,
): Promise<Map<string, Cost>> {
  const costs = new Map<string, Cost[]>(cases.map(({ name }) => [name, []]));
  // The first round fills caches (the code cache, the page cache) and is not counted.
  for (let round = 0; round <= rounds; round += 1) {
    for (const one of cases) {
      const cost = await measure(one, env);
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

/** Ratios of the time on the wall to each base, then of CPU time: it says more on a machine that is busy. */
function table(title: string, costs: Map<string, Cost>, bases: string[]): void {
  console.log(`\n${title}`);
  const ratiosTo = bases.flatMap((base) => [`x ${base}`, '(CPU)']);
  const heads = ['', 'wall ms', 'CPU ms', 'peak MB', ...ratiosTo];
  const line = (cells: string[]): string =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(34) : cell.padStart(at < 4 ? 10 : 24)))
      .join('');
  console.log(line(heads));
  for (const [name, cost] of costs) {
    const ratios = bases.flatMap((base) => {
      const { wallMs = NaN, cpuMs = NaN } = costs.get(base) ?? {};
      return [cost.wallMs / wallMs, cost.cpuMs / cpuMs].map((ratio) => ratio.toFixed(2));
    });
    const cells = [cost.wallMs, cost.cpuMs, cost.peakMb].map((value) => value.toFixed(1));
    console.log(line([name, ...cells, ...ratios]));
  }
}

async function nodeInside(): Promise<string> {
  return join(await ensureNode(OWN_ARCH), 'bin/node');
}

function goPatroni(line: string | undefined, url: string, scope: string): Case[] {
  if (line === undefined || line === '') return [];
  const words = line.split(' ').map((word) => word.replace('ETCD', url).replace('SCOPE', scope));
  return [{ name: 'go-patroni', command: words }];
}

/** The same read as etcdctl makes it, as etcd's gateway answers it, and as patctl shows it. */
function fleetCases(etcd: { url: string; host: string; port: number }, namespace: string): Case[] {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const range = { key: base64(`${namespace}/`), range_end: base64(`${namespace}0`) };
  const gateway = [
    '-sS',
    '-o',
    '/dev/null',
    '-d',
    JSON.stringify(range),
    `${etcd.url}/v3/kv/range`,
  ];
  return [
    {
      name: 'etcdctl get --prefix',
      command: ['etcdctl', '--endpoints', etcd.url, 'get', '--prefix', `${namespace}/`],
    },
    { name: 'curl of the gateway', command: ['curl', ...gateway] },
    {
      name: 'list --all -f json --verify off',
      command: [
        // What is measured is how long it takes: a busy machine does not end the benchmark.
        ...[...PATCTL, '--timeout', '60', '-d', `etcd3://${etcd.host}:${etcd.port}${namespace}`],
        ...['list', '--all', '-f', 'json', '--verify', 'off'],
      ],
    },
  ];
}

/** Bound by the slowest member, not by the sum of all. */
async function benchCheck(lab: Lab, bare: Case, env: Record<string, string>): Promise<void> {
  const started = await Promise.all(
    Array.from({ length: LIVE_CLUSTERS }, async (_, at) => {
      const slow = at === LIVE_CLUSTERS - 1;
      const scope = scopeAt(at);
      const all = ['pg1', 'pg2', 'pg3'].map((name) =>
        startMember(scope, name, slow && name === 'pg3' ? SLOWEST_MS : ANSWER_MS),
      );
      return [scope, await Promise.all(all)] as const;
    }),
  );
  const members = new Map(started);
  await writeFleet(lab, '/live', LIVE_CLUSTERS, (scope) => members.get(scope) ?? []);
  const [etcd] = lab.etcd;
  const check = [...PATCTL, '-d', `etcd3://${etcd?.host ?? ''}:${etcd?.port ?? 0}/live`];
  const cases: Case[] = [
    bare,
    {
      name: 'check --all --verify rest',
      command: [...check, 'check', '--all', '--verify', 'rest', '--settle', '0'],
      codes: [0, 1, 2],
    },
  ];
  const title = `${LIVE_CLUSTERS} clusters of 3 members, the slowest answers after ${SLOWEST_MS} ms`;
  table(title, await series(cases, 5, env), [bare.name]);
  for (const { close } of started.flatMap(([, all]) => all)) close();
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
    // An executable is compared with the Node.js that is inside.
    const node = PATCTL[0] === process.execPath ? PATCTL[0] : await nodeInside();
    const patctl = (...args: string[]) => [...PATCTL, '-c', lab.config, ...args];
    const etcd = lab.etcd[0];
    if (!etcd) throw new Error('the lab has no etcd');
    const bare: Case = { name: 'node -e 0', command: [node, '-e', '0'] };
    const cases: Case[] = [
      bare,
      { name: 'patctl --help', command: [...PATCTL, '--help'] },
      { name: 'list --verify off', command: patctl('list', '--verify', 'off') },
      { name: 'list --verify rest', command: patctl('list', '--verify', 'rest') },
      { name: 'list --verify sql', command: patctl('list', '--verify', 'sql') },
      { name: 'list (both witnesses)', command: patctl('list') },
      { name: 'patronictl list', command: [lab.patronictl, '-c', lab.config, 'list'] },
      ...goPatroni(process.env['BENCH_GO_PATRONI'], etcd.url, lab.scope),
    ];
    table(`three members, ${ROUNDS} rounds`, await series(cases, ROUNDS, env), [
      'node -e 0',
      'patronictl list',
    ]);

    for (const clusters of FLEETS) {
      const namespace = `/fleet${clusters}`;
      await writeFleet(lab, namespace, clusters);
      const costs = await series(
        [bare, ...fleetCases(etcd, namespace)],
        clusters > 1000 ? Math.ceil(ROUNDS / 3) : ROUNDS,
        { ...env, ETCDCTL_API: '3' },
      );
      table(`${clusters} clusters of 6 keys`, costs, ['node -e 0', 'etcdctl get --prefix']);
    }
    await benchCheck(lab, bare, env);

    lab.freeze('pg3');
    const frozen: Case[] = [
      { name: 'list --verify rest', command: patctl('list', '--verify', 'rest') },
    ];
    table('one member of three frozen, deadline 3 s', await series(frozen, 3, env), []);
    lab.thaw('pg3');
  } finally {
    await lab.down();
    rmSync(home, { recursive: true, force: true });
  }
}

await main();
