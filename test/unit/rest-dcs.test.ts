/** A cluster by the address of a member (--rest): which address answers, and what is said where none does. */
import { afterEach, describe, expect, it } from 'vitest';
import { memberViewsDiffer, restThroughProxy } from '../../src/cluster/findings/member-views.js';
import type { Cluster, JsonObject, Snapshot } from '../../src/cluster/model/model.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { withWorkedOut } from '../../src/cluster/roles/worked-out.js';
import { voteInput } from '../../src/cluster/votes/vote-facts.js';
import { race } from '../../src/cluster/votes/race.js';
import { dataLossVerdict } from '../../src/cluster/votes/data-loss.js';
import { leaderGate } from '../../src/cluster/votes/step-down.js';
import { claimsOf } from '../../src/dcs/rest/claims.js';
import { restDcs } from '../../src/dcs/rest/rest-dcs.js';
import { mergePatch } from '../../src/dcs/rest/write-claims.js';
import { parseRestStatus } from '../../src/patroni/parse-status.js';
import { openPatroni } from '../../src/patroni/rest.js';
import { PLAIN_REST, startMember, type MemberServer } from '../support/member-server.js';

const started: MemberServer[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.close()));
});

async function member(names: string[], keys: Record<string, string> = {}): Promise<MemberServer> {
  const one = await startMember(names);
  started.push(one);
  one.keys.set('initialize', '7');
  one.keys.set('config', '{"ttl":30}');
  one.keys.set('leader', 'pg1');
  for (const name of ['pg1', 'pg2']) one.keys.set(`members/${name}`, keyOf(one.url));
  for (const [key, value] of Object.entries(keys)) one.keys.set(key, value);
  return one;
}

const keyOf = (url: string): string =>
  JSON.stringify({
    conn_url: 'postgres://10.0.0.1:5432/postgres',
    api_url: `${url}/patroni`,
    state: 'running',
  });

const dcsAt = (...urls: string[]) =>
  restDcs({
    urls,
    patroni: openPatroni(PLAIN_REST),
    group: null,
    timeoutMs: 1000,
    viewAgainMs: 60,
  });

describe('the address', () => {
  it('is the first that answers; a dead one costs nothing but its refusal', async () => {
    const pg1 = await member(['pg1']);
    const [cluster] = await dcsAt('http://127.0.0.1:1', pg1.url).readAll();
    expect(cluster).toMatchObject({ scope: 'demo', memberAnswers: { url: pg1.url } });
  });

  it('is named with the reason where nothing answers', async () => {
    await expect(dcsAt('http://127.0.0.1:1').readAll()).rejects.toMatchObject({
      ending: 'unreachable',
      code: 'rest_unreachable',
      message: expect.stringContaining('http://127.0.0.1:1: connect ECONNREFUSED') as string,
    });
  });

  it.each([
    [
      ...[401, '', 'rest_refused', 'GET /patroni was refused with HTTP 401: it requires a login'],
      'ctl.authentication',
    ],
    [
      ...[200, '<html>Welcome to nginx!</html>', 'rest_no_member'],
      ...['answered HTTP 200 with "<html>Welcome', 'restapi.connect_address'],
    ],
    [
      ...[503, '<html>No server is available</html>', 'rest_no_member'],
      ...['answered HTTP 503 with "<html>No server', 'restapi.connect_address'],
    ],
  ] as [number, string, string, string, string][])(
    'that answers %i %s is no member, and that is said',
    async (status, body, code, said, hint) => {
      const page = await member(['pg1']);
      page.instead.set('/patroni', { status, body });
      await expect(dcsAt(page.url).readAll()).rejects.toMatchObject({
        ending: 'error',
        code,
        message: expect.stringContaining(said) as string,
        hint: expect.stringContaining(hint) as string,
      });
    },
  );

  it('behind a proxy that chooses is found out by two names', async () => {
    const proxy = await member(['pg1', 'pg2']);
    const [cluster] = await dcsAt(proxy.url).readAll();
    const [finding] = restThroughProxy(viewOf(snapshotOf(cluster)));
    expect(finding).toMatchObject({ severity: 'info', members: ['pg1', 'pg2'] });
  });

  it('behind a proxy that chooses another member for the next reading is found out then', async () => {
    const proxy = await member(['pg1']);
    const dcs = dcsAt(proxy.url);
    const [before] = await dcs.readAll();
    expect(restThroughProxy(viewOf(snapshotOf(before)))).toEqual([]);
    proxy.names.splice(0, 1, 'pg2');
    const [after] = await dcs.readAll();
    expect(restThroughProxy(viewOf(snapshotOf(after)))).toMatchObject([
      { members: ['pg1', 'pg2'] },
    ]);
  });

  it('that speaks TLS, or does not, is told so', async () => {
    const plain = await member(['pg1']);
    await expect(dcsAt(plain.url.replace('http:', 'https:')).readAll()).rejects.toMatchObject({
      ending: 'unreachable',
      hint: `give the address with http:// (${plain.url})`,
    });
  });

  it('a Citus group cannot be asked for: no member tells its own', async () => {
    const pg1 = await member(['pg1']);
    await expect(dcsAt(pg1.url).read({ scope: 'demo', group: 1 })).rejects.toMatchObject({
      ending: 'usage',
      code: 'no_group',
    });
  });
});

