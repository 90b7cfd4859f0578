/** Only the commands that a command line may mean are made; nobody notices. */
import { expect, test } from 'vitest';
import type { Io } from '../../src/output/io.js';
import { buildProgram } from '../../src/program.js';
import type { Tool } from '../../src/tool.js';
import { recorded, runFake } from '../support/fake-world.js';

const tool = { io: {} as Io, flags: {} } as unknown as Tool;
const names = (...words: string[]) =>
  buildProgram(tool, () => undefined, words).commands.map((command) => command.name());

test('every command is listed under its own name', () => {
  const all = names();
  expect(all).toHaveLength(30);
  for (const name of all) expect(names(name)).toContain(name);
});

test('a word that is no command leaves all of them to choose from', async () => {
  expect(names('lost')).toEqual(names());
  expect((await runFake(recorded('on'), ['lits'])).err).toContain('Did you mean list?');
});

test('a cluster that is called like a command is no trouble', async () => {
  const run = await runFake(recorded('on'), ['status', 'list']);
  expect([run.code, run.err]).toEqual([
    1,
    'Error: no cluster "list" in /service\nclusters in /service: demo\n',
  ]);
});

test('completion knows every command', () => {
  expect(names('completion', 'list')).toEqual(names());
});
