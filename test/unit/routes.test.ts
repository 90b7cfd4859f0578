/** Routes by value: how they are read, where libpq would end, and what is wrong with that. */
import { describe, expect, test } from 'vitest';
import { CATALOGUE } from '../../src/cluster/findings/catalogue.js';
import { look } from '../../src/cluster/findings/find.js';
import { DEFAULT_LIMITS } from '../../src/cluster/findings/limits.js';
import type { Reading, Snapshot } from '../../src/cluster/model/model.js';
import type { RouteAnswer, RouteReading } from '../../src/cluster/model/route-model.js';
import { parseRoute, parseRouteFlag } from '../../src/cluster/routes/conninfo.js';
import { landingOf } from '../../src/cluster/routes/landing.js';
import { routeStates } from '../../src/cluster/routes/route-state.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { healthy, OFF } from './plan-support.js';

// ---------------------------------------------------------------- how they are read

/** `HOST PORT …`, or the problem. */
function read(text: string): string {
  const parsed = parseRoute('rw', text);
  return parsed.ok ? parsed.route.text : parsed.problem;
}

describe('a route is read as libpq reads it', () => {
  test.each([
    ['db:6432', 'db:6432'],
    ['db', 'db:5432'],
    ['[::1]:5000', '[::1]:5000'],
    ['10.0.0.1:5432,10.0.0.2', '10.0.0.1:5432,10.0.0.2:5432'],
    ['a:1,b:2?target_session_attrs=read-write', 'a:1,b:2?target_session_attrs=read-write'],
    [
      'postgresql://u:p%40ss@a:1,b:2/app?target_session_attrs=primary',
      'a:1,b:2?target_session_attrs=primary',
    ],
    ['postgres://a/app?host=c,d&port=7', 'c:7,d:7'],
    ['host=a,b port=1,2 target_session_attrs=standby', 'a:1,b:2?target_session_attrs=standby'],
    ["host = a  port= 7 password = 'it''s'", 'keyword 4 has no "=" after it'],
    ["host=a password='it\\'s'", 'a:5432'],
    ['host=a password=my\\ word', 'a:5432'],
    ['hostaddr=10.0.0.1 port=1', '10.0.0.1:1'],
    ['host=db hostaddr=10.0.0.1', 'db:5432'],
    ['host=/var/run port=6432', '/var/run:6432'],
    ['%2Fvar%2Frun:6432', '/var/run:6432'],
    ['a,b?load_balance_hosts=random', 'a:5432,b:5432?load_balance_hosts=random'],
    ['a?ssl=true&application_name=web', 'a:5432'],
  ])('%s', (text, shown) => {
    expect(read(text)).toBe(shown);
  });

  test.each([
    ['', 'it names no host'],
    [':5432', 'it names no host'],
    ['a:1,', 'host 2 is empty'],
    ['a:0', 'the port of host 1 is not a port'],
    ['a:70000', 'the port of host 1 is not a port'],
    ['a:b:c', 'host 1 is not HOST, HOST:PORT or [ADDRESS]:PORT'],
    ['host=a,b,c port=1,2', '2 ports do not match 3 hosts'],
    ['host=a,b hostaddr=10.0.0.1', '1 hostaddr values do not match 2 hosts'],
    [
      'a?target_session_attrs=master',
      'target_session_attrs must be one of any, read-write, read-only, primary, standby, prefer-standby',
    ],
    ['a?load_balance_hosts=always', 'load_balance_hosts must be disable or random'],
    [
      'a?sslmode=on',
      'sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full',
    ],
    ['a?colour=red', 'parameter 1 is not a keyword of libpq'],
    ['host=a colour=red', 'keyword 2 is not one of libpq'],
    ['host=a dbname', 'keyword 2 has no "=" after it'],
    ["host=a password='x", 'a quoted value does not end'],
    ['a%zz', 'a percent sign is not followed by two hexadecimal digits'],
    ['service=prod', 'service is not read here: give the hosts'],
  ])('%s is refused', (text, problem) => {
    expect(read(text)).toBe(problem);
  });

  test('the login is kept apart from what is printed', () => {
    const parsed = parseRouteFlag('rw=postgresql://app:geheim@db:6432/shop?sslmode=require');
    expect(parsed).toMatchObject({
      ok: true,
      route: { kind: 'rw', text: 'db:6432' },
      login: { user: 'app', password: 'geheim', dbname: 'shop', sslmode: 'require' },
    });
    expect(JSON.stringify(parsed.ok && parsed.route)).not.toContain('geheim');
  });

  test.each(['db:5432', 'wo=db:5432', 'RW=db'])('%s is not a route', (text) => {
    expect(parseRouteFlag(text)).toEqual({
      ok: false,
      problem: 'expected rw=HOST:PORT or ro=HOST:PORT',
    });
  });

  test('no problem quotes what may be a password', () => {
    const texts = [
      'host=a password=geheim x',
      'host=a password=my geheim=1',
      'u:geheim@a:b:c',
      'a?geheim',
      "password='geheim",
    ];
    for (const text of texts) {
      const parsed = parseRoute('rw', text);
      expect(JSON.stringify(parsed)).toContain('"ok":false');
      expect(JSON.stringify(parsed)).not.toContain('geheim');
    }
  });
});

