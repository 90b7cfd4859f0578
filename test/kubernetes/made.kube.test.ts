/**
 * patctl on objects that were made as Patroni and its operators make them, on a real kube-apiserver, without running
 * Pods.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { kubeCreate, kubeRequest } from '../support/lab/kube.js';
import type { KubeNode } from '../support/lab/state.js';
import { runPatctl, runPatronictl, type RunOptions } from '../support/run.js';
import { memberValue } from '../contract/dcs-contract.js';
import type { Lab } from '../support/lab/cluster.js';
import { sharedKubernetes } from './kube-lab.js';
import { writeKeys } from './kube-keys.js';

let lab: Lab;
let kube: KubeNode;
beforeAll(async () => {
  ({ lab, kube } = await sharedKubernetes());
});

const patctl = (context: string, args: string[], options: RunOptions = {}) =>
  runPatctl(['--kube-context', context, ...args], {
    ...options,
    env: { KUBECONFIG: kube.kubeconfig },
  });

let counter = 0;
async function makeNamespace(name: string): Promise<string> {
  counter += 1;
  const namespace = `${name}-${process.pid}-${counter}`;
  await kubeCreate(kube, '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  });
  return namespace;
}

const KEYS = (scope: string) => ({
  initialize: '7000000000000000001',
  config: '{"ttl":30,"loop_wait":10}',
  leader: `${scope}-0`,
  [`members/${scope}-0`]: memberValue(`${scope}-0`, 'primary'),
  [`members/${scope}-1`]: memberValue(`${scope}-1`),
});

/** Labels as each operator sets them. */
const OPERATORS = {
  zalando: { application: 'spilo', 'cluster-name': 'SCOPE', 'spilo-role': 'ROLE' },
  crunchy: {
    'postgres-operator.crunchydata.com/cluster': 'hippo',
    'postgres-operator.crunchydata.com/patroni': 'SCOPE',
    'postgres-operator.crunchydata.com/role': 'ROLE',
  },
  percona: {
    'pgv2.percona.com/cluster': 'hippo',
    'pgv2.percona.com/patroni': 'SCOPE',
    'pgv2.percona.com/role': 'ROLE',
  },
  stackgres: {
    app: 'StackGresCluster',
    'stackgres.io/cluster-name': 'SCOPE',
    'stackgres.io/cluster': 'true',
    role: 'ROLE',
  },
} as const;

interface Row {
  Cluster: string;
  Member: string;
  Role: string;
  Namespace?: string;
}

describe.each(Object.entries(OPERATORS))('the labels of %s', (operator, labels) => {
  it.each(['endpoints', 'configmaps'] as const)(
    'are found by themselves, and with --kube-labels, in %s',
    async (kind) => {
      const namespace = await makeNamespace(operator);
      const scope = `${operator}-ha`;
      const ofScope = (role: string) =>
        Object.fromEntries(
          Object.entries<string>(labels).map(([name, value]) => [
            name,
            value.replace('SCOPE', scope).replace('ROLE', role),
          ]),
        );
      await writeKeys({ kube, namespace, kind, labels: ofScope('replica') }, KEYS(scope), scope);
      for (const way of [[], ['--kube-labels', operator]]) {
        const args = ['--kube-namespace', namespace, ...way];
        const run = await patctl('admin', [
          ...args,
          'list',
          scope,
          '--verify',
          'off',
          '-f',
          'json',
        ]);
        expect([run.code, run.err]).toEqual([0, expect.anything()]);
        const rows = JSON.parse(run.out) as Row[];
        expect(rows.map(({ Member, Role }) => [Member, Role])).toEqual([
          [`${scope}-0`, 'Leader'],
          [`${scope}-1`, 'Replica'],
        ]);
        expect((await patctl('admin', [...args, 'show-config', scope])).out).toContain('ttl: 30');
      }
      const [other] = Object.keys(OPERATORS).filter((one) => one !== operator);
      const wrong = ['--kube-namespace', namespace, '--kube-labels', other ?? '', 'list', scope];
      const { code } = await patctl('admin', wrong);
      expect(code).toBe(1);
    },
  );
});

