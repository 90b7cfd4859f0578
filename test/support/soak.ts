/**
 * `npx tsx test/support/soak.ts --minutes 30 --sync quorum`: planned switchovers, restarts and reinits of a
 * cluster of its own under a write load, with `check` beside them every few seconds. Whatever `check` finds is
 * at once asked of the members themselves, by psql; exit 1 when a critical finding of the settled `check` did
 * not hold. Every sighting is a JSON line on stderr (or in --log FILE), the summary is one on stdout.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { CheckDocument } from '../../src/cluster/documents/check-document.js';
import type { Finding } from '../../src/cluster/model/model.js';
import { startCluster, type Lab } from './lab/cluster.js';
import { ownerOf } from './lab/lock.js';
import { cleanEnv, runProgram, type ProgramResult } from './lab/process.js';
import type { SyncMode } from './lab/state.js';
import { askMembers, holds, type Facts } from './soak-facts.js';

const OPTIONS = {
  minutes: { type: 'string', default: '30' },
  sync: { type: 'string', default: 'quorum' },
  log: { type: 'string' },
  /** Another copy of the program, so that a build beside does not disturb. */
  patctl: {
    type: 'string',
    default: fileURLToPath(new URL('../../bin/patctl.cjs', import.meta.url)),
  },
} as const;

const CHECK_EVERY_MS = 3_000;
const REST_BETWEEN_ACTIONS_MS = 6_000;
const ACTION_LIMIT_MS = 150_000;
const CHECK_LIMIT_MS = 60_000;
/** How many sightings a summary spells out. */
const MOST_TOLD = 40;

/** What a person does to a healthy cluster; `OTHER` and `NEXT` are replicas, in turns. */
const ACTIONS: Record<string, string[]> = {
  switchover: ['switchover', 'SCOPE', '--force'],
  'restart of a replica': ['restart', 'SCOPE', 'OTHER', '--force', '--wait'],
  reinit: ['reinit', 'SCOPE', 'OTHER', '--force', '--wait', '--deadline', '2m'],
  'switchover to a named one': ['switchover', 'SCOPE', '--candidate', 'SYNC', '--force'],
  'rolling restart': ['restart', 'SCOPE', '--rolling', '--force', '--deadline', '2m'],
  'reinit from the leader': ['reinit', 'SCOPE', 'OTHER', '--from-leader', '--force', '--wait'],
  'restart of all': ['restart', 'SCOPE', '--force', '--wait'],
  'rolling restart with a switchover': ['restart', 'SCOPE', '--rolling', '--switchover', '--force'],
};

interface Sighting {
  at: string;
  check: string;
  severity: string;
  code: string;
  members: string[];
  message: string;
  /** The action that ran meanwhile. */
  during: string;
  held: boolean;
  /** What SQL said, of which `held` is the conclusion. */
  sql: string;
  evidence: string[];
}

interface Count {
  runs: number;
  /** Runs that ended in each exit code. */
  exits: Record<string, number>;
  critical: number;
  criticalNotHeld: number;
  warning: number;
  warningNotHeld: number;
}

const { values } = parseArgs({ options: OPTIONS });
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error('--minutes is a number above 0');
const sync = (['off', 'on', 'quorum'] as SyncMode[]).find((mode) => mode === values.sync);
if (sync === undefined) throw new Error('--sync is off, on or quorum');

const endsAt = Date.now() + minutes * 60_000;
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
const isOver = () => stop.signal.aborted || Date.now() > endsAt;
const pause = (ms: number) => sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined);

function log(line: object): void {
  const text = `${JSON.stringify(line)}\n`;
  if (values.log === undefined) process.stderr.write(text);
  else appendFileSync(values.log, text);
}

async function patctl(lab: Lab, args: string[], timeoutMs: number): Promise<ProgramResult> {
  const program = [values.patctl, '-c', lab.config, ...args];
  return await runProgram(process.execPath, program, { env: cleanEnv('/nonexistent'), timeoutMs });
}

// ---------------------------------------------------------------- what happens to the cluster

let during = 'nothing';
const actions: Record<string, { done: number; failed: number }> = {};

