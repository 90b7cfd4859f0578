/** What a hanging shutdown waits for, and the advice. */
import { describe, expect, test } from 'vitest';
import { holdersText, nextStep } from '../../src/actions/switchover/advice.js';
import { holdersOf } from '../../src/cluster/preflight/holders.js';
import {
  AT,
  earlierBy,
  healthy,
  logical,
  plan,
  restOnly,
  type ProcessEnvironment,
} from './plan-support.js';

/** pg1 leads; a logical client works, another one and pg3 are stalled. */
function troubled(): ProcessEnvironment {
  const world = healthy('quorum');
  const senders = world.sql('pg1').walsenders;
  senders.push(logical(100n), logical(0n, { pid: 888, slotName: 'works' }));
  const pg3 = senders.find(({ applicationName }) => applicationName === 'pg3');
  Object.assign(pg3 ?? {}, { flushLsn: AT - 100n, writeLsn: AT - 100n, replyAgeMs: 7000 });
  return world;
}

const nowMs = Date.parse(troubled().snapshot.takenAt);

describe('what holds a shutdown', () => {
  test('only stalled clients: the stuck client and the frozen standby, each with its time', () => {
    const world = troubled();
    const found = holdersOf(world.snapshot, earlierBy(1000, world).snapshot);
    expect(found).toEqual([
      {
        kind: 'logical',
        pid: 777,
        applicationName: 'cdc',
        clientAddr: '10.0.0.9',
        slotName: 'cdc_slot',
        stillSinceMs: nowMs - 1000,
        timeoutMs: 60_000,
      },
      {
        kind: 'physical',
        pid: 151,
        applicationName: 'pg3',
        clientAddr: '10.0.0.9',
        slotName: 'pg3',
        stillSinceMs: nowMs - 7000,
        timeoutMs: 60_000,
      },
    ]);
    expect(holdersText('pg1', found, 5200, nowMs + 6000)).toBe(
      'pg1 has been stopping for 5 s; it waits for ' +
        'cdc (pid 777, from 10.0.0.9, slot cdc_slot, no confirmation for 7 s), ' +
        'pg3 (pid 151, from 10.0.0.9, slot pg3, no confirmation for 13 s, given up after 60 s of silence); ' +
        'on the host of pg1: kill -TERM 777',
    );
  });

  test('the advice never kills a standby, and names no client if none is known', () => {
    const world = troubled();
    const found = holdersOf(world.snapshot, earlierBy(1000, world).snapshot);
    const standby = found.filter(({ kind }) => kind === 'physical');
    expect(holdersText('pg1', standby, 5000, nowMs)).not.toContain('kill');
    expect(holdersText('pg1', [], 5000, nowMs)).toBe(
      'pg1 has been stopping for 5 s; a clean shutdown waits for every walsender and archiving',
    );
    expect(holdersOf(healthy().snapshot, earlierBy(1000, healthy()).snapshot)).toEqual([]);
    expect(holdersOf(restOnly(troubled()).snapshot, null)).toEqual([]);
  });

  test('long silence is enough, also with nothing to confirm', () => {
    const world = healthy();
    Object.assign(world.sql('pg1').walsenders[0] ?? {}, { replyAgeMs: 36_000 });
    expect(holdersOf(world.snapshot, null)).toMatchObject([
      { kind: 'physical', applicationName: 'pg2', stillSinceMs: nowMs - 36_000 },
    ]);
  });
});

describe('the next step', () => {
  test('of a shutdown that goes on: the command for a logical client only', () => {
    const world = troubled();
    const found = holdersOf(world.snapshot, earlierBy(1000, world).snapshot);
    const planned = plan(world);
    expect(nextStep('still_stopping', planned, { holders: found, silent: [] })).toBe(
      'the switchover continues by itself; on the host of pg1: kill -TERM 777',
    );
    expect(nextStep('still_stopping', planned)).toBe(
      'the switchover continues by itself; check with: patctl status demo',
    );
  });

  test('of a change that is not whole: the Patroni that is silent is to be started', () => {
    const seen = { holders: [], silent: ['pg3'] };
    expect(nextStep('not_healthy', plan(healthy('off')), seen)).toBe(
      'start Patroni on pg3; check with: patctl status demo',
    );
  });

  test('of a request that stands: while paused the resume carries it out', () => {
    const paused = plan(healthy('off', { config: { pause: true } }), { candidate: 'pg2' });
    expect(nextStep('still_pending', paused)).toMatch(
      /^the request may still be carried out, at the latest when the cluster is resumed; check/,
    );
    expect(nextStep('still_pending', plan(healthy()))).toMatch(
      /^the request may still be carried out; check/,
    );
  });
});
