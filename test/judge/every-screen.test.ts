/** What people see on terminals of several widths, in every recorded state of a cluster. */
import { describe, expect, test } from 'vitest';
import { displayWidth } from '../../src/output/width.js';
import { goldenNames } from '../fixtures/golden.js';
import { quickClock, recorded, runFake } from '../support/fake-world.js';

/** What a table of members leaves out differs at each width; other texts only break their lines elsewhere. */
const TABLES = [['list'], ['list', '-e'], ['topology']];
const COMMANDS = [
  ...TABLES,
  ['status'],
  ['quorum'],
  ['check', '-v', '--settle', '0'],
  ['why-not', 'pg2'],
  ['history'],
  ['switchover', '--dry-run', '--candidate', 'pg2'],
];
const SCREENS = [
  { columns: 40, commands: COMMANDS },
  { columns: 80, commands: TABLES },
];
// The others are of other clusters, or of what a command does.
const states = goldenNames().filter((name) => /^(?!write-|off-with-history)/.test(name));

describe.each(states)('the recorded state %s', (name) => {
  test('has no line that is longer than the terminal', async () => {
    for (const { columns, commands } of SCREENS) {
      for (const command of commands) {
        // A plan that is refused is looked at once more after a second.
        const world = { ...recorded(name), columns, clock: quickClock() };
        const { out } = await runFake(world, command);
        const tooLong = out.split('\n').filter((line) => displayWidth(line) > columns);
        if (tooLong.length > 0)
          expect(tooLong, `${columns} ${command.join(' ')}\n${out}`).toEqual([]);
      }
    }
  });

  test('begins with one line in status, and every next step names the way to the cluster', async () => {
    const { out } = await runFake(recorded(name), ['-d', 'etcd3://etcd:2379', 'status']);
    expect(out).toMatch(/^(OK|INFO|WARNING|UNKNOWN|CRITICAL) demo: /);
    const steps = out.split('\n').filter((line) => /^ {4}next |; next: /.test(line));
    for (const step of steps) {
      for (const [, words = ''] of step.matchAll(/\bpatctl ([^;]*)/g)) {
        expect(words, step).toMatch(
          /^-d etcd3:\/\/etcd:2379 (?:retire pg\d|why-not pg\d|[a-z-]+) demo/,
        );
      }
    }
  });
});
