/** What a series of sightings means: each ending by the sightings that lead to it. */
import { describe, expect, test } from 'vitest';
import type { Cluster, Reading, RestStatus, SqlStatus } from '../../src/cluster/model/model.js';
import {
  advance,
  atDeadline,
  begin,
  measured,
  changeVerdict,
  type Answer,
  type Goal,
  type Progress,
  type Sighting,
} from '../../src/cluster/progress/change-outcome.js';
import { parseCluster } from '../../src/cluster/model/parse-keys.js';

const PREFIX = '/service/demo/';
const OFF: Reading<SqlStatus> = { ok: false, kind: 'off', reason: 'not asked' };

const GOAL: Goal = {
  kind: 'switchover',
  leader: 'pg1',
  candidate: null,
  members: ['pg1', 'pg2', 'pg3'],
  syncStandbys: 0,
  standbyCluster: false,
  remote: false,
  failoverRevision: '10',
  waitFor: 'healthy',
  mayWriteForMs: 10_000,
};

interface Keys {
  leader: string | null;
  /** undefined: as before the request. */
  failover?: string;
  sync?: string;
}

let clock = 0;
const tick = () => (clock += 100);

function cluster({ leader, failover, sync }: Keys): Cluster {
  const kv = (key: string, value: string, modRevision: string) => ({
    key: PREFIX + key,
    value,
    modRevision,
  });
  const kvs = [
    ...['pg1', 'pg2', 'pg3'].map((name) => {
      const conn = `postgres://${name}.example:5432/postgres`;
      return kv(`members/${name}`, `{"role":"replica","conn_url":"${conn}"}`, '5');
    }),
    kv('failover', failover ?? '{}', failover === undefined ? '10' : '11'),
    ...(leader === null ? [] : [kv('leader', leader, '6')]),
    ...(sync === undefined ? [] : [kv('sync', sync, '7')]),
  ];
  return parseCluster('demo', null, { revision: '20', kvs }, PREFIX);
}

const dcs = (keys: Keys, readMs: number | null = null): Sighting => ({
  type: 'dcs',
  atMs: tick(),
  cluster: cluster(keys),
  readMs,
});
const answered = (status: number, text: string): Sighting => ({
  type: 'answer',
  atMs: tick(),
  answer: { kind: 'answered', status, text },
});
const lost: Answer = { kind: 'lost', reason: 'socket hang up' };

interface Said {
  state?: string;
  role?: string;
  timeline?: number;
  primary?: boolean;
  streamsTo?: string[];
  syncState?: string;
}

/** GET /patroni of a member; null: no answer. */
function member(name: string, said: Said | null): Sighting {
  if (said === null) {
    const rest = { ok: false, kind: 'unreachable', reason: 'refused' } as const;
    return { type: 'member', askedMs: clock, atMs: tick(), name, rest, sql: OFF };
  }
  const { state = 'running', role = 'replica', timeline = 1, primary = false } = said;
  const value = {
    name,
    state,
    role,
    timeline,
    location: primary ? 100n : null,
    replayedLocation: primary ? null : 100n,
    replication: (said.streamsTo ?? []).map((applicationName) => ({
      applicationName,
      state: 'streaming',
      syncState: said.syncState ?? 'async',
    })),
  } as unknown as RestStatus;
  const rest: Reading<RestStatus> = { ok: true, value, tookMs: 1 };
  return { type: 'member', askedMs: clock, atMs: tick(), name, rest, sql: OFF };
}

const sees = (goal: Partial<Goal>, ...sightings: Sighting[]): Progress =>
  sightings.reduce(advance, begin({ ...GOAL, ...goal }));
const names = (progress: Progress) => progress.steps.map(({ name }) => name);

const REQUEST = '{"leader":"pg1"}';
const leads = (name: string, ...to: string[]) =>
  member(name, { role: 'primary', primary: true, timeline: 2, streamsTo: to });

const MOVED: Sighting[] = [
  dcs({ leader: 'pg1', failover: REQUEST }),
  member('pg1', { state: 'stopping', role: 'primary' }),
  dcs({ leader: null, failover: REQUEST }),
  dcs({ leader: 'pg2', failover: REQUEST }),
  dcs({ leader: 'pg2', failover: '{}' }),
];

