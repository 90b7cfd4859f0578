/** `wait` as a person sees it: what is still missing on stderr, and how it ends. */
import { expect, test } from 'vitest';
import { quickClock, recorded, runFake } from '../support/fake-world.js';

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

test('one that stands still: said so, and 5 at the limit', async () => {
  const { cluster, name } = catchingUp(0n);
  const run = await runFake(cluster, ['wait', '--for', `caught-up=${name}`, '--timeout', '3s']);
  expect(run.code).toBe(5);
  expect(run.err).toContain(`${name} is 40.0 MiB behind, and is not getting closer`);
});
