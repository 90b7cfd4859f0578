/** Evidence that seems to fit a change of leader and does not belong to it: each was taken for its cause once. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Cluster } from '../../src/cluster/model/model.js';
import { etcdFacts } from '../../src/cluster/story/etcd-facts.js';
import { historyFacts } from '../../src/cluster/story/history-facts.js';
import { logFacts } from '../../src/cluster/story/log-facts.js';
import { logReader } from '../../src/cluster/story/log-lines.js';
import type { LeaderStory, StoryFact } from '../../src/cluster/story/story-model.js';
import { explain } from '../../src/cluster/story/tell-story.js';
import type { Context } from '../../src/context.js';
import { collectLogs } from '../../src/observe/story/collect-logs.js';
import { foundLogs } from '../../src/observe/story/found-logs.js';

const T0 = Date.UTC(2026, 10, 28, 15, 0, 0);
const time = (seconds: number): string => new Date(T0 + seconds * 1000).toISOString();
const stamp = (seconds: number): string => time(seconds).replace('T', ' ').replace('Z', '');

type Line = [seconds: number, text: string];

const patroni = (...lines: Line[]): string[] =>
  lines.map(([at, text]) => `${stamp(at).replace('.', ',')} INFO: ${text}`);
const postgres = (...lines: Line[]): string[] =>
  lines.map(([at, text]) => `${stamp(at)} UTC [7] ${text}`);

/** One line every 10 s. */
const beats = (text: string, from: number, to: number): Line[] =>
  Array.from({ length: Math.floor((to - from) / 10) + 1 }, (_, at) => [from + at * 10, text]);
const leads = (name: string, from: number, to: number): Line[] =>
  beats(`no action. I am (${name}), the leader with the lock`, from, to);
const follows = (name: string, leader: string, from: number, to: number): Line[] =>
  beats(`no action. I am (${name}), a secondary, and following a leader (${leader})`, from, to);

function log(member: string, ...lines: string[]): StoryFact[] {
  const facts = logFacts(member, { fromMs: -Infinity, toMs: Infinity }, (text) => text);
  const reader = logReader(() => 0);
  for (const line of lines.sort()) {
    const message = reader.add(line);
    if (message) facts.add(message);
  }
  return facts.facts();
}

const led = (...lines: [number, string, number?, bigint?][]): StoryFact[] =>
  historyFacts(
    lines.map(([seconds, newLeader, timeline, lsn = 100n], at) => ({
      timeline: timeline ?? at + 1,
      lsn,
      timestamp: time(seconds),
      newLeader,
      reason: '',
    })),
  );

/** pg1 leads since timeline 2, and pg2 takes over at this second. */
const took = (seconds: number): StoryFact[] => led([-3600, 'pg1'], [seconds, 'pg2']);

function storyOf(facts: StoryFact[], timeline = 2): LeaderStory | undefined {
  return explain(facts, { kind: 'timeline', timeline }).stories[0];
}

function causesIn(...facts: StoryFact[][]): string[] {
  const verdict = storyOf(facts.flat())?.verdict;
  return verdict === undefined ? ['no story'] : verdict.cause ? [verdict.cause] : verdict.fits;
}

function recorded(at: number, until: number, fact: Partial<StoryFact>): StoryFact {
  return {
    at: time(at),
    until: time(until),
    times: 2,
    revision: null,
    source: 'recording',
    member: 'pg1',
    what: 'member_answers',
    message: '',
    sure: 'seen',
    ...fact,
  };
}

/** Keys of etcd, one revision each; several names at once are one revision. */
function etcd(...steps: [names: string, value: string | null, lease?: string][]): StoryFact[] {
  const folded = etcdFacts();
  steps.forEach(([names, value, lease = null], at) => {
    for (const name of names.split(' ')) {
      folded.add({ revision: String(100 + at), name, value, lease });
    }
  });
  return folded.facts();
}
const member = (role: string, state = 'running'): string =>
  JSON.stringify({
    role,
    state,
    api_url: 'http://h:1/patroni',
    conn_url: 'postgres://h:1/postgres',
  });
const history = (...lines: [number, number, string, number][]): string =>
  JSON.stringify(lines.map(([tl, lsn, who, at]) => [tl, lsn, 'no recovery target', time(at), who]));

test('what another Patroni says of the old leader is not the log of its Patroni', () => {
  const own = log(
    'pg1',
    ...postgres(
      [100, 'LOG:  received fast shutdown request'],
      [101, 'LOG:  database system is shut down'],
    ),
  );
  const other = log(
    'pg2',
    ...patroni(...follows('pg2', 'pg1', 0, 90), [
      109,
      'Got response from pg1 http://h:1/patroni: {"state": "stopped", "role": "replica"}',
    ]),
  );
  expect(causesIn(took(110), own, other)).not.toContain('patroni_stopped');
});

test('a disk that was full and a process that ran out of memory long before are not the cause', () => {
  const ends = patroni(...leads('pg1', 0, 400));
  const panic = postgres([
    20,
    'PANIC:  could not write to file "pg_wal/x": No space left on device',
  ]);
  expect(causesIn(took(430), log('pg1', ...ends, ...panic))).not.toContain('disk_full');
  const died = patroni(
    ...leads('pg1', 0, 400),
    [405, 'Postgresql is not running.'],
    [406, 'Primary crashed. Failing over'],
  );
  const killed = [
    `${time(20).replace('Z', '+00:00')} h kernel: Out of memory: Killed process 7 (postgres) x`,
  ];
  expect(causesIn(took(410), log('pg1', ...died, ...killed))).not.toEqual(['out_of_memory']);
  const reset = [`${time(20).replace('Z', '+00:00')} h kernel: softdog: Initiating system reboot`];
  expect(causesIn(took(430), log('pg1', ...ends, ...reset))).not.toContain('watchdog_fired');
  const gone = patroni([
    20,
    'released leader key voluntarily as data dir empty and currently leader',
  ]);
  expect(causesIn(took(430), log('pg1', ...ends, ...gone))).not.toContain('data_directory_gone');
});

