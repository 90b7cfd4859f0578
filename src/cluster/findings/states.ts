/** What Patroni says of PostgreSQL: states that are wrong at once, and states that should pass and last. */
import { formatLsn } from '../model/lsn.js';
import type { Finding, JsonValue, Witnessed } from '../model/model.js';
import { viewOf, type MemberView, type View } from '../roles/view.js';
import { isObject } from '../model/patroni-values.js';
import { readAtMs, sincePreviousMs, timestampMs, type Limits } from './limits.js';
import { durationText, list } from './evidence.js';

const BROKEN = new Set([
  'initdb failed',
  'custom bootstrap failed',
  'start failed',
  'restart failed',
  'stop failed',
  'stopped',
  'crashed',
]);

/** Patroni before 4.1 adds the state in which the restart failed: `restart failed (start failed)`. */
const FAILED_IN = /^restart failed \(.*\)$/;

const CREATING = 'creating replica';

/**
 * States of seconds, that a crash recovery or a slow shutdown makes last. `unknown`: PostgreSQL does not answer
 * Patroni.
 */
const SHORT = new Set(['starting', 'restarting', 'stopping', 'unknown']);
/** As long as making a database takes: --max-creating is their limit too. */
const LONG = new Set([
  CREATING,
  'initializing new cluster',
  'running custom bootstrap script',
  'starting after custom bootstrap',
]);

/** Patroni's own primary_start_timeout: a member that has not come up by then needs a person. */
const TOO_LONG_MS = 300_000;
/** A restart is over by then: until then a state of seconds is looked at again. */
const WATCH_MS = 10_000;

export function memberState(view: View, { maxCreatingMs }: Limits): Finding[] {
  return view.members.flatMap((one): Finding[] => {
    if (!one.member) return [];
    const state = stateOf(one);
    if (BROKEN.has(state) || FAILED_IN.test(state)) {
      const message = `PostgreSQL on ${one.name} is in state "${state}"`;
      return [stateFinding(one, state, 'critical', message, [])];
    }
    if (SHORT.has(state)) return [lasting(one, state, view)];
    if (!LONG.has(state)) return one.observed === 'not running' ? [notShown(one, state)] : [];
    const ageMs = Math.max(copyingForMs(one, view) ?? 0, seenForMs(one, state, view));
    if (ageMs <= maxCreatingMs) return [];
    const what = state === CREATING ? 'has been in creation' : `has been in state "${state}"`;
    const message = `${one.name} ${what} for ${durationText(ageMs)}`;
    return [stateFinding(one, state, 'critical', message, [])];
  });
}

/** Members whose state takes long, of which nothing tells for how long. */
export function creatingUntold(view: View, limits: Limits): string[] {
  return view.members
    .filter((one) => one.member !== null && LONG.has(stateOf(one)))
    .filter((one) => copyingForMs(one, view) === null)
    .filter((one) => seenForMs(one, stateOf(one), view) <= limits.maxCreatingMs)
    .map(({ name }) => name);
}

/** Until when to go on looking whether a state passes, ms; null: none has to. */
export function stateLookMs(view: View): number | null {
  const passing = view.members.some((one) => one.member !== null && SHORT.has(stateOf(one)));
  const watchedMs = sincePreviousMs(view) ?? 0;
  return passing && watchedMs < WATCH_MS ? WATCH_MS / 2 : null;
}

/** Patroni's word, from itself where it answers. */
export function stateOf({ rest, member }: Pick<MemberView, 'rest' | 'member'>): string {
  return rest.ok ? rest.value.state : (member?.state ?? '');
}

/** `running`, or a word of a later Patroni, and nothing in its answer that only a running PostgreSQL tells. */
function notShown(one: MemberView, state: string): Finding {
  const message = `Patroni on ${one.name} reports state "${state}" and no WAL position: it is unknown whether PostgreSQL runs`;
  return stateFinding(one, state, 'warning', message, []);
}

