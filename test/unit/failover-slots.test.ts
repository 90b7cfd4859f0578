import { describe, expect, test } from 'vitest';
import {
  failoverSlotNotSynced,
  permanentSlotMissing,
  synchronizedSlotInactive,
} from '../../src/cluster/findings/failover-slots.js';
import type { ReplicationSlot } from '../../src/cluster/model/model.js';
import { awaitedSlots, brokenBecause } from '../../src/cluster/roles/logical-slots.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { slotOf } from '../../src/postgres/slots.js';
import { failoverSlot, healthy, plan, restOnly, type ProcessEnvironment } from './plan-support.js';

const SLOTS = {
  slots: { sub: { database: 'app', plugin: 'pgoutput' }, keep: { type: 'physical' } },
};

function setting(world: ProcessEnvironment, member: string, name: string, value: string): void {
  const facts = { value, source: null, sourcefile: null, pendingRestart: false };
  world.sql(member).settings[name] = facts;
}

const members = (findings: { members: string[] }[]): string[][] =>
  findings.map((finding) => finding.members);

describe('a subscriber goes on after a change of leader only with a usable copy of its slot', () => {
  const slot = { name: 'sub', database: 'app', keptBy: 'failover' } as const;
  const because = (
    facts: Partial<ReplicationSlot> | null,
    settings: Record<string, string> = {},
  ) => {
    const world = healthy();
    failoverSlot(world, 'pg2', { synced: true, ...facts });
    if (facts === null) world.sql('pg2').slots = [];
    for (const [name, value] of Object.entries(settings)) setting(world, 'pg2', name, value);
    return brokenBecause(slot, world.sql('pg2'));
  };
  test.each([
    ['a synchronized copy', {}, null],
    ['one not yet made lasting', { temporary: true }, 'temporary'],
    ['one that lost its WAL', { invalidationReason: 'wal_removed' }, 'invalid (wal_removed)'],
    ['one that recovery took rows from', { conflicting: true }, 'invalid (conflicting)'],
    ['a slot of the same name that somebody made', { synced: false }, 'not a synchronized copy'],
    ['a physical slot of the same name', { slotType: 'physical' as const }, 'physical'],
    ['no copy', null, 'not copied yet'],
  ])('%s', (_, facts, word) => {
    if (word === null) expect(because(facts)).toBeNull();
    else expect(because(facts)).toContain(word);
  });

  test.each([
    ['sync_replication_slots', 'off'],
    ['hot_standby_feedback', 'off'],
    ['primary_slot_name', ''],
  ])('%s keeps the worker from copying, and is named', (name, value) => {
    expect(because(null, { [name]: value })).toContain(name);
  });

  test('a version without failover slots is the reason', () => {
    const sql = { ...healthy().sql('pg2'), serverVersion: 160_015 };
    expect(brokenBecause({ ...slot, keptBy: null }, sql)).toContain('PostgreSQL 16 copies no slot');
  });
});

