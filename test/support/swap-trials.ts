/**
 * A swap of two sites on real Patroni that is broken at one of its steps, and the commands it prints, typed as printed.
 * `tsx test/support/swap-trials.ts [TITLE…]` brings two sites up, runs each trial and prints a line of it.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parse, stringify } from 'yaml';
import type { ActionDocument } from '../../src/actions/kit/action-document.js';
import { eventually } from './eventually.js';
import type { Lab } from './lab/cluster.js';
import { cleanEnv } from './lab/process.js';
import { lostOn, pairLoad } from './pair-load.js';
import { PATCTL } from './run.js';
import { privateCluster } from './shared.js';

export interface Sites {
  from: Lab;
  to: Lab;
  /** Leaders before the swap. */
  old: string;
  next: string;
}

export interface Trial {
  title: string;
  /** The line of progress at which it is broken; `before`: before the start. */
  at: RegExp | 'before';
  breaks(sites: Sites, swap: { kill(name: NodeJS.Signals): void }): void | Promise<void>;
  deadline?: string;
  /** What the other site is reached by, where that is not its file. */
  to?: (sites: Sites) => string;
  /** A check that would refuse it before the start. */
  skips?: string;
  /** Exit code and code of the ending; several where it is a matter of moments; null: patctl was killed. */
  ends: readonly (readonly [number, string])[] | null;
  /** The command to be typed, of those that are printed; `none`: the sites come to rest without one. */
  way: 'back' | 'on' | 'none';
  /** What was broken is repaired before the command is typed. */
  isRepairedFirst?: true;
}

export const DEMOTING = /is told to become a standby cluster/;
export const DEMOTED = /is a standby: the writes have ended/;
export const RECEIVED = /has replayed everything, up to/;
export const PROMOTING = /is told to become a primary cluster/;
export const PROMOTED = /is the primary on timeline/;

const freezeBoth = (lab: Lab, name: string): void => {
  lab.freeze(name);
  lab.freeze(name, { postgres: true });
};
const freezeStartup = async (lab: Lab, name: string): Promise<void> => {
  const postmaster = lab.postmasterPid(name);
  const found = lab.processes().find(({ pid }) => pid === postmaster);
  if (found === undefined) throw new Error(`${name} does not run`);
  const { execFileSync } = await import('node:child_process');
  const pid = execFileSync('pgrep', ['-P', String(found.pid), '-f', 'startup'], {
    encoding: 'utf8',
  });
  lab.freezePid(Number(pid.trim().split('\n')[0]));
  frozen.add(Number(pid.trim().split('\n')[0]));
};
/** Its configuration without the login to its REST API, which it demands of whatever changes something. */
const withoutLogin = (lab: Lab): string => {
  const rest = parse(readFileSync(lab.config, 'utf8')) as Record<string, unknown>;
  delete rest['ctl'];
  delete rest['restapi'];
  const file = `${lab.root}/no-login.yml`;
  writeFileSync(file, stringify(rest), { mode: 0o600 });
  return file;
};
/** Processes that are not members of the lab. */
const frozen = new Set<number>();

