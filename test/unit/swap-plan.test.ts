/** The plan of a swap: two healthy sites, and each broken in one way. */
import { expect, test } from 'vitest';
import type { WalReceiver } from '../../src/cluster/model/model.js';
import type {
  Answering,
  Reach,
  RestTaken,
  Site,
  SwapEvidence,
  SwapPlan,
  SwapRequest,
} from '../../src/cluster/preflight/swap-model.js';
import type { HbaRule } from '../../src/cluster/preflight/hba-rules.js';
import { siteLabels, type SiteAccess } from '../../src/cluster/preflight/swap-model.js';
import { restThere } from '../../src/cluster/preflight/swap-site-checks.js';
import { swapSkipProblem } from '../../src/cluster/preflight/swap-skipped.js';
import { swapDifferences, swapPlan, SWAP_CHECKS } from '../../src/cluster/preflight/swap-plan.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import {
  AT,
  DEAD,
  healthy,
  OFF,
  restOnly,
  walsender,
  type HealthyOptions,
} from './plan-support.js';

type World = ReturnType<typeof healthy>;
interface Sites {
  here: World;
  there: World;
}

const RECEIVER: WalReceiver = {
  pid: 9,
  status: 'streaming',
  senderHost: '10.0.0.1',
  senderPort: 5431,
  slotName: null,
  flushedLsn: AT,
  receivedTimeline: 3,
  lastMessageAgeMs: 10,
};

/** `west` is a standby cluster of `demo`; its members are pg1 to pg3 too. */
function sites(
  { here = {}, there = {} }: { here?: HealthyOptions; there?: HealthyOptions } = {},
  mode: 'off' | 'on' | 'quorum' = 'off',
): Sites {
  const standby = { host: '10.0.0.1', port: 5431 };
  const west = healthy('off', {
    ...there,
    config: { standby_cluster: standby, ...there.config },
  });
  west.snapshot.cluster.scope = 'west';
  for (const member of west.snapshot.cluster.members) {
    member.host = '10.0.1.1';
    member.apiUrl = `http://10.0.1.1:${(member.port ?? 0) + 2000}/patroni`;
    if (member.name === 'pg1') member.role = 'standby_leader';
  }
  const at = { inRecovery: true, currentLsn: null, receiveLsn: AT, replayLsn: AT };
  Object.assign(west.sql('pg1'), { ...at, walReceiver: { ...RECEIVER } });
  Object.assign(west.rest('pg1'), {
    ...{ role: 'standby_leader', location: null, replicationState: 'streaming' },
    ...{ receivedLocation: AT, replayedLocation: AT },
  });
  const demo = healthy(mode, here);
  demo.sql('pg1').walsenders.push(walsender('pg1', { pid: 500, slotName: null }));
  for (const { snapshot } of [demo, west]) snapshot.cluster.systemId = '7';
  return { here: demo, there: west };
}

const REQUEST: SwapRequest = {
  ...{ host: null, port: null, primarySlotName: null },
  ...{ maxLagBytes: 16 * 1024 ** 2, skipChecks: [] },
};
const REACHED: Reach[] = [{ member: 'pg1', reached: true, admitted: null, said: 'it connects' }];
const rule = (line: number, more: Partial<HbaRule> = {}): HbaRule => ({
  ...{ line, type: 'host', databases: ['replication'], users: ['replicator'], error: null },
  ...{ address: '10.0.0.0', netmask: '255.255.255.0', method: 'scram-sha-256' },
  ...more,
});
const ACCESS: SiteAccess = { user: 'replicator', rules: [rule(7)], why: '', answers: 'leader' };
const ADDRESSES = new Map([['10.0.0.1', ['10.0.0.1']]]);

function plan(
  { here, there }: Sites,
  request: Partial<SwapRequest> = {},
  reach = REACHED,
  access: Partial<SiteAccess> = {},
  { upstream = null, restThere = null }: Partial<SwapEvidence> = {},
): SwapPlan {
  const labels = siteLabels(here.snapshot.cluster, there.snapshot.cluster);
  const site = (side: 'here' | 'there', world: World, way: string[]): Site => {
    return { side, label: labels[side], view: viewOf(world.snapshot), way };
  };
  const evidence = {
    addresses: ADDRESSES,
    reach,
    upstream,
    restThere,
    access: { ...ACCESS, ...access },
  };
  const to = site('there', there, ['-c', 'west.yml']);
  return swapPlan(site('here', here, []), to, { ...REQUEST, ...request }, evidence);
}

