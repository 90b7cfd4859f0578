import { expect, test } from 'vitest';
import { endedPids, terminateSql } from '../../src/postgres/terminate-walsender.js';

test('only the pid that serves the slot, whatever the slot is called', () => {
  const sql = terminateSql([
    { pid: 12, slotName: 'cdc' },
    { pid: 13.5, slotName: "x'); drop table t; --" },
  ]);
  expect(sql).toContain("in ((12, 'cdc'), (13, 'x''); drop table t; --'))");
  expect(sql).toContain("slot_type = 'logical'");
});

test('the pids that were ended; whatever else comes is none', () => {
  expect(endedPids({ ended: [12, 'x', null, 13] })).toEqual([12, 13]);
  expect([endedPids(null), endedPids({}), endedPids({ ended: 'x' })]).toEqual([[], [], []]);
});
