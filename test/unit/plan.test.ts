import { describe, expect, test } from 'vitest';
import { leaving } from '../../src/output/door.js';
import { CHECK_NAMES, planOf, refusals, skipProblem } from '../../src/cluster/preflight/plan.js';
import type { SyncMode } from '../../src/cluster/model/model.js';
import type { ChangeRequest, Plan } from '../../src/cluster/preflight/plan-model.js';
import { planDocument, planText, verdictLine } from '../../src/output/plan-table.js';
import {
  AT,
  DEAD,
  REQUEST,
  earlierBy,
  goldenSnapshot,
  healthy,
  plan,
  restOnly,
  result,
  unverified,
  type ProcessEnvironment,
} from './plan-support.js';
import type { Screen } from '../../src/output/screen.js';

const plainScreen: Screen = { width: null, color: false, command: 'patctl' };

function refusedBy(found: Plan): string[] {
  return refusals(found).map(({ name }) => name);
}

function by(world: ProcessEnvironment, request: Partial<ChangeRequest> = {}): string[] {
  return refusedBy(plan(world, request));
}

/** The leader and everything on it is gone. */
function leaderGone(world: ProcessEnvironment): ProcessEnvironment {
  world.snapshot.cluster.leaderName = null;
  const pg1 = world.readings('pg1');
  pg1.rest = DEAD;
  pg1.sql = DEAD;
  for (const name of ['pg2', 'pg3']) {
    world.rest(name).replicationState = null;
    world.sql(name).walReceiver = null;
  }
  return world;
}

const names = (found: Plan) => found.checks.filter((c) => c.result !== 'ok').map((c) => c.name);

describe('a healthy cluster', () => {
  test.each(['off', 'on', 'quorum'] as const)('mode %s: nothing speaks against it', (mode) => {
    for (const candidate of [null, 'pg2', 'auto']) {
      const found = plan(healthy(mode), { candidate });
      expect(names(found)).toEqual([]);
      expect(found).toMatchObject({
        kind: 'switchover',
        cluster: 'demo',
        leader: 'pg1',
        candidate: candidate === null ? null : 'pg2',
        refused: false,
        nothingToDo: false,
        dataLoss: { verdict: 'none', words: 'no acknowledged commit can be lost' },
        logical: [],
      });
    }
    const failover = plan(healthy(mode), { kind: 'failover', candidate: 'pg2' });
    expect([failover.refused, names(failover)]).toEqual([false, []]);
  });

  test('a named candidate gets every check but those of pauses, schedules and standby clusters', () => {
    const found = plan(healthy('quorum'), { candidate: 'pg2' }).checks.map(({ name }) => name);
    const others = [
      'remote_streams',
      'paused_needs_candidate',
      'paused_standby_cluster',
      'paused_no_schedule',
      'schedule',
    ];
    expect(found).toEqual(CHECK_NAMES.filter((name) => !others.includes(name)));
  });

  test('a few bytes of lag under load change nothing because the shutdown waits', () => {
    const world = healthy('quorum');
    world.rest('pg2').receivedLocation = world.rest('pg2').replayedLocation = 0x4fff000n;
    world.sql('pg2').receiveLsn = 0x4fff000n;
    expect(names(plan(world, { candidate: 'pg2' }))).toEqual([]);
    expect(plan(world, { candidate: 'auto' }).candidate).toBe('pg2');
    expect(plan(world).dataLoss.verdict).toBe('none');
  });
});