// ---------------------------------------------------------------- states of seconds

/** One that should pass: settling tells whether it lasts. */
function lasting(one: MemberView, state: string, view: View): Finding {
  const ageMs = seenForMs(one, state, view);
  const since = ageMs > 0 ? `, for at least ${durationText(ageMs)}` : '';
  const words =
    state === 'unknown'
      ? `PostgreSQL on ${one.name} does not answer Patroni`
      : `PostgreSQL on ${one.name} is ${state}`;
  const evidence = state === 'stopping' ? awaitedByShutdown(one, view) : awaitedByStart(one, view);
  const severity = ageMs > TOO_LONG_MS ? 'critical' : 'warning';
  return stateFinding(one, state, severity, words + since, evidence);
}

/**
 * The clients that a shutdown waits for: PostgreSQL accepts no connection then, so other members and the earlier
 * reading show them.
 */
function awaitedByShutdown(one: MemberView, view: View): Witnessed[] {
  const { host, port } = one.member ?? {};
  const receivers = view.members.flatMap(({ name, sql }): Witnessed[] => {
    const receiver = sql.ok ? sql.value.walReceiver : null;
    if (receiver === null || name === one.name) return [];
    const isFromIt = receiver.senderHost === host && receiver.senderPort === port;
    if (!isFromIt) return [];
    const said = `still connected to ${one.name} (${receiver.status ?? 'status unknown'}): the shutdown waits for it`;
    return [{ witness: 'SQL', subject: `${name} pg_stat_wal_receiver`, said }];
  });
  const streams = one.streams.length > 0 ? one.streams : (memberBefore(one, view)?.streams ?? []);
  const walsenders = streams.map(({ applicationName, state, slotType, witness }): Witnessed => {
    const kind = slotType === 'logical' ? 'logical ' : '';
    const said = `${kind}walsender of ${applicationName} was ${state ?? 'in an unknown state'}: a shutdown waits for it`;
    return { witness, subject: `${one.name} pg_stat_replication`, said };
  });
  return [...receivers, ...walsenders];
}

/** What a start waits for: WAL that is replayed, from where it is restored, and how far it has got. */
function awaitedByStart(one: MemberView, view: View): Witnessed[] {
  const seen: Witnessed[] = [];
  if (!one.sql.ok && one.sql.kind !== 'off') {
    seen.push({ witness: 'SQL', subject: one.name, said: one.sql.reason });
  }
  const at = one.replayed ?? one.position;
  if (at !== null && one.witness !== null) {
    const before = memberBefore(one, view);
    const was = before?.replayed ?? before?.position ?? null;
    const moves = was === null ? '' : was === at ? ', and does not move' : ', and moves';
    const said = `recovery is at ${formatLsn(at)}${moves}`;
    seen.push({ witness: one.witness, subject: one.name, said });
  }
  return [...seen, ...restoreSeen(one, view)];
}

/** The restore_command that recovery calls, wherever it can be read. */
function restoreSeen(one: MemberView, view: View): Witnessed[] {
  const own = one.sql.ok ? one.sql.value.settings['restore_command']?.value : undefined;
  if (own) {
    const subject = `${one.name} pg_settings`;
    return [{ witness: 'SQL', subject, said: 'restore_command is set' }];
  }
  const raw = view.snapshot.cluster.config?.raw ?? {};
  const postgresql = part(raw, 'postgresql');
  const places: [string, JsonValue | undefined][] = [
    ['postgresql.parameters', part(postgresql, 'parameters')['restore_command']],
    ['postgresql.recovery_conf', part(postgresql, 'recovery_conf')['restore_command']],
    ['standby_cluster', part(raw, 'standby_cluster')['restore_command']],
  ];
  const configured = places.filter(([, value]) => typeof value === 'string' && value !== '');
  if (configured.length > 0) {
    return configured.map(([place, value]) => ({
      witness: 'DCS',
      subject: '/config',
      said: `${place}.restore_command calls ${programOf(value)}: recovery waits for each call`,
    }));
  }
  const others = view.members
    .filter(
      ({ name, sql }) =>
        name !== one.name && sql.ok && sql.value.settings['restore_command']?.value,
    )
    .map(({ name }) => name);
  if (others.length === 0) return [];
  const subject = `${list(others)} pg_settings`;
  return [{ witness: 'SQL', subject, said: 'restore_command is set there' }];
}

