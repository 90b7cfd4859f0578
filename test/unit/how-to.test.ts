/** docs/how-to.md: what it has to have; test/cluster/how-to.live.test.ts runs its commands. */
import { expect, test } from 'vitest';
import { CATALOGUE } from '../../src/cluster/findings/catalogue.js';
import { commandsInText, howTo } from '../support/how-to.js';

const critical = CATALOGUE.filter(({ severity }) => severity.includes('critical'));

test('every critical finding has one row with a command, and no other code has one', () => {
  const { rows } = howTo();
  expect([...rows.keys()].sort()).toEqual(critical.map(({ code }) => code).sort());
  for (const [code, commands] of rows) expect(commands.length, code).toBeGreaterThan(0);
});

test('every job has commands, and every command of the page is where the live test finds it', () => {
  const { jobs } = howTo();
  expect(jobs.length).toBeGreaterThan(10);
  for (const { title, lines } of jobs) {
    expect(lines.length, title).toBeGreaterThan(0);
    for (const { command } of lines) expect(command).toMatch(/patctl/);
  }
  expect(commandsInText()).toEqual([]);
});
