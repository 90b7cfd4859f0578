/**
 * Verdicts on changes of leader that were made on purpose on a live cluster (Patroni 4.1, PostgreSQL 15; see
 * test/support/stories), from what each source kept of them. A wrong cause is worse than none.
 */
import { describe, expect, test } from 'vitest';
import { explain } from '../../src/cluster/story/tell-story.js';
import type { LeaderStory, StoryFact } from '../../src/cluster/story/story-model.js';
import {
  keptEtcd,
  keptLogs,
  truthsOf,
  verdictIn,
  wrongIn,
  type Truth,
} from '../support/stories/kept.js';

const SETS = ['patroni-4.1', 'disk-full', 'hard', 'patroni-3.0'];
const MEMBERS = ['pg1', 'pg2', 'pg3'];

/** What is told of each story: the cause, or those that fit. */
function told(set: string, facts: (truth: Truth) => StoryFact[]): Record<string, string> {
  return Object.fromEntries(
    truthsOf(set).map((truth) => [truth.story, inWords(verdictIn(facts(truth), truth))]),
  );
}

function inWords(story: LeaderStory | null): string {
  if (story === null) return 'no such change';
  const { cause, fits } = story.verdict;
  return cause ?? (fits.length === 0 ? 'not known' : `fits ${fits.join(' ')}`);
}

const cache = new Map<string, StoryFact[]>();
function once(name: string, make: () => StoryFact[]): StoryFact[] {
  const facts = cache.get(name) ?? make();
  cache.set(name, facts);
  return facts;
}

const etcd = (set: string) => once(`${set} etcd`, () => keptEtcd(set));
const log = (set: string, member: string) => once(`${set} ${member}`, () => keptLogs(set, member));
const logs = (set: string) => once(`${set} all`, () => MEMBERS.flatMap((name) => log(set, name)));
const othersLogs = (set: string, { from }: Truth) =>
  once(`${set} not ${from}`, () =>
    MEMBERS.filter((name) => name !== from).flatMap((name) => log(set, name)),
  );

const LEASE =
  'fits patroni_killed node_lost patroni_frozen leader_cut_off postgres_hung shutdown_too_slow';
const DEMOTED =
  'fits postgres_crashed disk_full out_of_memory postgres_start_failed postgres_start_timeout watchdog';

