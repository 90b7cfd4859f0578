/**
 * What stands one level deeper in `postgresql` and `standby_cluster`, as Patroni uses it there [postgresql/__init__.py,
 * postgresql/bootstrap.py, postgresql/config.py]: it does not look at it before, so a mistake shows when it is needed.
 */
import { describe, type ConfigProblem } from '../model/config-rules.js';
import type { JsonObject, JsonValue } from '../model/model.js';
import { isObject, parseInteger, truthy } from '../model/patroni-values.js';
import { nearest } from './nearest.js';
import { shellProblem } from './shell-words.js';

const CALLBACKS = ['on_reload', 'on_restart', 'on_role_change', 'on_start', 'on_stop'];
const PROGRAMS = [
  ...['initdb', 'pg_basebackup', 'pg_controldata', 'pg_ctl', 'pg_isready', 'pg_rewind'],
  ...['pg_waldump', 'postgres'],
];
/** pg_basebackup's options that Patroni sets by itself. */
const OWN_OPTIONS = [
  ...['pgdata', 'format', 'wal-method', 'xlog-method', 'gzip'],
  ...['version', 'dbname', 'host', 'port', 'username', 'password'],
];
/** Everything else that may stand in recovery_conf is set by Patroni itself. */
const RECOVERY = [
  ...[
    'archive_cleanup_command',
    'pause_at_recovery_target',
    'promote_trigger_file',
    'trigger_file',
  ],
  ...['recovery_end_command', 'recovery_min_apply_delay', 'restore_command', 'standby_mode'],
];
const HBA = new Set([
  ...['local', 'host', 'hostssl', 'hostnossl', 'hostgssenc', 'hostnogssenc'],
  ...['include', 'include_if_exists', 'include_dir'],
]);

/** Every value below `postgresql` and `standby_cluster` that fails or does nothing where Patroni uses it. */
export function nestedProblems({
  postgresql,
  standby_cluster: standby,
}: JsonObject): ConfigProblem[] {
  return [
    ...(isObject(postgresql) ? inPostgresql(postgresql) : []),
    ...(isObject(standby) ? inStandby(standby) : []),
  ];
}

function inPostgresql(postgresql: JsonObject): ConfigProblem[] {
  const { callbacks, bin_name: programs, recovery_conf: recovery, basebackup } = postgresql;
  const above = 'postgresql';
  return [
    ...command(`${above}.pre_promote`, scalar(postgresql['pre_promote']), NO_PROMOTION),
    ...command(`${above}.before_stop`, scalar(postgresql['before_stop']), NOT_RUN),
    ...onlyTexts(postgresql, above, ['bin_dir', 'config_base_name', 'krbsrvname']),
    ...known(`${above}.callbacks`, callbacks, CALLBACKS),
    ...each(callbacks, (name, value) => command(`${above}.callbacks.${name}`, value, NOT_RUN)),
    ...known(`${above}.bin_name`, programs, PROGRAMS),
    ...(isObject(programs) ? onlyTexts(programs, `${above}.bin_name`, Object.keys(programs)) : []),
    ...known(`${above}.recovery_conf`, recovery, RECOVERY),
    ...each(recovery, (name, value) => singleLine(`${above}.recovery_conf.${name}`, value)),
    ...backupOptions(`${above}.basebackup`, basebackup),
    ...methods(postgresql),
    ...hbaLines(`${above}.pg_hba`, postgresql['pg_hba']),
  ];
}

function inStandby(standby: JsonObject): ConfigProblem[] {
  const above = 'standby_cluster';
  return [
    ...onlyTexts(standby, above, ['host', 'primary_slot_name']),
    ...ports(`${above}.port`, standby['port']),
    ...singleLine(`${above}.restore_command`, standby['restore_command']),
    ...singleLine(`${above}.archive_cleanup_command`, standby['archive_cleanup_command']),
    ...delay(`${above}.recovery_min_apply_delay`, standby['recovery_min_apply_delay']),
  ];
}

const NO_PROMOTION = 'Patroni fails on it and promotes no replica';
const NOT_RUN = 'Patroni logs an error and does not run it';

function problem(key: string, message: string): ConfigProblem {
  return { level: 'error', code: 'wrong_type', key, message, effect: 'ignored' };
}

/** The rest of the value is in force. */
function leftOut(key: string, message: string): ConfigProblem {
  return { ...problem(key, message), effect: 'adjusted' };
}

function each(
  values: JsonValue | undefined,
  judge: (name: string, value: JsonValue) => ConfigProblem[],
): ConfigProblem[] {
  if (!isObject(values)) return [];
  return Object.entries(values).flatMap(([name, value]) => judge(name, value));
}

/** Patroni looks for these names only. */
function known(key: string, values: JsonValue | undefined, names: string[]): ConfigProblem[] {
  return each(values, (name) => {
    if (names.includes(name)) return [];
    const near = nearest(name, names);
    const said = near === null ? `it reads ${names.join(', ')}` : `did you mean ${near}?`;
    const message = `${key} has ${describe(name)}, which Patroni ignores: ${said}`;
    const meant = near === null ? {} : { meant: `${key}.${near}` };
    return [{ ...problem(`${key}.${name}`, message), code: 'unknown_key', ...meant }];
  });
}