describe('what may be lost', () => {
  test('the leader is gone, mode off: refused, or accepted by its flag and still said', () => {
    const request = { kind: 'failover', candidate: 'pg2' } as const;
    const world = leaderGone(healthy('off'));
    expect(by(world, request)).toEqual(['data_loss']);
    const accepted = plan(world, { ...request, allowDataLoss: true });
    expect([accepted.refused, result(accepted, 'data_loss')]).toEqual([false, 'warning']);
    expect(accepted.dataLoss.verdict).toBe('possible');
    expect(verdictLine(accepted)).toBe(
      'Would fail over demo to pg2; acknowledged commits may be lost',
    );
  });

  test('the leader is gone, mode quorum: positions decide', () => {
    const request = { kind: 'failover', candidate: 'pg2' } as const;
    const world = leaderGone(healthy('quorum'));
    const found = plan(world, request);
    expect([found.refused, found.dataLoss.verdict, result(found, 'votes')]).toEqual([
      false,
      'none',
      'ok',
    ]);
    world.rest('pg2').receivedLocation = world.rest('pg2').replayedLocation = 0x4000000n;
    const behind = plan(world, request);
    expect(refusedBy(behind)).toContain('data_loss');
    expect(behind.dataLoss.verdict).toBe('possible');
    expect(result(behind, 'votes')).toBe('warning');
  });

  test('one voter of two silent and the leader gone: refused because that voter may have more', () => {
    const world = leaderGone(healthy('quorum'));
    world.readings('pg3').rest = DEAD;
    world.readings('pg3').sql = DEAD;
    expect(by(world, { kind: 'failover', candidate: 'pg2' })).toEqual(['data_loss']);
  });

  test('the leader lives: a candidate that streams loses nothing, one that does not may', () => {
    const world = healthy('off');
    expect(plan(world, { candidate: 'pg2' }).dataLoss.verdict).toBe('none');
    world.sql('pg1').walsenders.shift();
    expect(by(world, { candidate: 'pg2' })).toEqual(['candidate_streams', 'data_loss']);
  });

  describe('a standby is stalled while the leader lives', () => {
    /** The leader sent 100 bytes more than each of them has confirmed, then and now. */
    const still = (mode: SyncMode, ...members: string[]) => {
      const world = healthy(mode);
      for (const row of world.sql('pg1').walsenders)
        if (members.includes(row.applicationName)) row.flushLsn = row.writeLsn = AT - 100n;
      return (request: Partial<ChangeRequest> = {}) => plan(world, request, earlierBy(1000, world));
    };

    test('no other member can win: refused unless accepted, and the last line says so', () => {
      const planned = still('off', 'pg2', 'pg3');
      for (const request of [{}, { avoid: 'pg1' }]) {
        const found = planned(request);
        expect(refusedBy(found)).toEqual(['data_loss']);
        expect(verdictLine(found)).toBe('Refused by data_loss; acknowledged commits may be lost');
      }
      expect(planned({ allowDataLoss: true })).toMatchObject({
        refused: false,
        dataLoss: { verdict: 'possible', words: 'acknowledged commits may be lost' },
      });
      expect(refusedBy(planned({ candidate: 'auto' }))).toEqual(['candidate_exists', 'data_loss']);
    });

    test('another one follows: the winner is not behind it', () => {
      const planned = still('off', 'pg3');
      expect([planned().refused, planned().dataLoss.verdict]).toEqual([false, 'none']);
      expect(planned({ candidate: 'auto' }).candidate).toBe('pg2');
      expect(refusedBy(planned({ candidate: 'pg2' }))).toEqual([]);
    });

    test('named it is refused for what may be lost too, whatever check is skipped', () => {
      for (const mode of ['off', 'quorum'] as const)
        for (const kind of ['switchover', 'failover'] as const) {
          const named = { kind, candidate: 'pg3' };
          const planned = still(mode, 'pg3');
          expect(refusedBy(planned(named))).toEqual(['candidate_streams', 'data_loss']);
          const skipped = { ...named, skipChecks: ['candidate_streams'] };
          expect(refusedBy(planned(skipped))).toEqual(['data_loss']);
          expect(planned({ ...skipped, allowDataLoss: true }).refused).toBe(false);
        }
    });

    test('synchronous modes: nothing was acknowledged that the winner may lack', () => {
      expect(still('on', 'pg2')().dataLoss.verdict).toBe('none');
      expect(still('quorum', 'pg2', 'pg3')().dataLoss.verdict).toBe('none');
      // Every commit waited for the only one that /sync names.
      expect(refusedBy(still('on', 'pg2')({ candidate: 'pg2' }))).toEqual(['candidate_streams']);
    });

    test('over REST alone: it has not received what the leader had written a second ago', () => {
      const world = restOnly(healthy('off'));
      const late = (name: string, lsn: bigint, one = world) =>
        Object.assign(one.rest(name), { receivedLocation: lsn, replayedLocation: lsn });
      late('pg2', AT - 100n);
      late('pg3', AT - 100n);
      const before = earlierBy(1000, world);
      expect(refusedBy(plan(world, {}, before))).toEqual(['data_loss']);
      expect(refusedBy(plan(world, { candidate: 'pg2' }, before))).toEqual([
        'candidate_streams',
        'data_loss',
      ]);
      // It moves, or the leader has written this only since.
      late('pg2', AT - 200n, before);
      expect(plan(world, {}, before).refused).toBe(false);
      late('pg2', AT - 100n, before);
      before.rest('pg1').location = AT - 100n;
      expect(plan(world, { candidate: 'pg2' }, before).refused).toBe(false);
    });
  });

  describe('synchronous_commit', () => {
    const FAIL2 = { kind: 'failover', candidate: 'pg2' } as const;
    const parameters = (value: unknown) => ({
      config: { postgresql: { parameters: { synchronous_commit: value } } },
    });

    test.each([
      ['local', 'possible'],
      ['off', 'possible'],
      [false, 'possible'],
      ['remote_write', 'none'],
      ['on', 'none'],
      [true, 'none'],
      [null, 'none'],
    ])('%s in /config, and the leader gone: %s', (value, verdict) => {
      const found = plan(leaderGone(healthy('quorum', parameters(value))), FAIL2);
      expect(found.dataLoss.verdict).toBe(verdict);
      expect(found.refused).toBe(verdict === 'possible');
      const said = found.checks.find(({ name }) => name === 'data_loss')?.said ?? '';
      expect(said.includes(`synchronous_commit is`)).toBe(
        verdict === 'possible' || value === 'remote_write',
      );
    });

    test('a switchover ships everything: only a stalled standby makes a difference', () => {
      const world = healthy('quorum', parameters('local'));
      for (const request of [{}, { candidate: 'pg2' }]) {
        const found = plan(world, request);
        expect([found.refused, found.dataLoss.verdict]).toEqual([false, 'none']);
      }
      for (const row of world.sql('pg1').walsenders) row.flushLsn = row.writeLsn = AT - 100n;
      expect(refusedBy(plan(world, {}, earlierBy(1000, world)))).toEqual(['data_loss']);
    });
  });

  test('an asynchronous member: refused in a switchover, in a failover unless accepted', () => {
    const world = healthy('on');
    expect(by(world, { candidate: 'pg3' })).toContain('candidate_sync');
    const failover = { kind: 'failover', candidate: 'pg3' } as const;
    expect(by(world, failover)).toEqual(['candidate_sync']);
    const accepted = plan(world, { ...failover, allowDataLoss: true });
    expect([accepted.refused, result(accepted, 'candidate_sync')]).toEqual([false, 'warning']);
    // Patroni itself would not do it as a switchover, whatever is accepted.
    expect(by(world, { candidate: 'pg3', allowDataLoss: true })).toContain('candidate_sync');
  });

  test('as patronictl, an asynchronous member: what Patroni takes is a warning', () => {
    const world = healthy('on');
    const failover = { kind: 'failover', candidate: 'pg3', asPatronictl: true } as const;
    const taken = plan(world, failover);
    expect([taken.refused, result(taken, 'candidate_sync')]).toEqual([false, 'warning']);
    expect(by(world, { ...failover, kind: 'switchover' })).toContain('candidate_sync');
    expect(by(world, { ...failover, leader: 'pg1' })).toContain('candidate_sync');
  });

  test('a failover that names a leader is a switchover for Patroni, and for us', () => {
    const named = { kind: 'failover', leader: 'pg1', candidate: 'pg3' } as const;
    expect(by(healthy('on'), { ...named, allowDataLoss: true })).toContain('candidate_sync');
  });

  test('without witnesses nothing is known, and that refuses', () => {
    const world = unverified(healthy('off'));
    const found = plan(world, { candidate: 'pg2' });
    expect(found.dataLoss.verdict).toBe('unknown');
    expect(refusedBy(found)).toEqual(['data_loss']);
    expect(result(found, 'candidate_answers')).toBe('unknown');
    expect(found.checks.filter((c) => c.result === 'ok').map((c) => c.name)).toEqual([
      'dcs_readable',
      'leader_named',
      'failover_pending',
      'candidate_exists',
      'candidate_not_leader',
      'candidate_nofailover',
    ]);
    expect(plan(world, { candidate: 'pg2', allowDataLoss: true }).refused).toBe(false);
  });

  test('REST alone is enough to go, and what it cannot tell is unknown', () => {
    const found = plan(restOnly(healthy('quorum')), { candidate: 'pg2' });
    expect([found.refused, found.dataLoss.verdict]).toEqual([false, 'none']);
    expect(names(found)).toEqual([
      'logical_slots',
      'physical_walsenders',
      'archiving',
      'long_transaction',
      'slots_for_old_leader',
      'candidate_walsenders',
      'old_leader_rewind',
    ]);
    for (const check of found.checks.filter(({ result: r }) => r !== 'ok'))
      expect(check.said).toMatch(/SQL on pg[12] was not read \(not asked\)$/);
  });
});

