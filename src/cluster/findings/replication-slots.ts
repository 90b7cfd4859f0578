/** Replication slots, and the WAL that they keep or do not keep. */
import { commandLine } from '../model/command-line.js';
import { plural } from '../model/words.js';
import { farther, formatLsn, lagBytes, type Lsn } from '../model/lsn.js';
import type { Finding, ReplicationSlot, SqlStatus, Witnessed } from '../model/model.js';
import type { MemberView, View } from '../roles/view.js';
import { slotName } from '../model/slot-name.js';
import { readTags } from '../model/tags.js';
import type { Limits } from './limits.js';
import { reinitStep } from './next-steps.js';
import { isSettling, isUnfed, standbys, wantedUpstream } from './streaming.js';
import { bytesText, durationText, rowSeen } from './evidence.js';

interface MemberSlot {
  one: MemberView;
  upstream: MemberView;
  sql: SqlStatus;
  /** The slot's name. */
  name: string;
  slot: ReplicationSlot | null;
}

/** Every running standby that should have a slot on an upstream whose slots could be read. */
function memberSlots(view: View): MemberSlot[] {
  if (view.snapshot.cluster.config?.useSlots === false) return [];
  return standbys(view).flatMap((one): MemberSlot[] => {
    if (readTags(one.member?.tags).nostream) return [];
    const wanted = wantedUpstream(one, view);
    const upstream = view.members.find(({ name, member }) => member !== null && name === wanted);
    if (!upstream?.sql.ok) return [];
    const name = slotName(one.name);
    const sql = upstream.sql.value;
    const slot = sql.slots.find((slot) => slot.slotName === name) ?? null;
    return [{ one, upstream, sql, name, slot }];
  });
}

function slotSeen({ upstream, name, slot }: MemberSlot): Witnessed {
  const said = slot
    ? `${name}: ${slot.active ? 'active' : 'inactive'}, restart_lsn ${text(slot.restartLsn)}, wal_status ${slot.walStatus ?? 'unknown'}`
    : `no slot ${name}`;
  return { witness: 'SQL', subject: `${upstream.name} pg_replication_slots`, said };
}

function text(lsn: Lsn | null): string {
  return lsn === null ? 'null' : formatLsn(lsn);
}

export function slotMissing(view: View): Finding[] {
  return memberSlots(view)
    .filter(({ slot }) => slot === null)
    .map((found) => ({
      code: 'slot_missing',
      severity: 'critical',
      members: [found.one.name],
      message: `${found.upstream.name} has no replication slot for ${found.one.name}: the WAL it needs may be recycled at any time`,
      evidence: [slotSeen(found), rowSeen(found.one, view)],
      next: `check Patroni's log on ${found.upstream.name} for why it does not create the slot (max_replication_slots?)`,
    }));
}

/** A member without a walsender whose slot begins beyond what it has: recreated, or emptied. */
export function slotLost(view: View): Finding[] {
  const bySql = memberSlots(view);
  const lost = bySql.filter(({ slot }) => slot?.walStatus === 'lost');
  const beyond = standbys(view)
    .filter((one) => isUnfed(one) && !stillReadsItsOwn(one, view))
    .flatMap((one): Finding[] => {
      const found = bySql.find((candidate) => candidate.one === one);
      const atSlot = found ? (found.slot?.restartLsn ?? null) : claimedSlot(one, view);
      const has = furthest(one);
      if (atSlot === null || has === null || atSlot <= has) return [];
      const seen: Witnessed = found
        ? slotSeen(found)
        : { witness: 'DCS', subject: '/status', said: `slot of ${one.name} at ${text(atSlot)}` };
      return [slotLostFinding(one, view, seen, lagBytes(atSlot, has))];
    });
  const told = new Set(beyond.flatMap(({ members }) => members));
  return [
    ...beyond,
    ...lost
      .filter(({ one }) => !told.has(one.name))
      .map((found) => slotLostFinding(found.one, view, slotSeen(found), null)),
  ];
}

