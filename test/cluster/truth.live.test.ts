/** False claims in the DCS of a real cluster: patctl shows them, with and without a login; patronictl does not. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { runPatctl, runPatronictl } from '../support/run.js';
import { privateCluster } from '../support/shared.js';

interface Document {
  leader: { name: string | null };
  members: { name: string; observedRole: string; syncState: string; departed: boolean }[];
  findings: { code: string; severity: string; members: string[] }[];
}

let lab: Lab;

async function status(...args: string[]): Promise<Document> {
  const run = await runPatctl(['-c', lab.config, 'status', '-f', 'json', ...args]);
  expect(run.err).toBe('');
  return JSON.parse(run.out) as Document;
}

/** Codes with severity, e.g. 'critical sync_empty pg1'. */
async function findings(...args: string[]): Promise<string[]> {
  const { findings: found } = await status(...args);
  return found.map(({ code, severity, members }) => [severity, code, ...members].join(' ')).sort();
}

async function quiet(): Promise<void> {
  await lab.waitHealthy();
  await eventually('no finding is left', 20_000, async () => {
    const left = [...(await findings()), ...(await findings('--verify', 'rest'))];
    if (left.length > 0) throw new Error(left.join(', '));
    return true;
  });
}

/** patronictl's table, without its numbers, is the table of a cluster with nothing to say about it. */
async function patronictlIsCalm(members: number): Promise<string> {
  const run = await runPatronictl(lab, ['list']);
  expect([run.code, run.err]).toEqual([0, '']);
  expect(run.out.trim().split('\n')).toHaveLength(members + 4);
  return run.out;
}

beforeAll(async () => {
  lab = await privateCluster({ sync: 'on' });
});
afterAll(async () => {
  await lab.down();
});

describe('the DCS says synchronous', () => {
  test('nothing is found on the healthy cluster', quiet, 60_000);

  test('ALTER SYSTEM of synchronous_standby_names under synchronous_mode', async () => {
    await lab.psql('pg1', "ALTER SYSTEM SET synchronous_standby_names = '*'");
    await lab.psql('pg1', 'SELECT pg_reload_conf()');
    try {
      await eventually('Patroni gives up on /sync', 15_000, async () =>
        (await findings()).includes('critical sync_empty'),
      );
      expect(await findings()).toEqual([
        'critical sync_empty',
        'critical sync_names_overridden pg1',
        expect.stringMatching(/^warning sync_unclaimed pg[23]$/),
      ]);
      expect(await findings('--verify', 'rest')).toEqual([
        'critical sync_empty',
        expect.stringMatching(/^warning sync_unclaimed pg[23]$/),
      ]);
      await patronictlIsCalm(3);
    } finally {
      await lab.psql('pg1', 'ALTER SYSTEM RESET synchronous_standby_names');
      await lab.psql('pg1', 'SELECT pg_reload_conf()');
    }
    await quiet();
  }, 90_000);

  test("a /sync edited manually while the leader's Patroni is frozen", async () => {
    const sync = JSON.parse((await lab.dcsGet('sync')) ?? '{}') as { sync_standby: string };
    const asynchronous = sync.sync_standby === 'pg2' ? 'pg3' : 'pg2';
    lab.freeze('pg1');
    try {
      await lab.dcsPut('sync', JSON.stringify({ ...sync, sync_standby: asynchronous }));
      const wanted = `critical sync_role_mismatch ${asynchronous}`;
      expect(await findings('--timeout', '1')).toContain(wanted);
      const listed = await runPatctl(['-c', lab.config, 'list', '--strict', '--timeout', '1']);
      expect(listed.code).toBe(4);
      expect(listed.out).toMatch(new RegExp(`${asynchronous} +\\| \\S+ +\\| Sync Standby ! `));
      // The frozen leader is also the only REST witness of its walsenders.
      expect(await findings('--timeout', '1', '--verify', 'rest')).toEqual([
        'warning leader_unreachable pg1',
      ]);
      expect(await patronictlIsCalm(3)).toMatch(new RegExp(`${asynchronous} .*Sync Standby`));
    } finally {
      lab.thaw('pg1');
    }
    await quiet();
  }, 90_000);

  test('a synchronous standby whose walreceiver is frozen: commits wait', async () => {
    const sync = JSON.parse((await lab.dcsGet('sync')) ?? '{}') as { sync_standby: string };
    const standby = sync.sync_standby;
    const pid = await lab.walreceiverPid(standby);
    if (pid === null) throw new Error(`${standby} has no walreceiver`);
    lab.freezePid(pid);
    const commit = lab.psql('pg1', 'CREATE TABLE waits (a int)', { timeoutMs: 60_000 });
    const ended = commit.then(
      () => 'committed',
      () => 'failed',
    );
    try {
      await eventually('the wait is seen', 15_000, async () =>
        (await findings()).includes(`critical commits_blocked ${standby}`),
      );
      expect(await findings('--verify', 'rest')).toEqual([`critical commits_blocked ${standby}`]);
      await patronictlIsCalm(3);
    } finally {
      lab.thawPid(pid);
    }
    expect(await ended).toBe('committed');
    await quiet();
  }, 90_000);

  // Last: it ends with two primaries.
  test("the leader's Patroni killed until a second primary is up", async () => {
    await lab.kill('pg1');
    await eventually('another member leads', 60_000, async () => {
      const leader = await lab.leader();
      return leader !== null && leader !== 'pg1';
    });
    const heir = (await lab.leader()) ?? '';
    // The new leader needs a loop or two until its /sync stands: what persists is what counts.
    const both = ['critical primary_without_lock pg1', `critical two_primaries ${heir} pg1`];
    const hasLeft = (one: string): boolean => / member_left pg1$/.test(one);
    await eventually('both primaries are seen, and that the old one left', 20_000, async () => {
      const found = await findings();
      expect([found.some(hasLeft), found.filter((one) => !hasLeft(one))]).toEqual([true, both]);
      return true;
    });
    const byRest = await findings('--verify', 'rest');
    expect(byRest.filter((one) => !hasLeft(one))).toEqual(['unknown two_primaries pg1']);
    const run = await runPatctl(['-c', lab.config, 'list']);
    expect(run.out).toContain(`${heir}, pg1 are both primaries and accept writes`);
    await patronictlIsCalm(2);
  }, 120_000);
});
