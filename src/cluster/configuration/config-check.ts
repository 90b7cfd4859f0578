/** Judges a dynamic configuration before it is written: what Patroni would ignore, adjust or choke on. */
import { gucs, type Guc } from './gucs.js';
import type { JsonObject, JsonValue } from '../model/model.js';
import { readConfig } from '../model/parse-keys.js';
import { isObject, parseBool, parseInteger } from '../model/patroni-values.js';

/** An error is refused, a warning is said. */
export interface ConfigProblem {
  level: 'error' | 'warning';
  /** Never changes its meaning; --skip-check takes it. */
  code: 'unknown_key' | 'wrong_type' | 'out_of_range' | 'timing' | 'sync_names' | 'ignored';
  /** Dotted. */
  key: string;
  message: string;
}

export const CHECK_CODES = [
  'unknown_key',
  'wrong_type',
  'out_of_range',
  'timing',
  'sync_names',
  'ignored',
] as const satisfies readonly ConfigProblem['code'][];

type Kind = 'int' | 'seconds' | 'switch' | 'sync' | 'map' | 'list' | 'text' | 'any';

interface Rule {
  kind: Kind;
  min?: number;
}

const TOP: Record<string, Rule> = {
  ttl: { kind: 'seconds', min: 20 },
  loop_wait: { kind: 'seconds', min: 1 },
  retry_timeout: { kind: 'seconds', min: 3 },
  maximum_lag_on_failover: { kind: 'int', min: 0 },
  maximum_lag_on_syncnode: { kind: 'int', min: -1 },
  max_timelines_history: { kind: 'int', min: 0 },
  primary_start_timeout: { kind: 'int', min: 0 },
  primary_stop_timeout: { kind: 'int', min: 0 },
  master_start_timeout: { kind: 'int', min: 0 },
  master_stop_timeout: { kind: 'int', min: 0 },
  member_slots_ttl: { kind: 'seconds', min: 0 },
  synchronous_mode: { kind: 'sync' },
  synchronous_mode_strict: { kind: 'switch' },
  synchronous_node_count: { kind: 'int', min: 1 },
  failsafe_mode: { kind: 'switch' },
  check_timeline: { kind: 'switch' },
  pause: { kind: 'switch' },
  standby_cluster: { kind: 'map' },
  slots: { kind: 'map' },
  permanent_slots: { kind: 'map' },
  permanent_replication_slots: { kind: 'map' },
  ignore_slots: { kind: 'list' },
  postgresql: { kind: 'map' },
};

const STANDBY: Record<string, Rule> = {
  host: { kind: 'text' },
  port: { kind: 'any' },
  primary_slot_name: { kind: 'text' },
  create_replica_methods: { kind: 'any' },
  restore_command: { kind: 'text' },
  archive_cleanup_command: { kind: 'text' },
  recovery_min_apply_delay: { kind: 'any' },
};

const POSTGRESQL: Record<string, Rule> = {
  parameters: { kind: 'map' },
  pg_hba: { kind: 'list' },
  pg_ident: { kind: 'list' },
  use_slots: { kind: 'switch' },
  use_pg_rewind: { kind: 'switch' },
  use_unix_socket: { kind: 'switch' },
  use_unix_socket_repl: { kind: 'switch' },
  remove_data_directory_on_rewind_failure: { kind: 'switch' },
  remove_data_directory_on_diverged_timelines: { kind: 'switch' },
  pg_ctl_timeout: { kind: 'int', min: 0 },
  recovery_conf: { kind: 'map' },
  callbacks: { kind: 'map' },
  create_replica_methods: { kind: 'any' },
  create_replica_method: { kind: 'any' },
  basebackup: { kind: 'any' },
  custom_conf: { kind: 'text' },
  bin_dir: { kind: 'text' },
  bin_name: { kind: 'map' },
  rewind: { kind: 'any' },
  pre_promote: { kind: 'text' },
  before_stop: { kind: 'text' },
};