test('a session that had no space for a temporary file did not end PostgreSQL', () => {
  const died = patroni(
    ...leads('pg1', 0, 400),
    [405, 'Postgresql is not running.'],
    [406, 'Primary crashed. Failing over'],
  );
  const full = postgres(
    [20, 'ERROR:  could not write to file "base/pgsql_tmp/x": No space left on device'],
    [404, 'LOG:  checkpoint starting: time'],
  );
  expect(causesIn(took(410), log('pg1', ...died, ...full))).toEqual(['postgres_crashed']);
  const alone = explain(log('pg1', ...patroni(...leads('pg1', 0, 400)), ...full), {
    kind: 'since',
    from: time(0),
  });
  expect(alone.stories).toEqual([]);
});
test('a client that speaks of a full disk is not a full disk', () => {
  const died = patroni(
    ...leads('pg1', 0, 400),
    [405, 'Postgresql is not running.'],
    [406, 'Primary crashed. Failing over'],
  );
  const said = postgres(
    [403, "LOG:  statement: insert into log values ('No space left on device')"],
    [404, "LOG:  duration: 1 ms  execute s: select 'No space left on device'"],
  );
  expect(causesIn(took(410), log('pg1', ...died, ...said))).not.toEqual(['disk_full']);
});

test('others reached the DCS only where a source shows it of that time', () => {
  const own = log(
    'pg1',
    ...patroni(
      ...leads('pg1', 0, 100),
      [115, 'Error communicating with DCS'],
      [125, 'demoted self because DCS is not accessible and I was a leader'],
    ),
  );
  const unknown = ['leader_cut_off', 'dcs_unreachable'];
  const before = [recorded(0, 60, { member: 'pg2' })];
  const after = [recorded(190, 300, { member: 'pg3' })];
  expect(causesIn(took(180), own, before)).toEqual(unknown);
  expect(causesIn(took(180), own, before, after)).toEqual(unknown);
  expect(
    causesIn(took(180), own, log('pg2', ...patroni(...follows('pg2', 'pg1', 4, 114)))),
  ).toEqual(unknown);
  expect(causesIn(took(180), own, [recorded(0, 170, { member: 'pg2' })])).toEqual([
    'leader_cut_off',
  ]);
  expect(
    causesIn(took(180), own, log('pg2', ...patroni(...follows('pg2', 'pg1', 4, 164)))),
  ).toEqual(['leader_cut_off']);
});

test('a log that was cut off long before the change does not show that its Patroni ended', () => {
  const cut = log(
    'pg1',
    ...patroni(...leads('pg1', 0, 100)),
    ...postgres([440, 'LOG:  received immediate shutdown request']),
  );
  expect(causesIn(took(400), cut)).toEqual([]);
  // One that ends just before may be cut off too, unless something else went on in it.
  const short = patroni(...leads('pg1', 0, 100));
  const verdict = storyOf([...took(130), ...log('pg1', ...short)])?.verdict;
  expect([verdict?.cause, verdict?.fits, verdict?.message]).toEqual([
    null,
    [],
    'The cause is unknown: the log of Patroni on pg1 ends before the change. Patroni ended or stood still there, or the file is not the whole log.',
  ]);
  const checkpoint = postgres([140, 'LOG:  checkpoint starting: time']);
  expect(causesIn(took(130), log('pg1', ...short, ...checkpoint))).toEqual([
    'patroni_killed',
    'node_lost',
    'patroni_stopped',
    'patroni_frozen',
  ]);
  // In a log of its own too, whatever PostgreSQL wrote there, if that covers the end of Patroni's.
  const starts: Line = [-5000, 'LOG:  starting PostgreSQL 15.18 on x86'];
  const later: Line = [440, 'LOG:  checkpoint starting: time'];
  const beside = (...lines: Line[]): string[] =>
    causesIn(took(130), log('pg1', ...short), log('pg1', ...postgres(...lines)));
  const possible = ['patroni_killed', 'node_lost', 'patroni_stopped', 'patroni_frozen'];
  expect(beside(starts, [140, 'LOG:  checkpoint starting: time'], later)).toEqual(possible);
  expect(beside(starts, later)).toEqual(possible);
  expect(beside(starts, [120, 'LOG:  checkpoint starting: time'])).toEqual([]);
  expect(beside([300, 'LOG:  checkpoint starting: time'], later)).toEqual([]);
  // Where the cause would follow from what another file shows, it stays open.
  const again: Line = [160, 'LOG:  starting PostgreSQL 15.18 on x86'];
  expect(causesIn(took(130), log('pg1', ...short, ...postgres(starts, again)))).toEqual([
    'node_lost',
  ]);
  expect(beside(starts, again)).toEqual(['node_lost', 'patroni_frozen']);
  // Too soon for the end of a lease.
  expect(causesIn(took(105), log('pg1', ...short, ...checkpoint))).toEqual([]);
});

const kernel = (...lines: Line[]): string[] =>
  lines.map(([at, text]) => `${time(at).replace('Z', '+00:00')} host1 kernel: ${text}`);
