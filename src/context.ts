/** Everything that a command can reach. */
import type { Config } from './config/effective.js';
import type { Dcs } from './dcs/dcs.js';
import type { Door } from './output/door.js';
import type { Patroni } from './patroni/patroni.js';
import type { Clock } from './clock.js';
import type { LoginFlags } from './postgres/login-flags.js';
import type { Postgres } from './postgres/postgres.js';

/** What the command line says for every command; made once of what was parsed. */
export interface GlobalFlags {
  readonly configFile: string | undefined;
  readonly dcsUrl: string | undefined;
  /** --rest URL[,URL…] */
  readonly rest?: string | undefined;
  readonly insecure: boolean;
  readonly compat: boolean;
  /** The name by which patctl was called. */
  readonly program: string;
  /** The options that lead to the cluster, as they were given: `-c`, `/etc/patroni/demo.yml`. */
  readonly wayIn: readonly string[];
  readonly color: boolean;
  readonly debug: boolean;
  /** -q: on stderr only errors and questions. */
  readonly quiet: boolean;
  /** --no-input: never ask, even on a terminal. */
  readonly noInput: boolean;
  /** The command that runs; '' before it is known. */
  readonly command: string;
  /** `-f json` was asked for. */
  readonly asJson: boolean;
  /** Limit of one call to one node, ms. */
  readonly timeoutMs: number;
  /** -U, -d and --password of the commands that ask PostgreSQL. */
  readonly login: LoginFlags;
  /** --snapshot FILE: a recording is read, and no node is asked. */
  readonly recording?: string | undefined;
  /** --at TIME, as it was given: the moment of the recording. */
  readonly recordedAt?: string | undefined;
  /** --kube-context, --kube-namespace, --kube-proxy, --kube-labels */
  readonly kubeContext?: string | undefined;
  readonly kubeNamespace?: string | undefined;
  readonly kubeProxy?: 'auto' | 'always' | 'never' | undefined;
  readonly kubeLabels?: 'zalando' | 'crunchy' | 'percona' | 'stackgres' | undefined;
}

/** Made once for a run, frozen, and never changed. */
export interface Context {
  readonly io: Door;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts at SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /**
   * Until the returned function is called, no SIGINT, SIGTERM or SIGHUP ends the process: `listener` is told of each,
   * and what was begun is put right first.
   */
  holdSignals(listener: (name: NodeJS.Signals) => void): () => void;
  readonly flags: GlobalFlags;
  /** With --debug a line on stderr, each text once. */
  debug(line: string): void;
  /** Read once; throws ToolError on a broken configuration. */
  config(): Promise<Config>;
  /** Connected lazily; closed by main. Throws ToolError when nothing tells where it is. */
  dcs(): Promise<Dcs>;
  patroni(): Promise<Patroni>;
  postgres(): Promise<Postgres>;
}
