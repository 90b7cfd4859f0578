/** Judges a dynamic configuration: what Patroni would throw away, ignore, adjust or choke on. */
import {
  CHECK_CODES,
  LOCAL_ONLY,
  NODE_ONLY,
  POSTGRESQL,
  STANDBY,
  TOP,
  unreadValues,
  type ConfigProblem,
} from '../model/config-rules.js';
import { nestedProblems } from './config-nested.js';
import { gucs } from './gucs.js';
import { settingProblems, settingsIn } from './config-settings.js';
import { slotProblems } from '../model/config-slots.js';
import type { JsonObject, JsonValue } from '../model/model.js';
import { nearest } from './nearest.js';
import { readConfig } from '../model/parse-keys.js';
import { holdsSecret, isCommandName, isSecretName } from './secret-names.js';
import { isObject, truthy } from '../model/patroni-values.js';

export { CHECK_CODES, type ConfigProblem };

/** Everything wrong with `config`; worst first. */
export function checkConfig(config: JsonObject): ConfigProblem[] {
  const problems = [
    ...unreadValues(config),
    ...unknownKeys(config),
    ...slotProblems(config),
    ...nestedProblems(config),
    ...settingProblems(settingsIn(config)),
    ...checkStandby(config),
    ...checkTiming(config),
    ...checkSyncNames(config),
    ...secretsIn(config, []),
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

// ---------------------------------------------------------------- keys that Patroni does not read

const ELSEWHERE = 'belongs in the configuration file of each node; Patroni ignores it here';
/** For so many unknown keys the meant one is looked for. */
const MOST_LOOKED_FOR = 200;

function unknownKeys(config: JsonObject): ConfigProblem[] {
  const { postgresql, standby_cluster: standby } = config;
  const below = Object.keys(POSTGRESQL).map((name) => `postgresql.${name}`);
  return [
    ...unknownIn(config, '', TOP, [...Object.keys(TOP), ...below], NODE_ONLY),
    ...(isObject(standby)
      ? unknownIn(standby, 'standby_cluster.', STANDBY, Object.keys(STANDBY))
      : []),
    ...(isObject(postgresql)
      ? unknownIn(postgresql, 'postgresql.', withMethods(postgresql), below, LOCAL_ONLY)
      : []),
  ];
}

/** Each way to make a replica has a section of its own name. */
function withMethods(postgresql: JsonObject): object {
  const methods = [postgresql['create_replica_methods'], postgresql['create_replica_method']];
  const names = methods.flat().filter((one) => typeof one === 'string');
  return { ...POSTGRESQL, ...Object.fromEntries(names.map((name) => [name, true])) };
}

/** A typing error is refused; an unknown word without resemblance may belong to another program. */
function unknownIn(
  values: JsonObject,
  above: string,
  rules: object,
  known: readonly string[],
  elsewhere: ReadonlySet<string> = new Set(),
): ConfigProblem[] {
  let lookedFor = 0;
  return Object.keys(values).flatMap((name): ConfigProblem[] => {
    const key = above + name;
    if (Object.hasOwn(rules, name)) return [];
    if (elsewhere.has(name)) {
      const message = `${key} ${ELSEWHERE}`;
      return [{ level: 'error', code: 'ignored', key, message, effect: 'ignored' }];
    }
    const near =
      otherLevel(name, above) ??
      (lookedFor++ < MOST_LOOKED_FOR ? meantBy(name, above, known) : null);
    const message = near
      ? `${key} is unknown to Patroni: did you mean ${near}?`
      : `${key} is unknown to Patroni, which ignores it`;
    const level = near ? 'error' : 'warning';
    const meant = near ? { meant: near } : {};
    return [{ level, code: 'unknown_key', key, message, effect: 'ignored', ...meant }];
  });
}

/** The right place of a name that is right, and stands at the wrong one. */
function otherLevel(name: string, above: string): string | null {
  if (above === 'postgresql.' && Object.hasOwn(TOP, name)) return name;
  if (above === 'standby_cluster.' || !gucs().has(name.toLowerCase())) return null;
  return `postgresql.parameters.${name}`;
}

function meantBy(name: string, above: string, known: readonly string[]): string | null {
  const near = nearest(name, known);
  return near === null || near.startsWith(above) ? near : `${above}${near}`;
}

// ---------------------------------------------------------------- keys that contradict each other

/** Without one of the three Patroni runs a cluster of its own, with a primary. */
function checkStandby({ standby_cluster: standby }: JsonObject): ConfigProblem[] {
  if (!isObject(standby) || !truthy(standby)) return [];
  if (['host', 'port', 'restore_command'].some((name) => truthy(standby[name]))) return [];
  const key = 'standby_cluster';
  const message = `${key} has no host, port or restore_command: Patroni ignores it, and this is not a standby cluster`;
  return [{ level: 'error', code: 'ignored', key, message, effect: 'ignored' }];
}

/** Patroni shortens loop_wait and retry_timeout by itself when ttl leaves no room for them. */
function checkTiming(config: JsonObject): ConfigProblem[] {
  const { ttlSeconds, loopWaitSeconds, retryTimeoutSeconds } = readConfig(config);
  const needed = loopWaitSeconds + 2 * retryTimeoutSeconds;
  if (ttlSeconds >= needed) return [];
  const message =
    `ttl ${ttlSeconds} is below loop_wait ${loopWaitSeconds} + 2 * retry_timeout ` +
    `${retryTimeoutSeconds} = ${needed}: a short outage of the DCS may demote the primary, and Patroni reduces the other values`;
  return [{ level: 'error', code: 'timing', key: 'ttl', message, effect: 'adjusted' }];
}

function checkSyncNames(config: JsonObject): ConfigProblem[] {
  const { syncMode, standbyCluster } = readConfig(config);
  const settings = settingsIn(config);
  if (syncMode === 'off' || standbyCluster !== null) return [];
  const name = Object.keys(settings).find(
    (one) => one.toLowerCase() === 'synchronous_standby_names' && settings[one] !== null,
  );
  if (name === undefined) return [];
  const key = `postgresql.parameters.${name}`;
  const message = `${key} is managed by Patroni with synchronous_mode ${syncMode}; remove it`;
  return [{ level: 'error', code: 'sync_names', key, message, effect: 'ignored' }];
}

// ---------------------------------------------------------------- secrets

/** Every reader of the DCS, or of GET /config of any member, sees them. */
function secretsIn(value: JsonValue, path: readonly string[]): ConfigProblem[] {
  if (Array.isArray(value)) return value.flatMap((item) => secretsIn(item, path));
  if (isObject(value)) {
    return Object.entries(value).flatMap(([name, item]) => secretsIn(item, [...path, name]));
  }
  if (
    !truthy(value) ||
    !(isSecretPlace(path) || (typeof value === 'string' && holdsSecret(value)))
  ) {
    return [];
  }
  const key = path.join('.');
  const message = `${key} holds a secret: every reader of the DCS, or of GET /config, sees it`;
  return [{ level: 'error', code: 'secret', key, message, effect: 'taken' }];
}

/** Below a secret name everything is one: password: { value: … }. */
function isSecretPlace(path: readonly string[]): boolean {
  return path.some((name) => isSecretName(name)) && !isCommandName(path.at(-1) ?? '');
}