describe('real stories', () => {
  test('from all logs', () => {
    expect(told('patroni-4.1', () => logs('patroni-4.1'))).toEqual({
      switchover: 'switchover',
      'failover-by-hand': 'manual_failover',
      'patroni-stopped': 'patroni_stopped',
      'patroni-killed': 'patroni_killed',
      'node-lost': 'node_lost',
      'patroni-frozen': 'patroni_frozen',
      'node-frozen': 'patroni_frozen',
      'etcd-frozen': 'dcs_unreachable',
      'etcd-frozen-failsafe': 'dcs_unreachable',
      'postgres-killed': 'postgres_crashed',
      'postgres-killed-failover': 'postgres_crashed',
      'cut-off': 'leader_cut_off',
      'cut-off-silent': 'leader_cut_off',
      'key-deleted': 'fits key_deleted leader_cut_off patroni_frozen postgres_hung',
    });
    expect(told('disk-full', () => logs('disk-full'))).toEqual({ 'disk-full': 'disk_full' });
    expect(told('hard', () => logs('hard'))).toEqual({
      'postgres-killed-failover': 'postgres_crashed',
      'shutdown-stuck': 'shutdown_too_slow',
      'switchover-stuck': 'switchover',
      'postgres-hung': 'fits postgres_hung patroni_frozen',
      'oom-backend': 'postgres_crashed',
      'oom-postmaster': 'postgres_crashed',
      'watchdog-required': 'watchdog',
    });
  });

  test('from all logs of Patroni 3.0', () => {
    expect(told('patroni-3.0', () => logs('patroni-3.0'))).toEqual({
      switchover: 'switchover',
      'failover-by-hand': 'manual_failover',
      'patroni-stopped': 'patroni_stopped',
      'patroni-killed': 'patroni_killed',
      'postgres-killed-failover': 'postgres_crashed',
      'cut-off': 'leader_cut_off',
      'watchdog-required': 'watchdog',
    });
  });

  test("with the kernel's log: memory that ran out", () => {
    const all = once('hard kernel', () => [
      ...log('hard', 'pg1'),
      ...keptLogs('hard', 'pg2', ['pg2', 'kernel']),
      ...log('hard', 'pg3'),
    ]);
    expect(told('hard', () => all)).toMatchObject({
      'postgres-killed-failover': 'postgres_crashed',
      'oom-backend': 'out_of_memory',
      'oom-postmaster': 'out_of_memory',
      'watchdog-required': 'watchdog',
    });
  });

  test("from etcd's history alone", () => {
    expect(told('patroni-4.1', () => etcd('patroni-4.1'))).toEqual({
      switchover: 'switchover',
      'failover-by-hand': 'manual_failover',
      'patroni-stopped': 'patroni_stopped',
      'patroni-killed': LEASE,
      'node-lost': LEASE,
      'patroni-frozen': LEASE,
      'node-frozen': LEASE,
      'etcd-frozen': 'dcs_unreachable',
      'etcd-frozen-failsafe': 'dcs_unreachable',
      // The leader stayed, and etcd has no time of it.
      'postgres-killed': 'no such change',
      'postgres-killed-failover': DEMOTED,
      'cut-off': LEASE,
      'cut-off-silent': LEASE,
      'key-deleted':
        'fits key_deleted postgres_crashed disk_full out_of_memory patroni_stopped watchdog',
    });
    expect(told('hard', () => etcd('hard'))).toEqual({
      'postgres-killed-failover': DEMOTED,
      'shutdown-stuck': LEASE,
      'switchover-stuck': 'switchover',
      'postgres-hung': LEASE,
      'oom-backend': 'no such change',
      'oom-postmaster': DEMOTED,
      'watchdog-required': DEMOTED,
    });
  });

  test.each([
    ["etcd's history", (set: string) => etcd(set)],
    ['all logs', (set: string) => logs(set)],
    ["the old leader's log", (set: string, { from }: Truth) => log(set, from)],
    ["the other members' logs", othersLogs],
    ['etcd and all logs', (set: string) => once(`${set} both`, () => [...etcd(set), ...logs(set)])],
    [
      "etcd and the old leader's log",
      (set: string, { from }: Truth) =>
        once(`${set} etcd ${from}`, () => [...etcd(set), ...log(set, from)]),
    ],
    [
      "etcd and the others' logs",
      (set: string, truth: Truth) =>
        once(`${set} etcd not ${truth.from}`, () => [...etcd(set), ...othersLogs(set, truth)]),
    ],
  ])('from %s: never a cause that is not true', (_, facts) => {
    const wrong = SETS.flatMap((set) =>
      truthsOf(set).flatMap((truth) => wrongIn(facts(set, truth), truth)),
    );
    expect(wrong).toEqual([]);
  });

  test('a switchover: what was lost, how long nothing was written, and in which order', () => {
    const set = 'patroni-4.1';
    const { stories } = explain([...etcd(set), ...logs(set)], { kind: 'timeline', timeline: 1 });
    const [story] = stories;
    expect(story?.loss?.message).toMatch(
      /^the new timeline begins at 0\/[0-9A-F]+, not before the last known position of pg1/,
    );
    expect(story?.writes.atLeastMs).toBeGreaterThan(1000);
    expect(story?.writes.atMostMs).toBeLessThan(10_000);
    const codes = story?.lines.map(({ what }) => what) ?? [];
    const order = [
      'failover_requested',
      'postgres_stops',
      'leader_key_released',
      'leader_key_taken',
    ];
    // The first leader had taken the key before.
    const asked = codes.indexOf('failover_requested');
    const places = order.map((what) => codes.indexOf(what as (typeof codes)[number], asked));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBeGreaterThanOrEqual(0);
  });

  test('a Patroni that was killed: its PostgreSQL went on', () => {
    const set = 'patroni-4.1';
    const truth = truthsOf(set).find(({ story }) => story === 'patroni-killed');
    const story = truth ? verdictIn(logs(set), truth) : null;
    expect(story?.writes.oldLeaderWentOn).toBe(true);
  });
});
