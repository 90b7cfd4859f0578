/** eventsOf: every code, by value, from two snapshots of one cluster. */
import { describe, expect, test } from 'vitest';
import { dcsAnswers, dcsSilent, eventsOf } from '../../src/cluster/events/events-of.js';
import type { ClusterEvent } from '../../src/cluster/events/event-model.js';
import { readConfig } from '../../src/cluster/model/parse-keys.js';
import type { JsonObject, Snapshot } from '../../src/cluster/model/model.js';
import { DEAD, OFF, healthy, restOnly, type ProcessEnvironment } from './plan-support.js';

const AT = '2026-11-28T15:00:00.000Z';

type Change = (world: ProcessEnvironment) => void;

/** What happens when `after` is done to what `before` made of a healthy cluster. */
function events(after: Change, before: Change = () => undefined, start = healthy): ClusterEvent[] {
  const [was, is] = [start(), start()];
  before(was);
  before(is);
  after(is);
  return eventsOf(was.snapshot, is.snapshot, AT);
}

/** Without those that say what follows from it: the findings. */
function plain(found: readonly ClusterEvent[]): string[] {
  return found
    .filter(({ code }) => !code.startsWith('finding_'))
    .map(({ code, severity, members, message }) =>
      [code, severity, members.join('+'), message].join(' | '),
    );
}