/** Where Patroni fails on a number. */
function onlyTexts(values: JsonObject, above: string, names: string[]): ConfigProblem[] {
  return names.flatMap((name) => {
    const value = values[name];
    if (!truthy(value) || value === undefined || typeof value === 'string') return [];
    if (scalar(value) === undefined && !above.endsWith('bin_name')) return [];
    const message = `${above}.${name} is ${describe(value)}, expected a text: Patroni fails where it uses it`;
    return [problem(`${above}.${name}`, message)];
  });
}

/** A list or a mapping is already said by the rule of its key. */
function scalar(value: JsonValue | undefined): JsonValue | undefined {
  return typeof value === 'object' ? undefined : value;
}

/** Split into words as a shell does. */
function command(key: string, value: JsonValue | undefined, otherwise: string): ConfigProblem[] {
  if (!truthy(value) || value === undefined) return [];
  // The command is not shown: its arguments may hold secrets.
  const wrong =
    typeof value === 'string' ? shellProblem(value) : `is ${describe(value)}, expected a text`;
  return wrong === null ? [] : [problem(key, `${key} ${wrong}: ${otherwise}`)];
}

/** A value for postgresql.conf, in which a text ends with its line. */
export function singleLine(key: string, value: JsonValue | undefined): ConfigProblem[] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'object') {
    return [problem(key, `${key} is ${describe(value)}, expected a text`)];
  }
  if (typeof value !== 'string' || !/[\n\0]/.test(value)) return [];
  return [
    problem(key, `${key} has more than one line, or a line break at its end: ${WHOLE_FILE_FAILS}`),
  ];
}

export const WHOLE_FILE_FAILS =
  'PostgreSQL rejects the whole postgresql.conf, applies none of its settings, and cannot be started again';

/** pg_basebackup's options: a mapping of texts, or a list of words and of mappings with one text each. */
function backupOptions(key: string, given: JsonValue | undefined): ConfigProblem[] {
  if (isObject(given)) {
    return each(given, (name, value) =>
      !truthy(value) || typeof value === 'string'
        ? ownOption(key, name)
        : [
            problem(
              `${key}.${name}`,
              `${key}.${name} is ${describe(value)}, expected a text: Patroni cannot create a replica`,
            ),
          ],
    );
  }
  if (!Array.isArray(given)) return [];
  return given.flatMap((item, at) => {
    if (typeof item === 'string') return ownOption(key, item);
    const [[name, value] = ['', null], ...others] = isObject(item) ? Object.entries(item) : [];
    if (typeof value === 'string' && others.length === 0) return ownOption(key, name);
    const message = `${key}[${at}] is ${describe(item)}, expected a word or one word with a text: Patroni leaves it out`;
    return [leftOut(`${key}[${at}]`, message)];
  });
}

function ownOption(key: string, name: string): ConfigProblem[] {
  if (!OWN_OPTIONS.includes(name)) return [];
  const message = `${key} has ${name}, which Patroni sets by itself and leaves out here`;
  return [leftOut(`${key}.${name}`, message)];
}

/** Each way to create a replica has a section of its own name, or none. */
function methods(postgresql: JsonObject): ConfigProblem[] {
  const names = [postgresql['create_replica_methods'], postgresql['create_replica_method']].flat();
  return [...new Set(names)].flatMap((name) => {
    if (typeof name !== 'string' || name === 'basebackup') return [];
    const [key, section] = [`postgresql.${name}`, postgresql[name]];
    const otherwise = 'Patroni cannot create a replica with it';
    if (truthy(section) && section !== undefined && !isObject(section)) {
      return [problem(key, `${key} is ${describe(section)}, expected a mapping: ${otherwise}`)];
    }
    const own = isObject(section) ? section['command'] : undefined;
    return command(`${key}.command`, own, otherwise);
  });
}

/** The first word of each line; a line is continued after a backslash. */
function hbaLines(key: string, lines: JsonValue | undefined): ConfigProblem[] {
  if (!Array.isArray(lines) || !lines.every((line) => typeof line === 'string')) return [];
  const wrong = lines
    .join('\n')
    .replace(/\\\r?\n/g, ' ')
    .split('\n')
    .map((line) => /^[\s,]*"?([^\s,"#]*)/.exec(line)?.[1] ?? '')
    .filter((word) => word !== '' && !HBA.has(word));
  if (wrong.length === 0) return [];
  const message = `${key} has a line that begins with ${describe(wrong[0] ?? '')}, expected local or host: PostgreSQL rejects the whole file, and cannot be started again`;
  return [problem(key, message)];
}

/** One, or one for each host. */
function ports(key: string, value: JsonValue | undefined): ConfigProblem[] {
  if (!truthy(value) || value === undefined || typeof value === 'object') return [];
  const isPort = (one: string) => /^[0-9]+$/.test(one) && Number(one) >= 1 && Number(one) <= 65535;
  if (
    String(value)
      .split(',')
      .every((one) => isPort(one.trim()))
  )
    return [];
  return [
    problem(
      key,
      `${key} is ${describe(value)}, expected 1 to 65535: nothing is replicated from there`,
    ),
  ];
}

function delay(key: string, value: JsonValue | undefined): ConfigProblem[] {
  if (!truthy(value) || value === undefined || typeof value === 'object') return [];
  if ((parseInteger(value, 'ms') ?? -1) >= 0) return [];
  return [
    problem(key, `${key} is ${describe(value)}, expected a time such as 1h: Patroni leaves it out`),
  ];
}
