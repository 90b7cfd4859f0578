/** Members that are gone from the DCS: which sources still name them, the severity, and the end. */
import { describe, expect, test } from 'vitest';
import { CATALOGUE } from '../../src/cluster/findings/catalogue.js';
import { DEFAULT_LIMITS } from '../../src/cluster/findings/limits.js';
import type {
  Departed,
  Finding,
  LastWord,
  Snapshot,
  SyncMode,
} from '../../src/cluster/model/model.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { statusDocument } from '../../src/cluster/documents/status-document.js';
import {
  DEAD,
  healthy,
  OFF,
  walsender,
  type HealthyOptions,
  type ProcessEnvironment as World,
} from './plan-support.js';

const HOUR = 3_600_000;

function gone(word: Partial<LastWord> = {}, facts: Partial<Departed> = {}): Departed {
  const lastWord = {
    role: 'replica',
    state: 'running',
    deletedRevision: '8',
    isSynchronous: false,
    statusWrites: 0,
    ...word,
  };
  const place = { host: '10.0.0.4', port: 5434, listening: false };
  return {
    name: 'pg4',
    rest: DEAD,
    sql: DEAD,
    origin: 'dcs history',
    ...place,
    lastWord,
    ...facts,
  };
}

interface Made {
  mode?: SyncMode;
  options?: HealthyOptions;
  extra?: Partial<Snapshot>;
  change?: (world: World) => void;
  maxAbsenceMs?: number;
}

function left(made: Made): Finding[] {
  return found('member_left', made);
}

function found(
  wanted: string,
  { mode = 'off', options = {}, extra = {}, change, maxAbsenceMs }: Made,
): Finding[] {
  const world = healthy(mode, options);
  change?.(world);
  const check = CATALOGUE.find(({ code }) => code === wanted);
  const limits = { ...DEFAULT_LIMITS, ...(maxAbsenceMs === undefined ? {} : { maxAbsenceMs }) };
  return check?.find(viewOf({ ...world.snapshot, ...extra }), limits) ?? [];
}

const brief = (made: Made) =>
  left(made).map(({ severity, members }) => `${severity} ${members.join()}`);
const said = (made: Made) =>
  left(made).flatMap(({ evidence }) => evidence.map(({ subject }) => subject));
const status = (facts: object) => ({ keys: { status: JSON.stringify({ optime: 1, ...facts }) } });
/** Without the replicas that could take over. */
const alone = (world: World): void => {
  world.snapshot.members.splice(1);
  world.snapshot.cluster.members.splice(1);
};

describe('which sources name a member without a key', () => {
  test("etcd's history has its key", () => {
    const [one] = left({ extra: { departed: [gone()] } });
    expect(one).toMatchObject({ severity: 'warning', members: ['pg4'] });
    expect(one?.message).toMatch(/^pg4 has left the DCS; its last state was "running"$/);
    expect(one?.next).toContain('pg4 (10.0.0.4:5434)');
  });

  test('/status retains its slot: as the slot is named, where nothing tells more', () => {
    const options = status({ retain_slots: ['pg1', 'pg4'], slots: { pg4: 5 } });
    expect(brief({ options })).toEqual(['warning pg4']);
    expect(left({ options })[0]?.message).toMatch(
      /^the member with slot pg4 .* at most 30 min ago/,
    );
    expect(said({ options })).toEqual(['/status', '/status']);
  });

  test('what its PostgreSQL says of itself is still reported', () => {
    const world = healthy('off');
    const sql = { ...world.sql('pg2'), replayPaused: true };
    const runs = gone({}, { listening: true, sql: { ok: true, value: sql, tookMs: 1 } });
    const [one] = found('replay_paused', { extra: { departed: [runs] } });
    expect(one).toMatchObject({ severity: 'warning', members: ['pg4'] });
    expect(found('replay_paused', { extra: { departed: [gone()] } })).toEqual([]);
  });

  test('one member and its slot are one', () => {
    const options = status({ retain_slots: ['pg_4'] });
    expect(brief({ options, extra: { departed: [gone({}, { name: 'pg-4' })] } })).toEqual([
      'warning pg-4',
    ]);
  });

  test('/history: the leaders within --max-absence, and none before', () => {
    const line = (at: string) => [3, 3, 'x', at, 'pg4'];
    const with_ = (at: string, next: string) => ({
      keys: { history: JSON.stringify([line(at), [4, 4, 'x', next, 'pg1']]) },
    });
    const made = with_('2026-11-19T01:00:00Z', '2026-11-21T01:00:00Z');
    expect(left({ options: made })[0]?.message).toContain('at most 30 min ago');
    expect(brief({ options: with_('2026-11-18T01:00:00Z', '2026-11-19T01:00:00Z') })).toEqual([]);
  });

  test('a walsender from the slot with its name; no pg_receivewal, no permanent slot, no member', () => {
    const row = (name: string, slotName: string | null) => (world: World) => {
      world.sql('pg1').walsenders.push(walsender(name, { slotName }));
    };
    const [one] = left({ change: row('pg-4', 'pg_4') });
    expect(one?.message).toBe('pg-4 has left the DCS; its PostgreSQL still runs without Patroni');
    expect(one?.next).toMatch(/^start Patroni on pg-4/);
    expect(brief({ change: row('pg_receivewal', 'archive') })).toEqual([]);
    expect(brief({ change: row('pg_receivewal', null) })).toEqual([]);
    expect(brief({ change: row('PG2', 'pg2') })).toEqual([]);
    const options = { config: { slots: { remote: { type: 'physical' } } } };
    expect(brief({ options, change: row('remote', 'remote') })).toEqual([]);
  });

  test('a walsender whose name PostgreSQL does not show as it is: by its slot', () => {
    const row = (shown: string, slot: string) => (world: World) => {
      world.sql('pg1').walsenders.push(walsender(shown, { slotName: slot }));
    };
    for (const shown of ['pgé4', 'pg\\xc3\\xa94', 'pg??4']) {
      const [one] = left({ change: row(shown, 'pgu02334') });
      expect(one?.message).toMatch(/ has left the DCS; its PostgreSQL still runs without Patroni$/);
      const options = status({ retain_slots: ['pgu02334'] });
      expect(left({ options, change: row(shown, 'pgu02334') })).toMatchObject([
        { message: one?.message },
      ]);
    }
    expect(brief({ change: row('pg??4', 'pg_4') })).toEqual([]);
  });

  test('/sync, in synchronous mode', () => {
    const options = { keys: { sync: '{"leader":"pg1","sync_standby":"PG2,pg4","quorum":0}' } };
    expect(brief({ mode: 'on', options })).toEqual(['critical pg4']);
    expect(said({ mode: 'on', options })).toEqual(['/sync']);
    expect(brief({ mode: 'quorum', options })).toEqual(['critical pg4']);
    expect(brief({ mode: 'off', options })).toEqual([]);
    const standby = { ...options, config: { standby_cluster: { host: '10.9.9.9' } } };
    expect(brief({ mode: 'on', options: standby })).toEqual([]);
  });

  test('an earlier recording', () => {
    const member = (name: string, isSynchronous = false) => ({ name, isSynchronous });
    const earlier = (...members: { name: string; isSynchronous: boolean }[]) => ({
      extra: { earlier: { takenAt: '2026-11-21T01:00:00Z', members } },
    });
    expect(brief(earlier(member('pg1'), member('pg4')))).toEqual(['warning pg4']);
    expect(brief(earlier(member('pg4', true)))).toEqual(['critical pg4']);
  });

  test('a member that was given another name, and a server given with --also, left nothing', () => {
    const options = status({ retain_slots: ['pg4'] });
    expect(brief({ options, extra: { renamed: ['pg4'] } })).toEqual([]);
    expect(brief({ extra: { departed: [gone({}, { origin: '--also' })] } })).toEqual([]);
    expect(brief({})).toEqual([]);
  });
});

