/** `top`: its screens by value, and what keys and readings make of its state. */
import { describe, expect, test } from 'vitest';
import { dcsSilent, eventsOf } from '../../src/cluster/events/events-of.js';
import type { Snapshot } from '../../src/cluster/model/model.js';
import { leaving } from '../../src/output/door.js';
import { draw } from '../../src/output/top/draw.js';
import { keysOf } from '../../src/output/top/keys.js';
import { colourPaint, noPaint, type Paint } from '../../src/output/top/paint.js';
import { fleetRow, type FleetRow } from '../../src/output/top/fleet-row.js';
import { fleetLines, paneLines } from '../../src/output/top/plain-lines.js';
import { sparkline } from '../../src/output/top/sparkline.js';
import {
  followedPanes,
  newPane,
  settled,
  update,
  type TopInput,
  type TopState,
} from '../../src/output/top/state.js';
import { displayWidth } from '../../src/output/width.js';
import { HOSTILE, UNSAFE } from '../support/hostile.js';
import { DEAD, healthy } from './plan-support.js';

const T = Date.parse('2026-11-28T15:20:30Z');
const PANE = { scope: 'demo', group: null };
const LOW = { columns: 80, rows: 24 };
const HIGH = { columns: 200, rows: 50 };

const START: TopState = {
  panes: [newPane(PANE)],
  at: 0,
  fleet: null,
  page: 'cluster',
  before: 'cluster',
  chosen: null,
  scroll: 0,
  filter: '',
  typing: false,
  acts: true,
  action: null,
  wish: null,
  everyMs: 2000,
  command: () => 'patctl -c demo.yml',
  ignored: [],
};

function look(snapshot: Snapshot, before: Snapshot | null = null, afterMs = 0): TopInput {
  const atMs = T + afterMs;
  const events = eventsOf(before, snapshot, new Date(atMs).toISOString());
  return { kind: 'look', pane: PANE, atMs, snapshot, events, stale: null };
}

const after = (state: TopState, ...inputs: TopInput[]): TopState => inputs.reduce(update, state);
const pressed = (state: TopState, ...keys: string[]): TopState =>
  after(state, ...keys.map((key): TopInput => ({ kind: 'key', key })));
const drawn = (state: TopState, size = LOW, paint: Paint = noPaint): string[] =>
  draw(state, size, paint, T + 3000).map((line) => line.trimEnd());

/** pg3 is silent from the second reading on. */
function troubled(): TopState {
  const [was, is] = [healthy('quorum'), healthy('quorum')];
  Object.assign(is.readings('pg3'), { rest: DEAD, sql: DEAD });
  return after(START, look(was.snapshot), look(is.snapshot, was.snapshot, 2000));
}

const CALM = after(START, look(healthy('quorum').snapshot));
const TROUBLED = troubled();

