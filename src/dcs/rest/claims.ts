/** What members answer over REST, as the claims of a cluster. Nothing is asked here, and nothing is invented. */
import { formatLsn, parseLsn, type Lsn } from '../../cluster/model/lsn.js';
import type {
  Claim,
  Cluster,
  DynamicConfig,
  JsonObject,
  JsonValue,
  ClusterAnswer,
  ParseProblem,
  SyncKey,
} from '../../cluster/model/model.js';
import { parseCluster, readConfig } from '../../cluster/model/parse-keys.js';
import { byCodePoint, isObject } from '../../cluster/model/patroni-values.js';
import type { ClusterName } from '../dcs.js';
import type { Answers, Text } from './member-answers.js';

/** Gives a text of a key the revision that it was first seen with, and a new one when it is another text. */
export type Stamp = (key: string, text: string) => string;

const PREFIX = '/';
const LEADING = ['leader', 'standby_leader'];
const SYNCHRONOUS = ['sync_standby', 'quorum_standby'];
/** The words for a replica in GET /cluster that say how it replicates, not in which state its PostgreSQL is. */
const REPLICATING = ['streaming', 'in archive recovery'];

const ONLY_DCS = 'only the DCS has it, and a REST API was asked';

/** The cluster as one member reports it. `revision` is that of this reading. */
export function claimsOf(answers: Answers, revision: string, stamp: Stamp): Cluster {
  const { config, history, failsafe, cluster: view } = answers;
  const members = membersIn(view);
  const leader = members.find(({ role }) => LEADING.includes(role))?.name ?? null;
  const schedule = scheduleIn(view);
  const problems: ParseProblem[] = [];
  const optime = optimeOf(members);
  const kvs = [
    ['initialize', answers.who[0]?.systemId ?? null],
    ['config', textOr(config, '/config', problems)],
    ['history', textOr(history, '/history', problems)],
    ['failsafe', failsafe.known ? failsafe.text : null],
    ['leader', leader],
    ['failover', schedule],
    ['status', optime === null ? null : JSON.stringify({ optime: Number(optime) })],
    ...members.map((one) => [`members/${one.name}`, memberKey(one)] as const),
  ] as const;
  const read = {
    revision,
    kvs: kvs.flatMap(([key, value]) =>
      value === null ? [] : [{ key: `${PREFIX}${key}`, value, modRevision: stamp(key, value) }],
    ),
  };
  const scope = scopeOf(answers);
  const cluster = parseCluster(scope, null, read, PREFIX);
  const dynamic = config.known ? cluster.config : unreadConfig(revision);
  const sync = syncOf(dynamic, members, stamp);
  return {
    ...cluster,
    config: dynamic,
    sync,
    problems: [...cluster.problems, ...problems],
    cannotTell: cannotTell(answers, sync, members, optime),
    workedOut: workedOut(answers, namesOf(answers)[0] ?? 'a member', optime),
    memberAnswers: {
      url: answers.url,
      answeredBy: namesOf(answers),
      patroniVersion: answers.who[0]?.patroniVersion ?? null,
      views: [clusterAnswerOf(namesOf(answers)[0] ?? 'a member', view)],
    },
  };
}

/** An empty cluster. */
export function noClaims({ scope, group }: ClusterName, revision: string): Cluster {
  return parseCluster(scope, group, { revision, kvs: [] }, PREFIX);
}

/** Since Patroni 3.2 GET /cluster has the scope; GET /patroni always had it. */
export function scopeOf({ cluster, who }: Answers): string {
  const scope = cluster['scope'];
  return typeof scope === 'string' ? scope : (who[0]?.scope ?? '');
}

/** Patroni before 3.1 does not tell its name: then the member whose address was asked has to be the one. */
function namesOf({ who, url, cluster }: Answers): string[] {
  const here = nameAt(url, cluster) ?? 'a member';
  return [...new Set(who.map(({ name }) => (name === '' ? here : name)))];
}

/** The member whose REST API is at this address, as GET /cluster has it. */
export function nameAt(url: string, view: JsonObject): string | null {
  const isHere = ({ raw }: ListedMember): boolean => wordOf(raw['api_url']).startsWith(`${url}/`);
  return membersIn(view).find(isHere)?.name ?? null;
}

function textOr(text: Text, key: string, problems: ParseProblem[]): string | null {
  if (text.known) return text.text;
  problems.push({ key, problem: `is unknown: ${text.why}` });
  return null;
}

function unreadConfig(modRevision: string): DynamicConfig {
  return { ...readConfig({}), modRevision, unreadable: true };
}

// ---------------------------------------------------------------- GET /cluster

interface ListedMember {
  name: string;
  role: string;
  raw: JsonObject;
}

function membersIn(view: JsonObject): ListedMember[] {
  const list = Array.isArray(view['members']) ? view['members'] : [];
  return list.flatMap((raw) => {
    if (!isObject(raw) || typeof raw['name'] !== 'string') return [];
    return [{ name: raw['name'], role: wordOf(raw['role']), raw }];
  });
}

function wordOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** What Patroni would have written into the member's key, as far as GET /cluster has it. */
function memberKey({ role, raw }: ListedMember): string {
  const { host, port, state, api_url: apiUrl } = raw;
  const isReplicating = role !== 'leader' && REPLICATING.includes(wordOf(state));
  const passedOn = [
    'timeline',
    'pending_restart',
    'pending_restart_reason',
    'scheduled_restart',
    'tags',
  ];
  return JSON.stringify({
    ...(typeof host === 'string' && { conn_url: connUrl(host, port) }),
    ...(typeof apiUrl === 'string' && { api_url: apiUrl }),
    // How it replicates stands in place of its state, which is running then.
    state: isReplicating ? 'running' : wordOf(state),
    ...(isReplicating && { replication_state: state }),
    role: role === 'leader' ? 'primary' : role === 'standby_leader' ? role : 'replica',
    ...positionsOf(raw),
    ...Object.fromEntries(passedOn.filter((key) => key in raw).map((key) => [key, raw[key]])),
  });
}

function connUrl(host: string, port: JsonValue | undefined): string {
  const shown = host.includes(':') ? `[${host}]` : host;
  return `postgres://${shown}:${typeof port === 'number' ? port : 5432}/postgres`;
}

/** Since Patroni 4.1 positions stand beside the lags. */
function positionsOf(raw: JsonObject): JsonObject {
  const positions = [
    ['receive_lsn', lsnIn(raw, 'receive_lsn')],
    ['replay_lsn', lsnIn(raw, 'replay_lsn')],
    ['xlog_location', lsnIn(raw, 'lsn')],
  ] as const;
  return Object.fromEntries(
    positions.flatMap(([key, lsn]) => (lsn === null ? [] : [[key, Number(lsn)]])),
  );
}

function lsnIn(raw: JsonObject, key: string): Lsn | null {
  const value = raw[key];
  return typeof value === 'string' ? parseLsn(value) : null;
}

/** Where a member lags, its position and its lag add up to /status; a lag of 0 only says that it is not beyond. */
function optimeOf(members: readonly ListedMember[]): Lsn | null {
  for (const { raw } of members) {
    for (const what of ['receive_', 'replay_', '']) {
      const [lsn, lag] = [lsnIn(raw, `${what}lsn`), raw[`${what}lag`]];
      if (lsn !== null && typeof lag === 'number' && lag > 0) return lsn + BigInt(Math.trunc(lag));
    }
  }
  return null;
}

/** `/failover` of a switchover that waits for its time; any other request GET /cluster leaves out. */
function scheduleIn(view: JsonObject): string | null {
  const schedule = view['scheduled_switchover'];
  if (!isObject(schedule)) return null;
  const { at, from, to } = schedule;
  return JSON.stringify({
    ...(from !== undefined && { leader: from }),
    ...(to !== undefined && { member: to }),
    scheduled_at: at,
  });
}

/** The standbys of /sync that have a member key, by their roles; no answer has its leader and its quorum. */
function syncOf(
  config: DynamicConfig | null,
  members: readonly ListedMember[],
  stamp: Stamp,
): SyncKey | null {
  if (config === null || config.unreadable || config.syncMode === 'off') return null;
  if (config.standbyCluster !== null) return null;
  const standbys = members.filter(({ role }) => SYNCHRONOUS.includes(role)).map(({ name }) => name);
  const modRevision = stamp('sync', standbys.join());
  return { leader: null, standbys, quorum: 0, modRevision, unreadable: true, fromRoles: true };
}

/** GET /cluster as far as members have to agree on it: states and lags differ from moment to moment. */
export function clusterAnswerOf(member: string, view: JsonObject): ClusterAnswer {
  const members = membersIn(view);
  const schedule = view['scheduled_switchover'];
  const at = isObject(schedule) ? schedule['at'] : undefined;
  return {
    member,
    leader: members.find(({ role }) => LEADING.includes(role))?.name ?? null,
    roles: members.map(({ name, role }) => `${name} ${role}`).sort(byCodePoint),
    pause: view['pause'] === true,
    scheduledAt: typeof at === 'string' ? at : null,
  };
}

// ---------------------------------------------------------------- what is unknown

function cannotTell(
  { config, history, failsafe, who }: Answers,
  sync: SyncKey | null,
  members: readonly ListedMember[],
  optime: Lsn | null,
): Partial<Record<Claim, string>> {
  const version = who[0]?.patroniVersion ?? 'of an unknown version';
  const hasPositions = members.some(({ raw }) => 'receive_lsn' in raw);
  const status = hasPositions
    ? 'GET /cluster has it only while a member lags'
    : `Patroni ${version} gives no positions in GET /cluster`;
  return {
    ...(sync !== null && { sync: `its leader and its quorum: ${ONLY_DCS}` }),
    failover: `a request that is not scheduled: ${ONLY_DCS}`,
    ...(failsafe.known ? {} : { failsafe: failsafe.why }),
    ...(optime === null && members.length > 1 && { status }),
    ...(config.known ? {} : { config: config.why }),
    ...(history.known ? {} : { history: history.why }),
    departed: "only the DCS's history has members that left; a REST API does not show it",
    other_clusters: 'a member knows only its own cluster',
  };
}

function workedOut(
  { failsafe }: Answers,
  name: string,
  optime: Lsn | null,
): Partial<Record<Claim, string>> {
  return {
    initialize: `the system identifier of ${name}`,
    ...(optime !== null && { status: `position and lag of a member: ${formatLsn(optime)}` }),
    ...(failsafe.known && failsafe.text !== null && { failsafe: `GET /failsafe of ${name}` }),
  };
}
