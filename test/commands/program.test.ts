/** Only the commands that a command line may mean are made; users see no difference. */
import { Help, type Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/commands/registry.js';
import { buildProgram } from '../../src/program.js';
import { noTerminal } from '../support/no-terminal.js';
import { recorded, runFake } from '../support/fake-world.js';

const terminal = noTerminal();
const commands = async (words: string[] | null) =>
  (await buildProgram(terminal, () => Promise.resolve(), words)).commands;
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
  expect(all).toHaveLength(37);
  for (const name of all) expect(await names(name)).toContain(name);
});

test('for a word that is not a command all commands are loaded', async () => {
  expect(await names('lost')).toEqual(await names());
  expect((await runFake(recorded('on'), ['lits'])).err).toContain('Did you mean list?');
});

test('a cluster may have the name of a command', async () => {
  const run = await runFake(recorded('on'), ['status', 'list']);
  expect([run.code, run.err]).toEqual([
    1,
    'Error: no cluster "list" in /service\nclusters in /service: demo\n',
  ]);
});

test('completion knows every command', async () => {
  // --help lists them by group.
  expect((await names('completion', 'list')).sort()).toEqual((await names()).sort());
});

/** Commands that take a cluster, with what else they need to come to act on it. */
const ON_A_CLUSTER: readonly (readonly [words: string[], after: string[]])[] = [
  [['list'], []],
  [['topology'], []],
  [['status'], []],
  [['top'], []],
  [['check'], ['--settle', '0']],
  [['snapshot'], []],
  [['record'], ['--for', '200ms']],
  [['report'], []],
  [['leader'], []],
  [['members'], []],
  [['quorum'], []],
  [['switchover'], ['--leader', 'pg1', '--force']],
  [['failover'], ['--candidate', 'pg2', '--force']],
  [['restart'], ['--force']],
  [['roll'], ['--exec', 'true', '--force']],
  [['reload'], ['--force']],
  [['reinit'], ['pg2', '--force']],
  [['flush'], ['restart', '--force']],
  [['pause'], []],
  [['resume'], []],
  [['retire', 'pg3'], ['--force']],
  [['swap'], ['--to-rest', 'http://127.0.0.1:1', '--to-cluster', 'west', '--force']],
  [['remove'], ['--confirm-name', '', '--yes']],
  [['demote-cluster'], ['--host', 'far', '--force']],
  [['promote-cluster'], ['--force']],
  [['dsn'], []],
  [['query'], ['-c', 'select 1']],
  [['history'], []],
  [['explain'], []],
  [['show-config'], []],
  [['edit-config'], ['-s', 'ttl=31', '--force']],
  [['version'], []],
];

test.each(ON_A_CLUSTER)(
  '%j: an empty name, or one with a slash, is the name of no cluster',
  async (words, after) => {
    for (const name of ['', '/', 'demo/']) {
      const calls: string[] = [];
      const run = await runFake(
        {
          ...recorded('on'),
          call: (method, url) => {
            calls.push(`${method} ${url}`);
            return Promise.resolve({ kind: 'lost', reason: 'not to be asked' });
          },
        },
        [...words, name, ...after],
      );
      const { code, err } = run;
      expect([code, calls, err], name).toEqual([
        words[0] === 'check' ? 3 : 1,
        [],
        expect.stringContaining('clusters in /service: demo'),
      ]);
    }
  },
);

test.each([
  'switchover demo pg2',
  'pause demo pg2',
  'edit-config demo ttl=30',
  'status demo x',
  'config show x',
])('%s: a word too many is exit 2', async (line) => {
  const run = await runFake(recorded('on'), line.split(' '));
  expect([run.code, run.out]).toEqual([2, '']);
  expect(run.err).toMatch(/too many arguments/);
});

test.each([
  ['list', 1],
  ['topology', 1],
  ['snapshot', 1],
  ['report', 1],
  ['check', 3],
])('%s --all where there is no cluster at all is exit %i', async (command, code) => {
  const run = await runFake({ keys: {} }, [command, '--all']);
  expect([run.code, run.out]).toEqual([code, '']);
  expect(run.err).toBe('Error: there are no clusters in /service\nis the namespace correct?\n');
});

describe('a command line that is wrong', () => {
  const run = (...words: string[]) => runFake(recorded('on'), words);

  test.each([
    [['list', '--xyzzy-quux', '-f', 'json'], 2],
    [['list', '--xyzzy-quux', '-fjson'], 2],
    [['status', '--format=json', '--xyzzy-quux'], 2],
    [['query', '--xyzzy-quux', '--format', 'json'], 2],
    [['check', '--xyzzy-quux', '-f', 'json'], 3],
  ])('%j is told as JSON where JSON is asked for', async (words, exit) => {
    const { out, err, code } = await run(...words);
    expect(code).toBe(exit);
    // Rows, or the document of a refusal.
    if (['list', 'query'].includes(words[0] ?? '')) expect(out).toBe('');
    else expect(JSON.parse(out)).toMatchObject({ command: words[0], exit, code: 'usage' });
    expect(JSON.parse(err)).toEqual({
      error: {
        code: 'usage',
        exit,
        message: "unknown option '--xyzzy-quux'",
        hint: null,
        evidence: [],
      },
    });
  });

  test.each([
    [['--timeout', '0', 'list'], 2],
    [['list', '--timeout', '0s'], 2],
    [['ready', 'pg1', '--timeout', '0.1ms'], 2],
  ])('%j leaves no member the time to answer', async (words, exit) => {
    const { err, code } = await run(...words);
    expect(code).toBe(exit);
    expect(err).toContain('expected a time of at least 1ms');
  });

  test('what commander guesses becomes the hint', async () => {
    const { err } = await run('list', '--grup', '1', '-f', 'json');
    expect(JSON.parse(err)).toMatchObject({
      error: { message: "unknown option '--grup'", hint: 'Did you mean --group?' },
    });
  });

  test('is told in words elsewhere, also when -f is a file', async () => {
    const { err, code } = await run('query', '--xyzzy-quux', '-f', 'json');
    expect([err, code]).toEqual(["error: unknown option '--xyzzy-quux'\n", 2]);
  });

  test('an option that stands behind the command by mistake is named', async () => {
    const { err, code } = await run('list', '--compat');
    expect([err, code]).toEqual([
      "error: unknown option '--compat'\n(Give it before the command: patctl --compat list)\n",
      2,
    ]);
  });
});