describe('list --all', () => {
  const allow = async (namespace: string, user: string): Promise<void> => {
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    const rules = [
      { apiGroups: [''], resources: ['pods', 'endpoints', 'configmaps'], verbs: ['list', 'watch'] },
    ];
    await kubeCreate(kube, `${rbac}/roles`, {
      apiVersion,
      kind: 'Role',
      metadata: { name: 'patctl-read' },
      rules,
    });
    await kubeCreate(kube, `${rbac}/rolebindings`, {
      apiVersion,
      kind: 'RoleBinding',
      metadata: { name: `patctl-read-${user}` },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'patctl-read' },
      subjects: [{ kind: 'User', name: user, apiGroup: 'rbac.authorization.k8s.io' }],
    });
  };

  it('with rights for some namespaces lists these, tells apart equal names, and names the others', async () => {
    const [one, two, hidden] = [
      await makeNamespace('one'),
      await makeNamespace('two'),
      await makeNamespace('hidden'),
    ];
    for (const namespace of [one, two, hidden])
      await writeKeys({ kube, namespace, kind: 'configmaps' }, KEYS('orders'), 'orders');
    // Without the right to list namespaces only the context's own is read.
    const none = await patctl('nobody', ['list', '--all']);
    expect([none.code, none.err]).toEqual([
      1,
      expect.stringContaining('cannot list resource "pods"'),
    ]);
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    await kubeCreate(kube, `${rbac}/clusterroles`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'list-namespaces' },
      rules: [{ apiGroups: [''], resources: ['namespaces'], verbs: ['list'] }],
    });
    await kubeCreate(kube, `${rbac}/clusterrolebindings`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'list-namespaces' },
      roleRef: {
        apiGroup: 'rbac.authorization.k8s.io',
        kind: 'ClusterRole',
        name: 'list-namespaces',
      },
      subjects: [{ kind: 'User', name: 'nobody', apiGroup: 'rbac.authorization.k8s.io' }],
    });
    await allow(one, 'nobody');
    await allow(two, 'nobody');
    const table = await patctl('nobody', ['list', '--all', '--verify', 'off']);
    expect([table.code, table.out.match(/Cluster: orders/g)?.length]).toEqual([0, 2]);
    expect(table.out).toContain('| Namespace');
    expect(table.err).toMatch(
      new RegExp(`there may be more clusters: namespaces that may not be read: .*${hidden}`),
    );
    const json = await patctl('nobody', ['list', '--all', '--verify', 'off', '-f', 'json']);
    const rows = JSON.parse(json.out) as Row[];
    expect(rows.map(({ Namespace, Member }) => [Namespace, Member]).sort()).toEqual([
      [one, 'orders-0'],
      [one, 'orders-1'],
      [two, 'orders-0'],
      [two, 'orders-1'],
    ]);
    expect(json.err).toContain(hidden);
    for (const context of ['reader', 'actor']) {
      const own = await patctl(context, ['list', '--all', '--verify', 'off']);
      expect([own.code, own.err]).toEqual([
        0,
        expect.stringContaining('only namespace default was read: namespaces may not be listed'),
      ]);
      expect(own.out).toContain(`Cluster: ${lab.scope}`);
    }
    await kubeRequest(kube, `${rbac}/clusterrolebindings/list-namespaces`, { method: 'DELETE' });
  });
});

describe('Citus groups', () => {
  it.each(['endpoints', 'configmaps'] as const)(
    'are listed by their label as patronictl lists them, in %s',
    async (kind) => {
      const namespace = await makeNamespace('citus');
      for (const [group, name] of ['coord', 'worker1', 'worker2'].entries()) {
        await writeKeys({ kube, namespace, kind }, KEYS(name), 'citus', group);
      }
      const { writeFileSync } = await import('node:fs');
      const file = `${kube.folder}/${namespace}.yml`;
      writeFileSync(
        file,
        `scope: citus\ncitus:\n  group: 0\n  database: citus\nkubernetes:\n  context: admin\n` +
          `  namespace: ${namespace}\n  labels: {}\n  use_endpoints: ${kind === 'endpoints'}\n`,
      );
      const env = { KUBECONFIG: kube.kubeconfig };
      for (const args of [
        ['list'],
        ['list', '--group', '1'],
        ['list', '-f', 'json'],
        ['topology'],
      ]) {
        const theirs = await runPatronictl({ ...lab, config: file }, args, { env });
        const ours = await runPatctl(['-c', file, '--compat', ...args], { env });
        expect([args, ours.out, ours.code]).toEqual([args, theirs.out, theirs.code]);
      }
      const all = await patctl('admin', [
        '--kube-namespace',
        namespace,
        'list',
        'citus',
        '--verify',
        'off',
        '-f',
        'json',
      ]);
      const rows = JSON.parse(all.out) as (Row & { Group: number })[];
      expect(rows.map(({ Group, Member, Role }) => [Group, Member, Role])).toEqual([
        [0, 'coord-0', 'Leader'],
        [0, 'coord-1', 'Replica'],
        [1, 'worker1-0', 'Leader'],
        [1, 'worker1-1', 'Replica'],
        [2, 'worker2-0', 'Leader'],
        [2, 'worker2-1', 'Replica'],
      ]);
    },
  );
});