async function act(lab: Lab): Promise<void> {
  const names = Object.keys(ACTIONS);
  for (let turn = 0; !isOver(); turn += 1) {
    const name = names[turn % names.length] ?? '';
    const leader = (await lab.leader()) ?? '';
    const replicas = lab.members.map((one) => one.name).filter((one) => one !== leader);
    const inSync = ((await lab.dcsGet('sync')) ?? '').match(/"sync_standby":\s*"([^",]+)/)?.[1];
    const other = replicas[turn % replicas.length] ?? '';
    const words: Record<string, string> = { SCOPE: lab.scope, OTHER: other, SYNC: inSync ?? other };
    during = name;
    const args = (ACTIONS[name] ?? []).map((word) => words[word] ?? word);
    const { code, err, ms } = await patctl(lab, args, ACTION_LIMIT_MS);
    const count = (actions[name] ??= { done: 0, failed: 0 });
    if (code === 0) count.done += 1;
    else count.failed += 1;
    log({
      at: now(),
      action: args.join(' '),
      code,
      ms: Math.round(ms),
      ...(code !== 0 && { err }),
    });
    during = `after ${name}`;
    await lab
      .waitHealthy(90_000)
      .catch((error: unknown) => log({ at: now(), late: String(error) }));
    await pause(REST_BETWEEN_ACTIONS_MS);
  }
}

/** Small transactions on whoever leads; what a switchover interrupts is begun again on the next. */
async function write(lab: Lab): Promise<void> {
  const load = `DO $$ BEGIN FOR turn IN 1..400 LOOP
      INSERT INTO soak SELECT turn, repeat('x', 500) FROM generate_series(1, 20); COMMIT;
      PERFORM pg_sleep(0.01);
    END LOOP; TRUNCATE soak; COMMIT; END $$;`;
  while (!isOver()) {
    const leader = (await lab.leader().catch(() => null)) ?? '';
    const create =
      'SET client_min_messages = error; CREATE TABLE IF NOT EXISTS soak (turn int, line text);';
    try {
      await lab.psql(leader, `${create}${load}`, { timeoutMs: 20_000 });
    } catch {
      await pause(500);
    }
  }
}

// ---------------------------------------------------------------- what check says of it

const counts: Record<string, Count> = {};
const sightings: Sighting[] = [];

async function watch(lab: Lab, label: string, args: string[]): Promise<void> {
  const count: Count = {
    runs: 0,
    exits: {},
    critical: 0,
    criticalNotHeld: 0,
    warning: 0,
    warningNotHeld: 0,
  };
  counts[label] = count;
  while (!isOver()) {
    const started = Date.now();
    const run = await patctl(lab, ['check', '-f', 'json', ...args], CHECK_LIMIT_MS);
    const facts = await askMembers(lab);
    count.runs += 1;
    count.exits[String(run.code)] = (count.exits[String(run.code)] ?? 0) + 1;
    const found = findingsIn(run);
    for (const finding of found) judge(finding, facts, label, count);
    await pause(Math.max(0, started + CHECK_EVERY_MS - Date.now()));
  }
}

function findingsIn(run: ProgramResult): Finding[] {
  try {
    const document = JSON.parse(run.out) as CheckDocument;
    return document.clusters.flatMap(({ findings }) => findings);
  } catch {
    log({ at: now(), during, unreadable: run.err, code: run.code });
    return [];
  }
}

function judge(finding: Finding, facts: Facts, check: string, count: Count): void {
  const { severity, code, members, message } = finding;
  if (severity !== 'critical' && severity !== 'warning') return;
  const { held, sql } = holds(finding, facts);
  count[severity] += 1;
  if (!held) count[severity === 'critical' ? 'criticalNotHeld' : 'warningNotHeld'] += 1;
  const evidence = finding.evidence.map(
    ({ witness, subject, said }) => `${witness} ${subject}: ${said}`,
  );
  const seen = { at: now(), check, severity, code, members, message, during, held, sql, evidence };
  sightings.push(seen);
  log(seen);
}

function now(): string {
  return new Date().toISOString();
}

// ---------------------------------------------------------------- all of it

function summary(): object {
  const tally: Record<string, number> = {};
  for (const { check, severity, code, held } of sightings) {
    const key = `${check}: ${severity} ${code} ${held ? 'held' : 'did not hold'}`;
    tally[key] = (tally[key] ?? 0) + 1;
  }
  const notHeld = sightings.filter(({ held }) => !held).slice(0, MOST_TOLD);
  return { minutes, sync, actions, checks: counts, tally, notHeld };
}

const lab = await startCluster(
  { scope: `soak-${process.pid}`, sync },
  { owner: ownerOf(process.pid), progress: (line) => console.error(`lab: ${line}`) },
);
try {
  await Promise.all([
    act(lab),
    write(lab),
    watch(lab, 'check', []),
    watch(lab, 'check --settle 0', ['--settle', '0']),
  ]);
} finally {
  await lab.down();
}
console.log(JSON.stringify(summary(), null, 2));
if ((counts['check']?.criticalNotHeld ?? 0) > 0) process.exitCode = 1;