const outOfMemory = (at: number, program: string): string[] =>
  kernel([at, `Out of memory: Killed process 123 (${program}) total-vm:1kB`]);

test('a Patroni that the kernel ended is known by that, also where nothing else went on', () => {
  const ends = patroni(...leads('pg1', 0, 100));
  const own = (...lines: string[]): string[] => causesIn(took(130), log('pg1', ...ends, ...lines));
  expect(own(...outOfMemory(101, 'patroni'))).toEqual(['patroni_killed']);
  expect(
    causesIn(took(130), log('pg1', ...ends), log('pg1', ...outOfMemory(101, 'patroni'))),
  ).toEqual(['patroni_killed']);
  expect(own(...outOfMemory(95, 'postgres'), ...outOfMemory(101, 'python3'))).toEqual([
    'patroni_killed',
  ]);
  expect(causesIn(took(104), log('pg1', ...ends, ...outOfMemory(101, 'patroni')))).toEqual([
    'patroni_killed',
  ]);
  // Not a program that is not Patroni, or may be another, nor one that was ended while Patroni still wrote.
  expect(own(...outOfMemory(101, 'java'))).toEqual([]);
  expect(own(...outOfMemory(125, 'python3'))).toEqual([]);
  expect(own(...outOfMemory(60, 'patroni'))).toEqual([]);
});

test('a PostgreSQL that the kernel ended is known by that, whatever else it ended afterwards', () => {
  const own = (...lines: string[]): string[] => within(130, ...lines);
  const within = (change: number, ...lines: string[]): string[] => {
    const dead: Line = [105, 'Postgresql is not running.'];
    const ended = 'LOG:  server process (PID 9) was terminated by signal 9: Killed';
    const died = patroni(...leads('pg1', 0, 100), dead);
    return causesIn(took(change), log('pg1', ...died, ...postgres([103.1, ended]), ...lines));
  };
  const killed = outOfMemory(103, 'postgres');
  expect(own(...killed)).toEqual(['out_of_memory']);
  expect(own(...killed, ...outOfMemory(123, 'java'))).toEqual(['out_of_memory']);
  expect(own(...killed, ...outOfMemory(106, 'patroni'))).toEqual(['out_of_memory']);
  const again = [150, 190].flatMap((at) => outOfMemory(at, 'postgres'));
  expect(within(200, ...killed, ...again)).toEqual(['out_of_memory']);
  expect(within(200, ...outOfMemory(190, 'postgres'))).toEqual(['postgres_crashed']);
  expect(own(...outOfMemory(103, 'java'))).toEqual(['postgres_crashed']);
});

test('of two logs of one member the later one counts', () => {
  const one = log('pg1', ...patroni(...leads('pg1', 0, 100)));
  const two = log(
    'pg1',
    ...patroni(
      ...leads('pg1', 105, 125),
      [128, 'demoting self because I do not have the lock and I was a leader'],
      ...follows('pg1', 'pg2', 135, 200),
    ),
  );
  expect(causesIn(took(130), one, two)).not.toContain('patroni_killed');
});
test('a PostgreSQL that is stopped after the change does not tell a killed Patroni from a frozen one', () => {
  const own = log(
    'pg1',
    ...patroni(...leads('pg1', 0, 100)),
    ...postgres([160, 'LOG:  received immediate shutdown request']),
  );
  expect(causesIn(took(130), own)).toEqual(
    expect.arrayContaining(['patroni_killed', 'patroni_frozen']),
  );
});

test('a host that is started again just when another member has taken over was down before', () => {
  const patroniLog = patroni(
    ...leads('pg1', 0, 400),
    [431, 'Using default value thread_stack_size = 524288'],
    [440, 'running pg_rewind from pg2'],
    ...follows('pg1', 'pg2', 450, 480),
  );
  const started = (at: number): string[] =>
    postgres(
      [at, 'LOG:  starting PostgreSQL 15.18 on x86_64-pc-linux-gnu'],
      [440.2, 'LOG:  received fast shutdown request'],
    );
  for (const at of [431.4, 429, 433])
    expect(causesIn(took(430), log('pg1', ...patroniLog, ...started(at)))).toEqual(['node_lost']);
  // It ran until Patroni stopped it.
  expect(causesIn(took(430), log('pg1', ...patroniLog, ...started(440.6)))).toEqual([
    'patroni_killed',
  ]);
});

test('what a Patroni that was started again does with PostgreSQL is not the cause', () => {
  const own = log(
    'pg1',
    ...patroni(
      ...leads('pg1', 0, 400),
      [431, 'Using default value thread_stack_size = 524288'],
      [440, 'running pg_rewind from pg2'],
      ...follows('pg1', 'pg2', 450, 480),
    ),
    ...postgres(
      [432, 'LOG:  starting PostgreSQL 15.18 on x86_64-pc-linux-gnu'],
      [440, 'LOG:  received fast shutdown request'],
      [441, 'LOG:  database system is shut down'],
    ),
  );
  const [story] = explain(own, { kind: 'since', from: time(0) }).stories;
  expect([story?.at, story?.verdict.cause]).toEqual([time(450), 'node_lost']);
});

