/** What a dialogue shows, line by line; no terminal is needed for it. */
import { describe, expect, test } from 'vitest';
import { candidateRows } from '../../src/actions/switchover/candidate-rows.js';
import { checkTime } from '../../src/actions/switchover/questions.js';
import { checkedLines, matching, menuLines, type MenuRow } from '../../src/output/menu-screen.js';
import { displayWidth } from '../../src/output/width.js';
import { earlierBy, healthy, REQUEST } from './plan-support.js';

const row = (name: string, cells: string[] = [], details: string[] = []): MenuRow => {
  return { value: name, name, cells, details };
};

const ROWS = [
  row('pg2', ['lag 0 B', 'sync', 'can win', 'recommended'], ['best of 1 eligible']),
  row('pg10', ['lag 12.5 MiB', 'async', 'cannot win', ''], ['pg10 is asynchronous']),
  row('pg1', ['lag 3 B', 'async', 'cannot win', '']),
];

const lines = (
  rows: readonly MenuRow[],
  { typed = '', at = 0, columns = 80, height = 24 } = {},
): string[] =>
  menuLines('Candidate', rows, { typed, at }, { columns, rows: height }).map(({ text }) => text);

describe('what is typed', () => {
  const found = (typed: string) => matching(ROWS, typed).map(({ name }) => name);

  test('narrows the list: the very name first, then what begins with it, then what contains it', () => {
    expect(found('')).toEqual(['pg2', 'pg10', 'pg1']);
    expect(found('pg1')).toEqual(['pg1', 'pg10']);
    expect(found(' PG1 ')).toEqual(['pg1', 'pg10']);
    expect(found('0')).toEqual(['pg10']);
    expect(found('pgx')).toEqual([]);
  });

  test('and matches nothing is said with the names, and no row is pointed at', () => {
    expect(lines(ROWS, { typed: 'pgx' })).toEqual(['  "pgx" is not one of: pg2, pg10, pg1']);
  });
});

describe('the list', () => {
  test('at 80 columns', () => {
    expect(lines(ROWS)).toEqual([
      '> pg2   lag 0 B       sync   can win     recommended',
      '  pg10  lag 12.5 MiB  async  cannot win',
      '  pg1   lag 3 B       async  cannot win',
      '  best of 1 eligible',
      '  Up and Down point, Enter chooses, letters search, Esc ends',
    ]);
  });

  test('at 40 columns: the lag stands below it, of the row pointed at', () => {
    expect(lines(ROWS, { at: 1, columns: 40 })).toEqual([
      '  pg2   sync   can win     recommended',
      '> pg10  async  cannot win',
      '  pg1   async  cannot win',
      '  lag 12.5 MiB; pg10 is asynchronous',
      '  Up, Down, Enter; Esc ends',
    ]);
  });

  test('at 33 columns: the sync state stands below it too', () => {
    expect(lines(ROWS, { at: 1, columns: 33 }).slice(0, 4)).toEqual([
      '  pg2   can win     recommended',
      '> pg10  cannot win',
      '  pg1   cannot win',
      '  lag 12.5 MiB; async; pg10 is',
    ]);
  });

  test('takes no more lines than the terminal has, and shows the row pointed at', () => {
    const many = Array.from({ length: 40 }, (_, at) => row(`pg${at}`, ['', '', 'can win', '']));
    const shown = lines(many, { at: 20, height: 10 });
    expect(shown).toHaveLength(8);
    expect(shown).toContain('> pg20  can win');
    expect(shown).toContain('  18 to 23 of 40');
    for (let height = 1; height < 12; height += 1) {
      const few = lines(many, { at: 39, height });
      expect(few.length, String(height)).toBeLessThanOrEqual(Math.max(height - 1, 1));
      expect(few.some((line) => line.startsWith('> pg39'))).toBe(true);
    }
  });

  test.each([20, 30, 40, 60, 80])('of hostile and long names fits %s columns', (columns) => {
    const names = [
      '\x1b[2Jpg\u202e2',
      `very-${'long-'.repeat(40)}name`,
      '数据库'.repeat(20),
      'a\nb\tc',
    ];
    const rows = names.map((name) => row(name, ROWS[0]?.cells as string[], [`${name} is slow`]));
    for (const at of rows.keys()) {
      for (const line of lines(rows, { at, columns })) {
        expect(displayWidth(line), line).toBeLessThan(columns);
        expect(line).not.toMatch(/[\x00-\x1f\u202e]/);
      }
    }
  });
});

