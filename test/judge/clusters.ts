/**
 * Clusters by chance, the same ones for the same seed: what is in the DCS and what every node answers, down to
 * the odd values that Patroni puts up with. A cluster is plain data, so that a mismatch can be made smaller.
 */
import type { JsonObject, JsonValue } from '../../src/cluster/model/model.js';
import { isObject } from '../../src/cluster/model/patroni-values.js';

/** A node with its Patroni; `key` null: it has no member key, and only /failsafe may name it. */
export interface NodeSpec {
  name: string;
  version: string;
  key: { apiUrl: boolean; tags: JsonObject | null } | null;
  /** What it answers to GET /patroni; null: nothing. */
  body: JsonObject | null;
  /** The node answers Patroni, and patctl does not get to hear it. */
  hidden: boolean;
}

export interface ClusterSpec {
  nodes: NodeSpec[];
  /** Raw values of the keys that are not a member's. */
  keys: Record<string, string>;
}

export const URL_OF = (name: string): string => `http://${name}.test:8008/patroni`;

/** Uniform numbers from a seed. */
export function chance(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  const one = <T>(...of: T[]): T => of[below(of.length)] as T;
  /** The usual value, and one time in `odds` one of the others. */
  const mostly = <T>(odds: number, usual: T, ...rest: T[]): T =>
    below(odds) > 0 ? usual : one(...rest);
  return { below, one, mostly, yes: (odds: number) => below(odds) === 0 };
}

type Chance = ReturnType<typeof chance>;

const NAMES = ['pg1', 'pg2', 'pg3', 'PgFour', 'node-5', 'db6', 'x7'];
const SYSTEM = '7382910000000000001';

export function someCluster(seed: number, version: string, others: readonly string[]): ClusterSpec {
  const by = chance(seed);
  // Half of the clusters are odd in few places, so that rare decisions are reached.
  const odds = by.one(3, 6, 12, 30);
  const names = NAMES.slice(0, 1 + by.below(NAMES.length));
  const mixed = by.yes(10);
  const leader = by.mostly<string | null>(4, by.one(...names), null, by.one('gone', ...names));
  const config = someConfig(by, odds);
  const standby = typeof config['standby_cluster'] === 'object';
  const nodes = names.map((name): NodeSpec => {
    const tags = someTags(by, odds);
    const hidden = by.yes(odds * 2);
    const body = by.mostly(odds, true, false) ? someBody(by, odds, name, leader, standby) : null;
    const own = mixed ? by.one(version, ...others) : version;
    if (body) body['patroni'] = { version: own, scope: 'demo', name };
    if (body && tags) body['tags'] = tags;
    // A key is up to loop_wait old. What patctl cannot ask for it takes from the key.
    const keyTags = hidden || body === null ? tags : by.mostly(odds, tags, someTags(by, 2));
    return {
      name,
      version: own,
      key: { apiUrl: by.mostly(odds * 3, true, false), tags: keyTags },
      body,
      hidden,
    };
  });
  const ghosts = by.yes(3) ? [ghost(by, odds, version)] : [];
  return {
    nodes: [...nodes, ...ghosts],
    keys: someKeys(by, odds, { names, leader, config, ghosts: ghosts.map(({ name }) => name) }),
  };
}

/** A node whose member key has expired: the old leader, say, that has lost the DCS only. */
function ghost(by: Chance, odds: number, version: string): NodeSpec {
  const name = by.one('gone', 'lost');
  const body = by.yes(4) ? null : someBody(by, odds, name, by.one(name, null), false);
  if (body) body['patroni'] = { version, scope: 'demo', name };
  const tags = someTags(by, odds);
  if (body && tags) body['tags'] = tags;
  return { name, version, key: null, body, hidden: by.yes(odds) };
}

