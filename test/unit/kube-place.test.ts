/** Dcs.at over Kubernetes: the same connection, with another namespace as its own. */
import { expect, test } from 'vitest';
import { DEFAULT_MARKS } from '../../src/config/kubernetes-settings.js';
import type { KubeClient } from '../../src/dcs/kubernetes/kube-client.js';
import { kubernetesDcs } from '../../src/dcs/kubernetes/kubernetes-dcs.js';

/** Every namespace has a cluster demo, led by a member that is called after it. */
function fakeClient(): { client: KubeClient; asked: string[] } {
  const asked: string[] = [];
  const objects = (namespace: string, resource: string): object[] => {
    const labels = { application: 'patroni', 'cluster-name': 'demo' };
    const meta = { namespace, resourceVersion: '7', labels };
    if (resource === 'pods') return [];
    return [{ metadata: { ...meta, name: 'demo', annotations: { leader: `of-${namespace}` } } }];
  };
  const client: KubeClient = {
    access: { namespace: 'own' } as KubeClient['access'],
    call: () => Promise.resolve({ kind: 'not_sent', reason: 'a fake' }),
    get: (path) => {
      const [, named, resource = ''] =
        /^\/api\/v1(?:\/namespaces\/(\w+))?\/(\w+)\?/.exec(path) ?? [];
      asked.push(named ?? 'all');
      const items = (named === undefined ? ['own', 'other'] : [named]).flatMap((one) =>
        objects(one, resource),
      );
      return Promise.resolve({ json: { metadata: { resourceVersion: '7' }, items }, dateMs: null });
    },
    watch: async function* () {},
    close: () => undefined,
  };
  return { client, asked };
}

test('a name without a place is looked for there, and nothing else is listed', async () => {
  const { client, asked } = fakeClient();
  let opened = 0;
  const dcs = kubernetesDcs({
    settings: {
      ...{ context: null, isContextNamed: false, namespace: null, labels: {}, cacert: null },
      ...{ marks: DEFAULT_MARKS, preset: null, useEndpoints: true, proxy: 'auto' as const },
    },
    onlyNamespace: false,
    timeoutMs: 1000,
    open: () => {
      opened += 1;
      return Promise.resolve(client);
    },
  });
  const demo = { scope: 'demo', group: null };
  const leaders = async (from: typeof dcs): Promise<(string | null)[]> =>
    (await from.read(demo)).map(({ leaderName }) => leaderName);
  const other = dcs.at?.('other') as typeof dcs;
  expect([await leaders(dcs), await leaders(other)]).toEqual([['of-own'], ['of-other']]);
  expect((await other.follow(demo)).cluster.leaderName).toBe('of-other');
  expect([dcs.where, other.where]).toEqual(['namespace own', 'namespace other']);
  expect((await dcs.readAll()).map(({ leaderName }) => leaderName)).toEqual(['of-other', 'of-own']);
  asked.length = 0;
  expect((await other.readAll()).map(({ leaderName }) => leaderName)).toEqual(['of-other']);
  expect([new Set(asked), opened]).toEqual([new Set(['other']), 1]);
});