function member({ snapshot }: ProcessEnvironment, name: string) {
  const found = snapshot.cluster.members.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

function remove({ snapshot }: ProcessEnvironment, name: string): void {
  const { cluster } = snapshot;
  cluster.members = cluster.members.filter((one) => one.name !== name);
  snapshot.members = snapshot.members.filter((one) => one.name !== name);
}

const configure =
  (raw: JsonObject): Change =>
  ({ snapshot }) => {
    const text = JSON.stringify(raw);
    snapshot.cluster.config = { ...readConfig(raw), text, modRevision: '7' };
  };

const silence =
  (...names: string[]): Change =>
  (world) => {
    for (const name of names) Object.assign(world.readings(name), { rest: DEAD, sql: DEAD });
  };

const promote: Change = (world) => {
  const { snapshot } = world;
  silence('pg1')(world);
  const [old, now] = [healthy().sql('pg1'), world.sql('pg2')];
  Object.assign(now, {
    ...old,
    timeline: 4,
    walsenders: old.walsenders.filter(({ applicationName }) => applicationName !== 'pg2'),
  });
  const { rest } = world.readings('pg2');
  if (rest.ok) Object.assign(rest.value, { role: 'primary', timeline: 4 });
  snapshot.cluster.leaderName = 'pg2';
};

test('nothing has happened without an earlier snapshot, nor between two equal ones', () => {
  expect(eventsOf(null, healthy().snapshot, AT)).toEqual([]);
  for (const mode of ['off', 'on', 'quorum'] as const)
    expect(eventsOf(healthy(mode).snapshot, healthy(mode).snapshot, AT)).toEqual([]);
});

describe('one change, and the events that it makes', () => {
  const cases: [string, ClusterEvent[] | string[], () => ClusterEvent[]][] = [
    [
      'the leader key is gone',
      ['leader_key_lost | critical | pg1 | the leader key of pg1 is gone'],
      () => events(({ snapshot }) => (snapshot.cluster.leaderName = null)),
    ],
    [
      'a member takes the leader key that was free',
      ['leader_key_taken | info | pg1 | pg1 has taken the leader key'],
      () => {
        const free = healthy();
        free.snapshot.cluster.leaderName = null;
        return eventsOf(free.snapshot, healthy().snapshot, AT);
      },
    ],
    [
      'a failover between two looks',
      [
        'leader_key_taken | warning | pg2 | pg2 has taken the leader key; pg1 held it before',
        'member_silent | warning | pg1 | pg1 stopped answering: the REST API and PostgreSQL: connect ECONNREFUSED',
        'role_changed | warning | pg2 | pg2 is now a primary; it was a replica',
        'timeline_changed | info | pg2 | pg2: timeline 4, before 3',
      ],
      () => events(promote),
    ],
    [
      'the state of a member, by its REST API',
      ['state_changed | info | pg2 | the state of pg2 changed from running to starting'],
      () => events((world) => (world.rest('pg2').state = 'starting')),
    ],
    [
      'the state of a member that does not answer, by its key',
      ['state_changed | warning | pg2 | the state of pg2 changed from running to crashed'],
      () => events((world) => (member(world, 'pg2').state = 'crashed'), silence('pg2')),
    ],
    [
      'a member key is gone',
      ['member_left | warning | pg3 | the member key of pg3 is gone'],
      () => events((world) => remove(world, 'pg3')),
    ],
    [
      'a member that was retired is gone',
      ['member_left | info | pg3 | pg3 was retired: its member key is gone'],
      () =>
        events((world) => {
          remove(world, 'pg3');
          world.snapshot.cluster.retired = [{ name: 'pg3', modRevision: '8' }];
        }),
    ],
    [
      'a member key is there',
      ['member_came | info | pg3 | pg3 has a member key: replica, running'],
      () => {
        const two = healthy();
        remove(two, 'pg3');
        return eventsOf(two.snapshot, healthy().snapshot, AT);
      },
    ],
    [
      'a member answers again over both',
      ['member_answers | info | pg3 | pg3 answers again: the REST API and PostgreSQL'],
      () => {
        const silent = healthy();
        silence('pg3')(silent);
        return eventsOf(silent.snapshot, healthy().snapshot, AT);
      },
    ],
    [
      'only PostgreSQL of a member is silent',
      ['member_silent | warning | pg3 | pg3 stopped answering: PostgreSQL: connect ECONNREFUSED'],
      () => events((world) => (world.readings('pg3').sql = DEAD)),
    ],
    [
      'a witness is no longer asked',
      [],
      () => events((world) => (world.readings('pg3').sql = OFF)),
    ],
    [
      'a standby stops streaming',
      ['streaming_stopped | warning | pg2 | pg2 no longer streams'],
      () =>
        events((world) => {
          world.sql('pg1').walsenders.splice(0, 1);
          world.sql('pg2').walReceiver = null;
        }),
    ],
    [
      'a standby streams again',
      ['streaming_started | info | pg2 | pg2 streams from pg1'],
      () => {
        const stopped = healthy();
        stopped.sql('pg1').walsenders.splice(0, 1);
        stopped.sql('pg2').walReceiver = null;
        return eventsOf(stopped.snapshot, healthy().snapshot, AT);
      },
    ],
    [
      '/sync names another standby',
      [
        'sync_changed | info | pg3 | /sync changed from leader pg1, standbys pg2 to leader pg1, standbys pg3',
      ],
      () =>
        events(
          ({ snapshot }) => {
            snapshot.cluster.sync = { ...sync(snapshot), standbys: ['pg3'], modRevision: '8' };
          },
          undefined,
          () => healthy('on'),
        ),
    ],
    [
      '/sync names no standby any more',
      [
        'sync_changed | warning |  | /sync changed from leader pg1, standbys pg2 to leader pg1, standbys none',
      ],
      () =>
        events(
          ({ snapshot }) => {
            snapshot.cluster.sync = { ...sync(snapshot), standbys: [], modRevision: '8' };
          },
          undefined,
          () => healthy('on'),
        ),
    ],
    [
      'order and case of the names in /sync mean nothing',
      [],
      () => {
        const [was, is] = [healthy('quorum').snapshot, healthy('quorum').snapshot];
        is.cluster.sync = { ...sync(is), standbys: ['PG3', 'pg2'], modRevision: '8' };
        return eventsOf(was, is, AT);
      },
    ],
    [
      'keys of the configuration change, come and go, a secret among them',
      [
        'config_changed | info |  | loop_wait was removed; it was 10',
        'config_changed | info |  | postgresql.parameters.max_connections was set to 200',
        'config_changed | info |  | postgresql.parameters.primary_password changed (***)',
        'config_changed | info |  | ttl changed from 30 to 20',
      ],
      () => {
        const [was, is] = [healthy(), healthy()];
        configure({
          ttl: 30,
          loop_wait: 10,
          postgresql: { parameters: { primary_password: 'hunter2' } },
        })(was);
        configure({
          ttl: 20,
          postgresql: { parameters: { primary_password: 'hunter3', max_connections: 200 } },
        })(is);
        return eventsOf(was.snapshot, is.snapshot, AT);
      },
    ],
    [
      'pause',
      ['paused | warning |  | the cluster is paused: Patroni does not fail over by itself'],
      () => events(configure({ pause: true }), configure({})),
    ],
    [
      'the end of a pause',
      ['resumed | info |  | the cluster is no longer paused'],
      () => events(configure({}), configure({ pause: true })),
    ],
    [
      'a request in /failover',
      ['failover_requested | warning | pg1+pg2 | /failover requests a switchover from pg1 to pg2'],
      () => events(request),
    ],
    [
      'the end of a request in /failover',
      [
        'failover_request_gone | info | pg1+pg2 | the request in /failover is gone (switchover from pg1 to pg2)',
      ],
      () => events(({ snapshot }) => (snapshot.cluster.failover = null), request),
    ],
    [
      'a scheduled restart',
      [
        'restart_scheduled | info | pg2 | a restart of pg2 is scheduled at 2026-11-29T02:00:00+00:00',
      ],
      () => events(schedule),
    ],
    [
      'a restart that is no longer scheduled',
      [
        'restart_unscheduled | info | pg2 | the restart of pg2 at 2026-11-29T02:00:00+00:00 is no longer scheduled',
      ],
      () => events((world) => (member(world, 'pg2').scheduledRestart = null), schedule),
    ],
    [
      'a pending restart',
      ['pending_restart | info | pg2 | pg2 needs a restart to apply max_connections'],
      () => events(pend),
    ],
    [
      'a restart that is no longer pending',
      ['pending_restart_gone | info | pg2 | pg2 no longer needs a restart'],
      () => events((world) => (member(world, 'pg2').pendingRestart = false), pend),
    ],
    [
      'several members go to one timeline',
      ['timeline_changed | info | pg2+pg3 | pg2, pg3: timeline 4, before 3'],
      () =>
        events((world) => {
          for (const name of ['pg2', 'pg3']) {
            world.sql(name).timeline = 4;
            world.rest(name).timeline = 4;
          }
        }),
    ],
    [
      'a line in /history',
      [
        'history_added | info | pg2 | /history: timeline 3 ended at 0/5000060 (new leader pg2, no recovery target specified, at 2026-11-28T14:59:58Z)',
      ],
      () =>
        events(({ snapshot }) =>
          snapshot.cluster.history?.push({
            timeline: 3,
            lsn: 0x5000060n,
            reason: 'no recovery target specified',
            timestamp: '2026-11-28T14:59:58Z',
            newLeader: 'pg2',
          }),
        ),
    ],
    [
      'failsafe mode begins on two members',
      ['failsafe_began | warning | pg1+pg2 | failsafe mode is active on pg1, pg2'],
      () => events(failsafe('pg1', 'pg2')),
    ],
    [
      'failsafe mode ends on one of them',
      ['failsafe_ended | info | pg1 | failsafe mode is no longer active on pg1'],
      () =>
        events(
          (world) => {
            failsafe('pg1', 'pg2')(world);
            world.rest('pg1').failsafeModeIsActive = false;
          },
          failsafe('pg1', 'pg2'),
        ),
    ],
  ];
  test.each(cases)('%s', (_, wanted, happen) => expect(plain(happen())).toEqual(wanted));
});

function sync({ cluster }: Snapshot) {
  if (cluster.sync === null) throw new Error('no /sync');
  return cluster.sync;
}

const request: Change = ({ snapshot }) => {
  snapshot.cluster.failover = {
    leader: 'pg1',
    candidate: 'pg2',
    scheduledAt: null,
    modRevision: '8',
  };
  snapshot.cluster.failoverRevision = '8';
};

const schedule: Change = (world) => {
  member(world, 'pg2').scheduledRestart = { schedule: '2026-11-29T02:00:00+00:00' };
};

const pend: Change = (world) => {
  Object.assign(member(world, 'pg2'), {
    pendingRestart: true,
    pendingRestartReason: { max_connections: { old_value: '100', new_value: '200' } },
  });
};

const failsafe =
  (...names: string[]): Change =>
  (world) => {
    for (const name of names) world.rest(name).failsafeModeIsActive = true;
  };

describe('what a silent witness does not tell has not changed', () => {
  test('the DCS: with its claims unknown, neither leader, members, /sync nor configuration', () => {
    const was = healthy('on').snapshot;
    const now = healthy('on').snapshot;
    const unknown = Object.fromEntries(
      ['leader', 'sync', 'failover', 'config', 'history'].map((claim) => [claim, 'no answer']),
    );
    now.cluster = { ...now.cluster, leaderName: null, sync: null, cannotTell: unknown };
    expect(plain(eventsOf(was, now, AT))).toEqual([]);
    const after = healthy('on').snapshot;
    after.cluster.leaderName = 'pg2';
    // What changed in the meantime is seen afterwards.
    const silent = { ...was, cluster: { ...was.cluster, cannotTell: unknown } };
    expect(plain(eventsOf(silent, after, AT))).toEqual([
      'leader_key_taken | warning | pg2 | pg2 has taken the leader key; pg1 held it before',
    ]);
  });

  test('a member: neither its role nor its timeline, and its last word is what is compared later', () => {
    const found = events(silence('pg2', 'pg3'));
    expect(found.map(({ code }) => code)).not.toContain('role_changed');
    expect(found.map(({ code }) => code)).not.toContain('timeline_changed');
  });

  test('SQL that gives way to REST: nothing but that PostgreSQL is silent', () => {
    const found = plain(eventsOf(healthy().snapshot, restOnly(healthy()).snapshot, AT));
    expect(found).toEqual([]);
  });
});

describe('findings', () => {
  const findingsIn = (found: readonly ClusterEvent[]) =>
    found
      .filter(({ code }) => code.startsWith('finding_'))
      .map(({ code, severity, finding, members }) =>
        [code, severity, finding, members.join('+')].join(' '),
      );

  test('one that appeared carries its own words, severity and evidence; and goes', () => {
    const bad = healthy();
    Object.assign(bad.sql('pg2'), { inRecovery: false, currentLsn: 0x6000000n });
    const [first] = eventsOf(healthy().snapshot, bad.snapshot, AT).filter(
      ({ finding }) => finding === 'two_primaries',
    );
    expect(first).toMatchObject({
      code: 'finding_appeared',
      at: AT,
      severity: 'critical',
      members: ['pg1', 'pg2'],
      revision: null,
    });
    expect(first?.message).toContain('primaries');
    expect(first?.evidence.length).toBeGreaterThan(1);
    expect(findingsIn(eventsOf(bad.snapshot, healthy().snapshot, AT))).toContain(
      'finding_gone info two_primaries pg1+pg2',
    );
  });

  test('what follows from another finding is not an event', () => {
    const bad = healthy();
    Object.assign(bad.sql('pg2'), { inRecovery: false, currentLsn: 0x6000000n });
    const codes = eventsOf(healthy().snapshot, bad.snapshot, AT).map(({ finding }) => finding);
    expect(codes).not.toContain('primary_without_lock');
  });

  test('one that can no longer be looked for is unknown, not gone', () => {
    const bad = healthy();
    const archiver = { lastArchivedAgeMs: 90_000, lastFailedAgeMs: 1000, failedCount: 9 };
    bad.sql('pg1').archiver = archiver;
    bad.sql('pg1').settings['archive_mode'] = {
      value: 'on',
      source: 'configuration file',
      sourcefile: null,
      pendingRestart: false,
    };
    const code = 'archiving_failing';
    expect(findingsIn(eventsOf(healthy().snapshot, bad.snapshot, AT))).toEqual([
      `finding_appeared warning ${code} pg1`,
    ]);
    const silent = restOnly(healthy()).snapshot;
    const gone = eventsOf(bad.snapshot, silent, AT).filter(({ finding }) => finding === code);
    expect(gone.map(({ code, severity }) => `${code} ${severity}`)).toEqual([
      'finding_gone unknown',
    ]);
  });

  test('one that stays makes no event, whatever its words', () => {
    const [was, is] = [healthy(), healthy()];
    for (const world of [was, is]) silence('pg3')(world);
    is.readings('pg3').rest = { ok: false, kind: 'unreachable', reason: 'connect ETIMEDOUT' };
    expect(eventsOf(was.snapshot, is.snapshot, AT)).toEqual([]);
  });
});

test('the DCS itself stops answering, and answers again', () => {
  expect(dcsSilent('etcd did not answer', AT)).toEqual({
    code: 'dcs_silent',
    at: AT,
    severity: 'critical',
    revision: null,
    members: [],
    message: 'the DCS does not answer: etcd did not answer',
    evidence: [{ witness: 'DCS', subject: 'the DCS', said: 'etcd did not answer' }],
  });
  expect(dcsAnswers(healthy().snapshot, AT)).toEqual({
    code: 'dcs_answers',
    at: AT,
    severity: 'info',
    revision: '9',
    members: [],
    message: 'the DCS answers again',
    evidence: [{ witness: 'DCS', subject: 'the DCS', said: 'revision 9' }],
  });
});