const bad = (made: SwapPlan): string[] =>
  made.checks
    .filter(({ result }) => result !== 'ok')
    .map(({ name, result }) => `${name} ${result}`);
const said = (made: SwapPlan, name: string): string =>
  made.checks.find((check) => check.name === name)?.said ?? '';
const next = (made: SwapPlan, name: string): string =>
  made.checks.find((check) => check.name === name)?.next ?? '';

test('two healthy sites: every check is ok, and where this one will stream from', () => {
  const made = plan(sites());
  expect([bad(made), made.refusedBy]).toEqual([[], []]);
  expect(made.standbyCluster).toEqual({ host: '10.0.1.1', port: 5431 });
  expect(said(made, 'streams')).toBe('pg1 of west streams from pg1 of demo');
  expect(made.here).toEqual({
    ...{ label: 'demo', cluster: 'demo', group: null, leader: 'pg1', timeline: 3 },
  });
});

test('both clusters of one name are told apart in every sentence', () => {
  const both = sites();
  both.there.snapshot.cluster.scope = 'demo';
  expect(said(plan(both), 'streams')).toBe('pg1 of the other site streams from pg1 of this site');
});

test('started at the wrong site, and with itself as the other one', () => {
  const { here, there } = sites();
  expect(plan({ here: there, there: here }).refusedBy).toEqual([
    'leader_here',
    'leader_there',
    'streams',
  ]);
  const itself = plan({ here, there: here });
  expect(itself.refusedBy).toContain('same_database');
  // A primary replays nothing, whatever login asks.
  expect(itself.checks.map(({ name }) => name)).not.toContain('replay');
  const skip = { skipChecks: ['leader_here', 'same_database'] };
  expect(plan({ here, there: here }, skip).refusedBy).toContain('same_database');
});

test.each<[what: string, breaks: (both: Sites) => void, refused: string[], words: string]>([
  [
    'another database',
    ({ there }) => void (there.sql('pg1').systemId = '8'),
    ['same_database'],
    'west is another database (system identifier 8, not 7)',
  ],
  [
    'the receiver there is idle',
    ({ there }) => void (there.sql('pg1').walReceiver = { ...RECEIVER, status: 'waiting' }),
    ['streams'],
    'pg1 of west does not stream: its WAL receiver is waiting, from 10.0.0.1:5431',
  ],
  [
    'it streams from a replica',
    ({ there }) => void (there.sql('pg1').walReceiver = { ...RECEIVER, senderPort: 5432 }),
    ['streams'],
    'pg1 of west streams from pg2 of demo, not from the leader',
  ],
  [
    'the leader here has no walsender for it',
    ({ here }) => void here.sql('pg1').walsenders.pop(),
    ['streams'],
    'pg1 of demo has no walsender that streams to pg1 of west',
  ],
  [
    'no login there',
    ({ there }) => void (there.readings('pg1').sql = DEAD),
    ['streams'],
    'it is unknown whether pg1 of west streams from pg1 of demo: PostgreSQL of pg1 was not read',
  ],
  [
    'an older timeline there',
    ({ there }) => void (there.sql('pg1').timeline = there.rest('pg1').timeline = 2),
    ['timelines'],
    'demo is on timeline 3, west on 2',
  ],
  [
    'too far behind',
    ({ there }) => {
      const at = AT - 20n * 1024n ** 2n;
      Object.assign(there.sql('pg1'), { receiveLsn: at, replayLsn: at });
    },
    ['lag'],
    'west is 20.0 MiB behind (limit 16.0 MiB, --max-lag)',
  ],
  [
    'replay paused there',
    ({ there }) => void (there.sql('pg1').replayPaused = true),
    ['replay'],
    'replay is paused on pg1 of west',
  ],
  [
    'another major version',
    ({ there }) => void (there.sql('pg1').serverVersion = 160_004),
    ['versions'],
    'PostgreSQL 15 in demo, 16 in west',
  ],
  [
    'Patroni of the leader there does not answer',
    ({ there }) => void (there.readings('pg1').rest = DEAD),
    ['leader_there'],
    'Patroni of pg1 of west does not answer: connect ECONNREFUSED',
  ],
])('%s: refused', (_, breaks, refused, words) => {
  const both = sites();
  breaks(both);
  const made = plan(both);
  expect(made.refusedBy).toEqual(expect.arrayContaining(refused));
  expect(said(made, refused[0] ?? '')).toBe(words);
  expect(next(made, refused[0] ?? '')).not.toBe('');
});