describe('a standby cluster', () => {
  test('its leader is in recovery, acknowledges nothing, and steps down like any other', () => {
    const world = healthy('on', { config: { standby_cluster: { host: 'primary.example' } } });
    Object.assign(world.sql('pg1'), { inRecovery: true, currentLsn: null, receiveLsn: AT });
    Object.assign(world.rest('pg1'), { role: 'standby_leader', location: null });
    Object.assign(world.rest('pg1'), { receivedLocation: AT, replayedLocation: AT });
    world.sql('pg1').walReceiver = world.sql('pg2').walReceiver;
    for (const candidate of [null, 'pg3']) {
      const found = plan(world, { candidate });
      expect([found.refused, names(found)]).toEqual([false, []]);
      expect(found.checks.find(({ name }) => name === 'leader_alive')?.said).toBe(
        'pg1 holds the lock and runs as standby leader',
      );
    }
  });
});

describe('auto', () => {
  test('a vote more wins over priority, priority over the name', () => {
    const tags = { pg3: { failover_priority: 5 } };
    expect(plan(healthy('off', { tags }), { candidate: 'auto' })).toMatchObject({
      candidate: 'pg3',
      chosenBecause: 'no significant lag, failover_priority 5; best of 2 eligible',
    });
    expect(plan(healthy('off'), { candidate: 'auto' }).candidate).toBe('pg2');
  });

  test('less lag wins over priority', () => {
    const world = healthy('off', { tags: { pg3: { failover_priority: 5 } } });
    world.rest('pg3').receivedLocation = world.rest('pg3').replayedLocation = 0x4f80000n;
    expect(plan(world, { candidate: 'auto' }).candidate).toBe('pg2');
  });

  test('more votes win over the name, where bytes are too few to count', () => {
    const world = leaderGone(healthy('quorum'));
    world.rest('pg2').receivedLocation = world.rest('pg2').replayedLocation = AT - 64n;
    const found = plan(world, { kind: 'failover', candidate: 'auto', allowDataLoss: true });
    expect(found.candidate).toBe('pg3');
    expect(found.chosenBecause).toMatch(/^2 of 2 votes, .*; best of 2 eligible$/);
  });

  test('what is known of goes before what is not', () => {
    const world = healthy('off');
    world.readings('pg2').rest = { ok: false, kind: 'denied', reason: 'allowlist' };
    expect(plan(world, { candidate: 'auto' }).candidate).toBe('pg3');
  });

  test('only eligible ones: nofailover and asynchronous members are passed over', () => {
    const tags = { pg2: { nofailover: true } };
    expect(plan(healthy('quorum', { tags }), { candidate: 'auto' }).candidate).toBe('pg3');
    const found = plan(healthy('on', { tags }), { candidate: 'auto' });
    expect(found).toMatchObject({ candidate: null, chosenBecause: null, refused: true });
    expect(found.checks[0]).toMatchObject({
      name: 'candidate_exists',
      result: 'refused',
      said: 'no member is eligible: pg2 (candidate_nofailover); pg3 (candidate_sync)',
    });
  });

  test('without a leader it takes the member that has everything', () => {
    const world = leaderGone(healthy('quorum'));
    world.rest('pg2').receivedLocation = world.rest('pg2').replayedLocation = 0x4ff0000n;
    const found = plan(world, { kind: 'failover', candidate: 'auto' });
    expect([found.candidate, found.refused]).toEqual(['pg3', false]);
    expect(found.chosenBecause).toBe(
      '2 of 2 votes, no significant lag, failover_priority 1; best of 1 eligible',
    );
  });
});

