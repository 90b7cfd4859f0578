/** How the chaos judges: what counts as told, as so, and as a wrong ending. */
import { expect, test } from 'vitest';
import type { Finding } from '../../src/cluster/model/model.js';
import { ACTS, type Ran } from '../support/chaos/acts.js';
import type { Incident } from '../support/chaos/beside.js';
import { confirmed } from '../support/chaos/confirmed.js';
import { diceOf } from '../support/chaos/dice.js';
import type { Facts, MemberFacts } from '../support/chaos/facts.js';
import { isRestartPending, type Cast } from '../support/chaos/faults.js';
import { holds } from '../support/chaos/holds.js';
import { isTold, truthsIn } from '../support/chaos/truths.js';

const PRIMARY: MemberFacts = {
  recovery: false,
  started: '1',
  lsn: 1000,
  replayed: null,
  replayPaused: false,
  timeline: 1,
  rows: [{ name: 'pg2', state: 'streaming', sync: 'sync' }],
  slots: [{ name: 'pg2', restart: 1000, status: 'reserved' }],
  names: 'pg2',
  namesFile: '/data/postgresql.conf',
  waiters: 0,
  waitedMs: 0,
  pending: 0,
  oldest: 0,
  isFull: false,
  unconfirmed: [],
};
const STANDBY: MemberFacts = { ...PRIMARY, recovery: true, rows: [], slots: [], names: '' };

const WELL: Facts = {
  at: 0,
  dcs: true,
  leader: 'pg1',
  syncMode: 'on',
  standbys: ['pg2'],
  syncLeader: 'pg1',
  syncQuorum: 0,
  unreadable: [],
  failover: null,
  paused: false,
  standbyCluster: false,
  config: '{}',
  keys: ['pg1', 'pg2'],
  nofailover: [],
  slow: new Set(),
  told: new Map([
    ['pg1', 'running'],
    ['pg2', 'running'],
  ]),
  members: new Map([
    ['pg1', PRIMARY],
    ['pg2', STANDBY],
  ]),
  patroni: new Map([
    ['pg1', 'running'],
    ['pg2', 'running'],
  ]),
};

const without = (name: string): Facts => ({
  ...WELL,
  keys: WELL.keys.filter((one) => one !== name),
  members: new Map(WELL.members).set(name, null),
  patroni: new Map(WELL.patroni).set(name, null),
});

const whatIsSo = (facts: Facts) => truthsIn(facts).map(({ what }) => what);

const finding = (code: string, members: string[] = []): Finding => ({
  code,
  severity: 'critical',
  members,
  message: '',
  evidence: [],
  next: '',
});

test('a healthy cluster has nothing that must be told', () => {
  expect(whatIsSo(WELL)).toEqual([]);
});

test('a lost host has to be told by each of its witnesses, and by a finding that names it', () => {
  const facts = without('pg2');
  expect(whatIsSo(facts)).toEqual([
    'pg2: PostgreSQL does not answer',
    'pg2: Patroni does not answer',
    'pg2: no member key',
  ]);
  for (const truth of truthsIn(facts)) {
    expect(isTold(truth, [finding('member_left', ['pg2'])])).toBe(true);
    expect(isTold(truth, [finding('member_left', ['pg3'])])).toBe(false);
    expect(isTold(truth, [{ ...finding('member_left', ['pg2']), severity: 'info' }])).toBe(false);
  }
});

test('a member that was stopped on purpose need not be reported', () => {
  const stopped = new Map(WELL.told).set('pg2', 'stopped');
  expect(whatIsSo({ ...without('pg2'), told: stopped })).toEqual([]);
});

test('a finding is false where SQL does not confirm it, and where there is no rule for it', () => {
  expect(holds(finding('no_leader'), WELL)).toBe(false);
  expect(holds(finding('no_leader'), { ...without('pg1'), leader: null })).toBe(true);
  expect(holds(finding('lock_without_primary', ['pg1']), without('pg1'))).toBe(true);
  expect(holds(finding('lock_without_primary', ['pg1']), WELL)).toBe(false);
  expect(holds(finding('never_heard_of'), WELL)).toBe(false);
});