describe('how bad it is', () => {
  test('critical when it was synchronous: by /sync of then, of now, or by its walsender', () => {
    expect(brief({ extra: { departed: [gone({ isSynchronous: true })] } })).toEqual([
      'critical pg4',
    ]);
    const sync = '{"leader":"pg1","sync_standby":"pg4","quorum":0}';
    const options = { keys: { sync } };
    expect(brief({ mode: 'on', options, extra: { departed: [gone()] } })).toEqual(['critical pg4']);
    expect(brief({ mode: 'off', options, extra: { departed: [gone()] } })).toEqual(['warning pg4']);
  });

  test('critical if no member is left to take over', () => {
    const [one] = left({ change: alone, extra: { departed: [gone()] } });
    expect(one?.severity).toBe('critical');
    expect(one?.message).toContain('; the cluster survives no further loss');
  });

  test('info when its last word was a clean shutdown, unless its PostgreSQL is there again', () => {
    const word = { state: 'stopped', isSynchronous: true };
    expect(brief({ extra: { departed: [gone(word)] } })).toEqual(['info pg4']);
    const runs = gone(word, { listening: true });
    expect(brief({ extra: { departed: [runs] } })).toEqual(['critical pg4']);
  });
});

describe('when it ends', () => {
  test('after --max-absence, as far as the time can be told', () => {
    const departed = (word: Partial<LastWord>) => ({ extra: { departed: [gone(word)] } });
    // /status is written once a loop of 10 s at most: half of 17,300 loops is a day.
    expect(brief(departed({ statusWrites: 17_200 }))).toEqual(['warning pg4']);
    expect(brief(departed({ statusWrites: 17_300 }))).toEqual([]);
    expect(left(departed({ statusWrites: 720 }))[0]?.message).toContain(', at least 60 min ago;');
    expect(brief({ ...departed({ statusWrites: 400 }), maxAbsenceMs: HOUR })).toEqual([
      'warning pg4',
    ]);
    expect(brief({ ...departed({ statusWrites: 800 }), maxAbsenceMs: HOUR })).toEqual([]);
    // The last promotion was two days ago, and came later.
    const options = { keys: { history: '[[1,1,"x","2026-11-19T01:00:00Z","pg1"]]' } };
    expect(brief({ options, ...departed({ deletedRevision: '4' }) })).toEqual([]);
    expect(brief({ options, ...departed({ deletedRevision: '6' }) })).toEqual(['warning pg4']);
  });

  test('never as long as its PostgreSQL runs on', () => {
    const one = gone({ statusWrites: 99_999 }, { listening: true });
    expect(brief({ extra: { departed: [one] } })).toEqual(['warning pg4']);
  });
});

test('status has a row for it, and none where no witness is asked', () => {
  const { snapshot } = healthy();
  const rows = (extra: Partial<Snapshot>) =>
    statusDocument({ ...snapshot, departed: [gone()], ...extra }).members.filter(
      ({ departed }) => departed,
    );
  expect(rows({})).toMatchObject([
    { name: 'pg4', host: '10.0.0.4', claimedRole: null, state: 'running', verdict: 'member_left' },
  ]);
  expect(rows({ verify: 'off' })).toEqual([]);
  expect(rows({ departed: [gone({ state: 'stopped' })] })).toMatchObject([{ verdict: 'left' }]);
  const unasked = { ...gone(), rest: OFF, sql: OFF };
  expect(rows({ departed: [unasked] })).toMatchObject([{ verdict: 'member_left' }]);
});
