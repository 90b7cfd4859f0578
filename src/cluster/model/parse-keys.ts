/** Reads Patroni's keys into the model, as tolerant as Patroni is: nothing here ever throws. */
import { unreadValues } from './config-rules.js';
import { slotProblems } from './config-slots.js';
import { isTooDeep, MOST_NESTED } from './json-nesting.js';
import { DEFAULT_TIMES } from './loop-times.js';
import type { Lsn } from './lsn.js';
import type {
  Cluster,
  DynamicConfig,
  FailoverKey,
  HistoryLine,
  JsonObject,
  JsonValue,
  Member,
  ParseProblem,
  StatusKey,
  SyncKey,
} from './model.js';
import {
  byCodePoint,
  isObject,
  parseBool,
  parseInteger,
  pythonInteger,
  truthy,
} from './patroni-values.js';

/** What a range read has to bring; a dcs RangeRead fits. */
export interface KeysRead {
  revision: string;
  kvs: { key: string; value: string; modRevision: string }[];
}

interface Node {
  key: string;
  value: string;
  modRevision: string;
}
/** Notes what could not be read at a key; `partly` when the rest of it was. */
type Note = (node: Node, problem: string, partly?: 'partly') => void;

/** `/service/demo/`, with the Citus group after the scope; doubled slashes are squeezed as Patroni does. */
export function clusterPrefix(namespace: string, scope: string, group: number | null): string {
  const parts = ['', namespace, scope, ...(group === null ? [] : [String(group)]), ''];
  return parts.join('/').replace(/\/+/g, '/');
}

/** The keys below `prefix` as one cluster. Whatever cannot be read is in `problems`. */
export function parseCluster(
  scope: string,
  group: number | null,
  read: KeysRead,
  prefix: string,
): Cluster {
  const base = `${prefix}/`.replace(/\/+/g, '/');
  const nodes = new Map<string, Node>();
  for (const kv of read.kvs) {
    if (kv.key.startsWith(base)) nodes.set(kv.key.slice(base.length), kv);
  }
  return fromNodes(scope, group, read.revision, nodes);
}

/** Every cluster below a namespace, by scope and then Citus group. */
export function parseFleet(read: KeysRead, namespace: string): Cluster[] {
  return fleetReader(namespace).all(read);
}

/** Parses a namespace while more of it is on its way. */
export interface FleetReader {
  /** What has come so far: the list of the last call, which has grown, or a new one from its beginning. */
  take: (soFar: KeysRead) => void;
  /** Every cluster, by scope and then Citus group; `read` is whole. */
  all: (read: KeysRead) => Cluster[];
}

export function fleetReader(namespace: string): FleetReader {
  let kvs: KeysRead['kvs'] = [];
  let groups = new Map<string, KeyGroup>();
  let taken = 0;
  const parse = (one: KeyGroup, revision: string): Cluster => {
    const { scope, group, nodes, made } = one;
    if (made?.keys === nodes.size) return made.cluster;
    const cluster = fromNodes(scope, group, revision, nodes);
    one.made = { cluster, keys: nodes.size };
    return cluster;
  };
  const take = (read: KeysRead): void => {
    if (read.kvs !== kvs) {
      groups = new Map();
      taken = 0;
    }
    kvs = read.kvs;
    const found = groupKeys(kvs.slice(taken), namespace, groups);
    taken = kvs.length;
    // The keys come in order: only the last cluster may get more.
    for (const one of found.slice(0, -1)) parse(one, read.revision);
  };
  return {
    take,
    all: (read) => {
      take(read);
      return [...groups.values()]
        .map((one) => parse(one, read.revision))
        .sort((a, b) => byCodePoint(a.scope, b.scope) || (a.group ?? -1) - (b.group ?? -1));
    },
  };
}

/**
 * The cluster of this name, or each of its Citus groups. An empty name, of a variable that is not set, is the name
 * of none, although every cluster is below it.
 */