function someBody(
  by: Chance,
  odds: number,
  name: string,
  leader: string | null,
  standby: boolean,
): JsonObject {
  const leads = name === leader;
  const primary = leads ? by.mostly(odds, !standby, standby) : by.yes(odds * 2);
  const at = by.mostly(odds, by.one(300, 300, 300, 290), 0, 1, 100, 200, 310, 5_000_000);
  const body: JsonObject = { state: by.mostly(odds * 3, 'running', 'starting') };
  body['role'] = primary
    ? by.one('primary', 'master')
    : standby && leads
      ? 'standby_leader'
      : 'replica';
  const xlog = primary
    ? { location: at }
    : by.mostly<JsonObject>(
        odds,
        { received_location: at, replayed_location: at },
        { received_location: at, replayed_location: by.one(0, 100, 300, 310) },
        { received_location: 0, replayed_location: at },
        { replayed_location: at },
      );
  body[by.mostly(odds * 4, 'xlog', 'wal')] = xlog;
  const timeline = by.mostly<number | null | undefined>(odds, 3, 1, 2, 4, null, undefined);
  if (timeline !== undefined) body['timeline'] = timeline;
  if (by.yes(odds)) body['watchdog_failed'] = by.one(true, true, false);
  const system = by.mostly(odds, SYSTEM, '1', '');
  if (system !== '') body['database_system_identifier'] = system;
  return by.yes(odds * 2) ? { state: by.one('stopped', 'crashed'), role: 'replica' } : body;
}

function someTags(by: Chance, odds: number): JsonObject | null {
  if (!by.yes(odds)) return by.mostly<JsonObject | null>(3, null, {});
  const tags: JsonObject = {};
  const nofailover = [true, true, false, null, 'true', 'false', '', 0, 1, [], {}];
  if (by.yes(2)) tags['nofailover'] = by.one<JsonValue>(...nofailover);
  const priority = [0, 1, 2, 3, -1, '0', '2', ' 3 ', '0x2', '1.5', 2.5, 'high', '', true, null, []];
  if (by.yes(2)) tags['failover_priority'] = by.one<JsonValue>(...priority);
  return tags;
}

function someConfig(by: Chance, odds: number): JsonObject {
  const config: JsonObject = {};
  const put = (name: string, value: JsonValue | undefined): void => {
    if (value !== undefined) config[name] = value;
  };
  const quorum = by.mostly(odds, 'quorum', 'QUORUM', 'Quorum');
  const modes = [quorum, quorum, quorum, true, 'on', false, undefined];
  put(
    'synchronous_mode',
    by.mostly<JsonValue | undefined>(odds, by.one(...modes), 'multi', 'yes', 1, null),
  );
  const lags = [0, 9, 10, 100, '100', '0x10', 4_700_000, -1, 'much', null];
  put('maximum_lag_on_failover', by.mostly<JsonValue | undefined>(3, undefined, ...lags));
  put('check_timeline', by.mostly<JsonValue | undefined>(3, undefined, true, 'on', false, 'no'));
  put('pause', by.mostly<JsonValue | undefined>(odds, undefined, true, true, false, 'on'));
  put('failsafe_mode', by.mostly<JsonValue | undefined>(3, undefined, true, 'true', true, false));
  const upstreams = [
    ...[{ host: '10.0.0.1' }, { host: '10.0.0.1' }, { port: 5432 }, { restore_command: 'cp' }],
    ...[{}, { host: '' }, { create_replica_methods: ['x'] }, 'host', null],
  ];
  put('standby_cluster', by.mostly<JsonValue | undefined>(odds, undefined, ...upstreams));
  return config;
}

interface Facts {
  names: string[];
  leader: string | null;
  config: JsonObject;
  ghosts: string[];
}

function someKeys(by: Chance, odds: number, facts: Facts): Record<string, string> {
  const keys: Record<string, string> = { config: JSON.stringify(facts.config) };
  const put = (name: string, value: string | null): void => {
    if (value !== null) keys[name] = value;
  };
  put('initialize', by.mostly<string | null>(odds, SYSTEM, null, '2'));
  put('leader', facts.leader);
  put('sync', someSync(by, odds, facts));
  const optime = by.mostly<JsonValue | undefined>(
    odds,
    300,
    290,
    '300',
    400,
    0,
    null,
    'x',
    undefined,
  );
  if (by.yes(odds * 3)) put('optime/leader', JSON.stringify(optime ?? 5));
  else if (!by.yes(odds)) put('status', JSON.stringify({ optime, slots: {} }));
  put('history', someHistory(by, odds, facts));
  put('failsafe', someFailsafe(by, odds, facts));
  return keys;
}

