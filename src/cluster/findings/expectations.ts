/** What a cluster is expected to be (`check --expect FILE`), and where it is not. */
import { bytesText } from './evidence.js';
import { standbys } from './streaming.js';
import type { Finding, JsonObject, JsonValue, Witnessed } from '../model/model.js';
import type { View } from '../roles/view.js';
import { isObject } from '../model/patroni-values.js';

export interface Expectation {
  /** Names, or how many. */
  members?: string[] | number;
  /** One of these leads. */
  leader?: string[];
  syncMode?: string;
  /** How many standbys PostgreSQL calls sync or quorum. */
  syncStandbys?: number;
  patroniVersion?: string;
  /** '15' means any 15. */
  postgresVersion?: string;
  maxLagBytes?: number;
  /** By member; only the tags that are named are looked at. */
  tags?: Record<string, JsonObject>;
  paused?: boolean;
  /** Of the dynamic configuration. */
  parameters?: JsonObject;
}

const KEYS = [
  'members',
  'leader',
  'syncMode',
  'syncStandbys',
  'patroniVersion',
  'postgresVersion',
  'maxLagBytes',
  'tags',
  'paused',
  'parameters',
];

/** Reads a parsed file; `problem` names the first key that is wrong. */
export function parseExpectation(
  value: unknown,
): { ok: true; expectation: Expectation } | { ok: false; problem: string } {
  if (!isObject(value)) return { ok: false, problem: 'it is not a mapping' };
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) return { ok: false, problem: `${unknown} is not a known expectation` };
  const wrong = Object.entries(value).find(([key, item]) => !isRight(key, item));
  if (wrong) return { ok: false, problem: `${wrong[0]} has a wrong type` };
  const { leader, patroniVersion, postgresVersion, syncMode, ...rest } = value;
  const expectation = {
    ...rest,
    ...(syncMode === undefined ? {} : { syncMode: modeOf(syncMode) }),
    ...(leader === undefined ? {} : { leader: Array.isArray(leader) ? leader : [leader] }),
    ...(patroniVersion === undefined ? {} : { patroniVersion: scalar(patroniVersion) }),
    ...(postgresVersion === undefined ? {} : { postgresVersion: scalar(postgresVersion) }),
  } as Expectation;
  return { ok: true, expectation };
}

/** YAML 1.1 takes on and off for true and false, and writes them so. */
function modeOf(value: JsonValue): JsonValue {
  return value === true ? 'on' : value === false ? 'off' : value;
}