test('a Patroni that was killed is known by what its PostgreSQL did, also where the change is seen late', () => {
  const own = log(
    'pg1',
    ...patroni(
      ...leads('pg1', 0, 400),
      [441, 'Using default value thread_stack_size = 524288'],
      ...follows('pg1', 'pg2', 450, 480),
    ),
    ...postgres(
      [442, 'LOG:  received fast shutdown request'],
      [445, 'LOG:  starting PostgreSQL 15.18 on x86_64-pc-linux-gnu'],
    ),
  );
  // Its own log alone tells of the change when it follows the new leader.
  const [story] = explain(own, { kind: 'since', from: time(0) }).stories;
  expect([story?.at, story?.verdict.cause]).toEqual([time(450), 'patroni_killed']);
  expect(causesIn(took(430), own)).toEqual(['patroni_killed']);
});

const LED: [string, string | null, string?][] = [
  ['config', '{"ttl": 30, "standby_cluster": {"host": "a"}}'],
  ['members/pg1', member('replica'), 'a'],
  ['members/pg2', member('replica'), 'b'],
  ['members/pg3', member('replica'), 'c'],
  ['leader', 'pg1', 'a'],
  ['members/pg1', member('primary'), 'a'],
];
test('a log that begins after the term does not show how it ended', () => {
  const begun = (...lines: Line[]): string[] =>
    patroni(...lines, ...follows('pg1', 'pg2', 440, 470));
  const facts = (...lines: string[]): string[] => causesIn(took(430), log('pg1', ...lines));
  // What its Patroni wrote before, when it was started, is no longer in it.
  const lost: Line = [431, 'demoting self because I do not have the lock and I was a leader'];
  expect(facts(...begun(lost))).toEqual([]);
  expect(facts(...begun([429.5, 'Postgresql is not running.']))).toEqual([]);
  const stop = postgres([428, 'LOG:  received fast shutdown request']);
  expect(facts(...stop, ...begun([428.5, 'Leader key released']))).toEqual([]);
  // With some loops of the leader it is all there.
  const leading = patroni(...leads('pg1', 380, 420));
  expect(facts(...leading, ...stop, ...begun([428.5, 'Leader key released']))).toEqual([
    'patroni_stopped',
  ]);
});

test('a leader that loses its term in its first loops had led', () => {
  const term = (to: number): StoryFact[] => led([-3600, 'pg3'], [400, 'pg1'], [to, 'pg2']);
  const took = (...lines: Line[]): string[] =>
    patroni(...follows('pg1', 'pg3', 0, 370), ...lines, ...follows('pg1', 'pg2', 440, 470));
  const promotes: Line = [400, 'promoted self to leader by acquiring session lock'];
  const found = (to: number, ...lines: string[]): string[] => {
    const verdict = storyOf([...term(to), ...log('pg1', ...lines)], 3)?.verdict;
    return verdict?.cause ? [verdict.cause] : (verdict?.fits ?? []);
  };
  const panic = postgres(
    [402, 'LOG:  selected new timeline ID: 3'],
    [404, 'PANIC:  could not write to file "pg_wal/x"'],
  );
  const dead: Line = [405, 'Postgresql is not running.'];
  expect(found(432, ...took(promotes, dead), ...panic)).toEqual(['postgres_crashed']);
  // The line of the promotion may be missing, or come before the time in /history.
  expect(found(432, ...took(dead), ...panic)).toEqual(['postgres_crashed']);
  const early: Line = [380.5, 'promoted self to leader by acquiring session lock'];
  const late: Line = [417, 'Postgresql is not running.'];
  expect(found(432, ...took(early, late), ...panic)).toEqual(['postgres_crashed']);
  const lost: Line = [409, 'demoting self because I do not have the lock and I was a leader'];
  const fits = ['key_deleted', 'leader_cut_off', 'patroni_frozen', 'postgres_hung'];
  expect(found(412, ...took(promotes, lost))).toEqual(fits);
  expect(found(412, ...took(lost))).toEqual(fits);
  // A Patroni that was started again after that term is another one.
  const start: Line = [428, 'Using default value thread_stack_size = 524288'];
  const again: Line = [429, 'Postgresql is not running.'];
  expect(found(432, ...took(promotes, start, again), ...panic)).not.toContain('postgres_crashed');
  expect(found(432, ...patroni(again, ...follows('pg1', 'pg2', 440, 470)))).toEqual([]);
});

test('a silence that began when the lock was lost is not why it was lost', () => {
  const own = (...lines: Line[]): string[] =>
    causesIn(
      took(430),
      log('pg1', ...patroni(...leads('pg1', 0, 410), ...lines, ...follows('pg1', 'pg2', 440, 470))),
    );
  const lost = 'demoting self because I do not have the lock and I was a leader';
  expect(own([420, lost])).toEqual([
    'key_deleted',
    'leader_cut_off',
    'patroni_frozen',
    'postgres_hung',
  ]);
  // One that noticed it afterwards had been silent before.
  expect(own([438, lost])).toEqual(['patroni_frozen']);
});

