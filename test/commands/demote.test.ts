import { beforeEach, describe, expect, test } from 'vitest';
import type { Member, SqlStatus, WalReceiver } from '../../src/cluster/model/model.js';
import { microsOf } from '../../src/actions/standby-cluster/streams.js';
import { memberAt } from '../../src/cluster/model/member-address.js';
import { answer, fakeMembers, lost, type FakeMembers } from '../support/fake-members.js';
import { quickClock, runFake, UNREACHABLE, type FakeRun } from '../support/fake-world.js';

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
  test('patches the configuration at the leader, and ends when every member streams', async () => {
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

  test('a standby leader that does not stream is exit 4', async () => {
    obey('standby_leader', false);
    const done = await run(...DEMOTE);
    expect([done.code, done.out.includes('successfully')]).toEqual([4, false]);
    expect(done.err).toContain('the cluster is demoted, but pg2 does not stream');
    expect(done.err).toMatch(/^waiting for pg2, which does not stream .*, 10\.0 s so far$/m);
  });

  function connOf(name: string): URL {
    const text = fake.cluster.keys[`/service/demo/members/${name}`] ?? '';
    return new URL((JSON.parse(text) as { conn_url: string }).conn_url);
  }

  /** The answer of pg2's PostgreSQL to a user that may log in. */
  function sees(walReceiver: Partial<WalReceiver> | null): void {
    const value = { walReceiver } as SqlStatus;
    fake.cluster.sql = { [Number(connOf('pg2').port)]: { ok: true, value, tookMs: 1 } };
  }

  test('says where it streams from, if PostgreSQL may be asked', async () => {
    sees({ status: 'streaming', senderHost: 'far', senderPort: 5433 });
    const done = await run(...DEMOTE);
    expect([done.code, done.err.includes(' pg2 streams from far:5433\n')]).toEqual([0, true]);
  });

  test('and that this is unknown, if it may not', async () => {
    const done = await run(...DEMOTE);
    expect(done.code).toBe(0);
    expect(done.err).toContain(' pg2 streams; its upstream is unknown without an SQL login\n');
  });

  test.each([
    [{ status: 'streaming', senderHost: 'far', senderPort: 5432 }, 'streams from far:5432'],
    [{ status: 'streaming', senderHost: 'near', senderPort: 5433 }, 'streams from near:5433'],
    [{ status: 'waiting', senderHost: 'far', senderPort: 5433 }, 'the WAL receiver is waiting'],
    [null, 'PostgreSQL has no WAL receiver'],
  ])('a standby leader that streams from another server is exit 4: %j', async (receiver, said) => {
    sees(receiver);
    const done = await run(...DEMOTE);
    expect([done.code, done.out.includes('successfully')]).toEqual([4, false]);
    expect(done.err).toContain(
      `Error: the cluster is demoted, but pg2 does not stream from far:5433\n  REST pg2: ${said}\n`,
    );
    expect(done.err).toContain(`waiting: pg2 does not stream from far:5433 (${said})\n`);
  });

  test('the former leader must stream too', async () => {
    fake.onCall = () => {
      fake.set('config', (value) => (value['standby_cluster'] = { host: 'far', port: 5433 }));
      fake.set('members/pg1', (value) => Object.assign(value, { role: 'standby_leader' }));
      fake.cluster.dcs.put('/service/demo/leader', 'pg1');
      fake.says('pg2', (value) => {
        value['location'] = null;
        value['replicationState'] = null;
      });
    };
    const done = await run(...DEMOTE);
    expect(done.code).toBe(4);
    expect(done.err).toContain(
      'but pg2 does not stream\n  REST pg2: it runs but receives no WAL\n',
    );
  });

  test('a member of this very cluster cannot be followed: exit 1, nothing sent', async () => {
    const { hostname, port } = connOf('pg1');
    const done = await run('demote-cluster', '--host', hostname, '--port', port, '--force');
    expect([done.code, done.out, fake.sent]).toEqual([1, '', []]);
    expect(done.err).toBe(`Error: ${hostname}:${port} is pg1 of demo itself; nothing was sent\n`);
  });

  const START = '2026-11-21 14:26:35.188775+00:00';

  test('also refused under another address: the server there was started at the same microsecond', async () => {
    fake.says('pg3', (value) => {
      (value['raw'] as Record<string, unknown>)['postmaster_start_time'] = START;
    });
    const value = { systemId: null, startedAt: '1795271195188775' } as SqlStatus;
    fake.cluster.sql = { 5433: { ok: true, value, tookMs: 1 } };
    const done = await run(...DEMOTE);
    expect([done.code, done.out, fake.sent]).toEqual([1, '', []]);
    expect(done.err).toBe('Error: far:5433 is pg3 of demo itself; nothing was sent\n');
    const another = { systemId: null, startedAt: '1795271195188776' } as SqlStatus;
    fake.cluster.sql = { 5433: { ok: true, value: another, tookMs: 1 } };
    expect((await run(...DEMOTE)).err).not.toContain('nothing was sent');
  });

  test('a member with a silent Patroni is not taken for a remote: its PostgreSQL is asked', async () => {
    const value = { systemId: null, startedAt: '1' } as SqlStatus;
    const seen = { ok: true as const, value, tookMs: 1 };
    fake.cluster.rest = { ...fake.cluster.rest, pg3: UNREACHABLE };
    fake.cluster.sql = { 5433: seen, [Number(connOf('pg3').port)]: seen };
    expect((await run(...DEMOTE)).err).toBe(
      'Error: far:5433 is pg3 of demo itself; nothing was sent\n',
    );
  });

  test('a standby of this cluster that is not one of its members: no member accepts writes until it is promoted', async () => {
    const { hostname, port } = connOf('pg2');
    const walReceiver = { senderHost: hostname, senderPort: Number(port) } as WalReceiver;
    const value = { systemId: null, walReceiver } as SqlStatus;
    fake.cluster.sql = { 5433: { ok: true, value, tookMs: 1 } };
    const done = await run(...DEMOTE, '--deadline', '5s');
    expect([done.err.split('\n')[0], fake.sent.length]).toEqual([
      'warning: far:5433 is a standby that streams from pg2 of demo: no member accepts writes until it is promoted',
      1,
    ]);
  });

  test('a paused cluster would not obey: exit 1, nothing sent', async () => {
    fake.set('config', (value) => (value['pause'] = true));
    const done = await run(...DEMOTE);
    expect([done.code, done.out, done.err, fake.sent]).toEqual([
      1,
      '',
      'Error: the cluster is paused: Patroni would not demote it\nnothing was sent; end the pause first: patctl resume demo\n',
      [],
    ]);
  });

  test.each(['99999', '-1', 'x'])('--port %s is not a port: exit 2', async (port) => {
    const done = await run('demote-cluster', '--host', 'far', `--port=${port}`, '--force');
    expect([done.code, fake.sent]).toEqual([2, []]);
    expect(done.err).toContain('expected a port');
  });

  test('another database is refused too', async () => {
    fake.cluster.sql = { 5433: { ok: true, value: { systemId: '42' } as SqlStatus, tookMs: 1 } };
    const done = await run(...DEMOTE);
    expect([done.code, fake.sent]).toEqual([1, []]);
    expect(done.err).toMatch(
      /^Error: far:5433 is another database \(system identifier 42, not \d+\); nothing/,
    );
  });

  test('one that does not answer us may answer the members: a warning', async () => {
    sees({ status: 'streaming', senderHost: 'far', senderPort: 5433 });
    const done = await run(...DEMOTE);
    expect([done.code, fake.sent.length]).toEqual([0, 1]);
    expect(done.err).toContain('warning: far:5433 could not be checked: connect ECONNREFUSED\n');
  });

  test('with an archive only it need not stream', async () => {
    obey('standby_leader', false);
    expect((await run('demote-cluster', '--restore-command', 'cp', '--force')).code).toBe(0);
  });

  test('a role that never comes is exit 5 at the deadline', async () => {
    fake.onCall = () =>
      fake.set('config', (value) => (value['standby_cluster'] = { host: 'far', port: 5433 }));
    const done = await run(...DEMOTE, '--deadline', '10s');
    expect(done.code).toBe(5);
    expect(done.err).toContain('leader role: primary, leader state: running');
  });

  test.each([
    [200, 5, 'standby_cluster is unchanged'],
    [500, 1, 'standby_cluster is unchanged'],
    [502, 5, 'standby_cluster is unchanged'],
    [501, 1, 'status code=501'],
  ])('HTTP %i that is not followed by its effect is exit %i, soon', async (status, code, said) => {
    fake.onCall = () => undefined;
    fake.answers['pg2'] = answer(status, 'so');
    const clock = quickClock();
    const startedMs = clock.nowMs();
    fake.cluster.clock = clock;
    const done = await run(...DEMOTE);
    expect([done.code, fake.sent.length]).toEqual([code, 1]);
    expect(done.err).toContain(said);
    // The answer of a success is the whole configuration.
    expect(done.err.includes('(so)')).toBe(status >= 300);
    expect(clock.nowMs() - startedMs).toBeLessThan(25_000);
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

  test('409 while etcd does not answer is exit 5', async () => {
    fake.answers['pg2'] = answer(409);
    fake.onCall = () => {
      for (let at = 0; at < 1000; at++) fake.cluster.dcs.failNext('unreachable', 'range');
    };
    expect([(await run(...DEMOTE, '--deadline', '5s')).code, fake.sent.length]).toEqual([5, 1]);
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

describe('the server behind an address', () => {
  const members = [
    { name: 'pg1', host: 'Db1.example', port: 5432 },
    { name: 'pg2', host: '127.0.0.1', port: 5433 },
    { name: 'pg3', host: null, port: 5432 },
  ] as Member[];
  const addresses = new Map([
    ['Db1.example', ['10.0.0.1', 'fd00::1']],
    ['vip', ['10.0.0.1']],
    ['localhost', ['::1']],
    ['127.0.0.1', ['127.0.0.1']],
    ['far', ['10.0.0.9']],
  ]);
  test.each([
    [['vip'], 5432, 'pg1'],
    [['vip'], 5433, undefined],
    [['far', 'vip'], 5432, 'pg1'],
    [['db1.example'], 5432, 'pg1'],
    [['localhost'], 5433, 'pg2'],
    [['127.0.0.2'], 5433, undefined],
    [['far'], 5432, undefined],
  ])('%j:%i', (hosts, port, name) => {
    expect(memberAt({ members }, addresses, hosts, port)?.name).toBe(name);
  });

  test.each([
    ['2026-11-21 14:26:35.188775+00:00', '1795271195188775'],
    ['2026-11-21 19:56:35.1+05:30', '1795271195100000'],
    ['2026-11-21T14:26:35Z', '1795271195000000'],
    ['yesterday', null],
  ])('%s in microseconds', (text, micros) => expect(microsOf(text)).toBe(micros));
});

describe('promote-cluster', () => {
  test('is not for a cluster that stands alone', async () => {
    const done = await run('promote-cluster', '--force');
    expect([done.code, done.err]).toEqual([1, 'Error: Cluster is already in the required state\n']);
  });

  test('a member key that still says primary right after a demotion does not stop it', async () => {
    fake.set('config', (value) => (value['standby_cluster'] = { host: 'far', port: 5433 }));
    obey('primary', false);
    const done = await run('promote-cluster', '--force');
    expect([done.code, fake.sent.map(({ request }) => request)], done.err).toEqual([
      0,
      ['PATCH /config'],
    ]);
    fake.set('config', (value) => (value['standby_cluster'] = { host: 'far', port: 5433 }));
    const compat = await run('--compat', 'promote-cluster', '--force');
    expect([compat.code, compat.err]).toEqual([
      1,
      'Error: Cluster is already in the required state\n',
    ]);
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
