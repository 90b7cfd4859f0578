/** States of PostgreSQL that should pass, and what is said of one that lasts. */
import { describe, expect, test } from 'vitest';
import { memberState, stateLookMs } from '../../src/cluster/findings/states.js';
import { DEFAULT_LIMITS } from '../../src/cluster/findings/limits.js';
import type { Finding, Snapshot } from '../../src/cluster/model/model.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import {
  earlierBy,
  healthy,
  walsender,
  type HealthyOptions,
  type ProcessEnvironment as World,
} from './plan-support.js';

const REFUSED = 'the database system is starting up';

/** pg2 in that state: Patroni says so, PostgreSQL accepts no connection. */
function inState(state: string, options: HealthyOptions = {}): World {
  const world = healthy('off', options);
  Object.assign(world.rest('pg2'), { state, receivedLocation: null, replayedLocation: null });
  world.readings('pg2').sql = { ok: false, kind: 'unreachable', reason: REFUSED };
  return world;
}

const find = (snapshot: Snapshot): Finding[] => memberState(viewOf(snapshot), DEFAULT_LIMITS);
const told = (snapshot: Snapshot) =>
  find(snapshot).flatMap(({ evidence }) =>
    evidence.map(({ subject, said }) => `${subject}: ${said}`),
  );
/** Read again after `ms`. */
const after = (ms: number, world: World): Snapshot => ({
  ...world.snapshot,
  previous: earlierBy(ms, world).snapshot,
});

describe('a state that should pass', () => {
  test.each([
    ['starting', 'PostgreSQL on pg2 is starting'],
    ['restarting', 'PostgreSQL on pg2 is restarting'],
    ['stopping', 'PostgreSQL on pg2 is stopping'],
    ['unknown', 'PostgreSQL on pg2 does not answer Patroni'],
  ])('%s is a warning, which has to be seen again for 10 s', (state, message) => {
    const { snapshot } = inState(state);
    expect(find(snapshot)).toMatchObject([{ severity: 'warning', members: ['pg2'], message }]);
    expect(stateLookMs(viewOf(snapshot))).toBe(5000);
    const later = after(10_000, inState(state));
    expect(find(later)).toMatchObject([{ message: `${message}, for at least 10 s` }]);
    expect(stateLookMs(viewOf(later))).toBeNull();
    expect(stateLookMs(viewOf(healthy().snapshot))).toBeNull();
  });

  test('critical after five minutes, also by a key that is older than the last promotion', () => {
    expect(find(after(301_000, inState('starting')))).toMatchObject([{ severity: 'critical' }]);
    const world = inState('starting', {
      keys: { history: '[[1,1,"x","2026-11-21T01:20:00Z","pg1"]]' },
    });
    expect(find(world.snapshot)).toMatchObject([{ severity: 'warning' }]);
    const pg2 = world.snapshot.cluster.members.find(({ name }) => name === 'pg2');
    Object.assign(pg2 ?? {}, { state: 'starting', modRevision: '4' });
    expect(find(world.snapshot)).toMatchObject([
      { severity: 'critical', message: 'PostgreSQL on pg2 is starting, for at least 10 min' },
    ]);
  });

  test('running is none, and a new word of Patroni neither where a witness shows that it runs', () => {
    expect(find(healthy().snapshot)).toEqual([]);
    const world = healthy();
    world.rest('pg2').state = 'humming';
    expect(find(world.snapshot)).toEqual([]);
  });

  test.each(['humming', 'running', ''])('"%s" without a WAL position is a warning', (state) => {
    expect(find(inState(state).snapshot)).toMatchObject([
      { code: 'member_state', severity: 'warning', members: ['pg2'] },
    ]);
  });
});

describe('a state that is wrong at once', () => {
  // Patroni 3.0 to 4.0 writes the state in brackets, 4.1 none [Postgresql.restart].
  test.each(['restart failed', 'restart failed (start failed)', 'restart failed (crashed)'])(
    '%s',
    (state) => {
      expect(find(inState(state).snapshot)).toMatchObject([{ severity: 'critical' }]);
    },
  );
});

describe('what it waits for', () => {
  test('the refusal, and the program of restore_command without its arguments', () => {
    const parameters = { restore_command: 'fetch --key secret %f %p' };
    const world = inState('starting', { config: { postgresql: { parameters } } });
    expect(told(world.snapshot)).toEqual([
      'pg2: state starting',
      `pg2: ${REFUSED}`,
      '/config: postgresql.parameters.restore_command calls fetch: recovery waits for each call',
    ]);
  });

  test("restore_command of the other members' own configuration", () => {
    const world = inState('starting');
    const setting = { value: 'set', source: null, sourcefile: null, pendingRestart: false };
    world.sql('pg3').settings['restore_command'] = setting;
    expect(told(world.snapshot).at(-1)).toBe('pg3 pg_settings: restore_command is set there');
  });

  test('where recovery is, and whether it moves', () => {
    const world = inState('starting');
    world.rest('pg2').replayedLocation = 0x3000000n;
    expect(told(after(10_000, world))).toContain(
      'pg2: recovery is at 0/3000000, and does not move',
    );
    const before = earlierBy(10_000, world);
    before.rest('pg2').replayedLocation = 0x2000000n;
    const moving = { ...world.snapshot, previous: before.snapshot };
    expect(told(moving)).toContain('pg2: recovery is at 0/3000000, and moves');
  });

  test('receivers that are still connected to it, and the walsenders that it had', () => {
    const world = inState('stopping');
    Object.assign(world.sql('pg3'), {
      walReceiver: { status: 'streaming', senderHost: '10.0.0.1', senderPort: 5432 },
    });
    const before = healthy();
    before.sql('pg2').walsenders.push(walsender('cdc', { slotType: 'logical', slotName: 'cdc' }));
    expect(told({ ...world.snapshot, previous: before.snapshot })).toEqual([
      'pg2: state stopping',
      'pg3 pg_stat_wal_receiver: still connected to pg2 (streaming): the shutdown waits for it',
      'pg2 pg_stat_replication: logical walsender of cdc was streaming: a shutdown waits for it',
    ]);
  });
});
