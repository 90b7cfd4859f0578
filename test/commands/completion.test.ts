import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { recorded, runFake, type FakeCluster } from '../support/fake-world.js';

function world(): FakeCluster {
  const cluster = recorded('on');
  cluster.keys['/service/other/members/x1'] = '{}';
  cluster.keys['/service/other/members/$(reboot)'] = '{}';
  return cluster;
}

async function at(...words: string[]): Promise<string[]> {
  const { out, err, code } = await runFake(world(), ['completion', 'bash', '--', ...words]);
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
    [['check', '--explain', 'two_'], ['two_primaries']],
    [['check', '--only', 'two_'], ['two_primaries']],
    [['check', '--only', 'paused', 'two_'], ['two_primaries']],
    [['check', '--only', 'paused', '--ignore', 'x', '--expl'], ['--explain']],
    [['switchover', 'demo', '--skip-check', 'candidate_l'], ['candidate_lag']],
    [
      ['switchover', '--candidate', ''],
      ['pg1', 'pg2', 'pg3', 'auto'],
    ],
    [['failover', 'other', '--candidate=x'], ['--candidate=x1']],
    [['wait', '--for', 'he'], ['healthy']],
    [
      ['wait', '--for', 'leader'],
      ['leader', 'leader=', 'leader=pg1', 'leader=pg2', 'leader=pg3'],
    ],
    [
      ['wait', '--for=gone=pg'],
      ['--for=gone=pg1', '--for=gone=pg2', '--for=gone=pg3'],
    ],
    [['hel'], ['help']],
    [['help', 'switch'], ['switchover']],
    [['ready', '--cluster', 'o'], ['other']],
    [['ready', '--cluster', 'other', ''], ['x1']],
    [['ready', '--cluster=other', ''], ['x1']],
    [['ready', '--max-lag', '1MB', '--cluster', 'other', 'x'], ['x1']],
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
    [
      ['switchover', 'other', '--candidate', ''],
      ['x1', 'auto'],
    ],
    [['quorum', 'other', '--lose', ''], ['x1']],
    [['edit-config', '--dr'], ['--dry-run']],
    [
      ['dsn', '--role=st'],
      ['--role=standby-leader', '--role=standby'],
    ],
    [
      ['switchover', 'other', '--candidate='],
      ['--candidate=x1', '--candidate=auto'],
    ],
    [['list', '--nonsense=x'], []],
    [['edit-config', '--apply', ''], [':files']],
    [['-c', ''], [':files']],
    [['--config-file='], [':files']],
    [['query', '-c', ''], []],
    [['-kc', ''], [':files']],
    [['-k', 'list', 'o'], ['other']],
    [
      ['flush', 'other', 'x1', ''],
      ['x1', 'restart', 'switchover'],
    ],
    [['flush', 'demo', 'r'], ['restart']],
    [['list', '"o'], ['other']],
    [['config', ''], ['show']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['dsn', 'nosuch', '-m', ''], []],
  ])('%j', async (words, expected) => {
    expect(await at(...words)).toEqual(expected);
  });

  test('nothing is printed when the DCS does not answer', async () => {
    const { out, err, code } = await runFake({ keys: {} }, [
      'completion',
      'bash',
      '--',
      'list',
      '',
    ]);
    expect([out, err, code]).toEqual(['', '', 0]);
  });

  test('the cluster is looked for where the line says it is, also with quotes, ~ and =', async () => {
    const home = mkdtempSync(join(tmpdir(), 'patctl-completion-'));
    try {
      writeFileSync(join(home, 'other file.yml'), 'scope: other\n');
      for (const typed of [
        ['-c', '~/other\\ file.yml'],
        ['--config-file="~/other file.yml"'],
        ["--config-file=~/'other file.yml'"],
        ['-kc', '~/other\\ file.yml'],
        [`-c${home}/other\\ file.yml`],
        [`-kc${home}/other\\ file.yml`],
      ]) {
        const words = ['completion', 'bash', '--', ...typed, 'dsn', '-m', ''];
        const env = { HOME: home, PATRONI_SCOPE: '' };
        const { out } = await runFake(world(), words, env);
        expect([typed, out]).toEqual([typed, 'x1\n']);
      }
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  test.each(['bash', 'zsh', 'fish'])('the script for %s asks patctl', async (shell) => {
    const { out, code } = await runFake(recorded('on'), ['completion', shell]);
    expect(code).toBe(0);
    expect(out).toContain(` completion ${shell} -- `);
  });

  test('another shell is exit 2', async () => {
    expect((await runFake(recorded('on'), ['completion', 'tcsh'])).code).toBe(2);
  });
});
