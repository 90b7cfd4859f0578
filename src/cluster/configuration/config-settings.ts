/** PostgreSQL's settings in a dynamic configuration: what Patroni, and then PostgreSQL, makes of each value. */
import {
  describe,
  POSTGRESQL,
  TOP,
  type ConfigProblem,
  type Effect,
} from '../model/config-rules.js';
import { singleLine, WHOLE_FILE_FAILS } from './config-nested.js';
import { gucs, type Guc } from './gucs.js';
import type { JsonObject, JsonValue } from '../model/model.js';
import { nearest } from './nearest.js';
import { isObject, parseBool, parseInteger, parseReal } from '../model/patroni-values.js';

/** Settings that Patroni gives to PostgreSQL by itself, or from the node's own file only. */
const OWN_SETTINGS = new Set([
  ...['listen_addresses', 'port', 'cluster_name'],
  ...['data_directory', 'config_file'],
  ...['primary_conninfo', 'primary_slot_name'],
]);

/** Settings whose values Patroni checks by itself, and for which it has defaults of its own [CMDLINE_OPTIONS]. */
const CHECKED: Readonly<Record<string, { takes: (value: JsonValue) => boolean; else: string }>> = {
  hot_standby: { takes: (value) => parseBool(value) === true, else: 'on' },
  wal_level: { takes: isWalLevel, else: 'hot_standby' },
  max_connections: { takes: atLeast(25), else: '100' },
  max_wal_senders: { takes: atLeast(3), else: '10' },
  wal_keep_segments: { takes: atLeast(1), else: '8' },
  wal_keep_size: { takes: atLeast(16, 'MB'), else: '128MB' },
  max_prepared_transactions: { takes: atLeast(0), else: '0' },
  max_locks_per_transaction: { takes: atLeast(32), else: '64' },
  track_commit_timestamp: { takes: (value) => parseBool(value) !== null, else: 'off' },
  max_replication_slots: { takes: atLeast(4), else: '10' },
  max_worker_processes: { takes: atLeast(2), else: '8' },
  wal_log_hints: { takes: (value) => parseBool(value) !== null, else: 'on' },
};

function isWalLevel(value: JsonValue): boolean {
  return typeof value === 'string' && /^(hot_standby|replica|logical)$/i.test(value);
}

function atLeast(least: number, unit?: string): (value: JsonValue) => boolean {
  return (value) => (parseInteger(value, unit) ?? -Infinity) >= least;
}

/** For so many unknown names the meant one is looked for. */
const MOST_LOOKED_FOR = 200;

/** Everything below postgresql.parameters that is not in force as written, or is unknown. */
export function settingProblems(settings: JsonObject): ConfigProblem[] {
  const known = gucs();
  let lookedFor = 0;
  return Object.entries(settings).flatMap(([name, value]): ConfigProblem[] => {
    const key = `postgresql.parameters.${name}`;
    const lower = name.toLowerCase();
    const guc = known.get(lower);
    // null takes the setting away.
    if (value === null) return [];
    const broken = brokenFile(key, name, value);
    // A name with a dot is an extension's.
    if (broken.length > 0 || (!guc && name.includes('.'))) return broken;
    const wrong = guc && !OWN_SETTINGS.has(lower) ? checkSetting(key, value, guc) : [];
    if (wrong.length > 0) return wrong;
    // Where recovery ends is Patroni's to say too.
    if (OWN_SETTINGS.has(lower) || lower.startsWith('recovery_target')) {
      const message = `${name} is set by Patroni itself and ignored here`;
      return [{ level: 'warning', code: 'ignored', key, message, effect: 'ignored' }];
    }
    if (guc) return [];
    const place = otherLevel(name);
    if (place !== null) {
      const message = `${key} is not a setting of PostgreSQL: did you mean ${place}?`;
      return [
        { level: 'error', code: 'unknown_key', key, message, effect: 'ignored', meant: place },
      ];
    }
    const near = lookedFor++ < MOST_LOOKED_FOR ? nearest(lower, [...known.keys()]) : null;
    const message = `${name} is not a setting of PostgreSQL${near ? `: did you mean ${near}?` : ''}`;
    const level = near ? 'error' : 'warning';
    const meant = near ? { meant: `postgresql.parameters.${near}` } : {};
    return [{ level, code: 'unknown_key', key, message, effect: 'ignored', ...meant }];
  });
}

/** The place of a key of Patroni's own that stands among the settings. */
function otherLevel(name: string): string | null {
  if (Object.hasOwn(TOP, name)) return name;
  return Object.hasOwn(POSTGRESQL, name) ? `postgresql.${name}` : null;
}

