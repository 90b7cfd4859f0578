/** How to reach the API server, and with which identity: in a Pod, or by a kubeconfig, which is loaded only then. */
import { readText, type AccessWanted, type KubeAccess } from './kube-credentials.js';

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Kubernetes replaces a token in its file long before it expires; Patroni reads it every minute too. */
const TOKEN_READ_MS = 60_000;

/**
 * In a Pod its service account, unless a context is named on the command line; elsewhere the kubeconfig. ToolError
 * when neither is there.
 */
export async function findAccess(wanted: AccessWanted): Promise<KubeAccess> {
  const folder = wanted.accountFolder ?? ACCOUNT;
  if (!wanted.isContextNamed) {
    const inPod = await podAccess(folder, wanted);
    if (inPod) return inPod;
  }
  const { kubeconfigAccess } = await import('./kubeconfig.js');
  return kubeconfigAccess(wanted);
}

/** As Patroni: only where the variables, the certificate and the token are there. */
async function podAccess(
  folder: string,
  { env, cacert }: AccessWanted,
): Promise<KubeAccess | null> {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  if (!host || !port) return null;
  const ca = await readText(cacert ?? `${folder}/ca.crt`);
  const token = await readText(`${folder}/token`);
  if (!ca || !token) return null;
  let known = { token: token.trim(), readMs: Date.now() };
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    ca,
    cert: null,
    key: null,
    serverName: null,
    insecure: false,
    proxy: null,
    namespace: (await readText(`${folder}/namespace`))?.trim() || null,
    who: 'the service account of this Pod',
    headers: async (again) => {
      if (again || Date.now() - known.readMs > TOKEN_READ_MS) {
        const read = await readText(`${folder}/token`);
        if (read) known = { token: read.trim(), readMs: Date.now() };
      }
      return { headers: { authorization: `Bearer ${known.token}` } };
    },
  };
}
