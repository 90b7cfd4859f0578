import { describe, expect, test } from 'vitest';
import type { Reading } from '../../src/cluster/model/model.js';
import { CHECK_NAMES } from '../../src/cluster/preflight/plan.js';
import type { ChangeRequest } from '../../src/cluster/preflight/plan-model.js';
import {
  AT,
  DEAD,
  OFF,
  earlierBy,
  failoverSlot,
  healthy,
  logical,
  plan,
  restOnly,
  result,
  type HealthyOptions,
  type ProcessEnvironment,
} from './plan-support.js';

const TO2 = { candidate: 'pg2' } as const;
const FAIL2 = { kind: 'failover', candidate: 'pg2' } as const;

interface Case {
  check: string;
  wants: string;
  what: string;
  mode?: 'off' | 'on' | 'quorum';
  options?: HealthyOptions;
  request?: Partial<ChangeRequest>;
  edit?: (world: ProcessEnvironment) => unknown;
  /** Edits the earlier reading; without it there is none. */
  before?: (world: ProcessEnvironment) => unknown;
  beforeMs?: number;
}

function silent(kind: 'denied' | 'invalid' | 'misidentified' | 'no_address'): Reading<never> {
  return { ok: false, kind, reason: 'because' };
}

const PAUSE = { config: { pause: true } };
const STREAMS_LATE = (name: 'pg2' | 'pg3') => (world: ProcessEnvironment) => {
  const row = world.sql('pg1').walsenders.find((one) => one.applicationName === name);
  if (row) row.flushLsn = row.writeLsn = AT - 100n;
};
const withLogical =
  (waiting: bigint, facts: Parameters<typeof logical>[1] = {}) =>
  (world: ProcessEnvironment) =>
    world.sql('pg1').walsenders.push(logical(waiting, facts));
const leaderKey = (name: string | null) => (world: ProcessEnvironment) => {
  world.snapshot.cluster.leaderName = name;
};
const dead = (name: string) => (world: ProcessEnvironment) => {
  world.readings(name).rest = DEAD;
  world.readings(name).sql = DEAD;
};
const syncState = (name: string, state: string) => (world: ProcessEnvironment) => {
  for (const row of world.sql('pg1').walsenders)
    if (row.applicationName === name) row.syncState = state;
};
const standbyLeader = (streams: boolean) => (world: ProcessEnvironment) => {
  world.readings('pg1').sql = OFF;
  const replicationState = streams ? 'streaming' : null;
  const facts = { role: 'standby_leader', location: null, receivedLocation: AT, replicationState };
  Object.assign(world.rest('pg1'), facts);
};
const REMOTE = { config: { standby_cluster: { host: 'x', port: 5433 } } };
const EMPTY_SYNC = { keys: { sync: '{"leader":null,"sync_standby":null}' } };
const PAUSED_REMOTE = { config: { ...REMOTE.config, pause: true } };
const failoverKey = (value: string) => ({ keys: { failover: value } });