export function parseScope(read: KeysRead, namespace: string, scope: string): Cluster[] {
  return parseFleet(read, namespace).filter((one) => one.scope === scope);
}

/** The scopes that exist below a namespace, sorted. */
export function clusterNames(read: KeysRead, namespace: string): string[] {
  const names = new Set(groupKeys(read.kvs, namespace).map(({ scope }) => scope));
  return [...names].sort(byCodePoint);
}

/** Below it patctl notes the members that `retire` took out: the one thing below a cluster that is not Patroni's. */
export const RETIRED = 'patctl-retired';

const KEYS = new Set(
  'initialize config leader failover sync history status failsafe optime/leader'.split(' '),
);

/**
 * A key below a namespace as scope (which may hold slashes, as 15/main does), Citus group ('' for none) and the
 * cluster's own key; null if it is neither a key of Patroni nor a note of patctl.
 */
function splitKey(path: string): { scope: string; group: string; name: string } | null {
  const own = lastPart(path);
  const parent = lastPart(aboveLast(path) ?? '');
  const aboveParent = aboveLast(aboveLast(path) ?? '');
  const isNamed = parent === 'members' || parent === RETIRED;
  const isPair = aboveParent !== null && (isNamed || parent === 'optime');
  const name = isPair ? `${parent}/${own}` : own;
  if (!KEYS.has(name) && !(isPair && isNamed)) return null;
  const rest = (isPair ? aboveParent : aboveLast(path)) ?? '';
  const above = aboveLast(rest);
  const group = above !== null && /^(?:0|[1-9][0-9]*)$/.test(lastPart(rest)) ? lastPart(rest) : '';
  const scope = group === '' ? rest : (above ?? '');
  return scope === '' ? null : { scope, group, name };
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** What is before the last slash; null: there is none. */
function aboveLast(path: string): string | null {
  const at = path.lastIndexOf('/');
  return at < 0 ? null : path.slice(0, at);
}

interface KeyGroup {
  scope: string;
  group: number | null;
  nodes: Map<string, Node>;
  /** The cluster as it was when it had so many keys. */
  made?: { cluster: Cluster; keys: number };
}

/** Puts each key into its cluster in `groups`; those that got any, in the order of their first one. */
function groupKeys(
  kvs: KeysRead['kvs'],
  namespace: string,
  groups = new Map<string, KeyGroup>(),
): KeyGroup[] {
  const base = `/${namespace}/`.replace(/\/+/g, '/');
  const touched = new Set<KeyGroup>();
  for (const kv of kvs) {
    if (!kv.key.startsWith(base)) continue;
    const split = splitKey(kv.key.slice(base.length));
    if (split === null) continue;
    const { scope, group: groupText, name } = split;
    const id = `${scope}/${groupText}/`;
    let found = groups.get(id);
    if (!found) {
      const group = groupText === '' ? null : Number(groupText);
      groups.set(id, (found = { scope, group, nodes: new Map() }));
    }
    found.nodes.set(name, kv);
    touched.add(found);
  }
  return [...touched];
}

function fromNodes(
  scope: string,
  group: number | null,
  revision: string,
  nodes: Map<string, Node>,
): Cluster {
  const problems: ParseProblem[] = [];
  const note: Note = (node, problem, partly) =>
    problems.push({ key: node.key, problem, ...(partly && { partly: true }) });
  const read = <T>(name: string, parse: (node: Node, note: Note) => T): T | null => {
    const node = nodes.get(name);
    return node === undefined ? null : parse(node, note);
  };
  return {
    scope,
    group,
    revision,
    systemId: read('initialize', (node) => node.value),
    leaderName: read('leader', parseLeader),
    members: parseMembers(nodes, note),
    sync: read('sync', parseSync),
    config: read('config', parseConfig),
    status: read('status', parseStatus) ?? read('optime/leader', parseStatus),
    failover: read('failover', parseFailover),
    failoverRevision: nodes.get('failover')?.modRevision ?? '0',
    history: read('history', parseHistory),
    historyRevision: nodes.get('history')?.modRevision ?? null,
    failsafe: read('failsafe', parseFailsafe),
    ...parseRetired(nodes),
    problems,
  };
}

// ---------------------------------------------------------------- JSON that may be anything

function parseJson(text: string): { ok: true; value: JsonValue } | { ok: false; deep?: true } {
  if (isTooDeep(text)) return { ok: false, deep: true };
  try {
    return { ok: true, value: JSON.parse(text) as JsonValue };
  } catch {
    return { ok: false };
  }
}

/** The object in a key; `{}` and a note when it holds something else. */
function objectIn(node: Node, note: Note): JsonObject | null {
  const json = parseJson(node.value);
  if (!json.ok) note(node, brokenSaid(node, json.deep));
  else if (isObject(json.value)) return json.value;
  else note(node, `is ${describe(json.value)}, expected an object`);
  return null;
}

function brokenSaid({ value }: Node, deep = false): string {
  if (deep) return `is nested more than ${MOST_NESTED} deep`;
  return value === '' ? 'is empty' : 'is not valid JSON';
}

function describe(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function stringIn(data: JsonObject, field: string, node: Node, note: Note): string | null {
  const value = data[field];
  if (typeof value === 'string') return value;
  if (value !== undefined && value !== null)
    note(node, `${field} is ${describe(value)}, expected a string`);
  return null;
}

/** A position in bytes: Patroni writes decimal numbers. Zero and nonsense are null. */
function lsnOf(value: JsonValue | undefined): Lsn | null {
  if (typeof value === 'string' && /^\s*[1-9][0-9]*\s*$/.test(value)) return BigInt(value.trim());
  const bytes = parseInteger(value);
  return bytes === null || bytes <= 0 ? null : BigInt(bytes);
}

// ---------------------------------------------------------------- one function a key

function parseLeader(node: Node, note: Note): string | null {
  if (node.value !== '') return node.value;
  note(node, 'is empty');
  return null;
}

function parseMembers(nodes: Map<string, Node>, note: Note): Member[] {
  const members: Member[] = [];
  nodes.forEach((node, name) => {
    if (!name.startsWith('members/') || name.indexOf('/', 8) >= 0) return;
    members.push(parseMember(name.slice(8), node, note));
  });
  return members.sort((a, b) => byCodePoint(a.name, b.name));
}

/** Names only: what matters is that it was noted, and when. */
function parseRetired(nodes: Map<string, Node>): Pick<Cluster, 'retired'> {
  const retired: { name: string; modRevision: string }[] = [];
  nodes.forEach(({ modRevision }, name) => {
    if (name.startsWith(`${RETIRED}/`)) {
      retired.push({ name: name.slice(RETIRED.length + 1), modRevision });
    }
  });
  return retired.length === 0 ? {} : { retired };
}

function parseMember(name: string, node: Node, note: Note): Member {
  const raw = node.value.startsWith('postgres')
    ? governorMember(node.value)
    : (objectIn(node, note) ?? {});
  const string = (field: string): string | null => stringIn(raw, field, node, note);
  const connUrl = string('conn_url');
  const address = addressOf(raw, connUrl);
  if (address === null) note(node, 'conn_url has no readable host and port');
  const { tags } = raw;
  if (tags !== undefined && !isObject(tags)) note(node, 'tags are not an object');
  return {
    name,
    connUrl,
    apiUrl: string('api_url'),
    host: address?.host ?? null,
    port: address?.port ?? null,
    role: string('role') ?? '',
    state: string('state') ?? '',
    replicationState: string('replication_state'),
    timeline: parseInteger(raw['timeline']),
    xlogLocation: lsnOf(raw['xlog_location']),
    receiveLsn: lsnOf(raw['receive_lsn']),
    replayLsn: lsnOf(raw['replay_lsn']),
    version: string('version'),
    tags: isObject(tags) ? tags : {},
    pendingRestart: truthy(raw['pending_restart']),
    pendingRestartReason: isObject(raw['pending_restart_reason'])
      ? raw['pending_restart_reason']
      : null,
    scheduledRestart: isObject(raw['scheduled_restart']) ? raw['scheduled_restart'] : null,
    pause: truthy(raw['pause']),
    modRevision: node.modRevision,
    raw,
    text: node.value,
  };
}

/** Members of Patroni's ancestor: a connection URL with the REST address in application_name. */
function governorMember(value: string): JsonObject {
  const [, rest = '', query = '', fragment = ''] =
    /^([^?#]*)(?:\?([^#]*))?(#.*)?$/s.exec(value) ?? [];
  const name = new URLSearchParams(query).getAll('application_name').find((found) => found !== '');
  return { conn_url: rest + fragment, api_url: name ?? null };
}

interface Address {
  host: string | null;
  port: number | null;
}

/** null: there is an address and it cannot be read. */
function addressOf(raw: JsonObject, connUrl: string | null): Address | null {
  const kwargs = raw['conn_kwargs'];
  if (isObject(kwargs) && truthy(kwargs)) {
    const host =
      typeof kwargs['host'] === 'string' && kwargs['host'] !== '' ? kwargs['host'] : null;
    return { host, port: parseInteger(kwargs['port']) };
  }
  if (connUrl === null || connUrl === '') return { host: null, port: null };
  return parseAddress(connUrl);
}

/** Host (lower case, without brackets) and port (default 5432) of a connection URL. */
function parseAddress(url: string): Address | null {
  const authority = /^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/([^/?#]*)/.exec(url)?.[1];
  if (authority === undefined) return null;
  const hostPort = authority.slice(authority.lastIndexOf('@') + 1);
  const match = /^(?:[^[]*\[([^\]]*)\](?::(.*))?|([^:[]*)(?::(.*))?)$/s.exec(hostPort);
  const host = match?.[1] ?? match?.[3] ?? '';
  const portText = match?.[2] ?? match?.[4] ?? '';
  if (host === '' || !/^[0-9]*$/.test(portText) || Number(portText) > 65535) return null;
  const [name = '', ...zone] = host.split('%');
  return { host: [name.toLowerCase(), ...zone].join('%'), port: Number(portText) || 5432 };
}

function parseSync(node: Node, note: Note): SyncKey {
  const empty = { leader: null, standbys: [], quorum: 0, modRevision: node.modRevision };
  let isWhole = true;
  const noteHere: Note = (...problem) => {
    isWhole = false;
    note(...problem);
  };
  const done = (sync: SyncKey): SyncKey => (isWhole ? sync : { ...sync, unreadable: true });
  const data = objectIn(node, noteHere);
  if (data === null) return done(empty);
  const leader = stringIn(data, 'leader', node, noteHere);
  if (leader === null || leader === '') return done(empty);
  const quorum = truthy(data['quorum']) ? pythonInteger(data['quorum']) : 0;
  const standbys = (stringIn(data, 'sync_standby', node, noteHere) ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (quorum === null) {
    noteHere(node, 'quorum is not a number');
    return done({ ...empty, withoutQuorum: { leader, standbys } });
  }
  return done({ leader, standbys, quorum, modRevision: node.modRevision });
}

function parseFailover(node: Node, note: Note): FailoverKey | null {
  if (node.value === '') return null;
  const { modRevision } = node;
  if (!parseJson(node.value).ok) {
    // The format before JSON: "leader:candidate".
    const [leader = '', candidate = ''] = node.value.split(':').map((part) => part.trim());
    if (leader === '' && candidate === '') return null;
    return { leader: leader || null, candidate: candidate || null, scheduledAt: null, modRevision };
  }
  const data = objectIn(node, note);
  if (data === null) return null;
  const leader = stringIn(data, 'leader', node, note) ?? '';
  const candidate = stringIn(data, 'member', node, note) ?? '';
  const scheduledAt = stringIn(data, 'scheduled_at', node, note) ?? '';
  if (leader === '' && candidate === '') return null;
  return {
    leader: leader || null,
    candidate: candidate || null,
    scheduledAt: scheduledAt || null,
    modRevision,
  };
}

function parseStatus(node: Node, note: Note): StatusKey {
  const empty: StatusKey = { optime: null, slots: {}, retainSlots: [] };
  const json = parseJson(node.value);
  // `optime/leader` of old versions: the bare number.
  if (json.ok && typeof json.value === 'number') return { ...empty, optime: lsnOf(json.value) };
  const data = objectIn(node, note);
  if (data === null) return empty;
  const slots = maybeText(data['slots']);
  const retain = maybeText(data['retain_slots']);
  noteStatus({ ...data, slots: slots ?? null, retain_slots: retain ?? null }, node, note);
  return {
    optime: lsnOf(data['optime']),
    slots: isObject(slots) ? slotPositions(slots) : {},
    retainSlots: Array.isArray(retain) ? retain.filter((name) => typeof name === 'string') : [],
  };
}

function noteStatus(data: JsonObject, node: Node, note: Note): void {
  const { optime, slots, retain_slots: retain } = data;
  const wrong = (field: string, value: JsonValue | undefined, wanted: string): void => {
    if (isGiven(value)) note(node, `${field} is ${describe(value)}, expected ${wanted}`, 'partly');
  };
  if (!isPosition(optime)) wrong('optime', optime, 'a position in bytes');
  if (!isObject(slots)) wrong('slots', slots, 'an object');
  else if (!Object.values(slots).every(isPosition)) {
    note(node, 'slots holds something other than positions in bytes', 'partly');
  }
  if (!Array.isArray(retain)) wrong('retain_slots', retain, 'a list');
}

function isGiven(value: JsonValue | undefined): value is Exclude<JsonValue, null> {
  return value !== undefined && value !== null;
}

function isPosition(value: JsonValue | undefined): boolean {
  return typeof value === 'string' ? /^\s*[0-9]+\s*$/.test(value) : parseInteger(value) !== null;
}

/** Some stores hold nested JSON as text. */
function maybeText(value: JsonValue | undefined): JsonValue | undefined {
  if (typeof value !== 'string') return value;
  const json = parseJson(value);
  return json.ok ? json.value : value;
}

function slotPositions(slots: JsonObject): Record<string, Lsn> {
  const positions: [string, Lsn][] = [];
  for (const [name, value] of Object.entries(slots)) {
    const lsn = lsnOf(value);
    if (lsn !== null) positions.push([name, lsn]);
  }
  return Object.fromEntries(positions);
}

function parseHistory(node: Node, note: Note): HistoryLine[] {
  const json = parseJson(node.value);
  if (!json.ok || !Array.isArray(json.value)) {
    note(node, json.ok ? 'is not a list' : 'is not valid JSON');
    return [];
  }
  const lines: HistoryLine[] = [];
  for (const entry of json.value) {
    const line = historyLine(entry);
    if (line) lines.push(line);
    else note(node, `has a line that is not [timeline, lsn, reason, …]`);
  }
  return lines;
}

function historyLine(entry: JsonValue): HistoryLine | null {
  if (!Array.isArray(entry)) return null;
  const [tl, position, reason, timestamp, newLeader] = entry;
  const timeline = parseInteger(tl);
  const lsn = parseInteger(position);
  if (timeline === null || lsn === null || lsn < 0) return null;
  return {
    timeline,
    lsn: BigInt(lsn),
    reason: typeof reason === 'string' ? reason : '',
    timestamp: typeof timestamp === 'string' ? timestamp : null,
    newLeader: typeof newLeader === 'string' ? newLeader : null,
  };
}

function parseFailsafe(node: Node, note: Note): Record<string, string> | null {
  const data = objectIn(node, note);
  if (data === null) return null;
  const entries: [string, string][] = [];
  for (const [name, url] of Object.entries(data)) {
    // Patroni keeps the name, and does not ask a member without an address.
    entries.push([name, typeof url === 'string' ? url : '']);
    if (typeof url !== 'string')
      note(node, `the address of ${name} is ${describe(url)}, expected a string`);
  }
  return Object.fromEntries(entries);
}

function parseConfig(node: Node, note: Note): DynamicConfig {
  const raw = objectIn(node, note);
  if (raw !== null) noteConfig(raw, node, note);
  return {
    ...readConfig(raw ?? {}),
    text: node.value,
    modRevision: node.modRevision,
    ...(raw === null && { unreadable: true }),
  };
}

/** Values that Patroni cannot read: it passes over them, or over everything, and no one is warned. */
function noteConfig(raw: JsonObject, node: Node, note: Note): void {
  const rejected = slotProblems(raw).filter(({ effect }) => effect === 'rejected');
  for (const { message, effect } of [...unreadValues(raw), ...rejected]) {
    if (effect !== 'adjusted' && effect !== 'taken') note(node, message, 'partly');
  }
}

/** The settings that decide things, read out of a dynamic configuration with Patroni's defaults. */
export function readConfig(raw: JsonObject): Omit<DynamicConfig, 'modRevision' | 'text'> {
  const on = (name: string): boolean => parseBool(raw[name]) === true;
  const seconds = (name: string, fallback: number): number => pythonInteger(raw[name]) ?? fallback;
  const stopTimeout =
    'primary_stop_timeout' in raw ? raw['primary_stop_timeout'] : raw['master_stop_timeout'];
  const postgresql = isObject(raw['postgresql']) ? raw['postgresql'] : {};
  const syncModeStrict = on('synchronous_mode_strict');
  return {
    raw,
    syncMode: syncModeOf(raw['synchronous_mode']),
    syncModeStrict,
    syncNodeCount: Math.max(
      parseInteger(raw['synchronous_node_count']) ?? 1,
      syncModeStrict ? 1 : 0,
    ),
    ttlSeconds: seconds('ttl', DEFAULT_TIMES.ttlSeconds),
    loopWaitSeconds: seconds('loop_wait', DEFAULT_TIMES.loopWaitSeconds),
    retryTimeoutSeconds: seconds('retry_timeout', DEFAULT_TIMES.retryTimeoutSeconds),
    maximumLagOnFailoverBytes: parseInteger(raw['maximum_lag_on_failover']) ?? 1_048_576,
    maximumLagOnSyncnodeBytes: parseInteger(raw['maximum_lag_on_syncnode']) ?? -1,
    primaryStopTimeoutSeconds: parseInteger(stopTimeout) ?? 0,
    checkTimeline: on('check_timeline'),
    failsafeMode: on('failsafe_mode'),
    pause: on('pause'),
    useSlots: postgresql['use_slots'] === undefined || parseBool(postgresql['use_slots']) === true,
    usePgRewind: parseBool(postgresql['use_pg_rewind']) === true,
    standbyCluster: standbyClusterOf(raw['standby_cluster']),
  };
}

function syncModeOf(value: JsonValue | undefined): DynamicConfig['syncMode'] {
  if (typeof value === 'string' && value.toLowerCase() === 'quorum') return 'quorum';
  return parseBool(value) === true ? 'on' : 'off';
}

function standbyClusterOf(value: JsonValue | undefined): JsonObject | null {
  if (!isObject(value)) return null;
  return ['host', 'port', 'restore_command'].some((name) => truthy(value[name])) ? value : null;
}