test('a member here with the name of the leader there does not stand for it', () => {
  const both = sites();
  const { cluster } = both.there.snapshot;
  cluster.leaderName = 'pg2';
  Object.assign(both.there.sql('pg2'), { walReceiver: { ...RECEIVER } });
  both.here.sql('pg1').walsenders.pop();
  expect(said(plan(both), 'streams')).toBe(
    'pg1 of demo has no walsender that streams to pg2 of west',
  );
  both.here.sql('pg1').walsenders.push(walsender('pg2', { pid: 501, slotName: null }));
  expect(said(plan(both), 'streams')).toBe('pg2 of west streams from pg1 of demo');
});

test('paused, a pending switchover, and two primaries', () => {
  const pause = { config: { pause: true } };
  expect(plan(sites({ here: pause })).refusedBy).toEqual(['paused_here']);
  expect(plan(sites({ there: pause })).refusedBy).toEqual(['paused_there']);
  const pending = sites({ here: { keys: { failover: '{"leader":"pg1","member":"pg2"}' } } });
  expect(plan(pending).refusedBy).toEqual(['pending_here']);
  const both = sites();
  Object.assign(both.here.sql('pg2'), { inRecovery: false, currentLsn: AT });
  expect(plan(both).refusedBy).toEqual(['leader_here', 'critical_here']);
});

test('a check is skipped by name; without a login the stream has to be', () => {
  const both = { here: restOnly(sites().here), there: restOnly(sites().there) };
  expect(plan(both).refusedBy).toEqual(['streams']);
  const made = plan(both, { skipChecks: ['streams'] });
  expect(bad(made)).toContain('streams skipped');
  expect(made.refusedBy).toEqual([]);
  expect(swapSkipProblem(['streams', 'lag'], SWAP_CHECKS)).toBeNull();
  expect(swapSkipProblem(['leader_here'], SWAP_CHECKS)).toMatch(
    /^leader_here cannot be skipped; known: rest_there, streams, /,
  );
});

test('the way back: not reached is refused, not asked is unknown, and an address may be given', () => {
  const cut: Reach[] = [{ member: 'pg2', reached: false, admitted: null, said: 'timeout expired' }];
  expect(said(plan(sites(), {}, cut), 'way_back')).toBe('pg2 of demo cannot reach 10.0.1.1:5431');
  expect(plan(sites(), {}, cut).refusedBy).toEqual(['way_back']);
  expect(plan(sites(), {}, []).refusedBy).toEqual([]);
  expect(bad(plan(sites(), {}, []))).toEqual(['way_back unknown']);
  expect(plan(sites(), { host: 'vip.west', port: 6432 }).standbyCluster).toEqual({
    ...{ host: 'vip.west', port: 6432 },
  });
});

test('the way back: the address in a command to be typed is one word for the shell', () => {
  const [unknown, elsewhere] = [[], REACHED].map((reach, at) =>
    next(
      plan(sites(), { host: 'x;reboot' }, reach, {
        answers: at === 1 ? 'another server' : 'leader',
      }),
      'way_back',
    ),
  );
  expect(unknown).toMatch(/: pg_isready -h 'x;reboot' -p 5431$/);
  expect(elsewhere).toContain("psql -h 'x;reboot' -p 5431 -c ");
});

test('the way back: an address that leads to another server from here is a warning', () => {
  const made = plan(sites(), { host: 'vip' }, REACHED, { answers: 'another server' });
  expect(bad(made)).toEqual(['way_back warning']);
  expect(said(made, 'way_back')).toBe(
    'asked from this machine, vip:5431 leads to another server than the leader of west',
  );
});

test('the way back: an address that leads to another database is refused', () => {
  const made = plan(sites(), { host: 'vip' }, REACHED, { answers: 'another database' });
  expect(made.refusedBy).toEqual(['way_back']);
  expect([said(made, 'way_back'), next(made, 'way_back')]).toEqual([
    'asked from this machine, vip:5431 leads to another database than that of west',
    'give the address of the leader of west with --host and --port',
  ]);
});

test.each<[Answering, string[], string[]]>([
  ['leader', [], []],
  [null, [], []],
  ['another server', [], ['streams warning']],
  ['another database', ['streams'], ['streams unknown']],
])(
  'the other site streams from an address that is no member’s, where %s answers',
  (at, refused, findings) => {
    const both = sites();
    both.there.sql('pg1').walReceiver = { ...RECEIVER, senderHost: 'vip' };
    const made = plan(both, {}, REACHED, {}, { upstream: at });
    expect([made.refusedBy, bad(made)]).toEqual([refused, findings]);
    const isWarning = findings[0] === 'streams warning';
    expect(said(made, 'streams')).toBe(
      findings.length === 0
        ? 'pg1 of west streams from pg1 of demo'
        : `asked from this machine, vip:5431, from which pg1 of west streams, leads to ${at}, not to pg1 of demo` +
            (isWarning ? '; pg1 of demo has a walsender that streams to pg1' : ''),
    );
  },
);

