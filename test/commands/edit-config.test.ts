import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonValue, RestStatus, SqlStatus } from '../../src/cluster/model/model.js';
import { memoryStore, type MemoryStore } from '../../src/dcs/keyed/memory-store.js';
import { loadGolden } from '../fixtures/golden.js';
import { fakeMembers } from '../support/fake-members.js';
import { quickClock, recorded, runFake, type FakeCluster } from '../support/fake-world.js';

const KEY = '/service/demo/config';
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'patctl-test-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

interface Stage extends FakeCluster {
  dcs: MemoryStore;
}

/** The recorded cluster `off`; `change` goes over its configuration. */
function stage(change: Record<string, unknown> = {}): Stage {
  const cluster = recorded('off');
  const config = JSON.parse(cluster.keys[KEY] ?? '') as Record<string, unknown>;
  const keys = { ...cluster.keys, [KEY]: JSON.stringify({ ...config, ...change }) };
  return { ...cluster, keys, dcs: memoryStore(keys) };
}

async function stored({ dcs }: Stage): Promise<string> {
  const { kvs } = await dcs.range('/service/demo/');
  return kvs.find(({ key }) => key === KEY)?.value ?? '';
}

async function storedObject(cluster: Stage): Promise<Record<string, unknown>> {
  return JSON.parse(await stored(cluster)) as Record<string, unknown>;
}

const edit = (cluster: FakeCluster, ...args: string[]) =>
  runFake(cluster, ['edit-config', ...args]);

describe('what the recorded patronictl printed, in the order of the recording', () => {
  const runs = loadGolden('write-off').runs;
  const STEPS: [run: string, ...args: string[]][] = [
    ['edit-s', '-s', 'maximum_lag_on_failover=3000000'],
    ['edit-p', '-p', 'work_mem=6MB'],
    ['edit-apply', '--apply', 'apply.yaml'],
    ['edit-apply-unchanged', '--apply', 'apply.yaml'],
    ['edit-s-null', '-s', 'maximum_lag_on_failover=null'],
    ['edit-s-bad-loopwait', '-s', 'loop_wait=abc'],
    ['edit-s-fix-loopwait', '-s', 'loop_wait=2'],
    ['edit-s-ttl5', '-s', 'ttl=5'],
    ['edit-s-ttl20', '-s', 'ttl=20'],
    ['edit-p-nosuchguc', '-p', 'nosuchguc=1'],
    ['edit-p-nosuchguc-null', '-p', 'nosuchguc=null'],
    ['edit-p-badvalue', '-p', 'work_mem=banana'],
    ['edit-p-work-null', '-p', 'work_mem=null'],
    ['edit-p-pending', '-p', 'max_connections=50'],
  ];

  test('to the byte, and the configuration comes out where it began but for two settings', async () => {
    const cluster = stage();
    const apply = file(
      'apply.yaml',
      'maximum_lag_on_failover: 2000000\npostgresql:\n  parameters:\n    work_mem: 5MB\n',
    );
    for (const [name, ...args] of STEPS) {
      const ours = await runFake(cluster, [
        '--compat',
        'edit-config',
        ...args.map((arg) => (arg === 'apply.yaml' ? apply : arg)),
        '--force',
        '--skip-check',
        'all',
      ]);
      expect([name, ours.out, ours.code]).toEqual([name, runs[name]?.out, runs[name]?.rc]);
    }
    const before = JSON.parse(recorded('off').keys[KEY] ?? '') as Record<string, unknown>;
    delete before['maximum_lag_on_failover'];
    const parameters = (before['postgresql'] as { parameters: Record<string, unknown> }).parameters;
    parameters['max_connections'] = 50;
    expect(await storedObject(cluster)).toEqual(before);
  });
});

