/** `--rest`: a cluster by the address of one member, with nothing that leads to its etcd. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ChangeDocument } from '../../src/actions/switchover/conclusion.js';
import type { CheckDocument } from '../../src/cluster/documents/check-document.js';
import type { QuorumDocument } from '../../src/cluster/documents/quorum-document.js';
import type { StatusDocument } from '../../src/cluster/documents/status-document.js';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { restWay } from '../support/rest-way.js';
import { runPatctl, runPatronictl, type RunResult } from '../support/run.js';
import { privateCluster } from '../support/shared.js';

let lab: Lab;
beforeAll(async () => {
  lab = await privateCluster({ sync: 'on', loopWait: 1 });
});
afterAll(() => lab.down());

/** By the address of a replica, which is nobody's first choice and has to do. */
async function byRest(...args: string[]): Promise<RunResult> {
  const leader = await lab.leader();
  const [replica = ''] = lab.members.map(({ name }) => name).filter((name) => name !== leader);
  return runPatctl([...restWay(lab, [replica]), ...args], { timeoutMs: 110_000 });
}

async function json<T>(...args: string[]): Promise<T> {
  const run = await byRest(...args, '-f', 'json');
  expect(run.err).toBe('');
  return JSON.parse(run.out) as T;
}

const byDcs = (...args: string[]) => runPatctl(['-c', lab.config, ...args]);

/** What decides who may be elected: by REST as by the DCS, though half of it was worked out. */
async function expectSameVotes(): Promise<QuorumDocument> {
  const read = JSON.parse((await byDcs('quorum', '-f', 'json')).out) as QuorumDocument;
  const told = await json<QuorumDocument>('quorum');
  const votes = ({ mode, sync, members, gate }: QuorumDocument) => ({
    mode,
    sync,
    members: members.map(({ name, voter, mayWin, counted, needed }) => [
      name,
      voter,
      mayWin,
      counted,
      needed,
    ]),
    gate: [gate?.unnamed, ...(gate?.named ?? [])].map((one) => one?.passes),
  });
  expect(votes(told)).toEqual(votes(read));
  return told;
}

async function expectHealthy(): Promise<void> {
  // The lab waits for the mode that it was made with, and that changes here.
  const healthy = ['wait', '--for', 'healthy', '--for', 'streaming=2', '--timeout', '60s'];
  expect((await runPatctl(['-c', lab.config, ...healthy], { timeoutMs: 90_000 })).code).toBe(0);
  await eventually('check by REST finds nothing', 30_000, async () => {
    const run = await byRest('check', '-f', 'json');
    const [cluster] = (JSON.parse(run.out) as CheckDocument).clusters;
    if (run.code !== 0) throw new Error(run.out);
    expect(cluster?.unknown.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['stale_failover_key', 'member_left']),
    );
    return true;
  });
}

async function changed(...args: string[]): Promise<ChangeDocument> {
  const run = await byRest('switchover', '--force', '-f', 'json', ...args);
  expect({ code: run.code, err: run.err }).toEqual({ code: 0, err: '' });
  return JSON.parse(run.out) as ChangeDocument;
}

test('mode on: the list is what patronictl lists, and what only the DCS knows is unknown', async () => {
  await expectHealthy();
  const theirs = await runPatronictl(lab, ['list']);
  const ours = await byRest('--compat', 'list');
  expect(ours.out).toBe(theirs.out);
  const status = await json<StatusDocument>('status');
  expect(status.sync.key).toMatchObject({ leader: await lab.leader(), quorum: 0 });
  expect(Object.keys(status.cannotTell)).toEqual(
    expect.arrayContaining(['failover', 'departed', 'other_clusters']),
  );
  expect(status.workedOut['sync']).toContain('synchronous_standby_names');
  await expectSameVotes();
});

test('without a login the votes of mode on follow from the leader, and those of quorum are unknown', async () => {
  const on = await json<QuorumDocument>('quorum', '--verify', 'rest');
  expect([on.sync?.leader, on.syncUnknown]).toEqual([await lab.leader(), null]);
});

test('the other commands need nothing but the address', async () => {
  const leader = (await lab.leader()) ?? '';
  for (const [args, out] of [
    [['leader'], `${leader}\n`],
    [['dsn', '-r', 'leader'], `port=${lab.member(leader).port}`],
    [['topology'], `| ${leader} `],
    [['show-config'], 'synchronous_mode: true'],
    [['version', lab.scope], 'PostgreSQL'],
    [['query', '-U', 'postgres', '-d', 'postgres', '-c', 'select 41 + 1'], '42'],
  ] as const) {
    const run = await runPatctl([...restWay(lab), ...args], {
      env: { PGPASSWORD: 'lab-secret-superuser' },
    });
    expect({ args, code: run.code, err: run.err }).toEqual({ args, code: 0, err: '' });
    expect(run.out).toContain(out);
  }
});

