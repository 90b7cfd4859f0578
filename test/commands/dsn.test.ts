import { describe, expect, test } from 'vitest';
import { goldenNames, loadGolden } from '../fixtures/golden.js';
import { recorded, runFake } from '../support/fake-world.js';

/** The scope the recording was configured with: the cluster that its `list` shows. */
function scopeOf(runs: ReturnType<typeof loadGolden>['runs']): { PATRONI_SCOPE: string } {
  const title = /Cluster: (\S+) /.exec(runs['list']?.out ?? '');
  return { PATRONI_SCOPE: title?.[1] ?? 'demo' };
}

describe('dsn', () => {
  const cases = goldenNames().filter(
    (name) => loadGolden(name).etcd !== null && loadGolden(name).runs['dsn'] !== undefined,
  );

  test.each(cases)('prints what patronictl printed: %s', async (name) => {
    const { runs } = loadGolden(name);
    for (const [key, run] of Object.entries(runs)) {
      if (!/^dsn(-|$)/.test(key)) continue;
      const args = run.cmd.split(' ').slice(1);
      const ours = await runFake(recorded(name), ['--compat', ...args], scopeOf(runs));
      expect([key, ours.out, ours.code]).toEqual([key, run.out, run.rc]);
    }
  });

  test('an unknown member: the existing ones are named', async () => {
    const { err } = await runFake(recorded('on'), ['dsn', '-m', 'pg9']);
    expect(err).toBe(
      'Error: Can not find a suitable member: no member is named "pg9"\n' +
        'members: pg1, pg2 (leader), pg3\n',
    );
  });

  test('--role and --member exclude each other', async () => {
    const { code, out } = await runFake(recorded('on'), ['dsn', '-m', 'pg1', '-r', 'any']);
    expect([code, out]).toEqual([2, '']);
  });

  test('a key without an address is an error, not host=null', async () => {
    const cluster = recorded('on');
    cluster.keys['/service/demo/members/pg1'] = '{"role":"replica","state":"running"}';
    const { code, out, err } = await runFake(cluster, ['dsn', '-m', 'pg1']);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('the DCS key of pg1 has no readable conn_url');
  });

  test('with Citus: every group is looked through, or the one that is named', async () => {
    const keys: Record<string, string> = {};
    for (const [key, value] of Object.entries(recorded('on').keys)) {
      keys[key.replace('/demo/', '/demo/0/')] = value;
      keys[key.replace('/demo/', '/demo/1/').replace('/pg', '/wk')] = value.replace(/643/g, '743');
    }
    const worker = await runFake({ keys }, ['dsn', '-m', 'wk1']);
    expect(worker.out).toBe('host=127.0.0.1 port=7433\n');
    const outside = await runFake({ keys }, ['dsn', '-m', 'wk1', '--group', '0']);
    expect(outside.code).toBe(1);
    expect((await runFake({ keys }, ['dsn'])).out).toBe('host=127.0.0.1 port=6434\n');
  });
});
