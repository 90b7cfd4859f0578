/** Why the leader changed, from looks of a recording that are made up here: what was seen, and what was not. */
import { expect, test } from 'vitest';
import type { MemberReadings, Reading, Snapshot } from '../../src/cluster/model/model.js';
import { historyFacts } from '../../src/cluster/story/history-facts.js';
import { recordingFacts } from '../../src/cluster/story/recording-facts.js';
import type { LeaderStory, StoryFact } from '../../src/cluster/story/story-model.js';
import { explain } from '../../src/cluster/story/tell-story.js';

const time = (seconds: number): string =>
  new Date(Date.UTC(2026, 10, 28, 15, 0, seconds)).toISOString();

const NAMES = ['pg1', 'pg2', 'pg3'] as const;
type Name = (typeof NAMES)[number];

interface Look {
  leader: Name | null;
  /** Those whose REST API refuses connections, and those that do not answer at all. */
  refused?: Name[];
  mute?: Name[];
  /** Those whose PostgreSQL refuses connections too. */
  down?: Name[];
  /** Members whose keys are there; default: all. */
  keys?: Name[];
  isStale?: boolean;
  lsn?: bigint;
  /** Seconds since each one reached the DCS, by the recorder's clock; default 1. */
  unseen?: Partial<Record<Name, number>>;
  request?: { leader: Name; candidate: Name };
  replicas?: Name[];
  history?: { timeline: number; lsn: bigint; timestamp: string; newLeader: Name }[];
  /** By their keys; default: running. */
  states?: Partial<Record<Name, string>>;
  /** What Patroni on pg1 answers of its state, with the role primary; default: running. */
  says?: string;
}

const silent = (reason: string): Reading<never> => ({ ok: false, kind: 'unreachable', reason });

function reading(name: Name, at: number, look: Look): MemberReadings {
  const { down = [], mute = [], unseen = {}, leader, lsn = 100n, replicas = [] } = look;
  const { says = 'running' } = look;
  const refused = [...(look.refused ?? []), ...down];
  const isPrimary = (name === leader || (name === 'pg1' && look.says)) && !replicas.includes(name);
  const rest = {
    role: isPrimary ? 'primary' : 'replica',
    state: name === 'pg1' ? says : 'running',
    location: isPrimary ? lsn : null,
    failsafeModeIsActive: false,
    dcsLastSeen: Date.parse(time(at)) / 1000 - (unseen[name] ?? 1),
  };
  const answer = (value: object) =>
    mute.includes(name)
      ? silent('no answer within 3000 ms')
      : ({ ok: true, value, tookMs: 1 } as Reading<unknown>);
  return {
    name,
    rest: refused.includes(name) ? silent('connect ECONNREFUSED') : answer(rest),
    sql: down.includes(name)
      ? silent('connect ECONNREFUSED')
      : answer({ inRecovery: !isPrimary, currentLsn: isPrimary ? lsn : null }),
  } as MemberReadings;
}

function snapshot(at: number, look: Look): Snapshot {
  const { leader, keys = NAMES, isStale = false, request, states = {} } = look;
  const members = keys.map((name) => ({
    name,
    state: states[name] ?? 'running',
    role: name === leader ? 'primary' : 'replica',
  }));
  const failover = request ? { ...request, scheduledAt: null, modRevision: '7' } : null;
  return {
    cluster: {
      revision: null,
      leaderName: leader,
      members,
      failover,
      history: look.history ?? [],
      config: { loopWaitSeconds: 10, retryTimeoutSeconds: 10 },
      ...(isStale && { cannotTell: { leader: 'the DCS does not answer' } }),
    },
    members: keys.map((name) => reading(name, at, look)),
  } as unknown as Snapshot;
}

type Step = [number, Look | 'dcs_silent' | 'end'];

/** A new timeline begins with each of these; LSNs are those of the file. */
const led = (...lines: [number, Name, bigint?][]): StoryFact[] =>
  historyFacts(
    lines.map(([seconds, newLeader, lsn = 100n], at) => ({
      timeline: at + 1,
      lsn,
      timestamp: time(seconds),
      newLeader,
      reason: '',
    })),
  );

