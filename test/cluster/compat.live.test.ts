/** `--compat` prints byte for byte what the real patronictl prints of the same live cluster. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { runPatctl, runPatronictl } from '../support/run.js';
import { privateCluster, sharedCluster } from '../support/shared.js';

const LISTINGS = [
  ['list'],
  ['list', '-e'],
  ['list', '-f', 'tsv'],
  ['list', '-f', 'json'],
  ['list', '-f', 'yaml'],
  ['list', '-e', '-f', 'tsv'],
  ['list', '-e', '-f', 'json'],
  ['list', '-e', '-f', 'yml'],
  ['topology'],
];

/**
 * The cluster moves between two looks, and a busy machine takes seconds for one: equal outputs have to come within a
 * few.
 */
async function sameOutput(lab: Lab, args: string[]): Promise<void> {
  await eventually(`patctl ${args.join(' ')} prints what patronictl prints`, 60_000, async () => {
    const [ours, theirs] = await Promise.all([
      runPatctl(['-c', lab.config, '--compat', ...args]),
      runPatronictl(lab, args),
    ]);
    expect([ours.out, ours.err]).toEqual([theirs.out, theirs.err]);
    expect([ours.code, theirs.code]).toEqual([0, 0]);
    return true;
  });
}

async function everyListing(lab: Lab): Promise<string> {
  for (const args of LISTINGS) await sameOutput(lab, args);
  return (await runPatctl(['-c', lab.config, '--compat', 'list'])).out;
}

async function patronictl(lab: Lab, ...args: string[]): Promise<void> {
  const run = await runPatronictl(lab, args);
  expect(run.code, run.out + run.err).toBe(0);
}

describe('synchronous mode off', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await privateCluster({ sync: 'off' });
  });
  afterAll(async () => {
    await lab.down();
  });

  test('healthy', async () => {
    expect(await everyListing(lab)).toContain('Leader');
  }, 600_000);

  test('a scheduled switchover', async () => {
    const at = new Date(Date.now() + 3_600_000).toISOString();
    await patronictl(lab, 'switchover', '--force', '--scheduled', at, '--candidate', 'pg2');
    expect(await everyListing(lab)).toContain('Switchover scheduled at');
    await patronictl(lab, 'flush', lab.scope, 'switchover', '--force');
  }, 600_000);

  test('a pending restart', async () => {
    await patronictl(lab, 'edit-config', '--force', '-p', 'max_connections=50');
    await eventually('the restart is pending everywhere', 60_000, async () => {
      const { out } = await runPatronictl(lab, ['list', '-f', 'json']);
      return out.split('"Pending restart": "*"').length === 4;
    });
    expect(await everyListing(lab)).toContain('max_connections: 40->50');
  }, 600_000);

  test('paused', async () => {
    await patronictl(lab, 'pause', '--wait');
    expect(await everyListing(lab)).toContain('Maintenance mode: on');
  }, 600_000);
});

describe('other clusters', () => {
  test.each(['on', 'quorum'] as const)(
    'synchronous mode %s',
    async (sync) => {
      const lab = await sharedCluster({ sync });
      expect(await everyListing(lab)).toContain(sync === 'on' ? 'Sync Standby' : 'Quorum Standby');
    },
    600_000,
  );

  test('tags, a cascade, and a standby cluster of it', async () => {
    const tags = { pg2: { nofailover: true, replicatefrom: 'pg3' } };
    const source = await privateCluster({ tags });
    try {
      expect(await everyListing(source)).toContain('replicatefrom: pg3');
      const standby = await privateCluster({ standbyOf: source.scope, members: 2 });
      try {
        expect(await everyListing(standby)).toContain('Standby Leader');
        const run = await runPatctl(['-c', standby.config, 'status', '-f', 'json']);
        const { findings } = JSON.parse(run.out) as { findings: unknown[] };
        expect(findings).toEqual([]);
      } finally {
        await standby.down();
      }
    } finally {
      await source.down();
    }
  }, 600_000);
});