test('a reload of Patroni is not a start of Patroni', () => {
  const reload = (at: number): Line => [
    at,
    'No PostgreSQL configuration items changed, nothing to reload.',
  ];
  const stop = postgres(
    [420, 'LOG:  received fast shutdown request'],
    [421, 'LOG:  database system is shut down'],
  );
  const after: Line[] = [[422, 'Leader key released'], ...follows('pg1', 'pg2', 450, 470)];
  const first: Line = [-7200, 'no action. I am (pg1), the leader with the lock'];
  const same = patroni(first, reload(300), [422, 'Leader key released']);
  expect(causesIn(took(430), log('pg1', ...same, ...stop))).toEqual(['patroni_stopped']);
  const beating = (at: number): string[] => patroni(...leads('pg1', 0, 410), reload(at), ...after);
  for (const at of [300.2, 410.2])
    expect(causesIn(took(430), log('pg1', ...beating(at), ...stop))).toEqual(['patroni_stopped']);
  // After a silence, at the beginning of the log, or after another line than that of a loop, it is a start.
  const started = (...lines: Line[]): (string | null)[] =>
    log('pg1', ...patroni(...lines)).flatMap(({ what, at }) =>
      what === 'patroni_started' ? at : [],
    );
  const loops = leads('pg1', 0, 100);
  expect(started([-1, 'Selected new etcd server'], reload(-0.5), ...loops)).toEqual([time(-0.5)]);
  expect(started(...loops, [140, 'Selected new etcd server'], reload(141))).toEqual([time(141)]);
  expect(started(...loops, [103, 'Selected new etcd server'], reload(104))).toEqual([time(104)]);
  expect(started(...loops, reload(140))).toEqual([time(140)]);
  expect(started(...loops, reload(102))).toEqual([time(102)]);
  expect(started(...loops, reload(100.1), reload(100.2))).toEqual([]);
  expect(started(...loops, reload(100.9), [101, 'Lock owner: pg1; I am pg1'])).toEqual([]);
  for (const next of ['Postgresql is not running.', 'establishing a new patroni connection'])
    expect(started(...loops, reload(100.9), [101, next])).toEqual([time(100.9)]);
  const dead = 'Postgresql is not running.';
  expect(started([90, 'no action. I am (pg1), a'], reload(94), [94.5, dead])).toEqual([time(94)]);
  // One that runs finds PostgreSQL dead in its next loop.
  expect(started(...loops, reload(100.2), [110, dead])).toEqual([]);
});

test('a Patroni before 3.3 that was started again soon after its last loop was stopped', () => {
  const stop = postgres(
    [411, 'LOG:  received fast shutdown request'],
    [412, 'LOG:  database system is shut down'],
  );
  const started = (at: number): string[] =>
    patroni(
      ...leads('pg1', 0, 410),
      [at, 'No PostgreSQL configuration items changed, nothing to reload.'],
      [at + 0.5, 'Postgresql is not running.'],
    );
  for (const [change, at] of [
    [413.2, 414],
    [414, 414],
    [416, 414],
    [424, 422],
  ] as const)
    expect(causesIn(took(change), log('pg1', ...started(at), ...stop))).toEqual([
      'patroni_stopped',
    ]);
});

test('a leader that says loop after loop that it demotes on request tells so once', () => {
  const cut = log(
    'pg1',
    ...postgres([428, 'LOG:  received fast shutdown request']),
    ...patroni(
      [429, 'Leader key released'],
      [430, 'updated leader lock during switchover: demote'],
      [431, 'switchover: demote in progress'],
      [433, 'switchover: demote in progress'],
      ...follows('pg1', 'pg2', 440, 470),
    ),
  );
  expect(causesIn(took(430), cut)).toEqual(['switchover']);
  expect(
    cut.flatMap(({ what, message, times = 1 }) =>
      what === 'patroni_demotes' ? [[message, times]] : [],
    ),
  ).toEqual([
    ['switchover: demote', 1],
    ['switchover: demote in progress', 2],
  ]);
});

test('a request in the DCS counts where the log of its leader is cut off before the demotion', () => {
  const cut = log(
    'pg1',
    ...patroni(...leads('pg1', 0, 100), [
      104,
      'received switchover request with leader=pg1 candidate=pg2 scheduled_at=None',
    ]),
  );
  const data = { leader: 'pg1', candidate: 'pg2', scheduledAt: null };
  const seen = [
    recorded(104, 104, { member: null, what: 'failover_requested', data }),
    recorded(109, 109, { what: 'leader_key_released' }),
  ];
  expect(causesIn(took(110), seen, cut)).toEqual(['switchover']);
});

test('a standby cluster that follows another host was not demoted by that', () => {
  const keys = etcd(
    ...LED,
    ['config', '{"ttl": 30, "standby_cluster": {"host": "b"}}'],
    ['leader', null],
    ['members/pg1', member('primary', 'stopped'), 'a'],
    ['leader', 'pg2', 'b'],
  );
  expect(explain(keys, { kind: 'last' }).stories[0]?.verdict.cause).toBe('patroni_stopped');
});
test('PostgreSQL that crashed and ran again is not why its Patroni was stopped later', () => {
  const keys = etcd(
    ...LED,
    ['members/pg1', member('primary', 'crashed'), 'a'],
    ['members/pg1', member('primary'), 'a'],
    ['leader', null],
    ['members/pg1', member('primary', 'stopped'), 'a'],
    ['leader', 'pg2', 'b'],
  );
  expect(explain(keys, { kind: 'last' }).stories[0]?.verdict.cause).toBe('patroni_stopped');
});
test('two nodes that are lost at once are not a DCS that does not answer', () => {
  const lost: [string, string | null, string?][] = [
    ['leader members/pg1', null],
    ['members/pg3', null],
  ];
  const verdict = (...keys: [string, string | null, string?][]) =>
    explain(etcd(...LED, ...keys), { kind: 'last' }).stories[0]?.verdict;
  const two = verdict(...lost, ['leader', 'pg2', 'b']);
  expect([two?.cause, two?.fits]).toEqual([
    null,
    expect.arrayContaining(['node_lost', 'dcs_unreachable']),
  ]);
  expect(
    verdict(
      ...lost,
      ['members/pg2', null],
      ['members/pg2', member('replica'), 'd'],
      ['leader', 'pg2', 'd'],
    )?.cause,
  ).toBe('dcs_unreachable');
});