// ---------------------------------------------------------------- what answers

const PRIMARY: RouteAnswer = {
  systemId: '7000',
  inRecovery: false,
  startedAt: '111',
  address: '10.0.0.1',
  port: 5432,
  timeline: 3,
  streams: null,
  defaultReadOnly: false,
};
const STANDBY: RouteAnswer = {
  ...PRIMARY,
  inRecovery: true,
  startedAt: '222',
  address: '10.0.0.2',
  streams: true,
};
const OTHER_STANDBY: RouteAnswer = { ...STANDBY, startedAt: '333', address: '10.0.0.3' };

const yes = (value: RouteAnswer): Reading<RouteAnswer> => ({ ok: true, value, tookMs: 1 });
const dead: Reading<RouteAnswer> = { ok: false, kind: 'unreachable', reason: 'connection refused' };
const refused: Reading<RouteAnswer> = {
  ok: false,
  kind: 'denied',
  reason: 'no such user: postgres',
};

/** A route whose hosts have one address each. */
function reading(
  kind: 'rw' | 'ro',
  text: string,
  ...hosts: Reading<RouteAnswer>[][]
): RouteReading {
  const parsed = parseRoute(kind, text);
  if (!parsed.ok) throw new Error(parsed.problem);
  const addresses = hosts.map((connections, host) => ({
    host,
    address: `10.9.0.${host + 1}`,
    connections,
  }));
  return { route: parsed.route, addresses };
}

describe('a client ends where libpq would end', () => {
  const ends = (attrs: string, ...hosts: Reading<RouteAnswer>[][]): string[] =>
    landingOf(reading('rw', `a,b,c?target_session_attrs=${attrs}`, ...hosts)).ends.map(
      ({ answer }) => `${answer.address ?? ''}${answer.inRecovery ? '' : ' primary'}`,
    );
  const three = [[yes(STANDBY)], [yes(PRIMARY)], [yes(OTHER_STANDBY)]];

  test.each([
    ['any', ['10.0.0.2']],
    ['read-write', ['10.0.0.1 primary']],
    ['primary', ['10.0.0.1 primary']],
    ['read-only', ['10.0.0.2']],
    ['standby', ['10.0.0.2']],
    ['prefer-standby', ['10.0.0.2']],
  ])('with %s', (attrs, expected) => {
    expect(ends(attrs, ...three)).toEqual(expected);
  });

  test('a primary that begins read-only transactions is read-only to libpq', () => {
    const readOnly = [[yes({ ...PRIMARY, defaultReadOnly: true })]];
    expect(ends('read-write', ...readOnly)).toEqual([]);
    expect(ends('read-only', ...readOnly)).toEqual(['10.0.0.1 primary']);
    expect(ends('primary', ...readOnly)).toEqual(['10.0.0.1 primary']);
  });

  test('a host that does not answer is passed over', () => {
    expect(ends('any', [dead], [yes(PRIMARY)])).toEqual(['10.0.0.1 primary']);
  });

  test('prefer-standby takes the first that answers where there is no standby', () => {
    expect(ends('prefer-standby', [dead], [yes(PRIMARY)])).toEqual(['10.0.0.1 primary']);
  });

  test('with load_balance_hosts=random every host that fits may be the end', () => {
    const random = reading(
      'ro',
      'a,b,c?target_session_attrs=standby&load_balance_hosts=random',
      ...three,
    );
    expect(landingOf(random).ends.map(({ answer }) => answer.address)).toEqual([
      '10.0.0.2',
      '10.0.0.3',
    ]);
  });

  test('where a login is refused, any later host may be the end too', () => {
    const landing = landingOf(reading('rw', 'a,b', [refused], [yes(PRIMARY)]));
    expect(landing.refused).toHaveLength(1);
    expect(landing.ends).toHaveLength(1);
  });
});

