/** The facts as they are once some members are lost at once, with Patroni, PostgreSQL and their host, or gone for good. */
import { isListed, sameName } from '../model/member-names.js';
import type { ForecastFacts } from './loss-model.js';
import {
  clusterRules,
  modeOf,
  syncActive,
  type SyncNames,
  type VoteInput,
  type VoteNode,
} from './vote-rules.js';

/**
 * `input` without these members: their keys stay until ttl, and nothing answers there. The leader may be one of them.
 */
export function without(input: VoteInput, lost: readonly string[]): VoteInput {
  const isLost = (name: string): boolean => lost.includes(name);
  const after = (nodes: VoteNode[]): VoteNode[] =>
    nodes.map((node) => (isLost(node.name) ? silenced(node) : node));
  const primary = locklessPrimary(input);
  // Without the lock only this primary can be what the others stream from.
  const isUpstreamLost = primary !== null && isLost(primary);
  const nodes = after(input.nodes);
  return {
    ...input,
    nodes: isUpstreamLost ? nodes.map((node) => ({ ...node, streams: false })) : nodes,
    failsafeNodes: after(input.failsafeNodes),
    departedPrimaries: input.departedPrimaries.filter((name) => !isLost(name)),
    departedUnread: input.departedUnread.filter((name) => !isLost(name)),
  };
}

function silenced(node: VoteNode): VoteNode {
  return {
    ...node,
    reachable: false,
    running: false,
    starting: false,
    primary: null,
    walPosition: null,
    streamsFromLeader: false,
    streams: false,
  };
}

/**
 * The primary that keeps the lock from the others although it does not hold it, as a leader does that has lost the
 * DCS only (failsafe_mode); null: there is none, or more than one.
 */
export function locklessPrimary({ leader, nodes, failsafeNodes }: VoteInput): string | null {
  if (leader !== null) return null;
  const primaries = [...nodes, ...failsafeNodes].filter(({ primary }) => primary === true);
  return primaries.length === 1 ? (primaries[0]?.name ?? null) : null;
}

/**
 * `facts` once this member is gone for good: it has no key, and Patroni has put others in its place in /sync and in
 * the names of the standbys. `syncNodeCount`: synchronous_node_count of the dynamic configuration.
 */
export function withoutForGood(
  facts: ForecastFacts,
  name: string,
  syncNodeCount: number,
): ForecastFacts {
  const { input } = facts;
  const isOther = (other: string): boolean => !sameName(other, name);
  const after: VoteInput = {
    ...input,
    nodes: input.nodes.filter((node) => isOther(node.name)),
    failsafeNodes: input.failsafeNodes.filter((node) => isOther(node.name)),
    failsafeMembers: input.failsafeMembers?.filter(isOther) ?? null,
    departedPrimaries: input.departedPrimaries.filter(isOther),
    departedUnread: input.departedUnread.filter(isOther),
  };
  return { ...facts, input: resynced(after, facts.neverSync, syncNodeCount) };
}

/** /sync and the names of the standbys as Patroni sets them for the members that are left. */
function resynced(input: VoteInput, neverSync: readonly string[], count: number): VoteInput {
  const { leader, nodes } = input;
  const mode = modeOf(input, clusterRules(input));
  if (mode === 'off' || leader === null || !syncActive(input)) return input;
  const able = nodes.filter(
    ({ name, streamsFromLeader, reachable, running }) =>
      name !== leader &&
      streamsFromLeader !== false &&
      reachable !== false &&
      running !== false &&
      !neverSync.some((never) => sameName(never, name)),
  );
  // Those that are synchronous stay; of the others Patroni takes those first that may lead.
  const rank = ({ name, nofailover }: VoteNode): number =>
    isListed(input.voters, name) ? 0 : nofailover ? 2 : 1;
  const names = [...able].sort((a, b) => rank(a) - rank(b)).map(({ name }) => name);
  const voters = mode === 'quorum' ? names : names.slice(0, count);
  const num = Math.min(count, voters.length);
  const quorum = mode === 'quorum' ? voters.length - num : 0;
  const method = voters.length === 0 ? 'off' : mode === 'quorum' ? 'any' : 'first';
  const syncNames: SyncNames | null =
    input.syncNames === null ? null : { method, num, names: voters };
  return { ...input, syncLeader: leader, voters, quorum, syncNames };
}
