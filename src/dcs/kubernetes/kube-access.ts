/** How the API server is reached and who we are there: in a Pod, or by a kubeconfig, which is loaded only then. */
import { ToolError } from '../../errors.js';

/** What one connection to the API server needs; PEM text, not files. */
export interface KubeAccess {
  /** `https://host:port`, and a path where the server lies below one. */
  server: URL;
  ca: string | null;
  cert: string | null;
  key: string | null;
  /** Name that the server's certificate is to bear; null: the host's. */
  serverName: string | null;
  insecure: boolean;
  /** HTTP proxy on the way; null: none. */
  proxy: URL | null;
  /** Namespace that is meant when none is named. */
  namespace: string | null;
  /** Context or account, for messages. */
  who: string;
  /**
   * Headers that say who we are. `again`: the last ones were refused, so that a token is read, or a plugin is run,
   * once more.
   */
  headers(
    again: boolean,
  ): Promise<{ headers: Record<string, string>; cert?: string; key?: string }>;
}

export type Env = Readonly<Record<string, string | undefined>>;

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Kubernetes replaces a token in its file long before it expires; Patroni reads it every minute too. */
const TOKEN_READ_MS = 60_000;

export interface AccessWanted {
  context: string | null;
  /** A context that was named on the command line is meant in a Pod too. */
  isContextNamed: boolean;
  cacert: string | null;
  env: Env;
  home: string;
  /** Where a Pod has its account; for tests. */
  accountFolder?: string | undefined;
  timeoutMs: number;
}

/** In a Pod its service account, unless a context is named on the command line; elsewhere the kubeconfig. ToolError when neither is there. */
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

/** The text of a file; null when it cannot be read. */
export async function readText(file: string): Promise<string | null> {
  const [fs, { promisify }] = await Promise.all([import('node:fs'), import('node:util')]);
  return promisify(fs.readFile)(file, 'utf8').catch(() => null);
}

export function noAccess(message: string, hint: string): ToolError {
  return new ToolError('error', message, { code: 'kubernetes_access', hint });
}