export const TRIALS: readonly Trial[] = [
  {
    title: 'etcd here frozen before',
    at: 'before',
    breaks: ({ from }) => from.freeze('etcd1'),
    ends: [[3, 'unreachable']],
    way: 'none',
    isRepairedFirst: true,
  },
  {
    title: 'etcd there frozen before',
    at: 'before',
    breaks: ({ to }) => to.freeze('etcd1'),
    ends: [[3, 'unreachable']],
    way: 'none',
    isRepairedFirst: true,
  },
  {
    title: 'leader there frozen after the demotion',
    at: DEMOTING,
    breaks: ({ to, next }) => freezeBoth(to, next),
    ends: [[4, 'went_back']],
    way: 'none',
  },
  {
    title: 'Patroni there frozen after the demotion',
    at: DEMOTING,
    breaks: ({ to, next }) => to.freeze(next),
    ends: [[4, 'went_back']],
    way: 'none',
  },
  {
    title: 'etcd there frozen after the demotion',
    at: DEMOTING,
    breaks: ({ to }) => to.freeze('etcd1'),
    ends: [[4, 'went_back']],
    way: 'none',
  },
  {
    title: 'etcd here frozen after the demotion',
    at: DEMOTED,
    breaks: ({ from }) => from.freeze('etcd1'),
    // Whether the members here have heard of their new leader before.
    ends: [
      [4, 'no_primary'],
      [4, 'not_following'],
      [0, 'done'],
    ],
    way: 'back',
    isRepairedFirst: true,
  },
  {
    title: 'replay there frozen after the demotion',
    at: DEMOTING,
    breaks: ({ to, next }) => freezeStartup(to, next),
    ends: [[4, 'went_back']],
    way: 'none',
  },
  {
    title: 'Patroni there frozen after the proof',
    at: RECEIVED,
    breaks: ({ to, next }) => to.freeze(next),
    ends: [[4, 'went_back']],
    way: 'none',
  },
  {
    title: 'leader there frozen after the proof',
    at: RECEIVED,
    breaks: ({ to, next }) => freezeBoth(to, next),
    ends: [[4, 'went_back']],
    way: 'none',
  },
  {
    title: 'etcd there frozen after the proof',
    at: RECEIVED,
    breaks: ({ to }) => to.freeze('etcd1'),
    // Whether the promotion was sent before.
    ends: [
      [4, 'went_back'],
      [5, 'promotion_unknown'],
    ],
    way: 'on',
    isRepairedFirst: true,
  },
  {
    title: 'etcd here frozen after the proof',
    at: RECEIVED,
    breaks: ({ from }) => from.freeze('etcd1'),
    ends: [[4, 'not_following']],
    way: 'none',
    isRepairedFirst: true,
  },
  {
    title: 'PostgreSQL there cannot promote',
    at: RECEIVED,
    breaks: ({ to, next }) => freezeStartup(to, next),
    ends: [[5, 'not_promoted_in_time']],
    way: 'none',
    isRepairedFirst: true,
  },
  {
    title: 'etcd there frozen when the promotion is sent',
    at: PROMOTING,
    breaks: ({ to }) => to.freeze('etcd1'),
    ends: [[5, 'promotion_unknown']],
    way: 'on',
    isRepairedFirst: true,
  },
  {
    title: 'the promotion is refused',
    at: PROMOTING,
    breaks: () => undefined,
    to: ({ to }) => withoutLogin(to),
    skips: 'rest_there',
    ends: [[4, 'went_back']],
    way: 'none',
  },
  {
    title: 'killed while the writes end',
    at: DEMOTING,
    breaks: (_, swap) => void setTimeout(() => swap.kill('SIGKILL'), 700),
    ends: null,
    way: 'back',
  },
  {
    title: 'killed right after the promotion was sent',
    at: PROMOTING,
    breaks: (_, swap) => void setTimeout(() => swap.kill('SIGKILL'), 150),
    ends: null,
    way: 'on',
  },
  ...[DEMOTING, DEMOTED, RECEIVED, PROMOTING, PROMOTED].map((at): Trial => {
    return {
      title: `killed at ${at.source}`,
      at,
      breaks: (_, swap) => swap.kill('SIGKILL'),
      ends: null,
      way: at === PROMOTED ? 'none' : at === PROMOTING ? 'on' : 'back',
    };
  }),
  {
    title: 'killed with everything there, and finished',
    at: RECEIVED,
    breaks: (_, swap) => swap.kill('SIGKILL'),
    ends: null,
    way: 'on',
  },
  ...(
    [
      [DEMOTING, [130, 'went_back']],
      [DEMOTED, [130, 'went_back']],
      [PROMOTING, [130, 'interrupted']],
      [PROMOTED, [130, 'interrupted']],
    ] as const
  ).map(([at, ends]): Trial => {
    return {
      title: `Ctrl-C at ${at.source}`,
      at,
      breaks: (_, swap) => swap.kill('SIGINT'),
      ends: [ends],
      way: 'none',
    };
  }),
  {
    title: 'Ctrl-C twice after the demotion',
    at: DEMOTING,
    breaks: async (_, swap) => {
      swap.kill('SIGINT');
      await new Promise((resolve) => setTimeout(resolve, 300));
      swap.kill('SIGINT');
    },
    ends: [[130, 'no_primary']],
    way: 'back',
  },
];

