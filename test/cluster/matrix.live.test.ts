/**
 * The core on every combination of versions: each a real cluster of three members. PATCTL_MATRIX names the
 * combinations (see test/support/matrix/combinations.ts); without it, the part that CI runs today.
 */
import { afterAll, describe, expect, test } from 'vitest';
import type { ChangeDocument } from '../../src/actions/switchover/conclusion.js';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { PASSWORDS } from '../support/lab/configs.js';
import { cleanEnv, runProgram } from '../support/lab/process.js';
import { STORIES } from '../support/lab/provoke.js';
import { combinationsOf } from '../support/matrix/combinations.js';
import { ensureNode } from '../support/programs/node.js';
import { BUNDLE, runPatronictl, type RunResult } from '../support/run.js';
import { settledLines } from '../support/settled.js';
import { privateCluster } from '../support/shared.js';

/** The first time a version is downloaded or built. */
const UP_LIMIT_MS = 900_000;
const STEP_LIMIT_MS = 180_000;

const names = process.env['PATCTL_MATRIX'];

describe.each(combinationsOf(names, new Date()))('$name', (versions) => {
  let lab: Lab;
  let node: string;
  const { patroni, pg, etcd: etcdVersion } = versions;

  afterAll(async () => {
    // Without a cluster every test has failed already.
    await (lab as Lab | undefined)?.down();
  });

  const patctl = (...args: string[]): Promise<RunResult> =>
    runProgram(node, [BUNDLE, '-c', lab.config, '--timeout', '20s', ...args], {
      env: cleanEnv('/nonexistent'),
      timeoutMs: 120_000,
    });

  /** What it prints when it ends well. */
  async function fine(...args: string[]): Promise<string> {
    const { code, out, err } = await patctl(...args);
    if (code !== 0) throw new Error(`${args.join(' ')}: exit ${code}\n${out}${err}`);
    return out;
  }

  async function json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await fine(...args, '-f', 'json')) as T;
  }

  const leader = async (): Promise<string> => (await lab.leader()) ?? '';
  const replica = async (): Promise<string> => {
    const now = await leader();
    return lab.members.find(({ name }) => name !== now)?.name ?? '';
  };

  /** The leader according to PostgreSQL. */
  async function primaries(): Promise<string[]> {
    const asked = lab.members.map(async ({ name }) => {
      const answer = await lab.psql(name, 'SELECT pg_is_in_recovery()');
      return answer === 'f' ? [name] : [];
    });
    return (await Promise.all(asked)).flat();
  }

  async function switchOver(...args: string[]): Promise<string> {
    const before = await lab.waitHealthy();
    const { result } = await json<ChangeDocument>('switchover', '--force', ...args);
    const newLeader = result?.newLeader ?? '';
    expect(newLeader).not.toBe(before);
    expect(await primaries()).toEqual([newLeader]);
    return newLeader;
  }

  test(
    'comes up, with the versions that it is about',
    async () => {
      node = await ensureNode(versions.node);
      const dcs = { member_slots_ttl: 0 };
      lab = await privateCluster({ patroni, pg, etcdVersion, sync: 'on', dcs });
      const major = (await lab.psql(await leader(), 'SHOW server_version_num')).slice(0, 2);
      const version = await lab.rest(await leader(), '/patroni');
      const { patroni: said } = version.json as { patroni: { version: string } };
      const url = lab.etcd[0]?.url ?? '';
      const { etcdserver } = (await (await fetch(`${url}/version`)).json()) as {
        etcdserver: string;
      };
      const ran = await runProgram(node, ['--version'], { env: cleanEnv('/nonexistent') });
      expect([
        major,
        said.version,
        etcdserver.split('.').slice(0, 2).join('.'),
        ran.out.slice(1, 3),
      ]).toEqual([pg, patroni, etcdVersion, versions.node]);
    },
    UP_LIMIT_MS,
  );

  test(
    'list, status and check are calm, and name what PostgreSQL says',
    async () => {
      const now = await lab.waitHealthy();
      expect(await primaries()).toEqual([now]);
      const listed = await fine('list');
      expect(listed).not.toContain('unknown');
      const rows = await json<Record<string, unknown>[]>('list');
      for (const row of rows) {
        expect(row['Role'] === 'Leader').toBe(row['Member'] === now);
        expect(row['Verdict'] ?? 'ok').toBe('ok');
      }
      const check = await fine('check');
      expect(check).toContain('nothing found');
      const status = await fine('status');
      expect(status).toMatch(/REST 3 of 3, SQL 3 of 3/);
      expect(status).not.toContain('unknown');
    },
    STEP_LIMIT_MS,
  );

  test.skipIf(!patroni.startsWith('4.1.'))(
    'list --compat is what its own patronictl prints',
    async () => {
      await eventually('both print the same', 20_000, async () => {
        const [ours, theirs] = await Promise.all([
          patctl('--compat', 'list'),
          runPatronictl(lab, ['list']),
        ]);
        expect(settledLines(ours.out)).toEqual(settledLines(theirs.out));
        return true;
      });
    },
    STEP_LIMIT_MS,
  );

  test(
    'switchover without a candidate, and to the sync standby by name',
    async () => {
      await switchOver();
      await lab.waitHealthy();
      const { sync_standby: standby } = JSON.parse((await lab.dcsGet('sync')) ?? '{}') as {
        sync_standby: string;
      };
      expect(await switchOver('--candidate', standby)).toBe(standby);
      await lab.waitHealthy();
    },
    STEP_LIMIT_MS,
  );

  test(
    'edit-config reaches PostgreSQL',
    async () => {
      await fine('edit-config', '--force', '--pg', 'work_mem=7MB');
      await eventually('every member has it', 20_000, async () => {
        const all = lab.members.map(({ name }) => lab.psql(name, 'SHOW work_mem'));
        return (await Promise.all(all)).every((value) => value === '7MB');
      });
    },
    STEP_LIMIT_MS,
  );

  test(
    'restart restarts one member',
    async () => {
      const member = await replica();
      const started = (): Promise<string> => lab.psql(member, 'SELECT pg_postmaster_start_time()');
      const before = await started();
      await fine('restart', lab.scope, member, '--force');
      expect(await started()).not.toBe(before);
      await lab.waitHealthy();
    },
    STEP_LIMIT_MS,
  );

  test(
    'pause is acknowledged by all, and resume too',
    async () => {
      await fine('pause', '--wait');
      expect(await fine('list')).toContain('Maintenance mode: on');
      await fine('resume', '--wait');
      await lab.waitHealthy();
    },
    STEP_LIMIT_MS,
  );

  test(
    'sync-mismatch is found, and gone when it is over',
    async () => {
      const { undo } = await STORIES['sync-mismatch'].provoke(lab);
      try {
        // A frozen Patroni may not be awaited for ttl: its lock would be gone.
        const run = await patctl('check', '--settle', '0', '--timeout', '2s');
        expect(run.out).toContain('[sync_role_mismatch]');
      } finally {
        await undo();
      }
      await calm();
    },
    STEP_LIMIT_MS,
  );

  test(
    'lost-slot is found, and reinit makes the replica again',
    async () => {
      const { member } = await STORIES['lost-slot'].provoke(lab);
      await eventually('check says it', 30_000, async () => {
        const { out } = await patctl('check', '--settle', '0');
        if (new RegExp(`${member}[^\\n]*\\[(slot_lost|wal_gone)\\]`).test(out)) return true;
        throw new Error(out);
      });
      await fine('reinit', lab.scope, member, '--force', '--wait');
      await lab.waitHealthy();
      await calm();
    },
    STEP_LIMIT_MS,
  );

  test.skipIf(patroni.startsWith('3.'))(
    'quorum: counted, and a switchover by name',
    async () => {
      await fine('edit-config', '--force', '-s', 'synchronous_mode=quorum');
      lab.state.options.sync = 'quorum';
      await lab.waitHealthy();
      await eventually('quorum is calm', 30_000, async () => (await patctl('quorum')).code === 0);
      const candidate = await replica();
      expect(await switchOver('--candidate', candidate)).toBe(candidate);
      await lab.waitHealthy();
      await calm();
    },
    STEP_LIMIT_MS,
  );

  async function calm(): Promise<void> {
    await eventually('check finds nothing', 30_000, async () => {
      const { out } = await patctl('check', '--settle', '0');
      if (out.includes('nothing found')) return true;
      throw new Error(out);
    });
  }

  test(
    'no secret was printed',
    async () => {
      const all =
        (await fine('status')) + (await fine('list')) + (await patctl('--debug', 'check')).err;
      for (const secret of Object.values(PASSWORDS)) expect(all).not.toContain(secret);
    },
    STEP_LIMIT_MS,
  );
});
