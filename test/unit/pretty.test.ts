import { describe, expect, it } from 'vitest';
import { prettyTable } from '../../src/output/pretty.js';
import { render, type Column } from '../../src/output/render.js';
import { oneLine, plain } from '../../src/output/text.js';
import { displayWidth } from '../../src/output/width.js';

describe('prettyTable', () => {
  it('weaves the title into the first rule, cut to the width', () => {
    const columns = [{ header: 'A' }, { header: 'B', align: 'r' as const }];
    expect(prettyTable(columns, [['1', '2']], { title: ' Cluster: a long name ' })).toBe(
      ['+ Cluste+', '| A | B |', '+---+---+', '| 1 | 2 |', '+---+---+'].join('\n'),
    );
    expect(prettyTable(columns, [], { title: ' x ' })).toBe(
      ['+ x +---+', '| A | B |', '+---+---+', '+---+---+'].join('\n'),
    );
  });

  it('aligns, counts wide characters as two and rules off rows of several lines', () => {
    const columns = [{ header: 'name' }, { header: 'n', align: 'r' as const }];
    expect(
      prettyTable(columns, [
        ['東京', '10'],
        ['a\nb', ''],
      ]),
    ).toBe(
      [
        '+------+----+',
        '| name |  n |',
        '+------+----+',
        '| 東京 | 10 |',
        '+------+----+',
        '| a    |    |',
        '| b    |    |',
        '+------+----+',
      ].join('\n'),
    );
  });

  it('centres as Python does', () => {
    const column = [{ header: 'xxxxxx', align: 'c' as const }];
    const cell = (text: string) => prettyTable(column, [[text]]).split('\n')[3];
    expect([cell('a'), cell('ab'), cell('abc')]).toEqual([
      '|   a    |',
      '|   ab   |',
      '|  abc   |',
    ]);
  });
});

describe('displayWidth', () => {
  it.each([
    ['', 0],
    ['abc', 3],
    ['zürich', 6],
    ['e\u0301', 1],
    ['東京', 4],
    ['\u{1f418}', 2],
    ['\u{1f1e9}\u{1f1ea}', 2],
    ['\u{1f468}\u200d\u{1f469}\u200d\u{1f467}', 2],
    ['\u{1f44d}\u{1f3fd}', 2],
    ['\u2764\ufe0f', 2],
    ['한글', 4],
    ['\u200b', 0],
  ])('%j takes %i', (text, cells) => {
    expect(displayWidth(text)).toBe(cells);
  });
});

describe('render', () => {
  interface Row {
    name: string;
    lag: number | null;
    tag?: string;
  }
  const columns: Column<Row>[] = [
    { key: 'Cluster', value: () => 'c', omit: ['pretty', 'topology'] },
    { key: 'Name', value: (row) => row.name },
    { key: 'Lag in bytes', header: 'Lag', align: 'r', value: (row) => row.lag },
    { key: 'Tag', value: (row) => row.tag, text: (row) => row.tag ?? '-' },
  ];
  const rows: Row[] = [
    { name: 'a\u001b[31m', lag: 10, tag: 't' },
    { name: 'b', lag: null },
  ];

  it('makes every format of one description', () => {
    expect(render('pretty', ' t ', columns, rows)).toBe(
      [
        '+ t ---+-----+-----+',
        '| Name | Lag | Tag |',
        '+------+-----+-----+',
        '| a    |  10 | t   |',
        '| b    |     | -   |',
        '+------+-----+-----+',
        '',
      ].join('\n'),
    );
    expect(render('tsv', ' t ', columns, rows)).toBe(
      'Cluster\tName\tLag in bytes\tTag\nc\ta\t10\tt\nc\tb\t\t-\n',
    );
    expect(render('json', ' t ', columns, rows)).toBe(
      '[{"Cluster": "c", "Name": "a\\u001b[31m", "Lag in bytes": 10, "Tag": "t"}, ' +
        '{"Cluster": "c", "Name": "b", "Lag in bytes": null}]\n',
    );
    expect(render('yml', ' t ', columns, rows.slice(1))).toBe(
      '- Cluster: c\n  Lag in bytes: null\n  Name: b\n\n',
    );
  });

  it('keeps a name with a tab or a line feed in its cell of tsv', () => {
    const row = [{ name: 'a\tb\nc', lag: 1 }];
    const only = columns.filter(({ key }) => key === 'Name');
    expect(render('tsv', '', only, row)).toBe('Name\na\\tb\\nc\n');
    expect(render('tsv', '', only, row, { asPatronictl: true })).toBe('Name\na\tb\nc\n');
  });
});

describe('plain', () => {
  it.each([
    ['a\u001b[1;31mb\u001b[0m', 'ab'],
    ['\u001b]0;title\u0007x', 'x'],
    ['\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\', 'link'],
    ['\u009b31mx', 'x'],
    ['a\rb\u0000\u007f', 'ab'],
    ['two\nlines\tand a tab', 'two\nlines\tand a tab'],
    ['\u202eevil', 'evil'],
    ['\u001b\u001b[31m[31mx', '[31mx'],
    ['\u001b(Bx\u001bcy', 'xy'],
    ['東京 é', '東京 é'],
    ['\ud800x', '\ufffdx'],
  ])('%j becomes %j', (text, expected) => {
    expect(plain(text)).toBe(expected);
  });

  it('oneLine has no line feeds left', () => {
    expect(oneLine('a\n\nb\tc\u001b[0m')).toBe('a b c');
  });
});
