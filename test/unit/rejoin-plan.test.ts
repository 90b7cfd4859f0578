/** The plan of `swap --rejoin`: an old site in each state in which it may come back, and a new one that has gone on. */
import { expect, test } from 'vitest';
import type { RejoinPlan, RejoinRequest } from '../../src/cluster/preflight/rejoin-model.js';
import { rejoinDifferences, rejoinPlan } from '../../src/cluster/preflight/rejoin-plan.js';
import type { Answering, Site } from '../../src/cluster/preflight/swap-model.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { AT, DEAD, healthy, type HealthyOptions } from './plan-support.js';

type World = ReturnType<typeof healthy>;

/** Where `west` was promoted: timeline 3 ended there. */
const FORK = AT - 64n;

interface Sites {
  demo: World;
  west: World;
}

/** `demo` leads on timeline 3 again, 64 bytes after the point at which `west` went on to timeline 4. */
function sites(demoOptions: HealthyOptions = {}, westOptions: HealthyOptions = {}): Sites {
  const rewind = { postgresql: { use_pg_rewind: true } };
  const demo = healthy('off', {
    ...demoOptions,
    config: { ...rewind, ...demoOptions.config },
  });
  const west = healthy('off', westOptions);
  const { cluster } = west.snapshot;
  cluster.scope = 'west';
  const earlier = demo.snapshot.cluster.history ?? [];
  const ended = { timeline: 3, lsn: FORK, reason: '', timestamp: null, newLeader: 'pg1' };
  cluster.history = [...earlier, ended];
  for (const member of cluster.members) member.host = '10.0.1.1';
  for (const name of ['pg1', 'pg2', 'pg3']) west.sql(name).timeline = west.rest(name).timeline = 4;
  for (const world of [demo, west]) {
    world.snapshot.cluster.systemId = world.sql('pg1').systemId = '7';
    const on = { value: 'on', source: null, sourcefile: null, pendingRestart: false };
    for (const name of ['pg1', 'pg2', 'pg3'])
      Object.assign(world.sql(name).settings, { data_checksums: on });
  }
  return { demo, west };
}

const NOTHING = { rules: null, why: 'not asked', user: null };

function plan(
  { demo, west }: Sites,
  request: Partial<RejoinRequest> = {},
  answers: Answering = null,
): RejoinPlan {
  const site = (side: 'here' | 'there', label: string, world: World, way: string[]): Site => {
    return { side, label, view: viewOf(world.snapshot), way };
  };
  const asked = {
    ...{ host: null, port: null, primarySlotName: null },
    ...{ acceptDataLoss: false, skipChecks: [] },
    ...request,
  };
  const there = site('there', 'west', west, ['-c', 'west.yml']);
  const evidence = {
    addresses: new Map<string, string[]>(),
    access: { ...NOTHING, answers },
    reach: [],
    upstream: null,
    restThere: null,
  };
  return rejoinPlan(site('here', 'demo', demo, []), there, asked, evidence);
}

const check = (made: RejoinPlan, name: string) => made.checks.find((one) => one.name === name);
const said = (made: RejoinPlan, name: string): string => check(made, name)?.said ?? '';
const needs = (made: RejoinPlan): string[] =>
  made.members.map(({ member, needs, aheadBytes }) => `${member} ${needs} ${aheadBytes ?? '-'}`);

/** Nothing runs there; its DCS is back. */
function stopped(options: HealthyOptions = {}): Sites {
  const both = sites(options);
  const { snapshot } = both.demo;
  snapshot.cluster.leaderName = null;
  snapshot.cluster.members = [];
  snapshot.members = [];
  return both;
}

test('a primary again: its own WAL is named, and goes only where that is accepted', () => {
  const made = plan(sites());
  expect(made.refusedBy).toEqual(['data_loss']);
  expect(said(made, 'data_loss')).toMatch(
    /^what demo committed after west was promoted is thrown away: pg1 has 64 bytes of its own after 0\/4FFFFC0 of timeline 3; /,
  );
  expect(needs(made)).toEqual(['pg1 pg_rewind 64', 'pg2 pg_rewind 64', 'pg3 pg_rewind 64']);
  const accepted = plan(sites(), { acceptDataLoss: true });
  expect(accepted.refusedBy).toEqual([]);
  expect([accepted.standbyCluster, accepted.isWritten]).toEqual([
    { host: '10.0.1.1', port: 5431 },
    false,
  ]);
  expect(said(accepted, 'old_site')).toBe(
    'pg1 of demo is a primary that accepts writes: it is demoted',
  );
  expect(said(accepted, 'rewind')).toBe(
    'Patroni rewinds pg1, pg2, pg3 of demo (pg_rewind) from west',
  );
});