function someSync(by: Chance, odds: number, { names, leader, ghosts }: Facts): string | null {
  if (by.yes(odds * 2))
    return by.one(null, '{}', '{', '[]', 'null', '{"leader":null}', '{"leader":""}');
  const cased = (name: string): string =>
    by.yes(odds * 2) ? by.one(name.toUpperCase(), name.toLowerCase()) : name;
  const others = [...names, ...ghosts, 'gone'];
  const owner = by.mostly(3, leader ?? by.one(...others), ...others);
  const most = by.one(2, 4, 20);
  const voters = names.filter((name) => name !== owner && !by.yes(most));
  if (by.yes(odds * 2)) voters.push(by.one(...others));
  const listed = voters.map(cased).join(by.mostly(odds * 2, ',', ', '));
  const quorum = by.mostly<JsonValue | undefined>(
    odds,
    by.below(voters.length + 1),
    ...[0, 1, 2, '1', 1.5, true, null, 'x', undefined],
  );
  const standbys = voters.length > 0 ? listed : by.one('', null);
  return JSON.stringify({ leader: cased(owner), sync_standby: standbys, quorum });
}

function someHistory(by: Chance, odds: number, { names, leader }: Facts): string | null {
  if (by.yes(odds)) return by.one(null, '[]', '{', '[["x"]]', '[[2,100,"no recovery target"]]');
  const before = by.one(...names, 'gone');
  const last = by.mostly<string | null>(odds, leader, null, before) ?? before;
  const timeline = by.mostly<JsonValue>(odds, 2, 1, 3, '2');
  return JSON.stringify([
    [1, 50, 'no recovery target specified', '2026-11-20T10:00:00+00:00', before],
    [timeline, 100, 'no recovery target specified', '2026-11-21T10:00:00+00:00', last],
  ]);
}

function someFailsafe(by: Chance, odds: number, { names, ghosts }: Facts): string | null {
  if (by.yes(odds)) return by.one(null, '{}', '[]', '{', '"pg1"', '7');
  const entries = [...names, ...ghosts]
    .filter(() => !by.yes(odds * 2))
    .map((name): [string, JsonValue] => [
      name,
      by.mostly<JsonValue>(odds * 4, URL_OF(name), null, ''),
    ]);
  return JSON.stringify(Object.fromEntries(entries));
}

function without<T>(all: Record<string, T>, name: string): Record<string, T> {
  return Object.fromEntries(Object.entries(all).filter(([one]) => one !== name));
}

/** Of a key whose value is an object; none of any other. */
function entriesOf(text: string | undefined): JsonObject {
  const value = /^\{.*\}$/s.test(text ?? '') ? (JSON.parse(text ?? '') as JsonValue) : null;
  return isObject(value) ? value : {};
}

/** Every way in which this cluster can be made a little plainer, the boldest first. */
export function* plainer(spec: ClusterSpec): Generator<ClusterSpec> {
  const { nodes, keys } = spec;
  for (const node of nodes) yield { ...spec, nodes: nodes.filter((other) => other !== node) };
  for (const name of Object.keys(keys)) {
    yield { ...spec, keys: without(keys, name) };
  }
  for (const key of ['config', 'failsafe']) {
    const entries = entriesOf(keys[key]);
    for (const name of Object.keys(entries))
      yield { ...spec, keys: { ...keys, [key]: JSON.stringify(without(entries, name)) } };
  }
  for (const [at, node] of nodes.entries())
    for (const other of plainerNode(node))
      yield { ...spec, nodes: nodes.map((one, i) => (i === at ? other : one)) };
}

function* plainerNode(node: NodeSpec): Generator<NodeSpec> {
  const { body, key } = node;
  if (node.hidden) yield { ...node, hidden: false };
  if (key && (!key.apiUrl || key.tags)) yield { ...node, key: { apiUrl: true, tags: null } };
  if (key?.tags && body)
    yield { ...node, key: { ...key, tags: (body['tags'] ?? null) as JsonObject | null } };
  if (body === null) return;
  yield { ...node, body: null };
  for (const name of Object.keys(body)) {
    if (name === 'patroni' || name === 'xlog' || name === 'wal') continue;
    yield { ...node, body: without(body, name) };
  }
}
