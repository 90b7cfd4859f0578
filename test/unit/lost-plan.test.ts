/** The plan of `swap --from-lost`: a standby site whose primary site is silent, and each thing that speaks against it. */
import { expect, test } from 'vitest';
import type { SqlStatus, WalReceiver } from '../../src/cluster/model/model.js';
import type { LostPlan, LostRequest, OtherSite } from '../../src/cluster/preflight/lost-model.js';
import { lostDifferences, lostPlan } from '../../src/cluster/preflight/lost-plan.js';
import type { Site } from '../../src/cluster/preflight/swap-model.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { AT, DEAD, healthy, OFF, restOnly, type HealthyOptions } from './plan-support.js';

type World = ReturnType<typeof healthy>;

const RECEIVER: WalReceiver = {
  ...{ pid: 9, status: 'streaming', senderHost: '10.0.0.1', senderPort: 5431, slotName: null },
  ...{ flushedLsn: AT, receivedTimeline: 3, lastMessageAgeMs: 10 },
};

/** `west`, whose pg1 has lost its WAL receiver 42 s after the last commit. */
function west(options: HealthyOptions = {}): World {
  const standby_cluster = { host: '10.0.0.1', port: 5431 };
  const world = healthy('off', { ...options, config: { standby_cluster, ...options.config } });
  const { cluster } = world.snapshot;
  [cluster.scope, cluster.systemId] = ['west', '7'];
  for (const member of cluster.members) {
    member.host = '10.0.1.1';
    if (member.name === 'pg1') member.role = 'standby_leader';
  }
  Object.assign(world.sql('pg1'), {
    ...{ inRecovery: true, currentLsn: null, receiveLsn: AT, replayLsn: AT },
    ...{ walReceiver: null, lastXactReplayAgeMs: 42_000, systemId: '7' },
  });
  Object.assign(world.rest('pg1'), {
    ...{ role: 'standby_leader', location: null, replicationState: null },
    ...{ receivedLocation: AT, replayedLocation: AT },
  });
  return world;
}

const SILENT: OtherSite = {
  ...{ label: 'demo', way: ['-c', 'demo.yml'], view: null, silent: 'etcd did not answer' },
  refuses: false,
  sources: [{ host: '10.0.0.1', port: 5431, reading: DEAD }],
};

function plan(
  world: World,
  other: Partial<OtherSite> = {},
  request: Partial<LostRequest> = {},
): LostPlan {
  const here: Site = { side: 'here', label: 'west', view: viewOf(world.snapshot), way: [] };
  const asked = { acceptDataLoss: true, skipChecks: [], ...request };
  return lostPlan(here, { ...SILENT, ...other }, asked);
}

/** `demo` as it answers once its DCS does. */
function demo(breaks: (world: World) => void = () => undefined): Partial<OtherSite> {
  const world = healthy('off');
  world.snapshot.cluster.systemId = '7';
  world.sql('pg1').systemId = '7';
  breaks(world);
  return { view: viewOf(world.snapshot), silent: null };
}

const source = (value: Partial<SqlStatus>): Partial<OtherSite> => ({
  sources: [
    {
      ...{ host: '10.0.0.1', port: 5431 },
      reading: { ok: true, tookMs: 1, value: { ...healthy('off').sql('pg1'), ...value } },
    },
  ],
});

const check = (made: LostPlan, name: string) => made.checks.find((one) => one.name === name);
const said = (made: LostPlan, name: string): string => check(made, name)?.said ?? '';
const bad = (made: LostPlan): string[] =>
  made.checks
    .filter(({ result }) => result !== 'ok')
    .map(({ name, result }) => `${name} ${result}`);

test('a silent primary site: promoted where the loss is accepted, with what is known of it', () => {
  const made = plan(west());
  expect(made.refusedBy).toEqual([]);
  expect(bad(made)).toContain('other_site unknown');
  expect(said(made, 'other_site')).toBe(
    'demo does not answer (etcd did not answer); from here it cannot be told whether it still accepts writes',
  );
  expect(said(made, 'data_loss')).toBe(
    'what demo committed after that is lost: pg1 of west has received up to 0/5000000 on timeline 3, when it last heard from the primary is unknown, its last replayed commit is 42 s old',
  );
  expect(made.known).toEqual({
    ...{ member: 'pg1', timeline: 3, received: '0/5000000', replayed: '0/5000000' },
    ...{ lastMessageAgeMs: null, lastCommitAgeMs: 42_000 },
    ...{ primaryWrote: null, lostAtLeastBytes: null },
  });
});