test('an address that leads to another database is refused', () => {
  const made = plan(sites(), { acceptDataLoss: true, host: 'vip' }, 'another database');
  expect(made.refusedBy).toEqual(['way_back']);
});

test('which members must be copied again, and by which command', () => {
  const off = sites({ config: { postgresql: { use_pg_rewind: false } } });
  const made = plan(off, { acceptDataLoss: true });
  expect(needs(made)[0]).toBe('pg1 reinit 64');
  expect(check(made, 'rewind')).toMatchObject({
    result: 'warning',
    said: 'pg1, pg2, pg3 of demo must be copied again: use_pg_rewind is off in its dynamic configuration',
    next: 'once the leader of demo streams: patctl reinit demo pg1; patctl reinit demo pg2; patctl reinit demo pg3',
  });
  const bare = sites();
  for (const name of ['pg1', 'pg2', 'pg3']) bare.demo.sql(name).settings = {};
  expect(needs(plan(bare))[0]).toBe('pg1 reinit 64');
});

/** It led again, and so began a timeline 4 of its own. */
function collided(both: Sites): Sites {
  const { cluster } = both.demo.snapshot;
  const ended = { timeline: 3, lsn: AT - 8n, reason: '', timestamp: null, newLeader: 'pg1' };
  cluster.history = [...(cluster.history ?? []), ended];
  for (const { name } of both.demo.snapshot.members)
    both.demo.sql(name).timeline = both.demo.rest(name).timeline = 4;
  return both;
}

test('a site that led again is not led back, whatever is accepted', () => {
  const accepted = { acceptDataLoss: true, skipChecks: ['timelines'] };
  const made = plan(collided(sites()), accepted);
  expect([made.refusedBy, needs(made)[0]]).toEqual([['timelines'], 'pg1 new_site 64']);
  expect(said(made, 'timelines')).toBe(
    'pg1, pg2, pg3 of demo led again and began a timeline of its own after west was promoted: Patroni does not rewind that, and two timelines of one number would be mixed',
  );
  expect(check(made, 'timelines')?.next?.split('; ')).toEqual([
    'make the site again',
    'first keep its configuration in a file, as printed by: patctl show-config demo',
    'then stop Patroni on every member of demo, remove their data directories, and put this into bootstrap.dcs of their configuration: standby_cluster: {"host":"10.0.1.1","port":5431}',
    'then: patctl remove demo',
    'then start Patroni',
    'then: patctl edit-config demo --apply FILE',
  ]);
  const down = plan(collided(stopped()), accepted);
  expect(down.refusedBy).toEqual(['timelines']);
  expect(said(down, 'timelines')).toMatch(/^demo led again and began /);
});

test('a member that was behind the fork streams on as it is', () => {
  const both = sites();
  for (const name of ['pg1', 'pg2', 'pg3'])
    Object.assign(
      both.demo.sql(name),
      name === 'pg1' ? { currentLsn: FORK } : { receiveLsn: FORK - 1n, replayLsn: FORK - 1n },
    );
  const writing = plan(both);
  expect([writing.refusedBy, needs(writing)]).toEqual([
    ['data_loss'],
    ['pg1 nothing -', 'pg2 nothing -', 'pg3 nothing -'],
  ]);
  expect(said(writing, 'data_loss')).toBe(
    'what demo committed after west was promoted is thrown away: what pg1 writes until it is demoted',
  );
  const at = { receiveLsn: FORK, replayLsn: FORK };
  Object.assign(both.demo.sql('pg1'), { ...at, inRecovery: true, currentLsn: null });
  const made = plan(both);
  expect([made.refusedBy, needs(made)]).toEqual([[], needs(writing)]);
  expect(said(made, 'data_loss')).toBe('no member of demo has WAL that west lacks');
});

