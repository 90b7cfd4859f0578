/** Exec plugins of a kubeconfig, such as the logins of clouds: a program prints an ExecCredential. */
import { isAbsolute, join } from 'node:path';
import { isatty } from 'node:tty';
import { noAccess, type KubeAccess } from './kube-credentials.js';
import type { Env } from '../../config/environment.js';

export interface ExecPlugin {
  apiVersion?: string;
  command?: string;
  args?: string[] | null;
  env?: { name: string; value: string }[] | null;
  installHint?: string;
  provideClusterInfo?: boolean;
}

interface Where {
  context: string;
  folder: string;
  server: URL;
  ca: string | null;
  env: Env;
  timeoutMs: number;
}

interface Credential {
  token?: string;
  clientCertificateData?: string;
  clientKeyData?: string;
  expirationTimestamp?: string;
}

/** A login may open a browser: it gets more time than a call. */
const PLUGIN_LIMIT_MS = 60_000;
/** The credential is renewed this long before it expires. */
const SPARE_MS = 10_000;

/** Runs the plugin when its credential is needed, expired or refused. Its messages go to our stderr. */
export function execCredential(plugin: ExecPlugin, where: Where): KubeAccess['headers'] {
  let known: Credential | null = null;
  return async (again) => {
    const expiresMs = Date.parse(known?.expirationTimestamp ?? '');
    if (again || known === null || expiresMs - SPARE_MS < Date.now()) {
      known = await run(plugin, where);
    }
    const { token, clientCertificateData: cert, clientKeyData: key } = known;
    return {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    };
  };
}

async function run(plugin: ExecPlugin, where: Where): Promise<Credential> {
  const { command = '', args, env } = plugin;
  // A path is relative to the kubeconfig; a word alone is looked up in PATH.
  const program =
    command.includes('/') && !isAbsolute(command) ? join(where.folder, command) : command;
  const { spawn } = await import('node:child_process');
  const added = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
  const child = spawn(program, args ?? [], {
    env: {
      ...where.env,
      ...added,
      KUBERNETES_EXEC_INFO: JSON.stringify(execInfo(plugin, where)),
    },
    stdio: ['inherit', 'pipe', 'inherit'],
    timeout: PLUGIN_LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  const failed = (why: string) =>
    noAccess(
      `the login plugin ${command} of context ${where.context} ${why}`,
      plugin.installHint?.trim() || 'run kubectl with the same context to see more',
    );
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  const code = await new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(`cannot be run: ${error.message}`));
    child.once('close', (exit, signal) => resolve(exit ?? `was ended by ${signal ?? 'a signal'}`));
  });
  if (typeof code === 'string') throw failed(code);
  if (code !== 0) throw failed(`ended with ${code}`);
  const credential = credentialOf(out);
  if (credential === null) throw failed('printed no ExecCredential with a token or a certificate');
  return credential;
}

function execInfo(plugin: ExecPlugin, { server, ca }: Where): object {
  const cluster = {
    server: server.href.replace(/\/$/, ''),
    ...(ca === null ? {} : { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
  };
  return {
    apiVersion: plugin.apiVersion ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: {
      interactive: isatty(0),
      ...(plugin.provideClusterInfo === true ? { cluster } : {}),
    },
  };
}

function credentialOf(text: string): Credential | null {
  try {
    const { kind, status } = JSON.parse(text) as { kind?: string; status?: Credential };
    const hasAny = status?.token !== undefined || status?.clientCertificateData !== undefined;
    return kind === 'ExecCredential' && status && hasAny ? status : null;
  } catch {
    return null;
  }
}