test('the loss is to be accepted by its own flag, which no other one stands for', () => {
  const made = plan(west(), {}, { acceptDataLoss: false, skipChecks: ['data_loss'] });
  expect(made.refusedBy).toEqual(['data_loss']);
  expect(check(made, 'data_loss')?.next).toMatch(/accept the loss: --accept-data-loss$/);
});

test.each<[what: string, other: Partial<OtherSite>, words: string]>([
  [
    'a member of it is a primary',
    demo(),
    'pg1 of demo is a primary: demo is not lost, and there would be two primaries',
  ],
  [
    'the address from which this site streamed is a primary of this database',
    source({ systemId: '7' }),
    'PostgreSQL at 10.0.0.1:5431 is a primary: demo is not lost, and there would be two primaries',
  ],
  [
    'its leader lock is held, and its members are silent',
    demo(({ snapshot }) => {
      for (const one of snapshot.members) Object.assign(one, { rest: DEAD, sql: DEAD });
    }),
    'pg1 of demo holds the leader lock: its Patroni was alive a moment ago',
  ],
])('the other site is not lost: %s', (_, other, words) => {
  const made = plan(west(), other, { skipChecks: ['other_site'] });
  expect(made.refusedBy).toEqual(['other_site']);
  expect(said(made, 'other_site')).toBe(words);
});

test('a site without a lock: what its DCS shows that it wrote was not received', () => {
  const gone = demo(({ snapshot }) => {
    snapshot.cluster.leaderName = null;
    if (snapshot.cluster.status) snapshot.cluster.status.optime = AT + 5000n;
    for (const one of snapshot.members) Object.assign(one, { rest: DEAD, sql: DEAD });
  });
  const made = plan(west(), gone);
  expect(made.refusedBy).toEqual([]);
  expect([made.known.primaryWrote, made.known.lostAtLeastBytes]).toEqual(['0/5001388', 5000]);
  expect(said(made, 'data_loss')).toMatch(/, at least 5000 bytes of WAL were not received/);
  expect(said(made, 'other_site')).toBe(
    'no answer from pg1, pg2, pg3 of demo; from here it cannot be told whether it still accepts writes',
  );
});

test('every member there is a standby or stopped, or the address is another database: not a primary', () => {
  const stopped = demo((world) => {
    world.snapshot.cluster.leaderName = null;
    world.readings('pg1').sql = DEAD;
    Object.assign(world.rest('pg1'), { state: 'stopped', location: null, serverVersion: null });
    world.sql('pg2').systemId = '7';
  });
  const electing = plan(west(), stopped);
  expect(electing.refusedBy).toEqual(['other_election']);
  expect(said(electing, 'other_site')).toBe('every member of demo answers, and none is a primary');
  expect(said(electing, 'other_election')).toBe(
    'Patroni of pg1, pg2, pg3 of demo runs and may elect a primary at any moment',
  );
  expect(check(electing, 'other_election')?.next).toBe(
    'stop Patroni on every member of demo first; see: patctl -c demo.yml list demo',
  );
  expect(plan(west(), stopped, { skipChecks: ['other_election'] }).refusedBy).toEqual([]);
  const told = demo((world) => {
    world.snapshot.cluster.leaderName = null;
    const { config } = world.snapshot.cluster;
    if (config) config.standbyCluster = { host: '10.0.1.1', port: 5431 };
    const at = { inRecovery: true, currentLsn: null, receiveLsn: AT, replayLsn: AT };
    Object.assign(world.sql('pg1'), at);
  });
  expect(said(plan(west(), told), 'other_site')).toBe(
    'every member of demo answers, and none is a primary',
  );
  expect(plan(west(), source({ systemId: '8' })).refusedBy).toEqual([]);
  const foreign = demo((world) => {
    world.snapshot.cluster.systemId = world.sql('pg1').systemId = '8';
  });
  expect(plan(west(), foreign).refusedBy).toContain('same_database');
});

const DENIED = { ok: false, kind: 'denied', reason: 'refused with HTTP 401' } as const;

