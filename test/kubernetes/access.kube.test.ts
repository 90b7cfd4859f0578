/** How patctl stays connected to a real kube-apiserver: watches that break off, tokens that end, and what it costs. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_MARKS, type KubeSettings } from '../../src/config/kubernetes-settings.js';
import { followObjects } from '../../src/dcs/kubernetes/follow-objects.js';
import { findAccess } from '../../src/dcs/kubernetes/kube-access.js';
import { openClient, type KubeClient } from '../../src/dcs/kubernetes/kube-client.js';
import { clusterOf, gather, type Gathered } from '../../src/dcs/kubernetes/kube-lists.js';
import { memberValue } from '../contract/dcs-contract.js';
import { openGate } from '../support/chaos/gate.js';
import { eventually } from '../support/eventually.js';
import { kubeCreate, kubeRequest } from '../support/lab/kube.js';
import { cleanEnv, runProgram } from '../support/lab/process.js';
import type { KubeNode } from '../support/lab/state.js';
import { PATCTL } from '../support/run.js';
import type { Lab } from '../support/lab/cluster.js';
import { sharedKubernetes } from './kube-lab.js';
import { writeKeys } from './kube-keys.js';

let lab: Lab;
let kube: KubeNode;
beforeAll(async () => {
  ({ lab, kube } = await sharedKubernetes());
});

const TIMEOUT_MS = 5_000;

async function connect(kubeconfig = kube.kubeconfig): Promise<KubeClient> {
  const wanted = { context: 'admin', isContextNamed: true, cacert: null, home: '/nonexistent' };
  const env = { KUBECONFIG: kubeconfig };
  return openClient(await findAccess({ ...wanted, env, timeoutMs: TIMEOUT_MS }), TIMEOUT_MS);
}

const SETTINGS: KubeSettings = {
  context: 'admin',
  isContextNamed: true,
  namespace: null,
  labels: {},
  marks: DEFAULT_MARKS,
  preset: null,
  useEndpoints: false,
  cacert: null,
  proxy: 'auto',
};

describe('a watch', () => {
  let counter = 0;

  async function demo(client: KubeClient) {
    counter += 1;
    const namespace = `watch-${process.pid}-${counter}`;
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
    await kubeCreate(kube, '/api/v1/namespaces', body);
    const place = { kube, namespace, kind: 'configmaps' } as const;
    const patroni = (keys: Record<string, string | null>) => writeKeys(place, keys, 'demo');
    await patroni({ config: '{}', leader: 'pg1', 'members/pg1': memberValue('pg1', 'primary') });
    const question = { namespace, scope: 'demo', group: null, serializable: false };
    const gathered = await gather(client, SETTINGS, question);
    const name = { namespace, scope: 'demo', group: null };
    const leader = () => clusterOf(gathered, name, Date.now());
    return { gathered, patroni, leader };
  }

  const listsOf = (gathered: readonly Gathered[]) =>
    gathered.flatMap(({ pods, kinds }) => [pods, ...kinds]);

  /** The leaders that are told, until the wanted one. */
  async function leaders(
    client: KubeClient,
    { gathered, leader }: Awaited<ReturnType<typeof demo>>,
    last: string,
    watchSeconds?: number,
  ): Promise<(string | null)[]> {
    const limit = AbortSignal.timeout(20_000);
    const seen: (string | null)[] = [];
    const parse = () => {
      const cluster = leader();
      if (!cluster) throw new Error('the cluster is gone');
      return cluster;
    };
    for await (const now of followObjects(client, gathered, parse, limit, watchSeconds)) {
      seen.push(now.leaderName);
      if (now.leaderName === last) break;
    }
    return seen;
  }

  it('that begins where the API server no longer remembers (410 Gone) lists once more, and goes on', async () => {
    const client = await connect();
    const one = await demo(client);
    const configMaps = listsOf(one.gathered).find(({ resource }) => resource === 'configmaps');
    if (!configMaps) throw new Error('no list');
    await lab.etcdctl('compact', configMaps.resourceVersion);
    const tooOld = `${configMaps.path}?watch=1&resourceVersion=1&timeoutSeconds=5`;
    const events = client.watch(tooOld, AbortSignal.timeout(8_000));
    const refusal: unknown = await events[Symbol.asyncIterator]()
      .next()
      .then(({ value }) => value as unknown, String);
    expect(JSON.stringify(refusal)).toMatch(/\b410\b/);
    // What happened in between is in no event: only a list has it.
    await one.patroni({ leader: 'pg2' });
    configMaps.resourceVersion = '1';
    expect(await leaders(client, one, 'pg2')).toContain('pg2');
    expect(Number(configMaps.resourceVersion)).toBeGreaterThan(1);
    client.close();
  });

  it('moves on by bookmarks while nothing of the cluster changes, and is renewed from there', async () => {
    const client = await connect();
    const elsewhere = await demo(client);
    const one = await demo(client);
    const [pods] = listsOf(one.gathered);
    const before = Number(pods?.resourceVersion);
    const told = leaders(client, one, 'pg2', 4);
    // A bookmark tells the last change of any Pod, in whichever namespace: a quiet API server has no later one to tell.
    await elsewhere.patroni({ 'members/pg1': memberValue('pg1', 'replica') });
    await eventually('the list has moved on', 15_000, () => Number(pods?.resourceVersion) > before);
    expect(one.leader()?.leaderName).toBe('pg1');
    await one.patroni({ leader: 'pg2' });
    expect(await told).toEqual(['pg2']);
    client.close();
  });

  it('that is cut off is taken up again, and what happened meanwhile is told', async () => {
    const gate = await openGate(() => [{ host: '127.0.0.1', port: kube.port }]);
    const file = `${kube.folder}/kubeconfig-gate`;
    writeFileSync(
      file,
      readFileSync(kube.kubeconfig, 'utf8').replaceAll(new URL(kube.server).host, gate.address),
    );
    const client = await connect(file);
    const one = await demo(client);
    const told = leaders(client, one, 'pg3');
    gate.set('refused');
    await one.patroni({ leader: 'pg2' });
    await one.patroni({ leader: 'pg3' });
    gate.set('open');
    expect((await told).at(-1)).toBe('pg3');
    client.close();
    await gate.close();
  });
});

