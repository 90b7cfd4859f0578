/** The effective configuration: what flags, environment and file came to. Reading it is load.ts's work. */
import type { Endpoint } from './endpoints.js';
import type { KubernetesConfig } from './kubernetes-settings.js';

/** `etcd3.srv`, and `etcd3.srv_suffix` where several clusters share a domain. */
export interface SrvDomain {
  domain: string;
  suffix: string | null;
}

/** TLS and login for Patroni's REST API. Paths, not contents. */
export interface RestSettings {
  username: string | null;
  password: string | null;
  cacert: string | null;
  certfile: string | null;
  keyfile: string | null;
  keyfilePassword: string | null;
  /** -k: do not verify the server's certificate. */
  insecure: boolean;
}

export interface EtcdSettings {
  /** With `srv` these are what is left when the DNS knows of none. */
  endpoints: Endpoint[];
  /** The DNS is asked for the addresses. */
  srv: SrvDomain | null;
  username: string | null;
  password: string | null;
  cacert: string | null;
  cert: string | null;
  key: string | null;
  keyPassword: string | null;
}

/** Members' REST APIs as the way to their cluster. */
export interface MemberUrls {
  /** `http://host:port`, in the order in which they are tried; at least one. */
  urls: string[];
  /** As `SourcedValue.source`. */
  from: string;
}

/** One PostgreSQL login out of the configuration or the command line. */
export interface PgLogin {
  /** `flag`, `environment`, `superuser`, `rewind` or `replication`. */
  origin: string;
  username: string | null;
  password: string | null;
  database: string | null;
  sslmode: string | null;
  sslrootcert: string | null;
  sslcert: string | null;
  sslkey: string | null;
  sslpassword: string | null;
}

/** Where a value came from, for `config show` and for error messages. */
export interface SourcedValue {
  /** Dotted key in Patroni's own words, e.g. `etcd3.hosts`, `ctl.insecure`, `scope`. */
  key: string;
  /** Printable; secrets already masked. */
  value: string;
  /** e.g. `flag --dcs-url`, `environment PATRONI_SCOPE`, `file /etc/patroni.yml:12`, `default`. */
  source: string;
}

/** Global options in the file; the command line and the environment are stronger. */
export interface PatctlSection {
  timeout?: { value: string; from: string };
  color?: { value: boolean };
  noInput?: { value: boolean };
  quiet?: { value: boolean };
}

/** Where a configuration was looked for. */
export interface ConfigSearch {
  /** The file that is named, or the default one. */
  path: string;
  /** Some file, or PATRONI_CONFIGURATION, was read. */
  read: boolean;
  /** Not named, but the only one there; null: it was not looked for, or none or several are there. */
  found: string | null;
  /** Readable files of Patroni that could be meant. */
  others: string[];
}

export interface Config {
  scope: string | null;
  /** Normalised: leading slash, none at the end, none doubled. Default `/service`. */
  namespace: string;
  /** citus.group */
  group: number | null;
  /** null: nothing tells where the DCS is (an error once it is needed). */
  etcd: EtcdSettings | null;
  /** null: Kubernetes is not the DCS. */
  kubernetes: KubernetesConfig | null;
  /** --rest: members are asked instead of the DCS. null: the DCS itself. */
  memberUrls: MemberUrls | null;
  rest: RestSettings;
  /** In the order in which they are tried. */
  logins: PgLogin[];
  /** Limits of `patctl check` out of the file (`patctl.check.max_lag` and so on), as written. */
  checkLimits?: Record<string, { value: string; from: string }>;
  /** Codes of findings there that are to be ignored, called a warning, or called critical. */
  checkCodes?: Record<'ignore' | 'warn' | 'critical', { value: string; from: string }[]>;
  /** Keys below `patctl.check` that mean nothing. */
  checkUnknown?: { value: string; from: string }[];
  /** `patctl.routes`, as they are written: a value may hold a password. Absent: there are none. */
  routes?: { kind: 'rw' | 'ro'; value: string; from: string }[];
  /** `patctl:` in the file, besides `patctl.check`. */
  patctl: PatctlSection;
  search: ConfigSearch;
  sources: SourcedValue[];
  /** Things worth a warning on stderr, e.g. a key that patctl ignores. */
  warnings: string[];
}
