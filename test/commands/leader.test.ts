/** `leader` and `members`: what a script reads, and how it ends. */
import { ToolError } from '../../src/errors.js';
import { describe, expect, test } from 'vitest';
import type { Reading, RestStatus } from '../../src/cluster/model/model.js';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import { recorded, runFake, UNREACHABLE, type FakeCluster } from '../support/fake-world.js';

/** The golden cluster `off`, which pg1 leads, with other answers. */
function off(values: Record<string, Partial<RestStatus> | null> = {}): FakeCluster {
  const cluster = recorded('off');
  const rest: Record<string, Reading<RestStatus>> = { ...cluster.rest };
  for (const [name, value] of Object.entries(values)) {
    const reading = rest[name];
    if (!reading?.ok) throw new Error(`there is no ${name}`);
    rest[name] = value ? { ...reading, value: { ...reading.value, ...value } } : UNREACHABLE;
  }
  return { ...cluster, rest };
}

async function leader(cluster: FakeCluster, ...args: string[]) {
  const { code, out, err } = await runFake(cluster, ['leader', ...args]);
  return { code, out, err: err.split('\n')[0] };
}

describe('leader', () => {
  test('prints the primary', async () => {
    expect(await leader(off())).toMatchObject({ code: 0, out: 'pg1\n' });
    expect(await leader(off(), '--standby')).toMatchObject({ code: 0, out: 'pg1\n' });
    expect(await leader(off(), '--verify', 'off')).toMatchObject({ code: 0, out: 'pg1\n' });
  });

  test.each([[[]], [['--verify', 'off']]])('a standby cluster has none (%j)', async (args) => {
    const standby = off({ pg1: { location: null, receivedLocation: 1n } });
    standby.keys['/service/demo/config'] = '{"standby_cluster":{"host":"elsewhere"}}';
    const none = await leader(standby, ...args);
    expect(none).toMatchObject({ code: 1, out: '' });
    expect(none.err).toContain('no member is a primary: pg1 is a standby leader');
    const asked = await leader(standby, '--standby', ...args);
    expect(asked).toMatchObject({ code: 0, out: 'pg1\n' });
  });

  test('a false claim is 4, no leader 1, silence 3', async () => {
    const replica = { location: null, receivedLocation: 1n };
    expect(await leader(off({ pg1: replica }))).toMatchObject({ code: 4, out: '' });
    expect(await leader(off({ pg2: { location: 1n } }))).toMatchObject({ code: 4, out: '' });
    expect(await leader(off({ pg1: null }))).toMatchObject({ code: 3, out: '' });
    const { keys, rest } = off({ pg1: replica });
    delete keys['/service/demo/leader'];
    expect(await leader({ keys, rest: rest ?? {} })).toMatchObject({ code: 1, out: '' });
  });
});

test('members by the role they are seen in', async () => {
  const names = async (...args: string[]) =>
    (await runFake(off(), ['members', ...args])).out.trim().split('\n').join(' ');
  expect(await names()).toBe('pg1 pg2 pg3');
  expect(await names('-r', 'primary')).toBe('pg1');
  expect(await names('-r', 'replica')).toBe('pg2 pg3');
});

describe('members of a role that no witness tells', () => {
  const members = (cluster: FakeCluster, role: string) => runFake(cluster, ['members', '-r', role]);

  test('none was found, and one that is not heard may have it: 3', async () => {
    const { code, out, err } = await members(off({ pg1: null }), 'primary');
    expect([code, out]).toEqual([3, '']);
    expect(err).toContain('unknown whether it is one of them: pg1\n');
    expect((await members(off({ pg2: null, pg3: null }), 'replica')).code).toBe(3);
    expect((await members({ ...off(), rest: {} }, 'sync')).code).toBe(3);
  });

  test('the others are printed, and it is named on stderr', async () => {
    expect(await members(off({ pg2: null }), 'replica')).toEqual({
      code: 0,
      out: 'pg3\n',
      err: 'unknown whether it is one of them: pg2\n',
    });
    expect((await members(off({ pg2: null }), 'any')).err).toBe('');
    expect((await members(off(), 'sync')).code).toBe(0);
  });
});

