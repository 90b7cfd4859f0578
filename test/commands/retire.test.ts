/** `retire`: refused, waited for, and what is removed; the DCS is in memory and the members answer as a test says. */
import { beforeEach, expect, test } from 'vitest';
import { fakeMembers, type FakeMembers } from '../support/fake-members.js';
import { quickClock, runFake, UNREACHABLE, type FakeRun } from '../support/fake-world.js';

let fake: FakeMembers;
const run = (...args: string[]): Promise<FakeRun> => runFake(fake.cluster, ['retire', ...args]);
const config = (): Record<string, unknown> =>
  JSON.parse(valueOf('config') ?? '{}') as Record<string, unknown>;
let values = new Map<string, string>();
const valueOf = (key: string): string | undefined => values.get(`/service/demo/${key}`);
const look = async (): Promise<void> => {
  const { kvs } = await fake.cluster.dcs.range('/service/demo/');
  values = new Map(kvs.map(({ key, value }) => [key, value]));
};

/** Stopped, and its lease has ended; the leader has no walsender for it. */
function stop(name: string): void {
  fake.says('pg2', (value) => {
    const rows = value['replication'] as { applicationName: string }[];
    value['replication'] = rows.filter(({ applicationName }) => applicationName !== name);
  });
  fake.cluster.rest = { ...fake.cluster.rest, [name]: UNREACHABLE };
  fake.cluster.dcs.remove(`/service/demo/members/${name}`);
}
const status = (change: (value: Record<string, unknown>) => void): void =>
  fake.set('status', change);

beforeEach(async () => {
  fake = fakeMembers('on');
  await look();
});

test('the leader is refused, and nothing is written', async () => {
  const { revision } = fake.cluster.dcs;
  const done = await run('pg2', 'demo', '--force');
  expect([done.code, done.out, done.err]).toEqual([
    1,
    '',
    'Error: pg2 is not retired: pg2 is the leader\n  DCS /leader: pg2\n' +
      'move the leadership first: patctl switchover demo --avoid pg2\n',
  ]);
  expect(fake.cluster.dcs.revision).toBe(revision);
});

test('a name that nothing speaks of', async () => {
  const done = await run('pg9', 'demo', '--force');
  expect([done.code, done.err]).toEqual([
    1,
    'Error: pg9 is not a member of demo, and no key, slot or history names it\nmembers: pg1, pg2, pg3\n',
  ]);
});

test('--dry-run shows each check and what would be removed', async () => {
  const { revision } = fake.cluster.dcs;
  const done = await run('pg3', 'demo', '--dry-run');
  expect([done.code, done.err]).toEqual([0, '']);
  expect(done.out).toMatch(/^ {2}votes +ok +without pg3, pg1 could take over from pg2$/m);
  expect(done.out).toContain('\nWould retire pg3 from demo\n');
  expect(done.out).toContain('\n  removes its replication slot pg3 on every member\n');
  expect(fake.cluster.dcs.revision).toBe(revision);
});

test('at --deadline it says what still runs, and nothing was written', async () => {
  const { revision } = fake.cluster.dcs;
  const done = await run('pg3', 'demo', '--force', '--deadline', '2s', '-f', 'json');
  expect(JSON.parse(done.out)).toMatchObject({
    ...{ command: 'retire', ending: 'unconfirmed', exit: 5, code: 'not_gone', changed: false },
    message: 'pg3 is not gone within the limit (--deadline)',
    evidence: [{ witness: 'REST', subject: 'pg3', said: 'Patroni answers' }],
    retirement: { member: 'pg3', refused: false, hasLeft: false },
  });
  expect(done.err).toContain('Now stop Patroni on pg3 (');
  expect(fake.cluster.dcs.revision).toBe(revision);
});

test('a key without a lease is removed once nothing answers, and the note is written with it', async () => {
  fake.cluster.rest = { ...fake.cluster.rest, pg3: UNREACHABLE };
  await run('pg3', 'demo', '--force', '--deadline', '20s', '--keep-slot');
  await look();
  expect(valueOf('members/pg3')).toBeUndefined();
  expect(valueOf('patctl-retired/pg3')).toBe('{"retired":"pg3"}');
});

test('a key that a lease keeps is waited for', async () => {
  fake.cluster.rest = { ...fake.cluster.rest, pg3: UNREACHABLE };
  fake.cluster.dcs.put('/service/demo/members/pg3', valueOf('members/pg3') ?? '', '77');
  const done = await run('pg3', 'demo', '--force', '--deadline', '5s');
  expect([done.code, done.err]).toEqual([
    5,
    expect.stringContaining('DCS /members/pg3: is still there'),
  ]);
});

test('member_slots_ttl is shortened until Patroni releases the slot, and put back', async () => {
  stop('pg3');
  status((value) => (value['retain_slots'] = ['pg1', 'pg2', 'pg3']));
  await look();
  const before = config();
  const seen: unknown[] = [];
  const clock = quickClock();
  fake.cluster.clock = {
    ...clock,
    wait: async (ms, signal) => {
      await look();
      seen.push(config()['member_slots_ttl']);
      // As the leader: in its loop after the change.
      if (config()['member_slots_ttl'] !== before['member_slots_ttl'])
        status((value) => (value['retain_slots'] = ['pg1', 'pg2']));
      await clock.wait(ms, signal);
    },
  };
  const done = await run('pg3', 'demo', '--force');
  expect([done.code, done.out]).toEqual([0, 'Success: pg3 is retired from demo\n']);
  expect(done.err).toContain('member_slots_ttl is 4 s instead of 1800 s until the slot is gone\n');
  expect(seen).toContain(4);
  await look();
  expect(config()).toEqual(before);
});

test('the answer to the shorter member_slots_ttl is lost: it is put back anyway', async () => {
  stop('pg3');
  status((value) => (value['retain_slots'] = ['pg1', 'pg2', 'pg3']));
  await look();
  const before = config();
  const { dcs } = fake.cluster;
  let written = 0;
  const txn: typeof dcs.txn = (...args) => {
    written += 1;
    // The first one is the note of the retired member.
    if (written === 2) dcs.failNext('lost', 'txn');
    return dcs.txn(...args);
  };
  fake.cluster.dcs = Object.create(dcs, { txn: { value: txn } }) as typeof dcs;
  const done = await run('pg3', 'demo', '--force');
  expect([done.code, written]).toEqual([5, 3]);
  await look();
  expect(config()).toEqual(before);
});

test('with another member away its slot is left to Patroni', async () => {
  stop('pg3');
  status((value) => (value['retain_slots'] = ['pg1', 'pg2', 'pg3', 'pg4']));
  await look();
  const before = valueOf('config');
  const done = await run('pg3', 'demo', '--force');
  expect(done.code).toBe(0);
  expect(done.err).toContain('a shorter member_slots_ttl would remove pg4 too');
  await look();
  expect(valueOf('config')).toBe(before);
});

test('a slot that Patroni does not release: failed, and member_slots_ttl is what it was', async () => {
  stop('pg3');
  status((value) => (value['retain_slots'] = ['pg1', 'pg2', 'pg3']));
  await look();
  const before = config();
  const done = await run('pg3', 'demo', '--force', '-f', 'json');
  expect(JSON.parse(done.out)).toMatchObject({
    ...{ ending: 'failed', code: 'slot_left', changed: true },
    evidence: [{ witness: 'DCS', subject: '/status', said: 'retain_slots has pg3' }],
  });
  await look();
  expect(config()).toEqual(before);
});
