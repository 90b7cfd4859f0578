/**
 * How Patroni reads each key of the dynamic configuration, and what it does with a value that it cannot read
 * [config.py, global_config.py, dcs/__init__.py]. Compared with Patroni itself by test/unit/config-rules.test.ts.
 */
import type { JsonObject, JsonValue } from './model.js';
import { isObject, parseBool, parseInteger, pythonInteger, truthy } from './patroni-values.js';

/**
 * What Patroni does. rejected: it throws the whole configuration away, or its loop fails; ignored: this value does
 * nothing; adjusted: another value is in force; taken: it is in force as it is written.
 */
export type Effect = 'rejected' | 'ignored' | 'adjusted' | 'taken';

export const CHECK_CODES = [
  'unknown_key',
  'wrong_type',
  'out_of_range',
  'timing',
  'sync_names',
  'ignored',
  'slots',
  'secret',
] as const;

/** An error is refused, a warning is said. */
export interface ConfigProblem {
  level: 'error' | 'warning';
  /** Never changes its meaning; --skip-check takes it. */
  code: (typeof CHECK_CODES)[number];
  /** Dotted. */
  key: string;
  message: string;
  effect: Effect;
  /** Of an unknown key: the known one that it resembles. */
  meant?: string;
}

/**
 * python: by Python's int(); int and seconds: by parse_int without and with a unit; switch: by parse_bool;
 * truth: by Python's truth, for which the text "off" is true.
 */
type Kind =
  | 'python'
  | 'int'
  | 'seconds'
  | 'switch'
  | 'truth'
  | 'sync'
  | 'section'
  | 'map'
  | 'list'
  | 'texts'
  | 'text'
  | 'any';

export interface Rule {
  kind: Kind;
  min?: number;
  /** In force when the value cannot be read. */
  fallback?: string;
}

export type ConfigRules = Readonly<Record<string, Rule>>;

const OFF: Rule = { kind: 'switch', fallback: 'off' };

/** Read by Patroni 3 to 4.1 from the DCS. */
export const TOP: ConfigRules = {
  ttl: { kind: 'python', min: 20 },
  loop_wait: { kind: 'python', min: 1 },
  retry_timeout: { kind: 'python', min: 3 },
  maximum_lag_on_failover: { kind: 'int', min: 0, fallback: '1048576' },
  maximum_lag_on_syncnode: { kind: 'int', min: -1, fallback: '-1' },
  max_timelines_history: { kind: 'int', min: 0, fallback: '0' },
  primary_start_timeout: { kind: 'int', min: 0, fallback: '300' },
  primary_stop_timeout: { kind: 'int', min: 0, fallback: '0' },
  master_start_timeout: { kind: 'int', min: 0, fallback: '300' },
  master_stop_timeout: { kind: 'int', min: 0, fallback: '0' },
  member_slots_ttl: { kind: 'seconds', min: 0, fallback: '1800' },
  synchronous_mode: { kind: 'sync', fallback: 'off' },
  synchronous_mode_strict: OFF,
  synchronous_node_count: { kind: 'int', min: 1, fallback: '1' },
  failsafe_mode: OFF,
  check_timeline: OFF,
  pause: OFF,
  standby_cluster: { kind: 'section' },
  postgresql: { kind: 'section' },
  // Looked into by config-slots.ts.
  slots: { kind: 'any' },
  permanent_slots: { kind: 'any' },
  permanent_replication_slots: { kind: 'any' },
  ignore_slots: { kind: 'any' },
};

export const STANDBY: ConfigRules = {
  host: { kind: 'text' },
  port: { kind: 'text' },
  primary_slot_name: { kind: 'text' },
  create_replica_methods: { kind: 'texts' },
  restore_command: { kind: 'text' },
  archive_cleanup_command: { kind: 'text' },
  recovery_min_apply_delay: { kind: 'text' },
};

const TRUTH: Rule = { kind: 'truth' };

export const POSTGRESQL: ConfigRules = {
  parameters: { kind: 'section' },
  pg_hba: { kind: 'texts' },
  pg_ident: { kind: 'texts' },
  use_slots: { kind: 'switch', fallback: 'off' },
  use_pg_rewind: TRUTH,
  use_unix_socket: TRUTH,
  use_unix_socket_repl: TRUTH,
  remove_data_directory_on_rewind_failure: TRUTH,
  remove_data_directory_on_diverged_timelines: TRUTH,
  pg_ctl_timeout: { kind: 'int', min: 0, fallback: '60' },
  recovery_conf: { kind: 'map' },
  callbacks: { kind: 'map' },
  create_replica_methods: { kind: 'texts' },
  create_replica_method: { kind: 'texts' },
  basebackup: { kind: 'list' },
  custom_conf: { kind: 'text' },
  bin_dir: { kind: 'text' },
  bin_name: { kind: 'map' },
  config_base_name: { kind: 'text' },
  database: { kind: 'text' },
  krbsrvname: { kind: 'text' },
  rewind: { kind: 'any' },
  pre_promote: { kind: 'text' },
  before_stop: { kind: 'text' },
};