test.each<[boolean | null, string | undefined, string[], string]>([
  [true, undefined, [], 'Patroni of pg1 of west takes changes from here'],
  [
    false,
    'rest_there refused',
    ['rest_there'],
    'Patroni of pg1 of west does not take changes from here: 401',
  ],
  [
    null,
    'rest_there unknown',
    [],
    'it is unknown whether Patroni of pg1 of west takes changes from here: 401',
  ],
])('whether Patroni there takes changes: %s', (taken, result, refused, words) => {
  const made = plan(sites(), {}, REACHED, {}, { restThere: { taken, lacks: null, said: '401' } });
  expect([made.refusedBy, bad(made)[0], said(made, 'rest_there')]).toEqual([
    refused,
    result,
    words,
  ]);
});

test.each<[RestTaken['lacks'], way: string[], string]>([
  ['login', ['-c', 'west.yml'], 'put the login of its REST API (ctl.authentication) into west.yml'],
  [
    'login',
    ['--rest', 'http://west1:8008'],
    'name the site with --to FILE, and put the login of its REST API (ctl.authentication) there',
  ],
  [
    'certificate',
    ['-c', 'west.yml'],
    'put a client certificate (ctl.certfile and ctl.keyfile) into west.yml',
  ],
  [
    'certificate',
    ['--rest', 'http://west1:8008'],
    'name the site with --to FILE, and put a client certificate (ctl.certfile and ctl.keyfile) there',
  ],
  [
    'address',
    ['--rest', 'http://west1:8008'],
    'run this on a host that its restapi.allowlist lets in, or add this one there',
  ],
  [
    null,
    ['-c', 'west.yml'],
    'check what answers at http://10.0.1.1:7431/patroni, which is restapi.connect_address there',
  ],
])('Patroni there takes no change, and lacks %s, reached by %j', (lacks, way, words) => {
  const view = viewOf(sites().there.snapshot);
  const site: Site = { side: 'there', label: 'west', view, way };
  const asked = { taken: false, lacks, said: 'no' };
  expect(restThere(site, { restThere: asked } as SwapEvidence)?.next).toBe(words);
});

test('pg_hba.conf there: let in, not let in, unknown, and what a member was told itself', () => {
  const hba = (
    access: Partial<SiteAccess>,
    reach = REACHED,
    request: Partial<SwapRequest> = {},
  ) => {
    const made = plan(sites(), request, reach, access);
    const check = made.checks.find(({ name }) => name === 'pg_hba');
    return [check?.result, check?.said];
  };
  const all = 'pg_hba.conf of west lets replicator in from every member of demo';
  const none =
    'pg_hba.conf of west does not let replicator in from pg1 (10.0.0.1), pg2 (10.0.0.1), pg3 (10.0.0.1)';
  const open = 'it is unknown whether pg_hba.conf of west lets in pg1, pg2, pg3 of demo';
  expect(hba({})).toEqual(['ok', all]);
  expect(hba({ rules: [] })).toEqual(['refused', none]);
  expect(hba({ rules: [rule(1, { method: 'reject' }), rule(2)] })).toEqual(['refused', none]);
  expect(hba({ rules: [rule(1, { users: ['+group'] })] })).toEqual(['unknown', open]);
  expect(hba({ rules: null, why: 'permission denied' })).toEqual([
    'unknown',
    `${open}: permission denied`,
  ]);
  expect(hba({ user: null })).toEqual(['unknown', open]);
  expect(hba({ rules: [rule(1), rule(2, { error: 'invalid method' })] })).toEqual([
    'warning',
    'pg_hba.conf of west has 1 line that PostgreSQL cannot read: 2',
  ]);
  // Behind a proxy the connection has the address of the proxy.
  expect(hba({ rules: [] }, REACHED, { host: 'proxy' })).toEqual(['unknown', open]);
  const told = ['pg1', 'pg2', 'pg3'].map((member): Reach => {
    return { member, reached: true, admitted: member !== 'pg2', said: '' };
  });
  expect(hba({ rules: null }, told)).toEqual([
    'refused',
    'pg_hba.conf of west does not let replicator in from pg2 (10.0.0.1)',
  ]);
});