/** What Patroni takes from the node's own file only. */
const LOCAL_ONLY = [
  'connect_address',
  'proxy_address',
  'listen',
  'config_dir',
  'data_dir',
  'pgpass',
  'authentication',
];
const NODE_ONLY = [
  'scope',
  'name',
  'namespace',
  'restapi',
  'etcd',
  'etcd3',
  'tags',
  'watchdog',
  'log',
  'ctl',
  'bootstrap',
];
/** Settings that Patroni gives on PostgreSQL's command line, from the node's own file only. */
const OWN_SETTINGS = [
  'listen_addresses',
  'port',
  'cluster_name',
  'data_directory',
  'config_file',
  'hba_file',
  'ident_file',
  'hot_standby',
];
/** Below these Patroni keeps its default. */
const FLOORS: Record<string, number> = {
  max_connections: 25,
  max_wal_senders: 3,
  wal_keep_segments: 1,
  wal_keep_size: 16,
  max_prepared_transactions: 0,
  max_locks_per_transaction: 32,
  max_replication_slots: 4,
  max_worker_processes: 2,
};

/** Everything wrong with `config`; worst first. */
export function checkConfig(config: JsonObject): ConfigProblem[] {
  const problems = [
    ...checkSection(
      config,
      TOP,
      '',
      NODE_ONLY,
      'belongs into the file of each node, Patroni ignores it here',
    ),
    ...section(config['standby_cluster'], (one) => checkSection(one, STANDBY, 'standby_cluster.')),
    ...section(config['postgresql'], checkPostgresql),
    ...checkTiming(config),
    ...checkSyncNames(config),
  ];
  return problems.sort((a, b) => Number(b.level === 'error') - Number(a.level === 'error'));
}

/** Problems of `after` that `before` did not have: what was wrong already does not stop an edit. */
export function newProblems(after: ConfigProblem[], before: ConfigProblem[]): ConfigProblem[] {
  const known = new Set(before.map(({ code, key, message }) => `${code} ${key} ${message}`));
  return after.map((problem) =>
    known.has(`${problem.code} ${problem.key} ${problem.message}`)
      ? { ...problem, level: 'warning' as const }
      : problem,
  );
}

function section(
  value: JsonValue | undefined,
  check: (section: JsonObject) => ConfigProblem[],
): ConfigProblem[] {
  return isObject(value) ? check(value) : [];
}

function checkSection(
  values: JsonObject,
  rules: Record<string, Rule>,
  above: string,
  elsewhere: readonly string[] = [],
  why = '',
): ConfigProblem[] {
  return Object.entries(values).flatMap(([name, value]): ConfigProblem[] => {
    const key = above + name;
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule) return checkValue(key, value, rule);
    if (elsewhere.includes(name)) {
      return [{ level: 'warning', code: 'ignored', key, message: `${key} ${why}` }];
    }
    return unknown(key, name, Object.keys(rules));
  });
}

/** A slip of the pen is an error; what resembles nothing may be somebody's own. */
function unknown(key: string, name: string, known: readonly string[]): ConfigProblem[] {
  const near = nearest(name, known);
  const message = near
    ? `${key} is unknown to Patroni: is ${near} meant?`
    : `${key} is unknown to Patroni, which ignores it`;
  return [{ level: near ? 'error' : 'warning', code: 'unknown_key', key, message }];
}

function checkValue(key: string, value: JsonValue, { kind, min }: Rule): ConfigProblem[] {
  const wanted = fits(value, kind);
  if (wanted !== null) {
    const message = `${key} is ${describe(value)}, ${wanted} is wanted`;
    return [{ level: 'error', code: 'wrong_type', key, message }];
  }
  if (min === undefined) return [];
  const number = parseInteger(value, kind === 'seconds' ? 's' : undefined);
  if (number === null || number >= min) return [];
  const message = `${key} is ${number}, Patroni wants ${min} at least`;
  return [{ level: 'error', code: 'out_of_range', key, message }];
}

