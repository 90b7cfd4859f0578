import { describe, expect, it } from 'vitest';
import {
  clusterNames,
  clusterPrefix,
  parseCluster,
  fleetReader,
  parseFleet,
} from '../../src/cluster/model/parse-keys.js';
import { parseBool, parseInteger } from '../../src/cluster/model/patroni-values.js';
import type { Cluster } from '../../src/cluster/model/model.js';

function read(values: Record<string, string>): {
  revision: string;
  kvs: { key: string; value: string; modRevision: string }[];
} {
  const kvs = Object.entries(values).map(([key, value], i) => ({
    key,
    value,
    modRevision: String(i + 2),
  }));
  return { revision: '99', kvs };
}

function parse(values: Record<string, string>): Cluster {
  const below = Object.entries(values).map(([name, value]) => [`/service/demo/${name}`, value]);
  return parseCluster(
    'demo',
    null,
    read(Object.fromEntries(below) as Record<string, string>),
    '/service/demo/',
  );
}

const MEMBER = {
  conn_url: 'postgres://127.0.0.1:6433/postgres',
  api_url: 'http://127.0.0.1:8008/patroni',
  state: 'running',
  role: 'replica',
  version: '4.1.4',
  xlog_location: 117440688,
  receive_lsn: 117440688,
  replay_lsn: '117440600',
  replication_state: 'streaming',
  timeline: 3,
  tags: { nofailover: true },
};

describe('clusterPrefix', () => {
  it.each([
    ['service', 'demo', null, '/service/demo/'],
    ['/service/', 'demo', null, '/service/demo/'],
    ['//a//b/', '/demo', null, '/a/b/demo/'],
    ['/', 'demo', 2, '/demo/2/'],
  ])('%s %s %s', (namespace, scope, group, expected) => {
    expect(clusterPrefix(namespace, scope, group)).toBe(expected);
  });
});

const said = (keys: Record<string, string>) => parse(keys).problems.map(({ problem }) => problem);