test('what a recording saw of the old leader before it stopped recording is not how it was at the change', () => {
  const key = etcd(
    ...LED,
    ['leader members/pg1', null],
    ['leader', 'pg2', 'b'],
    ['history', history([1, 1, 'pg1', -3600], [2, 2, 'pg2', 300])],
  );
  const answered = [
    recorded(0, 4, { data: { role: 'replica', state: 'running' } }),
    recorded(6, 60, { what: 'patroni_leads' }),
  ];
  expect(storyOf([...key, ...answered])?.verdict.message).not.toContain('still answered');
  const refused = recorded(50, 54, {
    what: 'member_silent',
    data: { how: 'refused', mode: 'postgres_answers' },
  });
  expect(causesIn(took(300), [recorded(0, 48, { what: 'patroni_leads' }), refused])).toEqual([]);
  const said = log(
    'pg2',
    ...patroni(
      [10, 'Request failed to pg1: GET http://h:1/patroni (Connection refused)'],
      ...follows('pg2', 'pg1', 20, 290),
    ),
  );
  expect(causesIn(took(300), said)).toEqual([]);
});

test('a frozen Patroni whose leader key is deleted manually was not stopped', () => {
  const silent = recorded(50, 120, {
    what: 'member_silent',
    data: { how: 'timeout', mode: 'postgres_answers' },
  });
  const gone = recorded(60, 60, { what: 'leader_key_released' });
  expect(
    causesIn(took(62), [recorded(0, 48, { what: 'patroni_leads' }), silent, gone]),
  ).not.toContain('patroni_stopped');
  const down = recorded(60, 120, {
    what: 'member_silent',
    data: { how: 'refused', mode: 'postgres_refused' },
  });
  expect(causesIn(took(62), [recorded(0, 48, { what: 'patroni_leads' }), gone, down])).toContain(
    'patroni_stopped',
  );
});
test('a key of which the end was not seen may have been given up', () => {
  const down = recorded(50, 120, {
    what: 'member_silent',
    data: { how: 'refused', mode: 'postgres_refused' },
  });
  const gone = recorded(60, 60, { what: 'leader_key_lost' });
  expect(causesIn(took(62), [recorded(0, 48, { what: 'patroni_leads' }), down, gone])).toEqual([
    'node_lost',
    'patroni_stopped',
  ]);
});

test('a Patroni that is stopped in a paused cluster keeps the key and was not killed', () => {
  const own = log(
    'pg1',
    ...patroni(...beats('PAUSE: no action. I am (pg1), the leader with the lock', 0, 100), [
      104,
      'Leader key is not deleted and Postgresql is not stopped due paused state',
    ]),
    ...postgres([300, 'LOG:  received fast shutdown request']),
  );
  expect(causesIn(took(135), own)).toEqual(['patroni_stopped']);
});

test('of two branches of one timeline each has its own beginning', () => {
  const keys = etcd(
    ...LED,
    ['leader', null],
    ['leader', 'pg2', 'b'],
    ['history', history([1, 1, 'pg1', -3600], [2, 200, 'pg2', 10])],
    ['leader members/pg2', null],
    ['leader', 'pg3', 'c'],
    ['history', history([1, 1, 'pg1', -3600], [2, 150, 'pg3', 60])],
  );
  const now = led([-3600, 'pg1', 1, 1n], [60, 'pg3', 2, 150n]);
  const { stories } = explain([...keys, ...now], { kind: 'timeline', timeline: 2 });
  expect(stories.map(({ to, loss }) => [to, loss?.newTimelineStart])).toEqual([
    ['pg2', 200n],
    ['pg3', 150n],
  ]);
});

test('a PostgreSQL that crashed and ran again does not lengthen the time without writes', () => {
  const own = log(
    'pg1',
    ...patroni(...leads('pg1', 0, 400), [404, 'Demoting self (graceful)']),
    ...postgres(
      [20, 'LOG:  server process (PID 9) was terminated by signal 9: Killed'],
      [24, 'LOG:  database system is ready to accept connections'],
      [405, 'LOG:  received fast shutdown request'],
    ),
  );
  expect(storyOf([...took(410), ...own])?.writes.atLeastMs).toBe(5000);
});

test('a pause shorter than the lease, and one in which the key was deleted, is not why it was lost', () => {
  const short = log(
    'pg1',
    ...patroni(
      ...Array.from({ length: 50 }, (_, at): Line => [
        at,
        'no action. I am (pg1), the leader with the lock',
      ]),
      [55, 'demoting self because I do not have the lock and I was a leader'],
    ),
  );
  expect(causesIn(took(52), short)).toContain('key_deleted');
  const long = log(
    'pg1',
    ...patroni(...leads('pg1', 0, 100), [
      160,
      'demoting self because I do not have the lock and I was a leader',
    ]),
  );
  const key = etcd(
    ...LED,
    ['leader', null],
    ['leader', 'pg2', 'b'],
    ['history', history([1, 1, 'pg1', -3600], [2, 2, 'pg2', 140])],
  );
  expect(causesIn(key, long)).toContain('key_deleted');
});

test('a PostgreSQL that was restarted manually before is not a Patroni that was stopped', () => {
  const own = log(
    'pg1',
    ...patroni(
      [0, 'no action. I am (pg1), the leader with the lock'],
      [50, 'Lock owner: pg1; I am pg1'],
    ),
    ...postgres(
      [100, 'LOG:  received fast shutdown request'],
      [101, 'LOG:  database system is shut down'],
      [103, 'LOG:  database system is ready to accept connections'],
    ),
  );
  expect(causesIn(took(300), own)).not.toContain('patroni_stopped');
});