test('a member that does not answer is not taken for one that is not a primary', () => {
  const both = sites();
  Object.assign(both.demo.sql('pg1'), { inRecovery: true, currentLsn: null, receiveLsn: FORK });
  Object.assign(both.demo.readings('pg3'), { rest: DEAD, sql: DEAD });
  const made = plan(both, { acceptDataLoss: true });
  expect([made.refusedBy, check(made, 'old_site')?.result]).toEqual([[], 'warning']);
  expect(said(made, 'old_site')).toBe(
    'no member of demo that answers is a primary; pg3 does not answer',
  );
});

test('nothing runs there: what it wrote is unknown, but for the last word of its DCS', () => {
  const both = stopped();
  const { status } = both.demo.snapshot.cluster;
  if (status) status.optime = AT;
  const made = plan(both);
  expect(made.refusedBy).toEqual(['data_loss']);
  expect(said(made, 'data_loss')).toBe(
    'no member of demo can be asked: what it wrote after west was promoted is unknown; its DCS shows at least 64 bytes after 0/4FFFFC0 of timeline 3',
  );
  expect(said(made, 'old_site')).toBe(
    'no Patroni of demo answers (no member key): standby_cluster is written before it starts',
  );
  expect(plan(both, { acceptDataLoss: true }).refusedBy).toEqual([]);
});

test('nothing runs there, and its DCS has no history: whether it led again is unknown', () => {
  const both = stopped();
  both.demo.snapshot.cluster.history = null;
  const made = plan(both, { acceptDataLoss: true });
  expect([made.refusedBy, check(made, 'timelines')?.result]).toEqual([[], 'unknown']);
  expect(said(made, 'timelines')).toBe(
    'it is unknown whether demo led again after west was promoted: no member tells, nor its DCS',
  );
});

test('in its configuration already, and a slot that is configured is kept', () => {
  const standby_cluster = { host: '10.0.1.1', port: 5431, primary_slot_name: 'demo' };
  const made = plan(stopped({ config: { standby_cluster } }), { acceptDataLoss: true });
  expect([made.isWritten, made.standbyCluster]).toEqual([true, standby_cluster]);
  const other = plan(stopped({ config: { standby_cluster: { host: 'old', port: 1 } } }));
  expect([other.isWritten, other.standbyCluster]).toEqual([
    false,
    { host: '10.0.1.1', port: 5431 },
  ]);
});

test('a physical slot of one name in both sites is used, where there is one', () => {
  const config = { slots: { swap: { type: 'physical' }, cdc: { type: 'logical' } } };
  const slotOf = (made: RejoinPlan) => made.standbyCluster?.primary_slot_name ?? null;
  expect(slotOf(plan(sites({ config }, { config })))).toBe('swap');
  expect(slotOf(plan(sites({ config })))).toBeNull();
  const two = { slots: { a: { type: 'physical' }, b: { type: 'physical' } } };
  expect(slotOf(plan(sites({ config: two }, { config: two })))).toBeNull();
});

test.each<[what: string, breaks: (both: Sites) => void, refused: string, words: string]>([
  [
    'the new site is a standby cluster',
    ({ west }) => {
      const { config } = west.snapshot.cluster;
      if (config) config.standbyCluster = { host: 'x', port: 1 };
    },
    'new_primary',
    'west is a standby cluster, not a primary',
  ],
  [
    'the new site has two primaries',
    ({ west }) => Object.assign(west.sql('pg2'), { inRecovery: false, currentLsn: AT }),
    'new_primary',
    'pg2 of west is a primary beside the leader',
  ],
  [
    'another database',
    ({ demo }) => void (demo.snapshot.cluster.systemId = demo.sql('pg1').systemId = '8'),
    'same_database',
    'demo is another database (system identifier 8, not 7)',
  ],
  [
    'a primary whose Patroni is dead',
    ({ demo }) => void (demo.readings('pg1').rest = DEAD),
    'old_site',
    'pg1 of demo is a primary, and its Patroni does not answer: it still accepts writes',
  ],
  [
    'a lock whose holder is silent',
    ({ demo }) => Object.assign(demo.readings('pg1'), { rest: DEAD, sql: DEAD }),
    'old_site',
    'pg1 of demo holds the leader lock and does not answer',
  ],
  [
    'a configuration that cannot be read',
    ({ demo }) => {
      const { config } = demo.snapshot.cluster;
      if (config) config.unreadable = true;
    },
    'old_site',
    'the configuration of demo could not be read: whether it leads by itself is unknown',
  ],
])('%s: refused, whatever is accepted', (_, breaks, refused, words) => {
  const both = sites();
  breaks(both);
  const made = plan(both, { acceptDataLoss: true, skipChecks: [refused] });
  expect(made.refusedBy).toContain(refused);
  expect(said(made, refused)).toBe(words);
  expect(check(made, refused)?.next).not.toBe('');
});

