/** The reading and configuring commands beside the real patronictl on one live cluster. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { PASSWORDS } from '../support/lab/configs.js';
import {
  PATCTL,
  runPatctl,
  runPatronictl,
  type RunOptions,
  type RunResult,
} from '../support/run.js';
import { sharedCluster } from '../support/shared.js';

let lab: Lab;
let folder = '';
beforeAll(async () => {
  lab = await sharedCluster({ sync: 'off' });
  folder = mkdtempSync(join(tmpdir(), 'patctl-live-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const AS_SUPERUSER: RunOptions = { env: { PGUSER: 'postgres', PGPASSWORD: PASSWORDS.superuser } };
const ours = (args: string[], options: RunOptions = {}) =>
  runPatctl(['-c', lab.config, ...args], options);
const compat = (args: string[], options: RunOptions = {}) => ours(['--compat', ...args], options);

async function both(args: string[], options: RunOptions = {}) {
  const [a, b] = await Promise.all([compat(args, options), runPatronictl(lab, args, options)]);
  return { a, b };
}

async function same(args: string[], options: RunOptions = {}): Promise<string> {
  const { a, b } = await both(args, options);
  expect([args.join(' '), a.out, a.code]).toEqual([args.join(' '), b.out, b.code]);
  return a.out;
}

describe('what is only read', () => {
  test.each([
    [['show-config']],
    [['history']],
    [['history', '-f', 'json']],
    [['history', '-f', 'tsv']],
    [['history', '-f', 'yaml']],
    [['dsn']],
    [['dsn', '-r', 'replica']],
    [['dsn', '-r', 'primary']],
    [['dsn', '-r', 'standby-leader']],
    [['dsn', '-m', 'pg2']],
    [['dsn', '-m', 'pg9']],
    [['dsn', 'nosuch']],
    [['version']],
  ])('%j', async (args) => {
    await same(args);
  });

  test('version of the members', async () => {
    expect(await same(['version', lab.scope])).toMatch(/pg1: Patroni \d.*PostgreSQL \d/);
    expect(await same(['version', lab.scope, 'pg2'])).not.toContain('pg1');
  });

  test('a frozen member: named within the limit, exit 3, the others are printed', async () => {
    const frozen = 'pg3';
    lab.freeze(frozen);
    try {
      const startedMs = Date.now();
      const run = await ours(['--timeout', '1s', 'version', lab.scope]);
      expect(Date.now() - startedMs).toBeLessThan(4000);
      expect(run.code).toBe(3);
      expect(run.out).toMatch(/pg1: Patroni .*\npg2: Patroni .*\npg3: failed to get version/);
      expect(run.err).toContain('the version of pg3 is unknown');
    } finally {
      lab.thaw(frozen);
    }
  });

  test.each(['history', 'show-config', 'dsn', 'version', 'query'])(
    '%s of an unknown cluster: exit 1 names the known ones',
    async (command) => {
      const args = command === 'query' ? ['-c', 'select 1'] : [];
      const run = await ours([command, 'nosuch', ...args]);
      expect(run.code).toBe(1);
      expect(run.err).toContain(lab.scope);
    },
  );
});

describe('query', () => {
  const FORMATS = ['tsv', 'pretty', 'json', 'yaml'];
  const PLAIN =
    `select 1 as a, null as b, true c, 1.5::float8 f, 'x'||chr(10)||'é' as t, '{"a":[1,2.0,null]}'::jsonb j,` +
    ` array[1,2,null] ar, array['a','b c',null] tar, '0/5000'::pg_lsn l, 9223372036854775807::int8 big` +
    ` union all select 2, 'q', false, 0, '', '[]', array[]::int[], null, null, 1`;
  const PYTHON =
    `select 1.50::numeric n, '2026-01-02 03:04:05.5'::timestamp ts, date '2026-01-02' d,` +
    ` '2026-01-02 03:04:05+02'::timestamptz tz, interval '1 day 02:03:04.5' i, interval '-1 mon 3 days' m,` +
    ` '04:05:06.7'::time tm, 1e-7::float8 s, 'NaN'::float8 nan, array['1 day'::interval] ia, 5::oid o`;

  test.each(FORMATS)('%s prints what patronictl prints', async (format) => {
    await same(['query', '-c', PLAIN, '--format', format], AS_SUPERUSER);
    await same(['query', '-c', 'select 1 as a where false', '--format', format], AS_SUPERUSER);
    const odd = "select E'a\\tb' as tab, 'null'::json as j, E'é\\t1\\n\\t2' as lines";
    await same(['query', '-c', odd, '--format', format], AS_SUPERUSER);
    // patronictl's own table of no columns is a traceback.
    if (format === 'pretty') return;
    await same(['query', '-c', 'select from pg_class limit 2', '--format', format], AS_SUPERUSER);
  });

  test('COPY TO STDOUT is printed as it comes; in binary, or from stdin, it is refused', async () => {
    const copy = 'copy (select g from generate_series(1, 100000) g) to stdout';
    const run = await ours(['query', '-c', copy, '--format', 'json'], AS_SUPERUSER);
    expect([run.code, run.err, run.out.length]).toEqual([0, 'COPY\n', 588_895]);
    expect(run.out.endsWith('\n99999\n100000\n')).toBe(true);
    for (const sql of ['copy (select 1) to stdout (format binary)', 'copy pg_class from stdin']) {
      const refused = await ours(['query', '-c', sql], AS_SUPERUSER);
      expect([refused.code, refused.out]).toEqual([1, '']);
    }
  });

  test('types that only Python writes so', async () => {
    for (const format of ['tsv', 'pretty']) {
      await same(
        ['query', '-c', PYTHON.replace(/, array\['1 day'.*ia/, ''), '--format', format],
        AS_SUPERUSER,
      );
    }
  });

  test('roles, members, delimiters, files, several statements', async () => {
    const who = 'select pg_is_in_recovery(), inet_server_port()';
    for (const role of ['leader', 'primary', 'replica', 'any']) {
      await same(['query', '-r', role, '-c', who], AS_SUPERUSER);
    }
    await same(['query', '-m', 'pg2', '-c', who, '--delimiter', '|'], AS_SUPERUSER);
    await same(['query', '-c', 'select 1 as a; select 2 as b, 3 as c'], AS_SUPERUSER);
    const file = join(folder, 'q.sql');
    writeFileSync(file, 'select 42 as answer;\n');
    expect(
      await same(['query', '-f', file, '-U', 'postgres', '-d', 'postgres'], AS_SUPERUSER),
    ).toBe('answer\n42\n');
  });

  test('an error is exit 1 with its SQLSTATE on stderr, nothing of the statement, nothing on stdout', async () => {
    const run = await ours(['query', '-c', "select 'hunter2'::int"], AS_SUPERUSER);
    expect([run.code, run.out]).toEqual([1, '']);
    expect(run.err).toContain('SQLSTATE: 22P02');
    expect(run.err).not.toMatch(/hunter2|lab-secret/);
    const denied = await ours(['query', '-c', 'select 1', '-U', 'nobody_here']);
    expect([denied.code, denied.out]).toEqual([1, '']);
    expect(denied.err).toMatch(/SQLSTATE 28P01/);
    const late = await ours(
      ['query', '--deadline', '300ms', '-c', 'select pg_sleep(20)'],
      AS_SUPERUSER,
    );
    expect([late.code, late.out]).toEqual([1, '']);
    expect(late.err).toMatch(
      /^Error: ERROR, SQLSTATE: 57014: --deadline of 0\.3 s was reached, and the statement cancelled, on pg\d\n$/,
    );
  });

  test('what returns no rows is done, and says what on stderr', async () => {
    const run = await ours(['query', '-c', 'set work_mem = 1000'], AS_SUPERUSER);
    expect([run.code, run.out, run.err]).toEqual([0, '', 'SET\n']);
  });

  /** `query -w` running beside the test; ends with SIGINT, and gives its exit code. */
  function watching(role: string, sql: string) {
    const [command = '', ...first] = PATCTL;
    const args = ['-c', lab.config, 'query', '-w', '0.3', '-r', role, '-c', sql];
    const child = spawn(command, [...first, ...args], {
      env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...AS_SUPERUSER.env },
    });
    const seen = { out: '', err: '' };
    child.stdout.on('data', (data: Buffer) => (seen.out += data.toString()));
    child.stderr.on('data', (data: Buffer) => (seen.err += data.toString()));
    const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
    const numbers = () => seen.out.match(/^[0-9]+$/gm) ?? [];
    const stop = () => {
      child.kill('SIGINT');
      return closed;
    };
    return { numbers, stop };
  }

  test('-w reuses one connection', async () => {
    const watch = watching('leader', 'select pg_backend_pid()');
    await eventually('four rounds', 10_000, () => watch.numbers().length >= 4);
    expect(await watch.stop()).toBe(0);
    expect(new Set(watch.numbers()).size).toBe(1);
  });

  test('-w follows the role when it moves', async () => {
    const leader = await lab.leader();
    const port = (name: string | null) =>
      String(lab.members.find((one) => one.name === name)?.port);
    const watch = watching('primary', 'select inet_server_port()');
    await eventually('the first rounds', 10_000, () => watch.numbers().at(-1) === port(leader));
    const candidate = leader === 'pg2' ? 'pg3' : 'pg2';
    const moved = await runPatronictl(lab, ['switchover', '--force', '--candidate', candidate]);
    expect(moved.code, moved.out).toBe(0);
    await eventually(
      'the new primary answers',
      20_000,
      () => watch.numbers().at(-1) === port(candidate),
    );
    expect(await watch.stop()).toBe(0);
    expect(new Set(watch.numbers())).toEqual(new Set([port(leader), port(candidate)]));
    await eventually('everybody streams again', 30_000, async () => {
      const list = await runPatronictl(lab, ['list', '-f', 'json']);
      const rows = JSON.parse(list.out) as { State: string }[];
      return rows.filter(({ State }) => State === 'streaming').length === 2;
    });
  }, 60_000);

  test('a large result in constant memory', async () => {
    const peak = async (rows: number): Promise<number> => {
      const sql = `select g, repeat('x', 100) from generate_series(1, ${rows}) g`;
      const run = await runPatctl(['-c', lab.config, 'query', '-c', sql, '--format', 'csv'], {
        env: { ...AS_SUPERUSER.env, NODE_OPTIONS: '--max-old-space-size=40' },
      });
      expect([run.code, run.out.split('\n').length]).toEqual([0, rows + 2]);
      return run.out.length;
    };
    // 110 MB would not fit into 40.
    expect(await peak(1_000_000)).toBeGreaterThan(100_000_000);
  }, 60_000);
});