/** null when it fits, else what is wanted. */
function fits(value: JsonValue, kind: Kind): string | null {
  switch (kind) {
    case 'int':
      return parseInteger(value) === null ? 'a whole number' : null;
    case 'seconds':
      return parseInteger(value, 's') === null ? 'a number of seconds' : null;
    case 'switch':
      return parseBool(value) === null ? 'true or false' : null;
    case 'sync':
      return parseBool(value) === null &&
        !(typeof value === 'string' && value.toLowerCase() === 'quorum')
        ? 'true, false or quorum'
        : null;
    case 'map':
      return isObject(value) || value === null ? null : 'a mapping';
    case 'list':
      return Array.isArray(value) || value === null ? null : 'a list';
    case 'text':
      return typeof value === 'object' && value !== null ? 'a text' : null;
    case 'any':
      return null;
  }
}

function describe(value: JsonValue): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return JSON.stringify(value);
}

function checkPostgresql(postgresql: JsonObject): ConfigProblem[] {
  const methods = [
    postgresql['create_replica_methods'],
    postgresql['create_replica_method'],
  ].flat();
  const rules = { ...POSTGRESQL };
  // Each way to make a replica has a section of its own name.
  for (const method of methods) if (typeof method === 'string') rules[method] = { kind: 'any' };
  const why = `belongs into the file of each node, Patroni ignores it here`;
  return [
    ...checkSection(postgresql, rules, 'postgresql.', LOCAL_ONLY, why),
    ...section(postgresql['parameters'], checkSettings),
  ];
}

function checkSettings(settings: JsonObject): ConfigProblem[] {
  const known = gucs();
  return Object.entries(settings).flatMap(([name, value]): ConfigProblem[] => {
    const key = `postgresql.parameters.${name}`;
    const guc = known.get(name.toLowerCase());
    // A name with a dot is an extension's; null takes the setting away.
    if (value === null || (!guc && name.includes('.'))) return [];
    if (OWN_SETTINGS.includes(name.toLowerCase())) {
      const message = `${name} is set by Patroni itself, which ignores it here`;
      return [{ level: 'warning', code: 'ignored', key, message }];
    }
    if (guc) return checkSetting(key, value, guc);
    const near = nearest(name.toLowerCase(), [...known.keys()]);
    const message = `${name} is no setting of PostgreSQL${near ? `: is ${near} meant?` : ''}`;
    return [{ level: near ? 'error' : 'warning', code: 'unknown_key', key, message }];
  });
}

function checkSetting(key: string, value: JsonValue, guc: Guc): ConfigProblem[] {
  const wanted = settingFits(value, guc);
  if (wanted !== null) {
    const message = `${key} is ${describe(value)}, ${wanted} is wanted`;
    return [{ level: 'error', code: 'wrong_type', key, message }];
  }
  const number = settingNumber(value, guc);
  if (number === null) return [];
  if (number < guc.min || number > guc.max) {
    const unit = guc.unit === null ? '' : ` (in ${guc.unit})`;
    const message = `${key} is ${number}, PostgreSQL takes ${guc.min} to ${guc.max}${unit}`;
    return [{ level: 'error', code: 'out_of_range', key, message }];
  }
  const floor = FLOORS[guc.name];
  if (floor === undefined || number >= floor) return [];
  const message = `${key} is ${number}; below ${floor} Patroni ignores it and keeps its default`;
  return [{ level: 'warning', code: 'out_of_range', key, message }];
}

function settingFits(value: JsonValue, guc: Guc): string | null {
  const isSwitch = parseSwitch(value);
  const word = typeof value === 'object' ? null : String(value).toLowerCase();
  switch (guc.type) {
    case 'bool':
      return isSwitch ? null : 'on or off';
    case 'enum':
      return word !== null && guc.words.includes(word) ? null : `one of ${guc.words.join(', ')}`;
    case 'boolenum':
      return isSwitch || (word !== null && guc.words.includes(word))
        ? null
        : `on, off or one of ${guc.words.join(', ')}`;
    case 'int':
    case 'real':
      if (settingNumber(value, guc) !== null) return null;
      return guc.unit === null ? 'a number' : `a number, with a unit such as ${guc.unit}`;
    case 'string':
      return typeof value === 'object' ? 'a text' : null;
  }
}

