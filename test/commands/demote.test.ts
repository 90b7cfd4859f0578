import { beforeEach, describe, expect, test } from 'vitest';
import { answer, fakeMembers, lost, type FakeMembers } from '../support/fake-members.js';
import { runFake, UNREACHABLE, type FakeRun } from '../support/fake-world.js';

let fake: FakeMembers;
const run = (...args: string[]): Promise<FakeRun> => runFake(fake.cluster, args);
const DEMOTE = ['demote-cluster', '--host', 'far', '--port', '5433', '--force'];

/** The cluster takes the role at once; its leader streams if `streams`. */
function obey(role: 'standby_leader' | 'primary', streams: boolean): void {
  fake.onCall = (_, request) => {
    if (request !== 'PATCH /config') return;
    const { standby_cluster } = fake.sent.at(-1)?.body as { standby_cluster: object | null };
    fake.set('config', (value) => (value['standby_cluster'] = standby_cluster));
    fake.set('members/pg2', (value) => Object.assign(value, { role, state: 'running' }));
    fake.says('pg2', (value) => {
      value['location'] = role === 'primary' ? 1n : null;
      value['replicationState'] = streams ? 'streaming' : null;
    });
  };
}

beforeEach(() => {
  fake = fakeMembers('on');
  obey('standby_leader', true);
});

describe('demote-cluster', () => {
  test('patches the configuration over the leader, and ends when everybody streams', async () => {
    const done = await run(...DEMOTE, '--primary-slot-name', 's');
    expect(done.code, done.err).toBe(0);
    const body = { standby_cluster: { host: 'far', port: 5433, primary_slot_name: 's' } };
    expect(fake.sent).toEqual([{ to: 'pg2', request: 'PATCH /config', body }]);
    expect(done.out.startsWith('Current cluster topology\n+ Cluster: demo ')).toBe(true);
    expect(done.out).toMatch(
      /\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d cluster is successfully demoted\n\+ /,
    );
    expect(done.out).toContain('Standby Leader');
  });

  test('a standby leader that streams from nobody is exit 4', async () => {
    obey('standby_leader', false);
    const done = await run(...DEMOTE);
    expect([done.code, done.out.includes('successfully')]).toEqual([4, false]);
    expect(done.err).toContain('the cluster is demoted, but pg2 does not stream');
  });

  test('with an archive only it need not stream', async () => {
    obey('standby_leader', false);
    expect((await run('demote-cluster', '--restore-command', 'cp', '--force')).code).toBe(0);
  });

  test('a role that never comes is exit 5 at the deadline', async () => {
    fake.onCall = () => undefined;
    const done = await run(...DEMOTE, '--deadline', '10s');
    expect(done.code).toBe(5);
    expect(done.err).toContain('leader role: primary, leader state: running');
  });

  test('nothing to stream from is exit 2', async () => {
    const done = await run('demote-cluster', '--primary-slot-name', 's', '--force');
    expect([done.code, fake.sent]).toEqual([2, []]);
    expect(done.err).toContain('At least --host, --port or --restore-command should be specified');
  });

  test.each([
    [answer(409), 1],
    [answer(503), 1],
    [lost, 5],
  ] as const)('%j is exit %i', async (outcome, code) => {
    fake.onCall = () => undefined;
    fake.answers['pg2'] = outcome;
    const done = await run(...DEMOTE, '--deadline', '5s');
    expect([done.code, fake.sent.length]).toEqual([code, 1]);
    expect(done.err).toContain('Failed to demote demo cluster');
  });

  test('a lost answer that took effect is followed to the end', async () => {
    fake.answers['pg2'] = lost;
    expect((await run(...DEMOTE)).code).toBe(0);
    expect(fake.sent).toHaveLength(1);
  });

  test('a leader that does not answer: exit 3, nothing sent', async () => {
    fake.cluster.rest = { ...fake.cluster.rest, pg2: UNREACHABLE };
    expect([(await run(...DEMOTE)).code, fake.sent]).toEqual([3, []]);
  });

  test('no leader', async () => {
    fake.cluster.dcs.remove('/service/demo/leader');
    const done = await run(...DEMOTE);
    expect([done.code, done.err]).toEqual([
      1,
      'Error: Cluster has no leader, demotion is not possible\n',
    ]);
  });

  test('the question', async () => {
    fake.cluster.answers = ['n'];
    const done = await run('demote-cluster', '--host', 'far');
    expect([done.code, done.err]).toEqual([
      1,
      'Are you sure you want to demote demo cluster? [y/N]: Error: Aborted cluster demotion\n',
    ]);
  });
});

describe('promote-cluster', () => {
  test('is not for a cluster that stands alone', async () => {
    const done = await run('promote-cluster', '--force');
    expect([done.code, done.err]).toEqual([1, 'Error: Cluster is already in the required state\n']);
  });

  test('takes standby_cluster away and ends when the leader accepts writes', async () => {
    fake.set('members/pg2', (value) => (value['role'] = 'standby_leader'));
    obey('primary', false);
    const done = await run('promote-cluster', '--force');
    expect(done.code, done.err).toBe(0);
    expect(fake.sent[0]?.body).toEqual({ standby_cluster: null });
    expect(done.out).toContain('cluster is successfully promoted\n');
  });
});