describe('edit-config', () => {
  const config = async () => (await runPatronictl(lab, ['show-config'])).out;
  const key = () => lab.dcsGet('config');

  /** The same edit by both, each from the same beginning. */
  async function sameEdit(
    args: string[],
    options: RunOptions = {},
    flags = ['--skip-check', 'all'],
  ): Promise<RunResult> {
    const before = await key();
    const theirs = await runPatronictl(lab, ['edit-config', ...args, '--force'], options);
    const theirKey = await key();
    writeFileSync(join(folder, 'before.json'), before ?? '');
    const back = await ours([
      'edit-config',
      '--replace',
      join(folder, 'before.json'),
      '--force',
      '-q',
    ]);
    expect(back.code, back.err).toBe(0);
    expect(await key()).toBe(before);
    const run = await compat(['edit-config', ...args, '--force', ...flags], options);
    expect([run.out, run.code, await key()]).toEqual([theirs.out, theirs.code, theirKey]);
    const again = await ours([
      'edit-config',
      '--replace',
      join(folder, 'before.json'),
      '--force',
      '-q',
    ]);
    expect(again.code, again.err).toBe(0);
    return run;
  }

  test('-s, -p, --apply, --replace: the same words and the same bytes in the DCS', async () => {
    const before = await config();
    const yaml = join(folder, 'patch.yaml');
    writeFileSync(
      yaml,
      'check_timeline: on\nslots: {a: {type: physical}}\npostgresql:\n  parameters:\n    work_mem: 6MB\n    wal_log_hints: null\n',
    );
    await sameEdit(['-s', 'maximum_lag_on_failover=2097152', '-s', 'slots.x.type=physical']);
    await sameEdit(['-p', 'work_mem=6MB', '-p', 'auto_explain.log_min_duration=1s']);
    await sameEdit(['-s', 'ttl=25.0', '-s', 'note=é "x"', '-q']);
    await sameEdit(['--apply', yaml]);
    await sameEdit(['--apply', yaml, '-s', 'check_timeline=null']);
    await sameEdit(['--apply', '-'], { input: 'check_timeline: true\n' });
    writeFileSync(join(folder, 'all.yaml'), before.replace(/^maximum_lag.*\n/m, ''));
    await sameEdit(['--replace', join(folder, 'all.yaml')]);
    await sameEdit(['-s', 'loop_wait=2']);
    expect(await config()).toBe(before);
  }, 90_000);

  /** The codes of what was found, in the order of the alphabet. */
  const found = (level: string, err: string): string[] =>
    [...err.matchAll(new RegExp(`^${level}: .*\\[(\\w+)\\]$`, 'gm'))]
      .map(([, code = '']) => code)
      .sort();

  test('what Patroni adjusts or ignores: as patronictl a warning and the same bytes, refused otherwise', async () => {
    const before = await key();
    const timing = ['-s', 'ttl=20', '-s', 'loop_wait=2', '-s', 'retry_timeout=10'];
    const others = [
      '-s',
      'loop_wait=0',
      '-s',
      'synchronous_mode=qorum',
      '-p',
      'max_connectons=100',
    ];
    const more = ['-s', 'postgresql.listen=1.2.3.4', '-s', 'slots.a.type=logical'];
    for (const [args, codes] of [
      [timing, ['timing']],
      [
        [...others, ...more],
        ['ignored', 'out_of_range', 'slots', 'unknown_key', 'wrong_type'],
      ],
    ] as const) {
      const refused = await ours(['edit-config', ...args, '--force', '-q']);
      expect([refused.code, refused.out, await key()], refused.err).toEqual([1, '', before]);
      expect(found('error', refused.err)).toEqual(codes);
      const { err } = await sameEdit([...args], {}, []);
      expect([found('warning', err), err.includes('rror: ')]).toEqual([codes, false]);
    }
    expect(await key()).toBe(before);
  }, 90_000);

  test('stdin without --force: the same difference, and exit 2 instead of 0', async () => {
    const { a, b } = await both(['edit-config', '--apply', '-'], {
      input: 'check_timeline: true\n',
    });
    expect([a.out, a.code, b.code]).toEqual([b.out, 2, 0]);
    expect(a.err).toContain('--force');
  });

  test('a race: of many simultaneous edits each either wrote or says that it did not', async () => {
    const before = (await key()) ?? '';
    const edits = Array.from({ length: 6 }, (_, at) =>
      ours(['edit-config', '-s', `note_${at}=${at}`, '--force', '-q']),
    );
    const runs = await Promise.all(edits);
    const after = JSON.parse((await key()) ?? '{}') as Record<string, unknown>;
    runs.forEach((run, at) => {
      expect([0, 1], run.err).toContain(run.code);
      expect(after[`note_${at}`], run.err).toBe(run.code === 0 ? at : undefined);
      if (run.code === 1) expect(run.err).toContain('due to concurrent changes');
    });
    expect(runs.some(({ code }) => code === 0)).toBe(true);
    writeFileSync(join(folder, 'b.json'), before);
    const run = await ours(['edit-config', '--replace', join(folder, 'b.json'), '--force', '-q']);
    expect(run.code, run.err).toBe(0);
  });

  test('--wait: every member has it, and takes a moment for it', async () => {
    const run = await ours(['edit-config', '-p', 'work_mem=7MB', '--force', '-q', '--wait']);
    expect([run.code, run.err]).toEqual([0, 'taken by pg1, pg2, pg3\n']);
    for (const { name } of lab.members) expect(await lab.psql(name, 'SHOW work_mem')).toBe('7MB');
    const back = await ours(['edit-config', '-p', 'work_mem=null', '--force', '-q', '--wait']);
    expect(back.code, back.err).toBe(0);
  });
});