describe('the screen of a cluster', () => {
  test('at 80x24', () => {
    expect(drawn(TROUBLED)).toEqual([
      'demo                                                         15:20:33Z every 2 s',
      'CRITICAL if the leader is lost now, no member can win the vote and take over',
      '  [quorum_lost] (and 1 more); next: bring pg3 back; Patroni on pg1 lowers the q…',
      'Leader     pg1, seen as primary, timeline 3, at 0/5000000',
      'Sync       quorum, /sync leader pg1, standbys pg2,pg3, quorum 1; synchronous_st…',
      'Votes      quorum 1 of voters pg2,pg3; no member can take over if the leader is…',
      '',
      '  Member  Seen as      State    TL  Lag  5 min     Sync    Verdict',
      '> pg1     primary      running   3                         ok',
      '  pg2     replica      running   3  0 B         ▁  quorum  ok',
      '  pg3     unreachable  running   3    ?         ?  quorum  member_unreachable',
      '',
      'Findings  1 critical, 1 warning',
      '  CRITICAL if the leader is lost now, no member can win the vote and take over …',
      '  WARNING pg3 does not answer [member_unreachable]',
      '',
      'Events',
      '  15:20:32Z WARNING pg3 stopped answering: the REST API and PostgreSQL: connect…',
      '  15:20:32Z CRITICAL if the leader is lost now, no member can win the vote and …',
      '  15:20:32Z WARNING pg3 does not answer',
      '',
      '',
      '',
      'Enter details  s switchover  f failover  r restart  R reinit  ? help  q quit',
    ]);
  });

  test('at 200x50: every column, the next step of each finding', () => {
    const lines = drawn(TROUBLED, HIGH);
    expect(lines).toHaveLength(50);
    expect(lines.slice(0, 25)).toEqual([
      'demo                                                                                                                                                                                 15:20:33Z every 2 s',
      'CRITICAL if the leader is lost now, no member can win the vote and take over [quorum_lost] (and 1 more); next: bring pg3 back; Patroni on pg1 lowers the quorum when it is permanently gone',
      'Cluster    demo (no system identifier)',
      'Leader     pg1, seen as primary, timeline 3, at 0/5000000',
      'Mode       normal',
      'Sync       quorum, /sync leader pg1, standbys pg2,pg3, quorum 1; synchronous_standby_names not read',
      'Votes      quorum 1 of voters pg2,pg3; no member can take over if the leader is lost',
      'Pending    nothing',
      'Witnesses  DCS at revision 9, REST 2 of 3, SQL 2 of 3 (login: superuser)',
      '',
      '  Member  Host           DCS says        Seen as      State    TL  Lag  Delay  5 min                           Sync    Verdict',
      '> pg1     10.0.0.1:5431  Leader          primary      running   3                                                      ok',
      '  pg2     10.0.0.1:5432  Quorum Standby  replica      running   3  0 B    0 s                               ▁  quorum  ok',
      '  pg3     10.0.0.1:5433  Quorum Standby  unreachable  running   3    ?                                      ?  quorum  member_unreachable',
      '',
      'Findings  1 critical, 1 warning',
      '  CRITICAL if the leader is lost now, no member can win the vote and take over [quorum_lost]',
      '    next bring pg3 back; Patroni on pg1 lowers the quorum when it is permanently gone',
      '  WARNING pg3 does not answer [member_unreachable]',
      '    next check whether Patroni runs on pg3',
      '',
      'Events',
      '  15:20:32Z WARNING pg3 stopped answering: the REST API and PostgreSQL: connect ECONNREFUSED',
      '  15:20:32Z CRITICAL if the leader is lost now, no member can win the vote and take over',
      '  15:20:32Z WARNING pg3 does not answer',
    ]);
  });

  test.each([
    { columns: 20, rows: 3 },
    { columns: 40, rows: 10 },
    { columns: 79, rows: 23 },
    { columns: 132, rows: 60 },
  ])('at $columns x $rows no line is too long, and there are never too many', (size) => {
    const hostile = healthy('on', { tags: { pg2: { [HOSTILE]: HOSTILE } } });
    const pages = [START, CALM, TROUBLED, after(START, look(hostile.snapshot))];
    for (const state of pages.flatMap((one) => [
      one,
      pressed(one, 'enter'),
      pressed(one, '?'),
      pressed(one, 's'),
      pressed(one, '/', 'x'),
    ])) {
      const lines = draw(state, size, noPaint, T);
      expect(lines).toHaveLength(size.rows);
      for (const line of lines) expect(displayWidth(line), line).toBeLessThanOrEqual(size.columns);
    }
  });

  test('colour adds nothing but colour, and says how bad something is', async () => {
    const paint = await colourPaint();
    const lines = drawn(TROUBLED, LOW, paint).map((line) => leaving(line, false));
    expect(lines[1]?.slice(0, 22)).toBe('\x1b[31m\x1b[1mCRITICAL\x1b[22m');
    const bare = lines.map((line) => line.replace(/\x1b\[[0-9;]*m/g, '').trimEnd());
    expect(bare).toEqual(drawn(TROUBLED));
  });

  test('a reading that fails says so above the last one, with its age', () => {
    const reason = 'etcd does not answer';
    const state = after(CALM, {
      kind: 'trouble',
      pane: PANE,
      atMs: T + 2000,
      reason,
      events: [],
    });
    expect(drawn(state)[1]).toBe(
      'CANNOT BE READ etcd does not answer; what is below was read 3 s ago',
    );
    const never = after(START, { kind: 'trouble', pane: PANE, atMs: T, reason, events: [] });
    expect(drawn(never)[1]).toBe('CANNOT BE READ etcd does not answer');
    expect(drawn(after(state, look(healthy().snapshot)))[1]).toBe(
      'OK pg1 leads, 2 replicas, nothing is wrong',
    );
  });

  test('a member with its pending restart, its tags and a lag', () => {
    const world = healthy('off', { tags: { pg2: { nofailover: true } } });
    const [, pg2] = world.snapshot.cluster.members;
    Object.assign(pg2 ?? {}, { pendingRestart: true });
    world.sql('pg2').receiveLsn = 0x5000000n - 3n * 1024n ** 2n;
    world.sql('pg2').replayLsn = 0x5000000n - 3n * 1024n ** 2n;
    const lines = drawn(after(START, look(world.snapshot)));
    expect(lines.find((line) => /^ {2}pg2 /.test(line))).toMatch(
      /replica .* 3\.0 MiB .* ▃ .* restart/,
    );
  });

  test('what comes from outside is a text: no escape and no hidden character is left', () => {
    const world = healthy('on', { tags: { pg2: { [HOSTILE]: HOSTILE } } });
    const { cluster, members } = world.snapshot;
    for (const one of [...cluster.members, ...members])
      if (one.name === 'pg3') one.name = `pg3${HOSTILE}`;
    const state = after(START, look(world.snapshot));
    const pages = [
      state,
      pressed(state, 'end', 'enter'),
      pressed(state, 'end', 's'),
      pressed(state, '/', HOSTILE),
    ];
    for (const page of pages)
      for (const line of draw(page, HIGH, noPaint, T)) expect(line).not.toMatch(UNSAFE);
  });
});

describe('keys', () => {
  test('what a terminal sends', () => {
    expect(keysOf('jk\r\t\x1b[A\x1bOB\x1b[5~\x1b[Zé数')).toEqual({
      keys: ['j', 'k', 'enter', 'tab', 'up', 'down', 'pageup', 'backtab', 'é', '数'],
      rest: '',
    });
    // A lone ESC may begin a sequence; what no key stands for is passed over.
    expect(keysOf('\x1b')).toEqual({ keys: [], rest: '\x1b' });
    expect(keysOf('\x1b[1;')).toEqual({ keys: [], rest: '\x1b[1;' });
    expect(keysOf('\x1b[99~q\x1bq')).toEqual({ keys: ['q', 'esc', 'q'], rest: '' });
    expect(keysOf('\x03\x1a\x00')).toEqual({ keys: ['ctrl-c', 'ctrl-z'], rest: '' });
  });

  test('the pointer moves, stays within the members, and follows its member', () => {
    const at = (state: TopState) =>
      drawn(state)
        .find((line) => line.startsWith('> '))
        ?.slice(2, 5);
    expect(at(CALM)).toBe('pg1');
    expect(at(pressed(CALM, 'j'))).toBe('pg2');
    expect(at(pressed(CALM, 'down', 'down', 'down', 'k'))).toBe('pg2');
    expect(at(pressed(CALM, 'end'))).toBe('pg3');
    expect(at(pressed(CALM, 'end', 'pageup'))).toBe('pg1');
    const gone = healthy('quorum').snapshot;
    gone.cluster.members = gone.cluster.members.filter(({ name }) => name !== 'pg2');
    gone.members = gone.members.filter(({ name }) => name !== 'pg2');
    expect(at(after(pressed(CALM, 'end'), look(gone)))).toBe('pg3');
  });

  test('Enter shows everything that is known of the member, Esc comes back', () => {
    const state = pressed(TROUBLED, 'end', 'enter');
    const text = draw(state, { columns: 100, rows: 200 }, noPaint, T).join('\n');
    expect(text).toContain('WARNING pg3 does not answer [member_unreachable]');
    expect(text).toContain('by a switchover now: no');
    expect(text).toContain('pg1 to pg3, streaming, quorum');
    expect(text).toContain('Its key in the DCS\n  conn_url  postgres://10.0.0.1:5433/postgres');
    expect(text).toContain('Its REST API\n  connect ECONNREFUSED');
    expect(pressed(state, 'esc').page).toBe('cluster');
    expect(pressed(state, 'down', 'down').scroll).toBe(2);
  });

  test('End goes to the end of a page, and the next key moves from there', () => {
    let most = 0;
    const end = pressed(TROUBLED, 'enter', 'end');
    const lines = draw(end, LOW, noPaint, T, (scroll) => (most = scroll));
    const last = /lines (\d+) to (\d+) of \2$/.exec(lines.at(-2)?.trimEnd() ?? '');
    expect(last?.[1]).toBe(String(most + 1));
    const above = drawn(pressed(settled(end, most), 'k'));
    expect(above.at(-2)).toMatch(new RegExp(`^lines ${most} to `));
    expect(settled(end, end.scroll)).toBe(end);
  });

  test('a filter narrows members, findings and events; Esc takes it away', () => {
    const state = pressed(TROUBLED, '/', 'P', 'G', '3');
    expect(state.typing).toBe(true);
    const text = drawn(state).join('\n');
    expect(text).toContain('\n> pg3');
    expect(text).not.toContain('\n  pg2');
    expect(text).not.toContain('no member can win the vote and take over …');
    expect(text).toMatch(/\n\/PG3_ /);
    expect(pressed(state, 'backspace', 'enter')).toMatchObject({ filter: 'PG', typing: false });
    expect(pressed(state, 'enter', 'esc').filter).toBe('');
    // While it is typed no letter is a command.
    expect(pressed(state, 'q').wish).toBeNull();
  });

  test('Tab leads through the clusters', () => {
    const two = { ...CALM, panes: [...CALM.panes, newPane({ scope: 'sales', group: 1 })] };
    expect(drawn(two)[0]).toMatch(/^\[demo\] sales group 1 {2}1 of 2 /);
    expect(drawn(pressed(two, 'tab'))[0]).toMatch(/^ demo \[sales group 1\] 2 of 2 /);
    expect(pressed(two, 'tab', 'tab').at).toBe(0);
    expect(pressed(two, 'backtab').at).toBe(1);
  });

  test('q and Ctrl-C quit from every page', () => {
    for (const state of [CALM, pressed(CALM, 'enter'), pressed(CALM, '?'), pressed(CALM, 's')])
      for (const key of ['q', 'ctrl-c']) expect(pressed(state, key).wish).toEqual({ kind: 'quit' });
  });
});

describe('keys that act', () => {
  const lineOf = (state: TopState, ...keys: string[]) => pressed(state, ...keys).action?.line;
  const paused = healthy('off', { config: { pause: true } });

  test('each opens the page with its command line, and Enter alone runs it', () => {
    const from = 'patctl -c demo.yml';
    expect(lineOf(CALM, 's')).toBe(`${from} switchover demo`);
    expect(lineOf(CALM, 'j', 's')).toBe(`${from} switchover demo --candidate pg2`);
    expect(lineOf(CALM, 'j', 'f')).toBe(`${from} failover demo --candidate pg2`);
    expect(lineOf(CALM, 'r')).toBe(`${from} restart demo pg1 --wait`);
    expect(lineOf(CALM, 'j', 'R')).toBe(`${from} reinit demo pg2 --wait`);
    expect(lineOf(CALM, 'p')).toBe(`${from} pause demo --wait`);
    expect(lineOf(after(START, look(paused.snapshot)), 'p')).toBe(`${from} resume demo --wait`);
    expect(lineOf(CALM, 'e')).toBe(`${from} edit-config demo --wait`);
    const asked = pressed(CALM, 'j', 's');
    expect(asked.wish).toBeNull();
    expect(pressed(asked, 'esc')).toMatchObject({ page: 'cluster', action: null, wish: null });
    expect(pressed(asked, 'enter').wish).toEqual({ kind: 'run', action: asked.action });
    expect(pressed(asked, 'y', 's', 'tab').wish).toBeNull();
  });

  test('the leader is not reinitialized', () => {
    const refused = pressed(CALM, 'R');
    expect(drawn(refused)[4]).toBe('pg1 holds the leader key: only replicas can be reinitialized');
    expect(pressed(refused, 'enter').wish).toBeNull();
  });

  test('a name that looks like an option stays a name', () => {
    const { snapshot } = healthy();
    for (const one of [...snapshot.cluster.members, ...snapshot.members])
      if (one.name === 'pg2') one.name = '--force';
    const state = pressed(after(START, look(snapshot)), 'j');
    const args = (key: string) => pressed(state, key).action?.args;
    expect(args('s')).toEqual(['switchover', 'demo', '--candidate=--force']);
    expect(args('r')).toEqual(['restart', '--wait', '--', 'demo', '--force']);
  });

  test('--read-only has none of them, on no page', () => {
    const readOnly = { ...CALM, acts: false };
    for (const key of ['s', 'f', 'r', 'R', 'p', 'e']) {
      expect(pressed(readOnly, key).page).toBe('cluster');
      expect(pressed(readOnly, 'enter', key).page).toBe('member');
    }
    expect(drawn(readOnly).at(-1)).toBe('j/k choose  Enter details  / filter  ? help  q quit');
  });
});

describe('--all', () => {
  const named = (name: string, world = healthy()): FleetRow => {
    const snapshot = structuredClone(world.snapshot);
    snapshot.cluster.scope = name;
    return fleetRow(snapshot, T, []);
  };
  const broken = healthy('quorum');
  Object.assign(broken.readings('pg3'), { rest: DEAD, sql: DEAD });
  const FLEET: TopState = {
    ...START,
    panes: [],
    page: 'fleet',
    before: 'fleet',
    fleet: {
      rows: [],
      count: null,
      isWhole: false,
      trouble: null,
      readMs: null,
      chosen: null,
      filter: '',
    },
  };
  const rows = [named('sales'), named('demo'), named('web', broken)];
  const names = new Set(['sales', 'demo', 'web']);
  const read = after(FLEET, { kind: 'fleet', rows, names });

  test('a row a cluster, worst first', () => {
    expect(drawn(read).slice(0, 6)).toEqual([
      'All clusters (3)                                             15:20:33Z every 2 s',
      '1 critical, 2 ok',
      '  Cluster  State     Leader  TL  Answer  Stream  Lag  Worst',
      '> web      CRITICAL  pg1      3     2/3     2/2  0 B  if the leader is lost now…',
      '  demo     OK        pg1      3     3/3     2/2  0 B  pg1 leads, 2 replicas, no…',
      '  sales    OK        pg1      3     3/3     2/2  0 B  pg1 leads, 2 replicas, no…',
    ]);
  });

  test('of two namespaces of Kubernetes each cluster has its row, its page and its command line', () => {
    const placed = (namespace: string, leader: string): FleetRow => {
      const snapshot = structuredClone(healthy().snapshot);
      snapshot.cluster.kubernetes = { namespace } as never;
      snapshot.cluster.leaderName = leader;
      return fleetRow(snapshot, T, []);
    };
    const two = [placed('prod', 'pg1'), placed('test', 'pg1')];
    const command = (place?: string): string => `patctl --kube-namespace ${place ?? 'none'}`;
    const seen = after(
      { ...FLEET, command },
      { kind: 'fleet', rows: two, names: new Set(['prod/demo', 'test/demo']) },
    );
    expect(seen.fleet?.rows.map(({ name }) => name)).toEqual(['prod/demo', 'test/demo']);
    const inside = pressed(seen, 'j', 'enter');
    const pane = { scope: 'demo', group: null, place: 'test' };
    expect(inside.panes).toMatchObject([pane]);
    const other = { ...look(healthy().snapshot), pane: { ...pane, place: 'prod' } } as TopInput;
    expect(after(inside, other).panes[0]?.look).toBeNull();
    const looked = after(inside, { ...look(healthy().snapshot), pane } as TopInput);
    expect(drawn(looked)[0]).toMatch(/^test\/demo /);
    expect(pressed(looked, 'p').action).toEqual({
      title: 'Disable auto failover of demo',
      args: ['pause', 'demo', '--wait'],
      line: 'patctl --kube-namespace test pause demo --wait',
      place: 'test',
    });
  });

  test('Enter goes in, Esc comes back, a filter narrows, a cluster that is gone has no row', () => {
    const inside = pressed(read, 'j', 'enter');
    expect(inside).toMatchObject({ page: 'cluster', panes: [{ scope: 'demo' }] });
    expect(followedPanes(read)).toBeNull();
    expect(followedPanes(inside)).toHaveLength(1);
    expect(followedPanes(pressed(inside, 'esc'))).toBeNull();
    expect(drawn(pressed(read, '/', 's', 'a'))[3]).toMatch(/^> sales /);
    const left = after(read, { kind: 'fleet', rows: [], names: new Set(['demo']) });
    expect(left.fleet?.rows.map(({ name }) => name)).toEqual(['demo']);
  });

  test('--plain: all of them once they are read, then those that change', () => {
    const lines = (before: TopState, now: TopState) =>
      before.fleet && now.fleet ? fleetLines(before.fleet, now.fleet) : [];
    const partly = after(FLEET, { kind: 'fleet', rows: rows.slice(0, 2), names });
    expect(lines(FLEET, partly)).toEqual([]);
    const all = lines(partly, read);
    expect(all.map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
      '2026-11-28T15:20:30.000Z web: CRITICAL',
      '2026-11-28T15:20:30.000Z demo: OK',
      '2026-11-28T15:20:30.000Z sales: OK',
    ]);
    const next = after(read, { kind: 'fleet', rows: [named('web'), named('demo')], names });
    expect(lines(read, next)).toEqual([
      '2026-11-28T15:20:30.000Z web: OK pg1 leads, 2 replicas, nothing is wrong; leader pg1, 3 of 3 members answer, 2 of 2 replicas stream',
    ]);
    const heard = (state: TopState, reason: string | null, afterMs: number): TopState =>
      after(state, { kind: 'fleet trouble', atMs: T + afterMs, reason });
    const silent = heard(next, 'no answer', 2000);
    expect(lines(next, silent)).toEqual([
      '2026-11-28T15:20:32.000Z the DCS cannot be read: no answer',
    ]);
    expect(lines(silent, heard(silent, 'still no answer', 4000))).toEqual([]);
    expect(lines(silent, heard(silent, null, 6000))).toEqual([
      '2026-11-28T15:20:36.000Z the DCS answers again',
    ]);
  });

  test('the last cluster is gone', () => {
    const nothing = after(read, { kind: 'fleet', rows: [], names: new Set() });
    expect(drawn(FLEET)[1]).toBe('reading …');
    expect(drawn(nothing)[1]).toBe('the DCS has no cluster');
  });
});

