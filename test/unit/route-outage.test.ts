/** Routes during a change of leader: what was measured through them, and when they count as proven. */
import { describe, expect, test } from 'vitest';
import type { Finding, Reading } from '../../src/cluster/model/model.js';
import type { Route, RouteAnswer } from '../../src/cluster/model/route-model.js';
import {
  routeOutage,
  withRouteProbe,
  type RouteTracks,
} from '../../src/cluster/progress/route-outage.js';
import { routeProof, warningsOf } from '../../src/cluster/progress/route-proof.js';
import type { RouteState } from '../../src/cluster/routes/route-state.js';

type Met = 'old' | 'new' | 'standby' | 'none' | 'refused';

function said(met: Met): Reading<RouteAnswer> {
  if (met === 'none') return { ok: false, kind: 'unreachable', reason: 'connection refused' };
  if (met === 'refused') return { ok: false, kind: 'denied', reason: 'no such user' };
  const value: RouteAnswer = {
    systemId: '7000',
    inRecovery: met === 'standby',
    startedAt: met === 'old' ? '111' : '222',
    address: '10.0.0.1',
    port: 5432,
    timeline: 3,
    streams: null,
    defaultReadOnly: false,
  };
  return { ok: true, value, tookMs: 1 };
}

/** Connections 100 ms apart, each answered after 10 ms; the lock moves before the one at `lockedAt`. */
function tracked(all: Met[], lockedAt = 2): RouteTracks {
  return all.reduce<RouteTracks>(
    (tracks, met, at) =>
      withRouteProbe(
        tracks,
        { route: 'rw vip', askedMs: at * 100, atMs: at * 100 + 10, said: said(met) },
        at >= lockedAt,
      ),
    new Map(),
  );
}

function outage(all: Met[], lockedAt?: number) {
  const track = tracked(all, lockedAt).get('rw vip');
  return track ? routeOutage(track) : null;
}

describe('how long clients of a route were without a primary', () => {
  test('is between the last connection to the old one and the first to the new one', () => {
    expect(outage(['old', 'old', 'none', 'standby', 'new', 'new'])).toEqual({
      atLeastMs: 90,
      atMostMs: 310,
      last: { fromMs: 100, toMs: 210 },
      first: { fromMs: 300, toMs: 410 },
    });
  });

  test('may be nothing where no connection in between failed', () => {
    expect(outage(['old', 'new'], 1)).toMatchObject({ atLeastMs: 0, atMostMs: 110 });
  });

  test('is not over while the route still leads to the old primary, a standby or nothing', () => {
    expect(outage(['old', 'none', 'standby', 'old'])).toBeNull();
    expect(outage(['old', 'none', 'none'])).toBeNull();
  });

  test('lasts until the route leads there for good', () => {
    expect(outage(['old', 'none', 'new', 'none', 'new'])).toMatchObject({ atMostMs: 410 });
  });

  test('has no known beginning where no primary was met before', () => {
    expect(outage(['none', 'none', 'none', 'new'])).toMatchObject({ atMostMs: null, last: null });
  });

  test('is not measured where our login is refused', () => {
    expect(outage(['refused'])).toBeNull();
    expect(tracked(['refused']).get('rw vip')?.refused).toBe('no such user');
  });
});

function state(kind: 'rw' | 'ro', code: string | null, severity: Finding['severity']): RouteState {
  const finding = { code: code ?? '', severity, members: [], message: '', evidence: [], next: '' };
  const route: Route = {
    kind,
    text: 'vip:1',
    hosts: [],
    targetSessionAttrs: 'any',
    random: false,
  };
  const findings = code === null ? [] : [finding];
  return {
    name: `${kind} vip:1`,
    reading: { route, addresses: [] },
    leadsTo: ['pg2'],
    findings,
  };
}

describe('routes are proven', () => {
  const goal = { before: [], hasReplica: true };
  const wrong = (states: RouteState[], more = {}) =>
    routeProof(states, { ...goal, ...more }).wrong.map(({ code }) => code);

  test('when nothing is wrong with any', () => {
    const proof = routeProof([state('rw', null, 'info'), state('ro', null, 'info')], goal);
    expect(proof).toEqual({ wrong: [], unasked: [], said: 'rw vip:1 to pg2; ro vip:1 to pg2' });
  });

  test('not while clients write nowhere, or read from the primary since the change', () => {
    expect(wrong([state('rw', 'write_route_down', 'critical')])).toEqual(['write_route_down']);
    expect(wrong([state('ro', 'read_route_primary', 'warning')])).toEqual(['read_route_primary']);
  });

  test('also where an address that answers nothing is left over: its clients go on', () => {
    expect(wrong([state('rw', 'route_partial', 'warning')])).toEqual([]);
  });

  test('also where reads went to the primary before, or no replica is left to read from', () => {
    const before = warningsOf([state('ro', 'read_route_primary', 'warning')]);
    expect(wrong([state('ro', 'read_route_primary', 'warning')], { before })).toEqual([]);
    expect(wrong([state('ro', 'read_route_empty', 'critical')], { hasReplica: false })).toEqual([]);
    expect(wrong([state('ro', 'read_route_stale', 'critical')], { hasReplica: false })).toEqual([
      'read_route_stale',
    ]);
  });

  test('says so where no replica is left to read from', () => {
    const nowhere = { ...state('ro', 'read_route_empty', 'critical'), leadsTo: [] };
    expect(routeProof([nowhere], { before: [], hasReplica: false }).said).toBe(
      'ro vip:1 to no server, because no replica is left',
    );
  });

  test('not where our login is refused, which is not wrong either', () => {
    const proof = routeProof([state('rw', 'route_unasked', 'unknown')], goal);
    expect([proof.wrong.length, proof.unasked.length]).toEqual([0, 1]);
  });
});
