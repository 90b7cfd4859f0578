/** Findings that no recorded cluster shows, by value. */
import { readFileSync } from 'node:fs';
import { createServer as createTcp, type AddressInfo, type Server } from 'node:net';
import { createServer as createTls, createSecureContext, TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { seenCertificates } from '../../src/observe/certificates.js';
import { CATALOGUE } from '../../src/cluster/findings/catalogue.js';
import { look } from '../../src/cluster/findings/find.js';
import { syncKeySays } from '../../src/cluster/findings/evidence.js';
import { needsSecondLook } from '../../src/cluster/findings/commits.js';
import { DEFAULT_LIMITS, type Limits } from '../../src/cluster/findings/limits.js';
import type { Snapshot, SqlStatus } from '../../src/cluster/model/model.js';
import { parseCluster } from '../../src/cluster/model/parse-keys.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { parseSize, parseDurationMs } from '../../src/cli/units.js';
import type { Context } from '../../src/context.js';

const TAKEN = '2026-11-21T08:00:00.000Z';

interface Made {
  config?: object;
  keys?: Record<string, object | string>;
  /** SQL of pg1 (leader) and pg2. */
  sql?: Record<string, Partial<SqlStatus>>;
  extra?: Partial<Snapshot>;
}

/** Two members, pg1 leading on timeline 3 at 1000 MB, asked over SQL. */
function snapshot({ config = {}, keys = {}, sql = {}, extra = {} }: Made = {}): Snapshot {
  const all: Record<string, object | string> = {
    config: { ttl: 30, loop_wait: 10, retry_timeout: 10, ...config },
    leader: 'pg1',
    'members/pg1': { role: 'primary', state: 'running', timeline: 3, version: '4.1.4' },
    'members/pg2': { role: 'replica', state: 'running', timeline: 3, version: '4.1.4' },
    ...keys,
  };
  const kvs = Object.entries(all).map(([key, value], at) => ({
    key: `/service/demo/${key}`,
    value: typeof value === 'string' ? value : JSON.stringify(value),
    modRevision: String(at + 1),
  }));
  const cluster = parseCluster('demo', null, { revision: '99', kvs }, '/service/demo/');
  const base = { serverVersion: 150000, walsenders: [], slots: [], settings: {}, archiver: null };
  const primary = { ...base, inRecovery: false, currentLsn: 1000n * MB, timeline: 3 };
  const standby = {
    ...base,
    inRecovery: true,
    currentLsn: null,
    timeline: 3,
    receiveLsn: 999n * MB,
  };
  const values = { pg1: primary, pg2: { ...standby, replayLsn: 999n * MB, walReceiver: null } };
  const members = Object.entries(values).map(([name, value]) => ({
    name,
    rest: { ok: false, kind: 'off', reason: 'not asked' } as const,
    sql: {
      ok: true,
      value: { ...value, ...sql[name] } as unknown as SqlStatus,
      tookMs: 1,
    } as const,
  }));
  const about = { verify: 'sql', takenAt: TAKEN, serializable: false } as const;
  return { cluster, members, ...about, departed: [], previous: null, ...extra };
}

const MB = 1_048_576n;
/** Positions over REST of a member that has none. */
const AT = { location: null, receivedLocation: null, replayedLocation: null };

/** `CODE severity` of one check. */
function found(code: string, made: Made, limits: Partial<Limits> = {}): string[] {
  const check = CATALOGUE.find((one) => one.code === code);
  const all = check?.find(viewOf(snapshot(made)), { ...DEFAULT_LIMITS, ...limits }) ?? [];
  return all.map((finding) => `${finding.severity} ${finding.members.join()}`.trim());
}

const streaming = {
  pid: 7,
  applicationName: 'pg2',
  state: 'streaming',
  syncState: 'async',
  slotType: 'physical',
};
const fed = { walsenders: [streaming] } as unknown as Partial<SqlStatus>;
const slot = (facts: object) => ({
  slots: [
    { slotName: 'pg2', slotType: 'physical', active: false, walStatus: 'reserved', ...facts },
  ],
});

test('one that has replayed all is not behind because it receives on from the beginning of a segment', () => {
  const made = (replayLsn: bigint) => ({
    sql: { pg1: fed, pg2: { receiveLsn: 984n * MB, replayLsn } },
  });
  expect(found('catching_up', made(1000n * MB))).toEqual([]);
  expect(found('catching_up', made(980n * MB))).toEqual(['warning pg2']);
});

describe('slots', () => {
  test('lost: begins beyond what a member without a walsender has', () => {
    const lost = slot({ restartLsn: 1000n * MB }) as unknown as Partial<SqlStatus>;
    expect(found('slot_lost', { sql: { pg1: lost } })).toEqual(['critical pg2']);
    expect(found('slot_lost', { sql: { pg1: { ...lost, ...fed } } })).toEqual([]);
    const kept = slot({ restartLsn: 998n * MB }) as unknown as Partial<SqlStatus>;
    expect(found('slot_lost', { sql: { pg1: kept } })).toEqual([]);
  });

  test('not lost, and its WAL not gone, while it replays what it has on disk', () => {
    const lost = slot({ restartLsn: 1000n * MB });
    const made = (receiveLsn: bigint | null) => ({
      sql: {
        pg1: { ...lost, redoLsn: 1000n * MB, settings: {} } as unknown as Partial<SqlStatus>,
        pg2: { receiveLsn, replayLsn: 900n * MB },
      },
    });
    expect(found('slot_lost', made(null))).toEqual([]);
    expect(found('wal_gone', made(null))).toEqual([]);
    expect(found('slot_lost', made(899n * MB))).toEqual(['critical pg2']);
    expect(found('wal_gone', made(899n * MB))).toEqual(['critical pg2']);
  });

  test('lost, as /status tells where no login does', () => {
    const made = snapshot({ keys: { status: { optime: 1, slots: { pg2: Number(1000n * MB) } } } });
    const rest = (value: object) => ({ ok: true, value: { raw: {}, ...value }, tookMs: 1 });
    made.members = [
      { name: 'pg1', rest: rest({ location: 1000n * MB, replication: null }), sql: OFF },
      { name: 'pg2', rest: rest({ ...AT, receivedLocation: 900n * MB }), sql: OFF },
    ] as unknown as Snapshot['members'];
    const check = CATALOGUE.find(({ code }) => code === 'slot_lost');
    expect(check?.find(viewOf(made), DEFAULT_LIMITS).map(({ members }) => members)).toEqual([
      ['pg2'],
    ]);
  });

  test('missing, unless use_slots is off or the member takes none', () => {
    expect(found('slot_missing', { sql: { pg1: fed } })).toEqual(['critical pg2']);
    const off = { postgresql: { use_slots: false } };
    expect(found('slot_missing', { sql: { pg1: fed }, config: off })).toEqual([]);
    const nostream = {
      'members/pg2': { role: 'replica', state: 'running', tags: { nostream: true } },
    };
    expect(found('slot_missing', { sql: { pg1: fed }, keys: nostream })).toEqual([]);
  });

  test('inactive: counted from the limit on, half of max_slot_wal_keep_size by default', () => {
    const keeps = slot({ restartLsn: 900n * MB }) as unknown as Partial<SqlStatus>;
    const code = 'slot_inactive_retains_wal';
    expect(found(code, { sql: { pg1: keeps } })).toEqual([]);
    expect(found(code, { sql: { pg1: keeps } }, { maxSlotRetainBytes: Number(99n * MB) })).toEqual([
      'warning pg1',
    ]);
    const small = { settings: { max_slot_wal_keep_size: { value: '150' } } };
    const made = { sql: { pg1: { ...keeps, ...small } as unknown as Partial<SqlStatus> } };
    expect(found(code, made)).toEqual(['warning pg1']);
  });

  test('WAL is gone when it is older than redo, wal_keep_size and every slot', () => {
    const settings = { wal_keep_size: { value: '50' } };
    const gone = { redoLsn: 1000n * MB, settings } as unknown as Partial<SqlStatus>;
    const behind = { receiveLsn: 900n * MB, replayLsn: 900n * MB };
    expect(found('wal_gone', { sql: { pg1: gone, pg2: behind } })).toEqual(['critical pg2']);
    expect(found('wal_gone', { sql: { pg1: gone, pg2: { receiveLsn: 960n * MB } } })).toEqual([]);
    const restores = { ...behind, settings: { restore_command: { value: 'set' } } };
    const sql = { pg1: gone, pg2: restores as unknown as Partial<SqlStatus> };
    expect(found('wal_gone', { sql })).toEqual([]);
    const check = CATALOGUE.find(({ code }) => code === 'wal_gone');
    const made = snapshot({ sql: { pg1: gone, pg2: behind } });
    const [, pg2] = made.members;
    if (pg2)
      Object.assign(pg2, {
        sql: OFF,
        rest: { ok: true, value: { raw: {}, ...AT, receivedLocation: 900n * MB }, tookMs: 1 },
      });
    const [unknown] = check?.find(viewOf(made), DEFAULT_LIMITS) ?? [];
    const needed = CATALOGUE.find(({ code }) => code === 'reinit_needed');
    expect(needed?.find(viewOf(made), DEFAULT_LIMITS)).toEqual([]);
    expect([unknown?.severity, unknown?.message]).toEqual([
      'critical',
      expect.stringContaining('it is unknown whether a restore_command covers the rest'),
    ]);
  });

  test('WAL is gone, whatever its slot says, when pg_wal begins later', () => {
    // A walsender has moved the slot back to what pg2 has.
    const back = { ...slot({ restartLsn: 900n * MB }), redoLsn: 1000n * MB, settings: {} };
    const behind = { receiveLsn: 900n * MB, replayLsn: 900n * MB };
    const codes = (oldestWal: bigint | null) => {
      const pg1 = { ...back, oldestWal } as unknown as Partial<SqlStatus>;
      const made = { sql: { pg1, pg2: behind } };
      return ['slot_lost', 'wal_gone', 'reinit_needed'].flatMap((code) => found(code, made));
    };
    expect(codes(912n * MB)).toEqual(['critical pg2', 'info pg2']);
    expect(codes(896n * MB)).toEqual([]);
    expect(codes(null)).toEqual([]);
  });
});

const OFF = { ok: false, kind: 'off', reason: 'not asked' } as const;

describe('commits wait', () => {
  interface Standby {
    name?: string;
    syncState?: string;
    replyAgeMs?: number;
    flushLsn?: bigint;
  }
  const row = ({ name = 'pg2', syncState = 'sync', ...facts }: Standby) => ({
    ...streaming,
    applicationName: name,
    syncState,
    replyAgeMs: 100,
    flushLsn: 1000n * MB,
    ...facts,
  });
  /** pg1 with these names and walsenders; `more` are further settings of pg1. */
  const leader = (names: string | null, rows: Standby[], facts: object = {}, more = {}) =>
    ({
      walsenders: rows.map(row),
      syncRepWaiters: 0,
      settings: {
        ...(names !== null && { synchronous_standby_names: { value: names } }),
        ...more,
      },
      ...facts,
    }) as unknown as Partial<SqlStatus>;
  const interval = (seconds: string) =>
    ({ settings: { wal_receiver_status_interval: { value: seconds } } }) as never;
  const blocked = (
    pg1: Partial<SqlStatus>,
    pg2: Partial<SqlStatus> = interval('10'),
    was?: object,
  ) =>
    found('commits_blocked', {
      sql: { pg1, pg2 },
      extra: { previous: was ? snapshot({ sql: { pg1: { ...pg1, ...was } } }) : null },
    });
  const silent = { replyAgeMs: 17_000 };

  test('for fewer answers than ANY n or FIRST n requires, and only then', () => {
    const one = { name: 'pg2', syncState: 'quorum' };
    const two = { name: 'pg3', syncState: 'quorum' };
    expect(blocked(leader('ANY 1 (pg2,pg3)', [one, two]))).toEqual([]);
    expect(blocked(leader('ANY 1 (pg2,pg3)', [{ ...one, ...silent }, two]))).toEqual([]);
    expect(blocked(leader('ANY 2 (pg2,pg3)', [{ ...one, ...silent }, two]))).toEqual([
      'critical pg2',
    ]);
    expect(blocked(leader('ANY 1 (pg2,pg3)', [{ ...one, ...silent }]))).toEqual(['critical pg2']);
    const potential = { name: 'pg3', syncState: 'potential' };
    expect(blocked(leader('pg2,pg3', [{ ...silent }, potential]))).toEqual(['critical pg2']);
    expect(blocked(leader('pg2,pg3', [{}, { ...potential, ...silent }]))).toEqual([]);
    expect(blocked(leader('', [{ syncState: 'async', ...silent }]))).toEqual([]);
  });

  test('for a name that is not connected, even if others answer', () => {
    const short = leader('2 (pg1x,pg2)', [{}]);
    expect(blocked(short)).toEqual(['critical']);
    expect(blocked(leader('FIRST 2 (pg2,pg3)', [{ name: 'pg3' }]))).toEqual(['critical pg2']);
    expect(blocked(leader('*', []))).toEqual(['critical']);
    const local = { synchronous_commit: { value: 'local' } };
    expect(blocked(leader('pg2', [], {}, local))).toEqual([]);
    expect(blocked(leader('pg2', [], { syncRepWaiters: 1 }, local))).toEqual(['critical pg2']);
  });

  test('silence is measured by what the standby promised, else by when it was asked', () => {
    expect(blocked(leader('pg2', [{ replyAgeMs: 14_000 }]))).toEqual([]);
    expect(blocked(leader('pg2', [{ replyAgeMs: 20_000 }]), interval('20'))).toEqual([]);
    expect(blocked(leader('pg2', [{ replyAgeMs: 26_000 }]), interval('20'))).toHaveLength(1);
    expect(blocked(leader('pg2', [{ replyAgeMs: 30_000 }]), interval('0'))).toEqual([]);
    expect(blocked(leader('pg2', [{ replyAgeMs: 36_000 }]), interval('0'))).toHaveLength(1);
    const never = { wal_sender_timeout: { value: '0' } };
    expect(blocked(leader('pg2', [{ replyAgeMs: 99_000 }], {}, never), interval('0'))).toEqual([]);
  });

  test('a late reply counts while WAL of the last look is not confirmed', () => {
    const late = { replyAgeMs: 1600, flushLsn: 999n * MB };
    const now = leader('pg2', [late]);
    expect(blocked(now)).toEqual([]);
    expect(blocked({ ...now, syncRepWaiters: 1 })).toEqual(['critical pg2']);
    expect(blocked(now, interval('10'), {})).toEqual(['critical pg2']);
    expect(blocked(now, interval('10'), { currentLsn: 999n * MB })).toEqual([]);
    expect(blocked(leader('pg2', [{ ...late, replyAgeMs: 100 }]), interval('10'), {})).toEqual([]);
  });

  test('the same transaction in two readings waits, although every standby answers', () => {
    const wait = (since: string) => ({ syncRepWaiters: 1, syncRepOldest: { since, ageMs: 2000 } });
    const now = leader('pg2', [{}], wait('08:00:00.1'));
    expect(blocked(now, interval('10'), wait('08:00:00.1'))).toEqual(['critical']);
    expect(blocked(now, interval('10'), wait('07:59:59.9'))).toEqual([]);
    expect(blocked(now)).toEqual([]);
  });

  test('unknown if the names were not read and a standby is silent', () => {
    expect(blocked(leader(null, [{}]))).toEqual([]);
    expect(blocked(leader(null, [silent]))).toEqual(['unknown pg2']);
  });

  test('a second look is for a wait that one look leaves open, not for a load', () => {
    const open = (pg1: Partial<SqlStatus>) =>
      needsSecondLook(viewOf(snapshot({ sql: { pg1, pg2: interval('10') } })));
    const load = { syncRepWaiters: 3, syncRepOldest: { since: 'x', ageMs: 20 } };
    expect(open(leader('pg2', [{}], load))).toBe(false);
    expect(open(leader('pg2', [{ replyAgeMs: 1600 }], load))).toBe(true);
    expect(open(leader('pg2', [{ replyAgeMs: 1600 }]))).toBe(false);
    const long = { syncRepWaiters: 1, syncRepOldest: { since: 'x', ageMs: 1600 } };
    expect(open(leader('pg2', [{}], long))).toBe(true);
  });
});

test('archiving fails: by the count of failures, or by files that wait while none is archived', () => {
  const made = (archiver: object, archive_mode = 'on') => ({
    sql: { pg1: { settings: { archive_mode: { value: archive_mode } }, archiver } as never },
  });
  const failing = (archiver: object, mode?: string) => {
    const base = { lastArchivedAgeMs: null, lastFailedAgeMs: null, failedCount: 0 };
    return found('archiving_failing', made({ ...base, ...archiver }, mode));
  };
  expect(failing({ lastFailedAgeMs: 1000 })).toEqual(['warning pg1']);
  expect(failing({ lastFailedAgeMs: 1000, lastArchivedAgeMs: 900 })).toEqual([]);
  expect(failing({ lastFailedAgeMs: 1000 }, 'off')).toEqual([]);
  const ready = (files: number, oldestAgeMs: number) => ({ ready: { files, oldestAgeMs } });
  expect(failing(ready(4, 9000))).toEqual(['warning pg1']);
  expect(failing(ready(2, 9000))).toEqual([]);
  expect(failing(ready(1, 61_000))).toEqual(['warning pg1']);
  expect(failing(ready(0, 0))).toEqual([]);
  // A queue that is worked off: the oldest file goes first.
  expect(failing({ ...ready(40, 9000), lastArchivedAgeMs: 8000 })).toEqual([]);
  expect(failing({ ...ready(40, 9000), lastArchivedAgeMs: 9500 })).toEqual(['warning pg1']);
});

describe('no member holds the leader key', () => {
  const standing = { inRecovery: true, currentLsn: null, receiveLsn: MB, replayLsn: MB };
  /** What noLeader says when pg1 is silent in this way, and pg2 is a replica. */
  const without = (kind: 'off' | 'denied' | 'unreachable') => {
    const made = snapshot({ keys: { leader: '' } });
    made.cluster.leaderName = null;
    const [pg1] = made.members;
    if (!pg1) throw new Error('no pg1');
    pg1.sql = { ok: false, kind, reason: kind };
    const check = CATALOGUE.find(({ code }) => code === 'no_leader');
    return check?.find(viewOf(made), DEFAULT_LIMITS).map(({ severity }) => severity);
  };

  test('critical when all are known, unknown when one may be a primary', () => {
    expect(without('off')).toEqual(['unknown']);
    expect(without('denied')).toEqual(['unknown']);
    expect(without('unreachable')).toEqual(['critical']);
    const made = snapshot({ sql: { pg1: standing } });
    made.cluster.leaderName = null;
    const check = CATALOGUE.find(({ code }) => code === 'no_leader');
    expect(check?.find(viewOf(made), DEFAULT_LIMITS)).toMatchObject([{ severity: 'critical' }]);
  });
});

test.each([
  ['max_replication_slots', 'slots_exhausted', 'slots'],
  ['max_wal_senders', 'walsenders_exhausted', 'walsenders'],
])('%s: room for every member, or all in use, and one more', (setting, code, used) => {
  const made = (value: string, inUse: number) => ({
    sql: {
      pg1: {
        settings: { [setting]: { value } },
        [used]: Array.from({ length: inUse }, (_, at) => ({ pid: at, applicationName: `c${at}` })),
      } as unknown as Partial<SqlStatus>,
    },
  });
  expect(found(code, made('3', 2))).toEqual([]);
  expect(found(code, made('2', 0))).toEqual(['warning pg1']);
  expect(found(code, made('10', 9))).toEqual([]);
  expect(found(code, made('10', 10))).toEqual(['warning pg1']);
});

describe('the dynamic configuration', () => {
  test('a key that Patroni does not know, with the nearest known one', () => {
    const next = (config: object) => {
      const check = CATALOGUE.find(({ code }) => code === 'config_unknown_key');
      return check?.find(viewOf(snapshot({ config })), DEFAULT_LIMITS).map((one) => one.next);
    };
    expect(next({ use_slot: true })).toEqual([
      'rename it to postgresql.use_slots: patctl edit-config demo',
    ]);
    expect(next({ parameters: {} })).toEqual([
      'rename it to postgresql.parameters: patctl edit-config demo',
    ]);
    expect(next({ loop_wiat: 1 })).toEqual(['rename it to loop_wait: patctl edit-config demo']);
    expect(next({ postgresql: { use_slot: true } })).toEqual([
      'rename it to postgresql.use_slots: patctl edit-config demo',
    ]);
    expect(next({ nothing_like_it: 1 })).toEqual([
      'remove nothing_like_it: patctl edit-config demo',
    ]);
  });

  test('without a rewind is a warning', () => {
    const hints = { pg1: { settings: { wal_log_hints: { value: 'on' } } } as never };
    expect(found('rewind_impossible', { sql: hints })).toEqual(['warning']);
    const config = { postgresql: { use_pg_rewind: true } };
    expect(found('rewind_impossible', { config, sql: hints })).toEqual([]);
    expect(found('rewind_impossible', { config })).toEqual(['warning']);
  });
});

test('quorum_lost names the voters it wants back, and says so when there are none', () => {
  const next = (sync_standby: string) => {
    const sync = { leader: 'pg1', sync_standby, quorum: 0 };
    const config = { synchronous_mode: 'quorum' };
    const tags = { nofailover: true };
    const pg2 = { role: 'replica', state: 'running', timeline: 3, tags };
    const keys = { sync, 'members/pg2': pg2 };
    const check = CATALOGUE.find(({ code }) => code === 'quorum_lost');
    return check?.find(viewOf(snapshot({ config, keys })), DEFAULT_LIMITS).map((one) => one.next);
  };
  expect(next('pg2')).toEqual([expect.stringMatching(/^bring pg2 back/)]);
  expect(next('')).toEqual([
    expect.stringMatching(/^\/sync lists no voters: bring back a replica/),
  ]);
});

test('a standby cluster that an old /sync keeps from electing is critical, with the way out', () => {
  const look = (
    mode: string,
    sync_standby: string,
    quorum: number,
    leader: 'pg1' | null = 'pg1',
  ) => {
    const sync = { leader: 'pg1', sync_standby, quorum };
    const config = { synchronous_mode: mode, standby_cluster: { host: '10.0.0.1' } };
    const pg2 = { role: 'replica', state: 'running', timeline: 3, version: '4.1.4' };
    const made = snapshot({ config, keys: { sync, 'members/pg2': pg2 } });
    if (leader === null) {
      made.cluster.leaderName = null;
      made.cluster.members.shift();
      made.members.shift();
    }
    const view = viewOf(made);
    return CATALOGUE.filter(({ group }) => group === 'Synchronous replication')
      .flatMap((check) => check.find(view, DEFAULT_LIMITS))
      .filter(({ severity }) => severity === 'critical');
  };
  expect(look('quorum', 'pg2,pg3', 1)).toMatchObject([
    {
      code: 'standby_cluster_cannot_elect',
      message: expect.stringContaining('/sync still asks for 2 votes of pg2, pg3') as string,
      next: expect.stringContaining('--set synchronous_mode=on') as string,
    },
  ]);
  expect(look('quorum', 'pg2,pg3', 1, null)[0]?.message).toMatch(
    /^no member can become standby leader: \/sync still asks for 2 votes of pg2, pg3, /,
  );
  expect(look('quorum', 'pg2', 0)).toEqual([]);
  expect(look('on', 'pg2,pg3', 1)).toEqual([]);
});

test('a member whose name PostgreSQL changes streams anyway', () => {
  const long = 'a-member-whose-name-is-much-longer-than-the-63-bytes-that-postgresql-shows';
  for (const [name, shown] of [
    [long, long.slice(0, 63)],
    ['b\u00fcro', 'b??ro'],
    ['b\u00fcro', 'b\\xc3\\xbcro'],
  ] as const) {
    const sql = { pg1: { walsenders: [{ ...streaming, applicationName: shown }] } } as never;
    const made = snapshot({ sql, keys: { [`members/${name}`]: { role: 'replica' } } });
    const standby = made.members[1];
    const members = made.cluster.members.map((member) =>
      member.name === 'pg1' || !standby
        ? (made.members[0] as Snapshot['members'][number])
        : { ...standby, name: member.name },
    );
    const one = viewOf({ ...made, members }).members.find((view) => view.name === name);
    expect([shown, one?.syncState]).toEqual([shown, 'async']);
  }
});

describe('timelines', () => {
  const history = [
    [2, Number(500n * MB), 'no recovery target', '2026-11-20T08:00:00+00:00', 'pg1'],
  ];
  const member = (timeline?: number) => ({ 'members/pg2': { role: 'replica', timeline } });
  /** pg2's control file, its key and, where given, its REST and its walreceiver. */
  const at = (replayLsn: bigint, byFile: number, byKey?: number, extra = {}): Made => ({
    keys: { history, ...member(byKey) },
    sql: { pg2: { timeline: byFile, replayLsn, receiveLsn: replayLsn, ...extra } },
  });
  const both = (made: Made) => [...found('timeline_behind', made), ...found('timeline_fork', made)];

  test('behind while its WAL is in the history of the leader, forked beyond it', () => {
    expect(both(at(500n * MB, 2, 2))).toEqual(['warning pg2']);
    expect(both(at(501n * MB, 2, 2))).toEqual(['critical pg2']);
    expect(both(at(501n * MB, 4, 4))).toEqual(['critical pg2']);
    const streams = { walReceiver: { status: 'streaming' } } as unknown as Partial<SqlStatus>;
    expect(both(at(501n * MB, 2, 3, streams))).toEqual(['critical pg2']);
  });

  test('a control file may be behind: a witness of a later timeline is believed, and a control file alone does not prove a fork', () => {
    expect(both(at(999n * MB, 2, 3))).toEqual([]);
    expect(both(at(999n * MB, 2))).toEqual([]);
    expect(both(at(500n * MB, 2))).toEqual(['warning pg2']);
    // A key that is ahead of the leader's is older than what the server says.
    expect(both(at(500n * MB, 2, 4))).toEqual(['warning pg2']);
    expect(found('not_streaming', at(999n * MB, 2, 3))).toEqual(['critical pg2']);
    const made = snapshot(at(999n * MB, 2, 2));
    const [, pg2] = made.members;
    if (!pg2) throw new Error('no pg2');
    pg2.rest = { ok: true, value: { timeline: 3, raw: {} } as never, tookMs: 1 };
    expect(viewOf(made).members[1]).toMatchObject({ timeline: 3, timelineIsLeast: false });
  });
});

describe('a standby cluster', () => {
  const remote = { standby_cluster: { host: '10.0.0.9', port: 5432 } };
  const receiver = (status: string | null, config: object = remote): Made => ({
    config,
    sql: {
      pg1: {
        inRecovery: true,
        currentLsn: null,
        receiveLsn: MB,
        replayLsn: MB,
        walReceiver: status === null ? null : { status },
        walsenders: [streaming],
      } as unknown as Partial<SqlStatus>,
    },
  });

  test('whose leader receives nothing from the remote', () => {
    expect(found('not_streaming', receiver('streaming'))).toEqual([]);
    expect(found('not_streaming', receiver(null))).toEqual(['critical pg1']);
    expect(found('not_streaming', receiver('waiting'))).toEqual(['critical pg1']);
    const archive = { standby_cluster: { restore_command: 'cp' } };
    expect(found('not_streaming', receiver(null, archive))).toEqual([]);
    const either = { standby_cluster: { ...remote.standby_cluster, ...archive.standby_cluster } };
    expect(found('not_streaming', receiver(null, either))).toEqual(['warning pg1']);
  });

  test.each([
    ['streaming', '4.1.4', []],
    [null, '4.1.4', [['pg1']]],
    ['in archive recovery', '3.2.2', [['pg1']]],
    [null, '3.0.3', []],
  ])('the same over REST: %s of Patroni %s', (replicationState, patroniVersion, members) => {
    const made = snapshot({ config: remote });
    const rest = { ...AT, receivedLocation: MB, replication: null, raw: {} };
    const value = { ...rest, replicationState, patroniVersion };
    made.members = made.members.map(({ name }) => ({
      name,
      rest: { ok: true, value: value as never, tookMs: 1 },
      sql: OFF,
    }));
    const check = CATALOGUE.find(({ code }) => code === 'not_streaming');
    const all = check?.find(viewOf(made), DEFAULT_LIMITS) ?? [];
    const leaders = all.map((finding) => finding.members).filter(([name]) => name === 'pg1');
    expect(leaders).toEqual(members);
    const untold = check?.untold?.members(viewOf(made), DEFAULT_LIMITS);
    expect(untold).toEqual(patroniVersion === '3.0.3' ? ['pg1'] : []);
  });
});

describe('logical clients', () => {
  const client = (facts: object) => ({
    pid: 9,
    applicationName: 'cdc',
    slotName: 'cdc',
    slotType: 'logical',
    sentLsn: 1000n * MB,
    flushLsn: 990n * MB,
    replyAgeMs: 100,
    backendStart: '2026-11-21 07:00:00+00',
    ...facts,
  });
  const made = (facts: object, before?: object): Made => {
    const sql = (of: object) => ({
      pg1: { walsenders: [client(of)] } as unknown as Partial<SqlStatus>,
    });
    const takenAt = '2026-11-21T07:59:40.000Z';
    const previous = before ? snapshot({ sql: sql(before), extra: { takenAt } }) : null;
    return { sql: sql(facts), extra: { previous } };
  };
  const stuck = (facts: object, before?: object) =>
    found('logical_walsender_stuck', made(facts, before));

  test('one reading shows which client never confirmed and which is silent, and names no other', () => {
    expect(stuck({})).toEqual([]);
    expect(stuck({ flushLsn: null })).toEqual([]);
    const never = { flushLsn: null, sentLsn: 1000n * MB };
    const slots = [{ slotName: 'cdc', slotType: 'logical', confirmedFlushLsn: 990n * MB }];
    const sql = { pg1: { walsenders: [client(never)], slots } as unknown as Partial<SqlStatus> };
    expect(found('logical_walsender_stuck', { sql })).toEqual(['critical pg1']);
    expect(stuck({ replyAgeMs: 31_000 })).toEqual(['critical pg1']);
    expect(stuck({ replyAgeMs: 29_000 })).toEqual([]);
  });

  test('two readings show which client confirms nothing', () => {
    expect(stuck({}, {})).toEqual(['critical pg1']);
    expect(stuck({ flushLsn: 995n * MB }, {})).toEqual([]);
    expect(stuck({ flushLsn: 1000n * MB }, { flushLsn: 1000n * MB })).toEqual([]);
  });

  test('primary_stop_timeout in synchronous mode makes it a warning', () => {
    const guarded = {
      ...made({}, {}),
      config: { synchronous_mode: true, primary_stop_timeout: 10 },
    };
    expect(found('logical_walsender_stuck', guarded)).toEqual(['warning pg1']);
    const useless = { ...made({}, {}), config: { primary_stop_timeout: 10 } };
    expect(found('logical_walsender_stuck', useless)).toEqual(['critical pg1']);
  });
});

describe('operations', () => {
  test('a pause is as old as the last line of history, if it came before that', () => {
    const history = [[1, 1, 'x', '2026-11-21T06:00:00+00:00', 'pg1']];
    const made = { config: { pause: true }, keys: { history } };
    expect(found('paused', made)).toEqual(['warning']);
    expect(found('paused_too_long', made, { maxPauseMs: 3_600_000 })).toEqual(['critical']);
    expect(found('paused_too_long', made, { maxPauseMs: 3 * 3_600_000 })).toEqual([]);
  });

  test('a pause is as old as a member reports; without a report its age is unknown', () => {
    const made = (extra: Partial<Snapshot> = {}) => ({ config: { pause: true }, extra });
    const since = made({ pausedSince: '2026-11-21T06:59:00.000Z' });
    expect(found('paused_too_long', since, { maxPauseMs: 3_600_000 })).toEqual(['critical']);
    expect(found('paused_too_long', since, { maxPauseMs: 2 * 3_600_000 })).toEqual([]);
    expect(found('paused_too_long', made(), { maxPauseMs: 3_600_000 })).toEqual(['unknown']);
    expect(found('paused_too_long', made())).toEqual([]);
  });

  test('a replica is created for as long as the youngest base backup to its address runs', () => {
    const creating = {
      'members/pg2': {
        role: 'uninitialized',
        state: 'creating replica',
        conn_url: 'postgres://10.0.0.2:5432/postgres',
        api_url: 'http://10.0.0.12:8008/patroni',
      },
    };
    const backups = (...all: [clientAddr: string, backendStart: string][]) => ({
      keys: creating,
      sql: {
        pg1: {
          walsenders: all.map(([clientAddr, backendStart]) => ({
            state: 'backup',
            applicationName: 'pg_basebackup',
            clientAddr,
            backendStart,
          })),
        } as unknown as Partial<SqlStatus>,
      },
    });
    const state = (made: Made) => found('member_state', made, { maxCreatingMs: 3_600_000 });
    const long = '2026-11-21 06:00:00+00';
    const short = '2026-11-21 07:30:00+00';
    expect(state(backups(['10.0.0.2', long]))).toEqual(['critical pg2']);
    expect(state(backups(['10.0.0.12', long]))).toEqual(['critical pg2']);
    expect(state(backups(['10.0.0.3', long]))).toEqual([]);
    expect(state(backups(['10.0.0.2', long], ['10.0.0.2', short]))).toEqual([]);
  });

  test('a replica made by other means: as old as two readings prove, else it could not be told', () => {
    const creating = { 'members/pg2': { role: 'uninitialized', state: 'creating replica' } };
    const earlier = (keys: Made['keys'] = creating) =>
      snapshot({ keys, extra: { takenAt: '2026-11-21T07:59:50.000Z' } });
    const said = (previous: Snapshot | null, maxCreatingMs: number) => {
      const view = viewOf(snapshot({ keys: creating, extra: { previous } }));
      const wanted = (code: string) => code === 'member_state';
      const { findings, unlooked } = look(view, { ...DEFAULT_LIMITS, maxCreatingMs }, wanted);
      return [...findings.map(({ severity }) => severity), ...unlooked.map((one) => one.members)];
    };
    expect(said(null, 2000)).toEqual([['pg2']]);
    expect(said(earlier(), 2000)).toEqual(['critical']);
    expect(said(earlier(), 20_000)).toEqual([['pg2']]);
    expect(said(earlier({}), 2000)).toEqual([['pg2']]);
    const written = earlier();
    const [, pg2] = written.cluster.members;
    if (!pg2) throw new Error('no pg2');
    pg2.modRevision = '3';
    expect(said(written, 2000)).toEqual([['pg2']]);
  });

  test('a base backup that is seen tells, and nothing is left open', () => {
    const conn_url = 'postgres://10.0.0.2:5432/postgres';
    const creating = { role: 'uninitialized', state: 'creating replica', conn_url };
    const backup = {
      state: 'backup',
      clientAddr: '10.0.0.2',
      backendStart: '2026-11-21 07:59:00+00',
    };
    const keys = { 'members/pg2': creating };
    const sql = { pg1: { walsenders: [{ applicationName: 'b', ...backup }] } as never };
    const view = viewOf(snapshot({ keys, sql }));
    const { findings, unlooked } = look(view, DEFAULT_LIMITS, (code) => code === 'member_state');
    expect([findings, unlooked]).toEqual([[], []]);
  });

  test('primary_stop_timeout is missed where a logical client could hold the primary', () => {
    const sync = { synchronous_mode: true };
    const logical = { slots: [{ slotName: 'outbox', slotType: 'logical', active: true }] };
    const sql = { pg1: logical as unknown as Partial<SqlStatus> };
    expect(found('stop_timeout_unset', { config: sync })).toEqual([]);
    expect(found('stop_timeout_unset', { config: sync, sql })).toEqual(['info']);
    const set = { ...sync, primary_stop_timeout: 10 };
    expect(found('stop_timeout_unset', { config: set, sql })).toEqual([]);
    expect(found('stop_timeout_unset', { sql })).toEqual([]);
    expect(found('stop_timeout_unset', { config: { primary_stop_timeout: 10 } })).toEqual(['info']);
  });

  test('a schedule whose time has passed is a warning', () => {
    const at = (scheduled_at: string) => ({ keys: { failover: { leader: 'pg1', scheduled_at } } });
    expect(found('scheduled_action', at('2026-11-21T09:00:00+00:00'))).toEqual(['info']);
    expect(found('scheduled_action', at('2026-11-21T07:00:00+00:00'))).toEqual(['warning']);
    expect(found('stale_failover_key', at('2026-11-21T09:00:00+00:00'))).toEqual([]);
    const unscheduled = { keys: { failover: { leader: 'pg1', member: 'pg2' } } };
    expect(found('stale_failover_key', unscheduled)).toEqual(['warning pg1,pg2']);
  });

  test('certificates: 21 days and 3', () => {
    const cert = (validTo: string) => ({
      extra: {
        certificates: [
          { what: 'Patroni' as const, address: 'a:1', member: 'pg1', subject: 'a', validTo },
        ],
      },
    });
    expect(found('cert_expiring', cert('2027-01-01T00:00:00Z'))).toEqual([]);
    expect(found('cert_expiring', cert('2026-12-10T00:00:00Z'))).toEqual(['warning pg1']);
    expect(found('cert_expiring', cert('2026-11-23T00:00:00Z'))).toEqual(['critical pg1']);
    expect(found('cert_expiring', cert('2026-11-01T00:00:00Z'))).toEqual(['critical pg1']);
  });

  test('drift compares in units, and leaves alone what waits for a restart', () => {
    const parameters = { wal_keep_size: '1GB', max_connections: 50, wal_log_hints: true };
    const config = { postgresql: { parameters } };
    const settings = (max_connections: object) => ({
      pg2: {
        settings: {
          wal_keep_size: { value: '1024' },
          wal_log_hints: { value: 'on' },
          max_connections,
        },
      } as unknown as Partial<SqlStatus>,
    });
    expect(found('config_drift', { config, sql: settings({ value: '100' }) })).toEqual([
      'info pg2',
    ]);
    const pending = settings({ value: '100', pendingRestart: true });
    expect(found('config_drift', { config, sql: pending })).toEqual([]);
  });
});

test("drift of any other parameter: only where another file than Patroni's says so", () => {
  const drift = (wanted: object, name: string, value: string, file = '/d/postgresql.auto.conf') =>
    found('config_drift', {
      config: { postgresql: { parameters: wanted } },
      sql: {
        pg2: {
          settings: { [name]: { value, source: 'configuration file', sourcefile: file } },
        } as never,
      },
    }).length;
  expect(drift({ work_mem: '8MB' }, 'work_mem', '1024')).toBe(1);
  expect(drift({ work_mem: '8MB' }, 'work_mem', '8192')).toBe(0);
  expect(drift({ work_mem: 8192 }, 'work_mem', '8192')).toBe(0);
  expect(drift({ work_mem: '8MB' }, 'work_mem', '1024', '/d/postgresql.base.conf')).toBe(1);
  expect(drift({ work_mem: '8MB' }, 'work_mem', '1024', '/d/postgresql.conf')).toBe(0);
  expect(drift({ shared_buffers: '128MB' }, 'shared_buffers', '16384')).toBe(0);
  expect(drift({ shared_buffers: '128MB' }, 'shared_buffers', '2048')).toBe(1);
  expect(drift({ checkpoint_timeout: '5min' }, 'checkpoint_timeout', '300')).toBe(0);
  expect(drift({ checkpoint_timeout: '5min' }, 'checkpoint_timeout', '301')).toBe(1);
  expect(drift({ random_page_cost: 1.1 }, 'random_page_cost', '1.1')).toBe(0);
  expect(drift({ random_page_cost: '1.1' }, 'random_page_cost', '4')).toBe(1);
  expect(drift({ jit: true }, 'jit', 'on')).toBe(0);
  expect(drift({ jit: 'yes' }, 'jit', 'off')).toBe(1);
  expect(drift({ synchronous_commit: 'true' }, 'synchronous_commit', 'on')).toBe(0);
  expect(drift({ synchronous_commit: 'LOCAL' }, 'synchronous_commit', 'local')).toBe(0);
  expect(drift({ synchronous_commit: 'on' }, 'synchronous_commit', 'local')).toBe(1);
  expect(drift({ log_statement: 'DDL' }, 'log_statement', 'ddl')).toBe(0);
  expect(drift({ log_statement: 'all' }, 'log_statement', 'ddl')).toBe(1);
  expect(drift({ log_line_prefix: '%m ' }, 'log_line_prefix', '%m')).toBe(0);
  expect(drift({ log_line_prefix: '%m' }, 'log_line_prefix', '%p')).toBe(1);
  expect(drift({ log_file_mode: '0640' }, 'log_file_mode', '0640')).toBe(0);
  expect(drift({ TimeZone: 'UTC' }, 'TimeZone', 'Etc/UTC')).toBe(0);
  expect(drift({ restore_command: 'cp' }, 'restore_command', 'set')).toBe(0);
  expect(drift({ nonsense: 1 }, 'nonsense', '2')).toBe(0);
});

describe('certificates met on the way', () => {
  const servers: Server[] = [];
  afterEach(() => servers.splice(0).forEach((server) => server.close()));
  const fixture = (name: string) =>
    readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url));
  const pem = { cert: fixture('server.crt'), key: fixture('server.key') };

  async function portOf(server: Server): Promise<number> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  test('of https and of PostgreSQL, which is asked for TLS first', async () => {
    const https = await portOf(createTls(pem));
    const postgres = await portOf(
      createTcp((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => {
          socket.write('S');
          const secureContext = createSecureContext(pem);
          new TLSSocket(socket, { isServer: true, secureContext }).on('error', () => undefined);
        });
      }),
    );
    const made = snapshot();
    const [pg1] = made.cluster.members;
    const [readings] = made.members;
    if (!pg1 || !readings) throw new Error('no member');
    Object.assign(pg1, { apiUrl: `https://127.0.0.1:${https}/patroni` });
    Object.assign(pg1, { host: '127.0.0.1', port: postgres });
    readings.rest = { ok: true, value: {} as never, tookMs: 1 };
    const context = { config: () => Promise.resolve({ etcd: null }), flags: { timeoutMs: 2000 } };
    const seen = await seenCertificates(context as unknown as Context, made);
    expect(seen).toEqual([
      { ...SERVER, what: 'Patroni', address: `127.0.0.1:${https}` },
      { ...SERVER, what: 'PostgreSQL', address: `127.0.0.1:${postgres}` },
    ]);
  });
});

