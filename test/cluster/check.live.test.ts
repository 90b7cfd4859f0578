/** `check` on real clusters: silent on healthy ones, and right about each of the troubles it was made for. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChangeDocument } from '../../src/change/report.js';
import type { CheckDocument } from '../../src/cluster/checkdoc.js';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { provoke, STORIES } from '../support/lab/provoke.js';
import { runPatctl, runPatronictl } from '../support/run.js';
import { privateCluster } from '../support/shared.js';

interface Checked {
  code: number | null;
  /** CODE severity members */
  found: string[];
  document: CheckDocument;
}

async function check(lab: Lab, ...args: string[]): Promise<Checked> {
  const run = await runPatctl(['-c', lab.config, 'check', '-f', 'json', ...args]);
  const document = JSON.parse(run.out) as CheckDocument;
  const found = (document.clusters[0]?.findings ?? [])
    .filter(({ severity }) => severity !== 'info')
    .map(({ code, severity, members }) => `${code} ${severity} ${members.join(',')}`.trim());
  return { code: run.code, found, document };
}

async function expectHealthy(lab: Lab): Promise<void> {
  for (const args of [[], ['--verify', 'rest']]) {
    expect(await check(lab, ...args)).toMatchObject({ code: 0, found: [] });
  }
}

describe.each(['off', 'quorum'] as const)('a healthy cluster, synchronous_mode %s', (sync) => {
  let lab: Lab;
  beforeAll(async () => {
    // Without slots that outlive their members nothing names the first leader once it is gone.
    lab = await privateCluster({ sync, dcs: { member_slots_ttl: 0 } });
  });
  afterAll(() => lab.down());

  test('nothing is found, with SQL and without', async () => {
    await expectHealthy(lab);
  });

  test('what needs a login is unknown without one, and counts only on request', async () => {
    const { code, document } = await check(lab, '--verify', 'rest', '--require', 'sql');
    expect(code).toBe(3);
    expect(document.clusters[0]?.unknown.map((one) => one.code)).toContain('slot_missing');
  });

  test('leader, members, ready and wait agree', async () => {
    const run = (...args: string[]) => runPatctl(['-c', lab.config, ...args]);
    const leader = (await lab.leader()) ?? '';
    expect(await run('leader')).toMatchObject({ code: 0, out: `${leader}\n` });
    const [replica = ''] = (await run('members', '--role', 'replica')).out.split('\n');
    expect(['pg1', 'pg2', 'pg3']).toContain(replica);
    expect(replica).not.toBe(leader);
    expect(await run('ready', replica, '--max-lag', '1MiB')).toMatchObject({ code: 0 });
    const urls = ['--member-url', lab.member(replica).restUrl];
    urls.push('--leader-url', lab.member(leader).restUrl);
    expect(await runPatctl(['ready', replica, '--max-lag', '1MiB', ...urls])).toMatchObject({
      code: 0,
    });
    const conditions = ['--for', `leader=${leader}`, '--for', 'healthy', '--for', 'streaming=2'];
    expect(await run('wait', ...conditions, '--for', 'resumed')).toMatchObject({
      code: 0,
      err: '',
    });
    expect((await run('wait', '--for', 'paused', '--timeout', '1s')).code).toBe(5);
  });

  test('a replica that is restarted is no trouble once it has settled', async () => {
    await lab.stop('pg3');
    await lab.start('pg3');
    await lab.waitHealthy();
    await expectHealthy(lab);
  });

  // Last: it is another cluster afterwards.
  test.runIf(sync === 'off')('two-primaries: the one that nobody lists', async () => {
    const { member, undo } = await provoke(lab, 'two-primaries');
    try {
      const now = (await lab.leader()) ?? '';
      const { found, code } = await check(lab, '--settle', '0');
      expect({ found, code }).toEqual({
        found: [`two_primaries critical ${now},${member}`],
        code: 2,
      });
      const leader = await runPatctl(['-c', lab.config, 'leader']);
      expect(leader.code).toBe(4);
    } finally {
      await undo();
    }
    await eventually('nothing is found any more', 30_000, async () => {
      return (await check(lab)).code === 0;
    });
  });
});