export interface Tried {
  title: string;
  code: number | null;
  isExpected: boolean;
  ending: string | null;
  message: string;
  hint: string;
  typed: string;
  typedCode: number | null;
  primary: string;
  tookMs: number;
  acknowledged: number;
  lost: number[];
  gapMs: number;
}

/** A command as it was printed, in the shell of a person who works on `from`. */
export async function typed(from: Lab, line: string, limitMs = 100_000) {
  return await ran('sh', ['-c', line], from, limitMs);
}

interface Ran {
  code: number | null;
  out: string;
  err: string;
}

function ran(
  command: string,
  args: readonly string[],
  from: Lab,
  limitMs: number,
  onErr: (err: string, kill: (name: NodeJS.Signals) => void) => void = () => undefined,
): Promise<Ran> {
  const done: Ran = { code: null, out: '', err: '' };
  const env = {
    ...cleanEnv('/nonexistent', from.env),
    PATH: `${BIN}:${process.env['PATH'] ?? ''}`,
  };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  child.stdout.on('data', (more: Buffer) => (done.out += more.toString()));
  child.stderr.on('data', (more: Buffer) => {
    done.err += more.toString();
    onErr(done.err, (name) => child.kill(name));
  });
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ ...done, code });
    });
  });
}

/** `patctl` on PATH, for commands that are typed. */
const BIN = await (async () => {
  const { mkdtempSync, writeFileSync, chmodSync } = await import('node:fs');
  const folder = mkdtempSync('/tmp/patctl-bin-');
  writeFileSync(`${folder}/patctl`, `#!/bin/sh\nexec ${PATCTL.join(' ')} "$@"\n`);
  chmodSync(`${folder}/patctl`, 0o755);
  process.once('exit', () => {
    void import('node:fs').then(({ rmSync }) => rmSync(folder, { recursive: true }));
  });
  return folder;
})();

export function thawAll(...labs: Lab[]): void {
  for (const pid of frozen) labs[0]?.thawPid(pid);
  frozen.clear();
  for (const lab of labs) for (const { name } of [...lab.etcd, ...lab.members]) lab.thaw(name);
}

/** Whether a site becomes the primary without a command. */
async function comesBack(a: Lab, b: Lab): Promise<boolean> {
  const found = await eventually('a primary', 15_000, () => primaryOf(a, b)).catch(() => null);
  return found !== null;
}

/** The one site that takes writes; null: none, or both. */
export async function primaryOf(...labs: Lab[]): Promise<Lab | null> {
  const found: Lab[] = [];
  for (const lab of labs)
    for (const { name } of lab.members) {
      const is = await lab
        .psql(name, 'SELECT pg_is_in_recovery()', { timeoutMs: 3000 })
        .catch(() => 't');
      if (is === 'f') found.push(lab);
    }
  return found.length === 1 ? (found[0] ?? null) : null;
}

/** Until a swap would be done from the one that is the primary. */
export async function ready(a: Lab, b: Lab, limitMs = 90_000): Promise<{ from: Lab; to: Lab }> {
  return await eventually(`${a.scope} and ${b.scope} are ready`, limitMs, async () => {
    const from = await primaryOf(a, b);
    if (from === null) throw new Error('not exactly one primary');
    const to = from === a ? b : a;
    const [command = '', ...first] = PATCTL;
    const words = [...first, 'swap', '--to', to.config, '-f', 'json', '--dry-run'];
    const { out } = await ran(command, words, from, 30_000);
    const { ending, message, hint } = JSON.parse(out) as ActionDocument;
    // Another member leads since a swap went back: the other site streams from a replica.
    const switchover = / (patctl switchover [^\n;]*)/.exec(hint ?? '')?.[1];
    if (switchover !== undefined) await typed(from, `${switchover} --force`);
    if (ending !== 'ok') throw new Error(message);
    return { from, to };
  });
}

