/**
 * Kubernetes as a lab cluster's DCS: a real kube-apiserver on the cluster's etcd, without kubelet, scheduler or
 * controllers. A member's Pod is an object that no kubelet runs; the member itself is a process like any other.
 */
import { createServer } from 'node:net';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { ensureKubeApiserver } from '../kube-apiserver.js';
import { SetupError } from '../setup.js';
import { cleanEnv, runProgram } from './process.js';
import { rootOf, type ClusterState, type KubeNode, type LabMember } from './state.js';
import { makeCertificates } from './tls.js';

export const NAMESPACE = 'default';
/** The identities at the API server; the name is the kubeconfig's context and the account's. */
export const ACCOUNTS = ['admin', 'patroni', 'reader', 'actor', 'nobody'] as const;
export type Account = (typeof ACCOUNTS)[number];

export const tokenOf = (account: Account): string => `lab-secret-token-${account}`;

/** Addresses that Pods have. Members listen there where the network namespace has them, else on loopback. */
export const podIp = (index: number): string => `10.244.0.${index + 1}`;

export function kubeNode(scope: string, port: number): KubeNode {
  const root = rootOf(scope);
  return {
    name: 'kube',
    port,
    server: `https://127.0.0.1:${port}`,
    folder: join(root, 'kube'),
    kubeconfig: join(root, 'kube', 'kubeconfig'),
    log: join(root, 'log', 'kube.log'),
  };
}

export async function isOnThisHost(address: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(0, address, () => server.close(() => resolve(true)));
  });
}

/** Certificates, tokens and the kubeconfig. */
export async function writeKubeFiles({ folder, server, kubeconfig }: KubeNode): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  await makeCertificates(folder);
  const run = async (...args: string[]): Promise<void> => {
    const done = await runProgram('openssl', args, { cwd: folder, env: cleanEnv(folder) });
    if (done.code !== 0) throw new Error(`openssl ${args[0] ?? ''}: ${done.err.trim()}`);
  };
  await run('genrsa', '-out', 'sa.key', '2048');
  await run('rsa', '-in', 'sa.key', '-pubout', '-out', 'sa.pub');
  const groups = (account: Account): string =>
    account === 'admin' || account === 'patroni' ? ',"system:masters"' : '';
  const tokens = ACCOUNTS.map((one) => `${tokenOf(one)},${one},${one}${groups(one)}\n`);
  writeFileSync(join(folder, 'tokens.csv'), tokens.join(''), { mode: 0o600 });
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'admin',
    clusters: [
      { name: 'lab', cluster: { server, 'certificate-authority': join(folder, 'ca.crt') } },
    ],
    users: ACCOUNTS.map((name) => ({ name, user: { token: tokenOf(name) } })),
    contexts: ACCOUNTS.map((name) => ({
      name,
      context: { cluster: 'lab', user: name, namespace: NAMESPACE },
    })),
  };
  // Patroni, which is not root, reads it.
  writeFileSync(kubeconfig, stringify(config), { mode: 0o644 });
}