/** Patroni writes each setting that it knows, and each with a dot, into postgresql.conf as it is. */
function brokenFile(key: string, name: string, value: JsonValue): ConfigProblem[] {
  if (
    name.includes('.') &&
    !/^[a-z_\u0080-\uffff][\w\u0080-\uffff]*\.[a-z_\u0080-\uffff][\w\u0080-\uffff]*$/i.test(name)
  ) {
    const message = `${key} is not a name that postgresql.conf can hold (two words of letters, digits and _, with one dot): ${WHOLE_FILE_FAILS}`;
    return [{ level: 'error', code: 'wrong_type', key, message, effect: 'ignored' }];
  }
  return typeof value === 'string' ? singleLine(key, value) : [];
}

function checkSetting(key: string, value: JsonValue, guc: Guc): ConfigProblem[] {
  const own = Object.hasOwn(CHECKED, guc.name) ? CHECKED[guc.name] : undefined;
  const wanted = wantedInstead(value, guc);
  if (wanted !== null) {
    const said = own ? `Patroni uses ${own.else}` : 'Patroni leaves the setting out';
    const message = `${key} is ${describe(value)}, expected ${wanted}: ${said}`;
    return [{ level: 'error', code: 'wrong_type', key, message, effect: 'ignored' }];
  }
  const range = outOfRange(key, value, guc);
  if (range !== null) return [range];
  if (!own || own.takes(value)) return [];
  const message = `${key} is ${describe(value)}, which Patroni does not accept: it uses ${own.else}`;
  return [{ level: 'warning', code: 'out_of_range', key, message, effect: 'ignored' }];
}

function outOfRange(key: string, value: JsonValue, guc: Guc): ConfigProblem | null {
  const number = settingNumber(value, guc);
  if (number === null || (number >= guc.min && number <= guc.max)) return null;
  const unit = guc.unit === null ? '' : ` (in ${guc.unit})`;
  const effect: Effect = Object.hasOwn(CHECKED, guc.name) ? 'ignored' : 'adjusted';
  const message = `${key} is ${number}, PostgreSQL accepts ${guc.min} to ${guc.max}${unit}`;
  return { level: 'error', code: 'out_of_range', key, message, effect };
}

/** null when Patroni hands the value on, and PostgreSQL can read it. */
function wantedInstead(value: JsonValue, guc: Guc): string | null {
  const isSwitch = parseBool(value) !== null;
  const word = typeof value === 'object' ? null : String(value).toLowerCase();
  const isWord = word !== null && guc.words.includes(word);
  const words = guc.words.map((one) => (one === '' ? "''" : one)).join(', ');
  switch (guc.type) {
    case 'bool':
      return isSwitch ? null : 'on or off';
    case 'enum':
      return isWord ? null : `one of ${words}`;
    case 'boolenum':
      return isSwitch || isWord ? null : `on, off or one of ${words}`;
    case 'int':
    case 'real':
      if (settingNumber(value, guc) !== null) return null;
      return guc.unit === null ? 'a number' : `a number, with a unit such as ${guc.unit}`;
    case 'string':
      return typeof value === 'object' ? 'a text' : null;
  }
}

/** In the setting's own unit; null when it is not a number. */
export function settingNumber(value: JsonValue, guc: Guc): number | null {
  if (guc.type === 'real') return parseReal(value, guc.unit);
  return guc.type === 'int' ? parseInteger(value, guc.unit) : null;
}

/** Settings that PostgreSQL takes over without a restart from this major version on. */
const RELOADED_SINCE: Readonly<Record<string, number>> = { autovacuum_max_workers: 18 };

/** The names of settings that changed and take a restart, each with the versions of which that is true. */
export function restartSettings(before: JsonObject, after: JsonObject): string[] {
  const [old, now] = [settingsIn(before), settingsIn(after)];
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return names
    .filter((name) => gucs().get(name.toLowerCase())?.restart === true)
    .filter((name) => !OWN_SETTINGS.has(name.toLowerCase()))
    .filter((name) => JSON.stringify(old[name]) !== JSON.stringify(now[name]))
    .map((name) => {
      const since = RELOADED_SINCE[name.toLowerCase()];
      return since === undefined ? name : `${name} (before PostgreSQL ${since})`;
    });
}

/** postgresql.parameters; {} if there is none, or it is not a mapping. */
export function settingsIn(config: JsonObject): JsonObject {
  const postgresql = config['postgresql'];
  const settings = isObject(postgresql) ? postgresql['parameters'] : null;
  return isObject(settings) ? settings : {};
}