describe('edit-config', () => {
  test('aliases of aliases have a limit, those of any real file have not', async () => {
    const lines = ['a0: &a0 [x]'];
    for (let i = 1; i < 40; i++) lines.push(`a${i}: &a${i} [*a${i - 1}, *a${i - 1}]`);
    const bomb = file('bomb.yaml', lines.join('\n'));
    const refused = await edit(stage(), '--apply', bomb, '--force');
    expect([refused.code, refused.out]).toEqual([1, '']);
    expect(refused.err).toContain('the aliases repeat more than 1 MiB');
    const cluster = stage();
    const shared = 'slots:\n  a: &one {type: physical}\n  b: *one\n';
    expect((await edit(cluster, '--apply', file('shared.yaml', shared), '--force')).code).toBe(0);
    const slot = { type: 'physical' };
    expect((await storedObject(cluster))['slots']).toEqual({ a: slot, b: slot });
  });

  test('writes compact JSON with the order of the keys kept', async () => {
    const keys = { [KEY]: '{"ttl": 30, "loop_wait": 10, "x": 1.0, "retry_timeout": 10}' };
    const cluster: Stage = { keys, dcs: memoryStore(keys) };
    expect((await edit(cluster, '-s', 'ttl=40', '-s', 'pause=on', '--force')).code).toBe(0);
    expect(await stored(cluster)).toBe(
      '{"ttl":40,"loop_wait":10,"x":1.0,"retry_timeout":10,"pause":true}',
    );
  });

  test('values are YAML, settings may hold dots, null takes away what it leaves empty', async () => {
    const cluster = stage({ slots: { one: { type: 'physical' } } });
    const args = ['-s', 'slots.one.type=null', '-p', 'auto_explain.log_min_duration=1s'];
    const run = await edit(
      cluster,
      ...args,
      '-s',
      'ignore_slots=[{name: a, type: logical}]',
      '--force',
    );
    expect(run.err).toBe('');
    const config = await storedObject(cluster);
    expect('slots' in config).toBe(false);
    expect(config['ignore_slots']).toEqual([{ name: 'a', type: 'logical' }]);
    expect(config['postgresql']).toMatchObject({
      parameters: { 'auto_explain.log_min_duration': '1s' },
    });
  });

  test('a secret in the file is refused, and no output has it', async () => {
    const cluster = stage();
    const path = file(
      'secret.yaml',
      'postgresql:\n  authentication: {superuser: {password: hunter22}}\n  pin:\n    bindpw: 123\n',
    );
    const { code, out, err } = await edit(cluster, '--apply', path, '--force');
    expect([code, await stored(cluster)]).toEqual([1, await stored(stage())]);
    expect(out).toContain('(not shown)');
    expect(out + err).not.toMatch(/hunter22|123/);
  });

  test('--replace leaves nothing of what was there', async () => {
    const cluster = stage();
    const run = await edit(
      cluster,
      '--replace',
      file('r.yaml', 'ttl: 40\nloop_wait: 5\n'),
      '--force',
    );
    expect(run.code).toBe(0);
    expect(await stored(cluster)).toBe('{"ttl":40,"loop_wait":5}');
  });

  test('without a terminal and without --force nothing is written: exit 2 names --force', async () => {
    const cluster = stage();
    const before = await stored(cluster);
    const { out, err, code } = await edit(cluster, '-s', 'ttl=40');
    expect(code).toBe(2);
    expect(out).toContain('+ttl: 40\n');
    expect(err).toContain('--force');
    expect(await stored(cluster)).toBe(before);
  });

  test('a question on a terminal: no is exit 1, yes writes', async () => {
    const cluster = stage();
    const no = await edit({ ...cluster, answers: ['n'] }, '-s', 'ttl=40');
    expect([no.code, (await storedObject(cluster))['ttl']]).toEqual([1, 20]);
    const yes = await edit({ ...cluster, answers: ['y'] }, '-s', 'ttl=40');
    expect(yes.err).toContain('Apply these changes? [y/N]: ');
    expect([yes.code, (await storedObject(cluster))['ttl']]).toEqual([0, 40]);
  });

  test('--dry-run shows and writes nothing, --quiet shows nothing', async () => {
    const cluster = stage();
    const dry = await edit(cluster, '-s', 'ttl=40', '--dry-run');
    expect([dry.code, dry.err]).toEqual([0, 'dry run: nothing was written\n']);
    expect(dry.out).toContain('+ttl: 40');
    expect((await storedObject(cluster))['ttl']).toBe(20);
    expect((await edit(cluster, '-q', '-s', 'ttl=40', '--force')).out).toBe(
      'Configuration changed\n',
    );
    expect((await edit(cluster, '-q', '-s', 'ttl=40', '--force')).out).toBe('');
    expect((await edit(cluster, '-s', 'ttl=40', '--force')).out).toBe('Not changed\n');
  });

  test('a typing error is refused with the intended word; --skip-check writes it', async () => {
    const cluster = stage();
    const refused = await edit(cluster, '-s', 'loop_wiat=5', '--force');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('loop_wiat is unknown to Patroni: did you mean loop_wait?');
    expect(refused.err).toContain('--skip-check unknown_key');
    expect('loop_wiat' in (await storedObject(cluster))).toBe(false);
    const all = await edit(cluster, '-s', 'loop_wiat=5', '--force', '--skip-check', 'unknown_key');
    expect(all.code).toBe(0);
    const wrong = await edit(cluster, '-s', 'loop_wiat=6', '--force', '--skip-check', 'typos');
    expect([wrong.code, wrong.err.includes('Allowed choices are')]).toEqual([2, true]);
    // What stands there already does not stop the next edit.
    expect((await edit(cluster, '-s', 'ttl=40', '--force')).code).toBe(0);
  });

  test('says which settings need a restart, and on which members', async () => {
    const { err } = await edit(
      stage(),
      '-p',
      'max_connections=60',
      '-p',
      'work_mem=1MB',
      '--force',
    );
    expect(err).toBe('note: max_connections: needs a restart of pg1, pg2, pg3\n');
  });

  test('a concurrent change is shown three ways, and not overwritten', async () => {
    const cluster = stage();
    const { dcs } = cluster;
    const range = dcs.range.bind(dcs);
    dcs.range = async (prefix) => {
      const read = await range(prefix);
      const config = JSON.parse(await value(read.kvs)) as object;
      dcs.put(KEY, JSON.stringify({ ...config, ttl: 60, loop_wait: 3 }));
      return read;
    };
    const { code, err } = await edit(
      cluster,
      '-s',
      'ttl=40',
      '-s',
      'check_timeline=true',
      '--force',
    );
    dcs.range = range;
    expect(code).toBe(1);
    expect(err).toContain('Config modification aborted due to concurrent changes');
    expect(err).toContain('DCS ttl: was 20, is now 60, this edit sets 40 (clash)');
    expect(err).toContain('DCS loop_wait: was 2, is now 3\n');
    expect(err).toContain('DCS check_timeline: was absent, this edit sets True\n');
    expect((await storedObject(cluster))['ttl']).toBe(60);
  });

  const value = (kvs: { key: string; value: string }[]) =>
    Promise.resolve(kvs.find(({ key }) => key === KEY)?.value ?? '{}');

  test('one txn, and a lost answer is unconfirmed, not sent again', async () => {
    const cluster = stage();
    cluster.dcs.failNext('lost', 'txn');
    expect((await edit(cluster, '-s', 'ttl=40', '--force')).code).toBe(5);
    expect(cluster.dcs.calls.filter((call) => call === 'txn')).toHaveLength(1);
  });

  test.each([
    ['--check', '-s', 'ttl=5'],
    ['--check', '-s', 'synchronous_mode=maybe'],
    ['--check', '-p', 'max_connections=many'],
  ])('%s %s %s finds it, exit 1, nothing written', async (...args) => {
    const cluster = stage();
    const { code, out } = await edit(cluster, ...args);
    expect([code, out.startsWith('error: ')]).toEqual([1, true]);
    expect(cluster.dcs.calls).not.toContain('txn');
  });

  test('--check of the configuration as it is', async () => {
    const { code, out } = await edit(stage(), '--check');
    expect([code, out]).toEqual([0, 'No problems found\n']);
  });

  test('a file that is not YAML, not a mapping, or missing', async () => {
    const cluster = stage();
    const broken = await edit(cluster, '--apply', file('b.yaml', 'a: [1\n'), '--force');
    expect([broken.code, broken.err.includes('b.yaml:')]).toEqual([1, true]);
    const list = await edit(cluster, '--apply', file('l.yaml', '- a\n'), '--force');
    expect([list.code, list.err.includes('not a mapping')]).toEqual([1, true]);
    expect((await edit(cluster, '--apply', join(folder, 'none'), '--force')).code).toBe(2);
    expect((await edit(cluster, '-s', 'ttl', '--force')).code).toBe(2);
    expect((await edit(cluster, '--apply', '-', '--replace', '-', '--force')).code).toBe(2);
    expect(cluster.dcs.calls).not.toContain('txn');
  });

  test('text that is not UTF-8 is refused, not mangled', async () => {
    const cluster = stage();
    const path = join(folder, 'latin1.yaml');
    writeFileSync(
      path,
      Buffer.from("postgresql: {parameters: {archive_command: 'cp /b\xe4'}}", 'latin1'),
    );
    const done = await edit(cluster, '--apply', path, '--force');
    expect([done.code, done.out]).toEqual([1, '']);
    expect(done.err).toBe(`Error: ${path}:1: this is not UTF-8\n`);
    expect(cluster.dcs.calls).not.toContain('txn');
    const sql = await runFake(cluster, ['query', '-f', path]);
    expect([sql.code, sql.err]).toEqual([1, done.err]);
  });

  test('an empty file name is none', async () => {
    const cluster = stage();
    const done = await edit(cluster, '--apply', '', '--replace', '', '-s', 'ttl=40', '--force');
    expect([done.code, (await storedObject(cluster))['ttl']]).toEqual([0, 40]);
    const none = await edit(cluster, '--apply', '', '--force');
    expect([none.code, none.err.includes('no editor is set')]).toEqual([2, true]);
  });

  test('an unreadable configuration can be replaced, not edited', async () => {
    const keys = { ...stage().keys, [KEY]: '{"ttl"' };
    const cluster: Stage = { keys, dcs: memoryStore(keys) };
    expect((await edit(cluster, '-s', 'ttl=40', '--force')).code).toBe(1);
    expect((await edit(cluster, '--replace', file('n.yaml', 'ttl: 40'), '--force')).code).toBe(0);
    expect(await stored(cluster)).toBe('{"ttl":40}');
  });

  test('without EDITOR, terminal or change: the ways to name one', async () => {
    const { code, err } = await edit(stage());
    expect(code).toBe(2);
    expect(err).toContain('--set, --pg, --apply or --replace, or set EDITOR');
  });
});

