/** Kubernetes' objects as Patroni's keys, and what Kubernetes claims, asserted by value. */
import { describe, expect, it } from 'vitest';
import {
  leaderClaimExpired,
  leaderEndpointsWrong,
  podReadyBehind,
  roleLabelWrong,
} from '../../src/cluster/findings/kubernetes-claims.js';
import { DEFAULT_LIMITS } from '../../src/cluster/findings/limits.js';
import type { Cluster, MemberReadings, Reading } from '../../src/cluster/model/model.js';
import { viewOf, type View } from '../../src/cluster/roles/view.js';
import { claimedRole } from '../../src/cluster/roles/dcs-roles.js';
import {
  clustersIn,
  type KubeKind,
  type KubePod,
  type Listed,
} from '../../src/dcs/kubernetes/kube-objects.js';
import { marksFrom } from '../../src/dcs/kubernetes/label-presets.js';
import { DEFAULT_MARKS } from '../../src/config/kubernetes-settings.js';
import { parseRestStatus } from '../../src/patroni/parse-status.js';

const NOW = Date.parse('2026-11-27T20:29:00Z');
const labels = { application: 'patroni', 'cluster-name': 'kd' };

const meta = (name: string, annotations: Record<string, string> = {}, more: object = {}) => ({
  name,
  namespace: 'db',
  resourceVersion: '7',
  labels,
  annotations,
  ...more,
});

const leaderOf = (annotations: Record<string, string>, ip = '10.244.0.1'): KubeKind => ({
  metadata: meta('kd', annotations, { resourceVersion: '30' }),
  subsets: [{ addresses: [{ ip }], ports: [{ port: 5432 }] }],
});

/** As a Patroni 4.1.4 left it in a kube-apiserver 1.34. */
const LEADER = {
  acquireTime: '2026-11-27T20:28:11.474999+00:00',
  leader: 'k1',
  optime: '24408056',
  renewTime: '2026-11-27T20:28:50.828738+00:00',
  retain_slots: '["k1", "k2"]',
  slots: '{"k2":24408056,"k1":24408056}',
  transitions: '0',
  ttl: '20',
};

