/**
 * Members that Patroni has forgotten: their key is gone with its lease, and nothing in the list shows that they
 * were there. All evidence of them is collected here, with its witness.
 */
import { loopWaitMs } from '../model/loop-times.js';
import { formatLsn } from '../model/lsn.js';
import type { Cluster, Departed, EarlierSnapshot, Snapshot, Witnessed } from '../model/model.js';
import { isSenderOf, strangersIn } from '../model/member-names.js';
import type { MemberView, StreamRow, View } from './view.js';
import { mayBeSlotOf, slotName } from '../model/slot-name.js';
import { isObject, parseInteger } from '../model/patroni-values.js';
import { readAtMs, timestampMs } from '../findings/limits.js';
import { namedInSync, syncModeActive } from './dcs-roles.js';

/** A member without a key, and what is known of it. */
export interface Absent {
  /** Its name, or the name of its slot if nothing else is known. */
  name: string;
  /** Only its slot is known: the name of the member may be written another way. */
  isSlotOnly: boolean;
  evidence: Witnessed[];
  /** The minimum time since it left, ms. */
  atLeastMs: number;
  /** The maximum time since it left, ms; null: unknown. */
  atMostMs: number | null;
  /** The state in the last value of its key; null when that is unknown. */
  lastState: string | null;
  wasSynchronous: boolean;
  /** Its PostgreSQL is still there: seen by itself, or by its walsender. */
  isAlive: boolean;
  /** Its Patroni answers too: it lives on and does not renew its key. */
  hasPatroni: boolean;
  departed: Departed | null;
  /** Its view where one of its witnesses still answers. */
  view: MemberView | null;
}

/** The members of a recording. */
export function earlierOf({ cluster, takenAt }: Snapshot): EarlierSnapshot {
  const members = cluster.members.map(({ name }) => ({
    name,
    isSynchronous: syncModeActive(cluster) && namedInSync(cluster, name),
  }));
  return { takenAt, members };
}

