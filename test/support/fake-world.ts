/** A run of patctl without a network: memory DCS, and members that say what the test lets them say. */
import { readdir } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import type { Reading, RestStatus, SqlStatus } from '../../src/cluster/model/model.js';
import type { RouteAnswer } from '../../src/cluster/model/route-model.js';
import type { Dcs } from '../../src/dcs/dcs.js';
import { keyedDcs } from '../../src/dcs/keyed/keyed-dcs.js';
import { memoryStore, type MemoryStore } from '../../src/dcs/keyed/memory-store.js';
import { entries, helpOf } from '../../src/cli/help.js';
import { main } from '../../src/main.js';
import type { ConfigFiles } from '../../src/config/files.js';
import { readLimited } from '../../src/config/read-limited.js';
import type { CallOutcome, Patroni } from '../../src/patroni/patroni.js';
import { parseRestStatus } from '../../src/patroni/parse-status.js';
import type { BaseBackup, Postgres } from '../../src/postgres/postgres.js';
import type { Clock } from '../../src/clock.js';
import { goldenKeys, loadGolden } from '../fixtures/golden.js';
import { holdsCommands } from './typed-commands.js';

export const UNREACHABLE: Reading<never> = {
  ok: false,
  kind: 'unreachable',
  reason: 'connect ECONNREFUSED',
};

export interface FakeCluster {
  /** Full key -> value. */
  keys: Record<string, string>;
  /** Answers of GET /patroni by member name; a member without one is unreachable. */
  rest?: Record<string, Reading<RestStatus>>;
  /** Answers over SQL by port; without an entry unreachable. Absent altogether: no login is known. */
  sql?: Record<number, Reading<SqlStatus>>;
  /** The server behind a route, by its port. */
  routes?: Record<number, Reading<RouteAnswer>>;
  /** What every server says of the base backups it sends. */
  baseBackups?: Reading<BaseBackup[]>;
  /** By port, as `sql`. */
  pausedForMs?: Record<number, Reading<number | null>>;
  call?: Patroni['call'];
  /** Instead of `rest`, when what a member says changes. */
  status?: Patroni['status'];
  /** Instead of a DCS made of `keys`, when the test has to look at it or change it. */
  dcs?: MemoryStore;
  /** Instead of both: a DCS of another kind. */
  port?: Dcs;
  /** Instead of the real one. */
  clock?: Clock;
  /** Told of each piece of stdout when it is written. */
  onOut?: (text: string) => void;
  /** Typed at the questions, a line each: there is a terminal. */
  answers?: readonly string[];
  /** Instead of `answers`: what is typed on the terminal, as it comes. */
  stdin?: PassThrough;
  /** stdout is a terminal of so many columns. */
  columns?: number;
  /** Ends what goes on, as Ctrl-C does. */
  signal?: AbortSignal;
}

