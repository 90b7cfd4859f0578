/** pause, restart, reinit and remove on a real quorum cluster, beside the real patronictl and under load. */
import { writeFileSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startProxy } from '../contract/tcp-proxy.js';
import type { Lab } from '../support/lab/cluster.js';
import { runPatctl, runPatronictl, type RunResult } from '../support/run.js';
import { privateCluster } from '../support/shared.js';
import { writeLoad } from '../support/write-load.js';

let lab: Lab;
const patctl = (...args: string[]): Promise<RunResult> => runPatctl(['-c', lab.config, ...args]);

beforeAll(async () => {
  lab = await privateCluster({ sync: 'quorum' });
});
afterAll(async () => {
  await lab.down();
});

async function config(): Promise<unknown> {
  return JSON.parse((await lab.dcsGet('config')) ?? '{}');
}

/** stdout without the table, whose positions move. */
const below = ({ out }: RunResult): string[] =>
  out.split('\n').filter((line) => !/^[+|]/.test(line));

describe('patctl --compat and patronictl', () => {
  async function same(args: string[], undo: string[] | null): Promise<void> {
    const theirs = await runPatronictl(lab, args);
    const theirConfig = await config();
    if (undo) await runPatronictl(lab, undo);
    await lab.waitHealthy();
    const ours = await patctl('--compat', ...args);
    expect(below(ours)).toEqual(below(theirs));
    expect([ours.code, theirs.code, ours.err]).toEqual([0, 0, '']);
    expect(await config()).toEqual(theirConfig);
    if (undo) await runPatronictl(lab, undo);
  }

  test('pause and resume, with and without --wait', async () => {
    await same(['pause'], ['resume']);
    await same(['pause', '--wait'], ['resume', '--wait']);
    await runPatronictl(lab, ['pause', '--wait']);
    await same(['resume', '--wait'], ['pause', '--wait']);
    await runPatronictl(lab, ['resume', '--wait']);
  }, 90_000);

  test('restart, reload and reinit of one member', async () => {
    await same(['reload', lab.scope, '--force'], null);
    await same(['restart', lab.scope, 'pg2', '--force'], null);
    await same(['restart', lab.scope, '--pending', '--force'], null);
    await same(['reinit', lab.scope, 'pg3', '--force', '--wait'], null);
    await lab.waitHealthy();
  }, 120_000);

  test('refusals have the same words, on stderr, and are exit 1', async () => {
    for (const args of [
      ['resume'],
      ['restart', lab.scope, 'nobody', '--force'],
      ['reinit', lab.scope, 'pg1', '--force'],
    ]) {
      const theirs = await runPatronictl(lab, args);
      const ours = await patctl('--compat', ...args);
      expect([ours.code, theirs.code]).toEqual([1, 1]);
      // Hints stand above it.
      expect(ours.err.split('\n').at(-2)).toBe(theirs.err.split('\n').at(-2));
    }
  }, 60_000);
});

describe('a member whose Patroni is frozen', () => {
  test('pause --wait names it and is exit 5; patronictl says Success', async () => {
    lab.freeze('pg3');
    try {
      const run = await patctl('pause', '--wait', '--deadline', '6s');
      expect([run.code, run.out.includes('Success')]).toEqual([5, false]);
      expect(run.err).toMatch(/^Error: not acknowledged by pg3\n {2}REST pg3: no whole answer/);
      expect(await config()).toMatchObject({ pause: true });
      // The acknowledgement of the others is not waited for again.
      const again = await patctl('pause', '--idempotent');
      expect([again.code, again.out]).toEqual([0, 'Cluster is already paused\n']);
    } finally {
      lab.thaw('pg3');
    }
    const resumed = await patctl('resume', '--wait', '--deadline', '20s');
    expect([resumed.code, resumed.err]).toEqual([0, '']);
  }, 60_000);

  test('restart ends within seconds, and nothing was sent', async () => {
    lab.freeze('pg3');
    try {
      const startedMs = Date.now();
      const run = await patctl('restart', lab.scope, 'pg3', '--force');
      expect(run.code).toBe(3);
      expect(below(run)[0]).toMatch(/^Failed: restart for member pg3, not sent: /);
      expect(Date.now() - startedMs).toBeLessThan(10_000);
      const rolling = await patctl('restart', lab.scope, '--rolling', '--force');
      expect([rolling.code, rolling.err.includes('nothing was restarted')]).toEqual([1, true]);
    } finally {
      lab.thaw('pg3');
    }
    await lab.waitHealthy();
  }, 60_000);
});

