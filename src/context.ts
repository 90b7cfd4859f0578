/** What a command may reach of the world. */
import type { Config } from './config/effective.js';
import type { Dcs } from './dcs/dcs.js';
import type { Door } from './output/door.js';
import type { Patroni } from './patroni/patroni.js';
import type { Clock } from './clock.js';
import type { LoginFlags } from './postgres/login-flags.js';
import type { Postgres } from './postgres/postgres.js';

/** Flags that every command takes. */
export interface GlobalFlags {
  configFile: string | undefined;
  dcsUrl: string | undefined;
  insecure: boolean;
  compat: boolean;
  color: boolean;
  debug: boolean;
  /** What --debug has said already; each line is said once. */
  debugged: Set<string>;
  /** Errors as one JSON object on stderr: `-f json` was asked for. */
  jsonErrors: boolean;
  /** Deadline of one call to one node, ms. */
  timeoutMs: number;
  /** -U, -d and --password of the commands that ask PostgreSQL. */
  login: LoginFlags;
  /** --snapshot FILE: a recording is read, and nobody is asked. */
  recording?: string | undefined;
  /** --kube-context, --kube-namespace, --kube-proxy, --kube-labels */
  kubeContext?: string | undefined;
  kubeNamespace?: string | undefined;
  kubeProxy?: 'auto' | 'always' | 'never' | undefined;
  kubeLabels?: 'zalando' | 'crunchy' | 'percona' | 'stackgres' | undefined;
}

export interface Context {
  readonly io: Door;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts at SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  readonly flags: GlobalFlags;
  /** Read once; throws ToolError on a broken configuration. */
  config(): Promise<Config>;
  /** Connected lazily; closed by main. Throws ToolError when nothing tells where it is. */
  dcs(): Promise<Dcs>;
  patroni(): Promise<Patroni>;
  postgres(): Promise<Postgres>;
}
