import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { rowWriter, type RowFormat } from '../../src/output/rows.js';
import { withoutStatement } from '../../src/postgres/query-session.js';
import { valueOf } from '../../src/postgres/patronictl-values.js';
import { pythonText } from '../../src/output/value.js';
import { recorded, runFake } from '../support/fake-world.js';

describe('query, before anything is sent', () => {
  const run = (...args: string[]) => runFake(recorded('on'), ['query', ...args]);

  test.each([
    [[], 'either --command or --file'],
    [['-c', 'select 1', '-f', 'x.sql'], 'cannot be used with'],
    [['-c', 'select 1', '-m', 'pg1', '-r', 'any'], 'cannot be used with'],
    [['-f', '/etc/no-such-file'], 'cannot read /etc/no-such-file: ENOENT'],
    [['-c', 'select 1', '--format', 'xml'], 'Allowed choices are'],
    [['-c', 'select 1', '--password'], 'PGPASSFILE'],
  ])('%j is exit 2', async (args, words) => {
    const { code, out, err } = await run(...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(words);
  });

  test('no member has the role: exit 1 names the members', async () => {
    const { code, err } = await run('-c', 'select 1', '-r', 'standby-leader');
    expect(code).toBe(1);
    expect(err).toContain('no member has the role standby-leader\nmembers: pg1, pg2 (leader), pg3');
  });

  test('no member answers: exit 3 names each; the statement and the password are nowhere', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const cluster = recorded('on');
    for (const name of ['pg1', 'pg2', 'pg3']) {
      const key = `/service/demo/members/${name}`;
      cluster.keys[key] = (cluster.keys[key] ?? '').replace(
        /127\.0\.0\.1:643\d/,
        `127.0.0.1:${port}`,
      );
    }
    const sql = "select 'hunter2'";
    const env = { PGPASSWORD: 'geheim', PGUSER: 'me' };
    const { code, out, err } = await runFake(cluster, ['query', '-r', 'replica', '-c', sql], env);
    expect([code, out]).toEqual([3, '']);
    expect(err).toContain('No connection to role replica is available');
    expect(err).toMatch(/SQL pg1: .*ECONNREFUSED[^]*SQL pg3: .*ECONNREFUSED/);
    expect(err).not.toMatch(/hunter2|geheim/);
  });
});

test.each([
  ['invalid input syntax for type integer: "hunter2"', "select 'hunter2'::int", '"…"'],
  ['column "a" of relation "b" does not exist', 'select a', 'column "…" does not exist'],
  ['no hunter2 here', "do $$ begin raise exception 'no hunter2 here'; end $$", '…'],
  ["it's secret", "select raise('it''s secret')", '…'],
  ['colonne « secret » inconnue', 'x', '"…"'],
  ['division by zero', 'select 1/0', 'division by zero'],
])('an error says nothing of the statement: %s', (message, sql, kept) => {
  const words = withoutStatement(message, sql);
  expect(words).toContain(kept);
  expect(words).not.toMatch(/hunter2|secret/);
});

test.each<[number, string | null, string]>([
  [23, '1', '1'],
  [20, '9223372036854775807', '9223372036854775807'],
  [16, 't', 'True'],
  [16, 'f', 'False'],
  [25, null, 'None'],
  [701, '1', '1.0'],
  [701, '1e-07', '1e-07'],
  [701, 'NaN', 'nan'],
  [701, '-Infinity', '-inf'],
  [1700, '1.50', '1.50'],
  [1700, '15', '15'],
  [3802, '{"a": [1, 2.0, null]}', "{'a': [1, 2.0, None]}"],
  [114, 'null', 'None'],
  [3802, 'null', 'None'],
  [114, '"null"', 'null'],
  [1114, '2026-01-02 03:04:05', '2026-01-02 03:04:05'],
  [1114, '2026-01-02 03:04:05.5', '2026-01-02 03:04:05.500000'],
  [1184, '2026-01-02 03:04:05+00', '2026-01-02 03:04:05+00:00'],
  [1184, '2026-01-02 03:04:05.1+05:30', '2026-01-02 03:04:05.100000+05:30'],
  [1083, '04:05:06.7', '04:05:06.700000'],
  [1186, '00:00:00', '0:00:00'],
  [1186, '1 day 02:03:04.5', '1 day, 2:03:04.500000'],
  [1186, '-1 mons +3 days', '-27 days, 0:00:00'],
  [1186, '1 year 2 mons', '425 days, 0:00:00'],
  [1186, '-00:00:01', '-1 day, 23:59:59'],
  [1007, '{1,NULL,3}', '[1, None, 3]'],
  [1007, '{{1,2},{3,4}}', '[[1, 2], [3, 4]]'],
  [1009, '{a,"b c","NULL",NULL,"q\\"q",""}', `['a', 'b c', 'NULL', None, 'q"q', '']`],
  [1007, '{}', '[]'],
  [1007, '[0:1]={1,2}', '[0:1]={1,2}'],
  [3220, '0/5000', '0/5000'],
])('type %i, %j is printed %s', (oid, text, printed) => {
  expect(pythonText(valueOf(oid, text))).toBe(printed);
});