describe('a change that goes well', () => {
  test('has all its steps, in order, and is done when every member streams', () => {
    const almost = sees({}, ...MOVED, leads('pg2', 'pg1', 'pg3'), member('pg1', { timeline: 2 }));
    expect(changeVerdict(almost)).toEqual({ done: false });
    const done = advance(almost, member('pg3', { timeline: 2 }));
    expect(names(done)).toEqual([
      'accepted',
      'stopping',
      'released',
      'locked',
      'writable',
      'rejoined',
      'streaming',
    ]);
    expect(changeVerdict(done)).toEqual({
      done: true,
      ending: 'ok',
      code: 'done',
      words: 'Successfully switched over to "pg2"',
    });
  });

  test('is measured as clients see it, and from the loss of the lock', () => {
    const before = member('pg1', { role: 'primary', primary: true });
    const timed = [before, ...MOVED, leads('pg2')].map((sighting, at) => ({
      ...sighting,
      atMs: at * 100,
      ...(sighting.type === 'member' ? { askedMs: at * 100 - 10 } : {}),
    }));
    expect(measured(sees({ waitFor: 'writable' }, ...timed))).toMatchObject({
      newLeader: 'pg2',
      timeline: 2,
      lockFreeMs: 300,
      writeOutage: {
        atMostMs: timed.length * 100 - 100 + 10,
        last: { member: 'pg1', witness: 'REST', fromMs: -10 },
        first: { member: 'pg2', witness: 'REST', toMs: timed.length * 100 - 100 },
      },
    });
  });

  test.each([
    ['accepted', 1],
    ['leader', 4],
    ['writable', 6],
  ] as const)('--wait %s needs %d sightings', (waitFor, count) => {
    const all = [...MOVED, leads('pg2')];
    const verdicts = all.map(
      (_, at) => changeVerdict(sees({ waitFor }, ...all.slice(0, at + 1))).done,
    );
    expect(verdicts.indexOf(true)).toBe(count - 1);
  });

  test('an old timeline proves nothing, and neither does a member without a walsender row', () => {
    const old = sees({}, ...MOVED, leads('pg2', 'pg1', 'pg3'), member('pg1', { timeline: 1 }));
    expect(changeVerdict(advance(old, member('pg3', { timeline: 2 }))).done).toBe(false);
    const rowless = sees({}, ...MOVED, leads('pg2', 'pg1'), member('pg1', { timeline: 2 }));
    expect(changeVerdict(advance(rowless, member('pg3', { timeline: 2 }))).done).toBe(false);
  });

  test('a promotion that has not finished is not writable yet', () => {
    const promoting = member('pg2', { role: 'replica', timeline: 1 });
    expect(names(sees({}, ...MOVED, promoting))).not.toContain('writable');
  });

  test('in synchronous mode /sync and the rows have to say so too', () => {
    const sync = { leader: 'pg2', sync_standby: 'pg1', quorum: 0 };
    const before = [
      ...MOVED,
      leads('pg2', 'pg1', 'pg3'),
      member('pg1', { timeline: 2 }),
      member('pg3', { timeline: 2 }),
    ];
    const key = dcs({ leader: 'pg2', failover: '{}', sync: JSON.stringify(sync) });
    const claimed = sees({ syncStandbys: 1 }, ...before, key);
    expect(changeVerdict(claimed).done).toBe(false);
    const row = { role: 'primary', primary: true, timeline: 2, syncState: 'sync' };
    const true_ = advance(claimed, member('pg2', { ...row, streamsTo: ['pg1', 'pg3'] }));
    expect(names(true_).at(-1)).toBe('sync_restored');
    expect(changeVerdict(true_)).toMatchObject({ done: true, ending: 'ok' });
  });

  test('a lost answer, 503 and 504 change nothing about what is seen', () => {
    for (const answer of [lost, { kind: 'answered', status: 503, text: 'x' } as const]) {
      const sighting: Sighting = { type: 'answer', atMs: tick(), answer };
      const done = sees({ waitFor: 'writable' }, sighting, ...MOVED, leads('pg2'));
      expect(changeVerdict(done)).toMatchObject({ ending: 'ok' });
    }
  });

  test('a failover without a leader', () => {
    const goal = { kind: 'failover', leader: null, candidate: 'pg2', waitFor: 'writable' } as const;
    const done = sees(goal, dcs({ leader: 'pg2', failover: '{}' }), leads('pg2'));
    expect(changeVerdict(done)).toMatchObject({ words: 'Successfully failed over to "pg2"' });
    expect(measured(done).writeOutage).toMatchObject({ atMostMs: null, last: null });
  });
});