/** A clock on which waiting takes no time; `onWait` is told what time it has become. */
export function quickClock(onWait: (nowMs: number) => void = () => undefined): Clock {
  let nowMs = Date.parse('2026-11-21T08:00:00Z');
  return {
    nowMs: () => nowMs,
    wait: (ms) => {
      nowMs += ms;
      onWait(nowMs);
      return new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/** No configuration of Patroni is on this machine, whatever the real one has; a file that a test names is read. */
const NO_CONFIGURATION: ConfigFiles = {
  readFile: async (path) =>
    isAbsent(path) ? absent(path) : (await readLimited(path)).toString('utf8'),
  readdir: (path) => (isAbsent(path) ? absent(path) : readdir(path)),
};

const isAbsent = (path: string): boolean => /^\/(etc\/patroni|nonexistent)/.test(path);

function absent(path: string): Promise<never> {
  return Promise.reject(Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' }));
}

/** Every run of every test holds the exit codes that `--help` states for the command. */
function statedCode(args: readonly string[], code: number): void {
  const name = args.find((word) => helpOf(word) !== null);
  const ends = name === undefined ? null : (helpOf(name)?.ends ?? null);
  if (ends === null || typeof ends === 'string') return;
  const stated = entries(ends).map(([exit]) => exit);
  if (!stated.includes(code)) {
    throw new Error(`${args.join(' ')} ended with ${code}, which its --help does not state`);
  }
}

export interface FakeRun {
  code: number;
  out: string;
  err: string;
}

/** Runs `patctl ARGS` on a made-up cluster. */
export async function runFake(
  cluster: FakeCluster,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<FakeRun> {
  let out = '';
  let err = '';
  const dcs = cluster.dcs ?? memoryStore(cluster.keys);
  const tty = cluster.answers !== undefined || cluster.stdin !== undefined;
  const stdin = cluster.stdin ?? new PassThrough();
  if (!cluster.stdin) stdin.end(cluster.answers?.map((line) => `${line}\n`).join('') ?? '');
  const patroni: Patroni = {
    status: cluster.status ?? (({ name }) => Promise.resolve(cluster.rest?.[name] ?? UNREACHABLE)),
    call:
      cluster.call ??
      ((): Promise<CallOutcome> => Promise.resolve({ kind: 'not_sent', reason: 'no such fake' })),
  };
  const postgres: Postgres = {
    hasLogin: cluster.sql !== undefined,
    status: ({ port }) => Promise.resolve(cluster.sql?.[port] ?? UNREACHABLE),
    settings: ({ port }, names) => {
      const reading = cluster.sql?.[port] ?? UNREACHABLE;
      if (!reading.ok) return Promise.resolve(reading);
      const all = Object.entries(reading.value.settings);
      const value = Object.fromEntries(
        all.filter(([name]) => names.some((one) => one.toLowerCase() === name)),
      );
      return Promise.resolve({ ...reading, value });
    },
    takesWrites: () => Promise.resolve(UNREACHABLE),
    whoAnswers: ({ port }) => Promise.resolve(cluster.routes?.[port] ?? UNREACHABLE),
    terminateLogical: () => Promise.resolve(UNREACHABLE),
    baseBackups: () => Promise.resolve(cluster.baseBackups ?? UNREACHABLE),
    pausedForMs: ({ port }) => Promise.resolve(cluster.pausedForMs?.[port] ?? UNREACHABLE),
    accessRules: () => Promise.resolve(UNREACHABLE),
    clients: () => Promise.resolve(UNREACHABLE),
    reaches: () => Promise.resolve(UNREACHABLE),
  };
  const code = await main(
    args,
    {
      io: {
        out: (text) => {
          out += text;
          cluster.onOut?.(text);
        },
        err: (text) => (err += text),
        stdin,
        stderr: new PassThrough(),
        stdinIsTty: tty,
        stdoutIsTty: cluster.columns !== undefined,
        stderrIsTty: tty,
        outColor: false,
        errColor: false,
        columns: cluster.columns ?? 80,
      },
      env: { HOME: '/nonexistent', PATRONI_SCOPE: 'demo', ...env },
      platform: 'linux',
      nodeVersion: '22.0.0',
      arch: 'x64',
      programName: 'patctl',
      signal: cluster.signal ?? new AbortController().signal,
      configFiles: NO_CONFIGURATION,
    },
    {
      dcs: () => Promise.resolve(cluster.port ?? keyedDcs(dcs, '/service')),
      patroni: () => Promise.resolve(patroni),
      postgres: () => Promise.resolve(postgres),
      ...(cluster.clock ? { clock: cluster.clock } : {}),
    },
  );
  statedCode(args, code);
  await holdsCommands(args, out + err);
  return { code, out, err };
}

/** A recorded cluster: its keys, and what its members answered at GET /patroni. */
export function recorded(name: string): FakeCluster {
  const golden = loadGolden(name);
  const keys = Object.fromEntries(goldenKeys(golden).kvs.map(({ key, value }) => [key, value]));
  const rest: Record<string, Reading<RestStatus>> = {};
  for (const [member, paths] of Object.entries(golden.rest)) {
    const answer = (paths as Record<string, { status?: number; body?: unknown }>)['/patroni'];
    const value = parseRestStatus(answer?.status ?? 0, (answer?.body ?? null) as never);
    rest[member] = value ? { ok: true, value, tookMs: 1 } : UNREACHABLE;
  }
  return { keys, rest };
}

/** The recorded cluster under so many names: c00, c01, … */
export function fleetOf(count: number): FakeCluster {
  const kvs = goldenKeys(loadGolden('on')).kvs;
  const names = Array.from({ length: count }, (_, at) => `c${String(at).padStart(2, '0')}`);
  const keys = names.flatMap((name) =>
    kvs.map(
      ({ key, value }) => [key.replace('/service/demo/', `/service/${name}/`), value] as const,
    ),
  );
  return { ...recorded('on'), keys: Object.fromEntries(keys) };
}