const CASES: Case[] = [
  // leader
  { check: 'dcs_readable', wants: 'ok', what: 'all read' },
  {
    check: 'dcs_readable',
    wants: 'refused',
    what: '/sync is broken, and would be taken for empty',
    mode: 'on',
    options: { keys: { sync: '{"leader' } },
  },
  {
    check: 'dcs_readable',
    wants: 'refused',
    what: 'no /config, and synchronous mode would be taken for off',
    edit: (w) => (w.snapshot.cluster.config = null),
  },
  {
    check: 'dcs_readable',
    wants: 'unknown',
    what: 'a broken /history decides little',
    options: { keys: { history: '[[' } },
  },
  { check: 'leader_named', wants: 'ok', what: 'no leader was named' },
  { check: 'leader_named', wants: 'ok', what: 'the right one', request: { leader: 'pg1' } },
  { check: 'leader_named', wants: 'refused', what: 'another', request: { leader: 'pg2' } },
  {
    check: 'leader_named',
    wants: 'refused',
    what: 'no leader',
    request: { leader: 'pg1' },
    edit: leaderKey(null),
  },
  { check: 'leader_alive', wants: 'ok', what: 'it answers' },
  {
    check: 'remote_streams',
    wants: '-',
    what: 'not a standby cluster',
  },
  {
    check: 'remote_streams',
    wants: 'ok',
    what: 'the standby leader streams from its remote',
    options: REMOTE,
    edit: standbyLeader(true),
  },
  {
    check: 'remote_streams',
    wants: 'warning',
    what: 'it does not, and the next one may not either',
    options: REMOTE,
    edit: standbyLeader(false),
  },
  {
    check: 'remote_streams',
    wants: 'ok',
    what: 'it reads an archive',
    options: { config: { standby_cluster: { restore_command: 'cp' } } },
    edit: standbyLeader(false),
  },
  {
    check: 'leader_alive',
    wants: 'refused',
    what: 'it answers, and is not the only primary',
    edit: (w) => (w.sql('pg3').inRecovery = false),
  },
  { check: 'leader_alive', wants: 'refused', what: 'it does not answer', edit: dead('pg1') },
  {
    check: 'leader_alive',
    wants: 'warning',
    what: 'it does not answer, failover',
    request: FAIL2,
    edit: dead('pg1'),
  },
  {
    check: 'leader_alive',
    wants: 'refused',
    what: 'its Patroni is frozen',
    edit: (w) => (w.readings('pg1').rest = DEAD),
  },
  {
    check: 'leader_alive',
    wants: 'unknown',
    what: 'its REST API refuses us',
    edit: (w) => (w.readings('pg1').rest = silent('denied')),
  },
  {
    check: 'leader_alive',
    wants: 'ok',
    what: 'only SQL was asked',
    edit: (w) => (w.readings('pg1').rest = OFF),
  },
  {
    check: 'leader_alive',
    wants: 'refused',
    what: 'no member leads, so none steps down',
    edit: (w) => [leaderKey(null)(w), dead('pg1')(w)],
  },
  {
    check: 'leader_alive',
    wants: 'ok',
    what: 'no member leads, failover',
    request: FAIL2,
    edit: (w) => [leaderKey(null)(w), dead('pg1')(w)],
  },
  {
    check: 'leader_alive',
    wants: 'refused',
    what: 'no lock, but a primary: failsafe',
    request: FAIL2,
    edit: leaderKey(null),
  },
  {
    check: 'leader_alive',
    wants: 'refused',
    what: 'a replica holds the lock',
    edit: leaderKey('pg3'),
  },
  { check: 'failover_pending', wants: 'ok', what: 'finished', options: failoverKey('{}') },
  {
    check: 'failover_pending',
    wants: 'refused',
    what: 'scheduled',
    options: failoverKey('{"leader":"pg1","scheduled_at":"2026-11-22T00:00:00+00:00"}'),
  },
  {
    check: 'failover_pending',
    wants: 'refused',
    what: 'left over',
    options: failoverKey('{"leader":"pg1","candidate":"pg3"}'),
  },
  { check: 'paused_needs_candidate', wants: '-', what: 'not paused' },
  { check: 'paused_needs_candidate', wants: 'refused', what: 'unnamed', options: PAUSE },
  { check: 'paused_needs_candidate', wants: 'ok', what: 'named', options: PAUSE, request: TO2 },
  {
    check: 'paused_no_schedule',
    wants: 'refused',
    what: 'scheduled in pause',
    options: PAUSE,
    request: { scheduledAt: '2026-11-22T00:00:00Z' },
  },
  {
    check: 'paused_no_schedule',
    wants: '-',
    what: 'scheduled, not paused',
    request: { scheduledAt: '2026-11-22T00:00:00Z' },
  },
  { check: 'schedule', wants: '-', what: 'now' },
  {
    check: 'schedule',
    wants: 'ok',
    what: 'to come',
    request: { scheduledAt: '2026-11-21T01:30:01Z' },
  },
  {
    check: 'schedule',
    wants: 'refused',
    what: 'past',
    request: { scheduledAt: '2026-11-21T01:29:59Z' },
  },
  { check: 'schedule', wants: 'refused', what: 'no time', request: { scheduledAt: 'soon' } },
  {
    check: 'schedule',
    wants: 'refused',
    what: 'a failover',
    request: { ...FAIL2, scheduledAt: '2026-11-22T00:00:00Z' },
  },

  // candidate
  { check: 'candidate_exists', wants: '-', what: 'no candidate' },
  {
    check: 'candidate_exists',
    wants: 'refused',
    what: 'a failover without a candidate',
    request: { kind: 'failover' },
  },
  { check: 'candidate_exists', wants: 'ok', what: 'a member', request: TO2 },
  {
    check: 'candidate_exists',
    wants: 'refused',
    what: 'another case',
    request: { candidate: 'PG2' },
  },
  { check: 'candidate_not_leader', wants: 'ok', what: 'a standby', request: TO2 },
  {
    check: 'candidate_not_leader',
    wants: 'refused',
    what: 'the leader',
    request: { candidate: 'pg1' },
  },
  { check: 'candidate_answers', wants: 'ok', what: 'it answers', request: TO2 },
  {
    check: 'candidate_answers',
    wants: 'refused',
    what: 'frozen',
    request: TO2,
    edit: (w) => (w.readings('pg2').rest = DEAD),
  },
  {
    check: 'candidate_answers',
    wants: 'refused',
    what: 'under another name',
    request: TO2,
    edit: (w) => (w.readings('pg2').rest = silent('misidentified')),
  },
  {
    check: 'candidate_answers',
    wants: 'refused',
    what: 'has no address',
    request: TO2,
    edit: (w) => (w.readings('pg2').rest = silent('no_address')),
  },
  {
    check: 'candidate_answers',
    wants: 'unknown',
    what: 'refuses us',
    request: TO2,
    edit: (w) => (w.readings('pg2').rest = silent('denied')),
  },
  {
    check: 'candidate_answers',
    wants: 'unknown',
    what: 'was not asked',
    request: TO2,
    edit: (w) => (w.readings('pg2').rest = OFF),
  },
  {
    check: 'candidate_answers',
    wants: 'refused',
    what: 'PostgreSQL is stopped',
    request: TO2,
    edit: (w) => {
      w.readings('pg2').sql = DEAD;
      Object.assign(w.rest('pg2'), {
        state: 'stopped',
        receivedLocation: null,
        replayedLocation: null,
      });
    },
  },
  {
    check: 'candidate_answers',
    wants: 'refused',
    what: 'a second primary',
    request: TO2,
    edit: (w) => (w.sql('pg2').inRecovery = false),
  },
  { check: 'candidate_nofailover', wants: 'ok', what: 'untagged', request: TO2 },
  {
    check: 'candidate_nofailover',
    wants: 'refused',
    what: 'priority 0',
    request: TO2,
    options: { tags: { pg2: { failover_priority: 0 } } },
  },
  { check: 'candidate_watchdog', wants: 'ok', what: 'none wanted', request: TO2 },
  {
    check: 'candidate_watchdog',
    wants: 'refused',
    what: 'failed',
    request: TO2,
    edit: (w) => (w.rest('pg2').watchdogFailed = true),
  },
  {
    check: 'candidate_watchdog',
    wants: 'unknown',
    what: 'not heard',
    request: TO2,
    edit: (w) => (w.readings('pg2').rest = DEAD),
  },

  // position
  { check: 'candidate_streams', wants: 'ok', what: 'it does', request: TO2 },
  {
    check: 'candidate_streams',
    wants: 'refused',
    what: 'no row',
    request: TO2,
    edit: (w) => w.sql('pg1').walsenders.shift(),
  },
  {
    check: 'candidate_streams',
    wants: 'refused',
    what: 'catching up',
    request: TO2,
    edit: (w) => Object.assign(w.sql('pg1').walsenders[0] ?? {}, { state: 'catchup' }),
  },
  {
    check: 'candidate_streams',
    wants: 'refused',
    what: 'confirms nothing of what it was sent, over two readings',
    request: TO2,
    edit: STREAMS_LATE('pg2'),
    before: () => undefined,
  },
  {
    check: 'candidate_streams',
    wants: 'ok',
    what: 'confirms, though it is never quite there',
    request: TO2,
    edit: STREAMS_LATE('pg2'),
    before: (w) => Object.assign(w.sql('pg1').walsenders[0] ?? {}, { flushLsn: AT - 500n }),
  },
  {
    check: 'candidate_streams',
    wants: 'ok',
    what: 'the client before had the same pid',
    request: TO2,
    edit: STREAMS_LATE('pg2'),
    before: (w) => Object.assign(w.sql('pg1').walsenders[0] ?? {}, { backendStart: 'earlier' }),
  },
  {
    check: 'candidate_streams',
    wants: 'refused',
    what: 'has not replied for longer than a walsender waits',
    request: TO2,
    edit: (w) => Object.assign(w.sql('pg1').walsenders[0] ?? {}, { replyAgeMs: 36_000 }),
  },
  {
    check: 'candidate_streams',
    wants: 'unknown',
    what: 'the leader was not heard',
    request: TO2,
    edit: (w) => {
      w.readings('pg1').rest = silent('denied');
      w.readings('pg1').sql = silent('denied');
    },
  },
  { check: 'candidate_lag', wants: 'ok', what: 'none', request: TO2 },
  {
    check: 'candidate_lag',
    wants: 'ok',
    what: 'exactly as much as is allowed',
    request: TO2,
    edit: (w) => (w.rest('pg2').receivedLocation = w.rest('pg2').replayedLocation = AT - 1048576n),
  },
  {
    check: 'candidate_lag',
    wants: 'refused',
    what: 'one byte more',
    request: TO2,
    edit: (w) => (w.rest('pg2').receivedLocation = w.rest('pg2').replayedLocation = AT - 1048577n),
  },
  {
    check: 'candidate_lag',
    wants: 'unknown',
    what: 'it is unknown',
    request: TO2,
    edit: dead('pg2'),
  },
  {
    check: 'candidate_lag',
    wants: 'refused',
    what: 'far behind what the lost leader wrote into the DCS',
    request: FAIL2,
    edit: (w) => {
      dead('pg1')(w);
      w.rest('pg2').receivedLocation = w.rest('pg2').replayedLocation = AT - 2000000n;
    },
  },
  { check: 'candidate_timeline', wants: 'ok', what: 'the same', request: TO2 },
  {
    check: 'candidate_timeline',
    wants: 'refused',
    what: 'behind',
    request: TO2,
    edit: (w) => (w.sql('pg2').timeline = 2),
  },
  {
    check: 'candidate_timeline',
    wants: 'refused',
    what: 'beyond',
    request: TO2,
    edit: (w) => (w.sql('pg2').timeline = 4),
  },
  {
    check: 'candidate_timeline',
    wants: 'warning',
    what: 'behind, but no member streams, so the control file may be behind',
    request: FAIL2,
    edit: (w) => [dead('pg1')(w), (w.sql('pg2').timeline = 2)],
  },
  {
    check: 'candidate_timeline',
    wants: 'unknown',
    what: 'silent',
    request: TO2,
    edit: dead('pg2'),
  },
  { check: 'replay_paused', wants: 'ok', what: 'it replays', request: TO2 },
  {
    check: 'replay_paused',
    wants: 'warning',
    what: 'paused, nothing waits',
    request: TO2,
    edit: (w) => (w.sql('pg2').replayPaused = true),
  },
  {
    check: 'replay_paused',
    wants: 'refused',
    what: 'paused, much waits',
    request: TO2,
    edit: (w) => Object.assign(w.sql('pg2'), { replayPaused: true, replayLsn: AT - 2000000n }),
  },
  { check: 'replay_paused', wants: 'unknown', what: 'silent', request: TO2, edit: dead('pg2') },

  // sync, votes
  { check: 'candidate_sync', wants: '-', what: 'mode off', request: TO2 },
  { check: 'candidate_sync', wants: 'ok', what: 'in /sync and sync', mode: 'on', request: TO2 },
  { check: 'candidate_sync', wants: 'ok', what: 'a voter', mode: 'quorum', request: TO2 },
  {
    check: 'candidate_sync',
    wants: 'refused',
    what: 'not in /sync',
    mode: 'on',
    request: { candidate: 'pg3' },
  },
  {
    check: 'candidate_sync',
    wants: 'refused',
    what: 'in /sync, and async for PostgreSQL',
    mode: 'on',
    request: TO2,
    edit: syncState('pg2', 'async'),
  },
  {
    check: 'candidate_sync',
    wants: 'refused',
    what: 'in /sync, and only potential for PostgreSQL',
    mode: 'on',
    request: TO2,
    edit: syncState('pg2', 'potential'),
  },
  {
    check: 'candidate_sync',
    wants: 'refused',
    what: '/sync is empty',
    mode: 'on',
    options: EMPTY_SYNC,
    request: TO2,
  },
  {
    check: 'candidate_sync',
    wants: 'refused',
    what: '/sync is empty: Patroni answers 412, whatever is accepted',
    mode: 'on',
    options: EMPTY_SYNC,
    request: { ...TO2, allowDataLoss: true },
  },
  {
    check: 'candidate_sync',
    wants: 'warning',
    what: '/sync is empty, a failover, and loss accepted',
    mode: 'on',
    options: EMPTY_SYNC,
    request: { ...FAIL2, allowDataLoss: true },
  },
  {
    check: 'candidate_sync',
    wants: '-',
    what: 'a standby cluster has no synchronous mode',
    mode: 'on',
    options: { config: { standby_cluster: { host: 'x' } } },
    request: TO2,
  },
  {
    check: 'patroni_405_quorum',
    wants: '-',
    what: 'not in quorum mode',
    options: { version: '4.0.5' },
    request: TO2,
  },
  {
    check: 'patroni_405_quorum',
    wants: '-',
    what: 'no candidate',
    mode: 'quorum',
    options: { version: '4.0.5' },
  },
  {
    check: 'patroni_405_quorum',
    wants: 'ok',
    what: 'mended',
    mode: 'quorum',
    options: { version: '4.0.6' },
    request: TO2,
  },
  {
    check: 'patroni_405_quorum',
    wants: 'refused',
    what: 'foretold',
    mode: 'quorum',
    options: { version: '4.0.5' },
    request: TO2,
  },
  {
    check: 'patroni_405_quorum',
    wants: 'ok',
    what: 'quorum 0 wants one vote, which the named one gives',
    mode: 'quorum',
    options: {
      version: '4.0.5',
      keys: { sync: '{"leader":"pg1","sync_standby":"pg2,pg3","quorum":0}' },
    },
    request: TO2,
  },
  { check: 'votes', wants: 'ok', what: 'all there', mode: 'quorum' },
  {
    check: 'votes',
    wants: 'refused',
    what: 'one voter of two frozen',
    mode: 'quorum',
    edit: dead('pg3'),
  },
  {
    check: 'votes',
    wants: 'refused',
    what: '/sync is empty, and no candidate: Patroni answers 412',
    mode: 'on',
    options: EMPTY_SYNC,
  },
  {
    check: 'votes',
    wants: 'ok',
    what: '/sync is empty in quorum mode: Patroni takes anybody',
    mode: 'quorum',
    options: EMPTY_SYNC,
  },
  {
    check: 'votes',
    wants: 'ok',
    what: 'named, so no votes are counted',
    mode: 'quorum',
    request: TO2,
    edit: dead('pg3'),
  },
  {
    check: 'votes',
    wants: 'unknown',
    what: 'one voter refuses us',
    mode: 'quorum',
    edit: (w) => {
      w.readings('pg3').rest = silent('denied');
      w.readings('pg3').sql = OFF;
    },
  },
  {
    check: 'votes',
    wants: 'ok',
    what: 'the bug of 4.0.5 is told elsewhere',
    mode: 'quorum',
    options: { version: '4.0.5' },
    request: TO2,
  },
  { check: 'data_loss', wants: 'ok', what: 'clean shutdown', request: TO2 },
  {
    check: 'data_loss',
    wants: 'refused',
    what: 'the leader is lost, mode off',
    request: FAIL2,
    edit: dead('pg1'),
  },
  {
    check: 'data_loss',
    wants: 'refused',
    what: 'a primary that cannot be stopped',
    mode: 'quorum',
    request: FAIL2,
    edit: (w) => (w.readings('pg1').rest = DEAD),
  },
  {
    check: 'data_loss',
    wants: 'unknown',
    what: 'we do not hear the leader, but its standby does',
    mode: 'quorum',
    request: FAIL2,
    edit: dead('pg1'),
  },

  // shutdown
  { check: 'logical_walsenders', wants: 'ok', what: 'none' },
  { check: 'logical_walsenders', wants: 'ok', what: 'it has confirmed all', edit: withLogical(0n) },
  {
    check: 'logical_walsenders',
    wants: 'ok',
    what: 'it confirms between the readings',
    edit: withLogical(100n),
    before: (w) => Object.assign(w.sql('pg1').walsenders[2] ?? {}, { flushLsn: AT - 900n }),
  },
  {
    check: 'logical_walsenders',
    wants: 'refused',
    what: 'it replies and confirms nothing',
    edit: withLogical(100n),
    before: () => undefined,
  },
  {
    check: 'logical_walsenders',
    wants: 'warning',
    what: 'it said nothing in the second between: it may have its turn yet',
    edit: withLogical(100n, { replyAgeMs: 4000 }),
    before: () => undefined,
  },
  {
    check: 'logical_walsenders',
    wants: 'refused',
    what: 'it is frozen: silent for longer than a client may be',
    edit: withLogical(100n, { replyAgeMs: 13_000 }),
    before: () => undefined,
  },
  {
    check: 'logical_walsenders',
    wants: 'refused',
    what: 'it stood still for ten seconds',
    edit: withLogical(100n, { replyAgeMs: 11_000 }),
    before: () => undefined,
    beforeMs: 10_500,
  },
  { check: 'logical_walsenders', wants: 'unknown', what: 'one reading', edit: withLogical(100n) },
  {
    check: 'logical_walsenders',
    wants: 'refused',
    what: 'one reading, and long silence',
    edit: withLogical(100n, { replyAgeMs: 50_000 }),
  },
  {
    check: 'logical_walsenders',
    wants: 'refused',
    what: 'it was frozen before it confirmed anything: its slot tells how far it was',
    edit: (w) => {
      const silent = { flushLsn: null, writeLsn: null, replyAgeMs: 50_000 };
      w.sql('pg1').walsenders.push(logical(0n, silent));
      w.sql('pg1').slots.push({
        slotName: 'cdc_slot',
        slotType: 'logical',
        database: 'postgres',
        active: true,
        activePid: 777,
        restartLsn: AT - 500n,
        confirmedFlushLsn: AT - 500n,
        walStatus: 'reserved',
      });
    },
    before: () => undefined,
  },
  {
    check: 'logical_walsenders',
    wants: 'warning',
    what: 'primary_stop_timeout ends it in synchronous mode',
    mode: 'on',
    options: { config: { primary_stop_timeout: 10 } },
    edit: withLogical(100n),
    before: () => undefined,
  },
  {
    check: 'logical_walsenders',
    wants: 'refused',
    what: 'primary_stop_timeout does nothing without synchronous mode',
    options: { config: { primary_stop_timeout: 10 } },
    edit: withLogical(100n),
    before: () => undefined,
  },
  {
    check: 'logical_walsenders',
    wants: 'warning',
    what: 'it will be ended first',
    request: { terminateLogical: true },
    edit: withLogical(100n),
    before: () => undefined,
  },
  { check: 'physical_walsenders', wants: 'ok', what: 'all confirm', before: () => undefined },
  {
    check: 'physical_walsenders',
    wants: 'warning',
    what: 'another standby is frozen',
    request: TO2,
    edit: STREAMS_LATE('pg3'),
    before: () => undefined,
  },
  {
    check: 'paused_standby_cluster',
    wants: '-',
    what: 'it is not paused',
    options: REMOTE,
    edit: standbyLeader(true),
  },
  {
    check: 'paused_standby_cluster',
    wants: '-',
    what: 'its leader is gone: the candidate takes the lock when it expires',
    options: PAUSED_REMOTE,
    request: FAIL2,
    edit: dead('pg1'),
  },
  {
    check: 'paused_standby_cluster',
    wants: 'refused',
    what: 'a switchover',
    options: PAUSED_REMOTE,
    request: TO2,
    edit: standbyLeader(true),
  },
  {
    check: 'paused_standby_cluster',
    wants: 'refused',
    what: 'a failover',
    options: PAUSED_REMOTE,
    request: FAIL2,
    edit: standbyLeader(true),
  },
  { check: 'archiving', wants: 'ok', what: 'it works' },
  {
    check: 'archiving',
    wants: 'ok',
    what: 'it failed once, and has worked since',
    edit: (w) =>
      (w.sql('pg1').archiver = { lastArchivedAgeMs: 10, lastFailedAgeMs: 20, failedCount: 1 }),
  },
  {
    check: 'archiving',
    wants: 'warning',
    what: 'it fails',
    edit: (w) =>
      (w.sql('pg1').archiver = { lastArchivedAgeMs: 20, lastFailedAgeMs: 10, failedCount: 1 }),
  },
  {
    check: 'archiving',
    wants: 'ok',
    what: 'off',
    edit: (w) => {
      w.sql('pg1').settings['archive_mode'] = {
        value: 'off',
        source: null,
        sourcefile: null,
        pendingRestart: false,
      };
      w.sql('pg1').archiver = { lastArchivedAgeMs: null, lastFailedAgeMs: 10, failedCount: 1 };
    },
  },
  { check: 'archiving', wants: 'unknown', what: 'no login', edit: restOnly },
  {
    check: 'long_transaction',
    wants: 'ok',
    what: 'short',
    edit: (w) => (w.sql('pg1').oldestXactAgeMs = 59_999),
  },
  {
    check: 'long_transaction',
    wants: 'warning',
    what: 'long',
    edit: (w) => (w.sql('pg1').oldestXactAgeMs = 60_000),
  },
  { check: 'long_transaction', wants: 'unknown', what: 'no login', edit: restOnly },
  { check: 'base_backup', wants: 'ok', what: 'none' },
  {
    check: 'base_backup',
    wants: 'warning',
    what: 'one',
    edit: (w) => (w.sql('pg1').baseBackupsRunning = 1),
  },
  {
    check: 'base_backup',
    wants: 'warning',
    what: 'one, seen over REST',
    edit: (w) => {
      w.rest('pg1').replication?.push({
        ...w.rest('pg1').replication?.[0],
        applicationName: 'pg_basebackup',
        state: 'backup',
      } as never);
      restOnly(w);
    },
  },

  // subscribers
  { check: 'logical_slots', wants: 'ok', what: 'there is none', request: TO2 },
  { check: 'logical_slots', wants: 'unknown', what: 'no login', request: TO2, edit: restOnly },
  {
    check: 'logical_slots',
    wants: 'ok',
    what: 'its copy is synchronized',
    request: TO2,
    edit: (w) => {
      failoverSlot(w, 'pg1');
      failoverSlot(w, 'pg2', { synced: true, active: false });
    },
  },
  {
    check: 'logical_slots',
    wants: 'refused',
    what: 'no copy of a failover slot',
    request: TO2,
    edit: (w) => failoverSlot(w, 'pg1'),
  },
  {
    check: 'logical_slots',
    wants: 'refused',
    what: 'its copy is not synchronized yet',
    request: TO2,
    edit: (w) => {
      failoverSlot(w, 'pg1');
      failoverSlot(w, 'pg2', { synced: true, temporary: true });
    },
  },
  {
    check: 'logical_slots',
    wants: 'refused',
    what: 'Patroni may choose one without a copy',
    edit: (w) => {
      failoverSlot(w, 'pg1');
      failoverSlot(w, 'pg3', { synced: true });
    },
  },
  {
    check: 'logical_slots',
    wants: 'warning',
    what: 'a slot that nothing carries',
    request: TO2,
    edit: (w) => failoverSlot(w, 'pg1', { failover: false }),
  },
  {
    check: 'logical_slots',
    wants: 'ok',
    what: "Patroni's own copy",
    request: TO2,
    options: { config: { slots: { sub: { database: 'app', plugin: 'pgoutput' } } } },
    edit: (w) => {
      failoverSlot(w, 'pg1', { failover: false });
      failoverSlot(w, 'pg2', { failover: false });
    },
  },
  {
    check: 'logical_slots',
    wants: 'refused',
    what: "Patroni's copy is not there",
    request: TO2,
    options: { config: { slots: { sub: { database: 'app', plugin: 'pgoutput' } } } },
    edit: (w) => failoverSlot(w, 'pg1', { failover: false }),
  },
  {
    check: 'logical_slots',
    wants: 'warning',
    what: 'the leader is gone, and another standby has the copy',
    request: FAIL2,
    edit: (w) => {
      dead('pg1')(w);
      failoverSlot(w, 'pg3', { synced: true });
    },
  },

  // afterwards
  { check: 'slots_for_old_leader', wants: 'ok', what: 'there', request: TO2 },
  {
    check: 'slots_for_old_leader',
    wants: 'ok',
    what: 'made after the promotion',
    request: TO2,
    edit: (w) => (w.sql('pg2').slots = []),
  },
  {
    check: 'slots_for_old_leader',
    wants: 'warning',
    what: 'no room',
    request: TO2,
    edit: (w) => {
      const slots = w.sql('pg2').slots;
      w.sql('pg2').slots = slots.filter((slot) => slot.slotName !== 'pg1');
      Object.assign(w.sql('pg2').settings['max_replication_slots'] ?? {}, { value: '1' });
    },
  },
  {
    check: 'slots_for_old_leader',
    wants: 'warning',
    what: 'reserves nothing',
    request: TO2,
    edit: (w) => w.sql('pg2').slots.forEach((slot) => (slot.restartLsn = null)),
  },
  {
    check: 'slots_for_old_leader',
    wants: 'unknown',
    what: 'no login',
    request: TO2,
    edit: restOnly,
  },
  { check: 'candidate_walsenders', wants: 'ok', what: 'enough', request: TO2 },
  {
    check: 'candidate_walsenders',
    wants: 'warning',
    what: 'one too few',
    request: TO2,
    edit: (w) => Object.assign(w.sql('pg2').settings['max_wal_senders'] ?? {}, { value: '1' }),
  },
  { check: 'old_leader_rewind', wants: 'ok', what: 'wal_log_hints' },
  {
    check: 'old_leader_rewind',
    wants: 'ok',
    what: 'checksums',
    edit: (w) => {
      Object.assign(w.sql('pg1').settings['wal_log_hints'] ?? {}, { value: 'off' });
      Object.assign(w.sql('pg1').settings['data_checksums'] ?? {}, { value: 'on' });
    },
  },
  {
    check: 'old_leader_rewind',
    wants: 'warning',
    what: 'neither',
    edit: (w) => Object.assign(w.sql('pg1').settings['wal_log_hints'] ?? {}, { value: 'off' }),
  },
  {
    check: 'old_leader_rewind',
    wants: 'warning',
    what: 'use_pg_rewind off',
    options: { config: { postgresql: { use_pg_rewind: false } } },
  },
  { check: 'bystanders_follow', wants: 'ok', what: 'its Patroni answers', request: TO2 },
  {
    check: 'bystanders_follow',
    wants: 'warning',
    what: 'its Patroni is dead and its PostgreSQL lives',
    request: TO2,
    edit: (w) => (w.readings('pg3').rest = DEAD),
  },
  {
    check: 'bystanders_follow',
    wants: 'unknown',
    what: 'it does not answer us',
    request: TO2,
    edit: (w) => (w.readings('pg3').rest = { ok: false, kind: 'denied', reason: 'HTTP 403' }),
  },
];