// ---------------------------------------------------------------- what is wrong with it

/** pg1 leads on timeline 3, pg2 and pg3 stream; over SQL, so each is known by its start. */
function cluster(
  routes: RouteReading[],
  change: (snapshot: Snapshot) => void = () => undefined,
): Snapshot {
  const { snapshot } = healthy();
  snapshot.cluster.systemId = '7000';
  for (const [at, member] of snapshot.members.entries()) {
    if (member.sql.ok)
      Object.assign(member.sql.value, { systemId: '7000', startedAt: `${at + 1}`.repeat(3) });
  }
  snapshot.routes = routes;
  change(snapshot);
  return snapshot;
}

/** `severity code members` of every finding about these routes. */
function found(...routes: RouteReading[]): string[] {
  const states = routeStates(viewOf(cluster(routes)));
  return states.flatMap(({ findings }) =>
    findings.map(({ code, severity, members }) => `${severity} ${code} ${members.join()}`.trim()),
  );
}

const OLD_PRIMARY = { ...STANDBY, inRecovery: false, streams: null };
const FOREIGN = { ...PRIMARY, systemId: '9999', startedAt: '999' };

describe('a write route', () => {
  test('that leads to the leader is right, on one address and on all', () => {
    expect(found(reading('rw', 'vip', [yes(PRIMARY), yes(PRIMARY)]))).toEqual([]);
    expect(
      found(reading('rw', 'a,b?target_session_attrs=read-write', [yes(STANDBY)], [yes(PRIMARY)])),
    ).toEqual([]);
  });

  test.each([
    ['a replica', [yes(STANDBY), yes(STANDBY)], ['critical write_route_replica pg2']],
    ['no server', [dead, dead], ['critical write_route_down']],
    ['the old primary', [yes(OLD_PRIMARY)], ['critical write_route_old_primary pg2']],
    ['another cluster', [yes(FOREIGN)], ['critical route_other_cluster']],
    [
      'the leader and a replica by turns',
      [yes(PRIMARY), yes(STANDBY)],
      ['critical route_partial pg2'],
    ],
    ['the leader and nothing by turns', [yes(PRIMARY), dead], ['warning route_partial']],
    ['a pooler that refuses us', [refused], ['unknown route_unasked']],
  ])('that leads to %s', (_, connections, expected) => {
    expect(found(reading('rw', 'vip', connections))).toEqual(expected);
  });

  test('over several hosts without target_session_attrs leads to the first of them', () => {
    const [state] = routeStates(
      viewOf(cluster([reading('rw', 'a,b', [yes(STANDBY)], [yes(PRIMARY)])])),
    );
    expect(state?.leadsTo).toEqual(['pg2']);
    expect(state?.findings.map(({ next }) => next)).toEqual([
      'add target_session_attrs=read-write to the connection string of the clients',
    ]);
  });

  test('that demands what no server is leads nowhere, and says so', () => {
    const [state] = routeStates(
      viewOf(cluster([reading('rw', 'a?target_session_attrs=primary', [yes(STANDBY)])])),
    );
    expect(state?.findings.map(({ message }) => message)).toEqual([
      'the write route rw a:5432?target_session_attrs=primary leads to no server: the one that answers is not what target_session_attrs=primary demands',
    ]);
  });

  test('with an address that does not answer is a warning that names it', () => {
    const [state] = routeStates(
      viewOf(
        cluster([reading('rw', 'a,b?target_session_attrs=read-write', [yes(PRIMARY)], [dead])]),
      ),
    );
    expect(state?.findings.map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
      'warning: the route rw a:5432,b:5432?target_session_attrs=read-write leads to pg1, but not on every address: b:5432 (10.9.0.2) does not answer every connection',
    ]);
  });

  test('is judged by the start of the postmaster, so that two servers of one address differ', () => {
    expect(found(reading('rw', 'vip', [yes({ ...PRIMARY, startedAt: '777' })]))).toEqual([
      'critical write_route_old_primary',
    ]);
  });

  test('is recognized by its address where no witness told when the leader was started', () => {
    const silent = (snapshot: Snapshot): void => {
      for (const member of snapshot.members) member.sql = OFF;
      Object.assign(snapshot.cluster.members[0] ?? {}, { host: '10.0.0.1', port: 5432 });
      Object.assign(snapshot.cluster.members[1] ?? {}, { host: '10.0.0.2', port: 5432 });
    };
    const states = routeStates(viewOf(cluster([reading('rw', 'vip', [yes(PRIMARY)])], silent)));
    expect(states.map(({ leadsTo, findings }) => [leadsTo, findings])).toEqual([[['pg1'], []]]);
  });

  test('in a standby cluster is not judged', () => {
    const standby = (snapshot: Snapshot): void => {
      if (snapshot.cluster.config) snapshot.cluster.config.standbyCluster = { host: 'there' };
    };
    const view = viewOf(cluster([reading('rw', 'vip', [yes(STANDBY)])], standby));
    expect(routeStates(view).flatMap(({ findings }) => findings)).toEqual([]);
  });
});