test('a log of PostgreSQL that begins after the crash does not tell how PostgreSQL ended', () => {
  const died = patroni(
    ...leads('pg1', 0, 100),
    [105, 'Postgresql is not running.'],
    [106, 'Primary crashed. Failing over'],
  );
  const begins = postgres(
    [108, 'LOG:  starting PostgreSQL 15.4'],
    [108.2, 'LOG:  database system was interrupted; last known up at 2026-11-28 15:00:00 UTC'],
  );
  expect(causesIn(took(112), log('pg1', ...died, ...begins))).toContain('disk_full');
  expect(
    causesIn(
      took(112),
      log('pg1', ...died, ...begins, ...postgres([-100, 'LOG:  checkpoint complete'])),
    ),
  ).toEqual(['postgres_crashed']);
});

test('of the logs on this host only those of the same Citus group are read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'story-group-'));
  const path = join(folder, 'patroni.yml');
  writeFileSync(
    path,
    `scope: c\nname: w1\ncitus:\n  group: 1\n  database: c\nlog:\n  dir: ${folder}\n`,
  );
  writeFileSync(join(folder, 'patroni.log'), '');
  const context = { config: () => Promise.resolve({ search: { path, found: null, others: [] } }) };
  const found = (group: number): Promise<unknown[]> =>
    foundLogs(
      context as unknown as Context,
      { scope: 'c', group, config: null } as unknown as Cluster,
    );
  expect(await found(0)).toEqual([]);
  expect(await found(1)).toEqual([{ member: 'w1', path: join(folder, 'patroni.log') }]);
});

test("a log that was given for another member is not that member's", async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'story-name-')), 'patroni.log');
  writeFileSync(path, patroni(...leads('pg2', 0, 100)).join('\n'));
  const read = async (name: string): Promise<unknown> => {
    const { facts, sources } = await collectLogs(
      [{ member: name, path }],
      { fromMs: 0, toMs: Infinity },
      null,
    );
    return [facts.length, sources[0]?.problem];
  };
  expect(await read('pg1')).toEqual([0, 'not used: it is the log of pg2']);
  expect(await read('pg2')).toEqual([2, null]);
});

test('a replica that notices a loop later that it does not reach the DCS did not reach it', () => {
  const pg1 = log(
    'pg1',
    ...patroni(
      ...leads('pg1', 0, 100),
      [115, 'Error communicating with DCS'],
      [116, 'demoting self because DCS is not accessible and I was a leader'],
    ),
  );
  const noticed = (at: number): StoryFact[] =>
    log(
      'pg2',
      ...patroni(
        ...follows('pg2', 'pg1', 8, 118),
        [at, 'Error communicating with DCS'],
        [180, 'promoted self to leader by acquiring session lock'],
      ),
    );
  for (const at of [119, 128])
    expect(causesIn(took(180), pg1, noticed(at))).toEqual(['dcs_unreachable']);
});

test('a replica that reached the DCS for a minute and then had one error reached it', () => {
  const pg1 = log(
    'pg1',
    ...patroni(
      ...leads('pg1', 0, 100),
      [115, 'Error communicating with DCS'],
      [116, 'demoting self because DCS is not accessible and I was a leader'],
    ),
  );
  const pg2 = (untilAt: number, errorAt: number): StoryFact[] =>
    log(
      'pg2',
      ...patroni(...follows('pg2', 'pg1', 5, untilAt), [errorAt, 'Error communicating with DCS']),
    );
  for (const [untilAt, errorAt] of [
    [175, 178],
    [175, 181],
    [145, 150],
  ] as const)
    expect(causesIn(took(180), pg1, pg2(untilAt, errorAt))).toEqual(['leader_cut_off']);
  expect(causesIn(took(180), pg1, pg2(125, 139))).toEqual(['dcs_unreachable']);
  // Its next loops did not end: what it reached meanwhile is not known.
  expect(causesIn(took(180), pg1, pg2(125, 160))).toEqual(['leader_cut_off', 'dcs_unreachable']);
  // A longer loop_wait notices it later.
  const slow = patroni(
    ...[76, 90, 104, 118].map((at): Line => [
      at,
      'no action. I am (pg2), a secondary, and following a leader (pg1)',
    ]),
    [146, 'Error communicating with DCS'],
  );
  expect(causesIn(took(180), pg1, log('pg2', ...slow))).toEqual(['dcs_unreachable']);
});

test('with a long loop_wait others notice a lost DCS later', () => {
  const every30 = (text: string, from: number, to: number): Line[] =>
    beats(text, from, to).filter(([at]) => (at - from) % 30 === 0);
  const error = (at: number): Line => [at, 'Error communicating with DCS'];
  const pg1 = patroni(
    ...every30('no action. I am (pg1), the leader with the lock', 2, 62),
    error(102),
  );
  const pg2 = (errorAt: number): string[] =>
    patroni(
      ...every30('no action. I am (pg2), a secondary, and following a leader (pg1)', 1, 91),
      error(errorAt),
    );
  const causes = (errorAt: number): string[] =>
    causesIn(took(200), log('pg1', ...pg1), log('pg2', ...pg2(errorAt)));
  expect(causes(131)).toEqual(['dcs_unreachable']);
  // Longer afterwards it may be another occasion.
  expect(causes(190)).toEqual(['leader_cut_off', 'dcs_unreachable']);
});

