/** Tables and sentences on terminals of every width. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { commandLine, shellWord } from '../../src/cluster/model/command-line.js';
import { layoutOf, openTable, ruledTable, type Narrowing } from '../../src/output/fit.js';
import { asCalled, documentAsCalled } from '../../src/output/as-called.js';
import { fitted, fold } from '../../src/output/screen.js';
import { displayWidth } from '../../src/output/width.js';

const NARROWINGS: Narrowing[] = [
  { drop: ['Receive LSN'] },
  { below: ['Verdict'] },
  'headers',
  { below: ['Host'] },
];
const screen = (width: number | null) => ({ width, color: false, command: 'patctl' });
const columns = (names: string[]) => [
  { header: 'Member', texts: names },
  { header: 'Host', texts: names.map((_, at) => `10.0.0.${at}:5432`) },
  { header: 'Role', texts: names.map(() => 'Replica') },
  { header: 'Receive LSN', align: 'r' as const, texts: names.map(() => '0/3000060') },
  { header: 'Receive Lag', align: 'r' as const, texts: names.map(() => '0') },
  {
    header: 'Verdict',
    texts: names.map((_, at) => (at === 0 ? 'ok' : 'not_streaming, timeline_behind')),
  },
];
const linesOf = (text: string) => text.replace(/\n$/, '').split('\n');

describe('a table', () => {
  const draw = (width: number | null) =>
    linesOf(ruledTable(' Cluster: demo (7) ', columns(['pg1', 'pg2']), NARROWINGS, screen(width)));

  test('has all where there is room, and without a terminal', () => {
    const all = draw(null);
    expect(all[0]).toHaveLength(97);
    expect(draw(97)).toEqual(all);
  });

  test('drops LSNs first', () => {
    expect(draw(96)).toEqual(
      [
        '+ Cluster: demo (7) ------+---------+-------------+--------------------------------+',
        '| Member | Host          | Role    | Receive Lag | Verdict                        |',
        '+--------+---------------+---------+-------------+--------------------------------+',
        '| pg1    | 10.0.0.0:5432 | Replica |           0 | ok                             |',
        '| pg2    | 10.0.0.1:5432 | Replica |           0 | not_streaming, timeline_behind |',
        '+--------+---------------+---------+-------------+--------------------------------+',
      ].map((line, at) =>
        at === 0 ? line.replace('------+---------+-', '-----+---------+-') : line,
      ),
    );
  });

  test('then gives the verdict a line of its own', () => {
    expect(draw(60)).toEqual([
      '+ Cluster: demo (7) -----+---------+-------------+',
      '| Member | Host          | Role    | Receive Lag |',
      '+--------+---------------+---------+-------------+',
      '| pg1    | 10.0.0.0:5432 | Replica |           0 |',
      '|   Verdict: ok                                  |',
      '| pg2    | 10.0.0.1:5432 | Replica |           0 |',
      '|   Verdict: not_streaming, timeline_behind      |',
      '+--------+---------------+---------+-------------+',
    ]);
  });

  test('then has headers of two lines, and at last a card for each row', () => {
    expect(draw(48)[1]).toBe('| Member | Host          | Role    | Receive |');
    expect(draw(48)[2]).toBe('|        |               |         |     Lag |');
    expect(draw(22)).toEqual([
      'Cluster: demo (7)',
      'pg1',
      '  Role: Replica',
      '  Receive Lag: 0',
      '  Verdict: ok',
      '  Host: 10.0.0.0:5432',
      'pg2',
      '  Role: Replica',
      '  Receive Lag: 0',
      '  Verdict:',
      '    not_streaming,',
      '    timeline_behind',
      '  Host: 10.0.0.1:5432',
    ]);
  });

  test('is never wider than the terminal, whatever the names are', () => {
    const hosts = ['pg1', 'データベース一号機', `db-${'x'.repeat(60)}`, 'a b c', '😀'.repeat(30)];
    for (let width = 40; width <= 200; width += 1) {
      const ruled = ruledTable(
        ' Cluster: 注文データベース (7) ',
        columns(hosts),
        NARROWINGS,
        screen(width),
      );
      const open = openTable(columns(hosts), NARROWINGS, { ...screen(width), width });
      const tooWide = linesOf(ruled + open).filter((line) => displayWidth(line) > width);
      const left = ['Verdict', 'timeline_behind', 'Replica', 'Role', 'pg1'].filter(
        (said) => !ruled.includes(said) || !open.includes(said),
      );
      expect({ width, tooWide, left }).toEqual({ width, tooWide: [], left: [] });
      // Lines of a ruled table are equally long.
      if (ruled.includes('+--')) {
        const table = linesOf(ruled).filter((line) => /^[|+]/.test(line));
        expect(new Set(table.map(displayWidth)).size, String(width)).toBe(1);
      }
    }
  });

  test('is laid out by its rows and the width alone', () => {
    const kinds = [200, 97, 96, 60, 48, 30, 22].map((width) => {
      const { kind, shown, below, headerLines } = layoutOf(
        columns(['pg1', 'pg2']),
        NARROWINGS,
        width,
        {
          between: 3,
          ends: 4,
        },
      );
      return [width, kind, shown.length, below.length, headerLines];
    });
    expect(kinds).toEqual([
      [200, 'table', 6, 0, 1],
      [97, 'table', 6, 0, 1],
      [96, 'table', 5, 0, 1],
      [60, 'table', 4, 1, 1],
      [48, 'table', 4, 1, 2],
      [30, 'table', 3, 2, 2],
      [22, 'cards', 3, 2, 2],
    ]);
  });
});

describe('a sentence', () => {
  const NEXT =
    "    next check PostgreSQL's log on pg2; if the WAL it needs is gone: patctl -c '/etc/my file.yml' reinit demo pg2 --wait; then look again";

  test('that fits stays as it is', () => {
    expect(fold(NEXT, { width: 200, command: 'patctl' })).toEqual([NEXT]);
    expect(fitted(NEXT, { width: null, command: 'patctl' })).toBe(NEXT);
  });

  test('has its command on a line of its own, which can be copied', () => {
    const command = "patctl -c '/etc/my file.yml'";
    expect(fold(NEXT, { width: 70, command })).toEqual([
      "    next check PostgreSQL's log on pg2; if the WAL it needs is gone:",
      "      patctl -c '/etc/my file.yml' reinit demo pg2 --wait",
      '      then look again',
    ]);
    expect(fold(NEXT, { width: 40, command })).toEqual([
      "    next check PostgreSQL's log on pg2;",
      '      if the WAL it needs is gone:',
      "      patctl -c '/etc/my file.yml' \\",
      '        reinit demo pg2 --wait',
      '      then look again',
    ]);
  });

  test('of any width gives a shell the same words', () => {
    const words = [
      '-c',
      '/etc/patroni/a file.yml',
      'failover',
      `x${'y'.repeat(70)}`,
      '--candidate',
      'pg 2',
    ];
    const command = `patctl ${words.slice(0, 2).map(shellWord).join(' ')}`;
    const whole = [command, ...words.slice(2).map(shellWord)].join(' ');
    for (const width of [40, 41, 47, 60, 80, 120]) {
      const lines = fold(`next promote one: ${whole}`, { width, command });
      for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
      const script = lines.slice(lines.findIndex((line) => /^ *patctl/.test(line))).join('\n');
      const seen = spawnSync('sh', ['-c', `patctl() { printf '%s\\n' "$@"; }\n${script}`], {
        encoding: 'utf8',
      });
      expect(seen.stdout.split('\n').slice(0, -1), `${width}\n${script}`).toEqual(words);
    }
  });

  test('names the program and the way to the cluster as they were given', () => {
    const command = "patctl -c '/etc/my file.yml'";
    const said = `see the count: ${commandLine({ scope: 'my demo', group: 1 }, 'quorum')}`;
    expect(said).toBe("see the count: patctl quorum 'my demo' --group 1");
    expect(asCalled(said, command)).toBe(
      "see the count: patctl -c '/etc/my file.yml' quorum 'my demo' --group 1",
    );
    expect(documentAsCalled({ a: [{ next: said, message: said }] }, 'patronictl')).toEqual({
      a: [{ next: "see the count: patronictl quorum 'my demo' --group 1", message: said }],
    });
  });
});
