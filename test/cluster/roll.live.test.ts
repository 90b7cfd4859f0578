/** `roll` on a quorum cluster, with a COMMAND that stops Patroni and PostgreSQL of the member and starts them again. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, GiveUp } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { PATCTL, runPatctl, type RunResult } from '../support/run.js';
import { privateCluster } from '../support/shared.js';
import { watchVotes } from '../support/vote-watch.js';
import { writeLoad } from '../support/write-load.js';

const LIMIT_MS = 240_000;
/** How many members; also tried with 5. */
const MEMBERS = Number(process.env['PATCTL_ROLL_MEMBERS'] ?? 3);
let lab: Lab;
let server: Server;
let folder: string;

/** What COMMAND does to a member; it fails when this throws. */
let onCommand: (member: string) => Promise<void>;
let asked: string[] = [];
const restart = async (member: string): Promise<void> => {
  await lab.stop(member);
  await lab.start(member);
};

/** It asks this process, which has the cluster. */
function command(): string {
  const { port } = server.address() as AddressInfo;
  const ask = `fetch("http://127.0.0.1:${port}/" + process.env.PATCTL_MEMBER)`;
  const script = `${ask}.then(async (answer) => { console.log(await answer.text()); process.exitCode = answer.ok ? 0 : 3; })`;
  return `${process.execPath} -e '${script}'`;
}

const words = (...more: string[]): string[] => [
  ...['-c', lab.config, 'roll', lab.scope, '--yes', '--state', join(folder, 'roll.json'), ...more],
];
const roll = (...more: string[]): Promise<RunResult> =>
  runPatctl(words(...more), { timeoutMs: LIMIT_MS });

async function replicas(): Promise<[string, string]> {
  const leader = await lab.waitHealthy();
  const [one = '', two = ''] = lab.members
    .map(({ name }) => name)
    .filter((name) => name !== leader);
  return [one, two];
}

beforeAll(async () => {
  lab = await privateCluster({ sync: 'quorum', members: MEMBERS });
  folder = mkdtempSync(join(tmpdir(), 'patctl-roll-'));
  server = createServer((request, response) => {
    const member = request.url?.slice(1) ?? '';
    asked.push(member);
    onCommand(member).then(
      () => response.end(`${member} is done`),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  await lab.waitHealthy();
}, LIMIT_MS);
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
  await lab.down();
});

test(
  'every member under a write load: only the switchover fails commits, and the votes stay',
  async () => {
    const leader = await lab.waitHealthy();
    await lab.psql(leader, 'CREATE TABLE load (id int)');
    onCommand = restart;
    asked = [];
    const load = writeLoad(lab);
    const votes = watchVotes(lab);
    const run = await roll('--exec', command(), '--progress', 'json');
    await load.stop();
    await votes.stop();
    expect(run.code, run.err).toBe(0);
    expect([asked.length, asked.at(-1)]).toEqual([MEMBERS, leader]);
    expect(new Set(asked).size).toBe(MEMBERS);
    expect(await lab.leader()).not.toBe(leader);

    expect(votes.looks.length).toBeGreaterThan(20);
    const short = votes.looks.filter(({ alive, needed }) => alive.length < needed);
    expect(short, JSON.stringify(short)).toEqual([]);

    const moving = switchoverTimes(run);
    const failed = load.writes.filter((write) => write.failed !== null);
    const outside = failed.filter(
      ({ atMs, tookMs }) => atMs + tookMs < moving.fromMs || atMs > moving.toMs,
    );
    expect(outside).toEqual([]);
    const rows = await lab.psql((await lab.leader()) ?? '', 'SELECT id FROM load');
    const stored = new Set(rows.split('\n').map(Number));
    const acknowledged = load.writes.filter((write) => write.failed === null);
    expect(acknowledged.filter(({ id }) => !stored.has(id))).toEqual([]);
    const least = Math.min(...votes.looks.map(({ alive, needed }) => alive.length - needed));
    console.log(
      `${acknowledged.length} commits, ${failed.length} failed in the switchover; ` +
        `${votes.looks.length} looks, at least ${least} votes more than needed`,
    );
  },
  LIMIT_MS,
);

/** When the step of the switchover began and when the next one did, by this machine's clock. */
function switchoverTimes({ err }: RunResult): { fromMs: number; toMs: number } {
  const events = err
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { at: string; step: string; said: string });
  const steps = events.filter(({ said }) => /^\d+ of \d+: /.test(said));
  const at = steps.findIndex(({ step }) => step === 'switchover');
  const timeOf = (one: { at: string } | undefined) => Date.parse(one?.at ?? '');
  return { fromMs: timeOf(steps[at]), toMs: timeOf(steps[at + 1]) };
}