describe('avoid', () => {
  test('it does not lead: nothing to do, and that is a success', async () => {
    const found = plan(healthy(), { avoid: 'pg3' });
    expect(found).toMatchObject({ nothingToDo: true, refused: false, checks: [] });
    expect(await planText(found, { screen: plainScreen, all: true })).toBe(
      'Nothing to do: the leader of demo is pg1\n',
    );
  });

  test('it leads: an ordinary switchover', () => {
    expect(plan(healthy(), { avoid: 'pg1', candidate: 'auto' })).toMatchObject({
      nothingToDo: false,
      refused: false,
      leader: 'pg1',
      candidate: 'pg2',
    });
  });

  test('it is unknown: a typing error is not a success', () => {
    const found = plan(healthy(), { avoid: 'pg11' });
    expect(found.nothingToDo).toBe(false);
    expect(refusedBy(found)).toEqual(['leader_named']);
  });

  test('it has left, or no member leads: a former leader is known, and a free lock is not a success', () => {
    const left = healthy('off', { keys: { history: '[[1,1,"x","2026-01-01T00:00:00Z","pg7"]]' } });
    expect(plan(left, { avoid: 'pg7' }).nothingToDo).toBe(true);
    expect(plan(leaderGone(healthy()), { avoid: 'pg1' }).nothingToDo).toBe(false);
  });
});