function told(steps: Step[], history: StoryFact[]): LeaderStory[] {
  const folded = recordingFacts();
  for (const [at, what] of steps) {
    if (what === 'end') folded.interrupted(time(at));
    else if (what === 'dcs_silent')
      folded.event({ code: what, at: time(at), message: 'silent' } as never);
    else folded.snapshot(time(at), snapshot(at, what));
  }
  return explain([...folded.facts(), ...history], { kind: 'since', from: time(0) }).stories;
}

const causes = (steps: Step[], history: StoryFact[]) =>
  told(steps, history).map(({ from, to, verdict }) => [from, to, verdict.cause ?? verdict.fits]);

const WELL: Step = [0, { leader: 'pg1' }];
const silence = (from: number, to: number, look: Partial<Look>): Step[] => [
  [from, 'dcs_silent'],
  [from + 1, { leader: 'pg1', isStale: true, ...look }],
  [to, { leader: null, keys: [], ...look }],
  [to + 1, { leader: 'pg2', replicas: ['pg1'] }],
];

test('a silent DCS is the cause where a member still answered the recorder', () => {
  expect(causes([WELL, ...silence(10, 50, {})], led([50, 'pg2']))).toEqual([
    ['pg1', 'pg2', 'dcs_unreachable'],
  ]);
});

test('a recorder that reached no other member either may have been cut off with the leader', () => {
  const steps = [WELL, ...silence(10, 50, { mute: ['pg2', 'pg3'] })];
  expect(causes(steps, led([50, 'pg2']))).toEqual([
    ['pg1', 'pg2', ['dcs_unreachable', 'leader_cut_off']],
  ]);
});

test('a short silence before is not the cause; a Patroni that ended afterwards is', () => {
  const dead: Look = { leader: 'pg1', refused: ['pg1'] };
  const steps: Step[] = [
    WELL,
    [10, 'dcs_silent'],
    [13, { leader: 'pg1' }],
    [15, dead],
    [40, { ...dead, leader: null, keys: ['pg2', 'pg3'] }],
    [41, { ...dead, leader: 'pg2', keys: ['pg2', 'pg3'] }],
  ];
  expect(causes(steps, led([40, 'pg2']))).toEqual([['pg1', 'pg2', 'patroni_killed']]);
});

test('how a key ended while the DCS was silent is not seen', () => {
  const folded = recordingFacts();
  folded.snapshot(time(0), snapshot(0, { leader: 'pg1' }));
  folded.event({ code: 'dcs_silent', at: time(10), message: 'silent' } as never);
  folded.snapshot(time(11), snapshot(11, { leader: 'pg1', isStale: true }));
  folded.snapshot(time(50), snapshot(50, { leader: null }));
  expect(folded.facts().flatMap(({ what }) => (/^(?:leader|dcs)_/.test(what) ? what : []))).toEqual(
    ['dcs_silent', 'leader_key_lost', 'dcs_answers'],
  );
});

test('looks that are farther apart than ttl do not show how the key ended', () => {
  const ended = (seconds: number): string[] => {
    const folded = recordingFacts();
    folded.snapshot(time(0), snapshot(0, { leader: 'pg1' }));
    folded.snapshot(time(seconds), snapshot(seconds, { leader: 'pg2', keys: ['pg2', 'pg3'] }));
    return folded.facts().flatMap(({ what }) => (what.startsWith('leader_') ? what : []));
  };
  expect(ended(10)).toEqual(['leader_key_expired', 'leader_key_taken']);
  expect(ended(60)).toEqual(['leader_key_lost', 'leader_key_taken']);
});

test('what lies between two runs is not made up from their difference', () => {
  const steps: Step[] = [
    WELL,
    [10, 'dcs_silent'],
    [20, 'end'],
    [3600, { leader: 'pg2', keys: ['pg2', 'pg3'] }],
  ];
  expect(causes(steps, led([300, 'pg2']))).toEqual([['pg1', 'pg2', []]]);
});