export async function kubeCommand(state: ClusterState): Promise<[string, string[]]> {
  const { kube } = state;
  if (kube === null) throw new Error(`${state.options.scope} has no kube-apiserver`);
  const program = await ensureKubeApiserver();
  if (program === null)
    throw new SetupError('there is neither a kube-apiserver nor Go to build it');
  const file = (name: string): string => join(kube.folder, name);
  return [
    program,
    [
      `--etcd-servers=${state.etcd.map(({ url }) => url).join(',')}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=10.244.0.254',
      `--secure-port=${kube.port}`,
      `--cert-dir=${file('certs')}`,
      `--tls-cert-file=${file('server.crt')}`,
      `--tls-private-key-file=${file('server.key')}`,
      `--client-ca-file=${file('ca.crt')}`,
      `--token-auth-file=${file('tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${file('sa.pub')}`,
      `--service-account-signing-key-file=${file('sa.key')}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      '--disable-admission-plugins=ServiceAccount',
      // Watches of ConfigMaps go to etcd itself, which forgets when it is compacted: 410 Gone can be had at once.
      '--watch-cache-sizes=configmaps#0',
      // A Patroni's Endpoints are not the API server's own.
      '--endpoint-reconciler-type=none',
    ],
  ];
}

// ---------------------------------------------------------------- asking it

export interface KubeOptions {
  method?: string;
  body?: unknown;
  contentType?: string;
  account?: Account;
  timeoutMs?: number;
}

export interface KubeAnswer {
  status: number;
  json: Record<string, unknown>;
}

/** One request to the API server, as admin unless another account is named. */
export async function kubeRequest(
  kube: KubeNode,
  path: string,
  options: KubeOptions = {},
): Promise<KubeAnswer> {
  const settings: RequestOptions = {
    method: options.method ?? 'GET',
    agent: false,
    ca: readFileSync(join(kube.folder, 'ca.crt')),
    signal: AbortSignal.timeout(options.timeoutMs ?? 5_000),
    headers: {
      authorization: `Bearer ${tokenOf(options.account ?? 'admin')}`,
      'content-type': options.contentType ?? 'application/json',
    },
  };
  return await new Promise((resolve, reject) => {
    const outgoing = request(`${kube.server}${path}`, settings, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
        resolve({ status: response.statusCode ?? 0, json });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(options.body === undefined ? undefined : JSON.stringify(options.body));
  });
}

export async function isKubeReady(kube: KubeNode): Promise<boolean> {
  try {
    const ready = await kubeRequest(kube, '/readyz', { timeoutMs: 2_000 });
    if (ready.status !== 200) return false;
    return (await kubeRequest(kube, `/api/v1/namespaces/${NAMESPACE}`)).status === 200;
  } catch {
    return false;
  }
}

/** Creates an object unless it is there. */
export async function kubeCreate(kube: KubeNode, path: string, body: unknown): Promise<void> {
  const { status, json } = await kubeRequest(kube, path, { method: 'POST', body });
  if (status !== 201 && status !== 409) {
    throw new Error(`${path}: HTTP ${status} ${JSON.stringify(json['message'])}`);
  }
}

/** Merges into an object. */
export async function kubePatch(kube: KubeNode, path: string, body: unknown): Promise<void> {
  const contentType = 'application/merge-patch+json';
  const { status, json } = await kubeRequest(kube, path, { method: 'PATCH', body, contentType });
  if (status !== 200) throw new Error(`${path}: HTTP ${status} ${JSON.stringify(json['message'])}`);
}

const core = `/api/v1/namespaces/${NAMESPACE}`;

/** The Pods of the members, and the roles of docs/kubernetes.md for the accounts. */
export async function makeObjects(state: ClusterState, kube: KubeNode): Promise<void> {
  for (const [index, member] of state.members.entries()) {
    await kubeCreate(kube, `${core}/pods`, podOf(state, member));
    await setPodStatus(kube, member.name, { podIP: podIp(index), ready: true });
  }
  for (const { path, body } of roles()) {
    await kubeCreate(kube, path, body);
  }
}

/** What a kubelet would say of a Pod. */
export async function setPodStatus(
  kube: KubeNode,
  name: string,
  { podIP, ready }: { podIP?: string; ready: boolean },
): Promise<void> {
  const since = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const conditions = [
    { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: since },
  ];
  const status = {
    phase: 'Running',
    conditions,
    ...(podIP === undefined ? {} : { podIP, podIPs: [{ ip: podIP }] }),
  };
  await kubePatch(kube, `${core}/pods/${name}/status`, { status });
}

function podOf({ options }: ClusterState, { name }: LabMember): object {
  const { scope, citus } = options;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: {
        ...LABELS,
        'cluster-name': citus?.of ?? scope,
        ...(citus === null ? {} : { 'citus-group': String(citus.group) }),
      },
    },
    spec: { containers: [{ name: 'postgres', image: 'empty' }] },
  };
}

export const LABELS = { application: 'patroni' };

/** The manifests that docs/kubernetes.md gives to operators, as they stand there. */
function documentedRoles(): { metadata: { name: string } }[] {
  const page = readFileSync(new URL('../../../docs/kubernetes.md', import.meta.url), 'utf8');
  return [...page.matchAll(/^```yaml\n(apiVersion: rbac[\s\S]*?)^```$/gm)]
    .map(([, text = '']) => parse(text) as { kind: string; metadata: { name: string } })
    .filter(({ kind }) => kind === 'Role');
}

function roles(): { path: string; body: object }[] {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const bind = (name: string, to: string) => ({
    path: `${rbac}/namespaces/${NAMESPACE}/rolebindings`,
    body: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: to },
      subjects: (to === 'patctl-read' ? ['reader', 'actor'] : ['actor']).map((user) => ({
        kind: 'User',
        name: user,
        apiGroup: 'rbac.authorization.k8s.io',
      })),
    },
  });
  return [
    ...documentedRoles().map((body) => ({
      path: `${rbac}/namespaces/${NAMESPACE}/roles`,
      body,
    })),
    bind('patctl-read', 'patctl-read'),
    bind('patctl-act', 'patctl-act'),
  ];
}

// ---------------------------------------------------------------- Patroni's keys

/** `leader`, `config`, `members/pg1`, … as the lab knows them from etcd; null when not there. */
export async function kubeKey(
  state: ClusterState,
  kube: KubeNode,
  key: string,
): Promise<string | null> {
  const { options } = state;
  const base = options.citus ? `${options.citus.of}-${options.citus.group}` : options.scope;
  const annotations = async (path: string): Promise<Record<string, string>> => {
    const { json } = await kubeRequest(kube, `${core}/${path}`);
    return (
      (json['metadata'] as { annotations?: Record<string, string> } | undefined)?.annotations ?? {}
    );
  };
  if (key.startsWith('members/'))
    return (await annotations(`pods/${key.slice(8)}`))['status'] ?? null;
  const kind = options.configMaps ? 'configmaps' : 'endpoints';
  const leader = options.configMaps ? `${base}-leader` : base;
  if (key === 'leader') return (await annotations(`${kind}/${leader}`))['leader'] ?? null;
  if (key === 'sync') {
    const { leader: name, sync_standby, quorum } = await annotations(`${kind}/${base}-sync`);
    return JSON.stringify({
      leader: name ?? null,
      sync_standby: sync_standby ?? null,
      quorum: Number(quorum ?? 0),
    });
  }
  return (await annotations(`${kind}/${base}-config`))[key] ?? null;
}