/**
 * A standby that has just started replays the WAL on its disk before it asks for more: until then it is
 * unknown how far it is. PostgreSQL has no received position before it has asked; over REST only waiting shows it.
 */
function stillReadsItsOwn(one: MemberView, view: View): boolean {
  return one.sql.ok ? one.sql.value.receiveLsn === null : isSettling(one, view);
}

function slotLostFinding(
  one: MemberView,
  view: View,
  seen: Witnessed,
  gap: number | null,
): Finding {
  const has = furthest(one);
  return {
    code: 'slot_lost',
    severity: 'critical',
    members: [one.name],
    message:
      `${one.name} can never catch up: its slot ` +
      (gap === null ? 'has lost its WAL' : `begins ${bytesText(gap)} beyond what it has received`),
    evidence: [
      seen,
      { witness: one.witness ?? 'DCS', subject: one.name, said: `received up to ${text(has)}` },
      rowSeen(one, view),
    ],
    next: `unless a WAL archive (restore_command) still has the missing WAL: ${reinitStep(view.snapshot, one)}`,
  };
}

/** The slot's position as the leader wrote it down, used where there is no login. */
function claimedSlot(one: MemberView, { snapshot }: View): Lsn | null {
  return snapshot.cluster.status?.slots[slotName(one.name)] ?? null;
}

/** What a standby has, by the witness that knows the most. */
function furthest({ position, replayed, member }: MemberView): Lsn | null {
  const known = [position, replayed, member?.receiveLsn ?? null, member?.replayLsn ?? null];
  return known.reduce((most, lsn) => (lsn !== null && (most === null || lsn > most) ? lsn : most));
}

export function slotUnreserved(view: View): Finding[] {
  return memberSlots(view)
    .filter(({ slot }) => slot && (slot.restartLsn === null || slot.walStatus === 'unreserved'))
    .map((found) => ({
      code: 'slot_unreserved',
      severity: 'warning',
      members: [found.one.name],
      message: `the slot of ${found.one.name} on ${found.upstream.name} keeps no WAL for it (${found.slot?.restartLsn === null ? 'restart_lsn is null' : 'wal_status unreserved'})`,
      evidence: [slotSeen(found), rowSeen(found.one, view)],
      next: 'check max_slot_wal_keep_size; the replica must catch up before the next checkpoint',
    }));
}

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

export function slotInactiveRetainsWal(view: View, limits: Limits): Finding[] {
  return view.members.flatMap((one): Finding[] => {
    const { sql } = one;
    if (!sql.ok) return [];
    const now = sql.value.currentLsn ?? farther(sql.value.receiveLsn, sql.value.replayLsn);
    if (now === null) return [];
    const limit = limits.maxSlotRetainBytes ?? defaultRetain(sql.value);
    return sql.value.slots
      .filter(({ active, restartLsn }) => !active && restartLsn !== null)
      .map((slot) => ({ slot, kept: lagBytes(now, slot.restartLsn ?? now) }))
      .filter(({ kept }) => kept > limit)
      .map(({ slot, kept }) => ({
        code: 'slot_inactive_retains_wal',
        severity: 'warning',
        members: [one.name],
        message: `slot ${slot.slotName} on ${one.name} is inactive and retains ${bytesText(kept)} of WAL`,
        evidence: [
          {
            witness: 'SQL',
            subject: `${one.name} pg_replication_slots`,
            said: `${slot.slotName} (${slot.slotType}): inactive, restart_lsn ${text(slot.restartLsn)}, written up to ${text(now)}`,
          },
        ],
        next: `bring its consumer back, or SELECT pg_drop_replication_slot('${slot.slotName}') if it is not a member's`,
      }));
  });
}

function defaultRetain({ settings }: SqlStatus): number {
  const megabytes = Number(settings['max_slot_wal_keep_size']?.value ?? -1);
  return megabytes > 0 ? (megabytes * MIB) / 2 : GIB;
}