describe('edit-config in an editor', () => {
  const inEditor = (cluster: FakeCluster, script: string, ...args: string[]) =>
    runFake(cluster, ['edit-config', ...args], {
      EDITOR: `sh ${file('editor.sh', `${script}\n`)}`,
      PATH: process.env['PATH'] ?? '',
      TMPDIR: folder,
    });
  const keptFile = (err: string) => /--resume (\S+)/.exec(err)?.[1] ?? '';

  test('what it leaves is applied, and the file is gone', async () => {
    const cluster = stage();
    const seen = join(folder, 'seen');
    const run = await inEditor(
      cluster,
      `echo "$1" > ${seen}; sed -i 's/^ttl: 20/ttl: 40 # more/' "$1"`,
      '--force',
    );
    expect([run.code, run.err]).toEqual([0, '']);
    expect(run.out).toContain('-ttl: 20\n+ttl: 40 # more\n');
    expect((await storedObject(cluster))['ttl']).toBe(40);
    expect(existsSync(readFileSync(seen, 'utf8').trim())).toBe(false);
  });

  test('a broken edit is kept, says where, and can be gone on with', async () => {
    const cluster = stage();
    const broken = await inEditor(cluster, `echo 'ttl: [40' > "$1"`, '--force');
    const path = keptFile(broken.err);
    expect([broken.code, readFileSync(path, 'utf8')]).toEqual([1, 'ttl: [40\n']);
    const again = await inEditor(cluster, `sed -i 's/\\[40/40/' "$1"`, '--force', '--resume', path);
    expect(again.code).toBe(0);
    expect(await stored(cluster)).toBe('{"ttl":40}');
    expect(existsSync(path)).toBe(false);
  });

  test('an edit that is refused is kept; resumed, it meets what has changed since', async () => {
    const cluster = stage();
    const refused = await inEditor(cluster, `sed -i 's/^ttl: 20/ttl: 5/' "$1"`, '--force');
    const path = keptFile(refused.err);
    expect(refused.code).toBe(1);
    expect((await edit(cluster, '-s', 'check_timeline=true', '--force')).code).toBe(0);
    const again = await inEditor(
      cluster,
      `sed -i 's/^ttl: 5/ttl: 41/' "$1"`,
      '--force',
      '--resume',
      path,
    );
    expect([again.code, again.err]).toEqual([0, '']);
    expect(await storedObject(cluster)).toMatchObject({ ttl: 41, check_timeline: true });
  });

  test('resumed after a change of the same key: three values, exit 1, still kept', async () => {
    const cluster = stage();
    const refused = await inEditor(cluster, `sed -i 's/^ttl: 20/ttl: 5/' "$1"`, '--force');
    const path = keptFile(refused.err);
    await edit(cluster, '-s', 'ttl=60', '--force');
    const again = await inEditor(cluster, 'true', '--force', '--resume', path);
    expect(again.code).toBe(1);
    expect(again.err).toContain('DCS ttl: was 20, is now 60, this edit sets 5 (clash)');
    expect(existsSync(path)).toBe(true);
  });

  test('an editor that fails keeps the edit', async () => {
    const { code, err } = await inEditor(stage(), 'exit 3', '--force');
    expect([code, existsSync(keptFile(err))]).toEqual([1, true]);
    expect(err).toContain('the editor ended with 3');
  });

  test('nothing edited is nothing changed', async () => {
    const { code, out, err } = await inEditor(stage(), 'true');
    expect([code, out, err]).toEqual([0, 'Not changed\n', '']);
  });
});

