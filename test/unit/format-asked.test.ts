/** The output format that a command line asks for, by what its options are. */
import type { Command } from 'commander';
import { beforeAll, expect, test } from 'vitest';
import { formatAsked } from '../../src/cli/format-asked.js';
import { defaultFlags, makeContext } from '../../src/cli/make-context.js';
import type { Io } from '../../src/output/io.js';
import { buildProgram } from '../../src/program.js';
import { noTerminal } from '../support/no-terminal.js';
import { recorded, runFake } from '../support/fake-world.js';

const io = {} as Io;
const signal = new AbortController().signal;
let program: Command;

beforeAll(async () => {
  program = await buildProgram(noTerminal(), () => Promise.resolve());
});

test.each([
  ['check -f nagios', 'check', 'nagios'],
  ['check demo -fnagios', 'check', 'nagios'],
  ['-c check check --format=nagios', 'check', 'nagios'],
  ['list check -f nagios', 'list', 'nagios'],
  ['-k --timeout 3s list -f json', 'list', 'json'],
  ['query check -f json', 'query', null],
  ['query check --format json -f json', 'query', 'json'],
  ['config show -f json', 'config', 'json'],
  ['list -f json -f yaml', 'list', 'yaml'],
  ['list --also json -- -f json', 'list', null],
  ['list -f', 'list', null],
])('%s', (line, command, format) => {
  expect(formatAsked(program, line.split(' '))).toEqual({ command, format });
});

test.each(['', '-f json', 'lits -f json', '--nonsense'])('no command is named in "%s"', (line) => {
  expect(formatAsked(program, line.split(' '))).toBeNull();
});

test('a cluster called check gets no monitoring line, and check does', async () => {
  const cluster = recorded('on');
  const list = await runFake(cluster, ['list', 'check', '-f', 'nagios']);
  expect([list.code, list.out]).toEqual([2, '']);
  expect(list.err).toContain("argument 'nagios' is invalid");
  const check = await runFake(cluster, ['check', '--nonsense', '-f', 'nagios']);
  expect([check.code, check.out]).toEqual([3, "PATCTL UNKNOWN - unknown option '--nonsense'\n"]);
  const json = await runFake(cluster, ['list', '--nonsense', '-f', 'json']);
  expect(JSON.parse(json.err)).toMatchObject({ error: { code: 'usage', exit: 2 } });
});

test('a context cannot be changed once it is made', () => {
  const environment = {
    io,
    env: {},
    platform: 'linux' as const,
    nodeVersion: '22.0.0',
    arch: 'x64',
    programName: 'patctl',
    signal,
  };
  const { context } = makeContext(environment, defaultFlags(environment));
  const frozen = [context, context.flags, context.flags.login].map((one) => Object.isFrozen(one));
  expect(frozen).toEqual([true, true, true]);
});