/** A member without a walsender that needs WAL older than what its upstream has, or kept at the last checkpoint. */
export function walGone(view: View): Finding[] {
  return standbys(view).flatMap((one): Finding[] => {
    const wanted = wantedUpstream(one, view);
    const upstream = view.members.find(({ name }) => name === wanted);
    const has = furthest(one);
    if (!upstream?.sql.ok || !isUnfed(one) || has === null) return [];
    if (stillReadsItsOwn(one, view)) return [];
    const oldest = upstream.sql.value.oldestWal ?? keptFrom(upstream.sql.value);
    if (oldest === null || has >= oldest) return [];
    const restore = one.sql.ok ? (one.sql.value.settings['restore_command']?.value ?? '') : null;
    if (restore !== null && restore !== '') return [];
    const covered =
      restore === null
        ? 'it is unknown whether a restore_command covers the rest'
        : 'no restore_command covers the rest';
    return [
      {
        code: 'wal_gone',
        severity: 'critical',
        members: [one.name],
        message: `${one.name} needs WAL from ${text(has)} on; ${upstream.name} keeps it from ${text(oldest)} on, and ${covered}`,
        evidence: [
          { witness: 'SQL', subject: upstream.name, said: walSeen(upstream.sql.value) },
          {
            witness: one.witness ?? 'REST',
            subject: one.name,
            said: `received up to ${text(has)}`,
          },
          rowSeen(one, view),
        ],
        next:
          (restore === null ? 'unless it has a restore_command: ' : '') +
          reinitStep(view.snapshot, one),
      },
    ];
  });
}

function walSeen({ oldestWal, redoLsn, settings }: SqlStatus): string {
  if (oldestWal !== null && oldestWal !== undefined) return `pg_wal begins at ${text(oldestWal)}`;
  const keep = settings['wal_keep_size']?.value ?? '0';
  return `last checkpoint's redo at ${text(redoLsn ?? null)}, wal_keep_size ${keep} MB`;
}

/** Before this, the last checkpoint kept nothing; null when it cannot be told. */
function keptFrom({ redoLsn, settings, slots }: SqlStatus): Lsn | null {
  if (redoLsn === null || redoLsn === undefined) return null;
  const keep = BigInt(Math.trunc(Number(settings['wal_keep_size']?.value ?? 0))) * BigInt(MIB);
  const kept = slots.flatMap(({ restartLsn }) => (restartLsn === null ? [] : [restartLsn]));
  const least = [redoLsn - keep, ...kept].reduce((low, lsn) => (lsn < low ? lsn : low));
  // Whole segments are kept: one segment of the usual size less, so as not to alarm too early.
  const oldest = least - BigInt(16 * MIB);
  return oldest > 0n ? oldest : null;
}

export function reinitNeeded(view: View): Finding[] {
  // Over REST alone it is unknown whether the archive has the WAL.
  const seen = new Set(view.members.filter(({ sql }) => sql.ok).map(({ name }) => name));
  const gone = walGone(view).filter(({ members }) => members.every((name) => seen.has(name)));
  const causes = [...slotLost(view), ...gone];
  const names = new Set(causes.flatMap(({ members }) => members));
  const lost = view.members.filter(({ name }) => names.has(name));
  return lost.map((one) => ({
    code: 'reinit_needed',
    severity: 'info',
    members: [one.name],
    message: `${one.name} cannot recover by itself: it must be reinitialized from another member`,
    evidence: causes.filter(({ members }) => members.includes(one.name)).flatMap((f) => f.evidence),
    next: reinitStep(view.snapshot, one, '--wait'),
  }));
}

// ---------------------------------------------------------------- archiving and capacity

/** This many waiting files are not a coincidence, and neither is one that waits this long. */
const PILED_FILES = 3;
const PILED_MS = 60_000;