function found(one: Case) {
  const world = healthy(one.mode ?? 'off', one.options);
  one.edit?.(world);
  const before = one.before ? earlierBy(one.beforeMs ?? 1000, world) : null;
  if (before) one.before?.(before);
  return plan(world, one.request, before);
}

describe.each(CHECK_NAMES)('%s', (check) => {
  const cases = CASES.filter((one) => one.check === check);
  test.each(cases.map((one) => [one.wants, one.what, one] as const))('%s: %s', (wants, _, one) => {
    expect(result(found(one), check)).toBe(wants);
  });

  test('has a case that is well and one that is not', () => {
    const wants = cases.map((one) => one.wants);
    const well = wants.includes('ok') || wants.includes('-');
    expect(well && wants.some((word) => word !== 'ok' && word !== '-')).toBe(true);
  });
});

test('what is not ok says what to do, and what it rests on is a witness', () => {
  const wrong = CASES.flatMap((one) => found(one).checks).filter(
    ({ said, result, next, evidence }) =>
      /undefined|null|NaN/.test(said) ||
      (next === null ? result !== 'ok' : result === 'ok' || next.length <= 5) ||
      evidence.some((witness) => witness.subject === '' || witness.said === ''),
  );
  expect(wrong).toEqual([]);
});

test('a stuck client is listed with what it has not confirmed, counted from where the leader writes', () => {
  const world = healthy();
  withLogical(100n, { sentLsn: AT - 40n })(world);
  const listed = plan(world, {}, earlierBy(1000, world)).logical;
  expect(listed).toEqual([
    {
      pid: 777,
      applicationName: 'cdc',
      clientAddr: '10.0.0.9',
      slotName: 'cdc_slot',
      unconfirmedBytes: 100,
      stuck: true,
    },
  ]);
});

