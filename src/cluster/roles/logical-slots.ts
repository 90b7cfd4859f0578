/**
 * Logical replication slots after a change of leader. Two things carry one to another member: PostgreSQL 17 copies
 * slots made with `failover` to standbys that run its slot sync worker; Patroni copies those that its own
 * configuration names (`slots:`). Every other logical slot stays behind, and its subscriber stops.
 */
import type { JsonValue, ReplicationSlot, SqlStatus } from '../model/model.js';
import type { MemberView, View } from './view.js';
import { isObject, truthy } from '../model/patroni-values.js';

/** Slot synchronization begins with this server_version_num. */
export const FAILOVER_SLOTS_SINCE = 170_000;

export interface LogicalSlot {
  name: string;
  database: string | null;
  /** What should copy it to another member; null: nothing is configured. */
  keptBy: 'failover' | 'Patroni' | null;
}

/** The logical slots whose consumers should go on after a change of leader. */
export interface LogicalSlots {
  slots: LogicalSlot[];
  /** The witness; null: the leader's slots were not read, and the list may be incomplete. */
  seenOn: string | null;
}

/** Names of the permanent logical slots in the dynamic configuration [global_config.permanent_slots]. */
export function permanentLogicalSlots({ snapshot }: View): LogicalSlot[] {
  const raw = snapshot.cluster.config?.raw ?? {};
  const named = ['permanent_replication_slots', 'permanent_slots', 'slots'].map((key) => raw[key]);
  const slots = named.find((value) => isObject(value) && Object.keys(value).length > 0);
  if (!isObject(slots) || snapshot.cluster.config?.useSlots === false) return [];
  return Object.entries(slots).flatMap(([name, value]) => {
    const database = logicalDatabase(value);
    return database === null ? [] : [{ name, database, keptBy: 'Patroni' as const }];
  });
}

/** The database of a permanent slot that Patroni takes for logical; null: it is physical, or nonsense. */
function logicalDatabase(value: JsonValue | undefined): string | null {
  if (!isObject(value)) return null;
  const { type, database, plugin } = value;
  if (typeof database !== 'string' || !truthy(plugin) || database === '') return null;
  return type === undefined || type === 'logical' ? database : null;
}

/** The leader's own logical slots and those that Patroni should have; of a lost leader, what its standbys hold. */
export function logicalSlots(view: View): LogicalSlots {
  const permanent = permanentLogicalSlots(view);
  const { leader } = view;
  const found =
    leader?.sql.ok && !leader.sql.value.inRecovery
      ? leader.sql.value.slots.filter(isLasting)
      : view.members.flatMap(({ sql }) => (sql.ok ? sql.value.slots.filter(isReadyCopy) : []));
  const own = found.map(({ slotName, database, failover }): LogicalSlot => {
    const isPermanent = permanent.some(({ name }) => name === slotName);
    const keptBy = failover === true ? 'failover' : isPermanent ? 'Patroni' : null;
    return { name: slotName, database, keptBy };
  });
  const all = [...own, ...permanent];
  return {
    slots: all.filter(({ name }, at) => all.findIndex((other) => other.name === name) === at),
    seenOn: leader?.sql.ok && !leader.sql.value.inRecovery ? leader.name : null,
  };
}

/** A temporary slot ends with its session anyway, and an invalid one has no use. */
function isLasting(slot: ReplicationSlot): boolean {
  return slot.slotType === 'logical' && slot.temporary !== true && invalidBecause(slot) === null;
}

function isReadyCopy(slot: ReplicationSlot): boolean {
  return isLasting(slot) && slot.synced === true;
}

/** PostgreSQL's reason why a slot can never be used again; null: it can. */
export function invalidBecause(slot: ReplicationSlot): string | null {
  if (slot.invalidationReason) return slot.invalidationReason;
  if (slot.conflicting === true) return 'conflicting';
  return slot.walStatus === 'lost' ? 'wal_status lost' : null;
}

/** Why a slot's subscriber could not go on if this member led; null: it could. Its SQL has to be read. */
export function brokenBecause(slot: LogicalSlot, sql: SqlStatus): string | null {
  const copy = sql.slots.find(({ slotName }) => slotName === slot.name);
  if (copy === undefined) return absentBecause(slot, sql);
  if (copy.slotType !== 'logical') return 'the slot of this name is physical there';
  const invalid = invalidBecause(copy);
  if (invalid !== null) return `its copy is invalid (${invalid})`;
  if (copy.temporary === true) return 'its copy is temporary: it is not synchronized yet';
  if (slot.keptBy === 'failover' && copy.synced === false)
    return 'the slot of this name there is not a synchronized copy';
  if (slot.keptBy === 'Patroni' && lacksFeedback(sql))
    return 'hot_standby_feedback is off there, so Patroni does not call its copy safe';
  return null;
}

function lacksFeedback({ inRecovery, settings }: SqlStatus): boolean {
  return inRecovery && settings['hot_standby_feedback']?.value === 'off';
}

function absentBecause({ keptBy }: LogicalSlot, sql: SqlStatus): string {
  if (keptBy === 'Patroni') return 'Patroni has not copied it';
  if (keptBy === null)
    return sql.serverVersion < FAILOVER_SLOTS_SINCE
      ? `PostgreSQL ${Math.trunc(sql.serverVersion / 10_000)} copies no slot, and Patroni's slots do not name it`
      : "it has no failover property, and Patroni's slots do not name it";
  const off = unmet(sql);
  return off === null ? 'it is not copied yet' : `it is not copied: ${off}`;
}

/** What the slot sync worker needs and this standby does not have; null: it has it. */
function unmet({ settings }: SqlStatus): string | null {
  if (settings['sync_replication_slots']?.value === 'off') return 'sync_replication_slots is off';
  if (settings['hot_standby_feedback']?.value === 'off') return 'hot_standby_feedback is off';
  if (settings['primary_slot_name']?.value === '') return 'primary_slot_name is empty';
  return null;
}

export interface Broken {
  slot: LogicalSlot;
  because: string;
}

/** The slots whose subscribers would stop if this member led; null: its SQL was not read. */
export function brokenOn(one: MemberView, slots: readonly LogicalSlot[]): Broken[] | null {
  if (!one.sql.ok) return slots.length === 0 ? [] : null;
  const sql = one.sql.value;
  return slots.flatMap((slot) => {
    const because = brokenBecause(slot, sql);
    return because === null ? [] : [{ slot, because }];
  });
}

/** Slots in synchronized_standby_slots for which every failover slot's consumer waits, each with its state. */
export function awaitedSlots(sql: SqlStatus): { name: string; state: string }[] {
  const value = sql.settings['synchronized_standby_slots']?.value ?? '';
  const names = value.split(',').map((name) => name.trim().replace(/^"|"$/g, ''));
  return names.filter(Boolean).flatMap((name) => {
    const slot = sql.slots.find(({ slotName }) => slotName === name);
    const state = slot === undefined ? 'does not exist' : unusable(slot);
    return state === null ? [] : [{ name, state }];
  });
}

function unusable(slot: ReplicationSlot): string | null {
  if (slot.slotType !== 'physical') return 'is not a physical slot';
  const invalid = invalidBecause(slot);
  if (invalid !== null) return `is invalid (${invalid})`;
  return slot.active ? null : 'is inactive';
}
