/** What a connection to the API server needs, and what is needed to find it. */
import type { Env } from '../../config/environment.js';
import { ToolError } from '../../errors.js';

/** What one connection to the API server needs; PEM text, not files. */
export interface KubeAccess {
  /** `https://host:port`, and a path if the server has one. */
  server: URL;
  ca: string | null;
  cert: string | null;
  key: string | null;
  /** Expected name in the server's certificate; null: the host name. */
  serverName: string | null;
  insecure: boolean;
  /** HTTP proxy on the way; null: none. */
  proxy: URL | null;
  /** Namespace that is meant when none is named. */
  namespace: string | null;
  /** Context or account, for messages. */
  who: string;
  /**
   * Headers with our identity. `again`: the last ones were refused, so that a token is read, or a plugin is run,
   * once more.
   */
  headers(
    again: boolean,
  ): Promise<{ headers: Record<string, string>; cert?: string; key?: string }>;
}

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

/** The text of a file; null when it cannot be read. */
export async function readText(file: string): Promise<string | null> {
  const [fs, { promisify }] = await Promise.all([import('node:fs'), import('node:util')]);
  return promisify(fs.readFile)(file, 'utf8').catch(() => null);
}

export function noAccess(message: string, hint: string): ToolError {
  return new ToolError('error', message, { code: 'kubernetes_access', hint });
}
