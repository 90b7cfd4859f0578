/** Global options: on the command line, as PATCTL_*, below `patctl:` in the file; and `patctl help`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recorded, runFake } from '../support/fake-world.js';

const cluster = recorded('on');
let folder = '';
let file = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'patctl-global-'));
  file = join(folder, 'patroni.yml');
  writeFileSync(file, 'scope: demo\npatctl:\n  no_input: true\n  quiet: on\n  timeout: 7s\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** On a terminal an error is wrapped at its width. */
const unwrapped = (text: string): string => text.replace(/\s+/g, ' ');

const noAnswer = { ...cluster, answers: ['y'] };

test.each<[string, string[], Record<string, string>]>([
  ['--no-input', ['--no-input', 'reload', 'demo'], {}],
  ['PATCTL_NO_INPUT', ['reload', 'demo'], { PATCTL_NO_INPUT: 'yes' }],
])('%s: nothing is asked, at a terminal or as patronictl', async (_, args, env) => {
  for (const more of [[], ['--compat']]) {
    const run = await runFake(noAnswer, [...more, ...args], env);
    expect([run.code, unwrapped(run.err)]).toEqual([
      2,
      expect.stringContaining('must be answered, but --no-input was given'),
    ]);
  }
});

test('patctl: in the file is weaker than the environment, and that than the command line', async () => {
  const ask = async (args: string[], env: Record<string, string> = {}) =>
    (await runFake(noAnswer, ['-c', file, ...args, 'reload', 'demo'], env)).err;
  expect(await ask([])).toContain('--no-input was given');
  expect(await ask([], { PATCTL_NO_INPUT: '0' })).toContain('[y/N]');
  expect(await ask(['--no-input'], { PATCTL_NO_INPUT: '0' })).toContain('--no-input was given');
});

test.each(['timeout: banana', 'color: pink'])(
  'patctl: %s is a wrong configuration, which has one exit code in a command',
  async (line) => {
    const wrong = join(folder, 'wrong.yml');
    writeFileSync(wrong, `scope: demo\npatctl:\n  ${line}\n`);
    for (const [command, code] of [
      ['list', 1],
      ['leader', 3],
      ['check', 3],
      ['members', 3],
    ] as const) {
      const run = await runFake(cluster, ['-c', wrong, command]);
      expect([command, run.code, run.err]).toEqual([
        command,
        code,
        expect.stringContaining(`patctl.${line.split(':')[0] ?? ''}`),
      ]);
    }
  },
);

test('-q: stderr has errors and questions alone, and the exit code is the same', async () => {
  const edit = ['edit-config', 'demo', '-s', 'loop_wait=3', '--dry-run'];
  const loud = await runFake(cluster, edit);
  const quiet = await runFake(cluster, ['-q', ...edit]);
  expect(loud.err).not.toBe('');
  expect([quiet.err, quiet.out, quiet.code]).toEqual(['', loud.out, loud.code]);
  const wrong = await runFake(cluster, ['--quiet', 'list', 'nosuch']);
  expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('no cluster "nosuch"')]);
  expect((await runFake(noAnswer, ['-q', 'reload', 'demo'])).err).toContain('[y/N]');
  expect((await runFake(cluster, edit, { PATCTL_QUIET: '1' })).err).toBe('');
});

test.each<[Record<string, string>, string]>([
  [{ PATCTL_TIMEOUT: 'soon' }, 'environment PATCTL_TIMEOUT: '],
  [{ PATCTL_DEBUG: 'perhaps' }, 'environment PATCTL_DEBUG: must be true or false'],
  [{ PATCTL_KUBE_PROXY: 'often' }, 'environment PATCTL_KUBE_PROXY: must be one of auto'],
  [{ PATCTL_CONFIG_FILE: '/nonexistent/no.yml' }, '/nonexistent/no.yml does not exist'],
])('%j is named where it is wrong', async (env, said) => {
  const { code, err } = await runFake(cluster, ['list'], env);
  expect([code, err]).toEqual([err.includes('exist') ? 1 : 2, expect.stringContaining(said)]);
});

test('PATCTL_COMPAT is --compat', async () => {
  const [flag, variable] = [
    await runFake(cluster, ['--compat', 'list']),
    await runFake(cluster, ['list'], { PATCTL_COMPAT: 'true' }),
  ];
  expect(variable).toEqual(flag);
});

describe('help', () => {
  test('help COMMAND is COMMAND --help; of an unknown one it is exit 2', async () => {
    const help = await runFake(cluster, ['help', 'switchover']);
    expect(help).toEqual(await runFake(cluster, ['switchover', '--help']));
    expect([help.code, help.out]).toEqual([0, expect.stringContaining('--candidate')]);
    const wrong = await runFake(cluster, ['help', 'swichover']);
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('swichover')]);
    expect((await runFake(cluster, ['help'])).out).toContain('Look at clusters:');
  });

  test('--help groups the commands', async () => {
    const { out } = await runFake(cluster, ['--help']);
    const groups = [
      'Look at clusters:',
      'Judge them:',
      'Change them:',
      'Configure:',
      'For scripts:',
    ];
    const at = groups.map((heading) => out.indexOf(`\n${heading}\n`));
    expect(at).toEqual([...at].sort((a, b) => a - b));
    expect(Math.min(...at)).toBeGreaterThan(0);
    expect(out.indexOf('switchover [options]')).toBeGreaterThan(at[2] ?? 0);
  });
});

test('without any configuration: what was looked for, and what to give', async () => {
  const env = { HOME: folder, PATRONI_SCOPE: '' };
  const { code, err } = await runFake({ ...cluster, answers: [] }, ['list'], env);
  expect(code).toBe(2);
  expect(unwrapped(err)).toContain(
    `no configuration found (looked for ${folder}/.config/patroni/patronictl.yaml)`,
  );
  expect(err).toContain('give -c FILE');
});

test('the file that the service names is found, and that is said on stderr', async () => {
  const env = { HOME: folder, PATRONI_SCOPE: '', PATRONI_CONFIG_LOCATION: file };
  writeFileSync(file, 'scope: demo\n');
  const found = await runFake(cluster, ['list'], env);
  expect([found.code, found.err]).toEqual([0, expect.stringContaining(`configuration: ${file}`)]);
  expect((await runFake(cluster, ['-q', 'list'], env)).err).toBe('');
  expect((await runFake(cluster, ['--compat', 'list'], env)).err).not.toContain(file);
  const json = await runFake(cluster, ['list', '-f', 'json'], env);
  expect([json.code, json.err]).not.toContain(expect.stringContaining('configuration:'));
});