const COMMAND = /patctl (?:-\S+ \S+ )*promote-cluster [^\s;]+/g;

export async function tryOut(a: Lab, b: Lab, trial: Trial): Promise<Tried> {
  const { from, to } = await ready(a, b);
  const sites: Sites = {
    ...{ from, to },
    old: (await from.leader()) ?? '',
    next: (await to.leader()) ?? '',
  };
  const load = await pairLoad(from, to);
  await eventually('commits', 20_000, () => Promise.resolve(load.acknowledged.length > 50));
  const [command = '', ...first] = PATCTL;
  const words = [...first, 'swap', '--to', trial.to?.(sites) ?? to.config, '-f', 'json', '--force'];
  words.push('--deadline', trial.deadline ?? '30s');
  if (trial.skips !== undefined) words.push('--skip-check', trial.skips);
  const startedMs = Date.now();
  if (trial.at === 'before') await trial.breaks(sites, { kill: () => undefined });
  let isBroken = trial.at === 'before';
  const swap = await ran(command, words, from, 200_000, (err, kill) => {
    if (isBroken || trial.at === 'before' || !trial.at.test(err)) return;
    isBroken = true;
    void trial.breaks(sites, { kill });
  });
  const tookMs = Date.now() - startedMs;
  const document = swap.out === '' ? null : (JSON.parse(swap.out) as ActionDocument);
  process.stderr.write(`${trial.title}: ${swap.code} ${document?.message ?? ''}\n`);
  if (trial.isRepairedFirst) thawAll(a, b);
  const printed = document === null ? swap.err : (document.hint ?? '');
  const commands = printed.match(COMMAND) ?? [];
  const isOther = trial.way === 'on' || document?.code === 'promotion_unknown';
  const line = commands.find((one) => one.includes(' -c ') === isOther) ?? '';
  const settled = trial.way === 'none' ? await comesBack(a, b) : false;
  const way = settled || line === '' ? null : await typed(from, `${line} --force`);
  thawAll(a, b);
  const at = await eventually('one primary', 90_000, () => primaryOf(a, b));
  const count = load.acknowledged.length;
  await eventually('commits go on', 60_000, () =>
    Promise.resolve(load.acknowledged.length > count + 20),
  );
  await load.stop();
  const leader = (await at.leader()) ?? '';
  return {
    title: trial.title,
    code: swap.code,
    isExpected:
      trial.ends === null
        ? document === null
        : trial.ends.some(([code, ending]) => swap.code === code && document?.code === ending),
    ending: document?.code ?? null,
    message: document?.message ?? swap.err.trim().split('\n').at(-1) ?? '',
    hint: document?.hint ?? '',
    typed: way === null ? '' : line,
    typedCode: way?.code ?? null,
    primary: at === from ? 'here' : 'there',
    tookMs,
    acknowledged: load.acknowledged.length,
    lost: await lostOn(at, leader, load),
    gapMs: load.longestGapMs(),
  };
}

async function main(titles: readonly string[]): Promise<void> {
  const version = process.env['PATRONI'];
  const options = {
    members: 2,
    loopWait: 1,
    restAuth: true,
    ...(version !== undefined && { patroni: version }),
  };
  const east = await privateCluster(options);
  const west = await privateCluster({ ...options, standbyOf: east.scope, ownEtcd: true });
  try {
    for (const trial of TRIALS) {
      if (titles.length > 0 && !titles.some((title) => trial.title.includes(title))) continue;
      try {
        process.stdout.write(`${JSON.stringify(await tryOut(east, west, trial))}\n`);
      } catch (error) {
        thawAll(east, west);
        process.stdout.write(`${JSON.stringify({ title: trial.title, error: String(error) })}\n`);
      }
    }
  } finally {
    thawAll(east, west);
    await west.down();
    await east.down();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await main(process.argv.slice(2));