/** PostgreSQL also takes the beginnings of the words. */
function parseSwitch(value: JsonValue): boolean {
  if (parseBool(value) !== null) return true;
  if (typeof value !== 'string' || value === '') return false;
  const word = value.toLowerCase();
  return ['true', 'false', 'yes', 'no'].some((whole) => whole.startsWith(word)) || word === 'of';
}

/** In the setting's own unit; null when it is not a number. */
export function settingNumber(value: JsonValue, guc: Guc): number | null {
  if (guc.type === 'real') return realNumber(value);
  if (guc.type !== 'int') return null;
  if (guc.unit === '8kB') {
    const bare = parseInteger(value);
    const kilobytes = parseInteger(value, 'kB');
    return bare ?? (kilobytes === null ? null : Math.ceil(kilobytes / 8));
  }
  const bases = ['B', 'kB', 'MB', 'ms', 's', 'min'] as const;
  return parseInteger(
    value,
    bases.find((base) => base === guc.unit),
  );
}

function realNumber(value: JsonValue): number | null {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return null;
  const match =
    /^\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?)\s*(?:us|ms|s|min|h|d)?\s*$/i.exec(
      value,
    );
  return match ? Number(match[1]) : null;
}

/** Patroni shortens loop_wait and retry_timeout by itself when ttl leaves no room for them. */
function checkTiming(config: JsonObject): ConfigProblem[] {
  const { ttlSeconds, loopWaitSeconds, retryTimeoutSeconds } = readConfig(config);
  const needed = loopWaitSeconds + 2 * retryTimeoutSeconds;
  if (ttlSeconds >= needed) return [];
  const message =
    `ttl ${ttlSeconds} is below loop_wait ${loopWaitSeconds} + 2 * retry_timeout ` +
    `${retryTimeoutSeconds} = ${needed}: a primary may demote for a hiccup, and Patroni shortens the others`;
  return [{ level: 'error', code: 'timing', key: 'ttl', message }];
}

function checkSyncNames(config: JsonObject): ConfigProblem[] {
  const { syncMode, standbyCluster } = readConfig(config);
  const postgresql = config['postgresql'];
  const settings = isObject(postgresql) ? postgresql['parameters'] : null;
  if (syncMode === 'off' || standbyCluster !== null || !isObject(settings)) return [];
  const name = Object.keys(settings).find(
    (one) => one.toLowerCase() === 'synchronous_standby_names' && settings[one] !== null,
  );
  if (name === undefined) return [];
  const key = `postgresql.parameters.${name}`;
  const message = `${name} is written by Patroni itself under synchronous_mode ${syncMode}; take it out`;
  return [{ level: 'error', code: 'sync_names', key, message }];
}

/** The names of settings that changed and take a restart. */
export function restartSettings(before: JsonObject, after: JsonObject): string[] {
  const [old, now] = [settingsOf(before), settingsOf(after)];
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return names
    .filter((name) => gucs().get(name.toLowerCase())?.restart === true)
    .filter((name) => !OWN_SETTINGS.includes(name.toLowerCase()))
    .filter((name) => JSON.stringify(old[name]) !== JSON.stringify(now[name]));
}

function settingsOf(config: JsonObject): JsonObject {
  const postgresql = config['postgresql'];
  const settings = isObject(postgresql) ? postgresql['parameters'] : null;
  return isObject(settings) ? settings : {};
}

/** The known word that is a slip of the pen away; null when none is. */
export function nearest(word: string, known: readonly string[]): string | null {
  const limit = word.length < 5 ? 1 : word.length < 12 ? 2 : 3;
  let best: string | null = null;
  let least = limit + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const distance = editDistance(word.toLowerCase(), candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Letters to insert, delete, replace or swap with their neighbour. */
function editDistance(a: string, b: string): number {
  let [previous, row]: [number[], number[]] = [
    [],
    Array.from({ length: b.length + 1 }, (_, i) => i),
  ];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + change);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) least = Math.min(least, (previous[j - 2] ?? 0) + 1);
      next.push(least);
    }
    [previous, row] = [row, next];
  }
  return row[b.length] ?? 0;
}