describe('edit-config --wait', () => {
  /** Members whose loops begin at these seconds; from the second second on they have read the new one. */
  function members(loops: Record<string, number[]>, pendingFrom: Record<string, number> = {}) {
    const fake = fakeMembers('on');
    let now = 0;
    const clock = quickClock((nowMs) => {
      now = nowMs / 1000 - startedAt;
      for (const [name, from] of Object.entries(pendingFrom)) {
        if (now < from) continue;
        fake.set(`members/${name}`, (value) => Object.assign(value, PENDING));
      }
    });
    const startedAt = clock.nowMs() / 1000;
    const reason = { max_connections: { old_value: '40', new_value: '60' } };
    const PENDING = { pending_restart: true, pending_restart_reason: reason };
    const cluster: FakeCluster & { dcs: MemoryStore } = {
      ...fake.cluster,
      clock,
      call: async (_, apiUrl, path) => {
        expect(path).toBe('/config');
        const gone =
          fake.cluster.keys['/service/demo/members/pg3']?.includes(apiUrl) && !loops['pg3'];
        if (gone) return { kind: 'not_sent', reason: 'gone' };
        const text = now < 1 ? '{}' : await stored(fake.cluster);
        const json = JSON.parse(text) as JsonValue;
        return { kind: 'answered', answer: { status: 200, body: text, json } };
      },
      status: ({ name }) => {
        const reading = fake.cluster.rest?.[name];
        if (!reading?.ok) throw new Error(`${name} says nothing`);
        const dcsLastSeen = (loops[name] ?? []).filter((at) => at <= now).at(-1) ?? null;
        const pending = name in pendingFrom;
        const value: RestStatus = {
          ...reading.value,
          dcsLastSeen,
          pendingRestart: pending,
          pendingRestartReason: pending ? reason : null,
        };
        return Promise.resolve({ ok: true, value, tookMs: 1 });
      },
    };
    return { cluster, seconds: () => now };
  }
  const EDIT = ['-q', '-p', 'work_mem=11MB', '--force', '--wait'];
  const UNTOLD = 'unknown whether PostgreSQL runs with work_mem on pg1, pg2, pg3: no SQL login\n';
  const LOOPS = { pg1: [0, 1, 5], pg2: [0, 1, 5], pg3: [0, 1, 5] };

  /** The edit where each PostgreSQL shows this setting as this. */
  async function shown(edits: string[], settings: Record<string, string>, source = 'default') {
    const { cluster } = members(LOOPS);
    const value = (text: string) => ({
      value: text,
      source,
      sourcefile: null,
      pendingRestart: false,
    });
    const all = Object.entries(settings).map(([name, text]) => [name, value(text)] as const);
    const sql = {
      ok: true,
      value: { settings: Object.fromEntries(all) } as SqlStatus,
      tookMs: 1,
    } as const;
    const ports = ['pg1', 'pg2', 'pg3'].map((name) => {
      const key = JSON.parse(cluster.keys[`/service/demo/members/${name}`] ?? '{}') as {
        conn_url: string;
      };
      return Number(new URL(key.conn_url).port);
    });
    cluster.sql = Object.fromEntries(ports.map((port) => [port, sql]));
    return edit(cluster, '-q', ...edits, '--force', '--wait');
  }

  test.each<[string[], Record<string, string>, string]>([
    [['-p', 'work_mem=11MB'], { work_mem: '11264' }, 'taken by pg1, pg2, pg3\n'],
    [['-p', "log_line_prefix='%t '"], { log_line_prefix: '%t ' }, 'taken by pg1, pg2, pg3\n'],
    [['-p', 'TimeZone=UTC'], { timezone: 'UTC' }, 'taken by pg1, pg2, pg3\n'],
    [
      ['-p', 'TimeZone=utc'],
      { timezone: 'UTC' },
      'read by pg1, pg2, pg3\nunknown whether PostgreSQL runs with TimeZone on pg1, pg2, pg3: ' +
        'a text that PostgreSQL may spell differently\n',
    ],
    [
      ['-p', 'work_mem=11MB', '-p', 'my.setting=1'],
      { work_mem: '11264' },
      'read by pg1, pg2, pg3\nunknown whether PostgreSQL runs with my.setting on pg1, pg2, pg3: ' +
        'PostgreSQL does not show it to this login\n',
    ],
    [['-s', 'loop_wait=5'], {}, 'taken by pg1, pg2, pg3\n'],
  ])('%j where PostgreSQL shows %j: %s', async (edits, settings, err) => {
    const done = await shown(edits, settings);
    expect([done.code, done.err.replaceAll(/^(waiting|warning|note).*\n/gm, '')]).toEqual([0, err]);
  });

  test('a setting that is not in force is exit 4, and says from where the other one is', async () => {
    const done = await shown(['-p', 'work_mem=11MB'], { work_mem: '4096' }, 'command line');
    expect(done.code).toBe(4);
    expect(done.err).toContain('SQL pg2: work_mem = 4096 (command line), written "11MB"');
  });

  test('ends when each has gone through another loop since it read it', async () => {
    const { cluster, seconds } = members({ pg1: [0, 1, 4], pg2: [0, 2, 3, 5], pg3: [0, 1, 8] });
    const done = await edit(cluster, ...EDIT);
    expect([done.code, done.err]).toEqual([0, `read by pg1, pg2, pg3\n${UNTOLD}`]);
    expect(Math.round(seconds())).toBe(8);
  });

  test('and the DCS tells that a restart is pending', async () => {
    const loops = [0, 1, 5];
    const { cluster, seconds } = members({ pg1: loops, pg2: loops, pg3: loops }, { pg2: 9 });
    const done = await edit(cluster, ...EDIT);
    expect([done.code, done.err]).toEqual([
      0,
      `read by pg1, pg2, pg3\n${UNTOLD}a restart is pending on pg2: max_connections\n`,
    ]);
    expect(Math.round(seconds())).toBe(9);
  });

  test('a member that read it but did not run a loop does not use it yet: exit 5 at the limit', async () => {
    const { cluster } = members({ pg1: [0, 1, 5], pg2: [0, 1, 3] });
    const done = await edit(cluster, ...EDIT);
    expect([done.code, done.out]).toEqual([5, 'Configuration changed\n']);
    expect(done.err).toContain(
      'Error: not yet applied by pg2, pg3\n' +
        '  REST pg2: has read it but has not completed another loop yet\n' +
        '  REST pg3: gone\n',
    );
  });
});
