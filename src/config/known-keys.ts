/** Patroni's keys that patctl knows, with their environment variables. One table, read by everything here. */

export interface KeySpec {
  /** Dotted, in Patroni's own words. */
  key: string;
  variable: string;
  type: 'text' | 'bool' | 'int' | 'list' | 'map';
  secret: boolean;
}

const LOGIN_PARAMETERS = [
  'username',
  'password',
  'sslmode',
  'sslcert',
  'sslkey',
  'sslpassword',
  'sslrootcert',
  'sslcrl',
  'sslcrldir',
  'gssencmode',
  'channel_binding',
  'sslnegotiation',
];

/** Last words of keys whose values are never shown. */
export const SECRETS: ReadonlySet<string> = new Set([
  'password',
  'keyfile_password',
  'key_password',
  'sslpassword',
]);

/** The accounts of PostgreSQL in Patroni's file, in the order in which they are tried. */
export const ACCOUNTS = ['superuser', 'rewind', 'replication'] as const;

/** Where etcd is; the first one that is given counts, as in Patroni. */
export const LOCATIONS = ['proxy', 'url', 'hosts', 'host'] as const;

/** The domain whose service records say it; the first one that is given counts here too. */
export const SRV_KEYS = ['srv_domain', 'discovery_srv', 'srv'] as const;

/** Every way of saying where etcd is, the strongest first. */
export const LOCATION_KEYS = ['proxy', ...SRV_KEYS, 'url', 'hosts', 'host', 'srv_suffix'] as const;

export const KEYS: readonly KeySpec[] = [
  ...section('', ['scope', 'namespace', 'name']),
  spec('citus.group', 'CITUS_GROUP', 'int'),
  spec('citus.database', 'CITUS_DATABASE'),
  spec('etcd3.hosts', 'ETCD3_HOSTS', 'list'),
  ...section('etcd3', ['host', 'url', 'proxy', 'srv', 'srv_suffix']),
  spec('etcd3.port', 'ETCD3_PORT', 'int'),
  spec('etcd3.protocol', 'ETCD3_PROTOCOL'),
  spec('etcd3.use_proxies', 'ETCD3_USE_PROXIES', 'bool'),
  ...section('etcd3', ['cacert', 'cert', 'key', 'key_password', 'username', 'password']),
  ...section('kubernetes', ['context', 'namespace', 'scope_label', 'role_label', 'cacert']),
  ...section('kubernetes', [
    'leader_label_value',
    'follower_label_value',
    'standby_leader_label_value',
  ]),
  spec('kubernetes.labels', 'KUBERNETES_LABELS', 'map'),
  spec('kubernetes.use_endpoints', 'KUBERNETES_USE_ENDPOINTS', 'bool'),
  spec('ctl.insecure', 'CTL_INSECURE', 'bool'),
  ...section('ctl', ['cacert', 'certfile', 'keyfile', 'keyfile_password']),
  spec('ctl.authentication.username', 'CTL_USERNAME'),
  spec('ctl.authentication.password', 'CTL_PASSWORD'),
  ...section('restapi', ['connect_address', 'cafile', 'certfile', 'keyfile', 'keyfile_password']),
  spec('restapi.authentication.username', 'RESTAPI_USERNAME'),
  spec('restapi.authentication.password', 'RESTAPI_PASSWORD'),
  ...ACCOUNTS.flatMap((account) =>
    LOGIN_PARAMETERS.map((name) =>
      spec(`postgresql.authentication.${account}.${name}`, `${account}_${name}`),
    ),
  ),
];

/** Last words of keys that are addresses, paths and words: a number there is a mistake, and Patroni fails on it. */
const TEXT_ONLY: ReadonlySet<string> = new Set([
  ...['namespace', 'host', 'url', 'proxy', ...SRV_KEYS, 'srv_suffix', 'protocol'],
  ...['cacert', 'cert', 'key', 'certfile', 'keyfile', 'cafile'],
  ...['sslmode', 'sslcert', 'sslkey', 'sslrootcert'],
]);

/** Whether only text will do. Names and passwords may be numbers, which Patroni writes out. */
export function isTextOnly(key: string): boolean {
  return TEXT_ONLY.has(key.slice(key.lastIndexOf('.') + 1));
}

/** Single words that may be named in a message about a file. */
export const KEY_WORDS: ReadonlySet<string> = new Set([
  ...KEYS.flatMap(({ key }) => key.split('.')),
  ...['etcd', 'consul', 'zookeeper', 'exhibitor', 'kubernetes', 'raft', 'log', 'tags', 'watchdog'],
  ...[
    'bootstrap',
    'dcs',
    'initdb',
    'pg_hba',
    'users',
    'parameters',
    'listen',
    'data_dir',
    'bin_dir',
  ],
  ...['ttl', 'loop_wait', 'retry_timeout', 'auth', 'pg_rewind', 'pgpass', 'callbacks'],
]);

function section(name: string, keys: string[]): KeySpec[] {
  return keys.map((key) =>
    name === '' ? spec(key, key) : spec(`${name}.${key}`, `${name}_${key}`),
  );
}

function spec(key: string, variable: string, type: KeySpec['type'] = 'text'): KeySpec {
  const secret = SECRETS.has(key.slice(key.lastIndexOf('.') + 1));
  return { key, variable: `PATRONI_${variable.toUpperCase()}`, type, secret };
}
