/** What a loss of members would do: the leader, whether writes continue, what is lost, what Patroni does. */
import { describe, expect, test } from 'vitest';
import { lossForecast } from '../../src/cluster/documents/loss-forecast-document.js';
import type { SyncMode } from '../../src/cluster/model/model.js';
import { forecast } from '../../src/cluster/votes/loss-forecast.js';
import type { ForecastFacts } from '../../src/cluster/votes/loss-model.js';
import type { VoteInput } from '../../src/cluster/votes/vote-rules.js';
import { lossForecastText } from '../../src/output/loss-forecast-text.js';
import { healthy, type HealthyOptions } from './plan-support.js';
import { cluster, node } from './vote-node.js';

const facts = (
  input: Partial<VoteInput> = {},
  more: Partial<ForecastFacts> = {},
): ForecastFacts => ({
  ...{ input: cluster(input), strict: false, ttlSeconds: 30, loopWaitSeconds: 10, neverSync: [] },
  ...more,
});

/** 'leadership writes loss', then the possible winners. */
const brief = (given: ForecastFacts, ...lost: string[]) => {
  const found = forecast(given, lost);
  const winners = found.heirs.filter(({ mayWin }) => mayWin === 'yes').map(({ name }) => name);
  const { leadership, writes, dataLoss } = found;
  return `${leadership} ${writes} ${dataLoss.verdict}${winners.length > 0 ? ` ${winners.join()}` : ''}`;
};

const five = (mode: SyncMode, voters: string[], quorum: number): Partial<VoteInput> => ({
  nodes: ['pg1', 'pg2', 'pg3', 'pg4', 'pg5'].map((name) =>
    node(name, name === 'pg1' ? { primary: true, streams: false, streamsFromLeader: false } : {}),
  ),
  ...{ mode, voters, quorum, syncLeader: mode === 'off' ? null : 'pg1' },
});
const ALL = ['pg2', 'pg3', 'pg4', 'pg5'];