describe('parseCluster', () => {
  it('keeps unknown keys that a newer Patroni writes', () => {
    const newer = { ...MEMBER, version: '9.1.0', role: 'primus', lease: { owner: 'x' } };
    const { members, problems } = parse({ 'members/pg1': JSON.stringify(newer) });
    expect(problems).toEqual([]);
    expect(members[0]).toMatchObject({ role: 'primus', version: '9.1.0', raw: newer });
  });

  it('reads a member as Patroni 4 writes it', () => {
    const [member] = parse({ 'members/pg1': JSON.stringify(MEMBER) }).members;
    expect(member).toMatchObject({
      name: 'pg1',
      host: '127.0.0.1',
      port: 6433,
      role: 'replica',
      replicationState: 'streaming',
      timeline: 3,
      xlogLocation: 117440688n,
      receiveLsn: 117440688n,
      replayLsn: 117440600n,
      tags: { nofailover: true },
      pendingRestart: false,
      pause: false,
      modRevision: '2',
    });
  });

  it('reads a member in the format before JSON', () => {
    const value =
      'postgres://u:p@Host.Example:5433/postgres?application_name=http://h:8008/patroni';
    const { members, problems } = parse({ 'members/pg1': value });
    expect(members[0]).toMatchObject({
      connUrl: 'postgres://u:p@Host.Example:5433/postgres',
      apiUrl: 'http://h:8008/patroni',
      host: 'host.example',
      port: 5433,
      role: '',
    });
    expect(problems).toEqual([]);
  });

  it.each([
    ['postgres://[FE80::1%Eth0]:5433/postgres', 'fe80::1%Eth0', 5433],
    ['postgres://db/postgres', 'db', 5432],
    ['postgresql://db:', 'db', 5432],
    ['postgres://u:p@x@db:1/', 'db', 1],
  ])('finds the address in %s', (connUrl, host, port) => {
    const [member] = parse({ 'members/a': JSON.stringify({ conn_url: connUrl }) }).members;
    expect(member).toMatchObject({ host, port });
  });

  it.each(['postgres://db:no/', 'nonsense', 'postgres://:5432/', 'postgres://db:70000/'])(
    'says that %s has no address',
    (connUrl) => {
      const { members, problems } = parse({ 'members/a': JSON.stringify({ conn_url: connUrl }) });
      expect(members[0]).toMatchObject({ host: null, port: null });
      expect(problems).toHaveLength(1);
    },
  );

  it.each([
    ['{', 'is not valid JSON'],
    ['', 'is empty'],
    ['[]', 'is a list, expected an object'],
    ['null', 'is null, expected an object'],
    ['{"tags": 3}', 'tags are not an object'],
    ['{"state": 3}', 'state is a number, expected a string'],
  ])('keeps a member whose key holds %s', (value, problem) => {
    const { members, problems } = parse({ 'members/pg1': value });
    expect(members.map((m) => m.name)).toEqual(['pg1']);
    expect(problems).toEqual([{ key: '/service/demo/members/pg1', problem }]);
  });

  it('ignores keys below a member and sorts by code point', () => {
    const { members } = parse({
      'members/\u{1F418}': '{}',
      'members/\uFF5E': '{}',
      'members/a/b': '{}',
      'members/Z': '{}',
    });
    expect(members.map((m) => m.name)).toEqual(['Z', '\uFF5E', '\u{1F418}']);
  });

  it('reads the bare keys, absent, empty and present', () => {
    expect(parse({})).toMatchObject({
      systemId: null,
      leaderName: null,
      sync: null,
      config: null,
      status: null,
      failover: null,
      failoverRevision: '0',
      history: null,
      failsafe: null,
      problems: [],
    });
    expect(parse({ initialize: '', leader: '' })).toMatchObject({ systemId: '', leaderName: null });
    expect(parse({ initialize: '771', leader: 'pg1' })).toMatchObject({
      systemId: '771',
      leaderName: 'pg1',
    });
  });

  it.each([
    ['{"leader":"a","sync_standby":"b, c,","quorum":1}', 'a', ['b', 'c'], 1],
    ['{"leader":"a","sync_standby":"b"}', 'a', ['b'], 0],
    ['{"leader":"a","sync_standby":null,"quorum":"2"}', 'a', [], 2],
    ['{"leader":"a","quorum":2.7}', 'a', [], 2],
    ['{"leader":null,"sync_standby":"b","quorum":1}', null, [], 0],
    ['{}', null, [], 0],
  ])('reads /sync %s', (value, leader, standbys, quorum) => {
    expect(parse({ sync: value }).sync).toEqual({ leader, standbys, quorum, modRevision: '2' });
  });

  it.each(['{"leader":"a","sync_standby":"b","quorum":"x"}', '[]', '{', '', '{"leader":7}'])(
    'says that /sync %j cannot be read, which is not the same as empty',
    (value) => {
      const { sync, problems } = parse({ sync: value });
      expect(sync).toMatchObject({ leader: null, standbys: [], unreadable: true });
      expect(problems).toHaveLength(1);
    },
  );

  it('does not believe the rest of a /sync whose standbys cannot be read', () => {
    expect(parse({ sync: '{"leader":"a","sync_standby":["b"]}' }).sync?.unreadable).toBe(true);
  });

  it.each([
    ['{}', null],
    ['', null],
    ['null', null],
    ['[]', null],
    ['{"scheduled_at":"2026-01-01T00:00:00+00:00"}', null],
    ['{"leader":"a"}', { leader: 'a', candidate: null, scheduledAt: null }],
    ['{"leader":"a","member":"b"}', { leader: 'a', candidate: 'b', scheduledAt: null }],
    [
      '{"leader":"a","scheduled_at":"2026-01-01T00:00:00+00:00"}',
      { leader: 'a', candidate: null, scheduledAt: '2026-01-01T00:00:00+00:00' },
    ],
    [' a : b ', { leader: 'a', candidate: 'b', scheduledAt: null }],
    [':b', { leader: null, candidate: 'b', scheduledAt: null }],
  ])('reads /failover %s', (value, expected) => {
    const cluster = parse({ failover: value });
    expect(cluster.failover).toEqual(expected && { ...expected, modRevision: '2' });
    expect(cluster.failoverRevision).toBe('2');
  });

  it('reads /status, and the optime of old versions only without it', () => {
    const status = '{"optime":67109216,"slots":{"pg2":67109100,"x":"?"},"retain_slots":["pg2",3]}';
    expect(parse({ status, 'optime/leader': '5' }).status).toEqual({
      optime: 67109216n,
      slots: { pg2: 67109100n },
      retainSlots: ['pg2'],
    });
    expect(parse({ 'optime/leader': '5' }).status?.optime).toBe(5n);
    expect(parse({ status: '{"optime":null}' }).status?.optime).toBeNull();
    expect(parse({ status: '"x"' }).problems).toHaveLength(1);
    expect(parse({ status: '{"optime":0,"slots":{"a":"12"},"retain_slots":[]}' }).problems).toEqual(
      [],
    );
    expect(said({ status: '{"optime":"x","slots":5,"retain_slots":{}}' })).toEqual([
      'optime is a string, expected a position in bytes',
      'slots is a number, expected an object',
      'retain_slots is an object, expected a list',
    ]);
  });

  it('reads /history and keeps what is readable of a broken one', () => {
    const good =
      '[[1,67108864,"no recovery target specified","2026-01-01T00:00:00+00:00","pg2"],[2,9,"x"]]';
    expect(parse({ history: good }).history).toEqual([
      {
        timeline: 1,
        lsn: 67108864n,
        reason: 'no recovery target specified',
        timestamp: '2026-01-01T00:00:00+00:00',
        newLeader: 'pg2',
      },
      { timeline: 2, lsn: 9n, reason: 'x', timestamp: null, newLeader: null },
    ]);
    expect(parse({ history: '[]' }).history).toEqual([]);
    const broken = parse({ history: '[[1,5,"a"],["a"],7]' });
    expect(broken.history).toHaveLength(1);
    expect(broken.problems).toHaveLength(2);
    expect(parse({ history: 'x' }).history).toEqual([]);
  });

  it('reads /failsafe', () => {
    expect(parse({ failsafe: '{"a":"http://a/","b":1}' }).failsafe).toEqual({
      a: 'http://a/',
      b: '',
    });
    expect(parse({ failsafe: '[]' }).failsafe).toBeNull();
  });

  it('fills the configuration with the defaults of Patroni', () => {
    const { config } = parse({ config: '{}' });
    expect(config).toMatchObject({
      syncMode: 'off',
      syncModeStrict: false,
      syncNodeCount: 1,
      ttlSeconds: 30,
      loopWaitSeconds: 10,
      retryTimeoutSeconds: 10,
      maximumLagOnFailoverBytes: 1048576,
      maximumLagOnSyncnodeBytes: -1,
      primaryStopTimeoutSeconds: 0,
      checkTimeline: false,
      failsafeMode: false,
      pause: false,
      useSlots: true,
      usePgRewind: false,
      standbyCluster: null,
    });
  });

  it.each([
    [true, 'on'],
    ['on', 'on'],
    ['Yes', 'on'],
    [1, 'on'],
    ['Quorum', 'quorum'],
    [false, 'off'],
    ['strict', 'off'],
    [null, 'off'],
  ])('reads synchronous_mode %s', (value, mode) => {
    const config = JSON.stringify({ synchronous_mode: value });
    expect(parse({ config }).config?.syncMode).toBe(mode);
  });

  it('takes a standby cluster only with host, port or restore_command', () => {
    const of = (section: object) =>
      parse({ config: JSON.stringify({ standby_cluster: section }) }).config?.standbyCluster;
    expect(of({ host: 'h' })).toEqual({ host: 'h' });
    expect(of({ port: 5432 })).toEqual({ port: 5432 });
    expect(of({ host: '', primary_slot_name: 's' })).toBeNull();
  });

  it('reports settings of a wrong type, and the key counts as read anyway', () => {
    const config = {
      loop_wait: 'x',
      ttl: {},
      retry_timeout: '10s',
      synchronous_mode: [],
      pause: 'perhaps',
      failsafe_mode: null,
      maximum_lag_on_failover: 1e6,
      postgresql: { use_slots: 7 },
      standby_cluster: 'pg9',
    };
    const key = JSON.stringify(config);
    const all = 'Patroni throws the whole dynamic configuration away';
    const seconds = `expected a whole number of seconds: ${all}`;
    expect(said({ config: key })).toEqual([
      `ttl is a mapping, ${seconds}`,
      `loop_wait is "x", ${seconds}`,
      `retry_timeout is "10s", ${seconds}`,
      'synchronous_mode is a list, expected true, false or quorum: Patroni uses off',
      'pause is "perhaps", expected true or false: Patroni uses off',
      `standby_cluster is "pg9", expected a mapping: ${all}`,
      'postgresql.use_slots is 7, expected true or false: Patroni uses off',
    ]);
    const read = parse({ config: key });
    expect(read.problems.every(({ partly }) => partly === true)).toBe(true);
    expect(read.config?.unreadable).toBeUndefined();
  });

  it('reports a broken configuration and goes on with defaults', () => {
    const { config, problems } = parse({ config: '[1]' });
    expect(config).toMatchObject({ raw: {}, ttlSeconds: 30, unreadable: true });
    expect(problems).toEqual([
      { key: '/service/demo/config', problem: 'is a list, expected an object' },
    ]);
  });
});