test('slots: as the other site uses, refused where it is not there, a warning without one', () => {
  const standby_cluster = { host: '10.0.0.1', port: 5431, primary_slot_name: 'west' };
  const slots = { west: { type: 'physical' } };
  const none = plan(sites({ there: { config: { standby_cluster } } }));
  expect([bad(none), none.standbyCluster]).toEqual([
    ['slots warning'],
    { host: '10.0.1.1', port: 5431 },
  ]);
  const both = sites({ there: { config: { standby_cluster, slots } } });
  expect(plan(both).refusedBy).toEqual(['slots']);
  expect(next(plan(both), 'slots')).toBe(
    'let Patroni make it first: patctl -c west.yml edit-config west --set slots.west.type=physical',
  );
  const [slot] = both.there.sql('pg1').slots;
  if (slot) both.there.sql('pg1').slots.push({ ...slot, slotName: 'west', active: false });
  expect(plan(both)).toMatchObject({
    standbyCluster: { primary_slot_name: 'west' },
    refusedBy: [],
  });
  expect(bad(plan(sites(), { primarySlotName: 'other' }))).toEqual(['slots refused']);
  const logical = sites();
  if (slot) logical.there.sql('pg1').slots.push({ ...slot, slotName: 'cdc', slotType: 'logical' });
  expect(said(plan(logical, { primarySlotName: 'cdc' }), 'slots')).toBe(
    'west has no physical slot cdc for the way back',
  );
  const ofLogical = { west: { database: 'app', plugin: 'pgoutput' } };
  const other = sites({ there: { config: { standby_cluster, slots: ofLogical } } });
  expect(plan(other).standbyCluster).toEqual({ host: '10.0.1.1', port: 5431 });
});

test('synchronous mode of both sites, and an older Patroni', () => {
  const sync = { config: { synchronous_mode: true, synchronous_mode_strict: true } };
  expect(bad(plan(sites({}, 'on')))).toEqual(['synchronous_mode warning']);
  expect(said(plan(sites({}, 'on')), 'synchronous_mode')).toMatch(/and will not in west$/);
  const both = sites({ there: sync }, 'on');
  expect([plan(both).refusedBy, said(plan(both), 'synchronous_mode')]).toEqual([
    ['synchronous_mode'],
    'commits would not wait in west: a replica there and a member of demo have the same name (pg2, pg3), ' +
      'and Patroni does not maintain /sync where two walsenders have one name',
  ]);
  for (const member of both.there.snapshot.cluster.members)
    if (member.name !== 'pg1') member.name = `west-${member.name}`;
  expect(said(plan(both), 'synchronous_mode')).toMatch(/^Patroni leaves \/sync/);
  const old = plan(sites({ here: { version: '3.3.11' } }));
  expect(bad(old)).toEqual(['demotion warning']);
  const async = sites({ here: { version: '3.3.11' } });
  const on = { value: 'off', source: null, sourcefile: null, pendingRestart: false };
  async.here.sql('pg1').settings['synchronous_commit'] = on;
  expect(plan(async).refusedBy).toEqual(['demotion']);
});

test('logical slots that the other site does not have', () => {
  const both = sites();
  const [slot] = both.here.sql('pg1').slots;
  if (slot) both.here.sql('pg1').slots.push({ ...slot, slotName: 'cdc', slotType: 'logical' });
  expect(said(plan(both), 'logical_slots')).toBe('1 logical slot of demo not in west: cdc');
  expect(plan(both).refusedBy).toEqual([]);
});

test('what got worse since it was shown', () => {
  const shown = plan(sites());
  expect(swapDifferences(shown, shown)).toEqual([]);
  const both = sites({ there: { config: { pause: true } } });
  both.here.snapshot.cluster.leaderName = 'pg2';
  const lines = swapDifferences(shown, plan(both));
  expect(lines[0]).toBe('leader of demo: was pg1, is pg2');
  expect(lines.some((line) => line.startsWith('paused_there: west is paused'))).toBe(true);
  expect(swapDifferences(shown, plan(sites(), { host: '10.0.9.9' }))).toEqual([
    'where demo will stream from: was 10.0.1.1:5431 without a slot, is 10.0.9.9:5431 without a slot',
  ]);
});

test('nothing asked at all: unknown, and refused', () => {
  const both = sites();
  for (const { snapshot } of [both.here, both.there])
    for (const one of snapshot.members) Object.assign(one, { rest: OFF, sql: OFF });
  expect(plan(both).refusedBy).toEqual(expect.arrayContaining(['leader_here', 'streams', 'lag']));
});