test('the leader is not cut off alone where another member does not reach the DCS either', () => {
  const steps = (unseen: Look['unseen']): Step[] => [
    WELL,
    [40, { leader: 'pg1', replicas: ['pg1'], unseen: { pg1: 41, ...unseen } }],
    [41, { leader: null, keys: ['pg2', 'pg3'] }],
    [42, { leader: 'pg2', replicas: ['pg1'] }],
  ];
  expect(causes(steps({}), led([41, 'pg2']))).toEqual([['pg1', 'pg2', 'leader_cut_off']]);
  expect(causes(steps({ pg3: 41 }), led([41, 'pg2']))).toEqual([['pg1', 'pg2', 'dcs_unreachable']]);
});

test('a clock that is a minute late is not a member that does not reach the DCS', () => {
  const unseen = { pg1: 61 };
  const steps: Step[] = [
    [0, { leader: 'pg1', unseen }],
    [10, { leader: 'pg1', unseen: { pg1: 66 } }],
    [40, { leader: 'pg1', refused: ['pg1'] }],
    [60, { leader: null, keys: ['pg2', 'pg3'] }],
    [61, { leader: 'pg2', refused: ['pg1'], keys: ['pg2', 'pg3'] }],
  ];
  expect(causes(steps, led([60, 'pg2']))).toEqual([['pg1', 'pg2', 'patroni_killed']]);
});

test('a request that was withdrawn before is not the cause', () => {
  const request = { leader: 'pg1', candidate: 'pg2' } as const;
  const steps = (isWithdrawn: boolean): Step[] => [
    WELL,
    [10, { leader: 'pg1', request }],
    [20, { leader: 'pg1', ...(!isWithdrawn && { request }) }],
    [60, { leader: null, ...(!isWithdrawn && { request }), replicas: ['pg1'] }],
    [61, { leader: 'pg2' }],
  ];
  expect(causes(steps(false), led([60, 'pg2']))).toEqual([['pg1', 'pg2', 'switchover']]);
  expect(causes(steps(true), led([60, 'pg2']))[0]?.[2]).not.toBe('switchover');
});

test('what a leader wrote in an earlier term is not lost again in its next one', () => {
  const steps: Step[] = [
    [0, { leader: 'pg1', lsn: 9000n }],
    [30, { leader: 'pg2', lsn: 5000n }],
    [90, { leader: 'pg1', lsn: 6000n }],
    [120, { leader: 'pg2', lsn: 6000n }],
  ];
  const stories = told(steps, led([30, 'pg2', 5000n], [90, 'pg1', 5500n], [120, 'pg2', 6000n]));
  expect(stories.map(({ loss }) => loss?.lostBytes)).toEqual([4000, 0, 0]);
  expect(stories[2]?.loss?.message).toBe(
    'the new timeline begins at 0/1770, not before the last known position of pg1 (0/1770); what it wrote after it was last seen is not recorded',
  );
});

test('writes: from the last look at which the old leader led to the first at which the new one does', () => {
  const steps: Step[] = [
    WELL,
    [10, { leader: 'pg1' }],
    [12, { leader: 'pg1', replicas: ['pg1'] }],
    [20, { leader: null, keys: ['pg2', 'pg3'] }],
    [22, { leader: 'pg2', replicas: ['pg1'] }],
  ];
  const [story] = told(steps, led([21, 'pg2']));
  expect([story?.writes.atLeastMs, story?.writes.atMostMs, story?.writes.oldLeaderWentOn]).toEqual([
    9000,
    12_000,
    false,
  ]);
});

