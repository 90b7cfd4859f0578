/** `wait` as a person sees it: what is still missing on stderr, and how it ends. */
import { describe, expect, test } from 'vitest';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import {
  quickClock,
  recorded,
  runFake,
  UNREACHABLE,
  type FakeCluster,
} from '../support/fake-world.js';

const MIB = 1024n * 1024n;

/** A replica of the golden cluster `off` that is 40 MiB behind and gains so much at every look. */
function catchingUp(gain: bigint) {
  const cluster = recorded('off');
  const leader = cluster.keys['/service/demo/leader'] ?? '';
  const [name = ''] = Object.keys(cluster.rest ?? {}).filter((one) => one !== leader);
  const [lead, replica] = [cluster.rest?.[leader], cluster.rest?.[name]];
  if (!lead?.ok || !replica?.ok) throw new Error('the golden cluster has no such members');
  const location = 1000n * MIB;
  let replayedLocation = location - 40n * MIB;
  const clock = quickClock(() => {
    replayedLocation += gain;
  });
  const status = (target: { name: string }) => {
    const isLeader = target.name === leader;
    const positions = isLeader ? { location } : { receivedLocation: location, replayedLocation };
    const { value } = isLeader ? lead : replica;
    return Promise.resolve({ ok: true, tookMs: 1, value: { ...value, ...positions } } as const);
  };
  return { cluster: { ...cluster, status, clock }, name };
}

test('a replica that catches up: bytes, rate and time left, and 0 when it is there', async () => {
  const { cluster, name } = catchingUp(10n * MIB);
  const run = await runFake(cluster, ['wait', '--for', `caught-up=${name}`]);
  expect(run.code).toBe(0);
  expect(run.err.trim().split('\n')).toEqual([
    `waiting: ${name} is 40.0 MiB behind`,
    `waiting: ${name} is 30.0 MiB behind, gaining 10.0 MiB/s, about 3.0 s left`,
    `waiting: ${name} is 20.0 MiB behind, gaining 10.0 MiB/s, about 2.0 s left`,
    `waiting: ${name} is 10.0 MiB behind, gaining 10.0 MiB/s, about 1.0 s left`,
  ]);
});

test('a stalled one: this is printed, and 5 at the limit', async () => {
  const { cluster, name } = catchingUp(0n);
  const run = await runFake(cluster, ['wait', '--for', `caught-up=${name}`, '--deadline', '3s']);
  expect(run.code).toBe(5);
  expect(run.err).toContain(`${name} is 40.0 MiB behind, and the lag is not decreasing`);
});

describe('--for healthy', () => {
  const wait = (cluster: FakeCluster) =>
    runFake({ clock: quickClock(), ...cluster }, ['wait', '--for', 'healthy', '--deadline', '3s']);
  /** The recorded cluster with other words in one of its keys. */
  const edited = (name: string, key: string, value: string): FakeCluster => {
    const cluster = recorded(name);
    return { ...cluster, keys: { ...cluster.keys, [`/service/demo/${key}`]: value } };
  };

  test.each(['off', 'on', 'quorum', 'tags'])('%s is, at the first look', async (name) => {
    expect(await wait(recorded(name))).toEqual({ code: 0, out: '', err: '' });
  });

  test('not while a member is silent', async () => {
    const cluster = recorded('off');
    const run = await wait({ ...cluster, rest: { ...cluster.rest, pg3: UNREACHABLE } });
    expect(run.code).toBe(5);
    expect(run.err).toContain(
      'waiting: pg3 does not stream; pg3 does not answer [member_unreachable]\n',
    );
  });

  test('not while anything critical is found, though all members run and stream', async () => {
    const empty = await wait(edited('on', 'sync', '{"leader":"pg2","sync_standby":null}'));
    expect(empty.code).toBe(5);
    expect(empty.err).toContain('[sync_empty]');
    const wrong = await wait(edited('on', 'sync', '{"leader":"pg2","sync_standby":"pg3"}'));
    expect(wrong.err).toMatch(/waiting: the DCS says pg3 .*\[sync_role_mismatch\]\n/);
    expect(wrong.err).toMatch(/not within 3 s: .*\[sync_role_mismatch\]/);
  });

  test('not while the leader has lost the DCS and goes on by failsafe mode', async () => {
    const cluster = edited('off', 'config', '{"ttl":30,"loop_wait":10,"failsafe_mode":true}');
    const leader = cluster.keys['/service/demo/leader'] ?? '';
    const reading = cluster.rest?.[leader];
    if (!reading?.ok) throw new Error('the leader is recorded');
    const value = { ...reading.value, failsafeModeIsActive: true };
    const run = await wait({
      ...cluster,
      rest: { ...cluster.rest, [leader]: { ...reading, value } },
    });
    expect([run.code, run.err]).toEqual([5, expect.stringContaining('[failsafe_active]')]);
  });

  test('until it is gone', async () => {
    const good = recorded('on');
    const dcs = memoryStore(edited('on', 'sync', '{"leader":"pg2","sync_standby":"pg3"}').keys);
    const clock = quickClock(() => {
      dcs.put('/service/demo/sync', good.keys['/service/demo/sync'] ?? '');
    });
    expect(await wait({ ...good, dcs, clock })).toMatchObject({ code: 0 });
  });
});
