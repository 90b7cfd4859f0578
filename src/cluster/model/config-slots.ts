/**
 * Permanent slots and slots that Patroni leaves alone, as Patroni reads them [dcs/__init__.py, postgresql/slots.py].
 */
import { describe, type ConfigProblem, type Effect } from './config-rules.js';
import type { JsonObject, JsonValue } from './model.js';
import { isObject, truthy } from './patroni-values.js';

/** The first of them that holds anything counts. */
const NAMES = ['permanent_replication_slots', 'permanent_slots', 'slots'] as const;
const LOOP_FAILS = "Patroni's loop fails on it every time and does nothing else";
const NOT_MADE = 'Patroni logs an error in every loop and does not create the slot';

/** Everything below slots (by any of its names) and ignore_slots that Patroni cannot use. */
export function slotProblems(config: JsonObject): ConfigProblem[] {
  const given = NAMES.filter((name) => truthy(config[name]));
  const [used, ...others] = given;
  return [
    ...(used === undefined ? [] : permanent(used, config[used] ?? null)),
    ...others.map((name) =>
      problem(name, `${name} is ignored: Patroni reads ${used ?? ''} instead`, 'ignored'),
    ),
    ...ignored(config['ignore_slots']),
  ];
}

/** Names of the permanent physical slots: those that are not logical, by their type or by database and plugin. */
export function permanentPhysicalSlots(config: JsonObject): string[] {
  const used = NAMES.find((name) => truthy(config[name]));
  const slots = used === undefined ? null : config[used];
  if (!isObject(slots)) return [];
  return Object.entries(slots)
    .filter(([, slot]) => !truthy(slot) || (isObject(slot) && isPhysical(slot)))
    .map(([name]) => name);
}

function isPhysical({ type, database, plugin }: JsonObject): boolean {
  return type === undefined ? !truthy(database) || !truthy(plugin) : type === 'physical';
}

function problem(
  key: string,
  message: string,
  effect: Effect,
  level: ConfigProblem['level'] = 'error',
): ConfigProblem {
  return { level, code: 'slots', key, message, effect };
}

// ---------------------------------------------------------------- slots

function permanent(key: string, slots: JsonValue): ConfigProblem[] {
  if (!isObject(slots)) {
    const message = `${key} is ${describe(slots)}, expected a mapping of names to slots: ${LOOP_FAILS}`;
    return [problem(key, message, 'rejected')];
  }
  const isFlat = (name: string) => SLOT_KEYS.has(name) && isScalar(slots[name]);
  const flat = Object.keys(slots).filter(isFlat);
  const where = `${key} has ${flat.join(', ')} where slot names are expected: the name is missing above it; ${NOT_MADE}`;
  return [
    ...(flat.length > 0 ? [problem(key, where, 'ignored')] : []),
    ...Object.entries(slots)
      .filter(([name]) => !isFlat(name))
      .flatMap(([name, slot]) => [...badName(key, name), ...badSlot(`${key}.${name}`, slot)]),
  ];
}

const SLOT_KEYS = new Set(['type', 'database', 'plugin', 'cluster_type', 'failover', 'lsn']);

function isScalar(value: JsonValue | undefined): boolean {
  return truthy(value) && typeof value !== 'object';
}

function badName(key: string, name: string): ConfigProblem[] {
  if (/^[a-z0-9_]{1,63}$/.test(name)) return [];
  const message = `${key} has the slot ${describe(name)}: only lower case letters, digits and _ are allowed, 63 at most; ${NOT_MADE}`;
  return [problem(`${key}.${name}`, message, 'ignored')];
}

function badSlot(key: string, slot: JsonValue): ConfigProblem[] {
  if (!truthy(slot)) return [];
  if (!isObject(slot)) {
    return [
      problem(key, `${key} is ${describe(slot)}, expected a mapping: ${NOT_MADE}`, 'ignored'),
    ];
  }
  const { type, cluster_type: clusterType } = slot;
  const [database, plugin] = [truthy(slot['database']), truthy(slot['plugin'])];
  const found: ConfigProblem[] = [];
  if (type === undefined) {
    if (database !== plugin) {
      const message = `${key} has a ${database ? 'database' : 'plugin'} and no ${database ? 'plugin' : 'database'}: Patroni creates a physical slot`;
      found.push(problem(key, message, 'adjusted'));
    }
  } else if (type === 'logical') {
    const missing = [...(database ? [] : ['database']), ...(plugin ? [] : ['plugin'])];
    if (missing.length > 0) {
      const message = `${key} is logical and has no ${missing.join(' and no ')}: ${NOT_MADE}`;
      found.push(problem(key, message, 'ignored'));
    }
  } else if (type !== 'physical') {
    const message = `${key}.type is ${describe(type)}, expected physical or logical: ${NOT_MADE}`;
    found.push(problem(`${key}.type`, message, 'ignored'));
  }
  if (clusterType !== undefined && clusterType !== 'primary' && clusterType !== 'standby') {
    const message = `${key}.cluster_type is ${describe(clusterType)}, expected primary or standby: Patroni creates the slot in both`;
    found.push(problem(`${key}.cluster_type`, message, 'ignored'));
  }
  return found;
}

// ---------------------------------------------------------------- ignore_slots

const MATCHED = ['name', 'type', 'database', 'plugin'];

function ignored(matchers: JsonValue | undefined): ConfigProblem[] {
  if (!truthy(matchers) || matchers === undefined) return [];
  const key = 'ignore_slots';
  if (!Array.isArray(matchers)) {
    const message = `${key} is ${describe(matchers)}, expected a list of mappings: ${LOOP_FAILS}`;
    return [problem(key, message, 'rejected')];
  }
  return matchers.flatMap((matcher, at) => badMatcher(`${key}[${at}]`, matcher));
}

function badMatcher(key: string, matcher: JsonValue): ConfigProblem[] {
  if (!isObject(matcher)) {
    const message = `${key} is ${describe(matcher)}, expected a mapping: ${LOOP_FAILS}`;
    return [problem(key, message, 'rejected')];
  }
  const unknown = Object.keys(matcher).filter((name) => !MATCHED.includes(name));
  if (unknown.length > 0) {
    const message = `${key} has ${unknown.join(', ')}, which Patroni does not know: the rest of it matches more slots than is meant`;
    return [problem(key, message, 'ignored')];
  }
  if (!MATCHED.some((name) => truthy(matcher[name]))) {
    return [problem(key, `${key} is empty: Patroni leaves every slot alone`, 'taken', 'warning')];
  }
  const { type } = matcher;
  if (truthy(type) && type !== 'physical' && type !== 'logical') {
    const message = `${key}.type is ${describe(type ?? null)}, expected physical or logical: it matches no slot`;
    return [problem(`${key}.type`, message, 'ignored')];
  }
  return [];
}