test('a leader that was stopped, and one that was only restarted before', () => {
  const steps = (state: string): Step[] => [
    WELL,
    [10, { leader: 'pg1', states: { pg1: 'stopped' } }],
    [20, { leader: 'pg1', states: { pg1: state } }],
    [30, { leader: 'pg1', states: { pg1: state }, refused: ['pg1'] }],
    [60, { leader: null, keys: ['pg2', 'pg3'] }],
    [61, { leader: 'pg2', keys: ['pg2', 'pg3'] }],
  ];
  expect(causes(steps('stopped'), led([60, 'pg2']))).toEqual([['pg1', 'pg2', 'patroni_stopped']]);
  expect(causes(steps('running'), led([60, 'pg2']))).toEqual([['pg1', 'pg2', 'patroni_killed']]);
});

test('a leader that stops once another member has the key need not have given it up', () => {
  const steps = (seen: 'before' | 'after'): Step[] => [
    WELL,
    [10, { leader: null, says: seen === 'before' ? 'stopping' : 'running' }],
    [11, { leader: 'pg2', says: 'running' }],
    [12, { leader: 'pg2', says: 'stopping' }],
  ];
  const lost = ['postgres_crashed', 'disk_full', 'out_of_memory'];
  expect(causes(steps('before'), led([11, 'pg2']))).toEqual([
    ['pg1', 'pg2', ['watchdog', 'postgres_start_timeout', ...lost]],
  ]);
  expect(causes(steps('after'), led([11, 'pg2']))).toEqual([
    ['pg1', 'pg2', ['key_deleted', ...lost, 'patroni_stopped', 'watchdog']],
  ]);
});

test('a host that was lost, and started again just when another member took over, was not stopped', () => {
  const steps = (back: number): Step[] => [
    WELL,
    [10, { leader: 'pg1', down: ['pg1'] }],
    [30, { leader: null, down: ['pg1'], keys: ['pg2', 'pg3'] }],
    [31, { leader: 'pg2', down: ['pg1'], keys: ['pg2', 'pg3'] }],
    [back, { leader: 'pg2', states: { pg1: 'stopped' } }],
  ];
  for (const back of [32, 40])
    expect(causes(steps(back), led([31, 'pg2']))).toEqual([['pg1', 'pg2', 'node_lost']]);
});

test('a member that was seen leading is not promoted to that by a later timeline', () => {
  const steps = (isPromoted: boolean): Step[] => [
    WELL,
    [4, { leader: 'pg1', refused: ['pg1'] }],
    [20, { leader: null, refused: ['pg1'], keys: ['pg2', 'pg3'] }],
    [22, { leader: 'pg2', refused: ['pg1'], replicas: isPromoted ? [] : ['pg2'] }],
    [24, { leader: 'pg2', refused: ['pg1'], replicas: isPromoted ? [] : ['pg2'] }],
    [30, { leader: 'pg2', refused: ['pg1'], replicas: ['pg2'] }],
    [44, { leader: 'pg2', refused: ['pg1'], history: [line] }],
  ];
  const line = { timeline: 1, lsn: 100n, timestamp: time(43), newLeader: 'pg2' } as const;
  const changes = (isPromoted: boolean) =>
    told(steps(isPromoted), led([43, 'pg2'])).map(({ from, to, at }) => [from, to, at]);
  // It led, was demoted, and promoted again with the same key.
  expect(changes(true)).toEqual([
    ['pg1', 'pg2', time(22)],
    ['pg2', 'pg2', time(43)],
  ]);
  // Its promotion took long.
  expect(changes(false)).toEqual([['pg1', 'pg2', time(43)]]);
});

test('a change that was seen late is the one that /history tells, not another one', () => {
  const line = { timeline: 1, lsn: 100n, timestamp: time(20), newLeader: 'pg2' } as const;
  const steps: Step[] = [
    WELL,
    [10, 'dcs_silent'],
    [11, { leader: 'pg1', isStale: true }],
    [90, { leader: 'pg2', history: [line], replicas: ['pg1'] }],
  ];
  expect(told(steps, led([20, 'pg2'])).map(({ timeline, at, to }) => [timeline, at, to])).toEqual([
    [1, time(20), 'pg2'],
  ]);
});
