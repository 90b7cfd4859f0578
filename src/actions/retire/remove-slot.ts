/**
 * The replication slot of a member that is gone. Patroni drops a slot that is neither a member's nor permanent in its
 * next loop, and creates one again that /status names in retain_slots: there it stays for member_slots_ttl, in the
 * memory of the leader. So neither dropping it over SQL nor writing /status removes it for good, but a shorter
 * member_slots_ttl does [AbstractDCS._build_retain_slots].
 */
import { loopWaitMs } from '../../cluster/model/loop-times.js';
import { commandLine } from '../../cluster/model/command-line.js';
import type { Cluster, JsonObject, JsonValue, Snapshot } from '../../cluster/model/model.js';
import { slotName } from '../../cluster/model/slot-name.js';
import { hasPermanentSlot } from '../../cluster/preflight/retirement.js';
import { memberSlotsTtlSeconds } from '../../cluster/roles/absent.js';
import type { Context } from '../../context.js';
import { ToolError, type Evidence } from '../../errors.js';
import { snapshotNow } from '../../observe/read-snapshot.js';
import { clusterNow } from '../../observe/read-keys.js';
import type { Tell } from '../kit/report.js';
import { until } from '../kit/until.js';

const KEY = 'member_slots_ttl';
const LOOK_MS = 1000;
/** Loops in which Patroni on every member has seen a change and has acted on it. */
const LOOPS = 4;
/** For a machine that is busy. */
const SPARE_MS = 20_000;
/** PostgreSQL's wal_sender_timeout: so long a walsender keeps the slot of a host that vanished. */
const WALSENDER_MS = 60_000;
/** Tries to put member_slots_ttl back where others write the configuration too. */
const RESTORES = 5;

/** What became of the slot, in words. ToolError `failed` where it is still there, `unconfirmed` where it is unknown. */
export async function removeSlot(
  context: Context,
  cluster: Cluster,
  member: string,
  { keepSlot, tell }: { keepSlot: boolean; tell: Tell },
): Promise<string> {
  const slot = slotName(member);
  const now = (await clusterNow(context, cluster)) ?? cluster;
  if (hasPermanentSlot(now, member)) return `slot ${slot} is permanent and stays`;
  const retained = now.status?.retainSlots ?? [];
  const ttl = memberSlotsTtlSeconds(now);
  if (retained.includes(slot)) {
    const later = `slot ${slot} stays until Patroni removes it, ${ttl} s (${KEY}) after the member left`;
    if (keepSlot) return later;
    const others = absentSlots(now, slot);
    if (others.length > 0)
      return `${later}: a shorter ${KEY} would remove ${others.join(', ')} too, whose members are not in the DCS`;
    await release(context, now, slot, { ttl, tell });
  } else if (keepSlot) return `Patroni does not retain slot ${slot}`;
  return await seenGone(context, now, member, tell);
}

/** Slots of other members that are away, and that would lose theirs too. */
function absentSlots({ members, status }: Cluster, slot: string): string[] {
  const present = new Set(members.map(({ name }) => slotName(name)));
  return (status?.retainSlots ?? []).filter((name) => name !== slot && !present.has(name));
}

// ---------------------------------------------------------------- member_slots_ttl

interface Release {
  /** member_slots_ttl as it is, s. */
  ttl: number;
  tell: Tell;
}

/** Waits until /status no longer names the slot; member_slots_ttl is then what it was, however it ended. */
async function release(
  context: Context,
  cluster: Cluster,
  slot: string,
  { ttl, tell }: Release,
): Promise<void> {
  // A member that misses a heartbeat or two keeps its slot.
  const short = Math.ceil((2 * loopWaitMs(cluster)) / 1000);
  const isShortened = ttl > short;
  try {
    // If the answer to the write is lost, the short value may be in force: it is put back then too.
    if (isShortened) await shorten(context, cluster, { short, ttl, tell });
    const waitMs = Math.min(ttl, short) * 1000 + LOOPS * loopWaitMs(cluster) + SPARE_MS;
    const limit = {
      atMs: context.clock.nowMs() + waitMs,
      everyMs: LOOK_MS,
      goesOn: `${KEY} is what it was before; the slot ${slot} stays until then`,
      awaits: () => `Patroni on the leader to release slot ${slot}`,
      tell,
    };
    const released = await until(context, limit, async () => {
      const now = await clusterNow(context, cluster);
      return now?.status?.retainSlots.includes(slot) === false ? true : null;
    });
    if (!released) throw slotLeft(cluster, slot, [retainedSeen(slot)]);
  } finally {
    if (isShortened) await restore(context, cluster, short, tell);
  }
}