describe('two members', () => {
  it('that give different views of the cluster are both shown', async () => {
    const [pg1, pg2] = await Promise.all([member(['pg1']), member(['pg2'], { leader: 'pg2' })]);
    for (const one of [pg1, pg2]) one.keys.set('members/pg2', keyOf(pg2.url));
    const dcs = dcsAt(pg1.url);
    const [cluster] = await dcs.readAll();
    if (!cluster || !dcs.compareViews) throw new Error('no cluster');
    const compared = await dcs.compareViews(cluster);
    const [finding] = memberViewsDiffer(viewOf(snapshotOf(compared)));
    expect(finding?.message).toBe(
      'pg1 and pg2 give different views of the cluster: leader pg1 against pg2',
    );
    expect(finding?.evidence.map(({ said }) => said)).toEqual([
      'leader pg1; pg1 leader, pg2 replica',
      'leader pg2; pg1 replica, pg2 leader',
    ]);
  });

  it('are compared too where the key of one has expired and only its address was given', async () => {
    const [pg1, pg2] = await Promise.all([member(['pg1']), member(['pg2'])]);
    pg1.keys.delete('members/pg2');
    pg2.keys.set('members/pg1', keyOf(pg1.url));
    const dcs = dcsAt(pg1.url, pg2.url);
    const [cluster] = await dcs.readAll();
    if (!cluster || !dcs.compareViews) throw new Error('no cluster');
    const [finding] = memberViewsDiffer(viewOf(snapshotOf(await dcs.compareViews(cluster))));
    expect(finding?.message).toBe(
      'pg1 and pg2 give different views of the cluster: nothing against pg2 replica',
    );
  });

  /** Two members that show different leaders, whose views are being compared. */
  async function comparingTwo() {
    const [pg1, pg2] = await Promise.all([member(['pg1']), member(['pg2'], { leader: 'pg2' })]);
    for (const one of [pg1, pg2]) one.keys.set('members/pg2', keyOf(pg2.url));
    const dcs = dcsAt(pg1.url);
    const [cluster] = await dcs.readAll();
    if (!cluster || !dcs.compareViews) throw new Error('no cluster');
    const comparing = dcs.compareViews(cluster);
    return { pg1, pg2, comparing };
  }

  it('that both change are not a finding, however they differ', async () => {
    const { pg1, pg2, comparing } = await comparingTwo();
    setTimeout(() => {
      pg1.keys.set('members/pg3', keyOf(pg1.url));
      pg2.keys.set('leader', 'pg1');
    }, 20);
    expect(memberViewsDiffer(viewOf(snapshotOf(await comparing)))).toEqual([]);
  });

  it('that differ for a moment are not a finding', async () => {
    const { pg2, comparing } = await comparingTwo();
    setTimeout(() => pg2.keys.set('leader', 'pg1'), 20);
    expect(memberViewsDiffer(viewOf(snapshotOf(await comparing)))).toEqual([]);
  });
});

describe('the dynamic configuration', () => {
  it('is patched by what differs, and a key that goes is null', () => {
    const base = {
      ttl: 30,
      postgresql: { use_slots: true, parameters: { a: 1, b: 2 } },
      pause: true,
    };
    const wanted = { ttl: 30, postgresql: { use_slots: true, parameters: { a: 1, b: 3 } } };
    expect(mergePatch(base, wanted)).toEqual({ pause: null, postgresql: { parameters: { b: 3 } } });
  });

  it('is not confirmed where Patroni writes something else than was sent', async () => {
    const pg1 = await member(['pg1'], { config: '{"ttl":30}' });
    const dcs = dcsAt(pg1.url);
    const [cluster] = await dcs.readAll();
    if (!cluster) throw new Error('no cluster');
    pg1.deaf = true;
    const write = dcs.writeConfig(cluster, '{"ttl":40}');
    await expect(write).rejects.toMatchObject({ ending: 'unconfirmed' });
    expect(pg1.calls.filter((call) => call.startsWith('PATCH'))).toHaveLength(1);
  });
});

// ---------------------------------------------------------------- what follows, by value

const STAMP = (): string => '1';

function clusterOf(view: JsonObject, config: JsonObject, version = '4.1.4'): Cluster {
  const who = parseRestStatus(200, {
    state: 'running',
    role: 'replica',
    database_system_identifier: '7',
    patroni: { name: 'pg2', scope: 'demo', version },
  });
  if (!who) throw new Error('no status');
  const known = (text: string | null) => ({ known: true, text }) as const;
  const answers = { url: 'http://pg2:8008', who: [who], cluster: view, failsafe: known(null) };
  return claimsOf(
    { ...answers, config: known(JSON.stringify(config)), history: known('[]') },
    '1',
    STAMP,
  );
}

