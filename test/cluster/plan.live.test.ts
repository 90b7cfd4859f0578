/** Plans of a real quorum cluster: what would go, what is refused and why, and the votes by value. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Plan } from '../../src/cluster/preflight/plan-model.js';
import type { QuorumDocument } from '../../src/cluster/documents/quorum-document.js';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { runPatctl } from '../support/run.js';
import { privateCluster } from '../support/shared.js';

let lab: Lab;
let leader: string;
/** The two voters. */
let voters: [string, string];

interface Planned {
  code: number | null;
  refusedBy: string[];
  plan: Plan & { refusedBy: string[] };
}

async function dryRun(...args: string[]): Promise<Planned> {
  const flags = ['--dry-run', '-f', 'json'];
  const run = await runPatctl(['-c', lab.config, 'switchover', lab.scope, ...flags, ...args]);
  const { plan } = JSON.parse(run.out) as { plan: Planned['plan'] };
  return { code: run.code, refusedBy: plan.refusedBy, plan };
}

async function quorum(...args: string[]): Promise<QuorumDocument> {
  const run = await runPatctl([
    '-c',
    lab.config,
    'quorum',
    '-f',
    'json',
    '--timeout',
    '1s',
    ...args,
  ]);
  expect([run.code, run.err]).toEqual([0, '']);
  return JSON.parse(run.out) as QuorumDocument;
}

function resultOf({ plan }: Planned, name: string): string | undefined {
  return plan.checks.find((check) => check.name === name)?.result;
}

const chances = ({ members }: QuorumDocument) =>
  members.map((one) => `${one.name} ${one.mayWin} ${one.counted}/${one.needed}`).sort();

/** Healthy, both voters in /sync, and nothing speaks against a switchover to either. */
async function settled(): Promise<void> {
  leader = await lab.waitHealthy();
  await eventually('both voters may win', 30_000, async () => {
    const document = await quorum();
    const names = [...(document.sync?.voters ?? [])].sort();
    voters = [names[0] ?? '', names[1] ?? ''];
    return names.length === 2 && document.members.filter((m) => m.mayWin === 'yes').length === 2;
  });
}

beforeAll(async () => {
  lab = await privateCluster({
    members: 4,
    sync: 'quorum',
    syncNodes: 1,
    tags: { pg4: { nofailover: true, nosync: true } },
  });
  await settled();
}, 180_000);
afterAll(async () => {
  await lab.down();
});