/** Its arguments may hold secrets. */
function programOf(command: JsonValue | undefined): string {
  if (typeof command !== 'string') return 'a program';
  return /^[\w./-]+(?=\s|$)/.exec(command.trim())?.[0] ?? 'a program';
}

function part(value: JsonValue | undefined, key: string): { [key: string]: JsonValue } {
  const found = isObject(value) ? value[key] : undefined;
  return isObject(found) ? found : {};
}

function memberBefore({ name }: MemberView, { snapshot }: View): MemberView | null {
  if (snapshot.previous === null) return null;
  return viewOf(snapshot.previous).members.find((one) => one.name === name) ?? null;
}

// ---------------------------------------------------------------- for how long

/**
 * How long it has surely been in this state, ms; 0 when that cannot be told: since the reading before found it in
 * the same, or since the last promotion when its key has not been written after that.
 */
function seenForMs(one: MemberView, state: string, view: View): number {
  const { member } = one;
  const before = view.snapshot.previous?.members.findIndex(({ name }) => name === one.name) ?? -1;
  const known: number[] = [0];
  if (before >= 0) {
    const rest = view.snapshot.previous?.members[before]?.rest;
    const key = view.snapshot.previous?.cluster.members[before] ?? null;
    const was = rest?.ok ? rest.value.state : (key?.state ?? '');
    const isSame = LONG.has(state) ? key?.modRevision === member?.modRevision : true;
    if (was === state && isSame) known.push(sincePreviousMs(view) ?? 0);
  }
  const { history, historyRevision } = view.snapshot.cluster;
  const promotedMs = timestampMs(history?.at(-1)?.timestamp);
  if (member?.state === state && historyRevision && promotedMs !== null) {
    const isOlder = BigInt(member.modRevision) < BigInt(historyRevision);
    if (isOlder) known.push(readAtMs(view) - promotedMs);
  }
  return Math.max(...known);
}

/**
 * By the base backups that run to the member's own address, from any server; null when none is seen. The
 * youngest counts because an older one may belong to another server on the same host.
 */
function copyingForMs({ member }: MemberView, view: View): number | null {
  const addresses = [member?.host ?? null, hostOf(member?.apiUrl ?? null)];
  const starts = view.members
    .flatMap(({ sql }) => (sql.ok ? sql.value.walsenders : []))
    .filter(({ state, clientAddr }) => state === 'backup' && addresses.includes(clientAddr ?? ''))
    .map(({ backendStart }) => timestampMs(backendStart))
    .filter((at) => at !== null);
  return starts.length === 0 ? null : readAtMs(view) - Math.max(...starts);
}

/** `10.0.0.1` of `http://10.0.0.1:8008/patroni`, `::1` of `http://[::1]:8008/`. */
function hostOf(url: string | null): string | null {
  const found = /^https?:\/\/(?:\[([^\]]+)\]|([^:/]+))/.exec(url ?? '');
  return found?.[1] ?? found?.[2] ?? null;
}

function stateFinding(
  one: MemberView,
  state: string,
  severity: Finding['severity'],
  message: string,
  awaited: Witnessed[],
): Finding {
  return {
    code: 'member_state',
    severity,
    members: [one.name],
    message,
    evidence: [
      { witness: one.rest.ok ? 'REST' : 'DCS', subject: one.name, said: `state ${state}` },
      ...awaited,
    ],
    next: `check Patroni's and PostgreSQL's logs on ${one.name}`,
  };
}