test('the leader of a standby cluster is not a primary, and has to run', () => {
  const standby = { ...WELL, standbyCluster: true, members: new Map([['pg1', STANDBY]]) };
  const stopped = { ...standby, members: new Map([['pg1', null]]) };
  expect(holds(finding('lock_without_primary', ['pg1']), standby)).toBe(false);
  expect(holds(finding('lock_without_primary', ['pg1']), stopped)).toBe(true);
});

test('one commit and one election that need no common member are not what /sync promises', () => {
  const names = (text: string, syncQuorum: number) => ({
    ...WELL,
    syncQuorum,
    standbys: ['pg2', 'pg3'],
    members: new Map(WELL.members).set('pg1', { ...PRIMARY, names: text }),
  });
  const differ = finding('sync_names_differ', ['pg1']);
  expect(holds(differ, names('ANY 1 (pg2,pg3)', 1))).toBe(false);
  expect(holds(differ, names('ANY 1 (pg2,pg3)', 0))).toBe(true);
  expect(holds(differ, names('2 (pg2,pg3)', 0))).toBe(false);
});

const CAST = { leader: 'pg1', replica: 'pg2', standby: 'pg2' } as Cast;
const switchover = ACTS.find(({ kind }) => kind === 'switchover to a named member');

const NEW_LEADER: Facts = {
  ...WELL,
  leader: 'pg2',
  members: new Map([
    ['pg1', STANDBY],
    ['pg2', { ...PRIMARY, rows: [{ name: 'pg1', state: 'streaming', sync: 'sync' }] }],
  ]),
};

test.each<[number, Facts, string | null]>([
  [0, NEW_LEADER, null],
  [0, WELL, '0, and the leader is pg1'],
  [0, { ...NEW_LEADER, members: WELL.members }, '0, and pg2 is not a primary'],
  [4, NEW_LEADER, '4, and all is as it was asked for'],
  [4, { ...NEW_LEADER, members: without('pg1').members }, null],
  [6, NEW_LEADER, '6, and the leader is pg2'],
  [5, WELL, null],
  [1, WELL, null],
])('a switchover that ends with %i', (code, after, wrong) => {
  const ran: Ran = { code, err: '', before: WELL, moments: [], after };
  expect(switchover?.wrong(ran, CAST)).toBe(wrong);
});

test('a pending restart need not be told once every member was restarted', () => {
  const pending = new Map(WELL.members).set('pg2', { ...STANDBY, pending: 1 });
  expect(isRestartPending({ ...WELL, members: pending })).toBe(true);
  expect(isRestartPending(WELL)).toBe(false);
});

test('only what the same command says wrong again while the same fault is on is confirmed', () => {
  const first: Incident = {
    at: '2026-11-28T08:00:00.000Z',
    shape: 'on',
    what: 'false calm',
    during: 'replica stopped',
    command: 'check demo',
    code: 0,
    about: 'pg2: Patroni does not answer, for 4.0 s',
    judge: '',
    said: '',
  };
  const again = { ...first, at: '2026-11-28T08:00:09.000Z', during: 'after replica stopped' };
  const longer = { ...again, about: 'pg2: Patroni does not answer, for 13.1 s' };
  const others = [
    { ...longer, at: '2026-11-28T08:02:00.000Z' },
    { ...longer, during: 'etcd frozen' },
    { ...longer, about: 'pg3: Patroni does not answer, for 13.1 s' },
    { ...longer, command: 'list demo --strict' },
    { ...longer, what: 'false critical' },
  ];
  expect(confirmed([first], 'false calm')).toEqual([]);
  expect(confirmed([first, longer], 'false calm')).toEqual([longer]);
  for (const other of others) expect(confirmed([first, other], 'false calm')).toEqual([]);
});

test('the same seed makes the same choices', () => {
  const all = ['a', 'b', 'c', 'd', 'e', 'f'];
  expect(diceOf(7).shuffled(all)).toEqual(diceOf(7).shuffled(all));
  expect(diceOf(7).shuffled(all).sort()).toEqual(all);
  expect(diceOf(7).shuffled(all)).not.toEqual(diceOf(8).shuffled(all));
});
