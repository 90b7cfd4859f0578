/** What people see on a narrow terminal, on a wide one and in a pipe. */
import { expect, test } from 'vitest';
import { commandLine } from '../../src/cluster/model/command-line.js';
import { recorded, runFake } from '../support/fake-world.js';

test('a narrow terminal loses the LSNs, --wide and a pipe have all', async () => {
  const world = recorded('on');
  const narrow = await runFake({ ...world, columns: 80 }, ['list']);
  expect(narrow.out).not.toContain('LSN');
  expect(narrow.out).toContain('|   Verdict: ok');
  const wide = await runFake({ ...world, columns: 80 }, ['list', '--wide']);
  const piped = await runFake(world, ['list']);
  expect(wide.out).toBe(piped.out);
  expect(piped.out).toContain('| Receive LSN | Receive Lag | Replay LSN | Replay Lag |');
  const compat = await runFake({ ...world, columns: 80 }, ['--compat', 'list']);
  expect(compat.out).toBe((await runFake(world, ['--compat', 'list'])).out);
  expect(compat.out).toContain('| Receive LSN | Lag | Replay LSN | Lag |');
});

test('the table before and after a change fits too, and has two names for two kinds of lag', async () => {
  const world = recorded('on');
  const reload = ['reload', 'demo', '--yes'];
  const narrow = await runFake({ ...world, columns: 80 }, reload);
  const table = narrow.out.split('\n').filter((line) => /^[+|]/.test(line));
  expect(Math.max(...table.map((line) => line.length))).toBeLessThanOrEqual(80);
  const head = table.filter((line) => line.startsWith('| Member') || line.startsWith('|   '));
  expect(head.join('\n')).toMatch(/Receive[^]*Replay/);
  expect(table.join('\n')).toContain('pg1');
  const piped = await runFake(world, reload);
  const compat = await runFake({ ...world, columns: 80 }, ['--compat', ...reload]);
  for (const { out } of [piped, compat]) {
    expect(out).toContain('| Receive LSN | Lag | Replay LSN | Lag |');
  }
});

test('a finding of list has its next step, which can be copied', async () => {
  const { out } = await runFake(recorded('no-leader'), ['list']);
  expect(out).toMatch(/^ {2}next .*: patctl quorum demo/m);
  expect(commandLine({ scope: 'demo', group: null }, 'quorum')).toBe('patctl quorum demo');
});
