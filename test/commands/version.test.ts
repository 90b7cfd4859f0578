import { describe, expect, test } from 'vitest';
import { loadGolden } from '../fixtures/golden.js';
import { recorded, runFake, UNREACHABLE } from '../support/fake-world.js';

describe('version', () => {
  test.each(['on', 'creating-failed', 'no-leader', 'quorum'])(
    'prints what patronictl printed: %s',
    async (name) => {
      const { runs } = loadGolden(name);
      for (const key of ['version', 'version-cluster']) {
        const args = runs[key]?.cmd.split(' ').slice(1) ?? [];
        const ours = await runFake(recorded(name), ['--compat', ...args]);
        // Recorded from 4.1.4; nothing else of it has changed.
        const theirs = runs[key]?.out.replace('version 4.1.4\n', 'version 4.1.5\n');
        expect([ours.out, ours.err, ours.code]).toEqual([theirs, '', 0]);
      }
    },
  );

  test('a member that does not answer is named, exit 3, the others are printed', async () => {
    const cluster = recorded('on');
    cluster.rest = { ...cluster.rest, pg2: UNREACHABLE };
    const { out, err, code } = await runFake(cluster, ['version', 'demo']);
    expect(code).toBe(3);
    expect(out.split('\n').slice(1)).toEqual([
      '',
      'pg1: Patroni 4.1.4 PostgreSQL 15.18',
      'pg2: failed to get version: connect ECONNREFUSED',
      'pg3: Patroni 4.1.4 PostgreSQL 15.18',
      '',
    ]);
    expect(err).toBe('Error: the version of pg2 is unknown\n  REST pg2: connect ECONNREFUSED\n');
  });

  test('only the named members are asked', async () => {
    const cluster = recorded('on');
    cluster.rest = { ...cluster.rest, pg2: UNREACHABLE };
    const { out, code } = await runFake(cluster, ['version', 'demo', 'pg3', 'pg1']);
    expect([out.split('\n').slice(2), code]).toEqual([
      ['pg1: Patroni 4.1.4 PostgreSQL 15.18', 'pg3: Patroni 4.1.4 PostgreSQL 15.18', ''],
      0,
    ]);
  });

  test('one wrong name among good ones is an error before any member is asked', async () => {
    const { out, err, code } = await runFake(recorded('on'), ['version', 'demo', 'pg1', 'pg9']);
    expect(code).toBe(1);
    expect(out.split('\n')).toHaveLength(2);
    expect(err).toContain('pg9 is not a member of cluster');
  });

  test('an unknown cluster is an error that names the known ones', async () => {
    const { err, code } = await runFake(recorded('on'), ['version', 'demi']);
    expect(code).toBe(1);
    expect(err).toContain('clusters in /service: demo');
  });

  test('a configuration that was named and is not there is exit 1', async () => {
    const run = await runFake(recorded('on'), ['-c', '/no/such.yml', 'version']);
    expect([run.code, run.out]).toEqual([1, '']);
    expect(run.err).toContain('/no/such.yml');
    expect((await runFake(recorded('on'), ['version'])).code).toBe(0);
  });
});