describe('troubles', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await privateCluster({
      sync: 'on',
      dcs: { member_slots_ttl: 0 },
      parameters: { wal_level: 'logical' },
    });
  });
  afterAll(() => lab.down());

  const story = async (
    name: string,
    args: string[],
    expected: (found: string[], member: string) => void | Promise<void>,
  ) => {
    await expectHealthy(lab);
    const { member, undo } = await provoke(lab, name);
    try {
      await expected((await check(lab, ...args)).found, member);
    } finally {
      await undo();
    }
    await eventually('nothing is found any more', 30_000, async () => {
      return (await check(lab)).code === 0;
    });
  };

  const atOnce = ['--settle', '0'];

  test('not-ready: a replica behind while Patroni shows it streaming', async () => {
    await story('not-ready', atOnce, async (found, member) => {
      expect(found).toEqual([`catching_up warning ${member}`]);
      expect((await lab.rest(member, '/replica')).status).toBe(200);
      const ready = await runPatctl(['-c', lab.config, 'ready', member]);
      expect(ready).toMatchObject({ code: 1 });
      expect(ready.out).toMatch(new RegExp(`^not ready: ${member} is .* behind`));
      const caughtUp = ['--for', `caught-up=${member}`, '--timeout', '1s'];
      const wait = await runPatctl(['-c', lab.config, 'wait', ...caughtUp]);
      expect(wait.code).toBe(5);
      expect(wait.err).toContain('behind');
    });
    const wait = await runPatctl([
      '-c',
      lab.config,
      'wait',
      '--for',
      'caught-up',
      '--for',
      'sync=1',
    ]);
    expect(wait.code).toBe(0);
  });

  test('sync-mismatch: /sync against pg_stat_replication', async () => {
    await story('sync-mismatch', atOnce, (found, member) => {
      const critical = found.filter((line) => line.includes('critical'));
      expect(critical).toEqual([`sync_role_mismatch critical ${member}`]);
    });
  });

  test('sync-overridden: nobody may take over, for one reason', async () => {
    await story('sync-overridden', atOnce, (found, member) =>
      expect(found).toEqual([`sync_names_overridden critical ${member}`]),
    );
  });

  test('logical-blocker: found before the switchover that would hang', async () => {
    await story('logical-blocker', [], (found, member) =>
      expect(found).toEqual([`logical_walsender_stuck critical ${member}`]),
    );
  });

  test('lost-slot: the replica that cannot return', async () => {
    await story('lost-slot', atOnce, async (found, member) => {
      expect(found).toEqual([`slot_lost critical ${member}`]);
      // Without a login the slot is seen where the leader writes it into /status; else only its effect.
      const rest = await check(lab, ...atOnce, '--verify', 'rest');
      const [first = ''] = rest.found;
      expect(first).toMatch(/^(slot_lost critical|not_streaming (critical|warning)) pg\d$/);
      expect(first).toContain(member);
    });
  });
});

describe('Patroni 4.0.5 in quorum mode', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await privateCluster(STORIES['quorum-switchover'].options);
  });
  afterAll(() => lab.down());

  test('quorum-switchover: a warning, and a plan that is refused, before Patroni refuses it', async () => {
    const bug = 'patroni_bug_quorum_switchover warning pg1,pg2,pg3';
    const warned = async () => {
      const { found, code } = await check(lab, '--settle', '0');
      expect({ found, code }).toEqual({ found: [bug], code: 1 });
    };
    await warned();
    // Asks Patroni itself, and sees it refused.
    const { member } = await provoke(lab, 'quorum-switchover');
    await warned();
    const candidate = member === 'pg1' ? 'pg2' : 'pg1';
    const args = ['switchover', '--dry-run', '-f', 'json', '--candidate', candidate];
    const dry = await runPatctl(['-c', lab.config, ...args]);
    expect(dry.code).toBe(1);
    expect((JSON.parse(dry.out) as ChangeDocument).plan.refusedBy).toEqual(['patroni_405_quorum']);
  });
});

describe('Patroni 3.2.2, a standby cluster with synchronous_mode', () => {
  let source: Lab;
  let lab: Lab;
  beforeAll(async () => {
    const { sync, members, patroni } = STORIES['stale-sync'].options;
    const options = { sync, members, patroni };
    source = await privateCluster(options);
    lab = await privateCluster({ ...options, standbyOf: source.scope });
  });
  // Its standby cluster goes with it.
  afterAll(() => source.down());

  test('stale-sync: patronictl says Sync Standby, PostgreSQL says async', async () => {
    const listed = async () => (await runPatronictl(lab, ['list'])).out;
    await expectHealthy(lab);
    expect(await listed()).not.toContain('Sync Standby');
    const { member, undo } = await provoke(lab, 'stale-sync');
    try {
      expect(await listed()).toMatch(new RegExp(`\\| ${member} .*\\| Sync Standby`));
      const { found, code } = await check(lab, '--settle', '0');
      expect({ found, code }).toEqual({
        found: [`sync_role_mismatch critical ${member}`],
        code: 2,
      });
      const ours = await runPatctl(['-c', lab.config, 'list']);
      expect(ours.out).toMatch(new RegExp(`\\| ${member} .*Replica !.*async .*sync_role_mismatch`));
      expect(ours.out).not.toContain('Sync Standby');
    } finally {
      await undo();
    }
    await expectHealthy(lab);
  });
});
