/** Only the commands that a command line may mean are made; nobody notices. */
import { Help, type Command } from 'commander';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/commands/index.js';
import type { Io } from '../../src/output/io.js';
import { buildProgram } from '../../src/program.js';
import type { Tool } from '../../src/tool.js';
import { recorded, runFake } from '../support/fake-world.js';

const tool = { io: {} as Io, flags: {} } as unknown as Tool;
const commands = async (words: string[] | null) =>
  (await buildProgram(tool, () => undefined, words)).commands;
const names = async (...words: string[]) =>
  (await commands(words)).map((command) => command.name());

test('--help says of each command what it says itself, without loading it', async () => {
  const say = (list: readonly Command[]) =>
    list.map((one) => [new Help().subcommandTerm(one), one.description()]);
  expect(COMMANDS.map(({ usage, summary }) => [usage, summary])).toEqual(say(await commands(null)));
  const help = (await runFake(recorded('on'), ['--help'])).out;
  for (const { usage, summary } of COMMANDS)
    expect(help).toContain(`  ${usage.padEnd(40)}  ${summary}`);
  expect((await commands([])).flatMap(({ options }) => options)).toEqual([]);
});

test('every command is listed under its own name', async () => {
  const all = await names();
  expect(all).toHaveLength(30);
  for (const name of all) expect(await names(name)).toContain(name);
});

test('a word that is no command leaves all of them to choose from', async () => {
  expect(await names('lost')).toEqual(await names());
  expect((await runFake(recorded('on'), ['lits'])).err).toContain('Did you mean list?');
});

test('a cluster that is called like a command is no trouble', async () => {
  const run = await runFake(recorded('on'), ['status', 'list']);
  expect([run.code, run.err]).toEqual([
    1,
    'Error: no cluster "list" in /service\nclusters in /service: demo\n',
  ]);
});

test('completion knows every command', async () => {
  expect(await names('completion', 'list')).toEqual(await names());
});
