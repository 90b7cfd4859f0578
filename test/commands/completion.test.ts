import { describe, expect, test } from 'vitest';
import { recorded, runFake } from '../support/fake-world.js';

async function at(...words: string[]): Promise<string[]> {
  const cluster = recorded('on');
  cluster.keys['/service/other/members/x1'] = '{}';
  cluster.keys['/service/other/members/$(reboot)'] = '{}';
  const { out, err, code } = await runFake(cluster, ['completion', 'bash', '--', ...words]);
  expect([err, code]).toEqual(['', 0]);
  return out.split('\n').filter((word) => word !== '');
}

describe('completion', () => {
  test.each<[string[], string[]]>([
    [['swi'], ['switchover']],
    [['-c', 'file.yml', 'swi'], ['switchover']],
    [
      ['list', ''],
      ['demo', 'other'],
    ],
    [['list', 'demo', 'o'], ['other']],
    [['list', '-f', 'j'], ['json']],
    [
      ['dsn', '-r', 's'],
      ['standby-leader', 'standby'],
    ],
    [
      ['dsn', '-m', ''],
      ['pg1', 'pg2', 'pg3'],
    ],
    [['dsn', 'other', '-m', ''], ['x1']],
    [
      ['version', 'demo', ''],
      ['pg1', 'pg2', 'pg3'],
    ],
    [
      ['version', 'demo', 'pg1', 'pg2', ''],
      ['pg1', 'pg2', 'pg3'],
    ],
    [['version', 'other', ''], ['x1']],
    [['switchover', 'other', '--candidate', ''], ['x1']],
    [['edit-config', '--dr'], ['--dry-run']],
    [['edit-config', '--apply', ''], []],
    [['config', ''], ['show']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['dsn', 'nosuch', '-m', ''], []],
  ])('%j', async (words, expected) => {
    expect(await at(...words)).toEqual(expected);
  });

  test('a DCS that does not answer is nothing to say', async () => {
    const { out, err, code } = await runFake({ keys: {} }, [
      'completion',
      'bash',
      '--',
      'list',
      '',
    ]);
    expect([out, err, code]).toEqual(['', '', 0]);
  });

  test.each(['bash', 'zsh', 'fish'])('the script for %s asks patctl', async (shell) => {
    const { out, code } = await runFake(recorded('on'), ['completion', shell]);
    expect(code).toBe(0);
    expect(out).toContain(`completion ${shell} -- `);
  });

  test('another shell is exit 2', async () => {
    expect((await runFake(recorded('on'), ['completion', 'tcsh'])).code).toBe(2);
  });
});
