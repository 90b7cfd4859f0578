/** switchover, failover and flush on real clusters: every ending provoked, every success looked at from outside. */
import { spawn } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ChangeDocument } from '../../src/actions/switchover/conclusion.js';
import { loadConfig } from '../../src/config/load.js';
import { openPatroni } from '../../src/patroni/rest.js';
import type { Patroni } from '../../src/patroni/patroni.js';
import { startProxy } from '../contract/tcp-proxy.js';
import { change, runUntil, streamingMembers, type Changed } from '../support/change.js';
import { eventually } from '../support/eventually.js';
import { runInProcess } from '../support/in-process.js';
import type { Lab } from '../support/lab/cluster.js';
import { cleanEnv } from '../support/lab/process.js';
import { runPatctl } from '../support/run.js';
import { privateCluster } from '../support/shared.js';

type Mode = 'off' | 'on' | 'quorum';

async function setMode(lab: Lab, mode: Mode): Promise<void> {
  const leader = await lab.leader();
  const synchronous = { off: false, on: true, quorum: 'quorum' }[mode];
  const body = { synchronous_mode: synchronous };
  await lab.rest(leader ?? '', '/config', { method: 'PATCH', body });
  await settled(lab, mode);
}

/** /sync is as the mode wants it, and every replica streams. */
async function settled(lab: Lab, mode: Mode): Promise<void> {
  const standbys = { off: 0, on: 1, quorum: lab.members.length - 1 }[mode];
  await eventually(`mode ${mode}`, 30_000, async () => {
    const sync = JSON.parse((await lab.dcsGet('sync')) ?? '{}') as { sync_standby?: string | null };
    const names = (sync.sync_standby ?? '').split(',').filter((name) => name !== '');
    const streaming = await streamingMembers(lab);
    return names.length === standbys && streaming.length === lab.members.length - 1;
  });
}

/** A member that the mode lets lead next. */
async function nextLeader(lab: Lab, mode: Mode): Promise<string> {
  const leader = await lab.leader();
  const sync = JSON.parse((await lab.dcsGet('sync')) ?? '{}') as { sync_standby?: string | null };
  const [first] = (sync.sync_standby ?? '').split(',');
  if (mode !== 'off') return first ?? '';
  return lab.members.find(({ name }) => name !== leader)?.name ?? '';
}

/** What was said is so: asked without patctl. */
async function expectProven(lab: Lab, { document }: Changed, mode: Mode): Promise<void> {
  const { result } = document;
  const leader = await lab.leader();
  expect(result?.newLeader).toBe(leader);
  expect(await lab.psql(leader ?? '', 'SELECT pg_is_in_recovery()')).toBe('f');
  const timeline = 'SELECT timeline_id FROM pg_control_checkpoint()';
  await lab.psql(leader ?? '', 'CHECKPOINT');
  expect(Number(await lab.psql(leader ?? '', timeline))).toBe(result?.timeline);
  expect(await streamingMembers(lab)).toEqual(
    lab.members.map(({ name }) => name).filter((name) => name !== leader),
  );
  const steps = document.steps.map(({ step }) => step);
  expect(steps).toEqual(expect.arrayContaining(['accepted', 'released', 'locked', 'writable']));
  expect(steps.includes('sync_restored')).toBe(mode !== 'off');
  expect(result?.writeOutageMs).toBeGreaterThan(0);
  expect(result?.writeOutageMs).toBeLessThan(15_000);
}