test('a leader that names its demotion in each loop reached the DCS again', () => {
  const pg1 = log(
    'pg1',
    ...patroni(
      ...leads('pg1', 0, 100),
      [105, 'demoting self because DCS is not accessible and I was a leader'],
      [
        130,
        'updated leader lock during demoting self because DCS is not accessible and I was a leader',
      ],
    ),
  );
  expect(pg1.flatMap(({ what, at }) => (what === 'demoted_without_dcs' ? at : []))).toEqual([
    time(105),
  ]);
  // The others did not reach it either, at first.
  const others = [
    recorded(100, 120, { member: 'pg2', what: 'dcs_unseen' }),
    recorded(125, 170, { member: 'pg2' }),
  ];
  expect(causesIn(took(140), pg1, others)).toEqual(['dcs_unreachable']);
});

test('a DCS that one other member still reached is not one that did not answer any', () => {
  const lost: Line[] = [
    [115, 'Error communicating with DCS'],
    [125, 'demoted self because DCS is not accessible and I was a leader'],
  ];
  const pg1 = log('pg1', ...patroni(...leads('pg1', 0, 100), ...lost));
  const pg2 = log(
    'pg2',
    ...patroni(
      ...follows('pg2', 'pg1', 4, 104),
      [116, 'Error communicating with DCS'],
      [126, 'Error communicating with DCS'],
    ),
  );
  const pg3 = log(
    'pg3',
    ...patroni(...follows('pg3', 'pg1', 6, 166), [
      180,
      'promoted self to leader by acquiring session lock',
    ]),
  );
  expect(causesIn(took(180), pg1, pg2, pg3)).toEqual(['leader_cut_off']);
  expect(causesIn(took(180), pg1, pg2)).toEqual(['dcs_unreachable']);
});

test('two changes within one ttl have their own causes', () => {
  const pg1 = log(
    'pg1',
    ...patroni(
      ...leads('pg1', 0, 100),
      [104, 'received switchover request with leader=pg1 candidate=pg2 scheduled_at=None'],
      [105, 'switchover: demoting myself'],
      [105.1, 'Demoting self (graceful)'],
      [106, 'Leader key released'],
      ...follows('pg1', 'pg2', 110, 130),
    ),
  );
  const pg2 = log(
    'pg2',
    ...patroni(
      ...follows('pg2', 'pg1', 2, 102),
      [107, 'promoted self to leader by acquiring session lock'],
      ...leads('pg2', 109, 112),
    ),
  );
  const pg3 = log(
    'pg3',
    ...patroni(
      ...follows('pg3', 'pg1', 3, 103),
      [138, 'Request failed to pg2: GET http://h:1/patroni (Connection refused)'],
      [139, 'promoted self to leader by acquiring session lock'],
    ),
  );
  const all = [...led([-3600, 'pg1'], [107.5, 'pg2'], [139.5, 'pg3']), ...pg1, ...pg2, ...pg3];
  const { stories } = explain(all, { kind: 'since', from: time(0) });
  expect(stories.map(({ from, to, verdict }) => [from, to, verdict.cause, verdict.fits])).toEqual([
    ['pg1', 'pg2', 'switchover', []],
    ['pg2', 'pg3', null, expect.arrayContaining(['patroni_killed', 'node_lost'])],
  ]);
  const at = (s: number) => explain(all, { kind: 'at', at: time(s) }).stories.map(({ to }) => to);
  expect([at(110), at(130)]).toEqual([['pg2'], ['pg3']]);
});
test('a request that is only due later, or for another candidate, is not the cause', () => {
  const keys = (value: string, key = 'leader members/pg1') =>
    etcd(
      ...LED,
      ['failover', value],
      [key, null],
      ['members/pg1', member('demoted', 'stopped'), 'a'],
      ['leader', 'pg2', 'b'],
      ['history', history([1, 1, 'pg1', -3600], [2, 2, 'pg2', 100])],
    );
  expect(
    causesIn(keys(`{"leader": "pg1", "member": "pg2", "scheduled_at": "${time(900)}"}`, 'leader')),
  ).not.toContain('switchover');
  expect(causesIn(keys('{"leader": "pg1", "member": "pg3"}', 'leader'))).not.toContain(
    'switchover',
  );
  expect(causesIn(keys('{"leader": "pg1", "member": "pg2"}'))).not.toContain('switchover');
  expect(causesIn(keys('{"leader": "pg1", "member": "pg2"}', 'leader'))).toEqual(['switchover']);
});

test('a clock of the old leader that is a minute late changes no cause', () => {
  const late = -60;
  const after = follows('pg1', 'pg2', 160 + late, 200 + late);
  const stop = postgres(
    [146 + late, 'LOG:  received fast shutdown request'],
    [147 + late, 'LOG:  database system is shut down'],
  );
  const switched = patroni(
    ...leads('pg1', late, 140 + late),
    [144 + late, 'received switchover request with leader=pg1 candidate=pg2 scheduled_at=None'],
    [145 + late, 'switchover: demoting myself'],
    ...after,
  );
  expect(causesIn(took(148), log('pg1', ...switched, ...stop))).toEqual(['switchover']);
  const cut = patroni(
    ...leads('pg1', late, 100 + late),
    [115 + late, 'Error communicating with DCS'],
    [145 + late, 'demoted self because DCS is not accessible and I was a leader'],
    ...after,
  );
  expect(causesIn(took(150), log('pg1', ...cut, ...stop))).toEqual([
    'leader_cut_off',
    'dcs_unreachable',
  ]);
  const known = explain([...took(150), ...log('pg1', ...cut)], {
    kind: 'since',
    from: time(-7200),
  }).known;
  expect(known).toBe(2);
});