test('paused, and a pending switchover', () => {
  const paused = sites({ config: { pause: true } });
  expect(plan(paused, { acceptDataLoss: true }).refusedBy).toEqual(['paused']);
  expect(check(plan(paused), 'paused')?.next).toBe(
    'a resume alone lets demo elect a primary of its own; once what it wrote may be thrown away (data_loss): ' +
      'patctl edit-config demo --set standby_cluster.host=10.0.1.1 --set standby_cluster.port=5431; then: patctl resume demo',
  );
  const written = sites({
    config: { pause: true, standby_cluster: { host: '10.0.1.1', port: 5431 } },
  });
  expect(check(plan(written), 'paused')?.next).toBe('end the pause first: patctl resume demo');
  const pending = sites({ keys: { failover: '{"leader":"pg1","member":"pg2"}' } });
  expect(plan(pending, { acceptDataLoss: true }).refusedBy).toEqual(['pending']);
});

test('what got worse since it was shown', () => {
  const shown = plan(sites(), { acceptDataLoss: true });
  expect(rejoinDifferences(shown, shown)).toEqual([]);
  const moved = sites();
  moved.west.snapshot.cluster.leaderName = 'pg2';
  Object.assign(moved.west.sql('pg2'), { inRecovery: false, currentLsn: AT });
  expect(rejoinDifferences(shown, plan(moved, { acceptDataLoss: true }))[0]).toBe(
    'leader of west: was pg1, is pg2',
  );
  const replicas = sites();
  for (const name of ['pg2', 'pg3'])
    Object.assign(replicas.demo.sql(name), { receiveLsn: FORK, replayLsn: FORK });
  const fewer = plan(replicas, { acceptDataLoss: true });
  expect(rejoinDifferences(shown, fewer)).toEqual([]);
  expect(rejoinDifferences(fewer, shown)).toEqual([
    'pg2: has 64 bytes of its own after 0/4FFFFC0 of timeline 3',
    'pg3: has 64 bytes of its own after 0/4FFFFC0 of timeline 3',
  ]);
});

test('members that tell more while they start do not end a run that only follows them', () => {
  const told = (isStarted: boolean, standby_cluster: object) => {
    const both = sites({ config: { standby_cluster } });
    both.demo.snapshot.cluster.leaderName = null;
    for (const one of both.demo.snapshot.members)
      if (!isStarted) Object.assign(one, { rest: DEAD, sql: DEAD });
      else
        Object.assign(both.demo.sql(one.name), {
          inRecovery: true,
          currentLsn: null,
          receiveLsn: AT,
        });
    return plan(both, { acceptDataLoss: true });
  };
  const [written, other] = [
    { host: '10.0.1.1', port: 5431 },
    { host: '10.0.9.9', port: 5431 },
  ];
  const now = told(true, written);
  expect([now.isWritten, needs(now)[0], needs(told(false, written))[0]]).toEqual([
    ...[true, 'pg1 pg_rewind 64', 'pg1 unknown -'],
  ]);
  expect(rejoinDifferences(told(false, written), now)).toEqual([]);
  // Where it is still to be written, the operator sees first what goes.
  expect(rejoinDifferences(told(false, other), told(true, other))[0]).toBe(
    'pg1: has 64 bytes of its own after 0/4FFFFC0 of timeline 3',
  );
});