test('Patroni of a member there refuses to tell its state: it may elect a primary', () => {
  const refusing = demo((world) => {
    world.snapshot.cluster.leaderName = null;
    for (const one of world.snapshot.members) Object.assign(one, { rest: DEAD, sql: DEAD });
    world.readings('pg2').rest = DENIED;
  });
  const made = plan(west(), refusing);
  expect(made.refusedBy).toEqual(['other_election']);
  expect(said(made, 'other_election')).toBe(
    'Patroni of pg2 of demo refuses to tell its state and may elect a primary at any moment',
  );
  expect(check(made, 'other_election')?.evidence).toEqual([
    { witness: 'REST', subject: 'pg2 of demo', said: 'refused with HTTP 401' },
  ]);
  expect(said(made, 'other_site')).toBe(
    'Patroni of pg2 of demo refuses to tell its state; no answer from pg1, pg3 of demo; from here it cannot be told whether it still accepts writes',
  );
  expect(plan(west(), refusing, { skipChecks: ['other_election'] }).refusedBy).toEqual([]);
});

test('a member there that our own files keep from being asked: silent', () => {
  const unasked = demo((world) => {
    world.snapshot.cluster.leaderName = null;
    for (const one of world.snapshot.members) Object.assign(one, { rest: DEAD, sql: DEAD });
    world.readings('pg2').rest = { ...DENIED, reason: 'TLS settings: ENOENT', unasked: true };
  });
  const made = plan(west(), unasked);
  expect(made.refusedBy).toEqual([]);
  expect(said(made, 'other_site')).toBe(
    'no answer from pg1, pg2, pg3 of demo; from here it cannot be told whether it still accepts writes',
  );
});

test('a site that answers and refuses to tell what it is: not called silent', () => {
  const made = plan(west(), { silent: 'HTTP 401', refuses: true });
  expect(made.refusedBy).toEqual(['other_election']);
  expect(said(made, 'other_site')).toBe(
    'demo answers and refuses to tell what it is (HTTP 401); from here it cannot be told whether it still accepts writes',
  );
  expect(check(made, 'other_election')?.next).toBe(
    'stop Patroni on every member of demo first; or name it with --to FILE, which has the login of its REST API',
  );
});

test('a standby there whose Patroni does not answer may be promoted unseen: unknown', () => {
  const unseen = demo((world) => {
    world.snapshot.cluster.leaderName = null;
    for (const one of world.snapshot.members) one.rest = DEAD;
    Object.assign(world.readings('pg1'), { sql: DEAD });
  });
  const made = plan(west(), unseen);
  expect([made.refusedBy, check(made, 'other_site')?.result]).toEqual([[], 'unknown']);
  expect(said(made, 'other_site')).toBe(
    'no answer from pg1 of demo; no answer from Patroni of pg2, pg3 of demo, where PostgreSQL is a standby; from here it cannot be told whether it still accepts writes',
  );
});

test('a site that wrote nothing more, as far as its DCS shows: no number is made of it', () => {
  const gone = demo(({ snapshot }) => {
    snapshot.cluster.leaderName = null;
    for (const one of snapshot.members) Object.assign(one, { rest: DEAD, sql: DEAD });
  });
  const made = plan(west(), gone);
  expect([made.known.lostAtLeastBytes, said(made, 'data_loss')]).toEqual([
    0,
    expect.not.stringContaining('at least'),
  ]);
});

test.each<[what: string, breaks: (world: World) => void, refused: string[], words: string]>([
  [
    'it still hears from the primary',
    (world) => void (world.sql('pg1').walReceiver = { ...RECEIVER }),
    ['receiving'],
    'pg1 of west still streams from 10.0.0.1:5431 (last message 0.0 s ago): a server lives there',
  ],
  [
    'a replica has more than the standby leader',
    (world) => {
      const at = AT + 64n;
      Object.assign(world.sql('pg2'), { receiveLsn: at, replayLsn: at });
    },
    ['most_advanced'],
    'pg2 of west has 64 bytes more than pg1, which would be promoted',
  ],
  [
    'somebody has paused the replay',
    (world) => void (world.sql('pg1').replayPaused = true),
    ['replay'],
    'replay is paused on pg1 of west',
  ],
  [
    'Patroni of the standby leader does not answer',
    (world) => void (world.readings('pg1').rest = DEAD),
    ['standby_leader'],
    'Patroni of pg1 of west does not answer: connect ECONNREFUSED',
  ],
  [
    'a member is a primary already',
    (world) => Object.assign(world.sql('pg2'), { inRecovery: false, currentLsn: AT }),
    ['standby_leader'],
    'pg2 of west is a primary already, in a standby cluster',
  ],
])('%s: refused', (_, breaks, refused, words) => {
  const world = west();
  breaks(world);
  const made = plan(world);
  expect(made.refusedBy).toEqual(refused);
  expect(said(made, refused[0] ?? '')).toBe(words);
  expect(check(made, refused[0] ?? '')?.next).not.toBe('');
});