export function archivingFailing(view: View): Finding[] {
  const { leader } = view;
  if (!leader?.sql.ok) return [];
  const { archiver, settings } = leader.sql.value;
  const mode = settings['archive_mode']?.value ?? 'off';
  if (mode === 'off' || !archiver) return [];
  const { lastArchivedAgeMs, lastFailedAgeMs, failedCount, ready } = archiver;
  const fails = lastFailedAgeMs !== null && (lastArchivedAgeMs ?? Infinity) > lastFailedAgeMs;
  if (!fails && !pilesUp(archiver)) return [];
  const waiting = ready
    ? `${plural(ready.files, 'file')} not archived, the oldest for ${durationText(ready.oldestAgeMs)}`
    : null;
  const ago = (ms: number | null) => (ms === null ? 'never' : `${Math.round(ms / 1000)} s ago`);
  return [
    {
      code: 'archiving_failing',
      severity: 'warning',
      members: [leader.name],
      message: fails
        ? `${leader.name} cannot archive WAL: the last attempt failed ${ago(lastFailedAgeMs)}, the last success was ${ago(lastArchivedAgeMs)}`
        : `${leader.name} does not archive WAL: ${waiting ?? ''}, the last success was ${ago(lastArchivedAgeMs)}`,
      evidence: [
        {
          witness: 'SQL',
          subject: `${leader.name} pg_stat_archiver`,
          said: `failed_count ${failedCount}, last failed ${ago(lastFailedAgeMs)}, last archived ${ago(lastArchivedAgeMs)}`,
        },
        ...(waiting === null
          ? []
          : [{ witness: 'SQL' as const, subject: `${leader.name} archive_status`, said: waiting }]),
      ],
      next: `check PostgreSQL's log on ${leader.name} for the error of archive_command; WAL accumulates until it works`,
    },
  ];
}

/** A command that hangs, or ends the archiver itself, is never counted as failed; the oldest file goes first. */
function pilesUp({ ready, lastArchivedAgeMs }: NonNullable<SqlStatus['archiver']>): boolean {
  if (!ready || ready.files === 0) return false;
  const isStuck = lastArchivedAgeMs === null || lastArchivedAgeMs > ready.oldestAgeMs;
  return isStuck && (ready.files >= PILED_FILES || ready.oldestAgeMs > PILED_MS);
}

export function walsendersExhausted(view: View): Finding[] {
  return capacity(view, 'max_wal_senders', 'walsenders_exhausted', ({ walsenders }) => walsenders);
}

export function slotsExhausted(view: View): Finding[] {
  return capacity(view, 'max_replication_slots', 'slots_exhausted', ({ slots }) => slots);
}

/** Room for every member, or for all that is in use, and one more: a base backup, or a member that joins. */
function capacity(
  { leader, snapshot }: View,
  setting: string,
  code: string,
  used: (sql: SqlStatus) => readonly unknown[],
): Finding[] {
  if (!leader?.sql.ok) return [];
  const value = leader.sql.value.settings[setting]?.value;
  const inUse = used(leader.sql.value).length;
  const members = snapshot.cluster.members.length;
  const needed = Math.max(inUse, members) + 1;
  if (value === undefined || Number(value) >= needed) return [];
  return [
    {
      code,
      severity: 'warning',
      members: [leader.name],
      message:
        `${setting} is ${value} on ${leader.name}, ` +
        (inUse > members
          ? `and ${inUse} are in use: none is free for one more member`
          : `${needed} are needed for ${members} members and one more`),
      evidence: [
        { witness: 'SQL', subject: `${leader.name} pg_settings`, said: `${setting} = ${value}` },
        { witness: 'SQL', subject: leader.name, said: `${inUse} in use` },
      ],
      next: `raise ${setting} in the dynamic configuration and restart, standbys first: ${commandLine(snapshot.cluster, 'edit-config')}`,
    },
  ];
}