describe('in a Pod', () => {
  const core = '/api/v1/namespaces/default';

  /** A service account with the reading role, and a token of it in a folder as a kubelet mounts it. */
  async function mountAccount(folder: string, account: string): Promise<void> {
    await kubeCreate(kube, `${core}/serviceaccounts`, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: account },
    });
    await kubeCreate(kube, `/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: `patctl-read-${account}` },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'patctl-read' },
      subjects: [{ kind: 'ServiceAccount', name: account, namespace: 'default' }],
    });
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    const path = `${core}/serviceaccounts/${account}/token`;
    const { json } = await kubeRequest(kube, path, { method: 'POST', body });
    const { token } = json['status'] as { token: string };
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/token`, token);
    writeFileSync(`${folder}/namespace`, 'default');
    writeFileSync(`${folder}/ca.crt`, readFileSync(`${kube.folder}/ca.crt`));
  }

  const unmount = (account: string) =>
    kubeRequest(kube, `${core}/serviceaccounts/${account}`, { method: 'DELETE' });
  const service = () => {
    const { hostname, port } = new URL(kube.server);
    return { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
  };

  it('a token that ended is read again from its file, and one that was not replaced is told', async () => {
    const account = `patctl-${process.pid}`;
    const folder = `${kube.folder}/account`;
    await mountAccount(folder, account);
    const wanted = { context: null, isContextNamed: false, cacert: null, home: '/nonexistent' };
    const access = await findAccess({
      ...wanted,
      env: service(),
      accountFolder: folder,
      timeoutMs: TIMEOUT_MS,
    });
    const client = await openClient(access, TIMEOUT_MS);
    const list = () => client.get(`${core}/pods`, 'pods');
    expect((await list()).json).toHaveProperty('items');
    // The tokens of an account end with it.
    await unmount(account);
    await eventually('the token has ended', 20_000, async () => {
      const error: unknown = await list().then(
        () => null,
        (one: unknown) => one,
      );
      return error instanceof Error && error.message.includes('does not accept our identity');
    });
    await mountAccount(folder, account);
    expect((await list()).json).toHaveProperty('items');
    client.close();
    await unmount(account);
  });

  it('list needs no configuration but the namespace, and costs at most twice what etcd costs', async (test) => {
    if (process.getuid?.() !== 0) return test.skip();
    await lab.waitHealthy();
    const account = `patctl-list-${process.pid}`;
    const folder = `${kube.folder}/account-list`;
    await mountAccount(folder, account);
    // The same members, once more as keys of etcd.
    for (const key of [
      'config',
      'leader',
      'sync',
      ...lab.members.map(({ name }) => `members/${name}`),
    ])
      await lab.dcsPut(key, (await lab.dcsGet(key)) ?? '');
    const etcd = (lab.describe().etcd[0] ?? '').replace('http:', 'etcd3:');
    const mounted = '/run/secrets/kubernetes.io/serviceaccount';
    const script =
      `mount -t tmpfs none /run && mkdir -p ${mounted} && mount --bind ${folder} ${mounted} && ` +
      `TIMEFORMAT='%U %S'; time "$@" >/dev/null; "$@"`;
    const measured = async (args: string[]): Promise<{ cpu: number; out: string }> => {
      const words = ['-m', 'bash', '-c', script, 'bash', ...PATCTL, ...args, '--verify', 'rest'];
      const { out, err, code } = await runProgram('unshare', words, {
        env: cleanEnv('/nonexistent', service()),
        timeoutMs: 60_000,
      });
      expect([code, err]).toEqual([0, expect.stringMatching(/^[\d.]+ [\d.]+\n$/)]);
      const [user = NaN, system = NaN] = err.split(' ').map(Number);
      return { cpu: user + system, out };
    };
    let [pod, keys] = [0, 0];
    for (let round = 0; round < 5; round += 1) {
      const inPod = await measured(['--kube-namespace', 'default', 'list', lab.scope]);
      const byEtcd = await measured(['--dcs-url', etcd, 'list', lab.scope]);
      expect(inPod.out).toContain('| Leader ');
      expect(byEtcd.out).toContain('| Leader ');
      pod += inPod.cpu;
      keys += byEtcd.cpu;
    }
    expect(pod / keys).toBeLessThanOrEqual(2);
    await lab.etcdctl('del', '--prefix', '/service/');
    await unmount(account);
  }, 120_000);
});