const listed = (name: string, role: string, more: JsonObject = {}): JsonObject => ({
  name,
  role,
  state: role === 'leader' ? 'running' : 'streaming',
  api_url: `http://${name}:8008/patroni`,
  host: '10.0.0.1',
  port: 5432,
  timeline: 1,
  ...more,
});

function snapshotOf(cluster: Cluster | undefined, names?: string): Snapshot {
  if (!cluster) throw new Error('no cluster');
  const off = { ok: false, kind: 'off', reason: 'not asked' } as const;
  const members = cluster.members.map(({ name }) => ({ name, rest: off, sql: off }));
  const snapshot: Snapshot = {
    cluster,
    verify: 'auto',
    takenAt: '2026-11-21T08:00:00.000Z',
    members,
    departed: [],
    serializable: false,
    previous: null,
  };
  if (names === undefined) return snapshot;
  const setting = { value: names, source: null, sourcefile: null, pendingRestart: false };
  const value = {
    settings: { synchronous_standby_names: setting },
    walsenders: [],
    inRecovery: false,
  };
  const sql = { ok: true, value, tookMs: 1 } as unknown as Snapshot['members'][number]['sql'];
  return {
    ...snapshot,
    members: members.map((one) => (one.name === 'pg1' ? { ...one, sql } : one)),
  };
}

const QUORUM = { synchronous_mode: 'quorum' };
const three = (role: string) => ({
  members: [listed('pg1', 'leader'), listed('pg2', role), listed('pg3', role)],
});

describe('/sync', () => {
  it.each([
    ['quorum', 'quorum_standby', 'ANY 1 (pg2,pg3)', 1],
    ['quorum', 'quorum_standby', 'ANY 2 (pg2,pg3)', 0],
    [true, 'sync_standby', '2 (pg2,pg3)', 0],
  ])(
    'in mode %s follows from roles and synchronous_standby_names %s %s',
    (mode, role, names, quorum) => {
      const cluster = clusterOf(three(role), { synchronous_mode: mode });
      const { sync, cannotTell, workedOut } = withWorkedOut(snapshotOf(cluster, names)).cluster;
      expect(sync).toMatchObject({ leader: 'pg1', standbys: ['pg2', 'pg3'], quorum });
      expect(sync?.unreadable).toBeUndefined();
      expect(cannotTell?.sync).toBeUndefined();
      expect(workedOut?.sync).toContain(`'${names}'`);
    },
  );

  it.each([
    ['another member', 'ANY 1 (pg2,pg4)'],
    ['one more', 'ANY 1 (pg2,pg3,pg4)'],
    ['nobody', ''],
    ['the wrong way of waiting', '1 (pg2,pg3)'],
  ])('stays unknown where the leader waits for %s', (_, names) => {
    const cluster = clusterOf(three('quorum_standby'), QUORUM);
    const found = withWorkedOut(snapshotOf(cluster, names));
    expect(found.cluster.sync).toMatchObject({ unreadable: true, fromRoles: true });
    expect(found.cluster.cannotTell?.sync).toContain(`'${names}'`);
  });

  it('that is unknown makes every vote unknown, and no loss impossible', () => {
    const input = voteInput(withWorkedOut(snapshotOf(clusterOf(three('quorum_standby'), QUORUM))));
    expect(race(input).map(({ mayWin }) => mayWin)).toEqual(['unknown', 'unknown']);
    expect(leaderGate(input, { candidate: null, action: 'switchover' }).passes).toBe('unknown');
    expect(dataLossVerdict(input, 'pg2', { leaderAlive: true }).loss).toBe('unknown');
  });

  it('does not matter in a cluster without synchronous mode', () => {
    const { cluster } = snapshotOf(clusterOf(three('replica'), {}));
    expect(cluster.sync).toBeNull();
    expect(cluster.cannotTell?.sync).toBeUndefined();
  });
});

describe('positions', () => {
  it('of Patroni 4.1 and the lag give /status; a lag of 0 does not', () => {
    const behind = {
      receive_lsn: '0/5000000',
      receive_lag: 16,
      replay_lsn: '0/5000000',
      replay_lag: 16,
    };
    const one = clusterOf(
      { members: [listed('pg1', 'leader'), listed('pg2', 'replica', behind)] },
      {},
    );
    expect(one.status?.optime).toBe(0x5000010n);
    const even = { ...behind, receive_lag: 0, replay_lag: 0 };
    const two = clusterOf(
      { members: [listed('pg1', 'leader'), listed('pg2', 'replica', even)] },
      {},
    );
    expect([two.status, two.cannotTell?.status]).toEqual([
      null,
      'GET /cluster has it only while a member lags',
    ]);
  });

  it('are not there before 4.1, and the version is the reason', () => {
    const view = { members: [listed('pg1', 'leader'), listed('pg2', 'replica', { lag: 0 })] };
    const { members, cannotTell } = clusterOf(view, {}, '3.3.11');
    expect(members[1]).toMatchObject({
      receiveLsn: null,
      replayLsn: null,
      replicationState: 'streaming',
    });
    expect(cannotTell?.status).toBe('Patroni 3.3.11 gives no positions in GET /cluster');
  });
});