describe('other endings', () => {
  test('another winner than the named one', () => {
    const goal = { candidate: 'pg3', waitFor: 'writable' } as const;
    expect(changeVerdict(sees(goal, ...MOVED, leads('pg2')))).toEqual({
      done: true,
      ending: 'diverted',
      code: 'diverted',
      words: 'Switched over to "pg2" instead of "pg3"',
    });
  });

  test('a winner after a winner has to be proven again', () => {
    const twice = sees({ waitFor: 'healthy' }, ...MOVED, leads('pg2'), dcs({ leader: 'pg3' }));
    expect(names(twice).slice(-1)).toEqual(['locked']);
    expect(twice.newLeader).toBe('pg3');
    expect(names(twice)).not.toContain('writable');
  });

  test('a winner that loses the lock again has won nothing', () => {
    const gone = sees({ waitFor: 'healthy' }, ...MOVED, leads('pg2'), dcs({ leader: null }));
    expect(gone.newLeader).toBeNull();
    expect(atDeadline(gone, 1000)).toMatchObject({ ending: 'unconfirmed', code: 'no_leader' });
  });

  test.each([400, 401, 403, 412, 422, 501])('HTTP %d is a refusal before anything', (status) => {
    const verdict = changeVerdict(sees({}, dcs({ leader: 'pg1' }), answered(status, 'no')));
    expect(verdict).toMatchObject({
      done: true,
      ending: 'error',
      words: `Switchover failed, details: ${status}, no`,
    });
  });

  test('dropped while the leader went on leading: nothing changed', () => {
    const dropped = sees(
      {},
      dcs({ leader: 'pg1', failover: REQUEST }),
      dcs({ leader: 'pg1', failover: '{}' }),
      answered(503, 'Switchover failed'),
    );
    expect(changeVerdict(dropped)).toMatchObject({ ending: 'error', code: 'dropped_by_patroni' });
  });

  test('dropped after the leader had begun to stop, or had let go: it failed', () => {
    const [request, stopping, released] = MOVED as [Sighting, Sighting, Sighting];
    const back = dcs({ leader: 'pg1', failover: '{}' });
    expect(changeVerdict(sees({}, request, stopping, back))).toMatchObject({ ending: 'failed' });
    expect(changeVerdict(sees({}, request, released, back))).toMatchObject({ code: 'retaken' });
  });

  test('what Patroni calls failed is not believed before the DCS shows it', () => {
    const open = sees({}, dcs({ leader: 'pg1', failover: REQUEST }), answered(503, 'failed'));
    expect(changeVerdict(open)).toEqual({ done: false });
    const released = sees({}, ...MOVED.slice(0, 3), answered(503, 'Switchover failed'));
    expect(changeVerdict(released)).toEqual({ done: false });
  });
});

describe('a standby cluster', () => {
  const goal = { standbyCluster: true, remote: true };
  const follows = (name: string, replicationState: string | null, ...to: string[]): Sighting => {
    const seen = member(name, { role: 'standby_leader', streamsTo: to });
    if (seen.type === 'member' && seen.rest.ok)
      Object.assign(seen.rest.value, { replicationState });
    return seen;
  };
  const receivesFrom = (seen: Sighting, senderHost: string): Sighting => {
    const walReceiver = { status: 'streaming', senderHost, senderPort: 5432 };
    const value = { inRecovery: true, timeline: 1, walReceiver, walsenders: [] };
    const sql = { ok: true, value, tookMs: 1 } as unknown as Reading<SqlStatus>;
    return { ...seen, sql } as Sighting;
  };

  test('the new leader must stream from the remote; no member must accept writes', () => {
    const idle = sees(goal, ...MOVED, follows('pg2', null, 'pg1', 'pg3'));
    expect(names(idle)).not.toContain('standby_leader');
    const done = sees(
      goal,
      ...MOVED,
      follows('pg2', 'streaming', 'pg1', 'pg3'),
      member('pg1', {}),
      member('pg3', {}),
    );
    expect(names(done).slice(-4)).toEqual(['locked', 'standby_leader', 'rejoined', 'streaming']);
    expect(done.steps.at(-3)?.said).toBe(
      'pg2 is the standby leader and streams on timeline 1 (REST)',
    );
    expect(changeVerdict(done)).toMatchObject({ ending: 'ok' });
    expect(measured(done)).toMatchObject({ writeOutage: null, lockFreeMs: null });
  });

  test('SQL shows the source; a receiver that still follows a member does not prove it', () => {
    const still = sees(goal, ...MOVED, receivesFrom(follows('pg2', 'streaming'), 'pg1.example'));
    expect(names(still)).not.toContain('standby_leader');
    const now = advance(still, receivesFrom(follows('pg2', 'streaming'), 'remote.example'));
    expect(now.steps.at(-1)?.said).toBe(
      'pg2 is the standby leader and streams from remote.example:5432 on timeline 1 (SQL)',
    );
  });

  test('where it did not stream before, leading is enough; a primary does not count', () => {
    const cut = sees({ ...goal, remote: false }, ...MOVED, follows('pg2', null));
    expect(names(cut)).toContain('standby_leader');
    expect(names(sees(goal, ...MOVED, leads('pg2')))).not.toContain('standby_leader');
  });

  test.each([
    [
      true,
      'pg2 leads, but pg2 was not seen as a standby leader that streams from the remote within 120 s',
    ],
    [false, 'pg2 leads, but pg2 was not seen as a standby leader within 120 s'],
  ])('when the time is over (remote: %s)', (remote, words) => {
    const seen = member('pg2', { role: remote ? 'standby_leader' : 'replica' });
    const late = atDeadline(sees({ ...goal, remote }, ...MOVED, seen), 120_000);
    expect(late).toMatchObject({ ending: 'failed', code: 'not_following', words });
  });
});