/** What Patroni takes from the node's own file only. */
export const LOCAL_ONLY: ReadonlySet<string> = new Set([
  ...['connect_address', 'proxy_address', 'listen', 'config_dir', 'data_dir', 'pgpass'],
  'authentication',
]);
export const NODE_ONLY: ReadonlySet<string> = new Set([
  ...[
    'scope',
    'name',
    'namespace',
    'restapi',
    'tags',
    'watchdog',
    'log',
    'ctl',
    'bootstrap',
    'citus',
  ],
  ...['etcd', 'etcd3', 'consul', 'zookeeper', 'exhibitor', 'kubernetes', 'raft'],
]);

/** Values of the keys in `rules` that Patroni cannot read, or reads as something else. */
export function ruleProblems(
  values: JsonObject,
  rules: ConfigRules,
  above: string,
): ConfigProblem[] {
  return Object.keys(rules)
    .filter((name) => Object.hasOwn(values, name))
    .flatMap((name) => {
      const value = values[name];
      const rule = rules[name];
      return value === undefined || rule === undefined ? [] : checkValue(above + name, value, rule);
    });
}

/** Every value of Patroni's own keys that it cannot read; without unknown keys. */
export function unreadValues(config: JsonObject): ConfigProblem[] {
  const { postgresql, standby_cluster: standby } = config;
  return [
    ...ruleProblems(config, TOP, ''),
    ...(isObject(standby) ? ruleProblems(standby, STANDBY, 'standby_cluster.') : []),
    ...(isObject(postgresql) ? ruleProblems(postgresql, POSTGRESQL, 'postgresql.') : []),
  ];
}

function checkValue(key: string, value: JsonValue, rule: Rule): ConfigProblem[] {
  const { kind, min, fallback } = rule;
  const wanted = wantedInstead(value, rule, key);
  if (wanted !== null) {
    const { effect, said } = consequence(value, kind, fallback);
    const message = `${key} is ${describe(value)}, expected ${wanted}: ${said}`;
    return [{ level: 'error', code: 'wrong_type', key, message, effect }];
  }
  if (kind === 'python' && typeof value === 'boolean') {
    const message = `${key} is ${describe(value)}, expected a whole number of seconds: Patroni reads it as ${Number(value)}`;
    return [{ level: 'error', code: 'wrong_type', key, message, effect: 'adjusted' }];
  }
  if (min === undefined) return [];
  const number = kind === 'python' ? pythonInteger(value) : parseInteger(value, unitOf(kind));
  if (number === null || number >= min) return [];
  const adjusts = kind === 'python';
  const message = `${key} is ${number}, Patroni requires at least ${min}${adjusts ? ' and uses that' : ''}`;
  const effect = adjusts ? 'adjusted' : 'taken';
  return [{ level: 'error', code: 'out_of_range', key, message, effect }];
}

function unitOf(kind: Kind): string | null {
  return kind === 'seconds' ? 's' : null;
}

/** null if Patroni reads it as meant, otherwise the expected type. */
function wantedInstead(value: JsonValue, { kind }: Rule, key: string): string | null {
  // Nothing stands there: Patroni's default, but where it asks whether the key is there.
  if (value === null && kind !== 'python' && key !== 'postgresql.use_slots') return null;
  switch (kind) {
    case 'python':
      return pythonInteger(value) === null ? 'a whole number of seconds' : null;
    case 'int':
      return parseInteger(value) === null ? 'a whole number' : null;
    case 'seconds':
      return parseInteger(value, 's') === null ? 'a number of seconds' : null;
    case 'switch':
      return parseBool(value) === null ? 'true or false' : null;
    case 'truth':
      return parseBool(value) === truthy(value) ? null : 'true or false';
    case 'sync':
      return parseBool(value) === null && !isQuorum(value) ? 'true, false or quorum' : null;
    case 'section':
    case 'map':
      return isObject(value) ? null : 'a mapping';
    case 'list':
      return Array.isArray(value) || isObject(value) ? null : 'a list or a mapping';
    case 'texts':
      return Array.isArray(value) && value.every((item) => typeof item === 'string')
        ? null
        : 'a list of texts';
    case 'text':
      return typeof value === 'object' ? 'a text' : null;
    case 'any':
      return null;
  }
}

function isQuorum(value: JsonValue): boolean {
  return typeof value === 'string' && value.toLowerCase() === 'quorum';
}

export const THROWN_AWAY = 'Patroni throws the whole dynamic configuration away';

/** What Patroni does with a value that it cannot read. */
function consequence(
  value: JsonValue,
  kind: Kind,
  fallback: string | undefined,
): { effect: Effect; said: string } {
  if (kind === 'python' || (kind === 'section' && truthy(value))) {
    return { effect: 'rejected', said: THROWN_AWAY };
  }
  if (kind === 'truth') {
    return { effect: 'taken', said: `Patroni reads it as ${truthy(value) ? 'true' : 'false'}` };
  }
  if (fallback !== undefined) return { effect: 'ignored', said: `Patroni uses ${fallback}` };
  return { effect: 'ignored', said: 'Patroni cannot use it' };
}

/** How much of a value is shown. */
const SHOWN = 60;

/** A value in a message; never the inside of a list or a mapping. */
export function describe(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = JSON.stringify(value);
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}