// ---------------------------------------------------------------- under load

/** When the steps of a rolling restart began, by its own times, reckoned back from its end. */
function stepTimes(run: RunResult, endedMs: number): { said: string; atMs: number }[] {
  const totalMs = Number(/restarted \d+ members in ([\d.]+) s/.exec(run.err)?.[1]) * 1000;
  return [...run.err.matchAll(/^ +([\d.]+) s {2}\d of \d: (.*)$/gm)].map(([, at, said = '']) => ({
    said,
    atMs: endedMs - totalMs + Number(at) * 1000,
  }));
}

describe('restart --rolling under a constant write load', () => {
  const SLACK_MS = 1000;

  test('no failed commit but those of the primary step, none lost', async () => {
    await lab.waitHealthy();
    const leader = (await lab.leader()) ?? '';
    const started = (name: string) => lab.psql(name, 'SELECT pg_postmaster_start_time()');
    const names = lab.members.map(({ name }) => name);
    const before = await Promise.all(names.map(started));
    await lab.psql(leader, 'DROP TABLE IF EXISTS load; CREATE TABLE load (id int)');
    const load = writeLoad(lab);
    let run: RunResult;
    let endedMs: number;
    try {
      run = await patctl('restart', lab.scope, '--rolling', '--force');
      endedMs = Date.now();
    } finally {
      await load.stop();
    }
    expect(run.code, run.err).toBe(0);
    const after = await Promise.all(names.map(started));
    expect(after.filter((time, at) => time === before[at])).toEqual([]);

    const primaryStep = stepTimes(run, endedMs).find(({ said }) =>
      /^restart pg\d \(primary/.test(said),
    );
    const failed = load.writes.filter((write) => write.failed !== null);
    const early = failed.filter(({ atMs, tookMs }) => {
      return atMs + tookMs < (primaryStep?.atMs ?? Infinity) - SLACK_MS;
    });
    expect(early).toEqual([]);
    const rows = await lab.psql((await lab.leader()) ?? '', 'SELECT id FROM load');
    const stored = new Set(rows.split('\n').map(Number));
    const acknowledged = load.writes.filter((write) => write.failed === null);
    expect(acknowledged.filter(({ id }) => !stored.has(id))).toEqual([]);
    const slowest = Math.max(...acknowledged.map(({ tookMs }) => tookMs));
    console.log(
      `in place: ${acknowledged.length} commits, ${failed.length} failed, slowest ${slowest} ms`,
    );
  }, 120_000);
});

test('reinit --wait shows how far the copy is and ends when the member streams', async () => {
  await lab.waitHealthy();
  const leader = (await lab.leader()) ?? '';
  const member = lab.members.find(({ name }) => name !== leader)?.name ?? '';
  await lab.psql(
    leader,
    "CREATE TABLE big AS SELECT g, repeat('x', 500) FROM generate_series(1, 80000) g",
  );
  // Slow enough to be watched.
  const file = lab.memberConfig(member);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('    - checkpoint: fast\n', "$&    - max-rate: '20M'\n"));
  expect((await patctl('reload', lab.scope, member, '--force', '--wait')).code).toBe(0);
  const run = await patctl('reinit', lab.scope, member, '--force', '--wait', '--deadline', '60s');
  writeFileSync(file, text);
  expect(run.code, run.err).toBe(0);
  expect(below(run)).toEqual([
    `Success: reinitialize for member ${member}`,
    `Waiting for reinitialize to complete on: ${member}`,
    `Reinitialize is completed on: ${member}`,
    '',
  ]);
  expect(run.err).toMatch(
    /is being copied: [\d.]+ MiB of [\d.]+ MiB \(\d+ %\), [\d.]+ MiB\/s, \d+ s left\n/,
  );
  const { json } = await lab.rest(member, '/patroni');
  expect(json).toMatchObject({ state: 'running', replication_state: 'streaming' });
}, 120_000);

