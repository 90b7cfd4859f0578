/** Two groups of a Citus cluster, as Patroni runs them: each is a cluster, and none is taken for another. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { change, streamingMembers } from '../support/change.js';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { runPatctl, runPatronictl, type RunResult } from '../support/run.js';
import { ours, theirs, timeless } from '../support/screens.js';
import { privateCluster } from '../support/shared.js';
import { onTerminal } from '../support/terminal.js';

/** Group 0: its configuration is what the programs get, so that group 1 is always another's. */
let coordinator: Lab;
let worker: Lab;

beforeAll(async () => {
  const scope = `citus${process.pid}`;
  const options = { members: 2, loopWait: 1 };
  coordinator = await privateCluster({ ...options, scope, citus: { group: 0, of: scope } });
  worker = await privateCluster({
    ...options,
    scope: `${scope}-1`,
    citus: { group: 1, of: scope },
  });
  await registered('pg1', 'wk1');
}, 180_000);
afterAll(async () => {
  await worker.down();
  await coordinator.down();
});

/** Patroni's own Citus part has registered the leader at the coordinator; this may take a ttl, 20 s. */
async function registered(...leaders: [string, string]): Promise<void> {
  const ports = [coordinator.member(leaders[0]).port, worker.member(leaders[1]).port];
  const sql =
    "SELECT string_agg(nodeport::text, ',' ORDER BY groupid) FROM pg_dist_node WHERE noderole = 'primary'";
  await eventually(`${leaders.join(' and ')} lead their groups`, 60_000, async () => {
    const rows = await coordinator.psql((await coordinator.leader()) ?? '', sql);
    return rows === ports.join(',');
  });
}

const healthy = async () => [await coordinator.waitHealthy(), await worker.waitHealthy()];
const leaders = async () => [await coordinator.leader(), await worker.leader()];
const patctl = (...args: string[]) => runPatctl(['-c', coordinator.config, ...args]);

/** stdout without what moves between two runs. */
function settled({ out, code }: RunResult): { out: string; code: number | null } {
  return { out: timeless(out).replace(/\b[0-9A-F]+\/[0-9A-F]+\b/g, 'LSN'), code };
}

async function expectSame(...args: string[]): Promise<string> {
  const their = await runPatronictl(coordinator, args);
  const our = await patctl('--compat', ...args);
  expect(settled(our), args.join(' ')).toEqual(settled(their));
  // Hints stand above it.
  expect(our.err.split('\n').at(-2)).toBe(their.err.split('\n').at(-2));
  return our.out;
}

describe('read as patronictl reads them', () => {
  test.each([
    [['list']],
    [['list', '--group', '1', '-e']],
    [['topology']],
    [['list', '-f', 'json']],
    [['list', '-f', 'tsv']],
    [['dsn', '--group', '1', '-r', 'replica']],
    [['version', 'SCOPE', 'wk2']],
  ])('%j', async (args) => {
    await healthy();
    const out = await expectSame(...args.map((a) => (a === 'SCOPE' ? coordinator.scope : a)));
    expect(out).not.toBe('');
  });

  test('the truth about both, and about one', async () => {
    await healthy();
    await eventually('nothing is wrong with any of them', 20_000, async () => {
      const list = await patctl('list', '-f', 'json');
      const rows = JSON.parse(list.out) as { Group: number; Member: string; Verdict: string }[];
      expect(rows.map((row) => `${row.Group} ${row.Member} ${row.Verdict}`)).toEqual([
        '0 pg1 ok',
        '0 pg2 ok',
        '1 wk1 ok',
        '1 wk2 ok',
      ]);
      return true;
    });
    const one = await patctl('status', '--group', '1', '-f', 'json');
    expect(JSON.parse(one.out)).toMatchObject({
      group: 1,
      leader: { name: 'wk1', observedRole: 'primary' },
      members: [{ name: 'wk1' }, { name: 'wk2', syncState: 'async' }],
    });
  });
});