describe('three members', () => {
  const off = facts({ mode: 'off', syncLeader: null, voters: [], quorum: 0 });
  const on = facts({ mode: 'on', voters: ['pg2'], quorum: 0 });
  const quorum = facts();
  test.each([
    ['off', off, ['pg1'], 'moves continue possible pg2,pg3'],
    ['off', off, ['pg2'], 'stays continue none'],
    ['off', off, ['pg1', 'pg2'], 'moves continue possible pg3'],
    ['off', off, ['pg1', 'pg2', 'pg3'], 'none stop unknown'],
    ['on', on, ['pg1'], 'moves continue none pg2'],
    ['on', on, ['pg2'], 'stays pause none'],
    ['on', on, ['pg3'], 'stays continue none'],
    ['on', on, ['pg2', 'pg3'], 'stays pause none'],
    ['on', on, ['pg1', 'pg2'], 'none stop unknown'],
    ['on', on, ['pg1', 'pg3'], 'moves continue none pg2'],
    ['quorum', quorum, ['pg1'], 'moves continue none pg2,pg3'],
    ['quorum', quorum, ['pg2'], 'stays continue none'],
    ['quorum', quorum, ['pg2', 'pg3'], 'stays pause none'],
    ['quorum', quorum, ['pg1', 'pg3'], 'none stop unknown'],
  ])('mode %s without %3$j', (_, given, lost, wanted) => {
    expect(brief(given, ...lost)).toBe(wanted);
  });

  test('strict: writes wait when no standby is left, on either side', () => {
    const strict = { strict: true };
    const on2 = facts({ mode: 'on', voters: ['pg2'], quorum: 0 }, strict);
    expect(brief(on2, 'pg2')).toBe('stays pause none');
    expect(brief(on2, 'pg2', 'pg3')).toBe('stays wait none');
    expect(brief(on2, 'pg1', 'pg3')).toBe('moves wait none pg2');
    expect(brief(on2, 'pg1')).toBe('moves continue none pg2');
    expect(brief(facts({}, strict), 'pg2', 'pg3')).toBe('stays wait none');
    const nosync = { strict: true, neverSync: ['PG3'] };
    expect(brief(facts({ mode: 'on', voters: ['pg2'] }, nosync), 'pg2')).toBe('stays wait none');
  });

  test('a pause, a standby cluster, synchronous_commit off', () => {
    expect(brief(facts({ paused: true }), 'pg1')).toBe('none stop unknown');
    const standby = facts({ standbyCluster: true, mode: 'off', syncLeader: null });
    const nodes = standby.input.nodes.map((one) => ({ ...one, primary: false }));
    expect(brief({ ...standby, input: { ...standby.input, nodes } }, 'pg1')).toMatch(/^moves none/);
    expect(brief(facts({ synchronousCommit: 'local' }), 'pg2', 'pg3')).toBe('stays continue none');
  });

  test('positions read a moment apart do not keep a streaming member from leading', () => {
    const skewed = facts({
      nodes: [
        node('pg1', { primary: true, streams: false }),
        node('pg2', { walPosition: 90n }),
        node('pg3'),
      ],
    });
    expect(brief(skewed, 'pg1')).toBe('moves continue none pg2,pg3');
  });

  test('a leader that is down already is lost with the others', () => {
    const nodes = [node('pg1', { reachable: false, primary: null }), node('pg2'), node('pg3')];
    expect(forecast(facts({ nodes }), [])).toMatchObject({ leaderLost: true, leadership: 'moves' });
    expect(brief(facts({ nodes }), 'pg3')).toBe('none stop unknown');
  });

  test('a primary in failsafe mode does not outlive a member in /failsafe', () => {
    const input = {
      leader: null,
      nodes: [node('pg2'), node('pg3')],
      failsafeMembers: ['pg1', 'pg2', 'pg3'],
      failsafeNodes: [node('pg1', { primary: true })],
    };
    expect(forecast(facts(input), ['pg3'])).toMatchObject({
      leadership: 'unknown',
      writes: 'unknown',
      writesBecause:
        'a primary in failsafe mode demotes itself when a member in /failsafe does not answer',
    });
  });
});

describe('five members', () => {
  test.each([
    [
      'quorum, numsync 1',
      facts(five('quorum', ALL, 3)),
      ['pg1'],
      'moves continue none pg2,pg3,pg4,pg5',
    ],
    ['quorum, numsync 1', facts(five('quorum', ALL, 3)), ['pg1', 'pg2'], 'none stop unknown'],
    [
      'quorum, numsync 2',
      facts(five('quorum', ALL, 2)),
      ['pg1', 'pg2'],
      'moves continue none pg3,pg4,pg5',
    ],
    ['quorum, numsync 2', facts(five('quorum', ALL, 2)), ['pg2', 'pg3'], 'stays continue none'],
    ['quorum, numsync 2', facts(five('quorum', ALL, 2)), ['pg2', 'pg3', 'pg4'], 'stays pause none'],
    [
      'on, two of them',
      facts(five('on', ['pg2', 'pg3'], 0)),
      ['pg1', 'pg2'],
      'moves continue none pg3',
    ],
    ['on, two of them', facts(five('on', ['pg2', 'pg3'], 0)), ['pg3'], 'stays pause none'],
    ['off', facts(five('off', [], 0)), ['pg1', 'pg2', 'pg3'], 'moves continue possible pg4,pg5'],
  ])('%s without %3$j', (_, given, lost, wanted) => {
    expect(brief(given, ...lost)).toBe(wanted);
  });
});