describe('skipping', () => {
  const tags = { pg2: { nofailover: true } };

  test('a named check no longer decides, and what it found is still said', () => {
    const world = healthy('off', { tags });
    expect(by(world, { candidate: 'pg2' })).toEqual(['candidate_nofailover', 'votes']);
    const found = plan(world, {
      candidate: 'pg2',
      skipChecks: ['candidate_nofailover', 'votes', 'archiving'],
    });
    expect(found.refused).toBe(false);
    expect(found.checks.find(({ name }) => name === 'candidate_nofailover')).toMatchObject({
      result: 'skipped',
      said: 'pg2 is tagged nofailover, or has failover_priority 0',
    });
    expect(result(found, 'archiving')).toBe('ok');
  });

  test('data_loss is accepted, not skipped', () => {
    const world = leaderGone(healthy('off'));
    const skip = { kind: 'failover', candidate: 'pg2', skipChecks: ['data_loss'] } as const;
    expect(by(world, skip)).toEqual(['data_loss']);
    expect(skipProblem(['data_loss'])).toContain('--allow-data-loss');
  });

  test('unknown names are told, with the known ones', () => {
    expect(skipProblem(['votes', 'candidate_lag'])).toBeNull();
    expect(skipProblem(['vote'])).toMatch(
      /^unknown check vote; known: dcs_readable, leader_named, /,
    );
  });
});