describe('the price of a stalled standby', () => {
  const price = (mode: Case['mode'], request: Partial<ChangeRequest>, timeoutMs = '60000') => {
    const world = healthy(mode);
    STREAMS_LATE('pg3')(world);
    Object.assign(world.sql('pg1').settings['wal_sender_timeout'] ?? {}, { value: timeoutMs });
    const { checks } = plan(world, request, earlierBy(1000, world));
    const { said, next } = checks.find(({ name }) => name === 'physical_walsenders') ?? {};
    return [said, next];
  };
  const HANGS = [
    'pg3 confirms nothing: the shutdown of the old leader waits until wal_sender_timeout',
    'check that node first',
  ];
  const kept = (how: string) => [
    `pg3 confirms nothing: too few members receive the end of the WAL, so the lock is kept and no member accepts writes ${how}`,
    'check that node first, or name a candidate that keeps up (--candidate auto)',
  ];

  test('votes that need it: no writes until PostgreSQL gives it up; a name needs no votes', () => {
    expect(price('quorum', {})).toEqual(kept('for wal_sender_timeout (60 s)'));
    expect(price('quorum', {}, '0')).toEqual(kept('until it continues: wal_sender_timeout is 0'));
    expect(price('quorum', TO2)).toEqual(HANGS);
  });

  test('another member is enough: only the old leader is late', () => {
    expect(price('off', {})).toEqual(HANGS);
    expect(price('on', {})).toEqual(HANGS);
  });
});

test('what is unknown: ask for it, or check it where all were asked', () => {
  const next = (verify: 'auto' | 'sql') => {
    const world = healthy();
    world.rest('pg2').timeline = null;
    world.sql('pg2').timeline = null;
    world.sql('pg2').walReceiver = null;
    world.snapshot.verify = verify;
    const { checks } = plan(world, TO2);
    return checks.find(({ name }) => name === 'replay_paused' || name === 'candidate_timeline')
      ?.next;
  };
  expect([next('auto'), next('sql')]).toEqual([
    'find out why pg2 did not report it',
    'ask with --verify auto',
  ]);
});
