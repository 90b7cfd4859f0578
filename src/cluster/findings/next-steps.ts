/** Next steps that several findings and checks share: each follows from what the witnesses say of that member. */
import { commandLine } from '../model/command-line.js';
import type { Cluster, Snapshot } from '../model/model.js';
import { readTags } from '../model/tags.js';
import type { MemberView, View } from '../roles/view.js';
import { namedInSync, syncModeActive } from '../roles/dcs-roles.js';
import { list } from './evidence.js';

/** A new copy of a member; its own Patroni makes it, so that has to answer. */
export function reinitStep({ cluster }: Snapshot, { name, rest }: MemberView, ...words: string[]) {
  const command = commandLine(cluster, 'reinit', name, ...words);
  const isSilent = !rest.ok && rest.kind !== 'off';
  return isSilent ? `when Patroni on ${name} answers again: ${command}` : command;
}

/** What to check where the Patroni of a member did not say what was asked, as an imperative. */
export function restStep({ name, rest }: MemberView): string {
  if (rest.ok) return `find out why ${name} did not report it`;
  switch (rest.kind) {
    case 'off':
      return 'ask with --verify auto';
    case 'no_address':
      return `check why the member key of ${name} has no usable api_url`;
    case 'unreachable':
      return `check whether Patroni runs on ${name}, and whether its REST API can be reached from here`;
    case 'denied':
      return `check the login, certificates and allowlist of the REST API on ${name}`;
    case 'misidentified':
    case 'invalid':
      return `see what answers at the api_url of ${name}: a proxy, another program, or a wrong restapi.connect_address`;
  }
}

/**
 * Members that a failover may name, the best first: they answer as replicas, no tag and no watchdog is against them,
 * and none of the others is known to be ahead of them. In synchronous mode those in /sync, if there is one.
 */
export function promotable({ snapshot, members }: View): MemberView[] {
  const { cluster } = snapshot;
  const able = members.filter((one) => one.name !== cluster.leaderName && isAble(one));
  const synchronous = syncModeActive(cluster)
    ? able.filter(({ name }) => namedInSync(cluster, name))
    : [];
  const left = synchronous.length > 0 ? synchronous : able;
  return left.filter((one) => !left.some((other) => isAhead(other, one)));
}

function isAble({ member, departed, observed, rest }: MemberView): boolean {
  if (member === null || departed !== null || observed !== 'replica' || !rest.ok) return false;
  return !readTags(member.tags).nofailover && !rest.value.watchdogFailed;
}

/** On a later timeline, or on the same one with more WAL. */
function isAhead(other: MemberView, one: MemberView): boolean {
  if (other.timeline !== null && one.timeline !== null && other.timeline !== one.timeline)
    return other.timeline > one.timeline;
  return other.position !== null && one.position !== null && other.position > one.position;
}

/** The commands that promote one of them; null: no member can be promoted. */
export function promotion(view: View): string | null {
  const { cluster } = view.snapshot;
  const commands = promotable(view).map(({ name }) =>
    commandLine(cluster, 'failover', '--candidate', name),
  );
  return commands.length === 0 ? null : commands.join('; or: ');
}

/** Why no member of the DCS can be promoted, and what would change that. */
export function noPromotion({ snapshot, members }: View): string {
  const there = members.filter(({ member, departed }) => member !== null && departed === null);
  const others = there.filter(({ name }) => name !== snapshot.cluster.leaderName);
  if (others.length === 0) return noneLeft(snapshot.cluster);
  const answering = others.filter(({ observed, rest }) => observed === 'replica' && rest.ok);
  const names = (some: readonly MemberView[]) => list(some.map(({ name }) => name));
  if (answering.length === 0)
    return `no member answers as a replica: check Patroni and PostgreSQL on ${names(others)}`;
  return `no member may be promoted: see the tags and the watchdog of ${names(answering)}`;
}

function noneLeft({ leaderName, members }: Cluster): string {
  return leaderName === null || members.length === 0
    ? 'no member is left in the DCS: start Patroni on a member that has data'
    : 'no other member is in the DCS: start Patroni on one';
}
