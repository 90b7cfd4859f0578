/** Members that left the DCS, and servers named by --also: where they were, and what they say now. */
import type {
  Cluster,
  Departed,
  LastWord,
  MemberReadings,
  ParseProblem,
  Snapshot,
  VerifyMode,
} from '../cluster/model/model.js';
import { withWorkedOut } from '../cluster/roles/worked-out.js';
import type { Context } from '../context.js';
import type { PastLimit } from '../dcs/dcs.js';
import { deletedMembers } from './deleted-members.js';
import { readWitnesses, type MemberAddress, type HostPort } from './read-witnesses.js';

interface DepartedRequest {
  verify: VerifyMode;
  /** PostgreSQL servers to ask besides (--also HOST:PORT). */
  also: readonly HostPort[];
  /** How much of etcd's history is searched if no member is named. */
  limit: PastLimit;
}

export interface DepartedRead {
  departed: Departed[];
  problems: ParseProblem[];
  /** Members of etcd's history whose address is another member's by now. */
  renamed: string[];
}

/** Members whose key is gone, but which etcd's history, slots, /history, failsafe or the user still name. */
export async function readDeparted(
  context: Context,
  cluster: Cluster,
  { verify, also: alsoAsk, limit }: DepartedRequest,
): Promise<DepartedRead> {
  const { gone, problems } = await departedAddresses(context, cluster, limit);
  const also = alsoAsk.map(({ host, port }) => ({
    name: `${host}:${port}`,
    scope: cluster.scope,
    apiUrl: null,
    host,
    port,
    origin: '--also' as const,
  }));
  const candidates: DepartedAddress[] = [...gone, ...also];
  if (candidates.length === 0) return { departed: [], problems, renamed: [] };
  const { elsewhere } = await import('./addresses.js');
  // A member's own address is left out: it would be counted twice.
  const others = await elsewhere(context, candidates, cluster.members);
  const renamed = gone.filter((one) => !others.includes(one)).map(({ name }) => name);
  const departed = await Promise.all(
    others.map(async (address): Promise<Departed> => {
      const { origin, host, port, lastWord } = address;
      const [readings, listening] = await Promise.all([
        readWitnesses(context, address, verify),
        probe(context, host, port),
      ]);
      return { ...readings, origin, host, port, listening, ...(lastWord && { lastWord }) };
    }),
  );
  return { departed, problems, renamed };
}

/** What was read of a cluster and its members, without what is found beside them. */
export type MembersRead = Omit<Snapshot, 'departed' | 'renamed'>;

/** One snapshot of both, with what follows from all its readings together. */
export function withDeparted(read: MembersRead, found: DepartedRead): Snapshot {
  const { departed, problems, renamed } = found;
  const { cluster, verify, takenAt, members, serializable, previous } = read;
  return withWorkedOut({
    cluster:
      problems.length === 0
        ? cluster
        : { ...cluster, problems: [...cluster.problems, ...problems] },
    verify,
    takenAt,
    members,
    departed: otherServers(departed, members),
    ...(renamed.length > 0 && { renamed }),
    serializable,
    previous,
  });
}

/** Without the servers that were read already, under another address: one database, one start of it. */
function otherServers(
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

type DepartedAddress = MemberAddress & { origin: Departed['origin']; lastWord?: LastWord };

async function departedAddresses(
  context: Context,
  cluster: Cluster,
  limit: PastLimit,
): Promise<{ gone: DepartedAddress[]; problems: ParseProblem[] }> {
  const { members, problem } = await deletedMembers(context, cluster, limit);
  const problems = problem === null ? [] : [{ key: 'members/', problem }];
  const dcs = await context.dcs();
  const gone = await Promise.all(
    members.map(async (member): Promise<DepartedAddress> => {
      const { name, apiUrl, host, port } = member;
      const at = { name, scope: cluster.scope, apiUrl, host, port, origin: 'dcs history' } as const;
      const lastWord = member.isLastValue ? await dcs.lastWord(cluster, member) : null;
      return { ...at, ...(lastWord && { lastWord }) };
    }),
  );
  const known = new Set([...cluster.members, ...gone].map(({ name }) => name));
  for (const [name, apiUrl] of Object.entries(cluster.failsafe ?? {})) {
    if (known.has(name)) continue;
    gone.push({ name, scope: cluster.scope, apiUrl, host: null, port: null, origin: 'failsafe' });
  }
  return { gone, problems };
}