const SERVER = { member: 'pg1', subject: 'localhost', validTo: '2126-10-28T07:29:03.000Z' };

test.each([
  ['16MB', 16_777_216],
  ['16MiB', 16_777_216],
  ['0', 0],
  ['1.5GiB', 1_610_612_736],
])('the size %s is %d bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes));

test('sizes and times without sense are refused', () => {
  for (const text of ['', '16mb', '-1', '1 XB', 'MB']) expect(() => parseSize(text)).toThrow();
  for (const text of ['', '5y', '-1s', 'h']) expect(() => parseDurationMs(text)).toThrow();
  expect(parseDurationMs('90')).toBe(90_000);
  expect(parseDurationMs('2d')).toBe(172_800_000);
});

test('members that refuse us are unknown, not well', () => {
  const made = snapshot();
  const reason = 'its certificate is not trusted';
  const dark = (members: readonly string[]): Snapshot => ({
    ...made,
    members: made.members.map((one) =>
      members.includes(one.name)
        ? { ...one, sql: { ok: false, kind: 'denied', reason } as const }
        : one,
    ),
  });
  const said = (members: readonly string[]) =>
    look(viewOf(dark(members)), DEFAULT_LIMITS, (code) => code === 'member_refuses').findings;
  expect(said([])).toEqual([]);
  expect(said(['pg1', 'pg2'])).toMatchObject([
    {
      severity: 'unknown',
      members: ['pg1', 'pg2'],
      message: 'none of the claims about pg1, pg2 could be checked',
      evidence: [
        { witness: 'SQL', subject: 'pg1', said: reason },
        { witness: 'SQL', subject: 'pg2', said: reason },
      ],
    },
  ]);
  expect(said(['pg2'])).toMatchObject([{ severity: 'unknown', members: ['pg2'] }]);
});

describe('a configuration that stands there and is not in force', () => {
  const of = (code: string, made: Made) =>
    look(viewOf(snapshot(made)), DEFAULT_LIMITS, (one) => one === code).findings;
  const setting = { value: '40', source: 'command line', sourcefile: null, pendingRestart: false };
  const sql = { pg2: { settings: { max_connections: setting } } } as never;

  test.each<[string, object | string]>([
    ['ttl', { ttl: null }],
    ['ttl', { ttl: '60s' }],
    ['parameters', { postgresql: { parameters: 'x' } }],
    ['slots', { slots: 'x' }],
    ['slots', { slots: [1] }],
    ['ignore_slots', { ignore_slots: { name: 'a' } }],
    ['standby_cluster', { standby_cluster: 'pg9' }],
  ])('rejected as a whole because of %s', (key, config) => {
    const [first, ...others] = of('config_rejected', { config: config as object });
    expect([first?.severity, others]).toEqual(['critical', []]);
    expect(first?.message).toContain(key);
  });

  test('with the value in force on each member compared with the written one', () => {
    const config = { ttl: null, postgresql: { parameters: { max_connections: 100 } } };
    const TTL =
      'ttl is null, expected a whole number of seconds: Patroni throws the whole dynamic configuration away';
    expect(of('config_rejected', { config, sql })[0]?.evidence).toEqual([
      { witness: 'DCS', subject: '/config', said: TTL },
      { witness: 'SQL', subject: 'pg1 pg_settings', said: 'nothing to compare' },
      {
        witness: 'SQL',
        subject: 'pg2 pg_settings',
        said: 'max_connections = 40, written 100',
      },
    ]);
    expect(of('config_rejected', { keys: { config: '[' } })[0]?.message).toContain(
      'not valid JSON',
    );
    expect(of('config_rejected', {})).toEqual([]);
  });

  test('in part: critical where something asked for is not so, else a warning', () => {
    const severity = (config: object) =>
      of('config_ignored', { config }).map((one) => one.severity);
    expect(severity({ synchronous_mode: 'quorun' })).toEqual(['critical']);
    expect(severity({ maximum_lag_on_failover: '1MB' })).toEqual(['critical']);
    expect(severity({ standby_cluster: { primary_slot_name: 'a' } })).toEqual(['critical']);
    expect(severity({ postgresql: { parameters: { autovacuum: 't' } } })).toEqual(['critical']);
    expect(severity({ postgresql: { use_pg_rewind: 'off' } })).toEqual(['warning']);
    expect(severity({ postgresql: { parameters: { max_connections: 20 } } })).toEqual(['warning']);
    expect(severity({ tags: {}, synchronous_mode: 'quorum' })).toEqual(['warning']);
    expect(severity({ maximum_lag_on_failover: 5, slots: { a: { type: 'x' } } })).toEqual([]);
  });

  test('slots that are not created', () => {
    const said = (slots: object) => of('slots_misconfigured', { config: { slots } });
    expect(said({ a: {}, b: { type: 'logical', database: 'd', plugin: 'p' } })).toEqual([]);
    expect(said({ type: 'logical', database: 'd' })[0]?.message).toContain('the name is missing');
    expect(said({ 'A-b': {}, c: { type: 'logical' } })[0]?.evidence).toHaveLength(2);
  });

  test('twenty thousand unknown keys are some findings, in no time', () => {
    const config = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`key${at}`, 1]));
    const start = process.cpuUsage();
    expect(of('config_unknown_key', { config })).toHaveLength(21);
    // 100,000 took 40 s.
    expect(process.cpuUsage(start).user / 1e6).toBeLessThan(3);
  });
});

test('evidence never calls an unreadable /sync empty', () => {
  const said = (sync: object | string) => syncKeySays(snapshot({ keys: { sync } }).cluster).said;
  expect(said('{')).toBe('cannot be read');
  expect(said({ leader: 'pg1', sync_standby: null })).toBe('leader pg1, standbys none, quorum 0');
});

test('a key that cannot be read is found, and what Patroni too passes over is a warning', () => {
  const said = (made: Made) =>
    look(viewOf(snapshot(made)), DEFAULT_LIMITS, (code) => code === 'dcs_unreadable').findings;
  expect(said({})).toEqual([]);
  expect(said({ keys: { sync: '{' } })).toMatchObject([
    { severity: 'unknown', members: [], message: '/service/demo/sync cannot be read' },
  ]);
  expect(said({ keys: { 'members/pg2': '[' } })).toMatchObject([
    { severity: 'unknown', members: ['pg2'], message: '/service/demo/members/pg2 cannot be read' },
  ]);
  // Of /config other findings speak.
  expect(said({ config: { ttl: {} } })).toEqual([]);
});