describe('what Patroni does', () => {
  const steps = (given: ForecastFacts, ...lost: string[]) =>
    forecast(given, lost).steps.map(
      ({ where, fromSeconds, toSeconds }) => `${where} ${fromSeconds} ${toSeconds ?? '-'}`,
    );

  test('the leader is lost: lock, race, /sync, standby names, by ttl and loop_wait', () => {
    expect(steps(facts(), 'pg1')).toEqual([
      'lock 20 30',
      'race 20 42',
      '/sync 20 62',
      'standby names 20 62',
    ]);
    expect(steps(facts(), 'pg1', 'pg2')).toEqual(['lock 20 30', 'race 20 -']);
    const off = facts({ mode: 'off', syncLeader: null }, { ttlSeconds: 20, loopWaitSeconds: 2 });
    expect(steps(off, 'pg1')).toEqual(['lock 18 20', 'race 18 24']);
  });

  test('a voter is lost: what raises numsync + quorum first; mode on takes it out of /sync first', () => {
    expect(steps(facts(), 'pg2')).toEqual(['standby names 0 12', '/sync 0 12', 'members 20 30']);
    expect(steps(facts(), 'pg2', 'pg3')).toEqual([
      'commits 0 12',
      '/sync 0 12',
      'standby names 0 12',
      'members 20 30',
    ]);
    const on = facts({ mode: 'on', voters: ['pg2'], quorum: 0 });
    expect(steps(on, 'pg2')).toEqual([
      'commits 0 12',
      '/sync 0 12',
      'standby names 0 12',
      'members 20 30',
    ]);
    expect(steps(on, 'pg3')).toEqual(['members 20 30']);
    expect(steps(on)).toEqual([]);
  });

  test('failsafe_mode: until /failsafe is written again, the loss of the DCS too ends the leader', () => {
    const input = { failsafeMembers: ['pg1', 'pg2', 'pg3'] };
    expect(steps(facts(input), 'pg2')[0]).toBe('/failsafe 0 40');
  });
});

describe('the document', () => {
  const asked = (lose: string[], any: number | null = null, options: HealthyOptions = {}) =>
    lossForecast(healthy('quorum', options).snapshot, { lose, any });
  const tags = { tags: { pg2: { zone: 'b' }, pg3: { zone: 'b', rack: 7 } } };

  test('names, tags, and the worst choice', () => {
    expect(asked(['pg2'])).toMatchObject({
      document: {
        lost: ['pg2'],
        choices: null,
        leadership: 'stays',
        leader: 'pg1',
        mode: 'quorum',
      },
    });
    expect(asked(['tag:zone=b'], null, tags)).toMatchObject({ document: { lost: ['pg2', 'pg3'] } });
    expect(asked(['tag:rack=7'], null, tags)).toMatchObject({ document: { lost: ['pg3'] } });
    expect(asked([], 1)).toMatchObject({ document: { lost: ['pg1'], choices: 3 } });
    expect(asked([], 2)).toMatchObject({
      document: { lost: ['pg1', 'pg2'], choices: 3, leadership: 'none' },
    });
    expect(asked(['pg3'], 1)).toMatchObject({ document: { lost: ['pg1', 'pg3'], choices: 2 } });
    expect(asked([], 9)).toMatchObject({ document: { lost: ['pg1', 'pg2', 'pg3'], choices: 1 } });
  });

  test('unknown members', () => {
    expect(asked(['pg9'])).toMatchObject({ ok: false, words: 'pg9 is not a member of demo' });
    expect(asked(['tag:zone=c'], null, tags)).toMatchObject({
      ok: false,
      words: 'no member of demo has the tag zone=c',
    });
  });

  test('for people', async () => {
    const answer = asked(['pg1']);
    const text = answer.ok ? await lossForecastText(answer.document) : '';
    expect(text).toContain(
      [
        'Cluster  demo',
        'Lost     pg1',
        'Leader   pg1 is lost; pg2 or pg3 takes over',
        'Writes   go on: once pg2 or pg3 is promoted',
        'Commits  no acknowledged commit can be lost: pg2 has everything that 2 of the voters have; 2 are needed',
        '',
      ].join('\n'),
    );
    expect(text).toMatch(/^ {2}pg2 +yes +2 of 2 *$/m);
    expect(text).toMatch(/^ {2}20 to 30 s +lock +pg1's lock and member key expire \(ttl\)$/m);
  });
});