/** Every member that something still speaks of, in the order of names. */
export function absentMembers(view: View): Absent[] {
  return namesOf(view)
    .map((name) => absentOf(name, view))
    .filter((one) => !isRetired(one, view))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** It was taken out on purpose, has not come back since, and does not run. */
function isRetired({ name, isAlive, departed }: Absent, { snapshot }: View): boolean {
  const note = snapshot.cluster.retired?.find((one) => slotName(one.name) === slotName(name));
  if (note === undefined || isAlive) return false;
  const left = departed?.lastWord?.deletedRevision ?? '0';
  return BigInt(left) <= BigInt(note.modRevision);
}

/** Names without a member key, each once. */
function namesOf(view: View): string[] {
  const { snapshot } = view;
  const { cluster } = snapshot;
  const present = new Set(cluster.members.map(({ name }) => slotName(name)));
  // A member that was given another name is there, under that name.
  for (const name of snapshot.renamed ?? []) present.add(slotName(name));
  const permanent = permanentSlots(cluster);
  const named = [
    ...snapshot.departed.filter(({ origin }) => origin !== '--also').map(({ name }) => name),
    ...(snapshot.earlier?.members ?? []).map(({ name }) => name),
    ...recentLeaders(cluster).map(({ name }) => name),
    ...standbysInSync(cluster),
    ...strangers(view, permanent).map(strangerName),
  ].filter((name) => !present.has(slotName(name)));
  const slots = (cluster.status?.retainSlots ?? []).filter(
    (slot) => !present.has(slot) && !permanent.has(slot),
  );
  const names = new Map<string, string>();
  for (const name of [...named, ...slots]) {
    if (!names.has(slotName(name))) names.set(slotName(name), name);
  }
  return [...names.values()];
}

/** Slots of the dynamic configuration, which stay independent of members. */
function permanentSlots({ config }: Cluster): Set<string> {
  const { slots } = config?.raw ?? {};
  return new Set(isObject(slots) ? Object.keys(slots) : []);
}

/** Only members get into /sync: one without a key left before the leader took it out. */
export function standbysInSync(cluster: Cluster): string[] {
  if (!syncModeActive(cluster)) return [];
  return (cluster.sync?.standbys ?? []).filter((name) => namedInSync(cluster, name));
}

/** Walsenders that stream as a member does, from the slot with their name, and that have no key. */
function strangers(view: View, permanent: ReadonlySet<string>): StreamRow[] {
  const rows = view.members.flatMap(({ streams }) => streams);
  return strangersIn(rows, view.snapshot.cluster.members).filter(
    ({ slotName: slot, slotType, applicationName }) =>
      slot !== null &&
      slotType === 'physical' &&
      mayBeSlotOf(slot, applicationName) &&
      !permanent.has(slot),
  );
}

/** The name itself where PostgreSQL shows it as it is, or that of the slot. */
function strangerName({ applicationName, slotName: slot }: StreamRow): string {
  return slot === null || slot === slotName(applicationName) ? applicationName : slot;
}

interface Term {
  name: string;
  /** It led until then, ms since 1970: it was promoted, or another was promoted after it. */
  seenMs: number;
}

/** Leaders that /history names, the newest last. */
function recentLeaders({ history }: Cluster): Term[] {
  const lines = history ?? [];
  return lines.flatMap(({ newLeader, timestamp }, at): Term[] => {
    const seenMs = timestampMs(lines[at + 1]?.timestamp) ?? timestampMs(timestamp);
    return newLeader === null || seenMs === null ? [] : [{ name: newLeader, seenMs }];
  });
}

function absentOf(name: string, view: View): Absent {
  const { snapshot } = view;
  const { cluster } = snapshot;
  const slot = slotName(name);
  const departed =
    snapshot.departed.find((one) => one.origin !== '--also' && slotName(one.name) === slot) ?? null;
  const own = view.members.find((one) => one.departed === departed && departed !== null) ?? null;
  const rows = view.members
    .flatMap(({ streams }) => streams)
    .filter((row) => row.slotType !== 'logical')
    .filter((row) => isSenderOf(row.applicationName, name) || isFromSlot(row, slot));
  const isRetained = (cluster.status?.retainSlots ?? []).includes(slot);
  const earlier = snapshot.earlier?.members.find((one) => slotName(one.name) === slot) ?? null;
  const isRunning = ['primary', 'replica', 'standby leader'].includes(own?.observed ?? '');
  const isListening = own?.departed?.listening === true || own?.sql.ok === true;
  const isAlive = isListening || isRunning || rows.length > 0;
  const ages = agesOf(slot, view, { departed, isRetained, isAlive, wasEarlier: earlier !== null });
  return {
    name: departed?.name ?? name,
    isSlotOnly:
      departed === null && earlier === null && isRetained && name === slot && rows.length === 0,
    evidence: [
      ...keySeen(departed),
      ...slotsSeen(slot, view),
      ...rows.map(rowSeen),
      ...historySeen(slot, cluster),
      ...syncSeen(slot, cluster),
      ...(earlier === null ? [] : [earlierSeen(snapshot)]),
      ...aliveSeen(own),
    ],
    ...ages,
    lastState: departed?.lastWord?.state ?? null,
    wasSynchronous: wasSynchronous(name, view, departed, earlier?.isSynchronous === true),
    isAlive,
    hasPatroni: own?.rest.ok === true,
    departed,
    view: own,
  };
}

/** Its name may be known by its slot only, which is written another way than its application_name. */
function isFromSlot({ slotName: its, applicationName }: StreamRow, slot: string): boolean {
  return its === slot && mayBeSlotOf(slot, applicationName);
}

function wasSynchronous(
  name: string,
  { snapshot, members }: View,
  departed: Departed | null,
  wasEarlier: boolean,
): boolean {
  const { cluster } = snapshot;
  if (departed?.lastWord?.isSynchronous === true || wasEarlier) return true;
  if (syncModeActive(cluster) && namedInSync(cluster, name)) return true;
  return members
    .flatMap(({ streams }) => streams)
    .some(
      ({ applicationName, syncState }) =>
        isSenderOf(applicationName, name) && (syncState === 'sync' || syncState === 'quorum'),
    );
}

// ---------------------------------------------------------------- since when

const MEMBER_SLOTS_TTL_SECONDS = 1800;

interface Sources {
  departed: Departed | null;
  isRetained: boolean;
  isAlive: boolean;
  wasEarlier: boolean;
}

/** etcd counts revisions and no hours; what was written before and after, and how often, bounds the time. */
function agesOf(
  slot: string,
  view: View,
  { departed, isRetained, isAlive, wasEarlier }: Sources,
): Pick<Absent, 'atLeastMs' | 'atMostMs'> {
  const { cluster, earlier } = view.snapshot;
  const now = readAtMs(view);
  const least = [0];
  const most: number[] = [];
  const led = recentLeaders(cluster).filter(({ name }) => slotName(name) === slot);
  for (const { seenMs } of led) most.push(now - seenMs);
  if (isRetained) most.push(memberSlotsTtlSeconds(cluster) * 1000);
  if (wasEarlier && earlier) most.push(now - (timestampMs(earlier.takenAt) ?? 0));
  const word = departed?.lastWord ?? null;
  if (word !== null) {
    const promotedMs = timestampMs(cluster.history?.at(-1)?.timestamp);
    if (promotedMs !== null && cluster.historyRevision) {
      const isBefore = BigInt(word.deletedRevision) < BigInt(cluster.historyRevision);
      (isBefore ? least : most).push(now - promotedMs);
    }
    // The leader writes /status once a loop at most; half of it because a loop may begin early.
    const loopMs = loopWaitMs(cluster);
    least.push(((word.statusWrites ?? 0) * loopMs) / 2);
  }
  const atMostMs = isAlive ? 0 : most.length > 0 ? Math.max(0, Math.min(...most)) : null;
  const atLeastMs = Math.min(Math.max(...least), atMostMs ?? Infinity);
  return { atLeastMs, atMostMs };
}

/** So long Patroni keeps the slot of a member without a key, s [AbstractDCS._build_retain_slots]. */
export function memberSlotsTtlSeconds({ config }: Cluster): number {
  return parseInteger(config?.raw['member_slots_ttl'], 's') ?? MEMBER_SLOTS_TTL_SECONDS;
}

// ---------------------------------------------------------------- the witnesses

function keySeen(departed: Departed | null): Witnessed[] {
  if (departed === null) return [];
  const { name, lastWord } = departed;
  if (departed.origin === 'failsafe') {
    return [{ witness: 'DCS', subject: '/failsafe', said: `names ${name}, which has no key` }];
  }
  if (!lastWord) {
    return [{ witness: 'DCS', subject: `/members/${name}`, said: "in etcd's history only" }];
  }
  const { role, state, deletedRevision } = lastWord;
  const said = `gone at revision ${deletedRevision}; its last value: role ${role || 'unknown'}, state ${state || 'unknown'}`;
  const sync: Witnessed[] = lastWord.isSynchronous
    ? [{ witness: 'DCS', subject: '/sync', said: `named ${name} when its key was last written` }]
    : [];
  return [{ witness: 'DCS', subject: `/members/${name}`, said }, ...sync];
}

function slotsSeen(slot: string, { snapshot, members }: View): Witnessed[] {
  const { status } = snapshot.cluster;
  const retained: Witnessed[] = status?.retainSlots.includes(slot)
    ? [{ witness: 'DCS', subject: '/status', said: `retain_slots has ${slot}` }]
    : [];
  const at = status?.slots[slot];
  const written: Witnessed[] =
    at === undefined
      ? []
      : [{ witness: 'DCS', subject: '/status', said: `slots has ${slot} at ${formatLsn(at)}` }];
  const physical = members.flatMap(({ name, sql }): Witnessed[] => {
    const found = sql.ok
      ? sql.value.slots.find((one) => one.slotType === 'physical' && one.slotName === slot)
      : undefined;
    if (!found) return [];
    const said = `${slot} is ${found.active ? 'active' : 'inactive: no walsender uses it'}`;
    return [{ witness: 'SQL', subject: `${name} pg_replication_slots`, said }];
  });
  return [...retained, ...written, ...physical];
}

function rowSeen({ upstream, witness, applicationName, state }: StreamRow): Witnessed {
  const said = `${applicationName} is ${state ?? 'in an unknown state'}, and has no member key`;
  return { witness, subject: `${upstream} pg_stat_replication`, said };
}

function historySeen(slot: string, cluster: Cluster): Witnessed[] {
  const last = recentLeaders(cluster).findLast(({ name }) => slotName(name) === slot);
  if (last === undefined) return [];
  const said = `${last.name} led until ${new Date(last.seenMs).toISOString()} at least`;
  return [{ witness: 'DCS', subject: '/history', said }];
}

function syncSeen(slot: string, cluster: Cluster): Witnessed[] {
  return standbysInSync(cluster)
    .filter((name) => slotName(name) === slot)
    .map((name) => ({ witness: 'DCS', subject: '/sync', said: `names ${name}, which has no key` }));
}

function earlierSeen({ earlier }: Snapshot): Witnessed {
  return {
    witness: 'DCS',
    subject: 'earlier snapshot',
    said: `has its key, at ${earlier?.takenAt}`,
  };
}

function aliveSeen(own: MemberView | null): Witnessed[] {
  if (own === null) return [];
  const { name, witness, observed, departed } = own;
  if (witness !== null) return [{ witness, subject: name, said: `answers: ${observed}` }];
  if (departed?.listening !== true) return [];
  const said = `${departed.host ?? '?'}:${departed.port ?? '?'} speaks PostgreSQL's protocol`;
  return [{ witness: 'SQL', subject: name, said }];
}