function pod(name: string, role: string | null, ready: boolean | null, at: number): KubePod {
  const status = JSON.stringify({
    conn_url: `postgres://10.244.0.${at}:5432/postgres`,
    api_url: `http://10.244.0.${at}:8008/patroni`,
    state: 'running',
    role: at === 1 ? 'primary' : 'replica',
  });
  return {
    metadata: meta(name, { status }, { labels: { ...labels, ...(role === null ? {} : { role }) } }),
    status: {
      phase: 'Running',
      podIP: `10.244.0.${at}`,
      conditions: ready === null ? [] : [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

const PODS = [pod('k1', 'primary', true, 1), pod('k2', 'replica', true, 2)];

function listed(kinds: KubeKind[], pods: KubePod[] = PODS, nowMs: number | null = NOW): Listed {
  return { pods, kinds, kind: 'endpoints', revision: '40', nowMs };
}

function cluster(leader: KubeKind, pods?: KubePod[], nowMs?: number | null): Cluster {
  const config = { metadata: meta('kd-config', { config: '{"ttl":20}', initialize: '7' }) };
  const [found] = clustersIn(listed([leader, config], pods, nowMs), DEFAULT_MARKS);
  if (!found) throw new Error('no cluster');
  return found;
}

describe('objects as keys', () => {
  it('are read as Patroni wrote them', () => {
    expect(cluster(leaderOf(LEADER))).toMatchObject({
      scope: 'kd',
      systemId: '7',
      leaderName: 'k1',
      status: { optime: 24408056n, retainSlots: ['k1', 'k2'], slots: { k1: 24408056n } },
      leaderClaim: { name: 'k1', ttlSeconds: 20, expired: false },
      asOf: '2026-11-27T20:29:00.000Z',
      kubernetes: { namespace: 'db', leaderEndpoints: { name: 'kd' } },
      problems: [],
    });
  });

  it('have no leader once the claim has expired, though patronictl still shows one', () => {
    const old = cluster(leaderOf(LEADER), PODS, NOW + 11_000);
    expect([old.leaderName, old.leaderClaim?.expired]).toEqual([null, true]);
    expect(claimedRole(old, { name: 'k1' })).toBe('leader');
    const unknown = cluster(leaderOf(LEADER), PODS, null);
    expect([unknown.leaderName, unknown.leaderClaim?.ageMs]).toEqual(['k1', null]);
  });

  it('name the object when an annotation cannot be read', () => {
    const broken = cluster(leaderOf({ ...LEADER, failsafe: '{broken' }));
    expect(broken.problems.map(({ key }) => key)).toEqual(['db/kd failsafe']);
  });

  it('keep what can be read of a broken status', () => {
    const broken = cluster(leaderOf({ ...LEADER, slots: '{broken' }));
    expect(broken.status?.optime).toBe(24408056n);
  });

  it('of a Service with the same labels make no cluster', () => {
    const service = { metadata: meta('kd-repl') };
    expect(clustersIn(listed([service], []), DEFAULT_MARKS)).toEqual([]);
  });

  it('tell namespaces and Citus groups apart', () => {
    const config = (namespace: string, group?: string): KubeKind => ({
      metadata: {
        ...meta(group === undefined ? 'kd-config' : `kd-${group}-config`, { config: '{}' }),
        namespace,
        labels: { ...labels, ...(group === undefined ? {} : { 'citus-group': group }) },
      },
    });
    const all = clustersIn(listed([config('b'), config('a'), config('a', '1')], []), DEFAULT_MARKS);
    expect(all.map(({ group, kubernetes }) => [group, kubernetes?.namespace])).toEqual([
      [null, 'a'],
      [null, 'b'],
      [1, 'a'],
    ]);
  });
});

describe("operators' labels", () => {
  it.each([
    ['zalando', { application: 'spilo', 'cluster-name': 'acid' }, 'cluster-name', 'spilo-role'],
    [
      'crunchy',
      { 'postgres-operator.crunchydata.com/patroni': 'hippo-ha' },
      'postgres-operator.crunchydata.com/patroni',
      'postgres-operator.crunchydata.com/role',
    ],
    [
      'stackgres',
      { app: 'StackGresCluster', 'stackgres.io/cluster-scope': 'sg' },
      'stackgres.io/cluster-scope',
      'role',
    ],
  ] as const)('of %s are found from a Pod', (preset, podLabels, scopeLabel, roleLabel) => {
    for (const named of [preset, null]) {
      const { marks } = marksFrom(podLabels, named) ?? {};
      expect(marks).toMatchObject({ scopeLabel, roleLabel });
    }
  });

  it('without an operator are those of plain Patroni, or none', () => {
    expect(marksFrom({ 'cluster-name': 'x' }, null)?.marks).toEqual(DEFAULT_MARKS);
    expect(marksFrom({ 'cluster-name': 'x' }, 'zalando')).toBeNull();
    expect(marksFrom({ app: 'web' }, null)).toBeNull();
  });
});

// ---------------------------------------------------------------- claims

const OFF: Reading<never> = { ok: false, kind: 'off', reason: 'not asked' };

function rest(name: string, body: Record<string, unknown>): MemberReadings {
  const patroni = { version: '4.1.4', scope: 'kd', name };
  const value = parseRestStatus(200, { state: 'running', timeline: 1, patroni, ...body });
  if (!value) throw new Error('not a status');
  return { name, rest: { ok: true, value, tookMs: 1 }, sql: OFF };
}

const PRIMARY = {
  role: 'primary',
  xlog: { location: 100_000_000 },
  replication: [{ application_name: 'k2', state: 'streaming', sync_state: 'async' }],
};
const replica = (received: number) => ({
  role: 'replica',
  replication_state: 'streaming',
  xlog: { received_location: received, replayed_location: received },
});

function view(of: Cluster, k1: Record<string, unknown>, k2: Record<string, unknown>): View {
  return viewOf({
    cluster: of,
    verify: 'rest',
    takenAt: '2026-11-27T20:29:00Z',
    members: [rest('k1', k1), rest('k2', k2)],
    departed: [],
    serializable: false,
    previous: null,
  });
}

describe("Kubernetes' claims", () => {
  const all = (one: View) =>
    [
      leaderClaimExpired(one),
      podReadyBehind(one, DEFAULT_LIMITS),
      roleLabelWrong(one),
      leaderEndpointsWrong(one),
    ].flatMap((found) => found.map(({ code, members }) => [code, ...members]));

  it('are all true of a healthy cluster', () => {
    expect(all(view(cluster(leaderOf(LEADER)), PRIMARY, replica(100_000_000)))).toEqual([]);
  });

  it('are false of a Ready Pod that is behind, does not stream, or does not run', () => {
    const of = cluster(leaderOf(LEADER));
    expect(all(view(of, PRIMARY, replica(1_000_000)))).toEqual([['pod_ready_behind', 'k2']]);
    const alone = { ...PRIMARY, replication: [] };
    expect(all(view(of, alone, replica(100_000_000)))).toEqual([['pod_ready_behind', 'k2']]);
    const creating = { role: 'replica', state: 'creating replica' };
    expect(all(view(of, alone, creating))).toEqual([['pod_ready_behind', 'k2']]);
    const notReady = [pod('k1', 'primary', true, 1), pod('k2', 'replica', false, 2)];
    expect(all(view(cluster(leaderOf(LEADER), notReady), alone, creating))).toEqual([]);
  });

  it('are false of a role label that is not the role', () => {
    const swapped = [pod('k1', 'replica', true, 1), pod('k2', 'primary', true, 2)];
    const of = cluster(leaderOf(LEADER), swapped);
    expect(all(view(of, PRIMARY, replica(100_000_000)))).toEqual([
      ['role_label_wrong', 'k1'],
      ['role_label_wrong', 'k2'],
    ]);
    const old = [pod('k1', 'master', true, 1), pod('k2', 'replica', true, 2)];
    expect(all(view(cluster(leaderOf(LEADER), old), PRIMARY, replica(100_000_000)))).toEqual([]);
  });

  it('are false of Endpoints that lead elsewhere, or nowhere', () => {
    const elsewhere = cluster(leaderOf(LEADER, '10.244.0.9'));
    const nowhere = cluster({ ...leaderOf(LEADER), subsets: [] });
    for (const of of [elsewhere, nowhere]) {
      expect(all(view(of, PRIMARY, replica(100_000_000)))).toEqual([
        ['leader_endpoints_wrong', 'k1'],
      ]);
    }
  });

  it('are false of a leader whose claim has expired, and evidence says how old it is', () => {
    const [found] = leaderClaimExpired(
      view(cluster(leaderOf(LEADER), PODS, NOW + 60_000), PRIMARY, replica(100_000_000)),
    );
    expect(found?.message).toContain('69 s ago by the API server');
    expect(found?.evidence[0]?.said).toContain('held by k1, expired');
  });
});