async function shorten(
  context: Context,
  cluster: Cluster,
  { short, ttl, tell }: Release & { short: number },
): Promise<void> {
  const { config } = cluster;
  if (config === null || config.unreadable)
    throw new ToolError('failed', 'the dynamic configuration cannot be read: the slot stays', {
      code: 'slot_left',
    });
  tell({ kind: 'note', text: `${KEY} is ${short} s instead of ${ttl} s until the slot is gone` });
  const text = JSON.stringify({ ...config.raw, [KEY]: short });
  const written = await (await context.dcs()).writeConfig(cluster, text);
  if (!written.done)
    throw new ToolError('failed', 'the dynamic configuration has changed in the meantime', {
      code: 'changed_meanwhile',
      hint: 'run the command again to remove the slot',
    });
  tell({ kind: 'changed', changed: true });
}

/** Puts back what was there, unless it is by now what another client wrote. */
async function restore(
  context: Context,
  before: Cluster,
  short: number,
  tell: Tell,
): Promise<void> {
  const value = before.config?.raw[KEY];
  for (let left = RESTORES; left > 0; left -= 1) {
    const now = await clusterNow(context, before);
    if (now?.config && now.config.raw[KEY] !== short) return;
    if (now?.config && (await isRestored(context, now, value))) return;
    if (left > 1) await context.clock.wait(LOOK_MS);
  }
  const pair = `${KEY}=${value === undefined ? 'null' : JSON.stringify(value)}`;
  const command = commandLine(before, 'edit-config', '-s', pair);
  tell({ kind: 'note', text: `warning: ${KEY} may still be ${short} s; put it back: ${command}` });
}

async function isRestored(
  context: Context,
  now: Cluster,
  value: JsonValue | undefined,
): Promise<boolean> {
  const rest = Object.entries(now.config?.raw ?? {}).filter(([key]) => key !== KEY);
  const raw: JsonObject = Object.fromEntries(value === undefined ? rest : [...rest, [KEY, value]]);
  try {
    return (await (await context.dcs()).writeConfig(now, JSON.stringify(raw))).done;
  } catch (error) {
    if (error instanceof ToolError) return false;
    throw error;
  }
}

// ---------------------------------------------------------------- seen

/** Patroni drops it in its next loop, on each member by itself. */
async function seenGone(
  context: Context,
  cluster: Cluster,
  member: string,
  tell: Tell,
): Promise<string> {
  const slot = slotName(member);
  let left: Evidence[] = [];
  let unread: string[] = [];
  const limit = {
    atMs: context.clock.nowMs() + LOOPS * loopWaitMs(cluster) + WALSENDER_MS + SPARE_MS,
    everyMs: LOOK_MS,
    goesOn: `Patroni drops slot ${slot} by itself`,
    awaits: () => left.map(({ subject, said }) => `${subject} (${said})`).join(', '),
    tell,
  };
  const gone = await until(context, limit, async () => {
    const snapshot = await snapshotNow(context, cluster, 'auto');
    if (snapshot === null) return null;
    left = slotsSeen(snapshot, slot);
    unread = snapshot.members.filter(({ sql }) => !sql.ok).map(({ name }) => name);
    return left.length === 0 ? true : null;
  });
  if (!gone) throw slotLeft(cluster, slot, left);
  const unknown = unread.length === 0 ? '' : `; not read on ${unread.join(', ')}`;
  return `no member has slot ${slot}${unknown}`;
}

/** Where the slot still is: on servers, and in what the leader writes of its own. */
function slotsSeen({ cluster, members }: Snapshot, slot: string): Evidence[] {
  const onServers = members.flatMap(({ name, sql }): Evidence[] => {
    const seen = sql.ok
      ? sql.value.slots.find((one) => one.slotType === 'physical' && one.slotName === slot)
      : undefined;
    if (!seen) return [];
    const said = `${slot} is ${seen.active ? `active, pid ${seen.activePid ?? '?'}` : 'inactive'}`;
    return [{ witness: 'SQL', subject: name, said }];
  });
  const isTold = cluster.status?.retainSlots.includes(slot) === true;
  return [...onServers, ...(isTold ? [retainedSeen(slot)] : [])];
}

function retainedSeen(slot: string): Evidence {
  return { witness: 'DCS', subject: '/status', said: `retain_slots has ${slot}` };
}

function slotLeft(cluster: Cluster, slot: string, evidence: Evidence[]): ToolError {
  return new ToolError('failed', `replication slot ${slot} is still there`, {
    code: 'slot_left',
    evidence,
    hint: `see Patroni's log for why it does not drop it; it may keep WAL: ${commandLine(cluster, 'check')}`,
  });
}
