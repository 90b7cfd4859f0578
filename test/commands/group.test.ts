/** Which Citus group a change of leader is of: never guessed, as patronictl never guesses it. */
import { expect, test } from 'vitest';
import { quickClock, recorded, runFake, type FakeCluster } from '../support/fake-world.js';
import { goldenKeys, loadGolden } from '../fixtures/golden.js';

const CITUS = { PATRONI_CITUS_GROUP: '1', PATRONI_CITUS_DATABASE: 'app' };

/** The same cluster as group 0 and as group 1; group 1 has a schedule. */
function groups(): FakeCluster {
  const { kvs } = goldenKeys(loadGolden('off'));
  const at = (group: number) =>
    kvs.map(({ key, value }) => [key.replace('/demo/', `/demo/${group}/`), value]);
  const failover = '{"leader":"pg1","scheduled_at":"2099-01-01T00:00:00+00:00"}';
  const keys = Object.fromEntries([...at(0), ...at(1)]) as Record<string, string>;
  return {
    ...recorded('off'),
    clock: quickClock(),
    keys: { ...keys, '/service/demo/0/failover': '{}', '/service/demo/1/failover': failover },
  };
}

test.each(['switchover', 'failover'])(
  '%s --force wants --group, whatever is configured',
  async (command) => {
    const run = await runFake(groups(), [command, '--force', '--candidate', 'pg2'], CITUS);
    expect([run.code, run.err]).toEqual([
      1,
      'Error: For Citus clusters the --group must me specified\ngroups: 0, 1\n',
    ]);
    expect(run.out).toMatch(/^Current cluster topology\n\+ Citus cluster: demo -/);
    expect(run.out.match(/^\| +[01] \| pg/gm)).toHaveLength(6);
  },
);

test('--dry-run asks nothing either, and shows no topology', async () => {
  const run = await runFake(groups(), ['switchover', '--dry-run'], CITUS);
  expect([run.code, run.out]).toEqual([1, '']);
});

test('on a terminal it is asked for, until it is one of them; the topology is shown once', async () => {
  const cluster = { ...groups(), answers: ['one', '1', 'pg1', 'pg2', 'now', 'n'] };
  const run = await runFake(cluster, ['switchover'], CITUS);
  expect(run.err).toMatch(
    /^ {2}0 {2}coordinator {2}leader pg1 .*\n {2}1 {2}worker {7}leader pg1 .*\nCitus group: Error: "one" is not one of: 0, 1\nCitus group: .*\nPrimary \[pg\d\]: /,
  );
  expect(run.out.split('Current cluster topology')).toHaveLength(2);
});

test('a hint names the group too', async () => {
  const run = await runFake(groups(), ['switchover', '--dry-run', '--group', '1'], CITUS);
  expect(run.code).toBe(1);
  expect(run.err).toContain('failover_pending: patctl flush demo --group 1 switchover');
});

test('flush without a group: the schedule of the coordinator', async () => {
  const run = await runFake(groups(), ['flush', 'demo', 'switchover'], CITUS);
  expect([run.code, run.out]).toEqual([0, 'No pending scheduled switchover\n']);
});