describe('a cluster of three', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await privateCluster({ sync: 'off' });
  });
  afterAll(async () => {
    await lab.down();
  });

  describe.each(['off', 'on', 'quorum'] as const)('synchronous mode %s', (mode) => {
    beforeAll(async () => {
      await setMode(lab, mode);
    });

    test('switchover to the replica that Patroni chooses', async () => {
      const before = await lab.leader();
      const changed = await change(lab, 'switchover');
      expect([changed.code, changed.document.ending, changed.err]).toEqual([0, 'ok', '']);
      expect(changed.document.result?.oldLeader).toBe(before);
      await expectProven(lab, changed, mode);
    });

    test('switchover to a named member', async () => {
      await settled(lab, mode);
      const candidate = await nextLeader(lab, mode);
      const changed = await change(lab, 'switchover', '--candidate', candidate);
      expect([changed.code, changed.err]).toEqual([0, '']);
      expect(changed.document.result?.newLeader).toBe(candidate);
      await expectProven(lab, changed, mode);
    });

    test('failover to a named member', async () => {
      await settled(lab, mode);
      const candidate = await nextLeader(lab, mode);
      const changed = await change(lab, 'failover', '--candidate', candidate);
      expect([changed.code, changed.err]).toEqual([0, '']);
      expect(changed.document.result?.newLeader).toBe(candidate);
      await expectProven(lab, changed, mode);
    });
  });

  describe('refused, with nothing changed', () => {
    test('an asynchronous candidate in synchronous mode, also when Patroni has to say so', async () => {
      await setMode(lab, 'on');
      const leader = await lab.leader();
      const sync = await nextLeader(lab, 'on');
      const async = lab.members.find(({ name }) => name !== leader && name !== sync)?.name ?? '';
      const refused = await change(lab, 'switchover', '--candidate', async);
      expect([refused.code, refused.document.code]).toEqual([1, 'refused']);
      expect(refused.document.plan.refusedBy).toContain('candidate_sync');
      expect(refused.document.sent).toBeNull();

      const skips = refused.document.plan.refusedBy.flatMap((name) => ['--skip-check', name]);
      const asked = await change(lab, 'switchover', '--candidate', async, ...skips);
      expect([asked.code, asked.document.code]).toEqual([1, 'refused_by_patroni']);
      expect(asked.document.sent).toMatchObject({ to: leader, status: 412, lost: null });
      expect(JSON.stringify(asked.document.evidence)).toContain('candidate_sync');
      expect(await lab.leader()).toBe(leader);
      await setMode(lab, 'off');
    });

    test('a leader that is none', async () => {
      const args = ['-c', lab.config, 'switchover', '--force', '--leader', 'pg9'];
      const run = await runPatctl(args);
      expect(run.code).toBe(1);
      expect(run.err).toContain(`Member pg9 is not the leader of cluster ${lab.scope}`);
    });

    test('no candidate, and every standby is stalled: the winner would lack what was written', async () => {
      await settled(lab, 'off');
      const leader = (await lab.leader()) ?? '';
      const standbys = lab.members.map(({ name }) => name).filter((name) => name !== leader);
      const pids = await Promise.all(standbys.map((name) => lab.walreceiverPid(name)));
      const frozen = pids.map((pid) => {
        if (pid === null) throw new Error('no WAL receiver');
        lab.freezePid(pid);
        return pid;
      });
      try {
        await lab.psql(leader, 'CREATE TABLE IF NOT EXISTS still (t text)');
        await lab.psql(leader, "INSERT INTO still VALUES ('acknowledged')");
        const run = await change(lab, 'switchover');
        expect([run.code, run.document.sent, run.document.plan.refusedBy]).toEqual([
          1,
          null,
          ['data_loss'],
        ]);
        expect(run.document.plan.dataLoss.verdict).toBe('possible');
        expect(await lab.leader()).toBe(leader);
      } finally {
        for (const pid of frozen) lab.thawPid(pid);
      }
      await settled(lab, 'off');
    });
  });

  test('scheduled, read back, and flushed', async () => {
    const leader = await lab.leader();
    const scheduled = await change(lab, 'switchover', '--scheduled', '+30m');
    expect([scheduled.code, scheduled.document.code]).toEqual([0, 'scheduled']);
    const key = JSON.parse((await lab.dcsGet('failover')) ?? '{}') as Record<string, string>;
    expect(key).toMatchObject({ leader });
    const inMs = Date.parse(key['scheduled_at'] ?? '') - Date.now();
    expect(inMs).toBeGreaterThan(29 * 60_000);
    expect(inMs).toBeLessThanOrEqual(30 * 60_000);
    const flush = ['-c', lab.config, 'flush', lab.scope, 'switchover'];
    expect(await runPatctl(flush)).toMatchObject({
      code: 0,
      out: 'Success: scheduled switchover deleted\n',
    });
    expect(JSON.parse((await lab.dcsGet('failover')) ?? '{}')).toEqual({});
    expect(await runPatctl(flush)).toMatchObject({
      code: 0,
      out: 'No pending scheduled switchover\n',
    });
    expect(await lab.leader()).toBe(leader);
  });

  test('a request that was left over is cleared with --stuck only', async () => {
    lab.freeze((await lab.leader()) ?? '');
    try {
      await lab.dcsPut('failover', '{"leader":"nobody"}');
      const flush = ['-c', lab.config, 'flush', lab.scope, 'switchover', '--force'];
      const without = await runPatctl(flush);
      expect([without.code, without.out]).toEqual([0, 'No pending scheduled switchover\n']);
      expect(without.err).toContain('switchover from nobody');
      expect((await runPatctl([...flush, '--stuck'])).code).toBe(0);
      expect(await lab.dcsGet('failover')).toBe('{}');
    } finally {
      lab.thaw((await lab.leader()) ?? '');
    }
  });

  test('an answer that is lost: one request, and the truth from the DCS', async () => {
    await settled(lab, 'off');
    const leader = (await lab.leader()) ?? '';
    const proxy = await startProxy(
      {
        protocol: 'http',
        host: '127.0.0.1',
        port: Number(new URL(lab.member(leader).restUrl).port),
      },
      { marker: 'POST /switchover', lose: 'answer' },
    );
    try {
      const run = await runBehind(lab, proxy.endpoint.port, [
        'switchover',
        '--force',
        '--wait',
        'healthy',
      ]);
      expect(run.err).not.toContain('Error');
      expect(run.code).toBe(0);
      expect(proxy.seen()).toBe(1);
      expect(run.out).toContain(`Successfully switched over to "${(await lab.leader()) ?? ''}"`);
      expect(await lab.leader()).not.toBe(leader);
    } finally {
      await proxy.close();
    }
  });

  test('the candidate freezes while the leader stops: another wins, and that is said', async () => {
    await settled(lab, 'off');
    const candidate = await nextLeader(lab, 'off');
    try {
      const args = ['switchover', '--candidate', candidate, '--wait', 'writable', '-f', 'json'];
      const run = await runUntil(lab, args, 'stopping', () => lab.freeze(candidate));
      const document = JSON.parse(run.out) as ChangeDocument;
      const winner = (await lab.leader()) ?? '';
      expect([run.code, document.ending, document.exit]).toEqual([6, 'diverted', 6]);
      expect(document.message).toBe(`Switched over to "${winner}" instead of "${candidate}"`);
      expect(winner).not.toBe(candidate);
    } finally {
      lab.thaw(candidate);
    }
  });

  test('SIGINT ends the waiting and not the switchover', async () => {
    await settled(lab, 'off');
    const leader = await lab.leader();
    const run = await runUntil(lab, ['switchover'], 'accepted', (kill) => kill('SIGINT'));
    expect(run.code).toBe(130);
    expect(run.err).toContain('the switchover was sent and continues by itself');
    expect(run.err).toContain(` status ${lab.scope}`);
    await eventually('another leader', 20_000, async () => {
      const now = await lab.leader();
      return now !== null && now !== leader;
    });
    await settled(lab, 'off');
  });

  test("the leader's REST API is gone: nothing is sent, and the other way is named", async () => {
    await settled(lab, 'off');
    const leader = (await lab.leader()) ?? '';
    lab.freeze(leader);
    try {
      const skips = ['leader_alive', 'votes', 'data_loss'].flatMap((name) =>
        name === 'data_loss' ? ['--allow-data-loss'] : ['--skip-check', name],
      );
      const run = await change(lab, 'switchover', ...skips);
      expect([run.code, run.document.sent]).toEqual([3, null]);
      expect(run.err).toContain('--via dcs');
      expect(await lab.dcsGet('failover')).toSatisfy((value) => value === null || value === '{}');
    } finally {
      lab.thaw(leader);
    }
  });

  test('--via dcs writes the request, and Patroni carries it out', async () => {
    await settled(lab, 'off');
    const candidate = await nextLeader(lab, 'off');
    const changed = await change(lab, 'switchover', '--via', 'dcs', '--candidate', candidate);
    expect([changed.code, changed.err]).toEqual([0, '']);
    expect(changed.document.sent?.to).toBe('DCS');
    expect(await lab.leader()).toBe(candidate);
  });
});

