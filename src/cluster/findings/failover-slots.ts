/** Findings about logical slots: would their subscribers go on after a change of leader, and do they go on now? */
import { commandLine } from '../model/command-line.js';
import {
  awaitedSlots,
  brokenOn,
  FAILOVER_SLOTS_SINCE,
  logicalSlots,
  type Broken,
} from '../roles/logical-slots.js';
import type { Cluster, Finding, ReplicationSlot, SqlStatus, Witnessed } from '../model/model.js';
import { race } from '../votes/race.js';
import type { MemberView, View } from '../roles/view.js';
import { unpausedInput } from '../votes/vote-facts.js';
import { standbys } from './streaming.js';
import { list } from './evidence.js';

/** The standbys that could be promoted if the leader were lost now. */
function successors(view: View): MemberView[] {
  const able = race(unpausedInput(view)).filter(({ mayWin }) => mayWin !== 'no');
  const names = new Set(able.map(({ name }) => name));
  return standbys(view).filter(({ name }) => names.has(name));
}

/** Each successor with those slots that `keptBy` should have carried to it and did not. */
function notCarried(
  view: View,
  keptBy: 'failover' | 'Patroni',
): { one: MemberView; broken: Broken[] }[] {
  if (view.leader?.observed !== 'primary') return [];
  const slots = logicalSlots(view).slots.filter((slot) => slot.keptBy === keptBy);
  return successors(view)
    .map((one) => ({ one, broken: brokenOn(one, slots) ?? [] }))
    .filter(({ broken }) => broken.length > 0);
}

export function slotSeen(sql: SqlStatus, member: string, name: string): Witnessed {
  const slot = sql.slots.find(({ slotName }) => slotName === name);
  const said = slot === undefined ? `no slot ${name}` : `${name}: ${describe(slot)}`;
  return { witness: 'SQL', subject: `${member} pg_replication_slots`, said };
}

function describe(slot: ReplicationSlot): string {
  const { slotType, active, temporary, failover, synced, inactiveAgeMs } = slot;
  const words = [
    slotType,
    active ? 'active' : 'inactive',
    ...(temporary === true ? ['temporary'] : []),
    ...(failover === true ? ['failover'] : []),
    ...(synced === true ? ['synced'] : []),
    ...(slot.invalidationReason ? [`invalidation_reason ${slot.invalidationReason}`] : []),
    ...(inactiveAgeMs === null || inactiveAgeMs === undefined
      ? []
      : [`inactive for ${Math.round(inactiveAgeMs / 1000)} s`]),
  ];
  return words.join(', ');
}

function seen(view: View, one: MemberView, broken: readonly Broken[]): Witnessed[] {
  const { leader } = view;
  return broken.flatMap(({ slot }) =>
    [leader, one].flatMap((who) =>
      who?.sql.ok ? [slotSeen(who.sql.value, who.name, slot.name)] : [],
    ),
  );
}

export function failoverSlotNotSynced(view: View): Finding[] {
  return notCarried(view, 'failover').map(({ one, broken }) => ({
    code: 'failover_slot_not_synced',
    severity: 'warning',
    members: [one.name],
    message: `if ${one.name} led, the subscribers of ${list(broken.map(({ slot }) => slot.name))} would stop: ${list([...new Set(broken.map(({ because }) => because))])}`,
    evidence: seen(view, one, broken),
    next: nextFor(view.snapshot.cluster, one, broken),
  }));
}

/** A former leader keeps its own slot, and PostgreSQL makes no copy beside it. */
function nextFor(cluster: Cluster, { name, sql }: MemberView, broken: readonly Broken[]): string {
  const left = broken.find(({ slot }) =>
    sql.ok ? sql.value.slots.some((s) => s.slotName === slot.name && s.synced === false) : false,
  );
  return left === undefined
    ? `set sync_replication_slots and hot_standby_feedback to on: ${commandLine(cluster, 'edit-config', '-p', 'sync_replication_slots=on', '-p', 'hot_standby_feedback=on')}; then wait until the subscriber confirms something; PostgreSQL's log on ${name} says what is missing`
    : `on ${name}: SELECT pg_drop_replication_slot('${left.slot.name}'); it is left from the time when ${name} led, and PostgreSQL creates no copy while it exists`;
}

export function permanentSlotMissing(view: View): Finding[] {
  return notCarried(view, 'Patroni').map(({ one, broken }) => ({
    code: 'permanent_slot_missing',
    severity: 'warning',
    members: [one.name],
    message: `if ${one.name} led, the consumers of ${list(broken.map(({ slot }) => slot.name))} would lose changes: ${list([...new Set(broken.map(({ because }) => because))])}`,
    evidence: [
      {
        witness: 'DCS',
        subject: '/config',
        said: `slots: ${list(broken.map((b) => b.slot.name))}`,
      },
      ...seen(view, one, broken),
    ],
    next: `see Patroni's log on ${one.name}; it copies a slot as soon as the leader writes its position to /status`,
  }));
}

/** A failover slot's consumer gets a change only after every slot of synchronized_standby_slots has it. */
export function synchronizedSlotInactive({ leader, snapshot }: View): Finding[] {
  if (!leader?.sql.ok || leader.sql.value.inRecovery) return [];
  const sql = leader.sql.value;
  const awaited = awaitedSlots(sql);
  if (sql.serverVersion < FAILOVER_SLOTS_SINCE || awaited.length === 0) return [];
  const waiting = sql.slots.filter(({ failover, active }) => failover === true && active);
  const what = list(awaited.map(({ name, state }) => `slot ${name} ${state}`));
  return [
    {
      code: 'synchronized_slot_inactive',
      severity: waiting.length > 0 ? 'critical' : 'warning',
      members: [leader.name],
      message:
        waiting.length > 0
          ? `the consumers of ${list(waiting.map(({ slotName }) => slotName))} receive nothing: ${what}, and synchronized_standby_slots names it`
          : `synchronized_standby_slots names a slot that holds up every failover slot: ${what}`,
      evidence: [
        {
          witness: 'SQL',
          subject: `${leader.name} pg_settings`,
          said: `synchronized_standby_slots = ${sql.settings['synchronized_standby_slots']?.value ?? ''}`,
        },
        ...awaited.map(({ name }) => slotSeen(sql, leader.name, name)),
      ],
      next: `bring that standby back, or take the slot out of synchronized_standby_slots (a reload is enough): ${commandLine(snapshot.cluster, 'edit-config')}`,
    },
  ];
}