describe('parseFleet', () => {
  const keys = read({
    '/service/b/leader': 'pg1',
    '/service/b/members/pg1': '{}',
    '/service/a/0/leader': 'c1',
    '/service/a/10/leader': 'w10',
    '/service/a/2/members/w2': '{}',
    '/service/15/main/leader': 'm1',
    '/service/15/main/members/m1': '{}',
    '/service/15/main/0/leader': 'm0',
    '/service/nothing': '1',
    '/other/z/leader': 'pg1',
  });

  it('groups by scope and Citus group', () => {
    const fleet = parseFleet(keys, '//service/');
    expect(fleet.map((c) => [c.scope, c.group, c.leaderName])).toEqual([
      ['15/main', null, 'm1'],
      ['15/main', 0, 'm0'],
      ['a', 0, 'c1'],
      ['a', 2, null],
      ['a', 10, 'w10'],
      ['b', null, 'pg1'],
    ]);
    expect(fleet.at(-1)?.members.map((m) => m.name)).toEqual(['pg1']);
  });

  it('reads the same in pages, wherever they end', () => {
    const inOrder = { ...keys, kvs: keys.kvs.toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
    const whole = parseFleet(keys, 'service');
    for (let first = 0; first < inOrder.kvs.length; first += 1) {
      for (let second = first; second < inOrder.kvs.length; second += 1) {
        const fleet = fleetReader('service');
        fleet.take({ ...keys, kvs: inOrder.kvs.slice(0, first) });
        fleet.take({ ...keys, kvs: inOrder.kvs.slice(first, second) });
        expect(fleet.all({ ...keys, kvs: inOrder.kvs.slice(second) })).toEqual(whole);
      }
    }
  });

  it('finds the cluster of a key that follows one of a cluster around it', () => {
    const fleet = parseFleet(
      read({
        '/service/15/config': '{"ttl":40}',
        '/service/15/main/leader': 'm1',
        '/service/15/main/members/leader': '{}',
        '/service/15/members/a/b': '{}',
        '/service/15/members/pg1': '{}',
        '/service/15/optime/leader': '5',
        '/service/15/optime/members': '5',
      }),
      'service',
    );
    const seen = fleet.map(({ scope, leaderName, members, status, config }) => [
      ...[scope, leaderName, members.map(({ name }) => name)],
      ...[status?.optime, config?.ttlSeconds],
    ]);
    expect(seen).toEqual([
      ['15', null, ['pg1'], 5n, 40],
      ['15/main', 'm1', ['leader'], undefined, undefined],
    ]);
  });

  it('reads the keys of a cluster that is called members in any order alike', () => {
    const values = {
      '/service/x/members/members/pg1': '{}',
      '/service/x/members/status': '{}',
      '/service/x/members/leader': '{}',
    };
    const seen = [Object.entries(values), Object.entries(values).reverse()].map((entries) =>
      parseFleet(read(Object.fromEntries(entries)), 'service').map(({ scope, members }) => [
        scope,
        members.map(({ name }) => name),
      ]),
    );
    const right = [
      ['x', ['leader', 'status']],
      ['x/members', ['pg1']],
    ];
    expect(seen).toEqual([right, right]);
  });

  it('says of each cluster with the same broken configuration that it is broken', () => {
    const text = '{"ttl":"soon"}';
    const [a, b] = parseFleet(
      read({ '/service/a/config': text, '/service/b/config': text }),
      'service',
    );
    expect(a?.problems.map(({ key }) => key)).toEqual(['/service/a/config']);
    expect(b?.problems.map(({ key }) => key)).toEqual(['/service/b/config']);
    expect(b?.problems[0]?.problem).toBe(a?.problems[0]?.problem);
    expect(a?.config?.modRevision).not.toBe(b?.config?.modRevision);
  });

  it('names the scopes', () => {
    expect(clusterNames(keys, 'service')).toEqual(['15/main', 'a', 'b']);
  });

  it('is quick: 1000 clusters of six keys', () => {
    const many: Record<string, string> = {};
    for (let i = 0; i < 1000; i++) {
      const base = `/service/c${i}/`;
      many[`${base}config`] = '{"ttl":30,"postgresql":{"parameters":{"max_connections":100}}}';
      many[`${base}leader`] = 'pg1';
      many[`${base}status`] = '{"optime":67109216}';
      for (const name of ['pg1', 'pg2', 'pg3'])
        many[`${base}members/${name}`] = JSON.stringify(MEMBER);
    }
    const all = read(many);
    const start = performance.now();
    expect(parseFleet(all, 'service')).toHaveLength(1000);
    expect(performance.now() - start).toBeLessThan(3000);
  });
});

describe('values', () => {
  it.each([
    ['10', undefined, 10],
    [' 0x10 ', undefined, 16],
    ['010', undefined, 8],
    ['0', undefined, 0],
    ['-3', undefined, -3],
    ['1.5', undefined, 2],
    [2.5, undefined, 2],
    ['1e3', undefined, 1000],
    ['.6', undefined, 1],
    ['1MB', undefined, null],
    ['1MB', 'kB', 1024],
    ['30s', 's', 30],
    ['1 min', 's', 60],
    ['1500ms', 's', 2],
    ['4097.5kB', 'kB', 4098],
    ['1d', 's', 86400],
    ['5 parsecs', 's', null],
    ['nonsense', undefined, null],
    [true, undefined, null],
    [null, undefined, null],
    [undefined, undefined, null],
  ] as const)('parseInteger(%s, %s) is %s', (value, base, expected) => {
    expect(parseInteger(value, base)).toBe(expected);
  });

  it.each([
    ['ON', true],
    ['no', false],
    [0, false],
    [1, true],
    ['2', null],
    [null, null],
    [undefined, null],
  ])('parseBool(%s) is %s', (value, expected) => {
    expect(parseBool(value)).toBe(expected);
  });
});

describe('whatever is in the DCS', () => {
  // A small generator of its own, so that a failure comes back with its seed.
  function random(seed: number): () => number {
    let state = seed;
    return () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
  }

  const KEYS = [
    ...['initialize', 'config', 'leader', 'failover', 'sync', 'history', 'status', 'failsafe'],
    ...['optime/leader', 'members/pg1', 'members/', 'members/a/b', '0/leader', ''],
  ];
  const VALUES = [
    JSON.stringify(MEMBER),
    '{"leader":"a","sync_standby":"b,c","quorum":1}',
    '[[1,67108864,"x","2026-01-01T00:00:00+00:00","pg2"]]',
    '{"ttl":"30s","synchronous_mode":"quorum","postgresql":{"use_slots":"off"},"standby_cluster":{"host":"h"}}',
    '{"optime":67109216,"slots":{"pg2":1},"retain_slots":["pg2"]}',
    '{"leader":"a","member":"b","scheduled_at":"2026-01-01T00:00:00+00:00"}',
    'postgres://u@h:5432/db?application_name=http://x',
  ];
  const BITS = [
    'null',
    '1e400',
    '-1',
    '{}',
    '[]',
    '"',
    '\\',
    '\u0000',
    ',',
    'true',
    '0.5',
    '\ud800',
  ];

  function mutate(value: string, next: () => number): string {
    let text = value;
    for (let i = Math.floor(next() * 4); i > 0; i--) {
      const at = Math.floor(next() * (text.length + 1));
      const bit = BITS[Math.floor(next() * BITS.length)] ?? '';
      text = text.slice(0, at) + bit + text.slice(at + Math.floor(next() * 6));
    }
    return text;
  }

  function mutateJson(value: unknown, next: () => number): unknown {
    const odd = [null, 1e308, -1, 0.5, '', 'x', true, [], {}, [null], { a: [] }];
    if (next() < 0.2) return odd[Math.floor(next() * odd.length)];
    if (Array.isArray(value)) return value.map((item) => mutateJson(item, next));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, mutateJson(v, next)]));
  }

  it('never throws', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const next = random(seed);
      const values: Record<string, string> = {};
      for (const key of KEYS) {
        const value = VALUES[Math.floor(next() * VALUES.length)] ?? '';
        const structured = next() < 0.5 && !value.startsWith('postgres');
        values[key] = structured
          ? JSON.stringify(mutateJson(JSON.parse(value), next))
          : mutate(value, next);
      }
      expect(() => parse(values), `seed ${seed}`).not.toThrow();
    }
  });
});