/** patctl in this process, its requests (not its questions) going through the proxy. */
async function runBehind(lab: Lab, port: number, args: string[]) {
  const patroni = async (): Promise<Patroni> => {
    const flags = { configFile: lab.config, dcsUrl: undefined, insecure: false };
    const env = cleanEnv('/nonexistent');
    const config = await loadConfig({ flags, env, home: '/nonexistent', platform: 'linux' });
    const real = openPatroni(config.rest);
    return {
      status: (target, timeoutMs) => real.status(target, timeoutMs),
      call: (method, _apiUrl, path, body, timeoutMs) =>
        real.call(method, `http://127.0.0.1:${port}/patroni`, path, body, timeoutMs),
    };
  };
  return await runInProcess(['-c', lab.config, ...args], { patroni });
}

describe('a logical client that confirms nothing', () => {
  let lab: Lab;
  let client: ReturnType<typeof spawn> | null = null;
  beforeAll(async () => {
    lab = await privateCluster({ sync: 'off', members: 2, parameters: { wal_level: 'logical' } });
  });
  afterEach(() => {
    client?.kill('SIGKILL');
  });
  afterAll(async () => {
    await lab.down();
  });

  /** Receives from the leader, stops for good, and leaves something unconfirmed behind. */
  async function stuckClient(): Promise<number> {
    const leader = (await lab.leader()) ?? '';
    const args = ['-h', `${lab.root}/run`, '-p', String(lab.member(leader).port), '-U', 'postgres'];
    const receive = ['-d', 'postgres', '--slot', 'stuck', '--create-slot', '--if-not-exists'];
    const start = ['--start', '-f', '/dev/null', '-s', '1', '-P', 'test_decoding'];
    client = spawn('/usr/lib/postgresql/15/bin/pg_recvlogical', [...args, ...receive, ...start], {
      stdio: 'ignore',
      env: cleanEnv('/nonexistent'),
    });
    const pid = await eventually('the client streams', 10_000, () =>
      lab.psql(leader, "SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'stuck'"),
    );
    const emit = "SELECT pg_logical_emit_message(true, 'x', repeat('y', 100000))";
    await eventually('it has confirmed something', 15_000, async () => {
      await lab.psql(leader, emit);
      const of = `FROM pg_stat_replication WHERE pid = ${pid} AND flush_lsn IS NOT NULL`;
      return lab.psql(leader, `SELECT 1 ${of}`);
    });
    lab.freezePid(client.pid ?? 0);
    await lab.psql(leader, emit);
    await eventually(
      'it has been silent for long enough to be called stuck',
      20_000,
      () =>
        lab.psql(
          leader,
          `SELECT 1 FROM pg_stat_replication WHERE pid = ${pid} AND reply_time < now() - interval '12.5 s'`,
        ),
      300,
    );
    return Number(pid);
  }

  test('is named and refused; ended on request, and the switchover completes', async () => {
    const pid = await stuckClient();
    const leader = await lab.leader();
    const refused = await change(lab, 'switchover');
    expect([refused.code, refused.document.plan.refusedBy]).toEqual([1, ['logical_walsenders']]);
    expect(refused.document.plan.logical).toMatchObject([{ pid, slotName: 'stuck', stuck: true }]);
    expect(await lab.leader()).toBe(leader);

    const done = await change(lab, 'switchover', '--terminate-logical', '--progress', 'json');
    expect(done.err).toContain(`terminated the logical walsender of slot stuck, pid ${pid}`);
    expect(done.code).toBe(0);
    expect(await lab.leader()).not.toBe(leader);
  });

  test('holds the shutdown when the check is skipped, until it is ended on the host', async () => {
    const pid = await stuckClient();
    const args = ['switchover', '--skip-check', 'logical_walsenders', '-f', 'json'];
    const run = await runUntil(lab, args, 'holding', () => process.kill(pid, 'SIGTERM'));
    expect(run.err).toContain(`kill -TERM ${pid}`);
    expect(run.code).toBe(0);
    const document = JSON.parse(run.out) as ChangeDocument;
    expect(document.result?.writeOutageMs).toBeGreaterThan(4000);
  });
});

describe('Patroni 4.0.5 in quorum mode', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await privateCluster({ sync: 'quorum', patroni: '4.0.5' });
  });
  afterAll(async () => {
    await lab.down();
  });

  test('its refusal of a named candidate is foretold, and reported when it comes', async () => {
    const leader = await lab.leader();
    const foretold = await change(lab, 'switchover', '--candidate', 'pg2');
    expect([foretold.code, foretold.document.plan.refusedBy]).toEqual([
      1,
      expect.arrayContaining(['patroni_405_quorum']),
    ]);
    const skips = foretold.document.plan.refusedBy.flatMap((name) => ['--skip-check', name]);
    const asked = await change(lab, 'switchover', '--candidate', 'pg2', ...skips);
    expect([asked.code, asked.document.code]).toEqual([1, 'dropped_by_patroni']);
    expect(JSON.stringify(asked.document.evidence)).toContain('4.0.5');
    expect(await lab.leader()).toBe(leader);
    expect((await change(lab, 'switchover')).code).toBe(0);
  });
});