describe('a read route', () => {
  test('that leads to replicas that stream is right', () => {
    expect(found(reading('ro', 'vip', [yes(STANDBY), yes(OTHER_STANDBY)]))).toEqual([]);
  });

  test.each([
    ['the primary', [yes(PRIMARY)], ['warning read_route_primary pg1']],
    ['the primary now and then', [yes(PRIMARY), yes(STANDBY)], ['warning read_route_primary pg1']],
    [
      'a replica that does not stream',
      [yes({ ...STANDBY, streams: false })],
      ['critical read_route_stale pg2'],
    ],
    ['no server', [dead], ['critical read_route_empty']],
    ['another cluster', [yes({ ...STANDBY, systemId: '9999' })], ['critical route_other_cluster']],
    ['a pooler that refuses us', [refused], ['unknown route_unasked']],
  ])('that leads to %s', (_, connections, expected) => {
    expect(found(reading('ro', 'vip', connections))).toEqual(expected);
  });

  test('asks the members where the login may not see the WAL receiver', () => {
    const blind = { ...STANDBY, streams: null, timeline: null };
    expect(found(reading('ro', 'vip', [yes(blind)]))).toEqual([]);
    const stopped = (snapshot: Snapshot): void => {
      const leader = snapshot.members[0]?.sql;
      if (leader?.ok) leader.value.walsenders = [];
    };
    const view = viewOf(cluster([reading('ro', 'vip', [yes(blind)])], stopped));
    expect(routeStates(view).flatMap(({ findings }) => findings.map(({ code }) => code))).toEqual([
      'read_route_stale',
    ]);
  });
});

describe('evidence', () => {
  test('names the route, each address, and how many connections led where', () => {
    const route = reading('rw', 'vip:5000', [yes(PRIMARY), yes(STANDBY), yes(STANDBY)]);
    const [state] = routeStates(viewOf(cluster([route])));
    expect(state?.findings[0]?.evidence).toEqual([
      {
        witness: 'route',
        subject: 'rw vip:5000',
        said: 'vip:5000 (10.9.0.1): leads to pg1 (10.0.0.1:5432), a primary, timeline 3 (1 of 3 connections)',
      },
      {
        witness: 'route',
        subject: 'rw vip:5000',
        said: 'vip:5000 (10.9.0.1): leads to pg2 (10.0.0.2:5432), in recovery, timeline 3 (2 of 3 connections)',
      },
    ]);
  });
});

describe('what was not looked for', () => {
  const codes = CATALOGUE.filter(({ group }) => group === 'Routes').map(({ code }) => code);
  const unlooked = (snapshot: Snapshot): Record<string, string> => {
    const { unlooked: all } = look(viewOf(snapshot), DEFAULT_LIMITS, (code) =>
      codes.includes(code),
    );
    return Object.fromEntries(all.map(({ code, reason }) => [code, reason]));
  };

  test('is everything about routes where none is given', () => {
    const without = cluster([]);
    delete without.routes;
    expect(unlooked(without)).toEqual(
      Object.fromEntries(codes.map((code) => [code, 'needs --route'])),
    );
  });

  test('is everything about a route that refuses us, with the reason', () => {
    const listed = unlooked(cluster([reading('rw', 'pool', [refused])]));
    expect(listed['write_route_replica']).toBe(
      'the route rw pool:5432 answers, but where it leads is unknown: no such user: postgres',
    );
    expect(listed['read_route_empty']).toBe('no ro route is given');
    expect(listed['route_unasked']).toBeUndefined();
  });
});
