/** What a report tells of a cluster, out of looks at it: by value. */
import { describe, expect, test } from 'vitest';
import type { ClusterEvent } from '../../src/cluster/events/event-model.js';
import type { Snapshot } from '../../src/cluster/model/model.js';
import { dcsAnswers, dcsSilent } from '../../src/cluster/events/events-of.js';
import { openStory } from '../../src/cluster/report/cluster-story.js';
import { changedPairs } from '../../src/cluster/report/config-changes.js';
import { keepEvents } from '../../src/cluster/report/kept-events.js';
import { openBins } from '../../src/cluster/report/lag-bins.js';
import { timesLeaderChanged, leaderTerms } from '../../src/cluster/report/leader-terms.js';
import type { ClusterStory } from '../../src/cluster/report/report-model.js';
import { openOutages, writesSeen } from '../../src/cluster/report/seen-outages.js';
import { openSpans } from '../../src/cluster/report/spans.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { BEGAN_MS, looksOf, type Look } from '../support/made-recording.js';
import { DEAD, healthy, unverified } from './plan-support.js';

function told(
  looks: Iterable<{ atMs: number; snapshot: Snapshot }>,
  events: ClusterEvent[] = [],
): ClusterStory {
  const story = openStory();
  for (const { atMs, snapshot } of looks) story.look(snapshot, atMs);
  for (const event of events) story.event(event);
  const all = story.told();
  if (all === null) throw new Error('there was no look');
  return all;
}

const DAY = { looks: 200, intervalMs: 10_000 };
/** When so many thousandths of the day are over, in ms since 1970. */
const at = (look: number): number => BEGAN_MS + look * 2000;

/** pg1 leads, then pg2. */
function twoLeaders(): [Look, Look] {
  const [one, , , , other] = looksOf({ looks: 10, intervalMs: 1000 });
  if (!one || !other) throw new Error('no look');
  return [one, other];
}

describe('a made-up day', () => {
  const story = told(looksOf(DAY));

  test('who led when', () => {
    expect(leaderTerms(story.lanes)).toEqual([
      { member: 'pg1', fromMs: at(0), toMs: at(300), state: 'leader' },
      { member: 'pg2', fromMs: at(310), toMs: at(600), state: 'leader' },
      { member: 'pg1', fromMs: at(600), toMs: at(995), state: 'leader' },
    ]);
    expect(timesLeaderChanged(leaderTerms(story.lanes))).toBe(2);
    expect(story.lanes.map(({ member }) => member)).toEqual(['pg1', 'pg2', 'pg3']);
  });

  test('why the leader changed, as explain says it of a recording', () => {
    expect(story.changes).toEqual([
      {
        ms: at(310),
        from: 'pg1',
        to: 'pg2',
        verdict:
          'Patroni on pg1 was stopped (its service or its host was shut down): it gave up the lock itself, and its port was closed.',
        missing: null,
      },
      {
        ms: at(600),
        from: 'pg2',
        to: 'pg1',
        verdict:
          'Patroni on pg2 still answered when another member took the lock; why it gave up the lock is not recorded.',
        missing: 'the logs of Patroni and PostgreSQL of the old leader',
      },
    ]);
  });

  test('of a leader that changes all the time the last changes are told', () => {
    const [one, other] = twoLeaders();
    const flapping = openStory();
    for (let look = 0; look < 150; look += 1) {
      flapping.look((look % 2 === 0 ? one : other).snapshot, at(look * 30));
    }
    const all = flapping.told();
    expect(all?.changes.map(({ ms }) => ms)).toEqual(
      Array.from({ length: 100 }, (_, last) => at((50 + last) * 30)),
    );
    expect(all?.leftOut).toContain('why the leader changed earlier');
  });

  test('what happened to the leader key while the DCS was silent is not known', () => {
    const [one, other] = twoLeaders();
    const silent = openStory();
    silent.look(one.snapshot, at(0));
    silent.event(dcsSilent('no answer', new Date(at(1)).toISOString()));
    silent.event(dcsAnswers(one.snapshot, new Date(at(61)).toISOString()));
    silent.again(at(61));
    silent.look(other.snapshot, at(62));
    expect(silent.told()?.changes.map(({ verdict }) => verdict)).toEqual([
      'The DCS did not answer, not to patctl record either, and the key of pg1 ended.',
    ]);
  });

  test('a write outage has two bounds, and names the member that may have accepted writes', () => {
    expect(story.outages).toEqual([
      {
        fromMs: at(295),
        toMs: at(310),
        isOver: true,
        atLeastMs: 0,
        atMostMs: 30_050,
        before: ['pg1'],
        after: ['pg2'],
        silent: ['pg1'],
      },
      {
        fromMs: at(595),
        toMs: at(600),
        isOver: true,
        atLeastMs: 0,
        atMostMs: 10_050,
        before: ['pg2'],
        after: ['pg1'],
        silent: [],
      },
    ]);
  });

  test('the lag of each replica, its peak, and that it is unknown while it leads', () => {
    const [pg2, pg3, pg1] = ['pg2', 'pg3', 'pg1'].map((name) =>
      story.lags.find(({ member }) => member === name),
    );
    expect(pg3?.peak).toEqual({ bytes: expect.any(Number) as number, ms: at(195) });
    expect(pg3?.peak?.bytes).toBeGreaterThan(379_000_000);
    expect(pg2?.replayed.some(({ fromMs }) => fromMs > at(320) && fromMs < at(590))).toBe(false);
    expect(pg1?.replayed[0]?.fromMs).toBe(at(310));
    expect(pg1?.lastReplayed).toBeNull();
    expect(pg3?.lastReplayed).not.toBeNull();
    expect(pg3?.replayed.length).toBeLessThanOrEqual(480);
  });

  test('findings as bands, the worst first', () => {
    const { code, severity, spans, isOpen } = story.bands[0] ?? {};
    expect([code, severity, isOpen]).toEqual(['no_leader', 'critical', false]);
    expect(spans).toEqual([{ fromMs: at(305), toMs: at(310), state: 'critical' }]);
    expect(story.bands.find((band) => band.code === 'catching_up')?.members).toEqual(['pg3']);
  });

  test('the configuration at the end, and what was changed in it', () => {
    expect(story.configChanges).toEqual([{ ms: at(500), key: 'ttl', before: '30', after: '20' }]);
    expect(story.config).toContainEqual({ key: 'postgresql.use_pg_rewind', value: 'true' });
  });
});