test('a sparkline: the worst of each time, on one scale; unknown is not calm', () => {
  const at = (minutesAgo: number, lagBytes: number | null) => ({
    atMs: T - minutesAgo * 60_000,
    lagBytes,
  });
  expect(sparkline([], T, 5)).toBe('     ');
  const samples = [
    at(3.5, 0),
    at(2.5, 2 * 1024 ** 2),
    at(2.4, 0),
    at(1.5, 40 * 1024 ** 3),
    at(0.5, 0),
    at(0, null),
  ];
  expect(sparkline(samples, T, 5)).toBe(' ▁▃█?');
});

test('--plain: everything at first, then events and the headline where it has changed', () => {
  const lines = (...inputs: TopInput[]): string[] => {
    let state = START;
    return inputs.flatMap((input) => {
      const [before] = state.panes;
      state = update(state, input);
      const [now] = state.panes;
      return before && now ? [`-- ${input.kind}`, ...paneLines(before, now, 'patctl')] : [];
    });
  };
  const [was, is] = [healthy(), healthy()];
  Object.assign(is.readings('pg3'), { rest: DEAD, sql: DEAD });
  const event = dcsSilent('no answer', '2026-11-28T15:20:36.000Z');
  const reason = 'no answer';
  const trouble: TopInput = { kind: 'trouble', pane: PANE, atMs: T, reason, events: [event] };
  const { snapshot } = was;
  expect(
    lines(
      look(snapshot),
      look(snapshot, snapshot, 2000),
      look(is.snapshot, snapshot, 4000),
      trouble,
    ),
  ).toEqual([
    '-- look',
    ...[
      'OK pg1 leads, 2 replicas, nothing is wrong',
      'Cluster: demo (no system identifier)',
      'Leader: pg1, seen as primary, timeline 3, at 0/5000000',
      'Mode: normal',
      'Sync: off, synchronous_standby_names not read',
      'Votes: asynchronous, no votes; survives losing the leader and 1 member more',
      'Pending: nothing',
      'Witnesses: DCS at revision 9, REST 3 of 3, SQL 3 of 3 (login: superuser)',
      'member pg1: primary, running, timeline 3, verdict ok',
      'member pg2: replica, running, timeline 3, lag 0 B, async, verdict ok',
      'member pg3: replica, running, timeline 3, lag 0 B, async, verdict ok',
    ].map((text) => `2026-11-28T15:20:30.000Z demo: ${text}`),
    '-- look',
    '-- look',
    ...[
      'WARNING pg3 stopped answering: the REST API and PostgreSQL: connect ECONNREFUSED',
      'WARNING pg3 does not answer',
      'WARNING pg3 does not answer [member_unreachable]',
    ].map((text) => `2026-11-28T15:20:34.000Z demo: ${text}`),
    '-- trouble',
    '2026-11-28T15:20:36.000Z demo: CRITICAL the DCS does not answer: no answer',
  ]);
});