describe('a time', () => {
  const nowMs = Date.parse('2026-11-21T09:00:00Z');
  const asked = { what: 'switchover', nowMs: () => nowMs, isPaused: false };
  const check = (typed: string, more = {}) => checkTime(typed, 'UTC', { ...asked, ...more });

  test.each([
    ['now', { understood: 'at once' }],
    ['+30m', { understood: '2026-11-21T09:30:00Z, in 30 min' }],
    ['2026-11-21T12:15+01:00', { understood: '2026-11-21T11:15:00Z, in 2 h 15 min' }],
    ['soon', { problem: expect.stringMatching(/^"soon" is not a valid time; give /) as string }],
    ['2026-11-20T12:15Z', { problem: expect.stringContaining('is in the past') as string }],
    ['2026-11-21T12:15', { problem: expect.stringContaining('time zone; ') as string }],
  ])('%s', (typed, means) => {
    expect(check(typed)).toEqual(means);
  });

  test('other than now while the cluster is paused', () => {
    expect(check('now', { isPaused: true })).toEqual({ understood: 'at once' });
    const problem = "Can't schedule switchover in the paused state";
    expect(check('+30m', { isPaused: true })).toEqual({ problem });
  });

  test('what it means stands below it; what is wrong stands there once Enter was pressed', () => {
    const shown = (typed: string, entered: boolean) =>
      checkedLines(
        { typed, entered, checked: check(typed), example: 'e.g. +30m' },
        { columns: 80, rows: 24 },
      )[0];
    expect(shown('', false)).toEqual({ kind: 'help', text: '  e.g. +30m' });
    expect(shown('+1h', false)?.text).toBe('  2026-11-21T10:00:00Z, in 1 h 0 min');
    expect(shown('+', false)?.text).toBe('  not understood yet; e.g. +30m');
    expect(shown('+', true)).toMatchObject({
      kind: 'problem',
      text: expect.stringMatching(/^ {2}"\+" is not a valid time; give /) as string,
    });
  });
});

describe('candidates', () => {
  const said = (
    world: ReturnType<typeof healthy>,
    kind: 'switchover' | 'failover' = 'switchover',
  ) => {
    const { leaderName } = world.snapshot.cluster;
    const leader = kind === 'switchover' ? leaderName : null;
    const before = earlierBy(1000, world).snapshot;
    const { rows, recommended } = candidateRows(world.snapshot, before, {
      ...REQUEST,
      kind,
      leader,
    });
    return { recommended, rows: rows.map(({ name, cells }) => [name, ...cells].join(' ').trim()) };
  };

  test('that can win, with the one that --candidate auto chooses first', () => {
    const world = healthy('on');
    expect(said(world)).toEqual({
      recommended: 'pg2',
      rows: ['pg2 lag 0 B sync can win recommended', 'pg3 lag 0 B potential cannot win'],
    });
    expect(said(world, 'failover').rows[1]).toBe('pg3 lag 0 B potential may lose data');
  });

  test('tagged nofailover are not among them', () => {
    const world = healthy('off', { tags: { pg2: { nofailover: true } } });
    expect(said(world).rows).toEqual(['pg3 lag 0 B async can win recommended']);
  });

  test('are refused for what is not theirs where no switchover is possible', () => {
    const world = healthy('off', { keys: { failover: '{"leader":"pg1","member":"pg3"}' } });
    const { recommended, rows } = said(world);
    expect(recommended).toBeNull();
    expect(rows).toEqual(['pg2 lag 0 B async refused', 'pg3 lag 0 B async refused']);
  });

  test('why one cannot win stands in its details', () => {
    const { rows } = candidateRows(healthy('on').snapshot, null, { ...REQUEST, leader: 'pg1' });
    expect(rows[1]?.details[0]).toBe('pg3 is asynchronous: /sync names pg2 [candidate_sync]');
  });
});