function scalar(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isRight(key: string, value: JsonValue): boolean {
  const isNames = Array.isArray(value) && value.every((item) => typeof item === 'string');
  const isCount = typeof value === 'number' && Number.isInteger(value) && value >= 0;
  switch (key) {
    case 'members':
      return isNames || isCount;
    case 'leader':
      return isNames || typeof value === 'string';
    case 'syncMode':
      return ['off', 'on', 'quorum'].some((mode) => mode === modeOf(value));
    case 'syncStandbys':
    case 'maxLagBytes':
      return isCount;
    case 'patroniVersion':
    case 'postgresVersion':
      return typeof value === 'string' || typeof value === 'number';
    case 'tags':
      return isObject(value) && Object.values(value).every(isObject);
    case 'parameters':
      return isObject(value);
    default:
      return typeof value === 'boolean';
  }
}

interface Seen {
  what: string;
  wanted: string;
  seen: string;
  witness: Witnessed['witness'];
  members?: string[];
}

/** Names that have to be there; [] when only a number is expected. */
export function expectedMembers({ members }: Expectation): string[] {
  return Array.isArray(members) ? members : [];
}

/** One finding for each difference. */
export function expectationFailed(view: View, wanted: Expectation): Finding[] {
  return differences(view, wanted).map((difference) => ({
    code: 'expectation_failed',
    severity: 'critical',
    members: difference.members ?? [],
    message: `${difference.what}: ${difference.wanted} was expected, ${difference.seen} was found`,
    evidence: [
      {
        witness: difference.witness,
        subject: difference.members?.[0] ?? view.snapshot.cluster.scope,
        said: `${difference.what} ${difference.seen}`,
      },
    ],
    next: 'change the cluster, or the file (--write-expect) if the change was intended',
  }));
}

function differences(view: View, wanted: Expectation): Seen[] {
  return [
    ...memberDifferences(view, wanted),
    ...modeDifferences(view, wanted),
    ...versionDifferences(view, wanted),
    ...lagDifferences(view, wanted),
    ...tagDifferences(view, wanted),
    ...parameterDifferences(view, wanted),
  ];
}

function memberDifferences({ snapshot }: View, { members, leader }: Expectation): Seen[] {
  const { cluster } = snapshot;
  const found: Seen[] = [];
  const names = cluster.members.map(({ name }) => name);
  if (typeof members === 'number' && names.length !== members) {
    const seen = `${names.length} (${names.join(', ')})`;
    found.push({ what: 'members', wanted: String(members), seen, witness: 'DCS' });
  }
  if (Array.isArray(members)) found.push(...nameDifferences(members, names));
  if (leader && !leader.includes(cluster.leaderName ?? '')) {
    const seen = cluster.leaderName ?? 'none';
    found.push({ what: 'leader', wanted: leader.join(' or '), seen, witness: 'DCS' });
  }
  return found;
}

/** Which expected members are missing, and which members are not expected. */
function nameDifferences(wanted: readonly string[], seen: readonly string[]): Seen[] {
  const difference = (name: string, wanted: string, seen: string): Seen => ({
    what: `member ${name}`,
    wanted,
    seen,
    witness: 'DCS',
    members: [name],
  });
  const missing = [...new Set(wanted)].filter((name) => !seen.includes(name));
  const besides = seen.filter((name) => !wanted.includes(name));
  return [
    ...missing.map((name) => difference(name, 'a member key', 'none')),
    ...besides.map((name) => difference(name, 'no such member', 'its member key')),
  ];
}

function modeDifferences(view: View, wanted: Expectation): Seen[] {
  const config = view.snapshot.cluster.config;
  const found: Seen[] = [];
  const mode = config?.syncMode ?? 'off';
  if (wanted.syncMode !== undefined && wanted.syncMode !== mode) {
    found.push({ what: 'synchronous_mode', wanted: wanted.syncMode, seen: mode, witness: 'DCS' });
  }
  const sync = syncStandbys(view);
  if (wanted.syncStandbys !== undefined && wanted.syncStandbys !== sync) {
    const witness = view.leader?.witness ?? 'REST';
    const what = 'synchronous standbys';
    found.push({ what, wanted: String(wanted.syncStandbys), seen: String(sync), witness });
  }
  const paused = config?.pause ?? false;
  if (wanted.paused !== undefined && wanted.paused !== paused) {
    const seen = String(paused);
    found.push({ what: 'pause', wanted: String(wanted.paused), seen, witness: 'DCS' });
  }
  return found;
}

function syncStandbys({ members }: View): number {
  return members.filter(({ syncState }) => syncState === 'sync' || syncState === 'quorum').length;
}

function versionDifferences(view: View, wanted: Expectation): Seen[] {
  return view.members.flatMap(({ name, member, rest, sql }): Seen[] => {
    if (!member) return [];
    const patroni = (rest.ok ? rest.value.patroniVersion : null) ?? member.version;
    const number = sql.ok ? sql.value.serverVersion : rest.ok ? rest.value.serverVersion : null;
    const postgres = number === null ? null : versionText(number);
    const check = (what: string, want: string | undefined, seen: string | null): Seen[] =>
      want === undefined || seen === null || seen === want || seen.startsWith(`${want}.`)
        ? []
        : [{ what: `${what} on ${name}`, wanted: want, seen, witness: 'REST', members: [name] }];
    return [
      ...check('Patroni', wanted.patroniVersion, patroni),
      ...check('PostgreSQL', wanted.postgresVersion, postgres),
    ];
  });
}

function versionText(number: number): string {
  return `${Math.trunc(number / 10_000)}.${number % 10_000}`;
}

function lagDifferences(view: View, { maxLagBytes }: Expectation): Seen[] {
  if (maxLagBytes === undefined) return [];
  return standbys(view)
    .filter(({ lagBytes }) => lagBytes === null || lagBytes > maxLagBytes)
    .map(({ name, lagBytes, witness }) => ({
      what: `lag of ${name}`,
      wanted: `${bytesText(maxLagBytes)} at most`,
      seen: bytesText(lagBytes),
      witness: witness ?? 'REST',
      members: [name],
    }));
}

function tagDifferences({ snapshot }: View, { tags = {} }: Expectation): Seen[] {
  return Object.entries(tags).flatMap(([name, wanted]) => {
    const member = snapshot.cluster.members.find((one) => one.name === name);
    if (!member) return [];
    return unequal(wanted, member.tags).map(({ key, want, seen }) => ({
      what: `tag ${key} of ${name}`,
      wanted: want,
      seen,
      witness: 'DCS' as const,
      members: [name],
    }));
  });
}

function parameterDifferences({ snapshot }: View, { parameters = {} }: Expectation): Seen[] {
  const postgresql = snapshot.cluster.config?.raw['postgresql'];
  const inForce = isObject(postgresql) ? postgresql['parameters'] : null;
  return unequal(parameters, isObject(inForce) ? inForce : {}).map(({ key, want, seen }) => ({
    what: `parameter ${key}`,
    wanted: want,
    seen,
    witness: 'DCS',
  }));
}

function unequal(
  wanted: JsonObject,
  seen: JsonObject,
): { key: string; want: string; seen: string }[] {
  const text = (value: JsonValue | undefined) =>
    value === undefined ? 'nothing' : typeof value === 'string' ? value : JSON.stringify(value);
  return Object.entries(wanted)
    .map(([key, want]) => ({ key, want: text(want), seen: text(seen[key]) }))
    .filter((one) => one.want !== one.seen);
}

/** The expectations that match the cluster as it is now; any leader is accepted. */
export function expectationOf(view: View): Expectation {
  const { cluster } = view.snapshot;
  const postgresql = cluster.config?.raw['postgresql'];
  const parameters = isObject(postgresql) ? postgresql['parameters'] : null;
  const tagged = cluster.members.filter(({ tags }) => Object.keys(tags).length > 0);
  const [version] = cluster.members.map((member) => member.version);
  return {
    members: cluster.members.map(({ name }) => name),
    syncMode: cluster.config?.syncMode ?? 'off',
    syncStandbys: syncStandbys(view),
    ...(version ? { patroniVersion: version } : {}),
    paused: cluster.config?.pause ?? false,
    ...(tagged.length > 0
      ? { tags: Object.fromEntries(tagged.map(({ name, tags }) => [name, tags])) }
      : {}),
    ...(isObject(parameters) ? { parameters } : {}),
  };
}