test(
  'a COMMAND that fails in the middle and leaves the member down: exit 4, then --resume repeats it',
  async () => {
    const [one] = await replicas();
    asked = [];
    onCommand = async (member) => {
      await lab.stop(member);
      throw new Error('the disk is full');
    };
    const stopped = await roll('--only', one, '--exec', command());
    expect(stopped.code, stopped.err).toBe(4);
    expect(stopped.err).toContain(`Error: COMMAND for ${one} ended with 3; stopped\n`);
    expect(stopped.err).toContain(`${one} | Error: the disk is full\n`);
    // The member is still down: COMMAND is what repairs it.
    onCommand = restart;
    const resumed = await roll('--resume');
    expect(resumed.code, resumed.err).toBe(0);
    expect(asked).toEqual([one, one]);
  },
  LIMIT_MS,
);

test(
  'a member that does not come back: exit 4; once it is there, --resume only waits for it',
  async () => {
    const [, two] = await replicas();
    asked = [];
    onCommand = (member) => lab.stop(member);
    const stopped = await roll('--only', two, '--back-timeout', '4s', '--exec', command());
    expect(stopped.code, stopped.err).toBe(4);
    expect(stopped.err).toContain(`Error: ${two} is not back after COMMAND: `);
    await lab.start(two);
    const resumed = await roll('--resume', '--back-timeout', '2m');
    expect(resumed.code, resumed.err).toBe(0);
    expect(asked).toEqual([two]);
    expect(resumed.err).toContain(`COMMAND has already succeeded for ${two}`);
  },
  LIMIT_MS,
);

test(
  'Ctrl-C stops after the member at hand; a replica that falls behind then holds the next one',
  async () => {
    const [one, two] = await replicas();
    const leader = (await lab.leader()) ?? '';
    asked = [];
    onCommand = restart;
    const began = begin('--only', `${one},${two}`, '--exec', command());
    await eventually('COMMAND runs', 60_000, () => {
      if (began.run.exitCode !== null) throw new GiveUp(`it ended with ${began.run.exitCode}`);
      return asked.length > 0;
    });
    began.run.kill('SIGINT');
    const [first = ''] = asked;
    const second = first === one ? two : one;
    const [code, err] = await began.ended;
    expect(code, err).toBe(130);
    expect(err).toContain('stopping after the current member');
    expect(err).toContain(`done: COMMAND for ${first}; not started: COMMAND for ${second}\n`);
    expect(asked).toEqual([first]);

    const receiver = await eventually('it streams', 60_000, () => lab.walreceiverPid(first));
    lab.freezePid(receiver);
    try {
      await lab.psql(leader, 'CREATE TABLE behind AS SELECT generate_series(1, 100000) AS id');
      const held = await roll('--resume', '--gate-timeout', '3s', '--max-lag', '1MB');
      expect(held.code, held.err).toBe(1);
      expect(held.err).toContain(`Error: COMMAND was not run for ${second}: `);
      expect(held.err).toMatch(new RegExp(`${first} (has not caught up|is [\\d.]+ MiB behind)`));
      expect(asked).toEqual([first]);
    } finally {
      lab.thawPid(receiver);
    }
    const resumed = await roll('--resume', '--gate-timeout', '2m');
    expect(resumed.code, resumed.err).toBe(0);
    expect(asked).toEqual([first, second]);
  },
  LIMIT_MS,
);

function begin(...more: string[]): { run: ChildProcess; ended: Promise<[number | null, string]> } {
  const [program = '', ...first] = PATCTL;
  const run = spawn(program, [...first, ...words(...more)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const err = text(run.stderr);
  const ended = once(run, 'exit').then(async ([code]): Promise<[number | null, string]> => {
    return [code as number | null, await err];
  });
  return { run, ended };
}