describe('no group named', () => {
  test('switchover and failover --force: the same table of all, the same error, nothing sent', async () => {
    const before = await healthy();
    for (const args of [['switchover'], ['failover', '--candidate', 'wk2']]) {
      const out = await expectSame(...args, '--force');
      expect(out.match(/^\| +[01] \| (pg|wk)/gm)).toHaveLength(4);
    }
    expect(await leaders()).toEqual(before);
    expect([await coordinator.dcsGet('failover'), await worker.dcsGet('failover')]).toEqual([
      null,
      null,
    ]);
  });

  test('on a terminal it is asked for, in the same words', async () => {
    await healthy();
    const answers = ['one', '1', '', 'wk2', '', 'n'];
    const [their, our] = await Promise.all([
      onTerminal(theirs(coordinator, ['switchover']), answers),
      onTerminal(ours(coordinator, ['switchover']), answers),
    ]);
    expect(timeless(our.screen)).toBe(timeless(their.screen));
    expect(our.screen).toContain("\nCitus group: one\nError: 'one' is not a valid integer.\n");
    expect([our.code, their.code]).toEqual([1, 1]);
  });

  test.each<[args: string[], input: string]>([
    [['switchover'], ''],
    [['switchover'], 'one\n1\n\nwk2\n\nn\n'],
    [['failover'], '0\npg2\nn\n'],
    [['demote-cluster', '--host', '127.0.0.1'], 'x\nn\n'],
    [['demote-cluster', '--host', '127.0.0.1'], ''],
    [['promote-cluster'], ''],
  ])('%j, answered out of a pipe by %j', async (args, input) => {
    await healthy();
    const their = await runPatronictl(coordinator, args, { input });
    const our = await runPatctl(['-c', coordinator.config, '--compat', ...args], { input });
    expect(settled(our)).toEqual(settled(their));
    expect(our.err.split('\n')).toEqual(expect.arrayContaining(their.err.split('\n')));
    expect(our.code).toBe(1);
  });

  test('restarts are flushed in every group, a switchover in the coordinator alone', async () => {
    await healthy();
    await expectSame('flush', coordinator.scope, 'restart', '--force');
    const key = JSON.stringify({ leader: 'wk1', scheduled_at: '2099-01-01T00:00:00+00:00' });
    await worker.dcsPut('failover', key);
    await expectSame('flush', coordinator.scope, 'switchover');
    expect(await worker.dcsGet('failover')).toBe(key);
    const one = await patctl('flush', coordinator.scope, 'switchover', '--group', '1');
    expect([one.code, one.out]).toEqual([0, 'Success: scheduled switchover deleted\n']);
    expect(JSON.parse((await worker.dcsGet('failover')) ?? '')).toEqual({});
  });
});

describe('one group named', () => {
  test('switchover --group 1: proven, and group 0 is left alone', async () => {
    await healthy();
    const { code, err, document } = await change(coordinator, 'switchover', '--group', '1');
    expect([code, err]).toEqual([0, '']);
    expect(document).toMatchObject({ group: 1, result: { oldLeader: 'wk1', newLeader: 'wk2' } });
    expect(await leaders()).toEqual(['pg1', 'wk2']);
    expect(await worker.psql('wk2', 'SELECT pg_is_in_recovery()')).toBe('f');
    expect(await streamingMembers(worker)).toEqual(['wk1']);
    expect(await coordinator.dcsGet('failover')).toBeNull();
    await registered('pg1', 'wk2');
  });

  test('failover --group 0: the coordinator, which tells the others of itself', async () => {
    await healthy();
    const args = ['--group', '0', '--candidate', 'pg2'];
    const { code, err, document } = await change(coordinator, 'failover', ...args);
    expect([code, err]).toEqual([0, '']);
    expect(document).toMatchObject({ group: 0, result: { oldLeader: 'pg1', newLeader: 'pg2' } });
    expect(await leaders()).toEqual(['pg2', 'wk2']);
    await registered('pg2', 'wk2');
  });

  test('restart of one group, and of members of both, beside patronictl', async () => {
    const started = async () => {
      await healthy();
      const of = (lab: Lab, name: string) => lab.psql(name, 'SELECT pg_postmaster_start_time()');
      return [await of(coordinator, 'pg1'), await of(worker, 'wk1')];
    };
    const run = async (...args: string[]) => {
      const [pg, wk] = await started();
      const done = await patctl('--compat', 'restart', coordinator.scope, '--force', ...args);
      const [pgNow, wkNow] = await started();
      return { done, restarted: [pg !== pgNow, wk !== wkNow] };
    };
    await started();
    const their = await runPatronictl(coordinator, [
      ...['restart', coordinator.scope, '--force'],
      ...['--group', '1', '-r', 'replica'],
    ]);
    const one = await run('--group', '1', '-r', 'replica');
    expect(settled(one.done)).toEqual(settled(their));
    expect(one.restarted).toEqual([false, true]);
    const both = await run('wk1', 'pg1');
    expect(both.done.code).toBe(0);
    expect(both.restarted).toEqual([true, true]);
  });

  test('pause: of the configured group, or of the one that is named', async () => {
    await healthy();
    const paused = async () =>
      await Promise.all(
        [coordinator, worker].map(async (lab) => {
          const config = JSON.parse((await lab.dcsGet('config')) ?? '{}') as { pause?: boolean };
          return config.pause === true;
        }),
      );
    expect((await patctl('pause', '--wait', '--group', '1')).code).toBe(0);
    expect(await paused()).toEqual([false, true]);
    await expectSame('pause', '--group', '1');
    expect((await patctl('pause', '--wait')).code).toBe(0);
    expect(await paused()).toEqual([true, true]);
    for (const group of ['0', '1']) {
      expect((await patctl('resume', '--wait', '--group', group)).code).toBe(0);
    }
    expect(await paused()).toEqual([false, false]);
  });
});