test('a replica that has more is to lead first, if it may', () => {
  const next = (options: HealthyOptions): string | null => {
    const world = west(options);
    const at = AT + 64n;
    Object.assign(world.sql('pg2'), { receiveLsn: at, replayLsn: at });
    return check(plan(world), 'most_advanced')?.next ?? null;
  };
  expect(next({})).toBe('let it lead first: patctl switchover west --candidate pg2');
  expect(next({ tags: { pg2: { nofailover: true } } })).toMatch(/^it is tagged nofailover: /);
});

test('started at a primary cluster, paused, with a switchover pending, or in strict mode alone', () => {
  expect(said(plan(healthy('off')), 'standby_leader')).toBe('west is not a standby cluster');
  expect(plan(west({ config: { pause: true } })).refusedBy).toEqual(['paused']);
  const pending = west({ keys: { failover: '{"leader":"pg1","member":"pg2"}' } });
  expect(plan(pending).refusedBy).toEqual(['pending']);
  expect(plan(pending, {}, { skipChecks: ['pending'] }).refusedBy).toEqual([]);
  const strict = west({ config: { synchronous_mode: true, synchronous_mode_strict: true } });
  for (const name of ['pg2', 'pg3'])
    Object.assign(strict.readings(name), { rest: DEAD, sql: DEAD });
  expect(plan(strict).refusedBy).toEqual(['synchronous_mode']);
});

test('a receiver that has heard nothing for a minute, and a lag that is left to replay, do not refuse', () => {
  const world = west();
  const walReceiver = { ...RECEIVER, lastMessageAgeMs: 61_000 };
  Object.assign(world.sql('pg1'), { walReceiver, replayLsn: AT - 40n * 1024n ** 2n });
  const made = plan(world);
  expect(made.refusedBy).toEqual([]);
  expect(made.known.lastMessageAgeMs).toBe(61_000);
});

test('without a login the stream of the standby leader is known by REST, or nothing is', () => {
  expect(bad(plan(restOnly(west()))).filter((one) => one.startsWith('receiving'))).toEqual([
    'receiving unknown',
  ]);
  const still = restOnly(west());
  still.rest('pg1').replicationState = 'streaming';
  expect(plan(still).refusedBy).toEqual(['receiving']);
  const mute = west();
  for (const one of mute.snapshot.members) Object.assign(one, { rest: OFF, sql: OFF });
  const made = plan(mute);
  expect(made.refusedBy).toEqual(['standby_leader']);
  expect(said(made, 'data_loss')).toBe(
    'what demo committed after that is lost: no member here said what it received: the loss is unknown',
  );
});

test('a primary that lives is swapped at its own site: the one that is asked here is a standby', () => {
  const lives = check(plan(west(), demo()), 'other_site');
  expect(lives?.next).toBe(
    'change the roles without loss: swap there, with this site as --to; or stop pg1 of demo first; see: patctl check west',
  );
  const heard = west();
  heard.sql('pg1').walReceiver = { ...RECEIVER };
  expect(check(plan(heard), 'receiving')?.next).toMatch(
    /^if the primary lives, swap there, with this site as --to; /,
  );
});

test('what got worse since it was shown', () => {
  const shown = plan(west());
  expect(lostDifferences(shown, shown)).toEqual([]);
  expect(lostDifferences(shown, plan(west(), demo()))).toEqual([
    'other_site: pg1 of demo is a primary: demo is not lost, and there would be two primaries',
  ]);
  const less = west();
  for (const name of ['pg1', 'pg2', 'pg3'])
    Object.assign(less.sql(name), { receiveLsn: AT - 64n, replayLsn: AT - 64n });
  expect(lostDifferences(shown, plan(less))).toEqual([
    'received in west: was 0/5000000, is 0/4FFFFC0',
  ]);
  const heard = demo(({ snapshot }) => {
    snapshot.cluster.leaderName = null;
    if (snapshot.cluster.status) snapshot.cluster.status.optime = AT + 5000n;
    for (const one of snapshot.members) Object.assign(one, { rest: DEAD, sql: DEAD });
  });
  expect(lostDifferences(shown, plan(west(), heard))).toEqual([
    'WAL that was not received: was unknown, is at least 5000 bytes',
  ]);
});