test('a switchover to a named standby, seen to the end', async () => {
  const before = await lab.leader();
  const status = await json<StatusDocument>('status');
  const [standby = ''] = status.sync.key?.standbys ?? [];
  const { result, plan } = await changed('--candidate', standby);
  expect(result).toMatchObject({ newLeader: standby, oldLeader: before });
  expect(await lab.leader()).toBe(standby);
  const open = plan.checks.filter((one) => one.result === 'unknown').map(({ name }) => name);
  expect(open).toEqual(['dcs_readable', 'failover_pending']);
  await expectHealthy();
});

test('edit-config says that its guard is weaker, and Patroni has what was edited', async () => {
  const run = await byRest('edit-config', '--force', '-s', 'synchronous_mode=quorum', '--wait');
  expect(run.err).toContain('the guard is weaker');
  expect(run.code).toBe(0);
  const config = JSON.parse((await lab.dcsGet('config')) ?? '') as Record<string, unknown>;
  expect(config['synchronous_mode']).toBe('quorum');
});

test('mode quorum: the votes are those of the DCS, worked out, and unknown without a login', async () => {
  await expectHealthy();
  const told = await expectSameVotes();
  expect(told.syncWorkedOut).toMatch(
    /roles in GET \/cluster, and synchronous_standby_names of pg\d: 'ANY 1/,
  );
  const open = await json<QuorumDocument>('quorum', '--verify', 'rest');
  expect(open.sync).toBeNull();
  expect(open.syncUnknown).toContain('was not read (SQL)');
  expect(open.members.map(({ mayWin }) => mayWin)).toEqual(['unknown', 'unknown']);
  const plan = await byRest('switchover', '--dry-run', '--verify', 'rest');
  expect([plan.code, plan.out + plan.err]).toEqual([1, expect.stringContaining('data_loss')]);
});

test('mode quorum: a switchover to whom Patroni chooses', async () => {
  const before = await lab.leader();
  const { result } = await changed();
  expect(result?.oldLeader).toBe(before);
  expect(await lab.leader()).toBe(result?.newLeader);
  await expectHealthy();
});

test('a scheduled switchover is shown, and flushed', async () => {
  const at = '2036-01-01T00:00:00+00:00';
  expect((await byRest('switchover', '--force', '--scheduled', at)).code).toBe(0);
  expect((await byRest('list')).out).toContain(`Switchover scheduled at: ${at}`);
  expect((await byRest('flush', lab.scope, 'switchover')).code).toBe(0);
  expect(await lab.dcsGet('failover')).toBe('{}');
});

test('paused: told, and every member is waited for', async () => {
  expect((await byRest('pause', '--wait')).code).toBe(0);
  expect((await json<StatusDocument>('status')).mode.paused).toBe(true);
  expect((await byRest('check')).code).toBe(1);
  expect((await byRest('resume', '--wait')).code).toBe(0);
  await expectHealthy();
});

test('restart --rolling, and wait', async () => {
  const started = await lab.psql('pg3', 'select pg_postmaster_start_time()');
  const run = await byRest('restart', lab.scope, '--rolling', '--force');
  expect([run.code, run.out + run.err]).toEqual([
    0,
    expect.stringContaining('restarted 3 members'),
  ]);
  expect(await lab.psql('pg3', 'select pg_postmaster_start_time()')).not.toBe(started);
  expect((await byRest('wait', '--for', 'healthy', '--for', 'streaming=2')).code).toBe(0);
});

test('what has no API ends with 2 and says what it needs', async () => {
  for (const args of [
    ['remove', lab.scope],
    ['switchover', '--force', '--via', 'dcs'],
  ]) {
    const run = await byRest(...args);
    expect([run.code, run.err]).toEqual([2, expect.stringContaining('needs the DCS')]);
  }
});

test('mode off: nothing is voted on, and a switchover works', async () => {
  expect(
    (await byRest('edit-config', '--force', '-s', 'synchronous_mode=off', '--wait')).code,
  ).toBe(0);
  await expectHealthy();
  expect((await expectSameVotes()).mode).toBe('off');
  const before = await lab.leader();
  const { result } = await changed('--candidate', 'auto');
  expect(result).toMatchObject({ oldLeader: before, newLeader: await lab.leader() });
});

test('one member frozen, another serves: the next address is asked', async () => {
  const leader = (await lab.leader()) ?? '';
  const [frozen = '', other = ''] = lab.members
    .map(({ name }) => name)
    .filter((name) => name !== leader);
  lab.freeze(frozen);
  try {
    const run = await runPatctl([...restWay(lab, [frozen, other]), '--timeout', '1s', 'leader']);
    expect(run).toMatchObject({ code: 0, out: `${leader}\n` });
    const alone = await runPatctl([...restWay(lab, [frozen]), '--timeout', '1s', 'list']);
    expect([alone.code, alone.err]).toEqual([3, expect.stringContaining('no member answered')]);
  } finally {
    lab.thaw(frozen);
  }
});