describe('members -r primary', () => {
  test('names every primary, and two are a false claim', async () => {
    const one = await runFake(off(), ['members', '-r', 'primary']);
    expect([one.code, one.out]).toEqual([0, 'pg1\n']);
    const two = off({ pg2: { location: 67_109_000n } });
    const { code, out, err } = await runFake(two, ['members', '-r', 'primary']);
    expect([code, out]).toEqual([4, 'pg1\npg2\n']);
    expect(err).toContain('Error: pg1 and pg2 are both primaries\n');
    expect((await runFake(two, ['members', '-r', 'leader'])).code).toBe(0);
  });

  test('one that has left the DCS is a primary too', async () => {
    const cluster = off();
    cluster.keys['/service/demo/failsafe'] = '{"pg9":"http://127.0.0.1:8999/patroni"}';
    const pg1 = cluster.rest?.['pg1'];
    if (!pg1?.ok) throw new Error('pg1 is recorded');
    cluster.rest = { ...cluster.rest, pg9: { ...pg1, value: { ...pg1.value, name: 'pg9' } } };
    const { code, out } = await runFake(cluster, ['members', '-r', 'primary']);
    expect([code, out]).toEqual([4, 'pg1\npg9\n']);
    expect((await runFake(cluster, ['members'])).out).not.toContain('pg9');
  });

  test('a second primary has no lag', async () => {
    const two = off({ pg2: { location: 67_109_000n } });
    const { out } = await runFake(two, ['status', '-f', 'json']);
    const { members } = JSON.parse(out) as { members: { name: string; lagBytes: number | null }[] };
    expect(members.find(({ name }) => name === 'pg2')?.lagBytes).toBeNull();
    expect(members.find(({ name }) => name === 'pg3')?.lagBytes).toBe(0);
  });
});

describe('a scope with a slash', () => {
  const COMMANDS = [
    ...['list', 'topology', 'status', 'check', 'quorum', 'history', 'show-config', 'dsn', 'leader'],
    ...['ready', 'members', 'version', 'why-not', 'edit-config --check', 'snapshot'],
  ];

  test.each(COMMANDS)('is known to %s', async (command) => {
    const cluster = recorded('off');
    const keys = Object.fromEntries(
      Object.entries(cluster.keys).map(([key, value]) => [
        key.replace('/service/demo/', '/service/15/main/'),
        value,
      ]),
    );
    const [name = '', ...options] = command.split(' ');
    const more = name === 'why-not' ? ['pg2'] : [];
    const args = [name, ...more, '15/main', ...options];
    const { out, err } = await runFake({ ...cluster, keys }, args);
    expect(out + err).not.toMatch(/unknown|no cluster|not found|does not exist/i);
    expect(out).not.toBe('');
  });
});

test.each([['leader'], ['members'], ['leader', 'nosuch']])(
  '%s %s: a refusal of etcd is not an answer, an unknown cluster is one',
  async (...args) => {
    const dcs = memoryStore(recorded('off').keys);
    if (args.length === 1) dcs.failNext('refused');
    const run = await runFake({ ...recorded('off'), dcs }, args);
    expect([run.code, run.out]).toEqual([args.length === 1 ? 3 : 1, '']);
  },
);

describe('a DCS that refuses our login decides nothing', () => {
  test.each(['leader', 'ready pg2', 'members', 'why-not pg2', 'dsn'])(
    '%s ends with 3',
    async (command) => {
      const refused = new ToolError('error', 'etcd refused the login as user "who"', {
        code: 'dcs_login_refused',
      });
      const dcs = { ...memoryStore({}), range: () => Promise.reject(refused) };
      const { code, out, err } = await runFake({ keys: {}, dcs }, command.split(' '));
      expect([code, out]).toEqual([3, '']);
      expect(err).toContain('etcd refused the login');
    },
  );
});

test('why-not ends 3 where it cannot be decided', async () => {
  const { code, out } = await runFake(off(), [
    'why-not',
    'pg2',
    'demo',
    '--verify',
    'off',
    '-f',
    'json',
  ]);
  expect((JSON.parse(out) as { could: string }).could).toBe('unknown');
  expect(code).toBe(3);
});
