/** Members that left the DCS, and servers named by --also: where they were, and what they say now. */
import type {
  Cluster,
  Departed,
  Member,
  MemberReadings,
  ParseProblem,
  VerifyMode,
} from '../cluster/model/model.js';
import { slotName } from '../cluster/model/slot-name.js';
import type { Context } from '../context.js';
import type { PastLimit } from '../dcs/dcs.js';
import { ToolError } from '../errors.js';
import { readWitnesses, type Address, type HostPort } from './read-witnesses.js';

/** How far back in /history a name still makes us look for its owner. */
const RECENT_HISTORY = 3;
/** Limit of searching the DCS's past for the address of a member that is gone. */
const PAST_LIMIT: PastLimit = { ms: 1000 };
/**
 * The same when nothing names the one that may be gone: it is no more than a suspicion, and every read pays for
 * it. So many looks meet whoever led for an eighth of the time since; the time is for a machine that is busy.
 */
const UNNAMED_LIMIT: PastLimit = { ms: 2000, looks: 256 };

/** Members whose key is gone, but of whom slots, history, failsafe or the user still speak. */
export async function readDeparted(
  context: Context,
  cluster: Cluster,
  verify: VerifyMode,
  alsoAsk: HostPort[],
): Promise<{ departed: Departed[]; problems: ParseProblem[] }> {
  const { gone, problems } = await departedAddresses(context, cluster);
  const also = alsoAsk.map(({ host, port }) => ({
    name: `${host}:${port}`,
    scope: cluster.scope,
    apiUrl: null,
    host,
    port,
    origin: '--also' as const,
  }));
  const candidates = [...gone, ...also];
  if (candidates.length === 0) return { departed: [], problems };
  const { elsewhere } = await import('./addresses.js');
  // Where a member is there is no other server: it would be counted twice.
  const others = await elsewhere(context, candidates, cluster.members);
  const departed = await Promise.all(
    others.map(async (address): Promise<Departed> => {
      const { origin, host, port } = address;
      const [readings, listening] = await Promise.all([
        readWitnesses(context, address, verify),
        probe(context, host, port),
      ]);
      return { ...readings, origin, host, port, listening };
    }),
  );
  return { departed, problems };
}

/** Without the servers that were read already, under another address: one database, one start of it. */
export function otherServers(
  departed: readonly Departed[],
  members: readonly MemberReadings[],
): Departed[] {
  const identity = ({ sql }: MemberReadings): string | null => {
    if (!sql.ok || sql.value.systemId === null || !sql.value.startedAt) return null;
    return `${sql.value.systemId} ${sql.value.startedAt}`;
  };
  const read = new Set(members.map(identity));
  return departed.filter((one) => {
    const own = identity(one);
    const isNew = own === null || !read.has(own);
    read.add(own);
    return isNew;
  });
}

async function probe(
  context: Context,
  host: string | null,
  port: number | null,
): Promise<boolean | null> {
  if (host === null || port === null) return null;
  const { speaksPostgres } = await import('../postgres/probe.js');
  return speaksPostgres(host, port, context.flags.timeoutMs);
}

interface Missing {
  slots: Set<string>;
  names: Set<string>;
  /** Somebody has led whom nothing names: /history tells only who led after a promotion. */
  unnamedLeader: boolean;
}

/** Slots and names that something still speaks of although no member's key bears them. */
function missing(cluster: Cluster): Missing {
  const present = new Set(cluster.members.map((member) => member.name));
  const presentSlots = new Set([...present].map(slotName));
  const recent = (cluster.history ?? []).slice(-RECENT_HISTORY);
  const leaders = [cluster.leaderName, ...recent.map((line) => line.newLeader)];
  return {
    slots: new Set(cluster.status?.retainSlots.filter((slot) => !presentSlots.has(slot))),
    names: new Set(leaders.filter((name) => name !== null && !present.has(name)) as string[]),
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

/** What of the missing is none of these members. */
function stillMissing({ slots, names }: Missing, found: readonly string[]): string[] {
  const foundSlots = new Set(found.map(slotName));
  return [
    ...[...names].filter((name) => !found.includes(name)),
    ...[...slots].filter((slot) => !foundSlots.has(slot)).map((slot) => `slot ${slot}`),
  ];
}

type DepartedAddress = Address & { origin: Departed['origin'] };

async function departedAddresses(
  context: Context,
  cluster: Cluster,
): Promise<{ gone: DepartedAddress[]; problems: ParseProblem[] }> {
  const wanted = missing(cluster);
  const gone: DepartedAddress[] = [];
  const problems: ParseProblem[] = [];
  if (wanted.slots.size > 0 || wanted.names.size > 0 || wanted.unnamedLeader) {
    const { members, problem } = await deletedMembers(context, cluster, wanted);
    if (problem !== null) problems.push({ key: 'members/', problem });
    for (const member of members.filter((one) => isMissing(wanted, one))) {
      const { name, apiUrl, host, port } = member;
      gone.push({ name, scope: cluster.scope, apiUrl, host, port, origin: 'dcs history' });
    }
  }
  const known = new Set([...cluster.members, ...gone].map(({ name }) => name));
  for (const [name, apiUrl] of Object.entries(cluster.failsafe ?? {})) {
    if (known.has(name)) continue;
    gone.push({ name, scope: cluster.scope, apiUrl, host: null, port: null, origin: 'failsafe' });
  }
  return { gone, problems };
}

/**
 * The last heartbeat of members whose key was deleted or expired, until all that are wanted are found or
 * the DCS remembers no more. A history that cannot be read is a problem to show, no reason to show nothing.
 */
async function deletedMembers(
  context: Context,
  cluster: Cluster,
  wanted: Missing,
): Promise<{ members: Member[]; problem: string | null }> {
  const lacking = (found: readonly Member[]): string[] =>
    stillMissing(
      wanted,
      found.map(({ name }) => name),
    );
  const isNamed = wanted.slots.size > 0 || wanted.names.size > 0;
  try {
    const dcs = await context.dcs();
    const { members, incomplete } = await dcs.goneMembers(
      cluster,
      isNamed ? PAST_LIMIT : UNNAMED_LIMIT,
      (found) =>
        lacking(found).length === 0 && (isNamed || found.some((one) => isMissing(wanted, one))),
    );
    return {
      members,
      problem: incomplete === null ? null : notFound(incomplete, lacking(members)),
    };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    if (!isNamed) return { members: [], problem: null };
    return { members: [], problem: `members that left could not be looked up: ${error.message}` };
  }
}

function notFound(why: string, lacking: readonly string[]): string | null {
  if (lacking.length === 0) return null;
  return `${why}: no address was found for ${lacking.join(', ')}`;
}
