/** The lab itself: what other tests rely on. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.js';
import { openCluster, startCluster, type Lab } from '../support/lab/cluster.js';
import { down, downOrphans } from '../support/lab/down.js';
import { ownerOf, type Owner } from '../support/lab/lock.js';
import { cleanEnv, labProcesses, runProgram } from '../support/lab/process.js';
import { runPatctl, runPatronictl } from '../support/run.js';
import { privateCluster, sharedCluster, testOwner } from '../support/shared.js';

const CLI = fileURLToPath(new URL('../support/lab/cli.ts', import.meta.url));

async function cli(...args: string[]) {
  const env = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' };
  return await runProgram(process.execPath, ['--import', 'tsx', CLI, ...args], {
    env,
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    timeoutMs: 120_000,
  });
}

interface Listed {
  Member: string;
  Role: string;
  State: string;
}

async function listed(lab: Lab): Promise<Record<string, string>> {
  const run = await runPatronictl(lab, ['list', '-f', 'json']);
  expect(run.err).toBe('');
  const rows = JSON.parse(run.out) as Listed[];
  return Object.fromEntries(rows.map((row) => [row.Member, `${row.Role}, ${row.State}`]));
}

describe('the command line', () => {
  const scope = `lab-cli-${process.pid}`;
  afterAll(async () => {
    await down(scope);
  });

  test('up gives three healthy members within 20 s and one JSON line; down leaves nothing', async () => {
    const up = await cli('up', '--scope', scope);
    expect(up.err).toContain(`${scope}: healthy`);
    expect(up.code).toBe(0);
    expect(up.ms).toBeLessThan(20_000);

    const lines = up.out.split('\n');
    expect(lines).toHaveLength(2);
    const said = JSON.parse(up.out) as Record<string, unknown>;
    const fields = ['scope', 'config', 'patronictl', 'etcd', 'kubeconfig', 'members'];
    expect(Object.keys(said)).toEqual(fields);
    expect(said['scope']).toBe(scope);

    const status = await cli('status', '--scope', scope);
    expect(status.out).toBe(up.out);
    expect(status.err).toMatch(/pg2: patroni \d+, postmaster \d+/);

    const lab = await openCluster(scope);
    if (lab === null) throw new Error('it cannot be opened');
    expect(await listed(lab)).toEqual({
      pg1: 'Leader, running',
      pg2: 'Replica, streaming',
      pg3: 'Replica, streaming',
    });

    const again = await cli('up', '--scope', scope);
    expect(again.out).toBe(up.out);

    const gone = await cli('down', '--scope', scope);
    expect(gone.code).toBe(0);
    expect(labProcesses(lab.root)).toEqual([]);
    expect(existsSync(lab.root)).toBe(false);
  });

  test('what is not there is said with exit 1, a wrong command line with exit 2', async () => {
    const status = await cli('status', '--scope', 'lab-nobody');
    expect([status.code, status.out]).toEqual([1, '']);
    expect(status.err).toContain('there is no cluster lab-nobody');
    const wrong = await cli('up', '--sync', 'sometimes');
    expect([wrong.code, wrong.out]).toEqual([2, '']);
    expect(wrong.err).toContain('--sync is one of off, on, quorum');
  });
});

describe('a cluster to be broken', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await privateCluster({ sync: 'on' });
  });
  afterAll(async () => {
    await lab.down();
  });

  test('/sync, PostgreSQL and patronictl agree on the synchronous standby', async () => {
    const sync = JSON.parse((await lab.dcsGet('sync')) ?? '{}') as Record<string, unknown>;
    const rows = await lab.psql(
      'pg1',
      "SELECT application_name FROM pg_stat_replication WHERE sync_state = 'sync'",
    );
    expect(sync).toMatchObject({ leader: 'pg1', sync_standby: rows });
    expect((await listed(lab))[rows]).toBe('Sync Standby, streaming');
  });

  test('kill takes Patroni and leaves PostgreSQL running; start finds it again', async () => {
    const server = lab.postmasterPid('pg3');
    await lab.kill('pg3');
    expect(lab.patroniPid('pg3')).toBeNull();
    expect(lab.postmasterPid('pg3')).toBe(server);
    expect(await lab.psql('pg3', 'SELECT pg_is_in_recovery()')).toBe('t');
    await lab.start('pg3');
    expect(lab.postmasterPid('pg3')).toBe(server);
    expect(await lab.waitHealthy()).toBe('pg1');
  });

  test('kill --postgres takes the postmaster, and Patroni starts another', async () => {
    const server = lab.postmasterPid('pg3');
    await lab.kill('pg3', { postgres: true });
    const next = await eventually('another postmaster', 20_000, () => lab.postmasterPid('pg3'));
    expect(next).not.toBe(server);
    await lab.waitHealthy();
  });

  test('a frozen Patroni does not answer until it is thawed', async () => {
    lab.freeze('pg2');
    await expect(lab.rest('pg2', '/patroni', { timeoutMs: 500 })).rejects.toThrow();
    lab.thaw('pg2');
    const answer = await lab.rest('pg2', '/patroni');
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ patroni: { name: 'pg2', scope: lab.scope } });
  });

  test('a frozen walreceiver can be found and thawed', async () => {
    const pid = await lab.walreceiverPid('pg2');
    expect(lab.processes().some((found) => found.pid === pid && found.kind === 'other')).toBe(true);
    lab.freezePid(pid ?? 0);
    expect(lab.processes().find((found) => found.pid === pid)?.frozen).toBe(true);
    lab.thawPid(pid ?? 0);
  });

  test('stop and start a member and the only etcd', async () => {
    await lab.stop('pg3');
    expect(lab.postmasterPid('pg3')).toBeNull();
    await lab.stop('etcd1');
    await expect(lab.dcsGet('leader')).rejects.toThrow();
    await lab.start('etcd1');
    await lab.start('pg3');
    await lab.waitHealthy();
  });

  test('down leaves no process and no folder, whatever state it is in', async () => {
    await lab.kill('pg1');
    lab.freeze('pg2');
    lab.freeze('pg3', { postgres: true });
    await lab.down();
    expect(lab.processes()).toEqual([]);
    expect(existsSync(lab.root)).toBe(false);
  });
});

test('TLS everywhere, a password for REST, a standby cluster in the same etcd', async () => {
  const lab = await privateCluster({ members: 2, tls: true, restAuth: true });
  try {
    expect(await listed(lab)).toEqual({ pg1: 'Leader, running', pg2: 'Replica, streaming' });
    expect(
      await lab.psql(
        'pg1',
        'SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)',
      ),
    ).toBe('t');
    await expect(lab.rest('pg1', '/patroni', { certs: null })).rejects.toThrow();
    const anonymous = await lab.rest('pg1', '/reload', { method: 'POST', auth: undefined });
    expect(anonymous.status).toBe(401);

    const urls = ['--member-url', lab.member('pg2').restUrl];
    urls.push('--leader-url', lab.member('pg1').restUrl);
    const ready = ['ready', 'pg2', '--max-lag', '1MiB', ...urls];
    expect(await runPatctl(['-c', lab.config, ...ready])).toMatchObject({ code: 0, err: '' });
    // Without the certificates it is unknown.
    expect(await runPatctl(ready)).toMatchObject({ code: 3, out: '' });

    const scope = `${lab.scope}-standby`;
    const options = { scope, standbyOf: lab.scope, members: 1 };
    const standby = await startCluster(options, { owner: testOwner() });
    expect(await listed(standby)).toEqual({ pg1: 'Standby Leader, streaming' });
    expect(await lab.etcdctl('get', '--prefix', '--keys-only', `/service/${scope}/`)).toContain(
      'leader',
    );
    await standby.down();
    expect(await lab.etcdctl('get', '--prefix', '--keys-only', `/service/${scope}/`)).toBe('');
  } finally {
    await lab.down();
  }
});

describe('nothing is left behind', () => {
  test('a shared cluster is the same one for all tests with the same options', async () => {
    const first = await sharedCluster({ members: 1, loopWait: 1 });
    const server = first.postmasterPid('pg1');
    const second = await sharedCluster({ loopWait: 1, members: 1 });
    expect(second.scope).toBe(first.scope);
    expect(second.postmasterPid('pg1')).toBe(server);
    expect(server).not.toBeNull();
  });

  test("a dead run's cluster is an orphan; a live one's is not", async () => {
    const owner = await deadOwner();
    const orphan = await startCluster(
      { scope: `lab-orphan-${process.pid}`, members: 1 },
      { owner },
    );
    const child = await sharedCluster({ members: 1, loopWait: 1 });
    expect(await downOrphans()).toContain(orphan.scope);
    expect(existsSync(orphan.root)).toBe(false);
    expect(orphan.processes()).toEqual([]);
    expect(existsSync(child.root)).toBe(true);
  });

  test('the reaper takes them down as soon as its starter is gone', async () => {
    const owner = await deadOwner();
    const lab = await startCluster({ scope: `lab-reaped-${process.pid}`, members: 1 }, { owner });
    const reaper = fileURLToPath(new URL('../support/lab/reaper.ts', import.meta.url));
    const args = ['--import', 'tsx', reaper, String(owner.pid), owner.startTime];
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    await runProgram(process.execPath, args, { env: cleanEnv('/nonexistent'), cwd });
    expect(existsSync(lab.root)).toBe(false);
    expect(lab.processes()).toEqual([]);
  });
});

/** A process that has ended, for clusters that no test uses. */
async function deadOwner(): Promise<Owner> {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const owner = ownerOf(child.pid ?? 0);
  child.kill('SIGKILL');
  await once(child, 'exit');
  return owner;
}
