/** The port over a real kube-apiserver, with Endpoints and with ConfigMaps. */
import { beforeAll } from 'vitest';
import { openClient } from '../../src/dcs/kubernetes/kube-client.js';
import { findAccess } from '../../src/dcs/kubernetes/kube-access.js';
import { DEFAULT_MARKS } from '../../src/config/kubernetes-settings.js';
import { kubernetesDcs } from '../../src/dcs/kubernetes/kubernetes-dcs.js';
import { describeDcs } from '../contract/dcs-contract.js';
import { kubeCreate } from '../support/lab/kube.js';
import type { KubeNode } from '../support/lab/state.js';
import { sharedKubernetes } from './kube-lab.js';
import { writeKeys } from './kube-keys.js';

let kube: KubeNode;
beforeAll(async () => {
  ({ kube } = await sharedKubernetes());
});

let counter = 0;

for (const kind of ['endpoints', 'configmaps'] as const) {
  describeDcs(`Kubernetes, ${kind}`, async () => {
    counter += 1;
    const namespace = `contract-${process.pid}-${counter}`;
    await kubeCreate(kube, '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace },
    });
    const timeoutMs = 5_000;
    const dcs = kubernetesDcs({
      settings: {
        context: 'admin',
        isContextNamed: true,
        namespace,
        labels: {},
        marks: DEFAULT_MARKS,
        preset: null,
        useEndpoints: kind === 'endpoints',
        cacert: null,
        proxy: 'auto',
      },
      onlyNamespace: true,
      timeoutMs,
      open: async () =>
        openClient(
          await findAccess({
            context: 'admin',
            isContextNamed: true,
            cacert: null,
            env: { KUBECONFIG: kube.kubeconfig },
            home: '/nonexistent',
            timeoutMs,
          }),
          timeoutMs,
        ),
    });
    return {
      dcs,
      patroni: (keys: Record<string, string | null>, scope = 'demo', group?: number) =>
        writeKeys({ kube, namespace, kind }, keys, scope, group),
      end: () => dcs.close(),
    };
  });
}
