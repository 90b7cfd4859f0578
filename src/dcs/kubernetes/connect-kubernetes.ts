/** Kubernetes as the configuration and the options have it. */
import type { DcsInputs } from '../dcs-inputs.js';
import { noAccess } from './kube-credentials.js';
import { kubernetesDcs, type KubernetesDcs } from './kubernetes-dcs.js';

export async function connectKubernetes(world: DcsInputs): Promise<KubernetesDcs> {
  const { kubernetes } = world.config;
  if (kubernetes === null) throw noAccess('Kubernetes is not configured', 'give --kube-context');
  const { env, home, timeoutMs } = world;
  const { context, isContextNamed, cacert } = kubernetes.settings;
  return Promise.resolve(
    kubernetesDcs({
      settings: kubernetes.settings,
      onlyNamespace: kubernetes.onlyNamespace,
      timeoutMs,
      open: async () => {
        const [{ findAccess }, { openClient }] = await Promise.all([
          import('./kube-access.js'),
          import('./kube-client.js'),
        ]);
        return openClient(
          await findAccess({ context, isContextNamed, cacert, env, home, timeoutMs }),
          timeoutMs,
        );
      },
    }),
  );
}