describe('a healthy cluster', () => {
  test('quorum: both voters may win with two votes of two, and the leader may step down', async () => {
    const document = await quorum();
    expect(document).toMatchObject({
      leader,
      leaderState: 'alive',
      mode: 'quorum',
      sync: { leader, quorum: 1 },
      gate: { unnamed: { passes: 'yes', needed: 2 } },
      survives: { leaderLoss: 'yes', more: 0 },
      dataLoss: { verdict: 'none' },
    });
    expect(chances(document)).toEqual([
      `${voters[0]} yes 2/2`,
      `${voters[1]} yes 2/2`,
      'pg4 no 2/2',
    ]);
  });

  test('a switchover would go: unnamed, named, chosen, and with REST alone', async () => {
    const [unnamed, named, auto, rest] = [
      await dryRun(),
      await dryRun('--candidate', voters[1]),
      await dryRun('--candidate', 'auto'),
      await dryRun('--candidate', voters[0], '--verify', 'rest'),
    ];
    expect([unnamed, named, auto, rest].map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(auto.plan.candidate).toBe(voters[0]);
    expect(auto.plan.chosenBecause).toMatch(/^2 of 2 votes, no significant lag/);
    expect(named.plan.checks.filter(({ result }) => result !== 'ok').map((c) => c.name)).toEqual(
      [],
    );
    expect(rest.plan.dataLoss.verdict).toBe('none');
    expect(resultOf(rest, 'archiving')).toBe('unknown');
    expect(resultOf(rest, 'candidate_streams')).toBe('ok');
  });

  test('without witnesses it is refused because the data loss is unknown', async () => {
    const off = await dryRun('--candidate', voters[0], '--verify', 'off');
    expect([off.code, off.refusedBy]).toEqual([1, ['data_loss']]);
  });

  test('nofailover is refused, and why-not names what would refuse it', async () => {
    const found = await dryRun('--candidate', 'pg4');
    expect(found.code).toBe(1);
    expect(found.refusedBy).toContain('candidate_nofailover');
    const run = await runPatctl(['-c', lab.config, 'why-not', 'pg4']);
    expect(run.code).toBe(1);
    expect(run.out).toMatch(/^ {2}API +candidate_nofailover +refused /m);
    expect((await runPatctl(['-c', lab.config, 'why-not', voters[0]])).code).toBe(0);
  });

  test('under load nothing is refused for the bytes between two readings', async () => {
    await lab.psql(leader, 'CREATE TABLE IF NOT EXISTS load (t text)');
    const over = new AbortController();
    const load = (async () => {
      while (!over.signal.aborted)
        await lab.psql(
          leader,
          "INSERT INTO load SELECT repeat('x', 200) FROM generate_series(1, 200)",
        );
    })();
    try {
      for (let i = 0; i < 4; i++) {
        expect((await dryRun()).refusedBy).toEqual([]);
        expect((await dryRun('--candidate', voters[1])).refusedBy).toEqual([]);
      }
    } finally {
      over.abort();
      await load;
    }
  }, 60_000);
});

describe('a voter in trouble', () => {
  test('its Patroni is frozen: no quorum for an unnamed switchover, the other one may be named', async () => {
    await settled();
    lab.freeze(voters[1]);
    try {
      const [unnamed, other, itself] = await Promise.all([
        dryRun(),
        dryRun('--candidate', voters[0]),
        dryRun('--candidate', voters[1]),
      ]);
      expect([unnamed.code, unnamed.refusedBy]).toEqual([1, ['votes']]);
      expect([other.code, other.refusedBy]).toEqual([0, []]);
      expect(itself.code).toBe(1);
      expect(itself.refusedBy).toContain('candidate_answers');
      const document = await quorum();
      // Its PostgreSQL, read over SQL, is as far as the other: only no Patroni is there to take the lock.
      expect(chances(document).slice(0, 2)).toEqual([`${voters[0]} no 1/2`, `${voters[1]} no 2/2`]);
      expect(document.gate?.unnamed.passes).toBe('no');
      expect(document.survives.sentence).toBe('no member can take over if the leader is lost');
    } finally {
      lab.thaw(voters[1]);
    }
    await settled();
  }, 90_000);

  test('its WAL receiver is frozen: it streams by every word, and confirms nothing', async () => {
    await settled();
    const pid = await lab.walreceiverPid(voters[0]);
    if (pid === null) throw new Error('no WAL receiver');
    lab.freezePid(pid);
    try {
      await lab.psql(leader, 'CREATE TABLE frozen AS SELECT generate_series(1, 1000)');
      const [unnamed, itself, other] = await Promise.all([
        dryRun(),
        dryRun('--candidate', voters[0]),
        dryRun('--candidate', voters[1]),
      ]);
      const physical = ({ plan }: typeof other) =>
        plan.checks.find(({ name }) => name === 'physical_walsenders')?.said;
      expect(itself.refusedBy).toEqual(['candidate_streams', 'data_loss']);
      expect([unnamed.refusedBy, unnamed.plan.dataLoss.verdict]).toEqual([[], 'none']);
      expect(other.refusedBy).toEqual([]);
      expect(resultOf(other, 'physical_walsenders')).toBe('warning');
      // Without a name the votes of both are needed at the end of the WAL: Patroni keeps the lock.
      expect(physical(unnamed)).toContain('no member accepts writes for wal_sender_timeout');
      expect(physical(other)).toContain('the shutdown of the old leader waits');
    } finally {
      lab.thawPid(pid);
    }
    await settled();
  }, 90_000);
});

describe('requests that cannot be', () => {
  test('unknown candidate, wrong leader, the member to avoid', async () => {
    await settled();
    const asked = ['-c', lab.config, 'switchover', lab.scope, '--dry-run'];
    expect((await runPatctl([...asked, '--candidate', 'pg9'])).code).toBe(1);
    expect((await runPatctl([...asked, '--leader', voters[0]])).code).toBe(1);
    expect((await dryRun('--avoid', voters[0])).plan).toMatchObject({ nothingToDo: true });
    expect((await dryRun('--avoid', leader)).code).toBe(0);
  });

  test('a scheduled switchover is pending', async () => {
    const at = new Date(Date.now() + 3_600_000).toISOString();
    await lab.dcsPut('failover', JSON.stringify({ leader, scheduled_at: at }));
    try {
      expect((await dryRun()).refusedBy).toEqual(['failover_pending']);
    } finally {
      await lab.dcsPut('failover', '{}');
    }
    expect((await dryRun()).refusedBy).toEqual([]);
  });
});
