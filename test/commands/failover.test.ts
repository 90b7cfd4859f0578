import { describe, expect, test } from 'vitest';
import { UNREACHABLE } from '../support/fake-world.js';
import { answered, changeWorld, PREFIX, promote, runIn, type ChangeWorld } from './change-world.js';

test('wants a candidate, in patronictl words', async () => {
  const world = changeWorld();
  const run = await runIn(world, ['failover', '--force']);
  expect(run.code).toBe(1);
  expect(run.err).toContain('Failover could be performed only to a specific candidate');
  expect(world.sent).toEqual([]);
});

test('with a leader: asked of the leader, at /failover, with the candidate only', async () => {
  const world = changeWorld();
  const [candidate = ''] = world.replicas;
  const run = await runIn(world, ['failover', '--force', '--candidate', candidate]);
  expect(run.code).toBe(0);
  expect(world.sent).toMatchObject([{ path: '/failover', body: { candidate } }]);
  expect(run.out).toContain(`Successfully failed over to "${candidate}"`);
});

async function apiUrlOf({ dcs }: ChangeWorld, name: string): Promise<string> {
  const { kvs } = await dcs.range(PREFIX);
  const member = kvs.find(({ key }) => key === `${PREFIX}members/${name}`);
  return (JSON.parse(member?.value ?? '{}') as { api_url: string }).api_url;
}

describe('the leader holds the lock and is dead', () => {
  const dead = () => {
    const world = changeWorld();
    const [candidate = ''] = world.replicas;
    world.rest[world.leader] = UNREACHABLE;
    const args = ['failover', '--force', '--candidate', candidate, '--allow-data-loss'];
    return { world, candidate, args };
  };

  test('the candidate takes the request, and the lock when it expires', async () => {
    const { world, candidate, args } = dead();
    world.answer = ({ body }) => {
      world.dcs.put(`${PREFIX}leader`, (body as { candidate: string }).candidate);
      return answered(503, 'Failover status unknown');
    };
    const run = await runIn(world, [...args, '--wait', 'leader']);
    expect([run.code, run.err]).toEqual([0, expect.stringContaining('holds the leader lock')]);
    expect(world.sent).toMatchObject([{ to: await apiUrlOf(world, candidate) }]);
  });

  test('no member can be asked: exit 3, and when --via dcs would be carried out', async () => {
    const { world, args } = dead();
    world.answer = () => ({ kind: 'not_sent', reason: 'refused' });
    const run = await runIn(world, args);
    expect(run.code).toBe(3);
    expect(run.err).toContain("no member's REST API answered; nothing was sent");
    expect(run.err).toContain(
      `carried out only if the candidate is alive, but not before the lock of ${world.leader} expires`,
    );
    expect(await world.failoverKey()).toBe('{}');
  });
});

test('without a leader: the candidate is asked first, others only when it surely was not', async () => {
  const world = changeWorld('no-leader');
  const [candidate = ''] = world.replicas;
  world.dcs.remove(`${PREFIX}leader`);
  world.answer = () => ({ kind: 'not_sent', reason: 'refused' });
  const args = ['failover', '--force', '--candidate', candidate, '--allow-data-loss'];
  const run = await runIn(world, args);
  expect([run.code, run.err]).toEqual([3, expect.stringContaining('no member')]);
  expect(world.sent.length).toBeGreaterThan(1);

  world.sent.length = 0;
  world.answer = () => ({ kind: 'lost', reason: 'reset' });
  const lost = await runIn(world, [...args, '--deadline', '5']);
  expect([lost.code, world.sent.length]).toEqual([5, 1]);
});

test('without a leader: it is not done before the standbys stream from the new one', async () => {
  const world = changeWorld('no-leader');
  const [candidate = '', other = ''] = world.replicas.filter((name) => world.rest[name]?.ok);
  const reached = world.rest[candidate];
  world.dcs.remove(`${PREFIX}leader`);
  world.answer = () => {
    world.dcs.put(`${PREFIX}leader`, candidate);
    promote(world.rest, other, candidate);
    const now = world.rest[candidate];
    if (!now?.ok) throw new Error('no member to promote');
    const location = reached?.ok ? reached.value.receivedLocation : null;
    world.rest[candidate] = { ...now, value: { ...now.value, location, replication: [] } };
    return answered(200, `Successfully failed over to "${candidate}"`);
  };
  const args = ['failover', '--force', '--candidate', candidate, '--allow-data-loss'];
  const run = await runIn(world, [...args, '--deadline', '4']);
  expect(run.err).toContain(`${candidate} leads, but ${other} did not stream from it`);
  expect(run.err).toMatch(new RegExp(`\\n {2}REST ${other}: `));
  expect(run.code).toBe(4);
});

test('to an asynchronous member patronictl asks once more', async () => {
  const world = changeWorld('on');
  const sync = JSON.parse(
    (await world.dcs.range(PREFIX)).kvs.find(({ key }) => key.endsWith('/sync'))?.value ?? '{}',
  ) as { sync_standby: string };
  const async = world.replicas.find((name) => name !== sync.sync_standby) ?? '';
  const args = ['failover', '--candidate', async, '--allow-data-loss'];
  const run = await runIn(world, args, { typed: ['n'] });
  expect(run.code).toBe(1);
  expect(run.err).toContain(
    `Are you sure you want to failover to the asynchronous node ${async}? [y/N]: `,
  );
  expect(world.sent).toEqual([]);
});