describe('an answer of which the DCS shows nothing', () => {
  const after = (status: number, waitedMs: number) => {
    const answer = answered(status, 'so');
    const read = dcs({ leader: 'pg1' }, answer.atMs + waitedMs);
    return changeVerdict(sees({}, dcs({ leader: 'pg1' }), answer, read));
  };

  test.each([
    [500, 'error', 'not_written'],
    [503, 'error', 'not_written'],
    [200, 'unconfirmed', 'no_trace'],
    [202, 'unconfirmed', 'no_trace'],
  ])('%i is decided once Patroni cannot write it any more', (status, ending, code) => {
    expect(after(status, 9900)).toEqual({ done: false });
    expect(after(status, 10_000)).toMatchObject({ ending, code });
  });

  test.each([408, 502, 504])('%i of a proxy: Patroni may still be reading then', (status) => {
    expect(after(status, 19_900)).toEqual({ done: false });
    expect(after(status, 20_000)).toMatchObject({ ending: 'unconfirmed', code: 'no_trace' });
  });

  test('501 is a refusal at once; what a watch told decides nothing', () => {
    const answer = answered(501, 'so');
    expect(changeVerdict(sees({}, answer))).toMatchObject({ ending: 'error' });
    const watched: Sighting = { ...dcs({ leader: 'pg1' }), atMs: 1e9 };
    expect(changeVerdict(sees({}, dcs({ leader: 'pg1' }), answered(500, 'so'), watched))).toEqual({
      done: false,
    });
  });

  test('a stub that says 200 has not been accepted: --no-wait does not end', () => {
    const answer = answered(200, 'so');
    const progress = sees({ waitFor: 'accepted' }, dcs({ leader: 'pg1' }), answer);
    expect(changeVerdict(progress)).toEqual({ done: false });
  });
});

describe('when the time is over', () => {
  const end = (...sightings: Sighting[]) => {
    const { ending, code, words } = atDeadline(sees({}, ...sightings), 120_000);
    return { ending, code, words };
  };

  test.each<[string, string, Sighting[]]>([
    ['no_trace', 'unconfirmed', [dcs({ leader: 'pg1' })]],
    ['still_pending', 'unconfirmed', [dcs({ leader: 'pg1', failover: REQUEST })]],
    ['still_stopping', 'unconfirmed', MOVED.slice(0, 2)],
    ['no_leader', 'unconfirmed', MOVED.slice(0, 3)],
    ['not_writable', 'unconfirmed', MOVED],
    ['not_writable', 'failed', [...MOVED, member('pg2', { timeline: 1 })]],
    ['not_healthy', 'failed', [...MOVED, leads('pg2', 'pg3'), member('pg3', { timeline: 2 })]],
  ])('%s is %s', (code, ending, sightings) => {
    expect(end(...sightings)).toMatchObject({ code, ending });
  });

  test('the member that has not rejoined is named', () => {
    const { words } = end(...MOVED, leads('pg2', 'pg3'), member('pg3', { timeline: 2 }));
    expect(words).toBe('pg2 leads, but pg1 did not stream from it within 120 s');
  });

  test('a lost answer is said with its reason', () => {
    const { words } = end({ type: 'answer', atMs: 1, answer: lost }, dcs({ leader: 'pg1' }));
    expect(words).toContain('socket hang up');
  });

  test('diverted stays diverted', () => {
    const progress = sees({ candidate: 'pg3' }, ...MOVED, leads('pg2'));
    expect(atDeadline(progress, 5000)).toMatchObject({ ending: 'diverted' });
  });
});
