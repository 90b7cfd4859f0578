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
  inOrder,
  isObject,
  parseBool,
  parseInteger,
  pythonInteger,
  truthy,
} from './patroni-values.js';
import { remembered } from './remembered.js';

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

/** Parses a namespace page by page: a cluster is made as soon as it is whole, and its keys are not kept. */
export interface FleetReader {
  /** The next page, in the order of the keys. */
  take: (page: KeysRead) => void;
  /** Every cluster, by scope and then Citus group, once the last page is here. */
  all: (last: KeysRead) => Cluster[];
}

export function fleetReader(namespace: string): FleetReader {
  const groups = new Map<string, KeyGroup>();
  const clusters: Cluster[] = [];
  const known: KnownConfigs = new Map();
  const take = ({ kvs, revision }: KeysRead, isLast: boolean): void => {
    groupKeys(kvs, namespace, groups);
    const reached = kvs.at(-1)?.key.slice(baseOf(namespace).length);
    for (const [folder, { scope, group, nodes }] of groups) {
      // The keys come in order: those of a cluster are over when one is not below it.
      if (!isLast && reached?.startsWith(folder) !== false) continue;
      clusters.push(fromNodes(scope, group, revision, nodes, known));
      groups.delete(folder);
    }
  };
  return {
    take: (page) => take(page, false),
    all: (last) => {
      take(last, true);
      return clusters.sort(
        (a, b) => byCodePoint(a.scope, b.scope) || (a.group ?? -1) - (b.group ?? -1),
      );
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
  const groups = groupKeys(read.kvs, namespace, new Map());
  const names = new Set([...groups.values()].map(({ scope }) => scope));
  return [...names].sort(byCodePoint);
}

/** Below it patctl notes the members that `retire` took out: the one thing below a cluster that is not Patroni's. */
export const RETIRED = 'patctl-retired';

const KEYS = new Set(
  'initialize config leader failover sync history status failsafe optime/leader'.split(' '),
);

/** Folders below that of a cluster. */
const PAIRS = ['members', RETIRED, 'optime'];

/**
 * A key below a namespace as scope (which may hold slashes, as 15/main does), Citus group ('' for none) and the
 * cluster's own key; null if it is neither a key of Patroni nor a note of patctl.
 */
function splitKey(path: string): { scope: string; group: string; name: string } | null {
  const own = lastPart(path);
  const parent = lastPart(aboveLast(path) ?? '');
  const aboveParent = aboveLast(aboveLast(path) ?? '');
  const isPair = aboveParent !== null && PAIRS.includes(parent);
  const name = isPair ? `${parent}/${own}` : own;
  if (!isOwnKey(name)) return null;
  const rest = (isPair ? aboveParent : aboveLast(path)) ?? '';
  const above = aboveLast(rest);
  const group = above !== null && /^(?:0|[1-9][0-9]*)$/.test(lastPart(rest)) ? lastPart(rest) : '';
  const scope = group === '' ? rest : (above ?? '');
  return scope === '' ? null : { scope, group, name };
}

/** Whether this is, below the folder of a cluster, one of Patroni's keys or a note of patctl. */
function isOwnKey(name: string): boolean {
  if (KEYS.has(name)) return true;
  const isNamed = name.startsWith('members/') || name.startsWith(`${RETIRED}/`);
  return isNamed && name.indexOf('/') === name.lastIndexOf('/');
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
}

function baseOf(namespace: string): string {
  return `/${namespace}/`.replace(/\/+/g, '/');
}

/** Puts each key into its cluster in `groups`, which are found by their folder below the namespace. */
function groupKeys(
  kvs: KeysRead['kvs'],
  namespace: string,
  groups: Map<string, KeyGroup>,
): Map<string, KeyGroup> {
  const base = baseOf(namespace);
  let folder = '';
  let nodes = new Map<string, Node>();
  for (const kv of kvs) {
    if (!kv.key.startsWith(base)) continue;
    const path = kv.key.slice(base.length);
    // Most keys are of the cluster of the one before.
    const below = folder !== '' && path.startsWith(folder) ? path.slice(folder.length) : '';
    if (isOwnKey(below)) {
      nodes.set(below, kv);
      continue;
    }
    const split = splitKey(path);
    if (split === null) continue;
    const { scope, group, name } = split;
    const own = path.slice(0, path.length - name.length);
    // Below a cluster that is called members, a key may be one of the cluster above.
    folder = PAIRS.includes(lastPart(own.slice(0, -1))) ? '' : own;
    ({ nodes } = remembered(groups, own, () => ({
      scope,
      group: group === '' ? null : Number(group),
      nodes: new Map<string, Node>(),
    })));
    nodes.set(name, kv);
  }
  return groups;
}

function fromNodes(
  scope: string,
  group: number | null,
  revision: string,
  nodes: Map<string, Node>,
  known: KnownConfigs = new Map(),
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
    config: read('config', (node) => parseConfig(node, note, known)),
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
  return inOrder(members, (a, b) => byCodePoint(a.name, b.name));
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

/** By their text: most clusters of a fleet have the same. */
type KnownConfigs = Map<string, KnownConfig>;
type Said = Parameters<Note> extends [Node, ...infer Rest] ? Rest : never;
interface KnownConfig {
  config: Omit<DynamicConfig, 'modRevision'>;
  problems: Said[];
}

function parseConfig(node: Node, note: Note, known: KnownConfigs): DynamicConfig {
  const { config, problems } = remembered(known, node.value, () => configIn(node));
  for (const problem of problems) note(node, ...problem);
  return { ...config, modRevision: node.modRevision };
}

function configIn(node: Node): KnownConfig {
  const problems: KnownConfig['problems'] = [];
  const note: Note = (_, ...problem) => problems.push(problem);
  const raw = objectIn(node, note);
  if (raw !== null) noteConfig(raw, node, note);
  const config = {
    ...readConfig(raw ?? {}),
    text: node.value,
    ...(raw === null && { unreadable: true as const }),
  };
  return { config, problems };
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