describe('recorded clusters', () => {
  const auto = (name: string) => {
    const found = plan(goldenSnapshot(name), { candidate: 'auto' });
    return found.refused ? refusedBy(found) : found.candidate;
  };

  test.each([
    ['off', 'pg2'],
    ['on', 'pg1'],
    ['quorum', 'pg2'],
    ['tags', 'pg5'],
    ['scheduled', ['failover_pending']],
    ['trouble-a-altersystem-syncon', ['candidate_exists', 'votes', 'data_loss']],
    ['trouble-c-stopping', ['leader_alive', 'failover_pending']],
    ['leader-patroni-killed', ['candidate_exists', 'leader_alive', 'data_loss']],
  ])('%s: %j', (name, wanted) => {
    expect(auto(name)).toEqual(wanted);
  });

  test('the paused cluster wants a candidate', () => {
    const world = goldenSnapshot('paused');
    expect(refusedBy(plan(world))).toContain('paused_needs_candidate');
    expect(plan(world, { candidate: 'auto' }).refused).toBe(false);
  });

  test('the client that never confirms is named, and refused once it is seen twice', () => {
    const world = goldenSnapshot('trouble-c-before-switchover');
    expect(result(plan(world, { candidate: 'pg2' }), 'logical_walsenders')).toBe('unknown');
    const before = structuredClone(world.snapshot);
    before.takenAt = '2026-11-21T01:24:44.000Z';
    const found = planOf(world.snapshot, before, { ...REQUEST, candidate: 'pg2' });
    expect(found.logical).toEqual([
      {
        pid: 30862,
        applicationName: 'neverconfirm',
        clientAddr: '127.0.0.1',
        slotName: 'lslot',
        unconfirmedBytes: 0x404d0b8 - 0x4023d20,
        stuck: true,
      },
    ]);
    expect(refusedBy(found)).toEqual(['logical_walsenders']);
  });
});

describe('how it is shown', () => {
  test('a table of all checks, the verdict, and what to do about what is not ok', async () => {
    const world = healthy('off', { tags: { pg2: { nofailover: true } } });
    const text = await planText(plan(world, { candidate: 'pg2' }), {
      screen: plainScreen,
      all: true,
    });
    const lines = text.split('\n');
    expect(lines[0]).toMatch(/^ {2}Check +Result +Found$/);
    expect(text).toMatch(/^ {2}candidate_nofailover {2}refused {2}pg2 is tagged nofailover/m);
    expect(text).toContain(
      '\nRefused by candidate_nofailover, votes; no acknowledged commit can be lost\n' +
        "  candidate_nofailover: remove the tag from Patroni's configuration on pg2, and reload it; you could name pg3 instead\n",
    );
  });

  test('colour is only about the results', async () => {
    const world = healthy('off', { tags: { pg2: { nofailover: true } } });
    const text = leaving(
      await planText(plan(world, { candidate: 'pg2' }), {
        screen: { ...plainScreen, color: true },
        all: true,
      }),
      false,
    );
    expect(text).toContain('\u001b[31m\u001b[1mrefused');
    expect(text.replace(/\u001b\[[0-9]+m/g, '')).toBe(
      await planText(plan(world, { candidate: 'pg2' }), { screen: plainScreen, all: true }),
    );
  });

  test('without `all` only what is not ok is shown, and what the decision rests on', async () => {
    const checks = plan(healthy('quorum'), { candidate: 'pg2' });
    const text = await planText(checks, { screen: plainScreen, all: false });
    const rows = text.split('\n').map((line) => line.trim().split(/ +/)[0]);
    expect(rows.slice(0, 3)).toEqual(['Check', 'votes', 'data_loss']);
    expect(text).toContain(`and ${checks.checks.length - 2} more, all ok`);
  });

  test('names from outside cannot move the cursor', async () => {
    const text = await planText(plan(healthy(), { candidate: 'pg2\u001b[2J\nok' }), {
      screen: { ...plainScreen, color: true },
      all: true,
    });
    expect(text).not.toContain('\u001b[2J');
    expect(text).toContain('pg2 ok is not a member of demo');
  });

  test('the document holds everything as plain data', () => {
    const found = plan(healthy('quorum'), { candidate: 'pg1' });
    const document = JSON.parse(JSON.stringify(planDocument(found))) as Record<string, unknown>;
    expect(document).toMatchObject({
      schemaVersion: 1,
      kind: 'switchover',
      leader: 'pg1',
      refused: true,
    });
    expect(document['refusedBy']).toContain('candidate_not_leader');
  });
});