describe('findings', () => {
  test('every member that may be promoted without the copy is named, and only those', () => {
    const world = healthy();
    failoverSlot(world, 'pg1');
    expect(members(failoverSlotNotSynced(viewOf(world.snapshot)))).toEqual([['pg2'], ['pg3']]);
    failoverSlot(world, 'pg2', { synced: true, active: false });
    expect(members(failoverSlotNotSynced(viewOf(world.snapshot)))).toEqual([['pg3']]);
    const barred = healthy('off', { tags: { pg3: { nofailover: true } } });
    failoverSlot(barred, 'pg1');
    failoverSlot(barred, 'pg2', { synced: true });
    expect(failoverSlotNotSynced(viewOf(barred.snapshot))).toEqual([]);
  });

  test('the slot that a former leader kept has to be dropped first, and is named', () => {
    const world = healthy();
    failoverSlot(world, 'pg1');
    failoverSlot(world, 'pg2', { synced: false, active: false });
    const [found] = failoverSlotNotSynced(viewOf(world.snapshot));
    expect(found?.next).toContain("SELECT pg_drop_replication_slot('sub')");
  });

  test('nothing is found without a login, and nothing about slots without failover', () => {
    const world = healthy();
    failoverSlot(world, 'pg1', { failover: false });
    expect(failoverSlotNotSynced(viewOf(world.snapshot))).toEqual([]);
    expect(failoverSlotNotSynced(viewOf(restOnly(world).snapshot))).toEqual([]);
  });

  test("Patroni's permanent logical slot is missing on a standby", () => {
    const world = healthy('off', { config: SLOTS });
    failoverSlot(world, 'pg1', { failover: false });
    failoverSlot(world, 'pg3', { failover: false, active: false });
    const [found, ...more] = permanentSlotMissing(viewOf(world.snapshot));
    expect([found?.members, found?.message.includes('keep'), more]).toEqual([['pg2'], false, []]);
  });

  test('synchronized_standby_slots is critical while a consumer waits for it', () => {
    const world = healthy();
    setting(world, 'pg1', 'synchronized_standby_slots', 'pg2, pg1,"pg3"');
    world.sql('pg1').serverVersion = 170_011;
    const severities = () =>
      synchronizedSlotInactive(viewOf(world.snapshot)).map(({ severity }) => severity);
    expect(awaitedSlots(world.sql('pg1'))).toEqual([{ name: 'pg1', state: 'does not exist' }]);
    expect(severities()).toEqual(['warning']);
    failoverSlot(world, 'pg1');
    expect(severities()).toEqual(['critical']);
    setting(world, 'pg1', 'synchronized_standby_slots', 'pg2,pg3');
    expect(severities()).toEqual([]);
    Object.assign(world.sql('pg1').slots.find(({ slotName }) => slotName === 'pg3') ?? {}, {
      active: false,
    });
    expect(awaitedSlots(world.sql('pg1'))).toEqual([{ name: 'pg3', state: 'is inactive' }]);
  });
});

test('--candidate auto takes one on which no subscriber stops', () => {
  const world = healthy();
  failoverSlot(world, 'pg1');
  failoverSlot(world, 'pg3', { synced: true, active: false });
  expect(plan(world, { candidate: 'auto' }).candidate).toBe('pg3');
  const accepted = plan(world, { candidate: 'auto', skipChecks: ['logical_slots'] });
  expect(accepted.candidate).toBe('pg3');
});

test('a member that Patroni would not choose by itself is named instead, when every subscriber goes on there', () => {
  const world = healthy('off', {
    tags: { pg3: { failover_priority: 5 }, pg4: { nofailover: true } },
  });
  failoverSlot(world, 'pg1');
  failoverSlot(world, 'pg2', { synced: true, active: false });
  const check = plan(world).checks.find(({ name }) => name === 'logical_slots');
  expect([check?.result, check?.said]).toEqual(['refused', expect.stringContaining('on pg3 sub')]);
  expect(check?.next).toBe('name pg2 with --candidate');
});

test("a copy of Patroni's own slot is not safe without hot_standby_feedback", () => {
  const world = healthy('off', { config: SLOTS });
  failoverSlot(world, 'pg1', { failover: false });
  for (const name of ['pg2', 'pg3']) {
    failoverSlot(world, name, { failover: false, active: false });
    setting(world, name, 'hot_standby_feedback', name === 'pg2' ? 'off' : 'on');
  }
  const [found, ...more] = permanentSlotMissing(viewOf(world.snapshot));
  expect([found?.members, more]).toEqual([['pg2'], []]);
  expect(found?.message).toContain('hot_standby_feedback is off');
});

test('what a version of PostgreSQL does not have is null, not false', () => {
  const of13 = slotOf({ slot_name: 'sub', slot_type: 'logical', active: true, temporary: false });
  expect([of13.failover, of13.synced, of13.conflicting, of13.temporary]).toEqual([
    null,
    null,
    null,
    false,
  ]);
  const of17 = slotOf({ slot_name: 'sub', slot_type: 'logical', failover: true, synced: false });
  expect([of17.failover, of17.synced]).toEqual([true, false]);
});