test('nothing is known between two runs of the recorder', () => {
  const story = openStory();
  const [first, second] = [healthy(), healthy()];
  story.look(first.snapshot, 1000);
  story.close(3000);
  story.look(second.snapshot, 9000);
  const { runs, lanes, outages } = story.told() ?? {};
  expect(runs?.map(({ fromMs, toMs }) => [fromMs, toMs])).toEqual([
    [1000, 3000],
    [9000, 9000],
  ]);
  expect(lanes?.[0]?.spans).toHaveLength(2);
  expect(outages).toEqual([]);
});

test('a member that comes and goes has a lane only while it is there', () => {
  const story = openStory();
  const whole = healthy().snapshot;
  const { cluster, members } = whole;
  const without = {
    ...whole,
    cluster: { ...cluster, members: cluster.members.slice(0, 2) },
    members: members.slice(0, 2),
  };
  [without, whole, without].forEach((one, look) => story.look(one, look * 1000));
  expect(story.told()?.lanes.find(({ member }) => member === 'pg3')?.spans).toEqual([
    { fromMs: 1000, toMs: 2000, state: 'replica' },
  ]);
});

test('without witnesses the key alone is told, and no outage and no finding', () => {
  const story = told([{ atMs: 0, snapshot: unverified(healthy()).snapshot }]);
  expect(story.lanes.map(({ spans }) => spans[0]?.state)).toEqual([
    'claimed leader',
    'not asked',
    'not asked',
  ]);
  expect([story.outages, story.bands]).toEqual([[], []]);
});

test('a secret in the configuration is told as changed, and never shown', () => {
  const config = (hidden: string) =>
    healthy('off', { config: { postgresql: { authentication: { password: hidden } } } }).snapshot;
  const story = told([
    { atMs: 0, snapshot: config('hunter2') },
    { atMs: 1, snapshot: config('hunter3') },
  ]);
  expect(story.configChanges).toEqual([
    { ms: 1, key: 'postgresql.authentication.password', before: '***', after: '***' },
  ]);
  expect(
    JSON.stringify(story, (_, one: unknown) => (typeof one === 'bigint' ? String(one) : one)),
  ).not.toMatch(/hunter/);
});