test('demote-cluster to a remote that is not there, and promote-cluster back', async () => {
  await lab.waitHealthy();
  const { port } = lab.member('pg2');
  // By its address, by a name of it, and by another address that leads there.
  const target = { protocol: 'http', host: '127.0.0.1', port } as const;
  const proxy = await startProxy(target, { marker: 'nothing is lost', lose: 'request' });
  try {
    const places: [string, number][] = [
      ['127.0.0.1', port],
      ['localhost', port],
      ['127.0.0.1', proxy.endpoint.port],
    ];
    for (const [host, at] of places) {
      const refused = await patctl('demote-cluster', '--host', host, '--port', `${at}`, '--force');
      expect([refused.code, refused.err]).toEqual([
        1,
        `Error: ${host}:${at} is pg2 of ${lab.scope} itself; nothing was sent\n`,
      ]);
    }
  } finally {
    await proxy.close();
  }
  expect(await config()).not.toHaveProperty('standby_cluster');
  const demoted = await patctl(
    ...['demote-cluster', '--host', '127.0.0.1', '--port', '1', '--force', '--deadline', '25s'],
  );
  expect(demoted.code, demoted.err).toBe(4);
  expect(demoted.err).toMatch(
    /Error: the cluster is demoted, but .*pg\d does not stream from 127\.0\.0\.1:1\b/,
  );
  expect(demoted.err).toContain('warning: 127.0.0.1:1 could not be checked: ');
  expect(demoted.out).not.toContain('successfully');
  expect(await config()).toMatchObject({ standby_cluster: { host: '127.0.0.1', port: 1 } });
  const promoted = await patctl('promote-cluster', '--force', '--deadline', '40s');
  expect(promoted.code, promoted.err).toBe(0);
  expect(promoted.out).toContain('cluster is successfully promoted\n');
  expect(await config()).not.toHaveProperty('standby_cluster');
}, 120_000);

// Last: it takes the cluster's memory away.
test('remove takes this cluster and not the ones whose names begin alike', async () => {
  const leader = (await lab.leader()) ?? '';
  const neighbours = [`/service/${lab.scope}2/leader`, `/service/${lab.scope}-x/members/a`];
  for (const key of neighbours) await lab.etcdctl('put', key, 'kept');
  await lab.dcsPut('mine/alone', 'kept');
  const created = async (): Promise<string> => {
    const answer = await lab.etcdctl('get', '-w', 'json', `/service/${lab.scope}/config`);
    return /"create_revision":(\d+)/.exec(answer)?.[1] ?? 'none';
  };
  const createdBefore = await created();
  const wrong = ['--confirm-name', lab.scope, '--confirm-leader', 'nobody', '--yes'];
  expect((await patctl('remove', lab.scope, ...wrong)).code).toBe(1);
  expect(await lab.leader()).toBe(leader);
  const sure = ['--confirm-name', lab.scope, '--confirm-leader', leader, '--yes'];
  const removed = await patctl('remove', lab.scope, ...sure);
  expect(removed.code, removed.err).toBe(0);
  expect(removed.err).toMatch(/ written (?:its|their) keys again: stop Patroni first\n/);
  expect(removed.err).toContain('mine/alone');
  for (const key of neighbours)
    expect(await lab.etcdctl('get', '--print-value-only', key)).toBe('kept\n');
  expect(await lab.dcsGet('mine/alone')).toBe('kept');
  expect(await created()).not.toBe(createdBefore);
}, 60_000);