describe('rowWriter', () => {
  const write = (format: RowFormat, rows: (string | null)[][], options = {}) => {
    const writer = rowWriter(format, {
      delimiter: format === 'csv' ? ',' : '\t',
      harmless: false,
      asPatronictl: true,
      ...options,
    });
    const head = writer.start(['a', 'b']);
    return head + rows.map((row) => writer.row(row, row)).join('') + writer.end();
  };

  test.each<[RowFormat, string, string]>([
    ['tsv', 'a\tb\nx\tNone\ny z\t\n', 'a\tb\n'],
    ['csv', 'a,b\nx,\ny z,""\n', 'a,b\n'],
    ['json', '[{"a": "x", "b": null}, {"a": "y z", "b": ""}]\n', '[]\n'],
    ['yaml', "- a: x\n  b: null\n- a: y z\n  b: ''\n\n", '[]\n\n'],
    [
      'pretty',
      '+-----+------+\n| a   | b    |\n+-----+------+\n| x   | None |\n| y z |      |\n+-----+------+\n',
      '+---+---+\n| a | b |\n+---+---+\n+---+---+\n',
    ],
  ])('%s, with rows and without', (format, full, empty) => {
    expect(
      write(format, [
        ['x', null],
        ['y z', ''],
      ]),
    ).toBe(full);
    expect(write(format, [])).toBe(empty);
  });

  test.each<[RowFormat, string]>([
    ['tsv', '\n\n'],
    ['json', '[{}, {}]\n'],
    ['yaml', '- {}\n- {}\n\n'],
  ])('%s of two rows without columns', (format, text) => {
    const writer = rowWriter(format, { delimiter: '\t', harmless: false, asPatronictl: true });
    expect(writer.start([]) + writer.row([], []) + writer.row([], []) + writer.end()).toBe(text);
  });

  test('a tab in a table reaches to the next eighth column, in each line again', () => {
    expect(write('pretty', [['a\tb', 'éé\tx\n\ty']])).toBe(
      '+-----------+-----------+\n| a         | b         |\n+-----------+-----------+\n' +
        '| a       b | éé      x |\n|           |         y |\n+-----------+-----------+\n',
    );
  });

  test('csv quotes what has to be quoted', () => {
    expect(
      write('csv', [
        ['a,b', 'c"d'],
        ['e\nf', ' g '],
      ]),
    ).toBe('a,b\n"a,b","c""d"\n"e\nf", g \n');
    expect(write('csv', [['a,b', 'c;d']], { delimiter: ';' })).toBe('a;b\na,b;"c;d"\n');
  });

  test('a table of very many rows is drawn', () => {
    const rows = Array.from({ length: 130_000 }, (_, at) => [String(at), 'x']);
    const lines = write('pretty', rows).split('\n');
    expect(lines.slice(-4)).toEqual(['| 129998 | x |', '| 129999 | x |', '+--------+---+', '']);
  });

  test('a table too long to be measured continues with the widths measured by then, and keeps no rows', () => {
    const writer = rowWriter('pretty', { delimiter: '\t', harmless: false, asPatronictl: true });
    writer.start(['a', 'b']);
    const wide = 'x'.repeat(1024);
    const texts = Array.from({ length: 10_000 }, () => writer.row([wide, 1], []));
    const first = texts.findIndex((text) => text !== '');
    expect([first, texts[first]?.split('\n').length]).toEqual([8184, 3 + 8185 + 1]);
    expect(texts[first + 1]).toBe(`| ${wide} | 1 |\n`);
    expect(writer.row(['y', 22], [])).toBe(`| ${'y'.padEnd(1024)} | 22 |\n`);
    expect(writer.end()).toBe(`+${'-'.repeat(1026)}+---+\n`);
  });

  test('terminal escapes stay away from a terminal only', () => {
    expect(write('tsv', [['\u001b[31mred', 'x']], { harmless: true })).toBe('a\tb\nred\tx\n');
    expect(write('tsv', [['\u001b[31mred', 'x']])).toContain('\u001b[31m');
  });
});