describe('write outages', () => {
  const seen = (askedMs: number, primaries: string[], silent: string[] = []) => ({
    askedMs,
    atMs: askedMs + 100,
    primaries,
    silent,
  });
  const of = (...looks: (ReturnType<typeof seen> | null)[]) => {
    const outages = openOutages(2);
    for (const look of looks)
      if (look) outages.see(look, null);
      else outages.close();
    outages.close();
    return outages.outages();
  };

  test('when every member answers, its least length is sure', () => {
    const [one] = of(seen(0, ['a']), seen(1000, []), seen(5000, []), seen(6000, ['b']));
    expect(one).toMatchObject({ atLeastMs: 3900, atMostMs: 6100, isOver: true, silent: [] });
  });

  test('that never ends, or whose begin was not seen, has no greatest length', () => {
    expect(of(seen(0, ['a']), seen(1000, []), seen(5000, []))).toMatchObject([
      { isOver: false, atLeastMs: 3900, atMostMs: null, after: [] },
    ]);
    expect(of(seen(0, []), seen(1000, ['a']))).toMatchObject([{ fromMs: 100, atMostMs: null }]);
    expect(of(seen(0, ['a']), null, seen(1000, []), seen(2000, ['b']))).toMatchObject([
      { before: [], atMostMs: null },
    ]);
  });

  test('what did not change held until just before the next look', () => {
    const outages = openOutages(2);
    const looks = [seen(0, ['a']), seen(60_000, []), seen(120_000, ['b'])];
    for (const look of looks) outages.see(look, 5000);
    expect(outages.outages()).toMatchObject([
      { fromMs: 55_000, toMs: 120_100, atLeastMs: 54_900, atMostMs: 65_100 },
    ]);
  });

  test('a second primary, and its end, are none; and the last ones are kept', () => {
    expect(of(seen(0, ['a']), seen(1, ['a', 'b']), seen(2, ['b']))).toEqual([]);
    const many = of(...['a', 'b', 'c', 'd'].map((name, look) => seen(look, [name])));
    expect(many.map(({ after }) => after)).toEqual([['c'], ['d']]);
  });

  test('a PostgreSQL that says it cannot serve accepts no writes, a silent one may', () => {
    const world = healthy();
    Object.assign(world.readings('pg1'), { rest: DEAD, sql: DEAD });
    expect(writesSeen(viewOf(world.snapshot), 0, 0)).toMatchObject({ silent: ['pg1'] });
    Object.assign(world.readings('pg1'), { sql: { ...DEAD, cannotServe: true } });
    expect(writesSeen(viewOf(world.snapshot), 0, 0)).toMatchObject({ primaries: [], silent: [] });
  });

  test('a standby cluster has none', () => {
    const standby = healthy('off', { config: { standby_cluster: { host: 'far' } } });
    expect(writesSeen(viewOf(standby.snapshot), 0, 0)).toBeNull();
  });
});

describe('what does not grow', () => {
  test('the bins of a lag: however long it is, each keeps its least and its most', () => {
    const bins = openBins(4);
    for (let ms = 0; ms < 1_000_000; ms += 1000) bins.add(ms, ms === 500_000 ? 7_000_000 : ms);
    expect(bins.bins()).toEqual([
      { fromMs: 0, toMs: 256_000, least: 0, most: 255_000 },
      { fromMs: 256_000, toMs: 512_000, least: 256_000, most: 7_000_000 },
      { fromMs: 512_000, toMs: 768_000, least: 512_000, most: 767_000 },
      { fromMs: 768_000, toMs: 1_024_000, least: 768_000, most: 999_000 },
    ]);
    // A clock that was set back.
    bins.add(-5000, 1);
    expect(bins.bins()[0]?.least).toBe(0);
    const held = openBins(4);
    held.hold(0, 3000, 7);
    expect(held.bins().map(({ most }) => most)).toEqual([7, 7, 7, 7]);
  });

  test('spans: the last ones of each key, and as many keys as there is room for', () => {
    const spans = openSpans<number>(2, 2);
    for (let ms = 0; ms < 5; ms += 1) spans.see('a', ms, ms);
    expect(spans.spansOf('a').map(({ fromMs, toMs }) => [fromMs, toMs])).toEqual([
      [3, 4],
      [4, 4],
    ]);
    spans.see('b', 1, 5);
    spans.see('c', 1, 5);
    expect([spans.keys(), spans.leftOut()]).toEqual([['a', 'b'], 4]);
  });

  test('events: the last of each severity in their order, and how many there were before', () => {
    const kept = keepEvents(2);
    const event = (severity: string, second: number) =>
      ({ severity, at: `2026-11-28T00:00:0${second}Z`, code: 'paused' }) as ClusterEvent;
    for (const second of [1, 2, 3, 4]) kept.add(event('info', second));
    kept.add(event('critical', 0));
    kept.add(event('<b>', 5));
    expect(
      kept.events().map(({ severity, at: when }) => `${severity} ${when.slice(17, 19)}`),
    ).toEqual(['info 03', 'info 04', 'critical 00', 'unknown 05']);
    expect(kept.leftOut()).toEqual([
      { severity: 'info', count: 2, untilMs: Date.parse('2026-11-28T00:00:02Z') },
    ]);
  });
});

test('keys of a configuration that came, went and changed; a list is one value', () => {
  const before = { ttl: 30, a: { b: 1, c: [1] } };
  const after = { ttl: 30, a: { c: [1, 2] }, d: 'x' };
  expect(changedPairs(before, after)).toEqual([
    { key: 'a.b', before: '1', after: null },
    { key: 'a.c', before: '[1]', after: '[1,2]' },
    { key: 'd', before: null, after: 'x' },
  ]);
});
