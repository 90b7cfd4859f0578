/** Members whose key was deleted or expired, out of the DCS's own past. */
import type { Cluster, Member } from '../cluster/model/model.js';
import { slotName } from '../cluster/model/slot-name.js';
import { standbysInSync } from '../cluster/roles/absent.js';
import type { Context } from '../context.js';
import type { GoneMembers, PastLimit } from '../dcs/dcs.js';
import { ToolError } from '../errors.js';

/** How far back in /history a name still makes us look for its owner. */
const RECENT_HISTORY = 3;
/** Limit of searching etcd's history for the address of a member that is gone. */
const PAST_LIMIT: PastLimit = { ms: 1000 };
/**
 * The same if a departed member has no name: it is only a suspicion, and every read pays for
 * it. This many probes find any leader whose term was at least an eighth of the time since; the time is for a machine
 * that is busy.
 */
const UNNAMED_LIMIT: PastLimit = { ms: 2000, looks: 256 };
/** Used if no change is recorded: this many probes find any member that was there for as long as it has been gone. */
export const ANYBODY_LIMIT: PastLimit = { ms: 2000, looks: 40 };
/** In a fleet, where every cluster is looked at. */
export const FLEET_LIMIT: PastLimit = { ms: 1000, looks: 12 };
/** How many members that nothing names are asked, the last to leave first. */
const MOST_UNNAMED = 8;
interface Missing {
  slots: Set<string>;
  names: Set<string>;
  /** An earlier leader is not named anywhere: /history only names leaders after a promotion. */
  unnamedLeader: boolean;
}

/** Slots and names that some witness still has although no member has them. */
function missing(cluster: Cluster): Missing {
  const present = new Set(cluster.members.map((member) => member.name));
  const presentSlots = new Set([...present].map(slotName));
  const recent = (cluster.history ?? []).slice(-RECENT_HISTORY);
  const leaders = [cluster.leaderName, ...recent.map((line) => line.newLeader)];
  const standbys = standbysInSync(cluster).filter((name) => !presentSlots.has(slotName(name)));
  return {
    slots: new Set(cluster.status?.retainSlots.filter((slot) => !presentSlots.has(slot))),
    names: new Set([
      ...leaders.filter((name) => name !== null && !present.has(name)),
      ...standbys,
    ] as string[]),
    unnamedLeader:
      recent.some((line) => line.newLeader === null) ||
      (recent.length < RECENT_HISTORY && hasChangedLeader(cluster)),
  };
}

/** A new timeline comes with a promotion, whether or not /history is there to tell of it. */
function hasChangedLeader({ history, members }: Cluster): boolean {
  return (history ?? []).length > 0 || members.some(({ timeline }) => (timeline ?? 1) > 1);
}

const LEADING = ['primary', 'master', 'standby_leader'];

/** Whether a member that is gone is one of those that are looked for. */
function isMissing({ slots, names, unnamedLeader }: Missing, { name, role }: Member): boolean {
  return slots.has(slotName(name)) || names.has(name) || (unnamedLeader && LEADING.includes(role));
}

/** The missing names that belong to none of these members. */
function stillMissing({ slots, names }: Missing, found: readonly string[]): string[] {
  const foundSlots = new Set(found.map(slotName));
  return [
    ...[...names].filter((name) => !found.includes(name)),
    ...[...slots].filter((slot) => !foundSlots.has(slot)).map((slot) => `slot ${slot}`),
  ];
}

/**
 * The last heartbeat of members whose key was deleted or expired, the last to leave first, and what could not be
 * looked up. `modRevision` is where each was found to be gone.
 */
export async function deletedMembers(
  context: Context,
  cluster: Cluster,
  limit: PastLimit,
): Promise<Searched> {
  const wanted = missing(cluster);
  const isNamed = wanted.slots.size > 0 || wanted.names.size > 0;
  const searches = [
    ...(isNamed || wanted.unnamedLeader ? [searchWanted(context, cluster, wanted)] : []),
    searchAnybody(context, cluster, limit),
  ];
  const found = await Promise.all(searches);
  const by = new Map<string, DeletedMember>();
  for (const member of found.flatMap(({ members }) => members)) {
    const other = by.get(member.name);
    const isNewer = !other || BigInt(member.modRevision) > BigInt(other.modRevision);
    if (isNewer) by.set(member.name, member);
  }
  const all = [...by.values()].sort((a, b) =>
    Number(BigInt(b.modRevision) - BigInt(a.modRevision)),
  );
  const unnamed = all.filter((one) => !isMissing(wanted, one)).slice(0, MOST_UNNAMED);
  const problems = found.flatMap(({ problem }) => problem ?? []);
  return {
    members: all.filter((one) => isMissing(wanted, one) || unnamed.includes(one)),
    problem: problems[0] ?? null,
  };
}

/** `isLastValue`: false where the search was cut before the end of the key was found. */
type DeletedMember = Member & { isLastValue: boolean };
type Searched = { members: DeletedMember[]; problem: string | null };

/** The members that a few probes find. A past that cannot be read is not a reason to show nothing. */
async function searchAnybody(
  context: Context,
  cluster: Cluster,
  limit: PastLimit,
): Promise<Searched> {
  try {
    const gone = await (await context.dcs()).goneMembers(cluster, limit);
    return { members: deletedOf(gone), problem: null };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return { members: [], problem: null };
  }
}

/**
 * Until all are found or the DCS has no older past. A past that cannot be read is a problem to show,
 * no reason to show nothing.
 */
async function searchWanted(
  context: Context,
  cluster: Cluster,
  wanted: Missing,
): Promise<Searched> {
  const lacking = (found: readonly Member[]): string[] =>
    stillMissing(
      wanted,
      found.map(({ name }) => name),
    );
  const isNamed = wanted.slots.size > 0 || wanted.names.size > 0;
  try {
    const dcs = await context.dcs();
    const gone = await dcs.goneMembers(
      cluster,
      isNamed ? PAST_LIMIT : UNNAMED_LIMIT,
      (found) =>
        lacking(found).length === 0 && (isNamed || found.some((one) => isMissing(wanted, one))),
    );
    const { members, incomplete } = gone;
    const problem = incomplete === null ? null : notFound(incomplete, lacking(members));
    return { members: deletedOf(gone), problem };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    if (!isNamed) return { members: [], problem: null };
    return { members: [], problem: `members that left could not be looked up: ${error.message}` };
  }
}

function deletedOf({ members, unsure = [] }: GoneMembers): DeletedMember[] {
  return members.map((member) => ({ ...member, isLastValue: !unsure.includes(member.name) }));
}

function notFound(why: string, lacking: readonly string[]): string | null {
  if (lacking.length === 0) return null;
  return `${why}: no address was found for ${lacking.join(', ')}`;
}
